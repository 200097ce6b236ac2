"""One run: every work at every size, through every setup, beside its limit."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from benchmarks.cores import Cores
from benchmarks.district import District
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import Load, at_full_rate, at_steady_rate
from benchmarks.options import ONE_BY_ONE_CLIENTS, Options
from benchmarks.postgres import Postgres
from benchmarks.processes import processor_seconds
from benchmarks.servers import Server, Setup, serving
from benchmarks.statements import Statements, count_statements
from benchmarks.works.accept import AcceptOrder
from benchmarks.works.award import AwardPoints
from benchmarks.works.list_orders import ListOrders
from benchmarks.works.locate import LocatePoint
from benchmarks.works.place import PlaceOrder
from benchmarks.works.work import Work

WARM_UP_SECONDS = 0.7
MOST_PER_SECOND = 15_000
"""More than this is not expected of a limit, and so much is prepared for measuring it."""
BEYOND_LIMIT = 2.5
"""By how much a service, which batches, may surpass the limit before it runs out of what is prepared."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """What one work reached through one setup."""

    work: str
    orders: int | None
    """None where their number does not matter."""
    through: str
    clients: int
    rate: float
    of_limit: float
    p50_ms: float
    p99_ms: float
    half_rate_p50_ms: float
    half_rate_p99_ms: float
    python_microseconds: float | None
    postgres_microseconds: float | None
    """Of the processor, per request; None where it cannot be told."""
    errors: int
    first_error: str
    lost: int
    """Requests answered with success of which the database shows no trace, or, below zero, the reverse."""

    @property
    def is_valid(self) -> bool:
        return self.errors == 0 and self.lost == 0


@dataclass
class LimitFigure:
    """The limit of one work, measured before and after everything it is compared with."""

    work: str
    orders: int | None
    program: str
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return sum(self.rates) / len(self.rates)

    @property
    def spread(self) -> float:
        """How far apart its rates lie, as a share of the rate: the noise of this run."""
        return (max(self.rates) - min(self.rates)) / self.rate


@dataclass
class Figures:
    """All of a run."""

    limits: list[LimitFigure] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    statements: dict[str, Statements] = field(default_factory=dict)


class LimitDidNothing(RuntimeError):
    """The statements of the limit were refused, or ran out of work: it would be no limit."""


class Run:
    """Measures on one database, which must be used by nobody else."""

    def __init__(
        self,
        options: Options,
        postgres: Postgres,
        cores: Cores,
        environment: Mapping[str, str],
        say: Say,
    ) -> None:
        self._options = options
        self._postgres = postgres
        self._cores = cores
        self._environment = {**environment, "DATABASE_URL": postgres.url}
        self._say = say
        self._program = LimitProgram(postgres.url, postgres.pgbench, core=cores.python)
        self._figures = Figures()

    async def measure(self, signing_key: dict[str, Any]) -> Figures:
        """Every figure there is. Raises LimitDidNothing and ServerNotReady."""
        works = [work for work in _all_works() if work.name in self._options.names]
        district = await District.found(self._postgres.url, signing_key)
        try:
            for size in self._options.sizes:
                self._say(f"{size:,} orders")
                await district.grow_to(size)
                await self._measure_all(district, [work for work in works if work.grows or size == self._options.sizes[0]])
        finally:
            await district.close()
        return self._figures

    async def _measure_all(self, district: District, works: list[Work]) -> None:
        limits = {work.name: await self._limit(district, work) for work in works}
        first: list[tuple[Work, Setup, int, Load, Load, _Use, int]] = []
        for setup in Setup:
            for service, group in _by_server(setup, works):
                async with serving(setup, service, self._environment, core=self._cores.python) as server:
                    await self._through(setup, server, district, group, limits, first)
        if not self._options.is_quick:
            for work in works:
                await self._limit(district, work, limits[work.name])

    async def _limit(self, district: District, work: Work, known: LimitFigure | None = None) -> LimitFigure:
        ...
