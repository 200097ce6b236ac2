"""Every work, a little of it: in its limit and through the product every request must do what it is measured for."""

import json
from collections.abc import AsyncIterator
from itertools import islice
from operator import attrgetter
from pathlib import Path

import asyncpg
import pytest

from benchmarks.district import District
from benchmarks.limit import LimitProgram
from benchmarks.load import at_full_rate
from benchmarks.measuring import all_works
from benchmarks.servers import Server, Setup, serving
from benchmarks.works.reading import ReadOrders, find_similar, open_home, read_map, search_frequent, search_rare
from benchmarks.works.steps import claim_order
from benchmarks.works.work import Work
from services.chassis.database import driver_url
from tests.conftest import TestServer, signing_key

REQUESTS = 60
KEY = signing_key("benchmarks")

NAME = attrgetter("name")
works = pytest.mark.parametrize("work", all_works(), ids=NAME)


@pytest.fixture(scope="module")
def url(postgres: TestServer) -> str:
    return postgres.clone()


@pytest.fixture(scope="module")
async def district(url: str) -> AsyncIterator[District]:
    district = await District.found(url, KEY)
    await district.grow_to(400)
    yield district
    await district.close()


@pytest.fixture(scope="module")
async def server(url: str, district: District, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    files: Path = tmp_path_factory.mktemp("files")
    environment = {
        "DATABASE_URL": url,
        "LINLI_MODE": "test",
        "LINLI_SIGNING_KEYS": json.dumps([KEY]),
        "LINLI_REFRESH_SECRET": "test-refresh-secret-0123456789abcdef",
        "LINLI_FILES_FOLDER": str(files),
    }
    async with serving(Setup.ALL_IN_ONE, "", environment, core=None) as server:
        yield server


@works
async def test_through_the_product(work: Work, district: District, server: Server) -> None:
    await work.prepare(district, REQUESTS)
    requests = islice(work.requests(district), REQUESTS)
    load = await at_full_rate(server.port, requests, clients=12, seconds=60, warm_up=0)
    assert load.first_error == ""
    assert load.successes == REQUESTS
    assert await work.done(district) in (REQUESTS, None)


@works
async def test_limit(work: Work, district: District, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    await work.prepare(district, 3_000)
    limit = await work.limit(LimitProgram(url, None, core=None), district, seconds=0.2)
    assert limit.calls > 0
    assert await work.done(district) in (limit.calls, None)


@pytest.mark.parametrize("work", [search_frequent(), search_rare(), find_similar(), read_map(), open_home()], ids=NAME)
async def test_reading_finds_something(work: ReadOrders, district: District, url: str) -> None:
    """What finds nothing would be fast for nothing."""
    connection = await asyncpg.connect(driver_url(url))
    await connection.execute("SET ROLE linli_orders")
    answers = [await connection.fetchval((await work.sql(district)).replace(":n", "$1::bigint"), n) for n in range(20)]
    await connection.close()
    assert '"id"' in "".join(answers)


async def test_what_was_done_is_forgotten(district: District) -> None:
    work = claim_order()
    await work.prepare(district, 5)
    assert await district.new_orders() == 5
    await district.forget_new_orders()
    await district.forget_new_postings()
    assert (await district.new_orders(), await district.new_postings()) == (0, 0)
    assert await district.count("SELECT sum(version) FROM orders") == await district.count(
        "SELECT count(*) FROM order_history"
    )
    assert await district.count("SELECT sum(balance) FROM ledger_accounts") == 0
