"""Calling back (回访): every attempt is kept, and an answer counts in the rates while the resident gives none.

Not solved, the work is done again as after such a rating. Solved, the order goes its way: only a rating is rewarded,
and for somebody without an account it is given by who stands in for them.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models.completion import AnswerSource
from models.orders import OrderStage
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.orders.follow_ups import policy
from services.orders.follow_ups.queries import follow_up_of
from services.orders.follow_ups.schemas import FollowUpRead, FollowUpRecord
from services.orders.orders.queries import find_order

ASKED_ABOUT = frozenset({OrderStage.VERIFY, OrderStage.CLOSE, OrderStage.DONE})
MOST_ATTEMPTS = 20
"""Of one round of work: nobody is called for ever."""
LATEST_CALL = timedelta(days=90)
"""So far ahead the next call may lie."""
TOLD_UNSOLVED = "回访时居民反映未解决"


async def record_follow_up(connection: Any, caller: Identity, order_id: UUID, body: FollowUpRecord) -> FollowUpRead:
    """By staff of the area who had no hand in the work, under the order's lock.

    Not solved, the order is done again in the same transaction; done again too often, or where its life does not let
    it, a senior decides. One that is closed stays due as unsolved, until somebody opens it again.

    Raises OrderNotFound, Forbidden, PartyToOrder, NothingToAskAbout, AnsweredAlready, CallInThePast, CallTooLate,
    TooManyAttempts.
    """
    order = await find_order(connection, caller, order_id=order_id)
    if not policy.may_call(order.facts):
        raise Forbidden
    standing = await connection.fetchrow(_STANDING, caller.tenant_id, order.id)
    await policy.refuse_parties(connection, caller, order.id)
    if standing["completed_at"] is None or standing["stage"] not in ASKED_ABOUT or standing["cancelled_at"]:
        raise NothingToAskAbout
    row = await connection.fetchrow(_ASKED, caller.tenant_id, order.id, standing["completed_at"])
    if row["is_answered"]:
        raise AnsweredAlready
    if row["attempts"] >= MOST_ATTEMPTS:
        raise TooManyAttempts(most=MOST_ATTEMPTS)
    moment = clock.now()
    if body.next_call_at is not None and body.next_call_at <= moment:
        raise CallInThePast
    if body.next_call_at is not None and body.next_call_at > moment + LATEST_CALL:
        raise CallTooLate(days=LATEST_CALL.days)
    answer = await _answer(connection, caller, order.id, body, moment)
    await connection.execute(
        _ATTEMPT,
        caller.tenant_id, order.id, row["sequence"], row["round"], body.reached, body.unreachable_because, answer,
        body.words, body.next_call_at, caller.account_id, moment,
    )  # fmt: skip
    await connection.execute(_PUT_OFF, caller.tenant_id, order.id, body.next_call_at or moment)
    if body.solved is False:
        await connection.execute(_UNSOLVED, caller.tenant_id, order.id, body.words or TOLD_UNSOLVED, moment)
    return await follow_up_of(connection, caller, order.id, row["sequence"])


async def _answer(
    connection: Any, caller: Identity, order_id: UUID, body: FollowUpRecord, moment: datetime
) -> int | None:
    """The number of the answer, if one was given."""
    if body.solved is None:
        return None
    sequence: int = await connection.fetchval(
        _ANSWER,
        caller.tenant_id, order_id, AnswerSource.FOLLOW_UP, body.solved, body.stars, body.words, caller.account_id,
        moment,
    )  # fmt: skip
    return sequence


_STANDING = """
SELECT o.stage, o.completed_at, o.cancelled_at FROM orders o WHERE o.tenant_id = $1 AND o.id = $2 FOR NO KEY UPDATE
"""
_ASKED = """
SELECT r.round,
    EXISTS (
        SELECT FROM order_answers w WHERE w.tenant_id = $1 AND w.order_id = $2 AND w.completed_at = $3
    ) AS is_answered,
    (
        SELECT count(*) FROM follow_ups f WHERE f.tenant_id = $1 AND f.order_id = $2 AND f.round = r.round
    ) AS attempts,
    (
        SELECT COALESCE(max(f.sequence), 0) + 1 FROM follow_ups f WHERE f.tenant_id = $1 AND f.order_id = $2
    ) AS sequence
FROM (SELECT order_round($1, $2) AS round) AS r
"""
_ANSWER = "SELECT order_answer_record($1, $2, $3, $4, $5, $6, $7, $8)"
_UNSOLVED = "SELECT order_unsolved($1, $2, $3, $4)"
_ATTEMPT = """
INSERT INTO follow_ups (
    tenant_id, order_id, sequence, round, is_reached, unreachable_because, answer_sequence, words, next_call_at,
    called_by, called_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
# An answer has settled already what is due: solved, the row is gone; unsolved, it is due to whoever decides.
_PUT_OFF = """
UPDATE due_follow_ups f SET attempts = f.attempts + 1, due_at = CASE f.cause WHEN 'unanswered' THEN $3 ELSE f.due_at END
WHERE f.tenant_id = $1 AND f.order_id = $2
"""


class NothingToAskAbout(Problem):
    status = 409
    code = "nothing_to_ask_about"
    zh = "订单尚未办结，无需回访。"
    en = "The order is not completed: there is nothing to ask about yet."


class AnsweredAlready(Problem):
    status = 409
    code = "answered_already"
    zh = "居民已对本次办理作出评价，无需回访。"
    en = "The resident has answered for this round of work: nobody need call."


class CallInThePast(Problem):
    status = 422
    code = "call_in_the_past"
    zh = "下次回访时间须晚于现在。"
    en = "The next call must lie in the future."


class CallTooLate(Problem):
    status = 422
    code = "call_too_late"
    zh = "下次回访时间不能晚于 {days} 天后。"
    en = "The next call must lie within {days} days."


class TooManyAttempts(Problem):
    status = 409
    code = "too_many_attempts"
    zh = "本次办理已回访 {most} 次，请勿再打扰居民。"
    en = "This round of work was asked about {most} times: leave the resident in peace."
