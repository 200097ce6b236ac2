"""The life of an order: which action moves it from where to where, who may, and what it needs. One literal table."""

from dataclasses import dataclass

from models.orders import OrderAction, OrderState
from services.chassis.identity import Identity
from services.orders.orders import policy
from services.orders.orders.policy import OrderFacts, Predicate

A = OrderAction
S = OrderState


@dataclass(frozen=True, slots=True)
class Transition:
    """`who`: any one of these facts suffices. `needs_evidence`: as many pieces as the order's kind asks for."""

    from_states: frozenset[OrderState]
    to_state: OrderState
    who: tuple[Predicate, ...]
    needs_evidence: bool = False


def _transition(
    from_states: set[OrderState], to_state: OrderState, *who: Predicate, evidence: bool = False
) -> Transition:
    return Transition(frozenset(from_states), to_state, who, evidence)


UNDER_WAY = {S.DISPATCHED, S.ACCEPTED, S.IN_PROGRESS}

TRANSITIONS: dict[OrderAction, Transition] = {
    #                        from                                 to             who
    A.DISPATCH: _transition({S.PLACED, *UNDER_WAY},               S.DISPATCHED,  policy.is_dispatcher),
    A.ACCEPT:   _transition({S.DISPATCHED},                       S.ACCEPTED,    policy.is_server),
    A.DECLINE:  _transition(UNDER_WAY,                            S.PLACED,      policy.is_assignee),
    A.START:    _transition({S.ACCEPTED},                         S.IN_PROGRESS, policy.is_helper),
    A.COMPLETE: _transition({S.ACCEPTED, S.IN_PROGRESS},          S.COMPLETED,   policy.is_helper, evidence=True),
    A.RATE:     _transition({S.COMPLETED},                        S.RATED,
                            policy.is_requester, policy.is_family_placer, policy.stands_in),
    A.CANCEL:   _transition({S.PLACED, S.DISPATCHED, S.ACCEPTED}, S.CANCELLED,
                            policy.is_requester, policy.is_family_placer, policy.is_proxy, policy.is_dispatcher),
}  # fmt: skip
"""Placing has no row: it makes the order. Dispatching again takes an order from a helper who cannot go on."""


def available_actions(caller: Identity, order: OrderFacts) -> list[OrderAction]:
    """What the caller may do with the order now, in the order of its life."""
    return [action for action in TRANSITIONS if is_allowed(action, caller, order)]


def is_allowed(action: OrderAction, caller: Identity, order: OrderFacts) -> bool:
    """The plain-Python model of what `order_advance` lets through, apart from what the action itself carries."""
    transition = TRANSITIONS[action]
    return (
        order.state in transition.from_states
        and any(fact(caller, order) for fact in transition.who)
        and not _is_against_the_rules(action, caller, order)
    )


def _is_against_the_rules(action: OrderAction, caller: Identity, order: OrderFacts) -> bool:
    if action == A.ACCEPT:  # not what is another's, nor what serves oneself
        return order.assignee_id not in (None, caller.account_id) or policy.is_requester(caller, order)
    return action == A.RATE and policy.is_assignee(caller, order)  # nobody judges their own work
