"""Same key and same body: the same answer, and nothing done twice, on cold routes and in hot commands alike."""

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from services.chassis.idempotency import REPLAYED
from tests.chassis.conftest import effects_of
from tests.world import World

PATHS = ["/v1/cold", "/v1/hot"]
"""A `TenantRoute`, and a hot command with an `OnceKey`."""

pytestmark = pytest.mark.parametrize("path", PATHS)


class TestSameRequest:
    async def test_repeats_the_stored_bytes(self, world: World, path: str) -> None:
        """Byte for byte, with the status, and with a header that says so; the effect happens once."""
        first = await world.zhang.post(path, {"note": "买药"}, key="monday")
        again = await world.zhang.post(path, {"note": "买药"}, key="monday")
        assert (first.status_code, REPLAYED in first.headers) == (201, False)
        assert (again.status_code, again.content, again.headers[REPLAYED]) == (201, first.content, "true")
        assert await effects_of(world) == ["买药"]

    async def test_repeats_a_refusal_when_its_reason_has_gone(self, world: World, path: str) -> None:
        """What was refused stays refused under its key, in the words of the caller's language; a new key asks anew."""
        await world.insert("effects", note="closed")
        first = await world.zhang.post(path, {"note": "买药"}, key="monday")
        await world.connection.execute("DELETE FROM effects")
        again = await world.zhang.post(path, {"note": "买药"}, key="monday")
        english = await world.zhang.post(path, {"note": "买药"}, key="monday", **{"Accept-Language": "en"})
        assert [answer.status_code for answer in (first, again, english)] == [409, 409, 409]
        assert again.json() | {"request_id": ""} == first.json() | {"request_id": ""}
        assert again.json()["detail"] == "正在盘点：stocktaking。"
        assert english.json()["detail"] == "Closed for stocktaking."
        assert (REPLAYED in first.headers, again.headers.get(REPLAYED)) == (False, "true")
        assert await effects_of(world) == []
        assert (await world.zhang.post(path, {"note": "买药"})).status_code == 201

    async def test_twenty_at_once_have_one_effect(self, world: World, path: str) -> None:
        """Those who come second wait for the first one's answer and get it."""
        answers = await all_at_once(world, [world.zhang.post(path, {"note": "买药"}, key="monday") for _ in range(20)])
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum(REPLAYED not in answer.headers for answer in answers) == 1
        assert await effects_of(world) == ["买药"]


async def all_at_once(world: World, calls: list[Coroutine[Any, Any, httpx2.Response]]) -> list[httpx2.Response]:
    """None can have its effect before all of them are under way."""
    async with world.connection.transaction():
        await world.connection.execute("LOCK TABLE effects IN EXCLUSIVE MODE")
        running = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0.15)
    return await asyncio.gather(*running)


class TestOtherRequest:
    async def test_with_the_same_key_is_refused(self, world: World, path: str) -> None:
        """422, nothing is changed, and the first answer stays what the key stands for."""
        first = await world.zhang.post(path, {"note": "买药"}, key="monday")
        other = await world.zhang.post(path, {"note": "买菜"}, key="monday")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert REPLAYED not in other.headers
        assert await effects_of(world) == ["买药"]
        assert (await world.zhang.post(path, {"note": "买药"}, key="monday")).content == first.content

    async def test_twenty_different_ones_at_once_have_one_effect(self, world: World, path: str) -> None:
        calls = [world.zhang.post(path, {"note": f"{number}"}, key="monday") for number in range(20)]
        answers = await all_at_once(world, calls)
        assert sorted(answer.status_code for answer in answers) == [201] + [422] * 19
        assert len(await effects_of(world)) == 1

    async def test_another_path_is_another_request(self, world: World, path: str) -> None:
        """A service has one drawer of keys for each caller, whatever it is asked to do."""
        await world.zhang.post(path, {"note": "买药"}, key="monday")
        (elsewhere,) = set(PATHS) - {path}
        other = await world.zhang.post(elsewhere, {"note": "买药"}, key="monday")
        assert other.json()["code"] == "idempotency_key_reused"

    async def test_another_query_is_another_request(self, world: World, path: str) -> None:
        await world.zhang.post(path, {"note": "买药"}, key="monday")
        other = await world.zhang.post(f"{path}?urgent=1", {"note": "买药"}, key="monday")
        assert other.json()["code"] == "idempotency_key_reused"


class TestKeys:
    async def test_belong_to_their_caller(self, world: World, path: str) -> None:
        """Another person, even with the same body, makes another request."""
        for person in (world.zhang, world.daughter):
            answer = await person.post(path, {"note": "买药"}, key="monday")
            assert (answer.status_code, REPLAYED in answer.headers) == (201, False)
        assert await effects_of(world) == ["买药", "买药"]

    async def test_belong_to_their_tenant(self, world: World, other_world: World, path: str) -> None:
        """A person of two districts may use a key in both."""
        for district in (world, other_world):
            assert (await district.zhang.post(path, {"note": "买药"}, key="monday")).status_code == 201
        assert await effects_of(other_world) == ["买药"]

    @pytest.mark.parametrize("key", ["", "x" * 65, "monday\N{SNOWMAN}".encode(), b"mon day", b"mon\tday", b"\xe4"])
    async def test_that_nobody_could_repeat_are_refused(self, world: World, path: str, key: str | bytes) -> None:
        """Empty, longer than 64, or not visible ASCII: 400, and nothing happens."""
        answer = await post_with_key(world, path, key)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
        assert await effects_of(world) == []

    async def test_are_required(self, world: World, path: str) -> None:
        answer = await world.zhang.client.post(path, json={"note": "买药"})
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")

    @pytest.mark.parametrize("key", ["!", "~" * 64, "a:b/c';--"])
    async def test_may_be_any_visible_ascii(self, world: World, path: str, key: str) -> None:
        first = await post_with_key(world, path, key)
        again = await post_with_key(world, path, key)
        assert (first.status_code, again.content) == (201, first.content)


async def post_with_key(world: World, path: str, key: str | bytes) -> httpx2.Response:
    raw = key if isinstance(key, bytes) else key.encode()
    return await world.zhang.client.post(path, json={"note": "买药"}, headers={b"Idempotency-Key": raw})


class TestWhatIsNoAnswer:
    """An answer is stored only when something was decided."""

    async def test_an_invalid_body_leaves_its_key_free(self, world: World, path: str) -> None:
        """A client that mends its request need not draw another key."""
        invalid = await world.zhang.post(path, {"note": ""}, key="monday")
        mended = await world.zhang.post(path, {"note": "买药"}, key="monday")
        assert (invalid.status_code, mended.status_code) == (422, 201)

    async def test_a_crash_leaves_its_key_free(self, world: World, path: str) -> None:
        """A 500 decided nothing: the same request may be tried again."""
        for _ in range(2):
            answer = await world.zhang.post(path, {"note": "raise"}, key="monday")
            assert (answer.status_code, REPLAYED in answer.headers) == (500, False)

    async def test_a_stranger_leaves_no_trace(self, world: World, path: str) -> None:
        async with world.stranger() as stranger:
            answer = await stranger.post(path, json={"note": "买药"}, headers={"Idempotency-Key": str(uuid4())})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
