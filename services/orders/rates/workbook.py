"""The rates as an .xlsx file: the numbers, what they mean, and the orders behind them."""

import asyncio
import io
from collections.abc import Iterator, Sequence
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from models.completion import AnswerSource
from services.chassis.clock import SHANGHAI
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.orders.rates.queries import Asked, Counts, all_rated_orders, question_of, rates_read
from services.orders.rates.schemas import Measure, Outcome, RatedOrderRead, RateLine, RatesRead

MOST_ORDERS = 100_000
"""Behind one measure. A longer period is asked for in parts."""
FORMULA_STARTS = ("=", "+", "-", "@")

MEASURES = {Measure.RESPONSE: "响应率", Measure.RESOLUTION: "解决率", Measure.SATISFACTION: "满意率"}
OUTCOMES = {
    Outcome.MET: "计入且达标",
    Outcome.NOT_MET: "计入未达标",
    Outcome.OPEN: "未答复或未到时限",
    Outcome.EXCLUDED: "已剔除",
}
SOURCES = {AnswerSource.RESIDENT: "居民评价", AnswerSource.FOLLOW_UP: "回访"}


class RatePeriodTooLarge(Problem):
    status = 422
    code = "rate_period_too_large"
    zh = "统计期内订单超过 {most} 条，请缩短统计期或分区域导出。"
    en = "There are more than {most} orders behind a rate: export a shorter period or a smaller area."


async def rates_workbook(connection: Any, caller: Identity, asked: Asked) -> bytes:
    """Numbers and lists out of the same reading: they agree. Raises what `question_of` raises, RatePeriodTooLarge."""
    question = await question_of(connection, caller, asked)
    orders = {measure: await all_rated_orders(connection, question, measure, MOST_ORDERS + 1) for measure in Measure}
    if any(len(listed) > MOST_ORDERS for listed in orders.values()):
        raise RatePeriodTooLarge(most=MOST_ORDERS)
    counts: Counts = Counts(
        (measure, order.group, order.outcome) for measure, listed in orders.items() for order in listed
    )
    read = await rates_read(connection, question, asked, counts)
    return await asyncio.to_thread(_written, read, orders)


def _written(read: RatesRead, orders: dict[Measure, list[RatedOrderRead]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"constant_memory": True}) as workbook:
        writer = _Writer(workbook)
        writer.sheet("三率", _NUMBER_HEADINGS, _numbers(read))
        writer.sheet("口径", ("指标", "计入时间", "说明"), _meanings(read))
        names = {line.group: line.name for line in read.groups}
        writer.sheet("订单明细", _ORDER_HEADINGS, _orders(orders, names))
    return out.getvalue()


_FIGURES = ("%", "达标", "计入", "未答复", "剔除")
_NUMBER_HEADINGS = ("分组", *(f"{name}{part}" for name in MEASURES.values() for part in _FIGURES))
_ORDER_HEADINGS = (
    *("指标", "结果", "分组", "订单号", "类型", "区域", "计入时间", "环节", "满意度", "是否解决", "答复来源"),
)


def _numbers(read: RatesRead) -> Iterator[Sequence[Any]]:
    for line in read.groups:
        yield (line.name or "（无）", *_figures(line))
    yield ("合计", *_figures(read.total))


def _figures(line: RateLine) -> Iterator[Any]:
    for figure in (line.response, line.resolution, line.satisfaction):
        yield from (figure.percent, figure.numerator, figure.denominator, figure.unanswered, figure.excluded)


def _meanings(read: RatesRead) -> Iterator[Sequence[Any]]:
    yield ("统计期", None, f"{read.first_day} 至 {read.last_day}")
    for one in (read.definition.response, read.definition.resolution, read.definition.satisfaction):
        yield (one.name, one.counts_by, one.definition)


def _orders(
    orders: dict[Measure, list[RatedOrderRead]], names: dict[str | None, str | None]
) -> Iterator[Sequence[Any]]:
    for measure, listed in orders.items():
        for one in listed:
            yield (
                MEASURES[measure], OUTCOMES[one.outcome], names.get(one.group), one.number, one.kind_name,
                one.area_name, f"{one.counted_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}", one.state, one.stars,
                one.solved, one.answered_by and SOURCES[one.answered_by],
            )  # fmt: skip


class _Writer:
    """Texts stay texts, whatever they begin with: nothing a person typed becomes a formula or a link."""

    def __init__(self, workbook: Any) -> None:
        self._workbook = workbook
        self._heading = workbook.add_format({"bold": True, "bottom": 1})
        self._text = workbook.add_format({"quote_prefix": True})

    def sheet(self, title: str, headings: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
        sheet = self._workbook.add_worksheet(title)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(headings) - 1, 14)
        for place, heading in enumerate(headings):
            sheet.write_string(0, place, heading, self._heading)
        for number, row in enumerate(rows, start=1):
            for place, value in enumerate(row):
                self._cell(sheet, number, place, value)

    def _cell(self, sheet: Any, row: int, place: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_string(row, place, "是" if value else "否")
        elif isinstance(value, int | float):
            sheet.write_number(row, place, value)
        else:
            text = str(value)
            sheet.write_string(row, place, text, self._text if text.startswith(FORMULA_STARTS) else None)
