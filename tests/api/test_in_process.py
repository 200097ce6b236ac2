"""A service in the gateway's own process: its life, its requests, and what becomes of its errors."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.in_process import InProcess, ServiceDidNotStart
from api.main import create_gateway
from api.routes import SERVICES
from services.chassis.request_context import request_id
from tests.api.upstreams import calling, gateway_over, live_without_resources, serving, settings_for


async def life_of(gateway: ASGIApp) -> list[Message]:
    """What a gateway tells its server of a start and a stop."""
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.shutdown" if told else "lifespan.startup"}

    async def send(message: Message) -> None:
        told.append(message)

    with contextlib.suppress(RuntimeError):
        await gateway({"type": "lifespan", "state": {}}, receive, send)
    return told


def service_with_life(name: str, diary: list[str], *, broken: str = "") -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        if broken == "start":
            raise ConnectionRefusedError("no database")
        diary.append(f"{name} starts")
        yield {"name": name}
        if broken == "stop":
            raise RuntimeError("will not stop")
        diary.append(f"{name} stops")

    app = FastAPI(lifespan=lifespan)

    @app.api_route("/v1/{path:path}")
    async def tell_state(request: Request) -> dict[str, str]:
        return {"name": request.state.name}

    return app


class TestLife:
    async def test_starts_and_stops_with_the_gateway(self) -> None:
        diary: list[str] = []
        gateway = create_gateway(settings_for(), {name: service_with_life(name, diary) for name in SERVICES})

        async with serving(gateway):
            assert diary == ["identity starts", "grid starts", "orders starts", "points starts"]
            diary.clear()

        assert diary == ["points stops", "orders stops", "grid stops", "identity stops"]

    async def test_each_service_has_its_own_state(self) -> None:
        gateway = create_gateway(settings_for(), {name: service_with_life(name, []) for name in SERVICES})

        async with serving(gateway) as url, httpx2.AsyncClient(base_url=url) as client:
            names = [(await client.get(path)).json()["name"] for path in ("/v1/orders", "/v1/points", "/v1/areas")]

        assert names == ["orders", "points", "grid"]

    async def test_one_that_does_not_start_stops_the_others_and_is_named(self) -> None:
        diary: list[str] = []
        services: dict[str, ASGIApp] = {name: service_with_life(name, diary) for name in SERVICES}
        services["orders"] = service_with_life("orders", diary, broken="start")

        told = await life_of(create_gateway(settings_for(), services))

        assert told == [{"type": "lifespan.startup.failed", "message": "orders did not start: no database"}]
        assert diary == ["identity starts", "grid starts", "grid stops", "identity stops"]

    async def test_one_that_does_not_stop_is_told_of(self) -> None:
        told = await life_of(gateway_over(service_with_life("orders", [], broken="stop")))

        assert told[1:] == [{"type": "lifespan.shutdown.failed", "message": "will not stop"}]

    async def test_an_app_that_knows_no_lifespan_does_not_start(self) -> None:
        async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
            return None

        with pytest.raises(ServiceDidNotStart, match="orders did not start"):
            async with asyncio.timeout(2), InProcess("orders", deaf):
                pass


@pytest.mark.parametrize("url", ["", "127.0.0.1:8001", "orders", "ftp://127.0.0.1"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="the upstream of identity is neither"):
        gateway_over(url)


def test_a_missing_or_unknown_service_is_named() -> None:
    with pytest.raises(ValueError, match="wrong are: council, grid, points"):
        create_gateway(settings_for(), {"identity": FastAPI(), "orders": "http://127.0.0.1:1", "council": FastAPI()})


class TestRequests:
    async def test_stream_both_ways(self) -> None:
        async def echo(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await live_without_resources(receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            more = True
            while more:
                message = await receive()
                more = message["more_body"]
                await send({"type": "http.response.body", "body": message["body"], "more_body": more})

        async with serving(gateway_over(echo)) as gateway, asyncio.timeout(5), calling(gateway) as line:
            await line.say("POST /v1/orders HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n")
            await line.say("5\r\nfirst\r\n")
            await line.head()
            assert await line.chunk() == b"first"
            await line.say("5\r\nagain\r\n0\r\n\r\n")
            assert await line.chunk() == b"again"
            assert await line.chunk() == b""

    async def test_know_their_id_wherever_they_log(self) -> None:
        app = FastAPI()

        @app.get("/v1/orders")
        async def tell() -> str:
            return request_id.get()

        async with serving(gateway_over(app)) as url, httpx2.AsyncClient(base_url=url) as client:
            answers = [(await client.get("/v1/orders", headers={"X-Request-Id": name})).json() for name in "ab"]

        assert answers == ["a", "b"]


class TestErrors:
    @pytest.fixture
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await live_without_resources(receive, send)
                return
            if scope["path"].endswith("half"):
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
                await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise RuntimeError("secret text")

        async with serving(gateway_over(app)) as gateway, httpx2.AsyncClient(base_url=gateway) as client:
            yield client

    async def test_before_the_answer_are_500(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/v1/orders", headers={"Accept-Language": "en"})

        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "secret" not in answer.text

    async def test_in_the_middle_of_it_end_the_connection(
        self, client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/v1/orders/half")

        assert [record.name for record in caplog.records] == ["uvicorn.error"], "the server's log of it is enough"
