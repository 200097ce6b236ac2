"""Who is who to a recurring order, and who may do what with it. Outside of `may_read` it is as if it were not there."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from services.chassis.identity import Identity
from services.orders.orders.policy import DISPATCHING_ROLES, OVERSEEING_ROLES, SERVING_ROLES


@dataclass(frozen=True, slots=True)
class RecurringFacts:
    """What deciding about a recurring order needs to know of it."""

    resident_id: UUID
    helper_id: UUID | None
    ancestor_ids: Collection[UUID]
    """Of its area, down to that area itself."""
    caller_is_family: bool
    """The caller shares a household with the resident."""


def is_requester(caller: Identity, facts: RecurringFacts) -> bool:
    return facts.resident_id == caller.resident_id


def is_of_household(caller: Identity, facts: RecurringFacts) -> bool:
    return is_requester(caller, facts) or facts.caller_is_family


def is_overseer(caller: Identity, facts: RecurringFacts) -> bool:
    return caller.is_one_of(OVERSEEING_ROLES, facts.ancestor_ids)


def is_dispatcher(caller: Identity, facts: RecurringFacts) -> bool:
    return caller.is_one_of(DISPATCHING_ROLES, facts.ancestor_ids)


def is_kept_helper(caller: Identity, facts: RecurringFacts) -> bool:
    """While the term in office lasts."""
    return facts.helper_id == caller.account_id and caller.is_one_of(SERVING_ROLES, facts.ancestor_ids)


def may_change(caller: Identity, facts: RecurringFacts) -> bool:
    """As placing an order: the resident, the household, a worker of the area on behalf."""
    return is_of_household(caller, facts) or is_overseer(caller, facts)


may_change_helper = is_dispatcher


def may_read(caller: Identity, facts: RecurringFacts) -> bool:
    return may_change(caller, facts) or is_kept_helper(caller, facts)


def acts_as_staff(caller: Identity, facts: RecurringFacts) -> bool:
    """Whoever decides over others says why."""
    return not is_of_household(caller, facts)


Predicate = Callable[[Identity, RecurringFacts], bool]
