import asyncpg
import pytest

from benchmarks.limit import LimitProgram, pieced, read_pgbench
from services.chassis.database import driver_url
from tests.conftest import TestServer

REPORT = """
number of transactions actually processed: 3021
latency average = 1.3 ms
tps = 1510.250000 (without initial connection time)
"""


class TestPieced:
    async def test_is_the_text_with_something_else_in_places(self, postgres: TestServer) -> None:
        sql = pieced('{"name": "o\'clock", "id": "7-7"}', {"7-7": "'id-' || 3"})
        connection = await asyncpg.connect(driver_url(postgres.clone()))
        assert await connection.fetchval(f"SELECT {sql}") == '{"name": "o\'clock", "id": "id-3"}'
        await connection.close()

    def test_leaves_nothing_that_pgbench_takes_for_a_variable(self) -> None:
        assert pieced('{"a":null,"at":"12:30"}', {"x": "y"}) == '\'{"a": null,"at":"12:30"}\''


class TestReadPgbench:
    def test_report(self) -> None:
        limit = read_pgbench(REPORT)
        assert (limit.program, limit.rate, limit.calls) == ("pgbench", 1510.25, 3021)

    def test_no_report(self) -> None:
        with pytest.raises(RuntimeError):
            read_pgbench("pgbench: error")


class TestLimitProgram:
    async def test_without_pgbench_says_so_and_calls_the_same(
        self, postgres: TestServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")
        program = LimitProgram(postgres.clone(), None, core=None)
        limit = await program.run("SELECT :n + 1", service="orders", seconds=0.2)
        assert limit.program == "asyncpg, for want of pgbench"
        assert limit.rate > 0 < limit.calls
