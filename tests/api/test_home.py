"""The first screen, put together of what the services answer: side by side, and whatever becomes of one of them."""

import asyncio
import time

import httpx2
import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

import api.home
from api.main import Upstream, create_gateway
from api.routes import HOME, SERVICES
from tests.api.upstreams import settings_for


def answering(name: str, status: int = 200, *, after_seconds: float = 0) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        assert (scope["method"], scope["path"], scope["query_string"]) == ("GET", f"{HOME}/{name}", b"")
        await asyncio.sleep(after_seconds)
        await JSONResponse({"of": name}, status)(scope, receive, send)

    return app


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("secret text")


async def home_of(upstreams: dict[str, Upstream], method: str = "GET") -> httpx2.Response:
    gateway = create_gateway(settings_for(), {**{name: answering(name) for name in SERVICES}, **upstreams})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(gateway), base_url="http://linli") as client:
        return await client.request(method, f"{HOME}?ignored=1")


async def test_every_service_has_its_part() -> None:
    answer = await home_of({})
    assert answer.status_code == 200
    assert answer.json() == {**{name: {"of": name} for name in SERVICES}, "unavailable": []}


async def test_a_part_that_cannot_be_had_is_null_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.home, "PART_SECONDS", 0.1)
    answer = await home_of(
        {"grid": broken, "orders": answering("orders", 503), "points": answering("points", after_seconds=5)}
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "identity": {"of": "identity"}, "grid": None, "orders": None, "points": None,
        "unavailable": ["grid", "orders", "points"],
    }  # fmt: skip
    assert "secret" not in answer.text


async def test_the_parts_are_asked_for_side_by_side() -> None:
    began = time.monotonic()
    await home_of({name: answering(name, after_seconds=0.3) for name in SERVICES})
    assert time.monotonic() - began < 0.9


async def test_who_is_not_signed_in_is_told_so() -> None:
    answer = await home_of({"orders": answering("orders", 401)})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_it_is_only_read() -> None:
    answer = await home_of({}, "POST")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
