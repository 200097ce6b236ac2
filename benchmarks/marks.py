"""What is aimed at, and whether a run has reached it."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.figures import Figure, Figures
from benchmarks.servers import Setup


@dataclass(frozen=True)
class Mark:
    """A figure beside its aim."""

    name: str
    aim: float
    reached: float
    is_at_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.reached <= self.aim if self.is_at_most else self.reached >= self.aim

    @property
    def row(self) -> tuple[str, str, str, str]:
        sign = "≤" if self.is_at_most else "≥"
        return self.name, f"{sign} {self.aim:,g}", f"{self.reached:,.2f}", "yes" if self.is_met else "NO"


OF_LIMIT = (
    #  mark                       work      batched  aim
    ("accept, one by one", "accept", False, 0.45),
    ("accept, in batches", "accept", True, 0.80),
    ("place", "place", True, 0.40),
    ("ledger posting, one by one", "ledger", False, 0.45),
    ("ledger posting, in batches", "ledger", True, 1.00),
    ("ledger posting from one community, in batches", "ledger-hot", True, 1.00),
    ("list", "list", False, 0.30),
)
LOCATED_PER_SECOND = 8_000
FLAT = ("list", "board", "map", "search", "similar", "home", "home-staff")
"""What may not cost more the more orders are done. A search for what is in no order does: it looks into every block."""
FLATNESS = 0.8
"""The rate with most orders, as a share of that with fewest, at least: as flat as the noise lets one see."""
STATEMENTS_TO_PLACE = 4
STATEMENTS_UNTIL_DISPATCHED = 8
UNTIL_DISPATCHED = ("place", "triage", "dispatch")
P99_PER_P50 = 5


def marks(figures: Figures) -> list[Mark]:
    """Of what was measured through the gateway in one process, with the most orders."""
    found = [figure for figure in figures.figures if figure.setup is Setup.ALL_IN_ONE]
    return [*_of_limit(figures, found), *_flat(found), *_absolute(figures, found), *_steady(found)]


def _of_limit(figures: Figures, found: list[Figure]) -> Iterator[Mark]:
    for name, work, is_batched, aim in OF_LIMIT:
        if largest := _largest([one for one in found if one.work == work and one.is_batched is is_batched]):
            yield Mark(f"{name}, of its limit", aim, figures.of_limit(largest))


def _flat(found: list[Figure]) -> Iterator[Mark]:
    for work in FLAT:
        same = [one for one in found if one.work == work]
        if len(same) > 1:
            name = f"{work} at {same[-1].orders:,} orders, of that at {same[0].orders:,}"
            yield Mark(name, FLATNESS, same[-1].rate / same[0].rate)


def _absolute(figures: Figures, found: list[Figure]) -> Iterator[Mark]:
    for figure in found:
        if figure.work == "locate":
            yield Mark("locate, per second", LOCATED_PER_SECOND, figure.rate)
    if "place" in figures.statements:
        yield Mark(
            "statements per placed order", STATEMENTS_TO_PLACE, figures.statements["place"].sent, is_at_most=True
        )
    if all(work in figures.statements for work in UNTIL_DISPATCHED):
        sent = sum(figures.statements[work].sent for work in UNTIL_DISPATCHED)
        yield Mark("statements until it is dispatched", STATEMENTS_UNTIL_DISPATCHED, sent, is_at_most=True)


def _steady(found: list[Figure]) -> Iterator[Mark]:
    for work in dict.fromkeys(one.work for one in found):
        largest = _largest([one for one in found if one.work == work])
        if largest and largest.half_rate_p50_ms:
            ratio = largest.half_rate_p99_ms / largest.half_rate_p50_ms
            yield Mark(f"{work}: p99 of p50 at half of the rate", P99_PER_P50, ratio, is_at_most=True)


def _largest(found: list[Figure]) -> Figure | None:
    return max(found, key=lambda figure: (figure.orders or 0, figure.clients), default=None)
