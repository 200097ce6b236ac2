"""What may come in: the headers as the services are to see them, and how large and how slow a body may be."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis.errors import BodyTooLarge, Problem
from services.chassis.request_guard import sane_request_id
from services.chassis.tokens import bearer_token

BODY_PAUSE_SECONDS: Final = 30.0
"""How long the client may send nothing while its body is not complete."""

_READ = frozenset({b"accept-language", b"authorization", b"content-length", b"transfer-encoding", b"x-request-id"})

_NOT_KEPT = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
    }
)
"""What the client says of itself, and the id that is set anew.

Where a trusted proxy stands in front, the server has read these headers already: its word is in `scope["client"]`.
"""

Header = tuple[bytes, bytes]


class BodyTooSlow(Problem):
    """The connection is closed: what may still come of the body belongs to nothing."""

    status = 408
    code = "body_too_slow"
    zh = "请求内容发送中断，请重试。"
    en = "The body stopped coming; please send the request again."
    headers: ClassVar[Mapping[str, str]] = {"Connection": "close"}


class Intake(NamedTuple):
    """What the gateway reads in the headers of a request."""

    headers: list[Header]
    """What the service gets: nothing forged, and the request id."""
    request_id: str
    token: str | None
    accept_language: str
    has_body: bool
    content_length: int
    """0 if the request does not say."""


def read_headers(headers: Iterable[Header]) -> Intake:
    """Never fails: what is wrong with a value shows where it is used."""
    kept: list[Header] = []
    read: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _READ:
            # Said twice means said as a list (RFC 9110 §5.3): two tokens are then no token.
            read[name] = read[name] + b", " + value if name in read else value
        if name not in _NOT_KEPT:
            kept.append((name, value))
    request_id = sane_request_id(read.get(b"x-request-id", b"").decode("latin-1"))
    kept.append((b"x-request-id", request_id.encode("ascii")))
    length = read.get(b"content-length", b"")
    return Intake(
        headers=kept,
        request_id=request_id,
        token=bearer_token(read[b"authorization"].decode("latin-1")) if b"authorization" in read else None,
        accept_language=read.get(b"accept-language", b"").decode("latin-1"),
        has_body=bool(length) or b"transfer-encoding" in read,
        content_length=int(length) if length.isdigit() else 0,
    )


class BodyGuard:
    """Lets a body through to an app as long as it keeps the limits.

    Once it breaks one, the app sees a client that went away and can begin no answer any more.
    """

    def __init__(self, receive: Receive, send: Send, *, limit_bytes: int, pause_seconds: float) -> None:
        self._receive_unguarded = receive
        self._send_unguarded = send
        self._limit_bytes = limit_bytes
        self._pause_seconds = pause_seconds
        self._received_bytes = 0
        self._is_complete = False
        self._is_answering = False
        self._refusal: Problem | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Raises BodyTooLarge or BodyTooSlow, unless the app had begun to answer before."""
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            if self._refusal is None:
                raise
        if self._refusal is not None and not self._is_answering:
            raise self._refusal

    async def _receive(self) -> Message:
        if self._refusal is not None:
            return {"type": "http.disconnect"}
        if self._is_complete:
            return await self._receive_unguarded()
        try:
            async with asyncio.timeout(self._pause_seconds):
                message = await self._receive_unguarded()
        except TimeoutError:
            return self._refuse(BodyTooSlow())
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self._limit_bytes:
            return self._refuse(BodyTooLarge(limit_bytes=self._limit_bytes))
        self._is_complete = not message.get("more_body", False)
        return message

    async def _send(self, message: Message) -> None:
        if self._refusal is None or self._is_answering:
            self._is_answering = True
            await self._send_unguarded(message)

    def _refuse(self, problem: Problem) -> Message:
        self._refusal = problem
        return {"type": "http.disconnect"}
