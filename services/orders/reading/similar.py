"""Open orders that may tell of the same thing: asked before placing, and at triage."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from models.orders import OPEN_STAGES
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.identity import Identity
from services.orders.orders import policy
from services.orders.orders.actions import OrderNotFound, PlaceNeeded
from services.orders.orders.policy import OrderFacts
from services.orders.orders.queries import answered, find_order
from services.orders.reading.likeness import ALIKE, Likeness, Report, likeness

MOST_SHOWN = 5
MOST_COMPARED = 30
"""Per stage and reason to look (migrations/functions/order_alike)."""
NEAR_DEGREES = 0.006
"""About the distance at which `likeness` sees nothing near any more."""


async def similar_before_placing(
    database: Database,
    caller: Identity,
    *,
    kind: str | None,
    text: str,
    area_id: UUID | None,
    point: tuple[float, float] | None,
) -> bytes:
    """For what somebody is about to place. Raises NotFound for an unknown area, PlaceNeeded without a community.

    Who oversees the community reads the words; others only learn of what neighbours may know, and of their own home's.
    """
    async with database.hot_transaction(caller.tenant_id) as connection:
        place = await connection.fetchrow(_PLACE, caller.tenant_id, area_id, caller.resident_id)
    if place is None:
        raise NotFound if area_id else PlaceNeeded
    if place["community_id"] is None:
        raise PlaceNeeded
    asked = Report(kind, text, place["id"], point, clock.now())
    sees_all = caller.is_one_of(policy.OVERSEEING_ROLES, place["ancestor_ids"])
    candidates = await _candidates(database, caller, asked, place["community_id"], sees_all=sees_all)
    return msgspec.json.encode({"items": _best(asked, candidates, shows_words=sees_all)}, enc_hook=str)


async def similar_to_order(database: Database, caller: Identity, order_id: UUID) -> bytes:
    """Dispatchers, at triage. Raises OrderNotFound, for who may not oversee it too."""
    async with database.hot_transaction(caller.tenant_id) as connection:
        order = await find_order(connection, caller, order_id=order_id)
        _check_oversees(order.facts)
        row = await connection.fetchrow(_ORDER, caller.tenant_id, order_id)
    point = None if row["lng"] is None else (row["lng"], row["lat"])
    asked = Report(row["kind"], row["description"], row["area_id"], point, row["placed_at"])
    candidates = await _candidates(
        database, caller, asked, row["community_id"], sees_all=True, except_number=row["number"]
    )
    return msgspec.json.encode({"items": _best(asked, candidates, shows_words=True)}, enc_hook=str)


def _check_oversees(facts: OrderFacts) -> None:
    if not facts.knows(policy.Fact.IS_OVERSEER):
        raise OrderNotFound


async def _candidates(
    database: Database,
    caller: Identity,
    asked: Report,
    community_id: UUID,
    *,
    sees_all: bool,
    except_number: int | None = None,
) -> list[dict[str, Any]]:
    lng, lat = asked.point or (None, None)
    query = {
        "community": community_id,
        "kind": asked.kind,
        "lng": lng,
        "lat": lat,
        "near_degrees": NEAR_DEGREES,
        "except_number": except_number,
        "sees_all": sees_all,
        "resident": None if sees_all else caller.resident_id,
        "stages": OPEN_STAGES,
        "most": MOST_COMPARED,
    }
    candidates: list[dict[str, Any]] = msgspec.json.decode(await answered(database, caller, "order_alike", query))
    return candidates


def _best(asked: Report, candidates: list[dict[str, Any]], *, shows_words: bool) -> list[dict[str, Any]]:
    scored = [(likeness(asked, _report(candidate)), candidate) for candidate in candidates]
    alike = sorted((one for one in scored if one[0].score >= ALIKE), key=lambda one: -one[0].score)
    return [_shown(score, candidate, shows_words=shows_words) for score, candidate in alike[:MOST_SHOWN]]


def _report(candidate: dict[str, Any]) -> Report:
    point = None if candidate["lng"] is None else (candidate["lng"], candidate["lat"])
    at = datetime.fromisoformat(candidate["placed_at"])
    return Report(candidate["kind"], candidate["text"], UUID(candidate["area_id"]), point, at)


def _shown(score: Likeness, candidate: dict[str, Any], *, shows_words: bool) -> dict[str, Any]:
    hidden = {"text", "lng", "lat"}
    return {
        **{name: value for name, value in candidate.items() if name not in hidden},
        "description": candidate["text"] if shows_words else None,
        "metres": None if score.metres is None else round(score.metres),
        "score": round(score.score, 3),
        "parts": {name: round(getattr(score, name), 3) for name in ("text", "place", "time", "kind")},
    }


_PLACE = """
SELECT a.id, a.community_id, a.ancestor_ids FROM areas a
WHERE a.tenant_id = $1 AND a.valid_to IS NULL AND a.id = COALESCE($2, (
    SELECT h.area_id FROM household_members m
    JOIN households h ON h.tenant_id = m.tenant_id AND h.id = m.household_id
    WHERE m.tenant_id = $1 AND m.resident_id = $3
    ORDER BY m.lives_here DESC, m.is_registered_here DESC, h.id LIMIT 1
))
"""
_ORDER = """
SELECT number, kind, description, area_id, community_id, lng, lat, placed_at FROM orders
WHERE tenant_id = $1 AND id = $2
"""
