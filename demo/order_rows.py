"""The past orders of the demo district as rows, with the life they lead and what was told of them."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from demo.histories import PastOrder
from demo.ids import FOUNDED_AT, fixed_id
from demo.offers import form_rows, kind_rows, order_columns, policy_rows
from demo.past_points import delivered_at, times_of_service
from demo.places import Places
from demo.rows import Row, Tables, owned
from demo.standing import Step
from models.orders import OrderAction
from services.events import OrderRated
from services.orders.lifecycles.standard import STANDARD

FIRST_ORDER_NUMBER = 10_000_000
LIFECYCLE_VERSION = 1


def order_rows(places: Places, orders: list[PastOrder]) -> Tables:
    """`orders` are numbered as they come."""
    numbers = {order.id: number for number, order in enumerate(orders, start=FIRST_ORDER_NUMBER)}
    rewarded = [(order, rating) for order in orders if (rating := order.rewarding) is not None]
    return {
        "order_lifecycles": owned(iter([_lifecycle_row()])),
        "order_kinds": owned(kind_rows()),
        "order_kind_forms": owned(form_rows()),
        "clock_policies": owned(policy_rows()),
        "orders": owned(_order_row(places, numbers[order.id], order) for order in orders),
        "order_history": owned(row for order in orders for row in _history_rows(order, numbers)),
        "order_helpers": owned(row for order in orders for row in _helper_rows(order)),
        "order_units": owned(row for order in orders for row in _unit_rows(order)),
        "outbox_events": owned(_event_row(places, numbers[order.id], order, rating) for order, rating in rewarded),
        "outbox_deliveries": owned(row for order, rating in rewarded for row in _delivery_rows(order, rating)),
    }


def _lifecycle_row() -> Row:
    return {
        "version": LIFECYCLE_VERSION,
        "order_kind": None,
        "definition": STANDARD.model_dump(mode="json"),
        "compiled": STANDARD.compiled(),
        "note": "标准流程",
        "recorded_by": None,
        "recorded_at": FOUNDED_AT,
    }


def _order_row(places: Places, number: int, order: PastOrder) -> Row:
    lng, lat = order.point or (None, None)
    return {
        "id": order.id,
        "number": number,
        "kind": order.kind.id,
        "lifecycle_version": LIFECYCLE_VERSION,
        "version": len(order.steps),
        "area_id": order.home.building.id,
        "community_id": places.community.id,
        "household_id": order.home.id,
        "resident_id": order.resident.id,
        "placed_by": order.placed_by,
        "description": order.description,
        "contact_name": order.resident.name,
        "contact_phone": order.resident.phone,
        "address": f"{places.community.name}{order.home.address}",
        "wanted_from": order.wanted_from,
        "wanted_until": order.wanted_until,
        "lng": lng,
        "lat": lat,
        "placed_at": order.placed_at,
        **order_columns(order),
        **standing_columns(order),
    }


def standing_columns(order: PastOrder) -> Row:
    """What its steps have made of an order."""
    now = order.standing
    return {
        "state": now.state,
        "stage": now.stage,
        "assignee_id": now.assignee_id,
        "unit_id": now.unit_id,
        "is_in_pool": now.is_in_pool,
        "helpers_wanted": now.helpers_wanted,
        "priority": now.priority,
        "visibility": now.visibility,
        "hops": now.hops,
        "redos": now.redos,
        "is_escalated": now.is_escalated,
        "timer_at": now.timer_at,
        "timer_action": now.timer_action,
        "resumes_to": now.resumes_to,
        "merged_into": order.main.id if order.main is not None and now.is_merged else None,
        "triaged_at": now.triaged_at,
        "dispatched_at": now.dispatched_at,
        "accepted_at": now.accepted_at,
        "started_at": now.started_at,
        "completed_at": now.completed_at,
        "verified_at": now.verified_at,
        "rated_at": now.rated_at,
        "closed_at": now.closed_at,
        "rewarded_at": now.rewarded_at,
        "cancelled_at": now.cancelled_at,
        "completion_note": now.completion_note,
        "stars": now.stars,
        "solved": now.solved,
        "rating_comment": now.rating_comment,
    }


def spoken(number: int) -> str:
    """An order's number as people read it out, with its check digits."""
    return f"{number}{98 - number * 100 % 97:02}"


def _history_rows(order: PastOrder, numbers: Mapping[UUID, int]) -> Iterator[Row]:
    from_state = None
    for sequence, (step, to_state) in enumerate(zip(order.steps, order.states, strict=True), start=1):
        yield {
            "order_id": order.id,
            "sequence": sequence,
            "action": step.action,
            "from_state": from_state,
            "to_state": to_state,
            "actor_id": step.actor_id,
            "at": step.at,
            "note": _note(order, step, numbers),
            "details": {**step.details, **order.standing.noted.get(step.at, {})},
        }
        from_state = to_state


def _note(order: PastOrder, step: Step, numbers: Mapping[UUID, int]) -> str | None:
    if step.action is OrderAction.FOLLOW and order.main is not None:
        return f"主单 {spoken(numbers[order.main.id])}"
    return step.note


def _helper_rows(order: PastOrder) -> Iterator[Row]:
    for helper in order.helpers:
        yield {
            "order_id": order.id,
            "account_id": helper.account_id,
            "task": helper.task,
            "joined_at": helper.joined_at,
            "minutes": helper.minutes,
        }


def _unit_rows(order: PastOrder) -> Iterator[Row]:
    for step in order.taken(OrderAction.DISPATCH):
        for unit_id in step.details.get("assisting_unit_ids", []):
            yield {"order_id": order.id, "unit_id": UUID(unit_id), "added_at": step.at}


def _event_row(places: Places, number: int, order: PastOrder, rating: Step) -> Row:
    assert order.assignee_id is not None
    times = times_of_service(order)
    event = OrderRated(
        order_id=order.id,
        number=number,
        order_kind=order.kind.id,
        order_kind_name=order.kind.name,
        community_id=places.community.id,
        assignee_id=order.assignee_id,
        stars=rating.details["stars"],
        solved=rating.details["solved"],
        rated_at=rating.at,
        began_at=times.began_at,
        ended_at=times.ended_at,
        minutes=times.minutes,
    )
    return {
        "id": fixed_id("event", order.key, rating.at),
        "kind": event.kind,
        "payload": event.model_dump(mode="json"),
        "occurred_at": rating.at,
    }


def _delivery_rows(order: PastOrder, rating: Step) -> Iterator[Row]:
    for listener in OrderRated.listeners:
        yield {
            "event_id": fixed_id("event", order.key, rating.at),
            "listener": listener,
            "due_at": rating.at,
            "attempts": 1,
            "delivered_at": delivered_at(rating.at),
        }
