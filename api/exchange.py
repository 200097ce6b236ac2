"""The client's side of one forwarded request: the body it sends, and the moment it goes away."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import ClassVar

from starlette.types import Message, Receive

from services.chassis.errors import Problem


class ServiceTimedOut(Problem):
    """The request may have been carried out."""

    status = 504
    code = "service_timed_out"
    zh = "服务响应超时，请用相同的 Idempotency-Key 重试。"
    en = "The service took too long; repeat the request with the same Idempotency-Key."


class BodyTooSlow(Problem):
    """The connection is closed: what may still come of the body belongs to nothing."""

    status = 408
    code = "body_too_slow"
    zh = "请求内容发送中断，请重试。"
    en = "The body stopped coming; please send the request again."
    headers: ClassVar[Mapping[str, str]] = {"Connection": "close"}


class ClientGone(Exception):
    """The client went away before the answer was complete: nobody is left to tell."""


class Exchange:
    """Bounds the work for one client: `async with Exchange(receive, patience_seconds=…) as exchange`.

    The block is cancelled, and left without an error, as soon as the client goes away. While a body is streamed,
    BodyTooSlow leaves the block if its next part does not come for `patience_seconds`, and ServiceTimedOut if nobody
    takes it for so long.
    """

    def __init__(self, receive: Receive, *, patience_seconds: float) -> None:
        self._receive = receive
        self._patience_seconds = patience_seconds
        self._answered = False
        self._reason: Exception | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> "Exchange":
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._stop_timer()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._reason is None:
            return kind is ClientGone
        if self._task.uncancel() > self._cancelling:
            return False  # cancelled from outside as well: that goes on
        if isinstance(self._reason, ClientGone):
            return True
        if kind is asyncio.CancelledError:
            raise self._reason
        return False

    async def body(self, *, expected: bool) -> bytes | AsyncIterator[bytes] | None:
        """The whole body if it came at once, else its chunks as they come; None if the request has none.

        Call it once. When the body ends, the watch for the client's going away begins.
        """
        if not expected:
            self._watch()
            return None
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if message.get("more_body", False):
            return self._chunks(message)
        self._watch()
        body: bytes = message.get("body", b"")
        return body

    def answered(self) -> None:
        """The answer has begun: what the service did not take of the body by now, it need not take any more."""
        self._answered = True
        self._stop_timer()

    async def _chunks(self, message: Message) -> AsyncIterator[bytes]:
        while True:
            if chunk := message.get("body", b""):
                self._start_timer(ServiceTimedOut())
                yield chunk
            if not message.get("more_body", False):
                self._stop_timer()
                self._watch()
                return
            self._start_timer(BodyTooSlow())
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._interrupt(ClientGone())
                raise ClientGone

    def _watch(self) -> None:
        self._watcher = asyncio.create_task(self._wait_for_disconnect())

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._interrupt(ClientGone())

    def _interrupt(self, reason: Exception) -> None:
        if self._reason is None:
            self._reason = reason
            self._task.cancel()

    def _start_timer(self, reason: Problem) -> None:
        self._stop_timer()
        if not self._answered:
            self._timer = asyncio.get_running_loop().call_later(self._patience_seconds, self._interrupt, reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
