"""Work for one client ends when nobody waits for it any more, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message, Receive

from api.exchange import BodyTooSlow, ClientGone, Exchange, ServiceTimedOut
from services.chassis.errors import Problem

PATIENCE_SECONDS = 0.1


def saying(*messages: Message) -> Receive:
    """A client that says this, and then nothing more while it waits."""
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


def part(text: str, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": text.encode(), "more_body": more}


GONE: Message = {"type": "http.disconnect"}


class TestClientGone:
    async def test_ends_the_work_quietly(self) -> None:
        done = False
        async with asyncio.timeout(2), Exchange(saying(GONE), patience_seconds=PATIENCE_SECONDS) as exchange:
            await exchange.body(expected=False)
            await asyncio.sleep(60)
            done = True

        assert not done
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    async def test_before_its_body_ends_it_too(self) -> None:
        async with Exchange(saying(GONE), patience_seconds=PATIENCE_SECONDS) as exchange:
            await exchange.body(expected=True)
            pytest.fail("there is nothing to work on")

    async def test_does_not_hide_that_the_work_was_stopped_from_outside(self) -> None:
        async def work() -> None:
            async with Exchange(saying(GONE), patience_seconds=PATIENCE_SECONDS) as exchange:
                await exchange.body(expected=False)
                try:
                    await asyncio.sleep(60)
                finally:
                    task.cancel()

        task = asyncio.create_task(work())
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_after_the_work_changes_nothing(self) -> None:
        gone = asyncio.Event()

        async def receive() -> Message:
            await gone.wait()
            return GONE

        before = asyncio.all_tasks()
        async with Exchange(receive, patience_seconds=PATIENCE_SECONDS) as exchange:
            await exchange.body(expected=False)
            await asyncio.sleep(0)
        gone.set()
        await asyncio.sleep(0.01)

        begun = asyncio.all_tasks() - before  # by others too: a product may be running in this process
        assert [task for task in begun if "Exchange" in repr(task.get_coro())] == []


class TestBody:
    async def test_that_came_at_once_is_whole(self) -> None:
        async with Exchange(saying(part("whole")), patience_seconds=PATIENCE_SECONDS) as exchange:
            assert await exchange.body(expected=True) == b"whole"

    async def test_that_comes_in_parts_is_given_in_parts(self) -> None:
        client = saying(part("a", more=True), part("", more=True), part("b", more=True), part(""))
        async with Exchange(client, patience_seconds=PATIENCE_SECONDS) as exchange:
            assert [chunk async for chunk in await chunks_of(exchange)] == [b"a", b"b"]

    async def test_whose_next_part_does_not_come_is_too_slow(self) -> None:
        assert await outcome(saying(part("a", more=True)), taking_seconds=0) == BodyTooSlow

    async def test_that_nobody_takes_is_the_services_fault(self) -> None:
        assert await outcome(saying(part("a", more=True), part("b")), taking_seconds=5) == ServiceTimedOut

    async def test_is_nobodys_fault_once_the_answer_has_begun(self) -> None:
        async with Exchange(saying(part("a", more=True)), patience_seconds=PATIENCE_SECONDS) as exchange:
            chunks = await chunks_of(exchange)
            assert await anext(chunks) == b"a"
            exchange.answered()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(chunks), PATIENCE_SECONDS * 3)

    async def test_that_breaks_off_is_not_taken_for_whole(self) -> None:
        async with Exchange(saying(part("a", more=True), GONE), patience_seconds=PATIENCE_SECONDS) as exchange:
            taker = asyncio.create_task(whole(await chunks_of(exchange)))
            await asyncio.sleep(60)

        with pytest.raises(ClientGone):
            await taker


async def chunks_of(exchange: Exchange) -> AsyncIterator[bytes]:
    body = await exchange.body(expected=True)
    assert isinstance(body, AsyncIterator)
    return body


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def outcome(client: Receive, *, taking_seconds: float) -> type[Problem]:
    """The kind of problem with which streaming a body ends, when each part takes so long to be taken."""
    try:
        async with asyncio.timeout(3), Exchange(client, patience_seconds=PATIENCE_SECONDS) as exchange:
            async for _ in await chunks_of(exchange):
                await asyncio.sleep(taking_seconds)
    except Problem as problem:
        return type(problem)
    raise AssertionError("the body was streamed to its end")
