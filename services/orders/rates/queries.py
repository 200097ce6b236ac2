"""The three rates of a period, and the orders behind each number."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.follow_ups.queries import scope_of
from services.orders.rates import policy
from services.orders.rates.definition import definition_of
from services.orders.rates.facts import Question, facts_of
from services.orders.rates.schemas import (
    GroupBy,
    Measure,
    Outcome,
    RatedOrderRead,
    RateFigure,
    RateLine,
    RatesRead,
)

MOST_DAYS = 366
FIRST_YEAR, LAST_YEAR = 1900, 2200
BEFORE_ALL = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))
PLACES = 2
"""Of a percentage."""


class Asked(NamedTuple):
    """What a caller asks for; the period in days of Asia/Shanghai, both counted."""

    area_id: UUID | None
    first_day: date | None
    last_day: date | None
    kind: str | None
    group_by: GroupBy
    satisfied_stars: int
    response_hours: int


class RatePeriodInvalid(Problem):
    status = 422
    code = "rate_period_invalid"
    zh = "统计期须在 1900 至 2200 年之间，起止有序，且不超过 {most} 天。"
    en = "The period must lie between 1900 and 2200, must not end before it begins, and has {most} days at most."


async def question_of(connection: Any, caller: Identity, asked: Asked) -> Question:
    """Raises Forbidden without a role for it, NotFound for a foreign area, RatePeriodInvalid."""
    now = clock.now()
    first_day, last_day = period_of(asked.first_day, asked.last_day, now)
    return Question(
        tenant_id=caller.tenant_id,
        areas=await scope_of(connection, caller, policy.READING_ROLES, asked.area_id),
        begins_at=_midnight(first_day),
        ends_at=_midnight(last_day + timedelta(days=1)),
        kind=asked.kind,
        satisfied_stars=asked.satisfied_stars,
        response_hours=asked.response_hours,
        group_by=asked.group_by,
        now=now,
    )


def period_of(first_day: date | None, last_day: date | None, now: datetime) -> tuple[date, date]:
    """Up to today unless said otherwise, from the beginning of that month. Raises RatePeriodInvalid."""
    last_day = last_day or now.astimezone(SHANGHAI).date()
    first_day = first_day or last_day.replace(day=1)
    if not (
        first_day.year >= FIRST_YEAR and last_day.year <= LAST_YEAR and 0 <= (last_day - first_day).days < MOST_DAYS
    ):
        raise RatePeriodInvalid(most=MOST_DAYS)
    return first_day, last_day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


# The numbers -------------------------------------------------------------------------------------------------------

Counts = Counter[tuple[Measure, str | None, Outcome]]
"""Orders by measure, group and outcome."""


async def rates(connection: Any, caller: Identity, asked: Asked) -> RatesRead:
    """Raises what `question_of` raises."""
    question = await question_of(connection, caller, asked)
    counts: Counts = Counter()
    for measure in Measure:
        for row in await connection.fetch(_COUNTED[measure], *question.arguments):
            counts[measure, row["group_key"], Outcome(row["outcome"])] += row["orders"]
    return await rates_read(connection, question, asked, counts)


async def rates_read(connection: Any, question: Question, asked: Asked, counts: Counts) -> RatesRead:
    """The counts as they are answered, groups by their name."""
    groups = {group for _, group, _ in counts} if asked.group_by is not GroupBy.NONE else set()
    names = await _names(connection, question, groups)
    lines = [_line(counts, {group}, group, names.get(group)) for group in groups]
    return RatesRead(
        first_day=question.begins_at.date(),
        last_day=question.ends_at.date() - timedelta(days=1),
        area_id=asked.area_id,
        kind=asked.kind,
        group_by=asked.group_by,
        read_at=question.now,
        definition=definition_of(asked.satisfied_stars, asked.response_hours),
        total=_line(counts, {group for _, group, _ in counts}, None, None),
        groups=sorted(lines, key=lambda line: (line.group is None, line.name or "", line.group or "")),
    )


async def _names(connection: Any, question: Question, groups: Iterable[str | None]) -> Mapping[str | None, str]:
    asked = [group for group in groups if group is not None]
    if question.group_by is GroupBy.MONTH:
        return {month: month for month in asked}
    if question.group_by not in _NAMES:
        return {}
    rows = await connection.fetch(_NAMES[question.group_by], question.tenant_id, asked)
    return {row["id"]: row["name"] for row in rows}


def _line(counts: Counts, groups: set[str | None], group: str | None, name: str | None) -> RateLine:
    return RateLine(
        group=group,
        name=name,
        response=_figure(counts, Measure.RESPONSE, groups),
        resolution=_figure(counts, Measure.RESOLUTION, groups),
        satisfaction=_figure(counts, Measure.SATISFACTION, groups),
    )


def _figure(counts: Counts, measure: Measure, groups: set[str | None]) -> RateFigure:
    met, not_met, unanswered, excluded = (
        sum(counts[measure, group, outcome] for group in groups)
        for outcome in (Outcome.MET, Outcome.NOT_MET, Outcome.OPEN, Outcome.EXCLUDED)
    )
    counted = met + not_met
    return RateFigure(
        percent=round(100 * met / counted, PLACES) if counted else None,
        numerator=met,
        denominator=counted,
        unanswered=unanswered,
        excluded=excluded,
    )


_COUNTED = {
    measure: f"""
    {facts_of(measure)}
    SELECT f.group_key, f.outcome, count(*) AS orders FROM facts f WHERE f.outcome IS NOT NULL GROUP BY 1, 2
    """  # noqa: S608 (put together from our own literals)
    for measure in Measure
}
_NAMES = {
    GroupBy.KIND: "SELECT id, name FROM order_kinds WHERE tenant_id = $1 AND id = ANY ($2::text[])",
    GroupBy.AREA: "SELECT id::text, name FROM areas WHERE tenant_id = $1 AND id = ANY ($2::text[]::uuid[])",
    GroupBy.UNIT: "SELECT id::text, name FROM units WHERE tenant_id = $1 AND id = ANY ($2::text[]::uuid[])",
}


# The orders behind them --------------------------------------------------------------------------------------------


async def rated_orders_page(
    connection: Any,
    caller: Identity,
    asked: Asked,
    measure: Measure,
    *,
    outcomes: list[Outcome] | None,
    group: str | None,
    cursor: str | None,
    limit: int,
) -> Page[RatedOrderRead]:
    """The orders behind a number, the earliest counted first. Raises what `question_of` raises.

    `group` is a line's group; the empty text is the line without one, and None is all lines.
    """
    question = await question_of(connection, caller, asked)
    after_at, after_order = BEFORE_ALL if cursor is None else decode_cursor(cursor, tuple[datetime, UUID])
    question = replace(question, begins_at=max(question.begins_at, after_at))  # what was shown is not read again
    rows = await connection.fetch(
        _LISTED[measure], *question.arguments, outcomes or list(Outcome), group, after_at, after_order, limit + 1
    )
    shown = [RatedOrderRead.model_validate(dict(row)) for row in rows[:limit]]
    return Page[RatedOrderRead](
        items=shown,
        next_cursor=encode_cursor(shown[-1].counted_at, shown[-1].order_id) if len(rows) > limit else None,
    )


async def all_rated_orders(connection: Any, question: Question, measure: Measure, most: int) -> list[RatedOrderRead]:
    """The same in one go, up to `most` of them."""
    rows = await connection.fetch(_LISTED[measure], *question.arguments, list(Outcome), None, *BEFORE_ALL, most)
    return [RatedOrderRead.model_validate(dict(row)) for row in rows]


_LISTED = {
    measure: f"""
    {facts_of(measure)}
    SELECT o.id AS order_id, order_number(o.number) AS number, o.kind, o.area_id, o.state, o.stage,
        p.counted_at, p.outcome, p.group_key AS "group", p.stars, p.solved, p.answered_by,
        (SELECT k.name FROM order_kinds k WHERE k.tenant_id = $1 AND k.id = o.kind) AS kind_name,
        (SELECT a.name FROM areas a WHERE a.tenant_id = $1 AND a.id = o.area_id) AS area_name
    FROM (
        SELECT f.* FROM facts f
        WHERE f.outcome = ANY ($10::text[]) AND ($11::text IS NULL OR f.group_key IS NOT DISTINCT FROM NULLIF($11, ''))
            AND (f.counted_at, f.id) > ($12::timestamptz, $13::uuid)
        ORDER BY f.counted_at, f.id LIMIT $14
    ) AS p
    JOIN orders o ON o.tenant_id = $1 AND o.id = p.id
    ORDER BY p.counted_at, p.id
    """  # noqa: S608 (put together from our own literals)
    for measure in Measure
}
