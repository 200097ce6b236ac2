"""Carries one request to a service in another process and brings the answer back unchanged."""

from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Final

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict
from starlette.types import Receive, Scope, Send
from yarl import URL

from api.exchange import Exchange, ServiceTimedOut
from services.chassis.errors import Problem

CONNECT_SECONDS: Final = 5.0
"""How long a connection to a service, or a free place among MAX_CONNECTIONS, may take."""

IDLE_SECONDS: Final = 4.0
"""A pooled connection is closed before the service's own server closes it (uvicorn: 5 s), so that few go stale."""

MAX_CONNECTIONS: Final = 256

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Only these are sent a second time, and only when a connection broke before any answer came."""

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers about one connection, not about the message (RFC 9110 §7.6.1)."""

_NOT_FORWARDED = HOP_BY_HOP | {b"expect"}  # the gateway's own server has answered it
_NOT_RETURNED = HOP_BY_HOP | {b"date", b"server"}  # the gateway's own server writes them
_BODILESS_STATUSES = frozenset({204, 304})

_NEVER_NAMED = frozenset({b"content-length", b"host", b"x-request-id"})
"""No Connection header can have these dropped."""

Headers = Iterable[tuple[bytes, bytes]]


class ServiceUnreachable(Problem):
    """Nothing was sent."""

    status = 502
    code = "service_unreachable"
    zh = "服务暂时无法连接，请稍后重试。"
    en = "The service cannot be reached; please try again."


class AnswerLost(Problem):
    """The request may have been carried out."""

    status = 502
    code = "answer_lost"
    zh = "服务未返回结果，请用相同的 Idempotency-Key 重试。"
    en = "The service's answer was lost; repeat the request with the same Idempotency-Key."


class UnreadableHeader(Problem):
    code = "unreadable_header"
    zh = "请求头不是 UTF-8 编码。"
    en = "A request header is not UTF-8."


class AnswerCutShort(Exception):
    """The service stopped in the middle of its answer. What was sent of it must not look complete."""


class _ConnectionBroke(aiohttp.ClientError):
    """A connection ended before any answer. Not one of the errors on which aiohttp repeats a request by itself."""


async def _never_repeat(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp repeats GET, HEAD, OPTIONS, PUT and DELETE when a connection breaks; the Forwarder decides itself."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionBroke from error


class Forwarder:
    """A service in another process, as an ASGI app: `http://host:port` or `unix:/path`.

    Bodies are streamed both ways. Path, query, headers and status go through as they were sent, except what concerns
    one connection only. While nothing has been answered yet, raises ServiceUnreachable, AnswerLost, ServiceTimedOut or
    BodyTooSlow, afterwards AnswerCutShort. Open it as a context manager, in the event loop that uses it.
    """

    def __init__(self, name: str, url: str, *, timeout_seconds: float) -> None:
        """Raises ValueError for any other kind of URL."""
        if not url.startswith(("http://", "https://", "unix:/")):
            raise ValueError(f"the upstream of {name} is neither http://host:port nor unix:/path: {url!r}")
        self._socket = url.removeprefix("unix:") if url.startswith("unix:") else None
        self._origin = "http://localhost" if self._socket else url.rstrip("/")
        self._timeout_seconds = timeout_seconds

    async def __aenter__(self) -> "Forwarder":
        self._pooled = self._session(reuse=True)
        self._fresh = self._session(reuse=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pooled.close()
        await self._fresh.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with Exchange(receive, patience_seconds=self._timeout_seconds) as exchange:
            body = await exchange.body(expected=_has_body(scope["headers"]))
            answer = await self._ask(scope, body)
            exchange.answered()
            try:
                await _hand_back(answer, send)
            finally:
                answer.close()

    async def _ask(self, scope: Scope, body: bytes | AsyncIterator[bytes] | None) -> aiohttp.ClientResponse:
        try:
            try:
                return await self._send(self._pooled, scope, body)
            except _ConnectionBroke:
                if body is not None or scope["method"] not in SAFE_METHODS:
                    raise
                return await self._send(self._fresh, scope, None)
        except TimeoutError as error:
            raise ServiceTimedOut from error
        except aiohttp.ClientConnectorError as error:
            raise ServiceUnreachable from error
        except (aiohttp.ClientError, OSError) as error:
            raise AnswerLost from error

    async def _send(
        self, session: aiohttp.ClientSession, scope: Scope, body: bytes | AsyncIterator[bytes] | None
    ) -> aiohttp.ClientResponse:
        target = scope["raw_path"].decode("ascii")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("ascii")
        return await session.request(
            scope["method"],
            URL(self._origin + target, encoded=True),
            headers=_request_headers(scope),
            data=body,
            allow_redirects=False,
        )

    def _session(self, *, reuse: bool) -> aiohttp.ClientSession:
        keep = {"keepalive_timeout": IDLE_SECONDS} if reuse else {"force_close": True}
        connector: aiohttp.BaseConnector
        if self._socket:
            connector = aiohttp.UnixConnector(self._socket, limit=MAX_CONNECTIONS, **keep)
        else:
            connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, **keep)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=(hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=self._timeout_seconds
            ),
            middlewares=(_never_repeat,),
        )


def _has_body(headers: Headers) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _request_headers(scope: Scope) -> CIMultiDict[str]:
    try:
        headers = CIMultiDict(
            (name.decode("ascii"), value.decode()) for name, value in _end_to_end(scope["headers"], _NOT_FORWARDED)
        )
    except UnicodeDecodeError as error:
        raise UnreadableHeader from error
    headers["X-Forwarded-Proto"] = scope["scheme"]
    if scope.get("client"):
        headers["X-Forwarded-For"] = scope["client"][0]
    return headers


def _response_headers(answer: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    lowered = [(name.lower(), value) for name, value in answer.raw_headers]
    dropped = _NOT_RETURNED
    if answer.status in _BODILESS_STATUSES:
        dropped = dropped | {b"content-length"}  # the server would wait for as many bytes
    return _end_to_end(lowered, dropped)


def _end_to_end(headers: Headers, dropped: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Without what is `dropped`, and without what the sender's Connection header names as meant for one hop only."""
    for name, value in headers:
        if name == b"connection":
            named = {token.strip().lower() for token in value.split(b",")}
            dropped = dropped | (named - _NEVER_NAMED)
    return [(name, value) for name, value in headers if name not in dropped]


async def _hand_back(answer: aiohttp.ClientResponse, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _response_headers(answer)})
    content, more = answer.content, True
    while more:
        try:
            chunk = await content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnswerCutShort from error
        more = not content.at_eof()
        await send({"type": "http.response.body", "body": chunk, "more_body": more})
