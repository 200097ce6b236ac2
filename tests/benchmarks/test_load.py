import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice, repeat

from benchmarks.load import at_full_rate, at_steady_rate, get, percentile, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
CONFLICT = b"HTTP/1.1 409 Conflict\r\ncontent-length: 3\r\n\r\nbad"


@asynccontextmanager
async def answering(answers: list[bytes], *, pieces: int = 1) -> AsyncIterator[int]:
    """A server that gives these answers in turn, each in so many pieces; its port. No answer ends the connection."""
    turn = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        while await reader.read(4000):
            whole = answers[turn % len(answers)]
            turn += 1
            if not whole:
                break
            size = -(-len(whole) // pieces)
            for start in range(0, len(whole), size):
                writer.write(whole[start : start + size])
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class TestPercentile:
    def test_nearest_rank(self) -> None:
        ordered = [float(number) for number in range(1, 101)]
        assert percentile(ordered, 50) == 50
        assert percentile(ordered, 99) == 99
        assert percentile(ordered, 100) == 100

    def test_few_and_none(self) -> None:
        assert percentile([7.0], 99) == 7.0
        assert percentile([], 50) == 0.0


class TestAtFullRate:
    async def test_every_request_is_counted_until_they_run_out(self) -> None:
        async with answering([OK]) as port:
            load = await at_full_rate(port, islice(repeat(b"x"), 30), clients=4, seconds=10, warm_up=0)
        assert load.statuses == {200: 30}
        assert (load.successes, load.errors) == (30, 0)
        assert 0 < load.seconds < 5

    async def test_ends_when_its_time_is_over(self) -> None:
        async with answering([OK]) as port:
            load = await at_full_rate(port, repeat(b"x"), clients=2, seconds=0.2, warm_up=0.1)
        assert load.statuses[200] > len(load.latencies_seconds) > 0
        assert abs(load.seconds - 0.2) < 1e-6
        assert load.percentile_ms(50) >= 1

    async def test_errors_are_counted_and_the_first_is_shown(self) -> None:
        async with answering([OK, CONFLICT]) as port:
            load = await at_full_rate(port, islice(repeat(b"x"), 10), clients=1, seconds=10, warm_up=0)
        assert load.errors == 5
        assert load.first_error == "409 bad"

    async def test_an_answer_in_pieces_is_one_answer(self) -> None:
        async with answering([OK], pieces=7) as port:
            load = await at_full_rate(port, islice(repeat(b"x"), 3), clients=1, seconds=10, warm_up=0)
        assert load.statuses == {200: 3}

    async def test_a_connection_that_breaks_is_an_error(self) -> None:
        async with answering([OK, b""]) as port:
            load = await at_full_rate(port, islice(repeat(b"x"), 9), clients=1, seconds=0.3, warm_up=0)
        assert load.statuses == {200: 1, 0: 1}


class TestAtSteadyRate:
    async def test_sends_as_many_as_are_due(self) -> None:
        async with answering([OK]) as port:
            load = await at_steady_rate(port, repeat(b"x"), clients=4, seconds=0.5, rate=100)
        assert 35 <= load.statuses[200] <= 51

    async def test_waiting_for_a_connection_counts(self) -> None:
        async with answering([OK], pieces=20) as port:  # 20 ms each, so one connection serves 50 a second
            load = await at_steady_rate(port, repeat(b"x"), clients=1, seconds=0.5, rate=200)
        assert load.percentile_ms(99) > 150


class TestRequests:
    def test_post(self) -> None:
        head, _, body = post("/v1/orders", b"{}", token="t", key="k").partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/orders HTTP/1.1\r\n")
        assert {b"Authorization: Bearer t", b"Idempotency-Key: k", b"Content-Length: 2"} <= set(head.split(b"\r\n"))
        assert body == b"{}"

    def test_get_has_no_body(self) -> None:
        assert get("/v1/orders", token="t").endswith(b"\r\n\r\n")
