"""The limit: what Postgres does when nothing but the very same SQL is asked of it."""

import asyncio
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks.cores import pinned_to
from services.chassis.database import driver_url

CLIENTS = 16
"""Enough for Postgres to commit in groups; more of them only wait for each other."""


class LimitDidNothing(RuntimeError):
    """Calls were refused, so that their rate is no limit."""


@dataclass(frozen=True)
class Limit:
    """What was reached without HTTP, and by which program."""

    program: str
    rate: float
    """Calls per second."""
    calls: int


class LimitProgram:
    """pgbench, or, where there is none, the same statements from asyncpg; bound to `core`."""

    def __init__(self, url: str, pgbench: Path | None, *, core: int | None) -> None:
        self._url = url
        self._core = core
        self._pgbench = pgbench if pgbench and pgbench.exists() else _on_path()

    @property
    def name(self) -> str:
        return "pgbench" if self._pgbench else "asyncpg, for want of pgbench"

    async def run(self, sql: str, *, service: str, seconds: float) -> Limit:
        """`sql` over and over on CLIENTS connections under the service's role; `:n` in it counts the calls from 0."""
        if self._pgbench:
            return await self._run_pgbench(self._pgbench, sql, service, seconds)
        return await self._run_asyncpg(sql, service, seconds)

    async def _run_pgbench(self, pgbench: Path, sql: str, service: str, seconds: float) -> Limit:
        with pinned_to(self._core):
            process = await asyncio.create_subprocess_exec(
                str(pgbench),
                *("--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", "--jobs=1", "--define=i=-1"),
                *(f"--time={max(1, round(seconds))}", "--file=-", self._url),
                env={**os.environ, "PGOPTIONS": f"-c role=linli_{service} -c jit=off"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        output, complaints = await process.communicate(_script(sql).encode())
        if process.returncode != 0:
            raise RuntimeError(f"pgbench failed: {complaints.decode()[-2000:]}")
        return read_pgbench(output.decode())

    async def _run_asyncpg(self, sql: str, service: str, seconds: float) -> Limit:
        statement = sql.replace(":n", "$1::bigint")
        numbers = iter(range(2**62))
        begun_at = time.perf_counter()

        async def call_until_the_end() -> int:
            settings = {"role": f"linli_{service}", "jit": "off"}
            connection = await asyncpg.connect(driver_url(self._url), server_settings=settings)
            calls = 0
            while time.perf_counter() - begun_at < seconds:
                await connection.fetchrow(statement, next(numbers))
                calls += 1
            await connection.close()
            return calls

        calls = sum(await asyncio.gather(*(call_until_the_end() for _ in range(CLIENTS))))
        return Limit(self.name, calls / (time.perf_counter() - begun_at), calls)


def pieced(text: str, replaced: Mapping[str, str]) -> str:
    """`text` as a SQL text expression, with SQL expressions in place of some of its substrings."""
    pattern = "|".join(re.escape(found) for found in replaced)
    pieces = re.split(f"({pattern})", text)
    return " || ".join(replaced.get(piece) or _literal(piece) for piece in pieces if piece)


def read_pgbench(output: str) -> Limit:
    """Raises RuntimeError for a report that is none."""
    rate = re.search(r"tps = ([0-9.]+) \(without initial connection time\)", output)
    calls = re.search(r"number of transactions actually processed: (\d+)", output)
    if rate is None or calls is None:
        raise RuntimeError(f"pgbench answered: {output}")
    return Limit("pgbench", float(rate[1]), int(calls[1]))


def _literal(text: str) -> str:
    # pgbench would take a colon before a letter for a variable, inside of a literal too.
    return "'" + re.sub(r":(?=[A-Za-z_])", ": ", text).replace("'", "''") + "'"


def _script(sql: str) -> str:
    statement = " ".join(sql.split()).replace(":n", "(:n)::bigint")
    return f"\\set i :i + 1\n\\set n :client_id + {CLIENTS} * :i\n{statement};\n"


def _on_path() -> Path | None:
    found = shutil.which("pgbench")
    return Path(found) if found else None
