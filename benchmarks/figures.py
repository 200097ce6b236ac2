"""What a run comes to."""

from dataclasses import dataclass, field

from benchmarks.servers import Setup
from benchmarks.statements import Statements


@dataclass(frozen=True)
class Figure:
    """What one work reached through one setup."""

    work: str
    orders: int | None
    """None where their number does not matter."""
    setup: Setup
    clients: int
    is_batched: bool
    rate: float
    """Requests per second, as many as the server takes."""
    p50_ms: float
    p99_ms: float
    half_rate_p50_ms: float
    half_rate_p99_ms: float
    """At half of `rate`, steadily."""
    python_us: float | None
    postgres_us: float | None
    """Of the processor, per request; None where that cannot be told."""
    errors: int
    first_error: str
    lost: int
    """Requests answered with success of which the database shows no trace; below zero, the reverse."""

    @property
    def is_valid(self) -> bool:
        return self.errors == 0 and self.lost == 0


@dataclass
class LimitFigure:
    """The limit of one work, measured before and, save in quick runs, after what is compared with it."""

    work: str
    orders: int | None
    program: str
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return sum(self.rates) / len(self.rates)

    @property
    def spread(self) -> float:
        """How far apart its rates lie, as a share of the rate: the noise of the run."""
        return (max(self.rates) - min(self.rates)) / self.rate


@dataclass
class Figures:
    """All of a run."""

    limits: list[LimitFigure] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    statements: dict[str, Statements] = field(default_factory=dict)

    @property
    def are_valid(self) -> bool:
        """Whether every request was answered with success, and every success is in the database."""
        return all(figure.is_valid for figure in self.figures)

    def of_limit(self, figure: Figure) -> float:
        """The figure's rate as a share of its limit."""
        return figure.rate / self.limit(figure.work, figure.orders).rate

    def limit(self, work: str, orders: int | None) -> LimitFigure:
        """Raises StopIteration when it was not measured."""
        return next(limit for limit in self.limits if (limit.work, limit.orders) == (work, orders))
