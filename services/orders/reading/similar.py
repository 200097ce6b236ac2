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
from services.orders.orders.queries import BEFORE_ALL, answered, find_order
from services.orders.reading.likeness import ALIKE, Likeness, Report, likeness

MOST_SHOWN = 5
MOST_COMPARED = 30
"""Per stage and reason to look (migrations/functions/order_alike)."""
NEAR_DEGREES = 0.006
"""About the distance at which `likeness` sees nothing near any more."""
GRID_DEGREES = 0.0005
BANDS = (50, 200, 500)
"""Metres: how near others learn that it is."""
MOST_PLACED = 1_000
"""Of one's own orders, the newest: where somebody has placed any."""


async def similar_before_placing(
    database: Database,
    caller: Identity,
    *,
    kind: str | None,
    text: str,
    area_id: UUID | None,
    point: tuple[float, float] | None,
) -> bytes:
    """For what somebody is about to place. Raises PlaceNeeded without a community, NotFound for an area that is
    unknown or in a community where the caller neither lives, nor serves, nor has placed an order.

    Who oversees the community reads the words; others only learn of what neighbours may know, and of their own home's.
    """
    roles = caller.areas_as(policy.OVERSEEING_ROLES | policy.SERVING_ROLES)
    async with database.hot_transaction(caller.tenant_id) as connection:
        place = await connection.fetchrow(
            _PLACE, caller.tenant_id, area_id, caller.resident_id, caller.account_id, roles, MOST_PLACED, BEFORE_ALL
        )
    if place is None or not (place["community_id"] is None or place["is_theirs"]):
        raise NotFound if area_id else PlaceNeeded
    if place["community_id"] is None:
        raise PlaceNeeded
    asked = Report(kind, text, place["id"], point, clock.now())
    sees_all = caller.is_one_of(policy.OVERSEEING_ROLES, place["above_community"])
    candidates = await _candidates(database, caller, asked, place["community_id"], sees_all=sees_all)
    return msgspec.json.encode({"items": _best(asked, candidates, sees_all=sees_all)}, enc_hook=str)


async def similar_to_order(database: Database, caller: Identity, order_id: UUID) -> bytes:
    """At triage. Raises OrderNotFound, for who may not oversee it too.

    Who oversees a part of the community alone learns of the others in it what a neighbour may.
    """
    async with database.hot_transaction(caller.tenant_id) as connection:
        order = await find_order(connection, caller, order_id=order_id)
        _check_oversees(order.facts)
        row = await connection.fetchrow(_ORDER, caller.tenant_id, order_id)
    point = None if row["lng"] is None else (row["lng"], row["lat"])
    asked = Report(row["kind"], row["description"], row["area_id"], point, row["placed_at"])
    sees_all = caller.is_one_of(policy.OVERSEEING_ROLES, row["above_community"])
    candidates = await _candidates(
        database, caller, asked, row["community_id"], sees_all=sees_all, except_number=row["number"]
    )
    return msgspec.json.encode({"items": _best(asked, candidates, sees_all=sees_all)}, enc_hook=str)


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


def _best(asked: Report, candidates: list[dict[str, Any]], *, sees_all: bool) -> list[dict[str, Any]]:
    scored = [(likeness(asked, _report(candidate, is_exact=sees_all)), candidate) for candidate in candidates]
    alike = sorted((one for one in scored if one[0].score >= ALIKE), key=lambda one: -one[0].score)
    return [_shown(score, candidate, sees_all=sees_all) for score, candidate in alike[:MOST_SHOWN]]


def _report(candidate: dict[str, Any], *, is_exact: bool) -> Report:
    point = None if candidate["lng"] is None else (candidate["lng"], candidate["lat"])
    if point and not is_exact:
        point = roughly(point)
    at = datetime.fromisoformat(candidate["placed_at"])
    return Report(candidate["kind"], candidate["text"], UUID(candidate["area_id"]), point, at)


def roughly(point: tuple[float, float]) -> tuple[float, float]:
    """The crossing of a grid of about 50 m: asking from many places finds no more than that."""
    lng, lat = (round(degrees / GRID_DEGREES) * GRID_DEGREES for degrees in point)
    return lng, lat


def _shown(score: Likeness, candidate: dict[str, Any], *, sees_all: bool) -> dict[str, Any]:
    """Numbers that words go into are not for others: with enough questions they would tell the words."""
    hidden = {"text", "lng", "lat"}
    shown = {name: value for name, value in candidate.items() if name not in hidden}
    metres = score.metres
    shown["within_metres"] = None if metres is None else next((band for band in BANDS if metres <= band), None)
    shown["details"] = None
    if sees_all:
        shown["details"] = {
            "description": candidate["text"],
            "metres": None if metres is None else round(metres),
            "score": round(score.score, 3),
            "parts": {name: round(getattr(score, name), 3) for name in ("text", "place", "time", "kind")},
        }
    return shown


_PLACE = """
SELECT a.id, a.community_id, c.ancestor_ids AS above_community,
    EXISTS (
        SELECT FROM areas s
        WHERE s.tenant_id = $1 AND s.id = ANY ($5) AND (s.id = ANY (a.ancestor_ids) OR s.community_id = a.community_id)
    ) OR EXISTS (
        SELECT FROM household_members m
        JOIN households h ON h.tenant_id = m.tenant_id AND h.id = m.household_id
        JOIN areas lived ON lived.tenant_id = h.tenant_id AND lived.id = h.area_id
        WHERE m.tenant_id = $1 AND m.resident_id = $3 AND lived.community_id = a.community_id
    ) OR EXISTS (
        SELECT FROM (
            SELECT o.community_id FROM orders o
            WHERE o.tenant_id = $1 AND (o.placed_by, o.number) > ($4, 0) AND (o.placed_by, o.number) < ($4, $7)
            ORDER BY o.placed_by DESC, o.number DESC LIMIT $6
        ) placed
        WHERE placed.community_id = a.community_id
    ) AS is_theirs
FROM areas a LEFT JOIN areas c ON c.tenant_id = a.tenant_id AND c.id = a.community_id
WHERE a.tenant_id = $1 AND a.valid_to IS NULL AND a.id = COALESCE($2, (
    SELECT h.area_id FROM household_members m
    JOIN households h ON h.tenant_id = m.tenant_id AND h.id = m.household_id
    WHERE m.tenant_id = $1 AND m.resident_id = $3
    ORDER BY m.lives_here DESC, m.is_registered_here DESC, h.id LIMIT 1
))
"""
_ORDER = """
SELECT o.number, o.kind, o.description, o.area_id, o.community_id, o.lng, o.lat, o.placed_at,
    c.ancestor_ids AS above_community
FROM orders o JOIN areas c ON c.tenant_id = o.tenant_id AND c.id = o.community_id
WHERE o.tenant_id = $1 AND o.id = $2
"""
