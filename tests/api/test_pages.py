"""What the gateway answers itself."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import api.pages
from api.main import create_gateway
from tests.api.upstreams import gateway_over, settings_for


def answering_ready(status: int, *, after_seconds: float = 0) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (scope["method"], scope["path"], scope["query_string"]) == ("GET", "/ready", b"")
        await asyncio.sleep(after_seconds)
        await PlainTextResponse("", status)(scope, receive, send)

    return app


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("secret text")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(gateway_over(answering_ready(200))) as client:
        yield client


def client_of(gateway: ASGIApp) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(gateway), base_url="http://linli")


class TestGreeting:
    async def test_shows_the_way(self, client: httpx2.AsyncClient) -> None:
        greeting = (await client.get("/")).json()

        assert greeting["name"] == "Linli"
        for page in ("docs", "ready"):
            assert (await client.get(greeting[page])).status_code == 200


class TestHealth:
    async def test_is_live(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/health")

        assert (answer.status_code, answer.json()) == (200, {"status": "live"})


class TestReadiness:
    async def test_is_ready_when_every_service_is(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/ready?ignored=1")

        assert answer.status_code == 200
        assert answer.json() == {
            "status": "ready",
            "checks": {"grid": "ok", "identity": "ok", "orders": "ok", "points": "ok"},
        }

    async def test_names_who_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api.pages, "READY_SECONDS", 0.1)
        gateway = create_gateway(
            settings_for(),
            {
                "grid": answering_ready(200),
                "identity": answering_ready(503),
                "orders": answering_ready(200, after_seconds=5),
                "points": failing,
            },
        )

        async with client_of(gateway) as client:
            answer = await client.get("/ready")

        assert answer.status_code == 503
        assert answer.json() == {
            "status": "not_ready",
            "checks": {"grid": "ok", "identity": "not_ready", "orders": "timed_out", "points": "failed"},
        }


class TestDocs:
    async def test_every_part_comes_from_here(self, client: httpx2.AsyncClient) -> None:
        page = await client.get("/docs")

        parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert {part.rpartition("/")[2] for part in parts} >= {"swagger-ui.css", "swagger-ui-bundle.js"}
        for part in parts:
            assert part.startswith("/docs/")
            assert (await client.get(part)).status_code == 200

    async def test_the_browser_is_told_to_fetch_nothing_from_elsewhere(self, client: httpx2.AsyncClient) -> None:
        policy = (await client.get("/docs")).headers["content-security-policy"]

        assert policy.startswith("default-src 'self';")
        assert "http" not in policy

    async def test_the_document_is_the_one_in_openapi(self, client: httpx2.AsyncClient) -> None:
        document = await client.get("/openapi.json")

        assert document.headers["content-type"] == "application/json"
        assert document.json() == json.loads(api.pages.DOCUMENT.read_text("utf-8"))


class TestOtherRequests:
    @pytest.mark.parametrize("path", ["/nowhere", "/v1", "/health/", "/docs/../pages.py", "/docs/__init__.py", ""])
    async def test_an_unknown_path_is_a_404_problem(self, client: httpx2.AsyncClient, path: str) -> None:
        statuses = [await status_of(gateway_over(failing), path)]

        assert statuses == [404]

    async def test_problems_are_chinese_unless_english_is_asked_for(self, client: httpx2.AsyncClient) -> None:
        chinese = await client.get("/nowhere")
        english = await client.get("/nowhere", headers={"Accept-Language": "en-GB"})

        assert (chinese.json()["detail"], english.json()["detail"]) == ("未找到。", "Not found.")
        assert chinese.headers["content-type"] == "application/problem+json"
        assert chinese.json()["instance"] == "/nowhere"

    @pytest.mark.parametrize("path", ["/", "/health", "/ready", "/docs", "/openapi.json"])
    async def test_pages_are_only_read(self, client: httpx2.AsyncClient, path: str) -> None:
        answer = await client.post(path)

        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"
        assert (await client.head(path)).status_code == 200

    async def test_a_websocket_is_closed(self) -> None:
        said: list[Message] = []

        async def send(message: Message) -> None:
            said.append(message)

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        await gateway_over(failing)({"type": "websocket", "path": "/v1/orders", "headers": []}, receive, send)

        assert [message["type"] for message in said] == ["websocket.close"]


async def status_of(gateway: ASGIApp, path: str) -> int:
    """Of a GET whose path no client library has tidied up."""
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    await gateway({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)
    return int(said[0]["status"])
