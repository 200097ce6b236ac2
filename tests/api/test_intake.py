"""What the gateway makes of a request before a service sees it: its id, its token, and the limits of its body."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import api.main
from services.chassis import clock
from services.chassis.settings import Settings
from services.chassis.tokens import Claims, sign_token
from tests.api.upstreams import calling, gateway_over, live_without_resources, serving, settings_for

KEY: dict[str, Any] = {**json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate())), "kid": "test-1"}


class Service:
    """A service in the gateway's process that remembers what it was handed."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await live_without_resources(receive, send)
            return
        self.scopes.append(scope)
        self.bodies.append(await Request(scope, receive).body())
        answer = JSONResponse({"length": len(self.bodies[-1])}, headers={"X-Request-Id": "the service's own"})
        await answer(scope, receive, send)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def settings() -> Settings:
    return settings_for(signing_keys_json=json.dumps([KEY]), max_body_bytes=2000, max_upload_bytes=5000)


@pytest.fixture
def gateway(service: Service, settings: Settings) -> ASGIApp:
    return gateway_over(service, settings)


@pytest.fixture
async def client(gateway: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(gateway)
    async with httpx2.AsyncClient(transport=transport, base_url="http://linli") as client:
        yield client


class TestRequestId:
    @pytest.mark.parametrize("offered", ["r", "!~", "a" * 128, "01a200fd-502b-7383-ad06-6b320c3c6a9f"])
    async def test_a_sane_one_is_kept(self, service: Service, client: httpx2.AsyncClient, offered: str) -> None:
        answer = await client.get("/v1/orders", headers={"X-Request-Id": offered})

        assert answer.headers.get_list("x-request-id") == [offered]
        assert Request(service.scopes[0]).headers.getlist("x-request-id") == [offered]
        assert service.scopes[0]["linli.request_id"] == offered

    @pytest.mark.parametrize("offered", [b"", b"a" * 129, b"two words", "中".encode(), b"tab\there", b"\xff"])
    async def test_any_other_is_replaced(self, service: Service, client: httpx2.AsyncClient, offered: bytes) -> None:
        answer = await client.get("/v1/orders", headers=[(b"X-Request-Id", offered)])

        made = answer.headers["x-request-id"]
        assert len(made) == 36
        assert Request(service.scopes[0]).headers.getlist("x-request-id") == [made]

    async def test_two_are_none(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/v1/orders", headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")])

        assert answer.headers["x-request-id"] not in {"a", "b"}

    async def test_problems_name_it_too(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/nowhere", headers={"X-Request-Id": "r-1"})

        assert answer.json()["request_id"] == answer.headers["x-request-id"] == "r-1"


async def test_what_the_client_says_of_itself_reaches_no_service(service: Service, client: httpx2.AsyncClient) -> None:
    own = ["Forwarded", "X-Real-IP", *(f"X-Forwarded-{what}" for what in ("For", "Host", "Port", "Prefix", "Proto"))]

    await client.get("/v1/orders", headers={"X-Kept": "1", **dict.fromkeys(own, "forged")})

    headers = Request(service.scopes[0]).headers
    assert "forged" not in headers.values()
    assert headers["x-kept"] == "1"


class TestToken:
    @staticmethod
    def token(*, key: dict[str, Any] = KEY, lasting: float = 900) -> tuple[str, Claims]:
        claims = Claims(uuid4(), uuid4(), uuid4(), float(int(time.time() + lasting)))
        return sign_token(key, claims, clock.now()), claims

    async def test_a_good_one_reaches_the_service_as_claims(self, service: Service, client: httpx2.AsyncClient) -> None:
        token, claims = self.token()

        await client.get("/v1/orders", headers={"Authorization": f"Bearer {token}"})

        assert service.scopes[0]["linli.claims"] == claims
        assert Request(service.scopes[0]).headers["authorization"] == f"Bearer {token}"

    async def test_without_one_there_are_no_claims(self, service: Service, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/v1/orders")).status_code == 200
        assert "linli.claims" not in service.scopes[0]

    async def test_a_bad_one_is_refused_here(self, service: Service, client: httpx2.AsyncClient) -> None:
        good, _ = self.token()
        expired, _ = self.token(lasting=-1)
        stranger = {**json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate())), "kid": "test-1"}
        unknown, _ = self.token(key={**KEY, "kid": "test-2"})
        forged, _ = self.token(key=stranger)
        for token in [expired, unknown, forged, good[:-4], "x", "é", f"{good}, Bearer {good}"]:
            answer = await client.get("/v1/orders", headers=[(b"Authorization", f"Bearer {token}".encode())])
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token"), token
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert not service.scopes

    async def test_two_are_refused(self, service: Service, client: httpx2.AsyncClient) -> None:
        headers = [("Authorization", f"Bearer {self.token()[0]}") for _ in range(2)]

        assert (await client.get("/v1/orders", headers=headers)).status_code == 401
        assert not service.scopes

    async def test_expires_also_after_it_was_seen(self, client: httpx2.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {self.token(lasting=60)[0]}"}

        assert (await client.get("/v1/orders", headers=headers)).status_code == 200
        with clock.shifted(timedelta(seconds=61)):
            assert (await client.get("/v1/orders", headers=headers)).status_code == 401

    async def test_nobody_else_can_put_claims_into_the_scope(self, service: Service, gateway: ASGIApp) -> None:
        async def send(_: Message) -> None: ...
        async def receive() -> Message:
            return {"type": "http.request"}

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/v1/orders",
            "headers": [],
            "linli.claims": "forged",
            "linli.caller": "forged",
            "state": {},
        }

        await gateway(scope, receive, send)

        assert {name for name in service.scopes[0] if name.startswith("linli.")} == {"linli.request_id"}


class TestBodyLimit:
    """2,000 bytes; 5,000 and the room for multipart wrapping under /v1/files."""

    @pytest.mark.parametrize("path", ["/v1/orders", "/v1/sign-in/password", "/v1/filesystem"])
    async def test_one_byte_too_many_is_413(self, service: Service, client: httpx2.AsyncClient, path: str) -> None:
        answer = await client.post(path, content=b"x" * 2001)

        if path == "/v1/filesystem":
            assert answer.status_code == 404
            return
        assert (answer.status_code, answer.json()["code"], answer.json()["limit_bytes"]) == (
            413,
            "body_too_large",
            2000,
        )
        assert not service.scopes

    async def test_the_limit_itself_is_allowed(self, service: Service, client: httpx2.AsyncClient) -> None:
        assert (await client.post("/v1/orders", content=b"x" * 2000)).json() == {"length": 2000}

    async def test_uploads_have_their_own(self, service: Service, client: httpx2.AsyncClient) -> None:
        most = 5000 + api.main.MULTIPART_ROOM_BYTES

        assert (await client.post("/v1/files", content=b"x" * most)).status_code == 200
        assert (await client.post("/v1/files", content=b"x" * (most + 1))).status_code == 413

    @pytest.mark.parametrize("forwarded", [False, True], ids=["in process", "forwarded"])
    async def test_holds_for_a_body_that_does_not_say_its_length(
        self, service: Service, settings: Settings, *, forwarded: bool
    ) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(21):
                yield b"x" * 100

        async with (
            serving(service) as url,
            serving(gateway_over(url if forwarded else service, settings)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            answer = await client.post("/v1/orders", content=chunks())

        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert not service.bodies, "the service never had the whole of it"

    async def test_what_the_app_still_says_is_not_heard(self, settings: Settings) -> None:
        async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                return await live_without_resources(receive, send)
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass
            return await JSONResponse({"all": "well"})(scope, receive, send)

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x" * 1000

        async with serving(gateway_over(stubborn, settings)) as gateway, httpx2.AsyncClient(base_url=gateway) as client:
            answer = await client.post("/v1/orders", content=chunks())

        assert answer.status_code == 413

    async def test_no_100_continue_for_a_body_that_will_be_refused(self, gateway: ASGIApp) -> None:
        async with asyncio.timeout(5), serving(gateway) as url, calling(url) as line:
            await line.say(
                "POST /v1/orders HTTP/1.1\r\nHost: l\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n"
            )
            assert (await line.message()).line.startswith("HTTP/1.1 413 ")
