"""What the gateway does between two sockets: each rule of carrying a request and its answer, against real servers."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from api.forwarding import HOP_BY_HOP
from tests.api.upstreams import Heard, Line, RawServer, calling, gateway_over, serving, settings_for

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Recorder(RawServer):
    """Answers every request with the same text and remembers what it heard."""

    def __init__(self, answer: str | bytes = OK) -> None:
        super().__init__(self._record)
        self.answer = answer

    async def _record(self, line: Line) -> None:
        while True:
            self.heard.append(await line.message())
            await line.say(self.answer)


@pytest.fixture(scope="module")
async def shared_recorder() -> AsyncIterator[Recorder]:
    async with Recorder() as server:
        yield server


@pytest.fixture(scope="module")
async def gateway(shared_recorder: Recorder) -> AsyncIterator[str]:
    async with serving(gateway_over(shared_recorder.url)) as url:
        yield url


@pytest.fixture
def recorder(shared_recorder: Recorder) -> Recorder:
    """What stands behind `gateway`, with nothing heard yet."""
    shared_recorder.heard.clear()
    shared_recorder.answer = OK
    return shared_recorder


async def ask(gateway: str, *texts: str | bytes) -> Heard:
    """What comes back for these bytes."""
    async with asyncio.timeout(10), calling(gateway) as line:
        await line.say(*texts)
        return await line.message()


async def said_before_it_stalls(line: Line, size: int) -> int:
    """How many of `size` bytes can be said until nobody takes any for a second."""
    said = 0
    with contextlib.suppress(TimeoutError):
        while said < size:
            async with asyncio.timeout(1):
                await line.say(b"x" * 100_000)
            said += 100_000
    return said


def problem_code(answer: httpx2.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


class TestRequestLine:
    @pytest.mark.parametrize(
        "target",
        [
            "/v1/orders",
            "/v1/orders/",
            "/v1/orders/%E4%B8%AD%e6%96%87%2F..%2f%20",
            "/v1/orders//a/../b/./c",
            "/v1/orders/;p=1,2!$&'()*+:@~",
            "/v1/orders?q=%20+a%26b&q=2&&q=&=%zz",
            '/v1/orders/%00?a=[1]{2}|^`"<>',
            "/v1/%6Frders?%61",
            "/v1/orders?next=http://elsewhere/?x=1",
        ],
    )
    async def test_goes_through_byte_for_byte(self, recorder: Recorder, gateway: str, target: str) -> None:
        await ask(gateway, f"GET {target} HTTP/1.1\r\nHost: linli\r\n\r\n")

        assert recorder.heard[0].line == f"GET {target} HTTP/1.1"

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
    async def test_keeps_the_method(self, recorder: Recorder, gateway: str, method: str) -> None:
        await ask(gateway, f"{method} /v1/orders HTTP/1.1\r\nHost: linli\r\nContent-Length: 0\r\n\r\n")

        assert recorder.heard[0].line.startswith(f"{method} ")


class TestRequestHeaders:
    async def test_go_through_and_nothing_is_made_up(self, recorder: Recorder, gateway: str) -> None:
        await ask(
            gateway,
            'GET /v1/orders HTTP/1.1\r\nHost: linli.example:8443\r\nX-Request-Id: r-1\r\nIf-None-Match: "七"\r\n\r\n',
        )

        assert sorted(recorder.heard[0].headers) == [
            ("host", "linli.example:8443"),
            ("if-none-match", '"七"'),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "r-1"),
        ]

    async def test_repeated_ones_stay_repeated_and_in_order(self, recorder: Recorder, gateway: str) -> None:
        await ask(
            gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\nX-Tag: b\r\nX-Other: 1\r\nX-Tag: a\r\nX-Tag: b\r\n\r\n"
        )

        assert recorder.heard[0].all("x-tag") == ["b", "a", "b"]

    async def test_those_of_one_hop_are_dropped(self, recorder: Recorder, gateway: str) -> None:
        own = {name.decode(): "x" for name in HOP_BY_HOP} | {
            "connection": "keep-alive, X-Mine ,te",
            "transfer-encoding": "chunked",
            "upgrade": "h2c",
            "x-mine": "1",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())

        await ask(gateway, f"POST /v1/orders HTTP/1.1\r\nHost: l\r\nX-Kept: 1\r\n{lines}\r\n0\r\n\r\n")

        heard = recorder.heard[0]
        assert {name for name, _ in heard.headers}.isdisjoint(own)
        assert heard.all("x-kept") == ["1"]

    async def test_connection_cannot_take_away_what_is_not_its_own(self, recorder: Recorder, gateway: str) -> None:
        await ask(
            gateway,
            "POST /v1/orders HTTP/1.1\r\nHost: linli\r\nX-Request-Id: r-1\r\nContent-Length: 2\r\n"
            "Connection: X-Request-Id, Content-Length, Host, X-Forwarded-For\r\n\r\nhi",
        )

        heard = recorder.heard[0]
        assert heard.all("x-request-id") == ["r-1"]
        assert heard.all("host") == ["linli"]
        assert heard.all("x-forwarded-for") == ["127.0.0.1"]
        assert heard.body == b"hi"

    async def test_who_the_client_is_cannot_be_forged(self, recorder: Recorder, gateway: str) -> None:
        await ask(
            gateway,
            "GET /v1/orders HTTP/1.1\r\nHost: l\r\nX-Forwarded-For: 8.8.8.8\r\nx-forwarded-for: 9.9.9.9\r\n"
            "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Real-IP: 8.8.8.8\r\nForwarded: for=8.8.8.8\r\n"
            "\r\n",
        )

        heard = recorder.heard[0]
        assert heard.all("x-forwarded-for") == ["127.0.0.1"]
        assert heard.all("x-forwarded-proto") == ["http"]
        assert not heard.all("x-forwarded-host") + heard.all("x-real-ip") + heard.all("forwarded")

    async def test_one_that_is_not_utf8_is_refused(self, recorder: Recorder, gateway: str) -> None:
        answer = await ask(gateway, b"GET /v1/orders HTTP/1.1\r\nHost: l\r\nX-Name: \xff\r\n\r\n")

        assert answer.line == "HTTP/1.1 400 Bad Request"
        assert b"unreadable_header" in answer.body
        assert not recorder.heard


class TestRequestBody:
    async def test_with_a_length_keeps_its_length(self, recorder: Recorder, gateway: str) -> None:
        await ask(gateway, "POST /v1/orders HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\nhello")

        assert recorder.heard[0].body == b"hello"
        assert recorder.heard[0].all("content-length") == ["5"]
        assert recorder.heard[0].all("transfer-encoding") == []

    async def test_in_chunks_comes_whole(self, recorder: Recorder, gateway: str) -> None:
        await ask(
            gateway,
            "POST /v1/orders HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        )

        assert recorder.heard[0].body == b"hello"

    async def test_none_stays_none(self, recorder: Recorder, gateway: str) -> None:
        await ask(gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")

        assert recorder.heard[0].all("content-length") == recorder.heard[0].all("transfer-encoding") == []

    async def test_a_get_may_have_one(self, recorder: Recorder, gateway: str) -> None:
        await ask(gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\nContent-Length: 2\r\n\r\nhi")

        assert recorder.heard[0].body == b"hi"

    @pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
    async def test_is_passed_on_while_it_comes(self, framing: str) -> None:
        def framed(text: str) -> str:
            return text if "Length" in framing else f"5\r\n{text}\r\n"

        async def behave(line: Line) -> None:
            head = await line.head()
            async with asyncio.timeout(2):
                first = await (line.chunk() if head.all("transfer-encoding") else line.reader.readexactly(5))
            half.set_result(first)
            await (line.chunk() if head.all("transfer-encoding") else line.reader.readexactly(5))
            await line.say(OK)

        half = asyncio.get_running_loop().create_future()
        async with RawServer(behave) as server, serving(gateway_over(server.url)) as gateway, calling(gateway) as line:
            await line.say(f"POST /v1/orders HTTP/1.1\r\nHost: l\r\n{framing}\r\n\r\n", framed("first"))
            assert await asyncio.wait_for(half, 3) == b"first"
            await line.say(framed("again"), "" if "Length" in framing else "0\r\n\r\n")
            assert (await line.message()).body == b"ok"

    async def test_is_not_gathered_before_a_slow_service_takes_it(self) -> None:
        async def behave(line: Line) -> None:
            await line.head()
            await asyncio.sleep(60)

        size = 60_000_000
        settings = settings_for(max_upload_bytes=size)
        async with (
            RawServer(behave) as server,
            serving(gateway_over(server.url, settings)) as gateway,
            calling(gateway) as line,
        ):
            await line.say(f"POST /v1/files HTTP/1.1\r\nHost: l\r\nContent-Length: {size}\r\n\r\n")
            assert await said_before_it_stalls(line, size) < size / 2
            line.reset()

    async def test_expect_100_continue_is_answered_here(self, recorder: Recorder, gateway: str) -> None:
        async with asyncio.timeout(5), calling(gateway) as line:
            await line.say("POST /v1/orders HTTP/1.1\r\nHost: l\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert (await line.head()).line == "HTTP/1.1 100 Continue"
            await line.say("hi")
            assert (await line.message()).body == b"ok"

        assert recorder.heard[0].body == b"hi"
        assert recorder.heard[0].all("expect") == []

    async def test_a_service_may_refuse_before_the_body_is_there(self) -> None:
        async def behave(line: Line) -> None:
            await line.head()
            await line.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            await asyncio.sleep(60)

        async with RawServer(behave) as server, serving(gateway_over(server.url)) as gateway:
            answer = await ask(gateway, "POST /v1/orders HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\nhe")

        assert answer.line == "HTTP/1.1 403 Forbidden"
        assert answer.body == b"no"

    async def test_a_slow_refusal_is_heard_to_its_end(self) -> None:
        async def behave(line: Line) -> None:
            await line.head()
            await line.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n")
            for letter in "never":
                await asyncio.sleep(0.15)
                await line.say(letter)

        settings = settings_for(upstream_timeout_seconds=0.3)
        async with RawServer(behave) as server, serving(gateway_over(server.url, settings)) as gateway:
            answer = await ask(gateway, "POST /v1/orders HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\nhe")

        assert answer.body == b"never"


class TestAnswer:
    @pytest.mark.parametrize("status", [200, 201, 303, 307, 401, 404, 409, 422, 500, 503])
    async def test_status_and_body_go_through(self, recorder: Recorder, gateway: str, status: int) -> None:
        recorder.answer = f"HTTP/1.1 {status} Said\r\nLocation: /v1/orders/7\r\nContent-Length: 4\r\n\r\nbody"

        async with httpx2.AsyncClient(base_url=gateway) as client:
            answer = await client.get("/v1/orders")

        assert (answer.status_code, answer.content) == (status, b"body")
        assert answer.headers["location"] == "/v1/orders/7"
        assert len(recorder.heard) == 1, "redirects are the client's affair"

    async def test_repeated_headers_stay_repeated(self, recorder: Recorder, gateway: str) -> None:
        recorder.answer = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=中\r\nContent-Length: 0\r\n\r\n"

        answer = await ask(gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")

        assert answer.all("set-cookie") == ["a=1; Path=/", "b=中"]

    async def test_no_cookie_is_remembered(self, recorder: Recorder, gateway: str) -> None:
        recorder.answer = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nContent-Length: 0\r\n\r\n"

        for _ in range(2):
            await ask(gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")

        assert recorder.heard[1].all("cookie") == []

    async def test_headers_of_one_hop_are_dropped(self, recorder: Recorder, gateway: str) -> None:
        recorder.answer = (
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Mine\r\nKeep-Alive: timeout=9\r\nX-Mine: 1\r\nX-Kept: 1\r\n"
            "Proxy-Authenticate: Basic\r\nTrailer: X-T\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
            "2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"
        )

        answer = await ask(gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")

        own = {"connection", "keep-alive", "x-mine", "proxy-authenticate", "trailer", "upgrade"}
        assert {name for name, _ in answer.headers}.isdisjoint(own)
        assert answer.all("x-kept") == ["1"]
        assert answer.all("transfer-encoding") == ["chunked"], "the gateway's own framing"
        assert answer.body == b"ok"

    async def test_server_and_date_are_said_once(self, recorder: Recorder, gateway: str) -> None:
        recorder.answer = (
            "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: x\r\nContent-Length: 0\r\n\r\n"
        )

        answer = await ask(gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")

        assert len(answer.all("date")) == len(answer.all("server")) == 1

    async def test_a_compressed_body_stays_compressed(self, recorder: Recorder, gateway: str) -> None:
        packed = gzip.compress(b"hello" * 100)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        recorder.answer = head.encode() + packed

        answer = await ask(gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")

        assert answer.body == packed
        assert answer.all("content-encoding") == ["gzip"]
        assert answer.all("content-length") == [str(len(packed))]

    async def test_to_head_tells_the_length_and_sends_nothing(self, recorder: Recorder, gateway: str) -> None:
        recorder.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"

        async with asyncio.timeout(5), calling(gateway) as line:
            for _ in range(2):  # the second shows that both connections are still in step
                await line.say("HEAD /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")
                assert (await line.head()).all("content-length") == ["1234"]

    @pytest.mark.parametrize(
        "head", ["204 No Content\r\n", '304 Not Modified\r\nETag: "1"\r\n', "304 Not Modified\r\nContent-Length: 9\r\n"]
    )
    async def test_without_a_body_keeps_the_connection_in_step(
        self, recorder: Recorder, gateway: str, head: str
    ) -> None:
        recorder.answer = f"HTTP/1.1 {head}\r\n"

        async with asyncio.timeout(5), calling(gateway) as line:
            for _ in range(2):
                await line.say("GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")
                assert (await line.head()).line == f"HTTP/1.1 {head.splitlines()[0]}"

    async def test_is_passed_on_while_it_comes(self) -> None:
        async def behave(line: Line) -> None:
            await line.head()
            await line.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            await more.wait()
            await line.say("again")

        more = asyncio.Event()
        async with (
            RawServer(behave) as server,
            serving(gateway_over(server.url)) as gateway,
            httpx2.AsyncClient(base_url=gateway, timeout=3) as client,
            client.stream("GET", "/v1/orders") as answer,
        ):
            chunks = answer.aiter_raw()
            assert await anext(chunks) == b"first"
            more.set()
            assert await anext(chunks) == b"again"

    async def test_is_not_gathered_for_a_slow_client(self) -> None:
        size = 60_000_000
        said = 0

        async def behave(line: Line) -> None:
            nonlocal said
            await line.head()
            await line.say(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
            while said < size:
                await line.say(b"x" * 100_000)
                said += 100_000

        async with RawServer(behave) as server, serving(gateway_over(server.url)) as gateway, calling(gateway) as line:
            await line.say("GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")
            await line.head()
            before = -1
            while before < said:
                before = said
                await asyncio.sleep(0.3)

        assert said < size / 2

    async def test_until_the_connection_closes_is_whole_when_it_closes(self) -> None:
        async def behave(line: Line) -> None:
            await line.head()
            await line.say("HTTP/1.0 200 OK\r\n\r\nas long as it lasts")

        async with RawServer(behave) as server, serving(gateway_over(server.url)) as gateway:
            answer = await ask(gateway, "GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")

        assert answer.body == b"as long as it lasts"


class TestFailures:
    async def test_a_refused_connection_is_502(self) -> None:
        async with RawServer(_hang_up) as server:
            url = server.url

        async with serving(gateway_over(url)) as gateway, httpx2.AsyncClient(base_url=gateway) as client:
            answer = await client.post("/v1/orders", content=b"{}")

        assert (answer.status_code, problem_code(answer)) == (502, "service_unreachable")

    async def test_silence_is_504(self) -> None:
        async def behave(line: Line) -> None:
            await line.message()
            await asyncio.sleep(60)

        settings = settings_for(upstream_timeout_seconds=0.2)
        async with (
            RawServer(behave) as server,
            serving(gateway_over(server.url, settings)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            for _ in range(2):
                answer = await client.post("/v1/orders", content=b"{}")
                assert (answer.status_code, problem_code(answer)) == (504, "service_timed_out")
            assert server.connections == 2, "a connection with an answer outstanding is not used again"

    async def test_a_body_that_nobody_takes_is_504(self) -> None:
        async def behave(line: Line) -> None:
            line.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(60)

        settings = settings_for(upstream_timeout_seconds=0.3, max_upload_bytes=60_000_000)
        async with (
            RawServer(behave) as server,
            serving(gateway_over(server.url, settings)) as gateway,
            httpx2.AsyncClient(base_url=gateway, timeout=10) as client,
        ):
            answer = await client.post("/v1/files", content=b"x" * 50_000_000)

        assert (answer.status_code, problem_code(answer)) == (504, "service_timed_out")

    async def test_a_body_that_stops_coming_is_408(self) -> None:
        async def behave(line: Line) -> None:
            received.set_result(await line.message())

        received = asyncio.get_running_loop().create_future()
        settings = settings_for(upstream_timeout_seconds=0.3)
        async with (
            asyncio.timeout(5),
            RawServer(behave) as server,
            serving(gateway_over(server.url, settings)) as gateway,
            calling(gateway) as line,
        ):
            await line.say("POST /v1/orders HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\nhe")
            answer = await line.message()
            assert await line.ended()

        assert answer.line == "HTTP/1.1 408 Request Timeout"
        assert b"body_too_slow" in answer.body
        assert not received.result().is_whole

    async def test_a_slow_body_is_not_a_slow_service(self, recorder: Recorder) -> None:
        settings = settings_for(upstream_timeout_seconds=0.3)
        async with serving(gateway_over(recorder.url, settings)) as gateway, calling(gateway) as line:
            await line.say("POST /v1/orders HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\n")
            for letter in "hello":
                await line.say(letter)
                await asyncio.sleep(0.15)
            assert (await line.message()).body == b"ok"

        assert recorder.heard[0].body == b"hello"

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_a_lost_answer_is_502_and_nothing_is_repeated(self, method: str) -> None:
        async with (
            RawServer(_hang_up_after_reading) as server,
            serving(gateway_over(server.url)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            answer = await client.request(method, "/v1/orders")

        assert (answer.status_code, problem_code(answer)) == (502, "answer_lost")
        assert server.connections == 1

    async def test_what_is_not_http_is_502(self) -> None:
        async with (
            Recorder("SSH-2.0-OpenSSH_9.2\r\n\r\n") as server,
            serving(gateway_over(server.url)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            answer = await client.post("/v1/orders")

        assert (answer.status_code, problem_code(answer)) == (502, "answer_lost")
        assert len(server.heard) == 1

    @pytest.mark.parametrize(
        "beginning",
        [
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ],
        ids=["length", "chunked"],
    )
    @pytest.mark.parametrize("ending", ["close", "reset", "silence"])
    async def test_half_an_answer_never_looks_whole(
        self, beginning: str, ending: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def behave(line: Line) -> None:
            await line.message()
            await line.say(beginning)
            await asyncio.sleep(0.05)
            if ending == "silence":
                await asyncio.sleep(60)
            if ending == "reset":
                line.reset()

        settings = settings_for(upstream_timeout_seconds=0.3)
        async with (
            RawServer(behave) as server,
            serving(gateway_over(server.url, settings)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.get("/v1/orders")

        assert server.connections == 1, "what has begun is not asked again"
        assert "an answer of /v1/orders was cut short" in caplog.text


class TestPooledConnections:
    @staticmethod
    def stale(crowd: int = 1) -> RawServer:
        """Answers its first `crowd` connections together, and closes each when it is used for a second time."""
        together = asyncio.Barrier(crowd)

        async def behave(line: Line) -> None:
            is_first = server.connections <= crowd
            await line.message()
            if is_first:
                await together.wait()
            await line.say(OK)
            await line.head()
            server.lost += 1

        server = RawServer(behave)
        return server

    async def test_a_get_lost_on_a_stale_one_is_sent_again_on_a_fresh_one(self) -> None:
        async with (
            self.stale(crowd=3) as server,
            serving(gateway_over(server.url)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            await asyncio.gather(*(client.get("/v1/orders") for _ in range(3)))
            answer = await client.get("/v1/orders")

        assert answer.status_code == 200
        assert (server.connections, server.lost) == (4, 1), "the next one of the pool might be stale too"

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_what_changes_something_is_not_sent_again(self, method: str) -> None:
        async with (
            self.stale() as server,
            serving(gateway_over(server.url)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            await client.get("/v1/orders")
            answer = await client.request(method, "/v1/orders")

        assert (answer.status_code, problem_code(answer)) == (502, "answer_lost")
        assert (server.connections, server.lost) == (1, 1)

    async def test_one_that_was_closed_while_idle_is_not_used(self) -> None:
        async def behave(line: Line) -> None:
            await line.message()
            await line.say(OK)

        async with (
            RawServer(behave) as server,
            serving(gateway_over(server.url)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            for _ in range(3):
                assert (await client.post("/v1/orders")).status_code == 200
                await asyncio.sleep(0.02)

        assert server.connections == 3

    async def test_live_ones_are_used_again(self) -> None:
        async with (
            Recorder() as server,
            serving(gateway_over(server.url)) as gateway,
            httpx2.AsyncClient(base_url=gateway) as client,
        ):
            for _ in range(5):
                await client.post("/v1/orders", content=b"{}")

        assert server.connections == 1


class TestClientGoesAway:
    @pytest.mark.parametrize("request_body", ["", "hello"], ids=["no body", "whole body"])
    async def test_while_it_waits(self, request_body: str) -> None:
        async def behave(line: Line) -> None:
            await line.message()
            arrived.set()
            left.set_result(await line.ended())

        arrived, left = asyncio.Event(), asyncio.get_running_loop().create_future()
        async with RawServer(behave) as server, serving(gateway_over(server.url)) as gateway:
            async with calling(gateway) as line:
                await line.say(f"POST /v1/orders HTTP/1.1\r\nHost: l\r\nContent-Length: {len(request_body)}\r\n\r\n")
                await line.say(request_body)
                await asyncio.wait_for(arrived.wait(), 3)
            assert await asyncio.wait_for(left, 5), "the service is told that nobody waits any more"

    async def test_in_the_middle_of_its_body(self) -> None:
        async def behave(line: Line) -> None:
            received.set_result(await line.message())

        received = asyncio.get_running_loop().create_future()
        async with RawServer(behave) as server, serving(gateway_over(server.url)) as gateway:
            async with calling(gateway) as line:
                await line.say(
                    "POST /v1/orders HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                )
                await asyncio.sleep(0.1)
            heard = await asyncio.wait_for(received, 5)

        assert not heard.is_whole, "half a body must not look whole to the service"

    async def test_in_the_middle_of_the_answer(self) -> None:
        async def behave(line: Line) -> None:
            await line.message()
            await line.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            left.set_result(await line.ended())

        left = asyncio.get_running_loop().create_future()
        async with RawServer(behave) as server, serving(gateway_over(server.url)) as gateway:
            async with calling(gateway) as line:
                await line.say("GET /v1/orders HTTP/1.1\r\nHost: l\r\n\r\n")
                await line.head()
            assert await asyncio.wait_for(left, 5)


async def test_a_service_on_a_unix_socket(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
        await send({"type": "http.response.body", "body": body[::-1]})

    async with (
        serving(app, unix=str(tmp_path / "orders.sock")) as url,
        serving(gateway_over(url)) as gateway,
        httpx2.AsyncClient(base_url=gateway) as client,
    ):
        answer = await client.post("/v1/orders/%2F", content=b"abc")

    assert (answer.status_code, answer.text, answer.headers["x-path"]) == (200, "cba", "/v1/orders/%2F")


async def test_many_at_once_do_not_mix() -> None:
    async def behave(line: Line) -> None:
        while True:
            heard = await line.message()
            await asyncio.sleep(len(heard.body) % 7 / 1000)
            await line.say(f"HTTP/1.1 200 OK\r\nContent-Length: {len(heard.body)}\r\n\r\n", heard.body)

    async with (
        RawServer(behave) as server,
        serving(gateway_over(server.url)) as gateway,
        httpx2.AsyncClient(base_url=gateway) as client,
    ):
        texts = [f"{number}-{'x' * number}" for number in range(100)]
        answers = await asyncio.gather(*(client.post("/v1/orders", content=text.encode()) for text in texts))

    assert [answer.text for answer in answers] == texts


async def _hang_up(line: Line) -> None:
    """Accepts and closes."""


async def _hang_up_after_reading(line: Line) -> None:
    await line.message()
