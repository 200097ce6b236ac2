"""The trees in memory follow changes made by other processes."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.chassis.database import Database
from services.chassis.settings import Settings
from services.grid.areas import area_trees
from services.grid.areas.area_trees import AreaTree, AreaTrees
from services.grid.main import create_app
from tests.conftest import running_app
from tests.grid.places import BUILDING, draw, draw_district, locate, square
from tests.world import World

BUILDING_MOVED = square(114.7005, 23.7305, 0.0002)


@pytest.fixture
async def second_process(world: World, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Mr Zhang, talking to a grid service of its own on the same database."""
    async with running_app(create_app(settings)) as app:
        transport = httpx2.ASGITransport(app)
        headers = {"Authorization": f"Bearer {world.zhang.token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://grid.test", headers=headers) as client:
            yield client


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, service="grid", pool_size=4)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Versions of the trees built from now on."""
    versions: list[int] = []

    def build(version: int, rows: Sequence[Any]) -> AreaTree:
        versions.append(version)
        time.sleep(0.05)  # long enough for others to ask meanwhile
        return original(version, rows)

    original = area_trees.build_tree
    monkeypatch.setattr(area_trees, "build_tree", build)
    return versions


async def name_at(client: httpx2.AsyncClient, position: tuple[float, float] = BUILDING) -> str:
    answer = await client.get("/v1/areas/locate", params={"lng": position[0], "lat": position[1], "crs": "wgs84"})
    return str(answer.json().get("area", {}).get("name", answer.json().get("code")))


class TestTwoProcesses:
    async def test_a_change_by_one_is_followed_by_the_other_within_a_second(
        self, world: World, second_process: httpx2.AsyncClient
    ) -> None:
        await draw_district(world)
        assert await name_at(second_process) == "3栋"
        await draw(world, "building", BUILDING_MOVED)
        changed_at = time.monotonic()
        while await name_at(second_process) == "3栋":
            assert time.monotonic() - changed_at < 2
            await asyncio.sleep(0.02)
        assert await name_at(second_process) == "万隆一品小区"
        assert await name_at(second_process, (114.7006, 23.7306)) == "3栋"

    async def test_a_new_area_is_followed_too(self, world: World, second_process: httpx2.AsyncClient) -> None:
        await draw_district(world)
        yard = (114.7008, 23.7308)
        assert await name_at(second_process, yard) == "万隆一品小区"
        body = {
            "parent_id": str(world.areas["compound"]),
            "level": "building",
            "name": "5栋",
            "crs": "wgs84",
            "boundary": square(114.7007, 23.7307, 0.0002),
        }
        assert (await world.community_admin.post("/v1/areas", body)).status_code == 201
        await asyncio.sleep(area_trees.TRUSTED_SECONDS)
        assert await name_at(second_process, yard) == "5栋"
        assert (await locate(world, yard)).json()["area"]["name"] == "5栋"


class TestFollowing:
    async def test_a_tree_is_trusted_for_a_second_and_not_longer(self, world: World, database: Database) -> None:
        trees = AreaTrees(database)
        first = await trees.of(world.tenant_id)
        await draw_district(world)
        assert await trees.of(world.tenant_id) is first
        await asyncio.sleep(area_trees.TRUSTED_SECONDS)
        second = await trees.of(world.tenant_id)
        assert second.version == first.version + 4
        assert second.locate(*BUILDING) is not None

    async def test_an_unchanged_tree_is_not_built_again(
        self, world: World, database: Database, builds: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(area_trees, "TRUSTED_SECONDS", 0.0)
        trees = AreaTrees(database)
        first = await trees.of(world.tenant_id)
        assert await trees.of(world.tenant_id) is first
        assert len(builds) == 1
        await draw(world, "building", BUILDING_MOVED)
        assert await trees.of(world.tenant_id) is not first
        assert len(builds) == 2

    async def test_many_who_ask_at_once_wait_for_one_build(
        self, world: World, database: Database, builds: list[int]
    ) -> None:
        trees = AreaTrees(database)
        answers = await asyncio.gather(*(trees.of(world.tenant_id) for _ in range(40)))
        assert len(builds) == 1
        assert all(answer is answers[0] for answer in answers)

    async def test_one_who_gives_up_does_not_spoil_it_for_the_others(
        self, world: World, database: Database, builds: list[int]
    ) -> None:
        trees = AreaTrees(database)
        patient, impatient = (asyncio.create_task(trees.of(world.tenant_id)) for _ in range(2))
        await asyncio.sleep(0.01)
        impatient.cancel()
        assert (await patient).version == 1
        assert impatient.cancelled() or impatient.cancelling()
        assert len(builds) == 1

    async def test_after_a_failure_the_next_one_tries_again(
        self, world: World, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trees = AreaTrees(database)
        with monkeypatch.context() as broken:
            broken.setattr(area_trees, "_AREAS", "SELECT 1 / 0 WHERE $1::uuid IS NOT NULL")
            with pytest.raises(Exception, match="division by zero"):
                await trees.of(world.tenant_id)
        assert (await trees.of(world.tenant_id)).version == 1

    async def test_the_tenant_asked_for_least_recently_gives_way(
        self, world: World, other_world: World, database: Database, builds: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(area_trees, "MOST_TREES", 1)
        trees = AreaTrees(database)
        for tenant_id in (world.tenant_id, world.tenant_id, other_world.tenant_id, world.tenant_id):
            await trees.of(tenant_id)
        assert len(builds) == 3

    async def test_a_tenant_without_areas_has_an_empty_tree(self, database: Database) -> None:
        tree = await AreaTrees(database).of(UUID(int=7))
        assert (tree.version, tree.locate(*BUILDING)) == (0, None)
