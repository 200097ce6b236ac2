"""The outermost layer: every answer has a request id, and even what nobody foresaw is answered as a problem."""

import logging
from typing import Any
from uuid import UUID

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from services.chassis.logging import JsonLines
from services.chassis.request_context import request_id
from services.chassis.request_guard import RequestGuard, sane_request_id
from tests.world import World

BROKEN = "/v1/hot/13800138000/broken"


class TestRequestId:
    async def test_of_the_client_is_kept(self, world: World) -> None:
        """On the answer and in the problem, so that both sides speak of the same request."""
        answer = await world.zhang.client.get("/nowhere", headers={"X-Request-Id": "wx-2026/11:7"})
        assert (answer.headers["X-Request-Id"], answer.json()["request_id"]) == ("wx-2026/11:7", "wx-2026/11:7")

    async def test_is_on_every_answer(self, world: World) -> None:
        """Successes, refusals, crashes."""
        for path in ("/v1/cold", "/nowhere", BROKEN, "/health"):
            answer = await world.zhang.get(path)
            assert UUID(answer.headers["X-Request-Id"]).version == 7
            assert answer.headers.get_list("X-Request-Id") == [answer.headers["X-Request-Id"]]

    @pytest.mark.parametrize("offered", ["", "a b", "a\tb", "x" * 129, "\x7f", "é", "编号"])
    def test_that_could_break_a_log_or_a_header_is_replaced(self, offered: str) -> None:
        assert UUID(sane_request_id(offered)).version == 7

    @pytest.mark.parametrize("offered", ["a", "x" * 128, "!~", "0198c5a0-7d3e-7c11-9a55-2f4f5d1c9b7e"])
    def test_that_is_short_visible_ascii_is_kept(self, offered: str) -> None:
        assert sane_request_id(offered) == offered

    async def test_of_the_gateway_comes_first(self, world: World) -> None:
        """In one process the gateway has chosen it already."""
        transport = world.transport
        assert isinstance(transport, httpx2.ASGITransport)
        inner = transport.app

        async def handed_on(scope: Any, receive: Any, send: Any) -> None:
            await inner({**scope, "linli.request_id": "chosen"}, receive, send)

        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(handed_on), base_url="http://linli.test"
        ) as client:
            answer = await client.get("/health", headers={"X-Request-Id": "offered"})
        assert answer.headers["X-Request-Id"] == "chosen"

    async def test_does_not_stay_behind(self, world: World) -> None:
        await world.zhang.get("/health")
        assert request_id.get() == ""


class TestWhatNobodyForesaw:
    async def test_is_a_problem_without_a_detail(self, world: World) -> None:
        """500, the request id to report, and nothing of the exception."""
        answer = await world.zhang.get(BROKEN)
        body = answer.json()
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert (body["code"], body["request_id"]) == ("internal_error", answer.headers["X-Request-Id"])
        assert "张德明" not in answer.text
        assert "Unforeseen" not in answer.text

    async def test_speaks_the_readers_language(self, world: World) -> None:
        answer = await world.zhang.client.get(BROKEN, headers={"Accept-Language": "en"})
        assert answer.json()["detail"].startswith("Something went wrong")

    @pytest.mark.parametrize("path", [BROKEN, "/v1/cold"])
    async def test_is_logged_without_data(self, world: World, caplog: pytest.LogCaptureFixture, path: str) -> None:
        """The route's template, not the path; the exception's type, not its text; the request id, to find it by."""
        caplog.handler.setFormatter(JsonLines())
        with caplog.at_level(logging.INFO):
            if path == BROKEN:
                answer = await world.zhang.get(path)
            else:
                answer = await world.zhang.post(path, {"note": "raise"})
        assert answer.status_code == 500
        assert '"error": "Unforeseen"' in caplog.text
        assert "13800138000" not in caplog.text
        assert "张德明" not in caplog.text
        assert answer.headers["X-Request-Id"] in caplog.text

    async def test_after_the_answer_began_cuts_it_short(self) -> None:
        """A second answer cannot follow the first: the server ends the connection, and the client sees it."""
        sent: list[Message] = []

        async def begin_and_break(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ZeroDivisionError

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        with pytest.raises(ZeroDivisionError):
            await RequestGuard(begin_and_break, limit_bytes=1000)(scope, receive, send)
        assert [message["type"] for message in sent] == ["http.response.start"]

    async def test_other_protocols_pass(self) -> None:
        """The lifespan is not a request."""
        seen: list[str] = []

        async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
            seen.append(scope["type"])

        async def never() -> Message:
            raise AssertionError

        async def ignore(_message: Message) -> None:
            raise AssertionError

        await RequestGuard(app, limit_bytes=1)({"type": "lifespan"}, never, ignore)
        assert seen == ["lifespan"]
