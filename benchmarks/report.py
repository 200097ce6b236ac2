"""What a run says of itself: tables for people, JSON for comparing."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Figures
from benchmarks.marks import marks
from launcher.terminal import table

RESULTS = Path(__file__).parent / "results"

_HEADINGS = (
    "work",
    "orders",
    "through",
    "clients",
    "per s",
    "of limit",
    "p50 ms",
    "p99 ms",
    "p50 ½",
    "p99 ½",
    "Python µs",
    "Postgres µs",
    "",
)
_LEGEND = (
    "limit: the same SQL without Python and HTTP. ½: at half of the rate. µs: of the processor, per request.\n"
    "Up to 8 clients commands go one by one, beyond that in batches."
)


def as_text(figures: Figures) -> str:
    """Tables of the figures, of the statements and of the marks."""
    parts = [table(_HEADINGS, _rows(figures)), _LEGEND]
    if figures.statements:
        rows = [(name, f"{one.sent:.1f}", f"{one.inside:.1f}") for name, one in figures.statements.items()]
        parts.append(table(("statements per request", "sent", "run inside of SQL functions"), rows))
    if found := marks(figures):
        parts.append(table(("mark, gateway in one process", "aim", "reached", "met"), [mark.row for mark in found]))
    if complaints := [_complaint(figure) for figure in figures.figures if not figure.is_valid]:
        parts.append("NOT VALID:\n" + "\n".join(complaints))
    return "\n\n".join(parts)


def write_json(figures: Figures, facts: dict[str, Any], moment: datetime) -> Path:
    """The file it was written to."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{moment:%Y-%m-%dT%H-%M-%S}.json"
    path.write_text(json.dumps(as_json(figures, facts, moment), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


def as_json(figures: Figures, facts: dict[str, Any], moment: datetime) -> dict[str, Any]:
    """Everything there is to say, numbers unrounded."""
    return {
        "measured_at": moment.isoformat(),
        **facts,
        "are_valid": figures.are_valid,
        "limits": [{**asdict(limit), "rate": limit.rate, "spread": limit.spread} for limit in figures.limits],
        "figures": [{**asdict(figure), "of_limit": figures.of_limit(figure)} for figure in figures.figures],
        "statements": {name: asdict(one) for name, one in figures.statements.items()},
        "marks": [{**asdict(mark), "is_met": mark.is_met} for mark in marks(figures)],
    }


def _rows(figures: Figures) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for limit in figures.limits:
        noise = f"± {100 * limit.spread / 2:.0f} %" if len(limit.rates) > 1 else ""
        rows.append((limit.work, _count(limit.orders), limit.program, "", f"{limit.rate:,.0f}", "1", *[""] * 6, noise))
        rows.extend(
            _row(figures, figure)
            for figure in figures.figures
            if (figure.work, figure.orders) == (limit.work, limit.orders)
        )
    return rows


def _row(figures: Figures, figure: Figure) -> tuple[str, ...]:
    return (
        figure.work,
        _count(figure.orders),
        figure.setup,
        str(figure.clients),
        f"{figure.rate:,.0f}",
        f"{figures.of_limit(figure):.2f}",
        *(
            f"{milliseconds:.1f}"
            for milliseconds in (figure.p50_ms, figure.p99_ms, figure.half_rate_p50_ms, figure.half_rate_p99_ms)
        ),
        _microseconds(figure.python_us),
        _microseconds(figure.postgres_us),
        "" if figure.is_valid else "NOT VALID",
    )


def _complaint(figure: Figure) -> str:
    name = f"  {figure.work}, {figure.setup}, {figure.clients} clients:"
    return f"{name} {figure.errors} errors, {figure.lost} answered but not done. {figure.first_error}"


def _count(orders: int | None) -> str:
    return "" if orders is None else f"{orders:,}"


def _microseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
