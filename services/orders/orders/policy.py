"""Who is who to an order, by name. `order_facts` (SQL) is the one place that tells which of these hold for somebody;
`order_step` lets them act by the order's lifecycle, `sees` and `sees_details` let them read.
"""

from dataclasses import dataclass
from enum import StrEnum

from models.identity import Role
from models.orders import OrderStage

DISPATCHING_ROLES = frozenset({Role.DISPATCHER, Role.COMMUNITY_ADMIN, Role.DISTRICT_ADMIN})
"""Dispatch the orders of their area."""
SENIOR_ROLES = frozenset({Role.COMMUNITY_ADMIN, Role.DISTRICT_ADMIN})
"""Decide where an order has come back too often."""
OVERSEEING_ROLES = DISPATCHING_ROLES | {Role.GRID_WORKER}
"""Read the orders of their area, and place orders for the residents of it."""
SERVING_ROLES = frozenset({Role.MEMBER, Role.VOLUNTEER, Role.GRID_WORKER, Role.PROPERTY_COMPANY})
"""Take orders of their area from the open pool, and can be given one."""


class Fact(StrEnum):
    """What a lifecycle may name as `who`."""

    IS_REQUESTER = "is_requester"
    """Whose need it is."""
    IS_FAMILY_PLACER = "is_family_placer"
    """Placed it for somebody of their own household."""
    IS_PROXY = "is_proxy"
    """The worker of the area who placed it for a resident."""
    STANDS_IN = "stands_in"
    """Such a worker, for a resident who has no account and cannot speak here himself."""
    IS_ASSIGNEE = "is_assignee"
    """To whom it was given, or who took it: the lead."""
    IS_HELPER = "is_helper"
    """The assignee, while the term in office lasts."""
    IS_ASSISTING = "is_assisting"
    """Joined the assignee, and has not left."""
    IS_UNIT_MEMBER = "is_unit_member"
    """Belongs to the unit that has it."""
    IS_UNIT_LEADER = "is_unit_leader"
    IS_ASSISTING_UNIT_MEMBER = "is_assisting_unit_member"
    """Belongs to a unit that assists the one that has it."""
    IS_DISPATCHER = "is_dispatcher"
    """Dispatches the orders of its area."""
    IS_SENIOR = "is_senior"
    """Decides in its area where an order has come back too often."""
    IS_OVERSEER = "is_overseer"
    """Reads the orders of its area."""
    IS_SERVER = "is_server"
    """Takes orders of its area from the pool."""
    IS_SYSTEM = "is_system"
    """Nobody: the lifecycle's own rule."""


PREDICATES = frozenset(fact.value for fact in Fact)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What deciding about an order needs to know of it, for one person."""

    stage: OrderStage
    is_in_pool: bool
    known: frozenset[str]
    """The facts that hold for the person."""

    def knows(self, *facts: Fact) -> bool:
        """Whether any of them holds."""
        return not self.known.isdisjoint(facts)


def sees_details(order: OrderFacts) -> bool:
    """Name, phone, address and words: for who asked, who answers for the area, and who does it while it is done.

    `order_sees_details` says the same in SQL.
    """
    return order.knows(Fact.IS_REQUESTER, Fact.IS_FAMILY_PLACER, Fact.IS_OVERSEER) or is_at_work(order)


def is_at_work(order: OrderFacts) -> bool:
    works = order.knows(Fact.IS_HELPER, Fact.IS_ASSISTING, Fact.IS_UNIT_MEMBER, Fact.IS_ASSISTING_UNIT_MEMBER)
    return works and order.stage not in {OrderStage.CLOSE, OrderStage.DONE}


def sees(order: OrderFacts) -> bool:
    """Helpers also see that an order waits in their pool, and what they have done, but not whose it is."""
    in_their_pool = order.is_in_pool and order.knows(Fact.IS_SERVER)
    works_on_it = (Fact.IS_ASSIGNEE, Fact.IS_ASSISTING, Fact.IS_UNIT_MEMBER, Fact.IS_ASSISTING_UNIT_MEMBER)
    return sees_details(order) or order.knows(*works_on_it) or in_their_pool


def is_dispatcher(order: OrderFacts) -> bool:
    return order.knows(Fact.IS_DISPATCHER)


def is_helper(order: OrderFacts) -> bool:
    return order.knows(Fact.IS_HELPER)
