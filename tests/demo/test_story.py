"""The story plays to its end on a product that is as it should be, and says so when one is not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest

from api.all_in_one import create_app
from demo.photo import has_exif, take_photo, tells_where
from demo.places import TENANT_ID
from demo.seed import load
from demo.stage import width
from demo.story import main
from demo.wechat import create_app as create_wechat
from services.chassis.database import driver_url
from tests.api.upstreams import serving
from tests.conftest import TestServer, make_settings


@dataclass(frozen=True)
class DemoProduct:
    url: str
    wechat_url: str
    database_url: str

    async def play(self, *, by_wechat: bool = False) -> int:
        """The story's exit code. It blocks, and the product runs in this loop: so in a thread."""
        return await asyncio.to_thread(main, self.url, self.wechat_url if by_wechat else None)


@pytest.fixture(scope="module")
async def demo_product(postgres: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoProduct]:
    """The whole product on a port, with the demo district in it."""
    database_url = postgres.clone()
    await load(database_url)
    async with serving(create_wechat()) as wechat_url:
        settings = make_settings(database_url, tmp_path_factory.mktemp("files"), wechat_base_url=wechat_url)
        async with serving(create_app(settings)) as url:
            yield DemoProduct(url, wechat_url, database_url)


@asynccontextmanager
async def raised_reward(database_url: str) -> AsyncIterator[None]:
    """Medicine earns a point more than the story knows."""
    tenant = {"linli.tenant": str(TENANT_ID)}
    owner = await asyncpg.connect(driver_url(database_url), server_settings=tenant)
    active = "state, terms, note, drafted_at, active_from, activated_at"
    medicine = ["orders", "kinds", "buy_medicine", "fixed_points"]
    try:
        await owner.execute(
            f"INSERT INTO earning_rule_versions (tenant_id, version, {active})"
            " SELECT tenant_id, version + 1, state, jsonb_set(terms, $1, '9'), note, now(), now(), now()"
            " FROM earning_rule_versions ORDER BY version DESC LIMIT 1",
            medicine,
        )
        yield
    finally:
        await owner.execute(
            f"INSERT INTO earning_rule_versions (tenant_id, version, {active})"
            " SELECT tenant_id, version + 2, state, terms, note, now(), now(), now()"
            " FROM earning_rule_versions ORDER BY version DESC OFFSET 1 LIMIT 1"
        )
        await owner.close()


class TestStory:
    async def test_plays_to_its_end_again_and_again(
        self, demo_product: DemoProduct, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert await demo_product.play(by_wechat=True) == 0, capsys.readouterr().out
        assert await demo_product.play() == 0, capsys.readouterr().out

        told = capsys.readouterr().out
        assert told.count("Everything was as it should be.") == 2
        assert "代购药品: rated" in told
        assert "order_not_found" in told

    async def test_notices_points_that_are_not_as_they_should_be(
        self, demo_product: DemoProduct, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with raised_reward(demo_product.database_url):
            assert await demo_product.play() == 1

        assert "The story broke: the member should have earned 10 points, once" in capsys.readouterr().out

    async def test_says_where_nothing_answers(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            code = await asyncio.to_thread(main, f"http://127.0.0.1:{nobody.getsockname()[1]}")

        assert code == 1
        assert "make run" in capsys.readouterr().out


class TestTable:
    def test_chinese_characters_take_two_columns(self) -> None:
        assert width("张德明 ok") == 9


class TestPhoto:
    def test_holds_what_the_product_must_take_out(self) -> None:
        photo = take_photo()

        assert tells_where(photo)
        assert has_exif(photo)
