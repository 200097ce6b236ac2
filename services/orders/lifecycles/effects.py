"""Where the actions that do more than move an order make sense: from which stages, and to which.

`order_step` writes what belongs to them (who has it, when it was completed, into what it was merged). A district
may call states and actions as it likes and leave actions out; one that ends where its effect is not true is refused.
"""

from dataclasses import dataclass

from models.orders import OrderAction, OrderStage

A = OrderAction
_RECEIVE, _DISPATCH, _HANDLE, _VERIFY, _CLOSE, _DONE, _FOLLOW = (
    OrderStage.RECEIVE, OrderStage.DISPATCH, OrderStage.HANDLE, OrderStage.VERIFY, OrderStage.CLOSE, OrderStage.DONE,
    OrderStage.FOLLOW,
)  # fmt: skip
WAITING = frozenset({_RECEIVE, _DISPATCH})
"""Nobody has the order."""
_UNFINISHED = WAITING | {_HANDLE}
_FINISHED = frozenset({_VERIFY, _CLOSE})


@dataclass(frozen=True, slots=True)
class Effect:
    """`leads_to` is empty for what leaves the order where it is."""

    takes_from: frozenset[OrderStage]
    leads_to: frozenset[OrderStage] = frozenset()


def _effect(takes_from: frozenset[OrderStage] | OrderStage, *leads_to: OrderStage) -> Effect:
    stages = frozenset({takes_from}) if isinstance(takes_from, OrderStage) else takes_from
    return Effect(stages, frozenset(leads_to))


EFFECTS: dict[OrderAction, Effect] = {
    A.TRIAGE:           _effect(_RECEIVE,          _DISPATCH),
    A.RETURN:           _effect(WAITING,           _RECEIVE),
    A.RESUBMIT:         _effect(_RECEIVE,          _RECEIVE, _DISPATCH),
    A.REJECT:           _effect(WAITING,           _DONE),
    A.AMEND:            _effect(_UNFINISHED),
    A.DISPATCH:         _effect(_UNFINISHED,       _HANDLE),
    A.ACCEPT:           _effect(_HANDLE,           _HANDLE),
    A.DECLINE:          _effect(_HANDLE,           _RECEIVE, _DISPATCH),
    A.HAND_BACK:        _effect(_HANDLE,           _RECEIVE, _DISPATCH),
    A.TRANSFER:         _effect(_HANDLE,           _HANDLE),
    A.TAKE_OVER:        _effect(_UNFINISHED,       _HANDLE),
    A.JOIN:             _effect(_HANDLE),
    A.LEAVE:            _effect(_HANDLE),
    A.START:            _effect(_HANDLE,           _HANDLE),
    A.LAPSE:            _effect(_HANDLE,           _HANDLE),
    A.ASK_EXTENSION:    _effect(_UNFINISHED),
    A.GRANT_EXTENSION:  _effect(_UNFINISHED),
    A.REFUSE_EXTENSION: _effect(_UNFINISHED),
    A.SHELVE:           _effect(_UNFINISHED,       _HANDLE),
    A.RESUME:           _effect(_UNFINISHED,       _RECEIVE, _DISPATCH, _HANDLE),
    A.COMPLETE:         _effect(_HANDLE,           _VERIFY, _CLOSE),
    A.VERIFY:           _effect(_VERIFY,           _CLOSE),
    A.REDO:             _effect(_FINISHED,         _HANDLE),
    A.RATE:             _effect(_FINISHED,         _CLOSE, _DONE),
    A.CLOSE:            _effect(_FINISHED,         _DONE),
    A.REOPEN:           _effect(frozenset({_CLOSE, _DONE}), _RECEIVE, _DISPATCH),
    A.CANCEL:           _effect(_UNFINISHED | {_FOLLOW}, _DONE),
    A.MERGE:            _effect(_UNFINISHED,       _FOLLOW),
    A.UNMERGE:          _effect(_FOLLOW,           _RECEIVE, _DISPATCH),
    A.FOLLOW:           _effect(_FOLLOW,           _CLOSE, _DONE),
}  # fmt: skip
"""Placing has no row: it makes the order, in the first state."""

PLAIN_MOVES: dict[OrderStage, frozenset[OrderStage]] = {
    _RECEIVE:  frozenset({_RECEIVE, _DISPATCH, _DONE}),
    _DISPATCH: frozenset({_RECEIVE, _DISPATCH, _DONE}),
    _HANDLE:   frozenset({_RECEIVE, _DISPATCH, _HANDLE, _DONE}),
    _VERIFY:   frozenset({_VERIFY, _CLOSE, _DONE}),
    _CLOSE:    frozenset({_VERIFY, _CLOSE, _DONE}),
    _FOLLOW:   frozenset({_FOLLOW}),
    _DONE:     frozenset(),
}  # fmt: skip
"""What a district's own step may do: it moves the order, which nobody has where it waits, and writes nothing else."""

TAKEN_BY_ACCEPTING = frozenset({A.DISPATCH, A.TRANSFER, A.LAPSE})
"""Where these lead, somebody must be able to accept."""
BY_THE_SYSTEM_ALONE = frozenset({A.LAPSE, A.FOLLOW})
"""Taken when a lease runs out, and when the main order comes to rest; neither waits a fixed time."""
TIMED = frozenset({A.TRIAGE, A.RETURN, A.REJECT, A.DISPATCH, A.DECLINE, A.HAND_BACK, A.RESUME, A.CLOSE, A.CANCEL})
"""Of the actions with an effect, those that may also come by themselves: the others carry a person's decision."""
UNCERTAIN = frozenset({A.ACCEPT, A.TRANSFER, A.LAPSE, A.MERGE, A.REOPEN})
"""May be impossible although the lifecycle has them: nobody is free, the limit is reached, there is no other order."""
SAYS_NO_REASON = frozenset({A.ACCEPT, A.JOIN, A.LEAVE, A.START, A.RESUME, A.VERIFY, A.CLOSE})
"""Their bodies have no place for one."""
TAKES_PHOTOS = frozenset({A.COMPLETE})
"""And every step of a district's own."""
HAS_IT = frozenset({"is_assignee", "is_helper"})
"""Where somebody is that, the order is in somebody's hands."""
