"""Reading dispatch policies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from models.matching import MatchingMode
from services.chassis.errors import Problem
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.matching.policies.schemas import DispatchPolicyRead
from services.orders.matching.scoring import REACH_METRES, WEIGHTS, Scale

UNDECIDED = DispatchPolicyRead(
    version=0, order_kind=None, mode=MatchingMode.SUGGEST, weights=dict(WEIGHTS), reach_metres=REACH_METRES,
    limits=None, note="默认规则", active_from=None, recorded_by=None, recorded_at=None,
)  # fmt: skip
"""What counts where a district has decided nothing: people dispatch, with suggestions."""


class DispatchPolicyNotFound(Problem):
    status = 404
    code = "dispatch_policy_not_found"
    zh = "未找到该派单规则。"
    en = "There is no such dispatch policy."


@dataclass(frozen=True)
class PolicyBook:
    """What counts at one moment, by kind; None stands for every kind without a policy of its own."""

    by_kind: Mapping[str | None, DispatchPolicyRead]

    def of(self, kind: str) -> DispatchPolicyRead:
        return self.by_kind.get(kind) or self.by_kind.get(None) or UNDECIDED

    def scale_of(self, kind: str) -> Scale:
        policy = self.of(kind)
        return Scale(policy.weights, policy.reach_metres)


async def load_book(connection: Any, tenant_id: UUID, moment: datetime) -> PolicyBook:
    """One statement."""
    rows = await connection.fetch(_BOOK, tenant_id, moment)
    return PolicyBook({row["order_kind"]: _policy(row) for row in rows})


async def policy_version(connection: Any, tenant_id: UUID, version: int) -> DispatchPolicyRead:
    """Raises DispatchPolicyNotFound."""
    row = await connection.fetchrow(f"{_COLUMNS} WHERE tenant_id = $1 AND version = $2", tenant_id, version)
    if row is None:
        raise DispatchPolicyNotFound
    return _policy(row)


async def versions_page(
    connection: Any, tenant_id: UUID, *, cursor: str | None, limit: int
) -> Page[DispatchPolicyRead]:
    """Every version there ever was, newest first."""
    before = 2**62 if cursor is None else decode_cursor(cursor, tuple[int])[0]
    rows = await connection.fetch(
        f"{_COLUMNS} WHERE tenant_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3",
        tenant_id,
        before,
        limit + 1,
    )
    return Page[DispatchPolicyRead](
        items=[_policy(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1]["version"]) if len(rows) > limit else None,
    )


def _policy(row: Any) -> DispatchPolicyRead:
    limits = None if row["limits"] is None else msgspec.json.decode(row["limits"])
    return DispatchPolicyRead.model_validate({**row, "weights": msgspec.json.decode(row["weights"]), "limits": limits})


_NAMES = """version, order_kind, mode, weights::text AS weights, reach_metres, limits::text AS limits, note,
    active_from, recorded_by, recorded_at"""
_COLUMNS = f"SELECT {_NAMES} FROM dispatch_policies"  # noqa: S608 (of this file)
_BOOK = f"""
SELECT DISTINCT ON (order_kind) {_NAMES} FROM dispatch_policies WHERE tenant_id = $1 AND active_from <= $2
ORDER BY order_kind, active_from DESC, version DESC
"""  # noqa: S608 (of this file)
