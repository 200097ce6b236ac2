"""The load: keep-alive connections over raw sockets, as many requests as the server takes or at a steady rate.

One process on asyncio; it costs about 20 µs of its core per request, so it is not what is measured. A latency runs
from the moment a request is due to the last byte of its answer.
"""

import asyncio
import gc
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

TICK_SECONDS = 0.001
ANSWER_TIMEOUT_SECONDS = 30.0


@dataclass
class Load:
    """What one run of requests came to."""

    seconds: float = 0.0
    """From the first to the last answer that counts."""
    latencies_seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    """Of every answer, those of the warm-up and of the end too. 0 stands for no answer."""
    first_error: str = ""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies_seconds) / self.seconds if self.seconds else 0.0

    @property
    def errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if not 200 <= status < 300)

    @property
    def successes(self) -> int:
        return self.statuses.total() - self.errors

    def percentile_ms(self, percent: float) -> float:
        """The latency that `percent` of the requests kept within."""
        return 1000 * percentile(sorted(self.latencies_seconds), percent)


def percentile(ordered: list[float], percent: float) -> float:
    """By nearest rank; 0 when there is nothing."""
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


async def at_full_rate(port: int, requests: Iterator[bytes], *, clients: int, seconds: float, warm_up: float) -> Load:
    """Every connection sends its next request as soon as it has its answer. Ends early when the requests run out."""
    run = _Run(requests)
    async with run.connected(port, clients):
        run.begin(warm_up=warm_up, seconds=seconds)
        for connection in list(run.idle):
            run.send_next(connection)
        await run.all_answered()
    return run.load


async def at_steady_rate(port: int, requests: Iterator[bytes], *, clients: int, seconds: float, rate: float) -> Load:
    """`rate` requests per second, whether answers keep up or not: waiting for a free connection counts."""
    run = _Run(requests, is_paced=True)
    async with run.connected(port, clients):
        begun_at = run.begin(seconds=seconds)
        issued = 0
        while (now := time.perf_counter()) < run.ends_at and not run.is_exhausted:
            due = int((now - begun_at) * rate) - issued
            issued += due
            run.due.extend([now] * due)
            run.send_due()
            await asyncio.sleep(TICK_SECONDS)
        await run.all_answered()
    return run.load


class _Run:
    def __init__(self, requests: Iterator[bytes], *, is_paced: bool = False) -> None:
        self.load = Load()
        self.idle: deque[_Connection] = deque()
        self.due: deque[float] = deque()
        self.ends_at = 0.0
        self.is_exhausted = False
        self._requests = requests
        self._measures_from = 0.0
        self._is_paced = is_paced
        self._in_flight = 0
        self._quiet = asyncio.Event()
        self._last_answer_at = 0.0

    def begin(self, *, warm_up: float = 0.0, seconds: float) -> float:
        """Now that all are connected; when it is."""
        now = time.perf_counter()
        self._measures_from = self._last_answer_at = now + warm_up
        self.ends_at = self._measures_from + seconds
        return now

    def connected(self, port: int, clients: int) -> "_Connections":
        return _Connections(self, port, clients)

    def send_next(self, connection: "_Connection") -> None:
        self._send(connection, time.perf_counter())

    def send_due(self) -> None:
        while self.due and self.idle:
            self._send(self.idle.popleft(), self.due.popleft())

    def _send(self, connection: "_Connection", due_at: float) -> None:
        request = next(self._requests, None)
        if request is None:
            self.is_exhausted = True
            self.due.clear()
            self._check_quiet()
            return
        self._in_flight += 1
        connection.send(request, due_at)

    def answered(self, connection: "_Connection", status: int, body: bytes) -> None:
        now = time.perf_counter()
        load = self.load
        self._in_flight -= 1
        load.statuses[status] += 1
        if not 200 <= status < 300 and not load.first_error:
            load.first_error = f"{status} {body[:300].decode(errors='replace')}"
        if self._measures_from <= now and (self._is_paced or now <= self.ends_at):
            load.latencies_seconds.append(now - connection.due_at)
            self._last_answer_at = now
        if not status:
            pass  # nothing more goes over a connection that broke
        elif self._is_paced:
            self.idle.append(connection)
            self.send_due()
        elif now < self.ends_at:
            self._send(connection, now)
        self._check_quiet()

    async def all_answered(self) -> None:
        """Once the time is over, or the requests are, and nothing is in flight; who never answers is an error."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), max(0.0, self.ends_at - time.perf_counter()))
        self._check_quiet()
        try:
            await asyncio.wait_for(self._quiet.wait(), ANSWER_TIMEOUT_SECONDS)
        except TimeoutError:
            self.load.statuses[0] += self._in_flight
            self.load.first_error = self.load.first_error or "no answer"
        ended_at = self._last_answer_at if self.is_exhausted else self.ends_at
        self.load.seconds = ended_at - self._measures_from

    def _check_quiet(self) -> None:
        over = self.is_exhausted or time.perf_counter() >= self.ends_at
        if over and self._in_flight == 0 and not self.due:
            self._quiet.set()
        else:
            self._quiet.clear()


class _Connections:
    """Opens the connections of a run, keeps Python's garbage collector out of it, and closes them."""

    def __init__(self, run: _Run, port: int, clients: int) -> None:
        self._run = run
        self._port = port
        self._clients = clients

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._clients):
            _, connection = await loop.create_connection(lambda: _Connection(self._run), "127.0.0.1", self._port)
            self._run.idle.append(connection)
        gc.collect()
        gc.disable()

    async def __aexit__(self, *_error: object) -> None:
        gc.enable()
        for connection in list(self._run.idle):
            connection.close()
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight. Understands answers with a Content-Length."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._received = b""
        self._is_waiting = False
        self._transport: asyncio.Transport | None = None
        self.due_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from asyncio's

    def send(self, request: bytes, due_at: float) -> None:
        assert self._transport is not None
        self.due_at = due_at
        self._is_waiting = True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._received[:head_end].lower()
        length_at = head.find(b"\r\ncontent-length:")
        length = int(head[length_at + 17 :].split(b"\r\n", 1)[0]) if length_at >= 0 else 0
        if len(self._received) < head_end + 4 + length:
            return
        body, self._received = self._received[head_end + 4 :], b""
        self._is_waiting = False
        self._run.answered(self, int(head[9:12]), body)

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self._run.answered(self, 0, repr(error).encode())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def post(path: str, body: bytes, *, token: str, key: str) -> bytes:
    """A POST as the mini-program sends it."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(path: str, *, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
