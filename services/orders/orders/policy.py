"""Who is who to an order. One line each; `order_advance` and `order_list` in SQL evaluate the same facts by name."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from models.identity import Role
from models.orders import OrderState
from services.chassis.identity import Identity

DISPATCHING_ROLES = frozenset({Role.DISPATCHER, Role.COMMUNITY_ADMIN, Role.DISTRICT_ADMIN})
"""Dispatch the orders of their area."""
OVERSEEING_ROLES = DISPATCHING_ROLES | {Role.GRID_WORKER}
"""Read the orders of their area, and place orders for the residents of it."""
SERVING_ROLES = frozenset({Role.MEMBER, Role.VOLUNTEER, Role.GRID_WORKER, Role.PROPERTY_COMPANY})
"""Take orders of their area from the open pool, and can be given one."""


FINAL_STATES = frozenset({OrderState.RATED, OrderState.CANCELLED})


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What deciding about an order needs to know of it."""

    state: OrderState
    resident_id: UUID
    placed_by: UUID
    assignee_id: UUID | None
    ancestor_ids: Collection[UUID]
    """Of the order's area, down to that area itself."""
    placer_is_family: bool
    """Who placed it shares a household with the resident."""
    resident_has_account: bool


def is_requester(caller: Identity, order: OrderFacts) -> bool:
    return order.resident_id == caller.resident_id


def is_family_placer(caller: Identity, order: OrderFacts) -> bool:
    return order.placed_by == caller.account_id and order.placer_is_family


def is_proxy(caller: Identity, order: OrderFacts) -> bool:
    return order.placed_by == caller.account_id and is_overseer(caller, order)


def stands_in(caller: Identity, order: OrderFacts) -> bool:
    """The worker who placed it speaks for a resident who cannot speak here himself."""
    return is_proxy(caller, order) and not order.resident_has_account


def is_assignee(caller: Identity, order: OrderFacts) -> bool:
    return order.assignee_id == caller.account_id


def is_helper(caller: Identity, order: OrderFacts) -> bool:
    """The assignee, while the term in office lasts."""
    return is_assignee(caller, order) and is_server(caller, order)


def is_dispatcher(caller: Identity, order: OrderFacts) -> bool:
    return caller.is_one_of(DISPATCHING_ROLES, order.ancestor_ids)


def is_overseer(caller: Identity, order: OrderFacts) -> bool:
    return caller.is_one_of(OVERSEEING_ROLES, order.ancestor_ids)


def is_server(caller: Identity, order: OrderFacts) -> bool:
    return caller.is_one_of(SERVING_ROLES, order.ancestor_ids)


def is_in_pool(order: OrderFacts) -> bool:
    return order.state == OrderState.DISPATCHED and order.assignee_id is None


def is_at_work(caller: Identity, order: OrderFacts) -> bool:
    return is_helper(caller, order) and order.state not in FINAL_STATES


def sees_details(caller: Identity, order: OrderFacts) -> bool:
    """Name, phone, address and words: for who asked, who answers for the area, and who does it while it is done."""
    return any(fact(caller, order) for fact in (is_requester, is_family_placer, is_overseer, is_at_work))


def sees(caller: Identity, order: OrderFacts) -> bool:
    """Helpers also see that an order waits in their pool, and what they have done, but not whose it is."""
    return sees_details(caller, order) or is_assignee(caller, order) or (is_in_pool(order) and is_server(caller, order))


Predicate = Callable[[Identity, OrderFacts], bool]
