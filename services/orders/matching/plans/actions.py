"""Making plans, changing them, and confirming one as a whole. The route commits.

Who acts on a plan holds its row. Confirming takes the helpers' locks, then the orders' rows, each in the order of their
ids: automatic dispatch (dispatching.py) goes the same way, so nobody waits in a circle.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from models.matching import PlanState
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.orders.matching.candidates import WaitingOrder, load_candidates, load_waiting
from services.orders.matching.dispatching import dispatch_by, lock_helpers
from services.orders.matching.plans import queries
from services.orders.matching.plans.planning import Planned, left_over, reckon
from services.orders.matching.plans.schemas import PlanChange, PlanDraft, PlanItemRead, PlanLeftOver, PlanRead
from services.orders.matching.policy import DISPATCHING_ROLES, check_area
from services.orders.matching.scoring import UNFIT_TEXTS, Candidate, Unfit, unfitness
from services.orders.orders.actions import step_command

LIFE = timedelta(days=1)
"""After it nobody relies on a plan any more."""


async def make_plan(connection: Any, caller: Identity, body: PlanDraft) -> PlanRead:
    """Reckons seconds at most. Raises Forbidden, NotFound for a foreign area, OrdersNotWaiting."""
    if not caller.areas_as(DISPATCHING_ROLES):
        raise Forbidden
    await check_area(connection, caller, DISPATCHING_ROLES, body.area_id)
    now = clock.now()
    planned = await reckon(connection, caller.tenant_id, body, now)
    plan_id = new_id()
    await connection.execute(
        _MAKE,
        caller.tenant_id, plan_id, body.area_id, body.model_dump_json(), _left_over_json(planned.left_over),
        planned.helpers, caller.account_id, now, now + LIFE,
    )  # fmt: skip
    await _store_items(connection, caller, plan_id, planned)
    return await queries.plan(connection, caller, plan_id)


async def reckon_again(connection: Any, caller: Identity, plan_id: UUID) -> PlanRead:
    """As if it were made now; what was changed by hand is gone.

    Raises PlanNotFound, PlanDecided, OrdersNotWaiting.
    """
    known = await _draft(connection, caller, plan_id, may_be_old=True)
    now = clock.now()
    waiting_ids = known.asked.order_ids and await _still_waiting(connection, caller, known)
    asked = known.asked.model_copy(update={"order_ids": waiting_ids or None})
    planned = Planned([], [], 0) if waiting_ids == [] else await reckon(connection, caller.tenant_id, asked, now)
    await connection.execute(_FORGET_ITEMS, caller.tenant_id, plan_id)
    await connection.execute(
        _RENEW, caller.tenant_id, plan_id, _left_over_json(planned.left_over), planned.helpers, now + LIFE
    )
    await _store_items(connection, caller, plan_id, planned)
    return await queries.plan(connection, caller, plan_id)


async def change_plan(connection: Any, caller: Identity, plan_id: UUID, body: PlanChange) -> PlanRead:
    """Items may be dropped, and others put in the place of those proposed.

    Raises PlanNotFound, PlanDecided, PlanExpired, NotInPlan, PersonCannotServe.
    """
    known = await _draft(connection, caller, plan_id)
    before = {item.order_id: item for item in known.items}
    chosen = {item.order_id: item.helper_id for item in body.items}
    if not chosen.keys() <= {*before, *(one.order_id for one in known.left_over)}:
        raise NotInPlan
    now = clock.now()
    orders = {
        order.id: order
        for order in await load_waiting(
            connection, caller.tenant_id, [*before, *(one.order_id for one in known.left_over)], now
        )
    }
    by_hand = {order_id: helper for order_id, helper in chosen.items() if not _is_proposed(before, order_id, helper)}
    await _check_serve(connection, caller, orders, by_hand)
    dropped = [order_id for order_id in before if order_id not in chosen]
    left = [one for one in known.left_over if one.order_id not in chosen]
    left += [left_over(orders[order_id], "已从方案中移除") for order_id in dropped]
    await connection.execute(_DROP_ITEMS, caller.tenant_id, plan_id, [*dropped, *by_hand])
    await connection.execute(
        _PUT_ITEMS, caller.tenant_id, plan_id, list(by_hand), list(by_hand.values()),
        [orders[order_id].version for order_id in by_hand],
    )  # fmt: skip
    await connection.execute(_LEAVE, caller.tenant_id, plan_id, _left_over_json(left))
    return await queries.plan(connection, caller, plan_id)


async def confirm_plan(connection: Any, caller: Identity, plan_id: UUID) -> PlanRead:
    """Every item is dispatched, or none. Raises PlanNotFound, PlanDecided, PlanExpired, PlanEmpty, PlanOutdated."""
    known = await _draft(connection, caller, plan_id)
    if not known.items:
        raise PlanEmpty
    await lock_helpers(connection, caller.tenant_id, [item.helper_id for item in known.items])
    await connection.execute(_LOCK_ORDERS, caller.tenant_id, [item.order_id for item in known.items])
    outdated = await _outdated(connection, caller.tenant_id, known.items)
    if outdated:
        raise PlanOutdated(orders=outdated)
    refused = await _dispatch(connection, caller, known)
    if refused:
        raise PlanOutdated(orders=refused)
    await _decide(connection, caller, plan_id, PlanState.CONFIRMED)
    return await queries.plan(connection, caller, plan_id)


async def discard_plan(connection: Any, caller: Identity, plan_id: UUID) -> PlanRead:
    """Raises PlanNotFound, PlanDecided."""
    await _draft(connection, caller, plan_id, may_be_old=True)
    await _decide(connection, caller, plan_id, PlanState.DISCARDED)
    return await queries.plan(connection, caller, plan_id)


async def _draft(connection: Any, caller: Identity, plan_id: UUID, *, may_be_old: bool = False) -> PlanRead:
    """The plan with its row held, if it can still be worked on."""
    await connection.execute(_LOCK_PLAN, caller.tenant_id, plan_id)
    known = await queries.plan(connection, caller, plan_id)
    if known.state != PlanState.DRAFT:
        raise PlanDecided
    if known.expires_at <= clock.now() and not may_be_old:
        raise PlanExpired
    return known


async def _still_waiting(connection: Any, caller: Identity, known: PlanRead) -> list[UUID]:
    stages = ["dispatch", "receive"] if known.asked.includes_received else ["dispatch"]
    rows = await connection.fetch(_STILL_WAITING, caller.tenant_id, known.asked.order_ids, stages)
    return [row["id"] for row in rows]


def _is_proposed(before: dict[UUID, PlanItemRead], order_id: UUID, helper_id: UUID) -> bool:
    return order_id in before and before[order_id].helper_id == helper_id


async def _check_serve(
    connection: Any, caller: Identity, orders: dict[UUID, WaitingOrder], by_hand: dict[UUID, UUID]
) -> None:
    """A dispatcher may know better than the matching, but nobody is sent where they may not go."""
    if not by_hand:
        return
    known = {
        helper.account_id: helper
        for helper in await load_candidates(
            connection, caller.tenant_id, [orders[order_id] for order_id in by_hand], clock.now(),
            account_ids=list(by_hand.values()),
        )
    }  # fmt: skip
    for order_id, helper_id in by_hand.items():
        helper = known.get(helper_id)
        unfit = Unfit.NOT_SERVING if helper is None else unfitness(orders[order_id].need, helper)
        if unfit in {Unfit.NOT_SERVING, Unfit.OWN_NEED}:
            raise PersonCannotServe(order_id=order_id, helper_id=helper_id)


async def _outdated(connection: Any, tenant_id: UUID, items: Sequence[PlanItemRead]) -> list[dict[str, Any]]:
    """What has changed since it was planned: the order itself, or whether who was proposed still fits it."""
    now = clock.now()
    orders = {order.id: order for order in await load_waiting(connection, tenant_id, [i.order_id for i in items], now)}
    helpers = {
        helper.account_id: helper
        for helper in await load_candidates(
            connection, tenant_id, list(orders.values()), now, account_ids=[item.helper_id for item in items]
        )
    }
    given = Counter(item.helper_id for item in items if not item.is_chosen_by_hand)
    found = []
    for item in items:
        why = _why_outdated(item, orders[item.order_id], helpers.get(item.helper_id), given[item.helper_id])
        if why is not None:
            found.append(_row(item, *why))
    return found


def _why_outdated(
    item: PlanItemRead, order: WaitingOrder, helper: Candidate | None, given: int
) -> tuple[str, str] | None:
    if order.version != item.order_version:
        return "order_changed", "订单已变更"
    if helper is None:
        return Unfit.NOT_SERVING, UNFIT_TEXTS[Unfit.NOT_SERVING]
    if item.is_chosen_by_hand:
        return None
    unfit = unfitness(order.need, helper) or (Unfit.FULL if given > helper.free_places else None)
    return None if unfit is None else (unfit, UNFIT_TEXTS[unfit])


async def _dispatch(connection: Any, caller: Identity, known: PlanRead) -> list[dict[str, Any]]:
    """All in one statement, in the order of their ids; what was refused, if anything was."""
    items = sorted(known.items, key=lambda item: item.order_id)
    commands = [
        step_command(
            caller, item.order_id, "dispatch",
            expected_version=item.order_version, assignee_id=item.helper_id, assisting_unit_ids=(),
            mode="manual" if item.is_chosen_by_hand else "suggested", why=_why(item, known.id),
        )
        for item in items
    ]  # fmt: skip
    answers = await dispatch_by(connection, caller.tenant_id, commands)
    return [
        _row(item, msgspec.json.decode(answer["body"])["code"], "派单被拒绝")
        for item, answer in zip(items, answers, strict=True)
        if answer["status"] != 200
    ]


def _why(item: PlanItemRead, plan_id: UUID) -> dict[str, Any]:
    if item.is_chosen_by_hand:
        return {"plan_id": plan_id}
    reasons = [reason.model_dump(mode="json") for reason in item.reasons]
    return {
        "plan_id": plan_id, "score": item.score, "distance_metres": item.distance_metres, "reasons": reasons
    }  # fmt: skip


def _row(item: PlanItemRead, reason: str, text: str) -> dict[str, Any]:
    return {
        "order_id": item.order_id, "number": item.number, "helper_id": item.helper_id, "reason": reason, "text": text
    }  # fmt: skip


async def _decide(connection: Any, caller: Identity, plan_id: UUID, state: PlanState) -> None:
    await connection.execute(_DECIDE, caller.tenant_id, plan_id, state, caller.account_id, clock.now())


async def _store_items(connection: Any, caller: Identity, plan_id: UUID, planned: Planned) -> None:
    rows = [
        {
            "order_id": item.order.id, "order_version": item.order.version, "helper_id": item.helper_id,
            "points": item.points, "why": item.why,
        }
        for item in planned.items
    ]  # fmt: skip
    await connection.execute(_STORE_ITEMS, caller.tenant_id, plan_id, _json(rows))


def _left_over_json(left: Sequence[PlanLeftOver]) -> str:
    return _json([one.model_dump(mode="json") for one in left])


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


_MAKE = """
INSERT INTO dispatch_plans (
    tenant_id, id, area_id, state, asked, left_over, helpers, made_by, made_at, expires_at
) VALUES ($1, $2, $3, 'draft', $4, $5, $6, $7, $8, $9)
"""
_RENEW = "UPDATE dispatch_plans SET left_over = $3, helpers = $4, expires_at = $5 WHERE tenant_id = $1 AND id = $2"
_LEAVE = "UPDATE dispatch_plans SET left_over = $3 WHERE tenant_id = $1 AND id = $2"
_DECIDE = """
UPDATE dispatch_plans SET state = $3, decided_by = $4, decided_at = $5 WHERE tenant_id = $1 AND id = $2
"""
_LOCK_PLAN = "SELECT FROM dispatch_plans WHERE tenant_id = $1 AND id = $2 FOR UPDATE"
_LOCK_ORDERS = "SELECT FROM orders WHERE tenant_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE"
_STILL_WAITING = "SELECT id FROM orders WHERE tenant_id = $1 AND id = ANY ($2) AND stage = ANY ($3)"
_FORGET_ITEMS = "DELETE FROM dispatch_plan_items WHERE tenant_id = $1 AND plan_id = $2"
_DROP_ITEMS = "DELETE FROM dispatch_plan_items WHERE tenant_id = $1 AND plan_id = $2 AND order_id = ANY ($3)"
_STORE_ITEMS = """
INSERT INTO dispatch_plan_items (tenant_id, plan_id, order_id, order_version, helper_id, points, why)
SELECT $1, $2, x.order_id, x.order_version, x.helper_id, x.points, x.why
FROM jsonb_to_recordset($3) AS x (order_id uuid, order_version bigint, helper_id uuid, points bigint, why jsonb)
"""
_PUT_ITEMS = """
INSERT INTO dispatch_plan_items (
    tenant_id, plan_id, order_id, order_version, helper_id, is_chosen_by_hand, points, why
)
SELECT $1, $2, x.order_id, x.order_version, x.helper_id, true, 0,
    '{"score": null, "distance_metres": null, "reasons": []}'
FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) AS x (order_id, helper_id, order_version)
"""


class PlanDecided(Problem):
    status = 409
    code = "plan_decided"
    zh = "该派单方案已确认或已作废。"
    en = "The plan was confirmed or discarded already."


class PlanExpired(Problem):
    status = 409
    code = "plan_expired"
    zh = "该派单方案已过期，请重新计算。"
    en = "The plan is too old; have it reckoned again."


class PlanEmpty(Problem):
    status = 409
    code = "plan_empty"
    zh = "该派单方案中没有订单。"
    en = "There is nothing in the plan."


class PlanOutdated(Problem):
    """Nothing was dispatched. `orders` lists which items do not hold any more, and why."""

    status = 409
    code = "plan_outdated"
    zh = "订单或人员情况已变化，本方案未派出任何订单，请重新计算。"
    en = "Orders or helpers have changed: nothing was dispatched. Have the plan reckoned again."


class NotInPlan(Problem):
    status = 422
    code = "not_in_plan"
    zh = "所选订单不在本方案中。"
    en = "An order is not part of the plan."


class PersonCannotServe(Problem):
    status = 422
    code = "person_cannot_serve"
    zh = "所选人员不能承接该订单：为本人需求，或届时不在该区域服务。"
    en = "The person cannot take this order: it is their own, or they do not serve its place then."
