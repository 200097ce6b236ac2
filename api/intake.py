"""What may come in: the headers as the services are to see them, and how large a body may be."""

from collections.abc import Iterable
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis.errors import BodyTooLarge
from services.chassis.request_guard import sane_request_id
from services.chassis.tokens import bearer_token

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

_LONGEST_LENGTH = 20
"""Digits of a Content-Length that are worth reading: so many are too large anyway."""

Header = tuple[bytes, bytes]


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
        content_length=int(length[:_LONGEST_LENGTH]) if length.isdigit() else 0,
    )


class BodyGuard:
    """Lets a body through to an app as long as it keeps the limit.

    Once it breaks it, the app sees a client that went away and can begin no answer any more.
    """

    def __init__(self, receive: Receive, send: Send, *, limit_bytes: int) -> None:
        self._receive_unguarded = receive
        self._send_unguarded = send
        self._limit_bytes = limit_bytes
        self._received_bytes = 0
        self._is_answering = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Raises BodyTooLarge, unless the app had begun to answer before."""
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            if not self._is_broken:
                raise
        if self._is_broken and not self._is_answering:
            raise BodyTooLarge(limit_bytes=self._limit_bytes)

    @property
    def _is_broken(self) -> bool:
        return self._received_bytes > self._limit_bytes

    async def _receive(self) -> Message:
        if not self._is_broken:
            message = await self._receive_unguarded()
            self._received_bytes += len(message.get("body", b""))
            if not self._is_broken:
                return message
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._is_answering or not self._is_broken:
            self._is_answering = True
            await self._send_unguarded(message)
