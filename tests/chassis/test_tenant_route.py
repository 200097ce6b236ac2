"""A cold route is one transaction of the caller's tenant, committed before the answer leaves, retried when it may."""

import asyncio

import httpx2
import pytest
from fastapi import FastAPI

from services.chassis import idempotency
from services.chassis.idempotency import REPLAYED
from tests.chassis.conftest import effects_of, end_sessions
from tests.migrations.catalog import connected
from tests.world import Person, World


class TestTransaction:
    async def test_is_committed_before_the_answer_leaves(self, world: World) -> None:
        """Whoever reads after the answer, on another connection, sees the effect."""
        for number in range(10):
            await world.zhang.post("/v1/cold", {"note": f"{number}"})
            assert len(await effects_of(world)) == number + 1

    async def test_a_commit_that_fails_is_no_success(self, world: World) -> None:
        """Nobody is told 201 about something that was rolled back."""
        answer = await world.zhang.post("/v1/cold", {"note": "fails at commit"})
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert await effects_of(world) == []

    async def test_a_refusal_undoes_what_came_before_it(self, world: World) -> None:
        """The probe inserts first and refuses then: only the refusal is kept."""
        await world.insert("effects", note="closed")
        assert (await world.zhang.post("/v1/cold", {"note": "买药"})).status_code == 409
        assert await effects_of(world) == ["closed"]

    async def test_a_refusal_that_keeps_its_effects_undoes_nothing(self, world: World) -> None:
        """And repeated with its key it is repeated, not counted again."""
        answers = [await world.zhang.post("/v1/cold", {"note": "counts"}, key="one") for _ in range(2)]
        assert [answer.json()["code"] for answer in answers] == ["probe_counted"] * 2
        assert answers[1].headers[REPLAYED] == "true"
        assert await effects_of(world) == ["counts"]

    async def test_is_of_the_callers_tenant(self, world: World, other_world: World) -> None:
        """The probe's SELECT names no tenant, and shows one."""
        await world.zhang.post("/v1/cold", {"note": "ours"})
        await other_world.zhang.post("/v1/cold", {"note": "theirs"})
        assert (await world.zhang.get("/v1/cold")).json() == ["ours"]
        assert (await other_world.zhang.get("/v1/cold")).json() == ["theirs"]


@pytest.fixture
async def stumbles_twice(world: World) -> None:
    """The next two calls of `stumble` raise, the third does not."""
    await world.fetch("SELECT setval('attempts', 3)")


@pytest.mark.usefixtures("stumbles_twice")
class TestRetries:
    @pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
    async def test_contention_is_never_shown(self, world: World, sqlstate: str) -> None:
        """A deadlock and a serialization failure are tried again inside, and the effect happens once."""
        answer = await world.zhang.post("/v1/cold", {"note": sqlstate})
        assert answer.status_code == 201
        assert await effects_of(world) == [sqlstate]

    async def test_contention_without_end_asks_to_come_back(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """503 with Retry-After, never a 500, and the key stays free."""
        monkeypatch.setattr(idempotency, "ATTEMPTS", 2)
        answer = await world.zhang.post("/v1/cold", {"note": "40P01"}, key="monday")
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert (await world.zhang.post("/v1/cold", {"note": "40P01"}, key="monday")).status_code == 201

    async def test_an_upload_is_read_from_its_start_again(self, world: World) -> None:
        """The last attempt sees the whole file, not the end the first one had come to."""
        answer = await post_photo(world.zhang, content="photo", note="40P01")
        assert (answer.status_code, answer.json()) == (201, {"note": "photo"})
        assert await effects_of(world) == ["photo"]

    async def test_a_lost_connection_costs_nobody_an_error(self, world: World, probe: FastAPI) -> None:
        """Sessions that ended while they lay in the pool (a restart, a fail-over) are replaced unseen."""
        database = probe.state.database
        await asyncio.gather(*(world.zhang.get("/v1/cold") for _ in range(8)))
        async with connected(database.url) as owner:
            assert await end_sessions(owner) > 0
        answers = await asyncio.gather(
            *(world.zhang.post("/v1/cold", {"note": f"{number}"}) for number in range(20)),
            *(world.zhang.get("/v1/cold") for _ in range(20)),
        )
        assert {answer.status_code for answer in answers} == {200, 201}
        assert len(await effects_of(world)) == 20


class TestUploads:
    """`wx.uploadFile` draws another boundary for every attempt."""

    async def test_another_boundary_is_the_same_request(self, world: World) -> None:
        first = await post_photo(world.zhang, content="photo", boundary="aaa", key="monday")
        again = await post_photo(world.zhang, content="photo", boundary="bbb", key="monday")
        assert (again.status_code, again.content, again.headers[REPLAYED]) == (201, first.content, "true")
        assert await effects_of(world) == ["photo"]

    @pytest.mark.parametrize(
        ("content", "note"), [("other", "a"), ("photo", "b"), ("photo\nnote:a", "")], ids=["file", "field", "seam"]
    )
    async def test_another_content_is_another_request(self, world: World, content: str, note: str) -> None:
        """Another file, another field, and a file that only looks like file and field together."""
        await post_photo(world.zhang, content="photo", note="a", key="monday")
        other = await post_photo(world.zhang, content=content, note=note, key="monday")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert await effects_of(world) == ["photo"]

    @pytest.mark.parametrize(
        "body", [b"", b"--aaa\r\n", b"\x00" * 100, b"--aaa\r\nContent-Disposition: form-data\r\n\r\n"]
    )
    async def test_what_is_no_form_is_a_problem(self, world: World, body: bytes) -> None:
        answer = await world.zhang.client.post("/v1/cold/photo", content=body, headers=_headers("aaa", "monday"))
        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("charset", ["utf-7", "punycode", "undefined", "idna", "zip", "no-such"])
    async def test_a_strange_charset_is_no_crash(self, world: World, charset: str) -> None:
        """The client names the charset of the fields; some of Python's make no text of some bytes."""
        headers = _headers("aaa", "monday")
        headers["Content-Type"] += f"; charset={charset}"
        field = '--aaa\r\nContent-Disposition: form-data; name="n+2AA-"\r\n\r\n+2AA-\xfc\r\n--aaa--\r\n'
        answer = await world.zhang.client.post("/v1/cold/photo", content=field.encode("latin-1"), headers=headers)
        assert answer.status_code in {400, 422}

    async def test_many_parts_are_refused(self, world: World) -> None:
        """Before they are stored anywhere."""
        part = '--aaa\r\nContent-Disposition: form-data; name="note"\r\n\r\nx\r\n'
        answer = await world.zhang.client.post(
            "/v1/cold/photo", content=f"{part * 100}--aaa--\r\n".encode(), headers=_headers("aaa", "monday")
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_body")


async def post_photo(
    person: Person, *, content: str, note: str = "", boundary: str = "aaa", key: str = "photo"
) -> httpx2.Response:
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="p.jpg"\r\n\r\n{content}\r\n'
    field = f'--{boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\n{note}\r\n' if note else ""
    body = f"{file}{field}--{boundary}--\r\n".encode()
    return await person.client.post("/v1/cold/photo", content=body, headers=_headers(boundary, key))


def _headers(boundary: str, key: str) -> dict[str, str]:
    return {"Content-Type": f"multipart/form-data; boundary={boundary}", "Idempotency-Key": key}
