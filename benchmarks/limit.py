"""The limit: what Postgres does when nothing but the very same SQL is asked of it, by pgbench."""

import asyncio
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks.cores import pinned_to
from services.chassis.database import driver_url

CLIENTS = 16


@dataclass(frozen=True)
class Statement:
    """One call of a SQL function as a service sends it; `:n` in `sql` counts the calls."""

    service: str
    sql: str


@dataclass(frozen=True)
class Limit:
    """Calls per second, and their latencies as far as the program tells them."""

    program: str
    rate: float
    calls: int


def pieced(text: str, expressions: dict[str, str]) -> str:
    """`text` as a SQL text expression in which some of its substrings are replaced by SQL expressions."""
    pattern = "|".join(re.escape(found) for found in expressions)
    pieces = re.split(f"({pattern})", text)
    return " || ".join(expressions.get(piece) or _literal(piece) for piece in pieces if piece)


def _literal(text: str) -> str:
    # pgbench takes a colon before a letter for a variable, also inside of a literal.
    return "'" + re.sub(r":(?=[A-Za-z_])", ": ", text).replace("'", "''") + "'"


class Client:
    """pgbench at its best place: the embedded server's own, else the one on PATH, else asyncpg in its stead."""

    def __init__(self, url: str, pgbench: Path | None, *, core: int | None) -> None:
        self._url = url
        self._core = core
        found = shutil.which("pgbench")
        self._pgbench = pgbench if pgbench and pgbench.exists() else Path(found) if found else None

    @property
    def program(self) -> str:
        return "pgbench" if self._pgbench else "asyncpg (no pgbench here)"

    async def run(self, statement: Statement, *, first: int, seconds: float) -> Limit:
        """The statement over and over from CLIENTS connections, `:n` from `first` on."""
        if self._pgbench:
            return await self._run_pgbench(self._pgbench, statement, first, seconds)
        return await self._run_asyncpg(statement, first, seconds)

    async def _run_pgbench(self, pgbench: Path, statement: Statement, first: int, seconds: float) -> Limit:
        script = f"\\set i :i + 1\n\\set n {first} + :client_id + {CLIENTS} * :i\n{_one_line(statement.sql)};\n"
        with tempfile.TemporaryDirectory() as folder, pinned_to(self._core):
            path = Path(folder, "script.sql")
            path.write_text(script)
            process = await asyncio.create_subprocess_exec(
                str(pgbench),
                *("--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", "--jobs=1", "--define=i=-1"),
                *(f"--time={max(1, round(seconds))}", f"--file={path}", self._url),
                env={"PGOPTIONS": f"-c role=linli_{statement.service} -c jit=off"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, complaint = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"pgbench failed: {complaint.decode()[-1000:]}")
        return _read(output.decode())

    async def _run_asyncpg(self, statement: Statement, first: int, seconds: float) -> Limit:
        sql = statement.sql.replace(":n", "$1::bigint")
        counter = iter(range(first, first + 2**40))
        ends_at = time.perf_counter() + seconds

        async def call_until_the_end() -> int:
            connection = await asyncpg.connect(
                driver_url(self._url), server_settings={"role": f"linli_{statement.service}", "jit": "off"}
            )
            calls = 0
            while time.perf_counter() < ends_at:
                await connection.fetchrow(sql, next(counter))
                calls += 1
            await connection.close()
            return calls

        begun_at = time.perf_counter()
        calls = sum(await asyncio.gather(*(call_until_the_end() for _ in range(CLIENTS))))
        return Limit(self.program, calls / (time.perf_counter() - begun_at), calls)


def _one_line(sql: str) -> str:
    return " ".join(sql.split()).replace(":n", "(:n)::bigint")


def _read(output: str) -> Limit:
    rate = re.search(r"tps = ([0-9.]+) \(without initial connection time\)", output)
    calls = re.search(r"number of transactions actually processed: (\d+)", output)
    if rate is None or calls is None:
        raise RuntimeError(f"pgbench answered: {output}")
    return Limit("pgbench", float(rate[1]), int(calls[1]))
