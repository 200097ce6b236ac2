"""The area trees of tenants in memory, for `locate`.

A tree is trusted for a second. After that its version is compared with the database, where every change counts it up
in the same transaction; so a boundary changed by any process is followed within a second and the time of one rebuild.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import msgspec

from services.chassis.database import Database
from services.grid.areas.boundaries import stored_boundary
from services.grid.areas.location_index import LocatedArea, LocationIndex

TRUSTED_SECONDS = 1.0
MOST_TREES = 64
"""Tenants whose trees are kept; the one asked for least recently gives way."""


class AreaNode(msgspec.Struct, frozen=True):
    """An area as an answer shows it (schemas.AreaLine)."""

    id: str
    code: str
    name: str
    level: str
    level_name: str


@dataclass(frozen=True, slots=True)
class AreaTree:
    """A tenant's areas as they were at one version."""

    version: int
    index: LocationIndex
    chains: dict[str, list[str]]
    """By area: from the area itself up to the district."""
    communities: dict[str, str | None]
    nodes: dict[str, AreaNode]
    answers: dict[str, bytes] = field(default_factory=dict)

    def locate(self, lng: float, lat: float) -> bytes | None:
        """The JSON of `schemas.AreaHere` for a WGS-84 point, None where no area is."""
        area_id = self.index.locate(lng, lat)
        if area_id is None:
            return None
        answer = self.answers.get(area_id)
        if answer is None:
            answer = self.answers[area_id] = self._answer(area_id)
        return answer

    def _answer(self, area_id: str) -> bytes:
        community_id = self.communities[area_id]
        return msgspec.json.encode(
            {
                "area": self.nodes[area_id],
                "community": self.nodes[community_id] if community_id else None,
                "chain": [self.nodes[ancestor_id] for ancestor_id in self.chains[area_id]],
            }
        )


@dataclass(frozen=True, slots=True)
class _Remembered:
    tree: AreaTree
    trusted_until: float
    """On the monotonic clock."""


class AreaTrees:
    """One tree per tenant, followed as the module says. Whoever asks while it is being followed waits for the same."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: OrderedDict[UUID, _Remembered] = OrderedDict()
        self._following: dict[UUID, asyncio.Task[AreaTree]] = {}

    async def of(self, tenant_id: UUID) -> AreaTree:
        """The tenant's tree, at most a second old."""
        remembered = self._remembered.get(tenant_id)
        if remembered is not None and time.monotonic() < remembered.trusted_until:
            return remembered.tree
        following = self._following.get(tenant_id)
        if following is None:
            following = asyncio.create_task(self._follow(tenant_id, remembered), name="follow-area-tree")
            self._following[tenant_id] = following
            following.add_done_callback(lambda _: self._following.pop(tenant_id, None))
        return await asyncio.shield(following)

    async def _follow(self, tenant_id: UUID, remembered: _Remembered | None) -> AreaTree:
        asked_at = time.monotonic()
        async with self._database.hot_transaction(tenant_id) as connection:
            version = await connection.fetchval(_VERSION, tenant_id) or 0
            is_current = remembered is not None and remembered.tree.version == version
            rows = [] if is_current else await connection.fetch(_AREAS, tenant_id)
        if remembered is not None and is_current:
            kept = replace(remembered, trusted_until=asked_at + TRUSTED_SECONDS)
        else:
            kept = _Remembered(await asyncio.to_thread(build_tree, version, rows), asked_at + TRUSTED_SECONDS)
        self._remembered[tenant_id] = kept
        self._remembered.move_to_end(tenant_id)
        if len(self._remembered) > MOST_TREES:
            self._remembered.popitem(last=False)
        return kept.tree


def build_tree(version: int, rows: Sequence[Any]) -> AreaTree:
    """From the rows of `_AREAS`. Takes about a second for 10,000 boundaries: call it in a thread."""
    chains = {row["id"]: row["ancestor_ids"][::-1] for row in rows}
    located = [
        LocatedArea(row["id"], len(row["ancestor_ids"]), stored_boundary(msgspec.json.decode(row["boundary"])))
        for row in rows
        if row["boundary"] is not None
    ]
    return AreaTree(
        version=version,
        index=LocationIndex(located),
        chains=chains,
        communities={row["id"]: row["community_id"] for row in rows},
        nodes={row["id"]: AreaNode(*(row[name] for name in AreaNode.__struct_fields__)) for row in rows},
    )


_VERSION = "SELECT version FROM area_tree_versions WHERE tenant_id = $1"
_AREAS = """
SELECT a.id::text, a.code, a.name, a.level, l.name AS level_name, a.ancestor_ids::text[], a.community_id::text,
       CASE WHEN a.valid_to IS NULL OR a.valid_to > CURRENT_DATE THEN a.boundary END::text AS boundary
FROM areas a JOIN area_levels l ON l.tenant_id = a.tenant_id AND l.level = a.level
WHERE a.tenant_id = $1
"""
