"""One run: every work at every size, through every setup, beside its limit."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from benchmarks.cores import Cores
from benchmarks.district import District
from benchmarks.figures import Figure, Figures, LimitFigure
from benchmarks.limit import LimitDidNothing, LimitProgram
from benchmarks.load import at_full_rate, at_steady_rate
from benchmarks.options import ONE_BY_ONE_CLIENTS, Options
from benchmarks.postgres import Postgres
from benchmarks.processes import processor_seconds
from benchmarks.servers import Server, Setup, serving
from benchmarks.statements import count_statements
from benchmarks.works.award import AwardFromOne, AwardPoints
from benchmarks.works.hold import HoldPoints, PostHold
from benchmarks.works.locate import LocatePoint
from benchmarks.works.place import PlaceOrder
from benchmarks.works.reading import (
    find_similar,
    list_orders,
    open_dispatchers_home,
    open_home,
    read_board,
    read_map,
    search_frequent,
    search_rare,
)
from benchmarks.works.statement import ReadStatement
from benchmarks.works.steps import accept_order, claim_order, dispatch_order, triage_order
from benchmarks.works.work import Work

WARM_UP_REQUESTS = 400
WARM_UP_SECONDS = 0.3
"""Before it is measured a server has met every caller, and has in memory what it keeps there."""
MOST_PER_SECOND = 15_000
"""So much work is prepared for the limit, which will not use it up."""
BEYOND_LIMIT = 2.5
"""So much more than the limit is prepared for a service: batches surpass it."""


class Run:
    """Measures in one database, which nobody else uses meanwhile."""

    def __init__(
        self,
        options: Options,
        postgres: Postgres,
        cores: Cores,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._options = options
        self._postgres = postgres
        self._cores = cores
        self._environment = {**environment, "DATABASE_URL": postgres.url}
        self._say = say
        self._program = LimitProgram(postgres.url, postgres.pgbench, core=cores.python)
        self._figures = Figures()

    async def measure(self, signing_key: dict[str, Any]) -> Figures:
        """All figures. Raises LimitDidNothing or ServerNotReady."""
        district = await District.found(self._postgres.url, signing_key)
        try:
            works = [work for work in all_works() if work.name in self._options.names]
            for size in self._options.sizes:
                if works:
                    self._say(f"\nwith {size:,} orders")
                    await district.grow_to(size)
                    await self._measure_works(district, works)
                works = [work for work in works if work.grows]
        finally:
            await district.close()
        return self._figures

    async def _measure_works(self, district: District, works: list[Work]) -> None:
        for work in works:
            await self._measure_limit(district, work)
        for setup, service, group in _servers(works):
            async with serving(setup, service, self._environment, core=self._cores.python) as server:
                for work in group:
                    for clients in self._client_numbers(work):
                        await self._measure_load(district, work, setup, server, clients)
                    if setup is Setup.ALL_IN_ONE and self._postgres.counts_statements:
                        await self._count_statements(district, work, server)
        if not self._options.is_quick:
            for work in works:
                await self._measure_limit(district, work)

    async def _measure_limit(self, district: District, work: Work) -> None:
        seconds = self._options.seconds
        await work.prepare(district, round(MOST_PER_SECOND * (seconds + 1)))
        limit = await work.limit(self._program, district, seconds=seconds)
        done = await work.done(district)
        if done is not None and done < limit.calls:
            raise LimitDidNothing(f"{limit.calls} calls of {work.name} did {done} of them")
        self._limit_figure(district, work, limit.program).rates.append(limit.rate)
        self._say(f"  {work.name:10} {limit.program:42} {limit.rate:9,.0f}/s")

    def _limit_figure(self, district: District, work: Work, program: str) -> LimitFigure:
        orders = district.orders if work.grows else None
        for known in self._figures.limits:
            if (known.work, known.orders) == (work.name, orders):
                return known
        self._figures.limits.append(LimitFigure(work.name, orders, program))
        return self._figures.limits[-1]

    async def _measure_load(self, district: District, work: Work, setup: Setup, server: Server, clients: int) -> None:
        options, orders = self._options, district.orders if work.grows else None
        expected_rate = BEYOND_LIMIT * self._figures.limit(work.name, orders).rate
        expected = WARM_UP_REQUESTS + expected_rate * (options.seconds + WARM_UP_SECONDS)
        await work.prepare(district, round(expected))
        requests = work.requests(district)
        warm = await at_full_rate(
            server.port, islice(requests, WARM_UP_REQUESTS), clients=clients, seconds=60, warm_up=0
        )

        python, postgres = processor_seconds(server.process_ids), self._postgres.processor_seconds()
        full = await at_full_rate(
            server.port, requests, clients=clients, seconds=options.seconds, warm_up=WARM_UP_SECONDS
        )
        python_us = _per_request(python, processor_seconds(server.process_ids), full.statuses.total())
        postgres_us = _per_request(postgres, self._postgres.processor_seconds(), full.statuses.total())
        half = await at_steady_rate(
            server.port, requests, clients=clients, seconds=options.half_rate_seconds, rate=full.rate / 2
        )
        done = await work.done(district)
        figure = Figure(
            work=work.name,
            orders=orders,
            setup=setup,
            clients=clients,
            is_batched=work.is_command and clients > ONE_BY_ONE_CLIENTS,
            rate=full.rate,
            p50_ms=full.percentile_ms(50),
            p99_ms=full.percentile_ms(99),
            half_rate_p50_ms=half.percentile_ms(50),
            half_rate_p99_ms=half.percentile_ms(99),
            python_us=python_us,
            postgres_us=postgres_us,
            errors=warm.errors + full.errors + half.errors,
            first_error=warm.first_error or full.first_error or half.first_error,
            lost=0 if done is None else warm.successes + full.successes + half.successes - done,
        )
        self._figures.figures.append(figure)
        self._say(
            f"  {work.name:10} {setup:31} {clients:3} clients {figure.rate:9,.0f}/s"
            f"  p50 {figure.p50_ms:.1f} ms  p99 {figure.p99_ms:.1f} ms" + ("" if figure.is_valid else "  WITH ERRORS")
        )

    async def _count_statements(self, district: District, work: Work, server: Server) -> None:
        if work.name not in self._figures.statements:
            await work.prepare(district, 1_000)
            self._figures.statements[work.name] = await count_statements(
                district.connection, server.port, work.requests(district), service=work.service
            )

    def _client_numbers(self, work: Work) -> list[int]:
        """One by one and in batches, where there is a difference."""
        clients = self._options.clients
        if work.is_command and clients > ONE_BY_ONE_CLIENTS and not self._options.is_quick:
            return [ONE_BY_ONE_CLIENTS, clients]
        return [clients]


def all_works() -> list[Work]:
    """Each as it is before its first measurement."""
    return [
        PlaceOrder(),
        triage_order(),
        dispatch_order(),
        claim_order(),
        accept_order(),
        list_orders(),
        read_board(),
        read_map(),
        search_frequent(),
        search_rare(),
        find_similar(),
        open_home(),
        open_dispatchers_home(),
        AwardPoints(),
        AwardFromOne(),
        HoldPoints(),
        PostHold(),
        ReadStatement(),
        LocatePoint(),
    ]


def _servers(works: list[Work]) -> Iterator[tuple[Setup, str, list[Work]]]:
    """What has to be started, one after the other, and what is measured on it."""
    for service in sorted({work.service for work in works}):
        yield Setup.SERVICE, service, [work for work in works if work.service == service]
    yield Setup.ALL_IN_ONE, "", works
    yield Setup.SEPARATE, "", works


def _per_request(before_seconds: float | None, after_seconds: float | None, requests: int) -> float | None:
    if before_seconds is None or after_seconds is None or not requests:
        return None
    return 1e6 * (after_seconds - before_seconds) / requests
