"""Hot commands: alone when it is quiet, in batches when calls queue up, and nobody notices which."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from services.chassis import commands
from services.chassis.commands import Command, CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import ServiceUnavailable
from tests.chassis.conftest import effects_of
from tests.chassis.probe import ProbeClosed
from tests.world import World

MANY = 200
T = TypeVar("T")


@pytest.fixture
def command(database: Database) -> Command:
    return Command(database, "effect_make")


@pytest.fixture
async def stumbles_twice(world: World) -> None:
    """The next two calls of `stumble` raise, the third does not."""
    await world.fetch("SELECT setval('attempts', 3)")


@pytest.fixture
async def next_is_lost(world: World) -> None:
    """The next call with the note `lost` ends its own session, the one after it does not, and so on."""
    await world.fetch("SELECT setval('attempts', 2)")


class Batches(list[int]):
    """The sizes of the batches that were sent."""


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Batches:
    sent = Batches()
    fetch = asyncpg.Pool.fetch

    async def counting(pool: Any, query: str, *arguments: Any, **options: Any) -> Any:
        if "effect_make" in query:
            sent.append(len(arguments[0]))
        return await fetch(pool, query, *arguments, **options)

    monkeypatch.setattr(asyncpg.Pool, "fetch", counting)
    return sent


def asked(note: str, key: str | None = None) -> dict[str, Any]:
    return {"account": UUID(int=1), "idempotency_key": key or uuid4().hex, "request_hash": "00", "note": note}


async def call(command: Command, world: World, note: str, key: str | None = None) -> CommandAnswer:
    return await command(world.tenant_id, asked(note, key))


async def together(calls: Iterable[Awaitable[T]]) -> list[T | BaseException]:
    """What became of each: its answer or its error. Nobody waits for ever."""
    return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)


async def answers_of(calls: Iterable[Awaitable[CommandAnswer]]) -> list[CommandAnswer]:
    """The same, where nothing may fail."""
    ends = await together(calls)
    assert [end for end in ends if isinstance(end, BaseException)] == []
    return [end for end in ends if isinstance(end, CommandAnswer)]


def note_of(answer: CommandAnswer) -> Any:
    return msgspec.json.decode(answer.body)["note"]


class TestBatches:
    async def test_every_answer_finds_its_caller(self, command: Command, world: World, batches: Batches) -> None:
        """200 at once: each gets its own, each took effect once, and it took a few statements, not 200."""
        answers = await answers_of(call(command, world, f"{number}") for number in range(MANY))
        assert [note_of(answer) for answer in answers] == [f"{number}" for number in range(MANY)]
        assert await effects_of(world) == sorted(f"{number}" for number in range(MANY))
        assert sum(batches) == MANY - commands.ALONE
        assert len(batches) < 5

    async def test_a_few_go_alone(self, command: Command, world: World, batches: Batches) -> None:
        """A batch would only make them wait for each other."""
        await answers_of(call(command, world, "few") for _ in range(commands.ALONE))
        assert batches == []

    async def test_no_batch_grows_without_bound(self, command: Command, world: World, batches: Batches) -> None:
        await answers_of(call(command, world, "more") for _ in range(commands.BATCH + 50))
        assert max(batches) <= commands.BATCH
        assert len(await effects_of(world)) == commands.BATCH + 50

    async def test_what_locks_in_its_own_order_goes_alone_however_many(
        self, database: Database, world: World, batches: Batches
    ) -> None:
        """A batch of such calls would take its locks in no order, and wait in a circle with another process's."""
        command = Command(database, "effect_make", batched=False)
        answers = await answers_of(call(command, world, f"{number}") for number in range(MANY))
        assert [note_of(answer) for answer in answers] == [f"{number}" for number in range(MANY)]
        assert await effects_of(world) == sorted(f"{number}" for number in range(MANY))
        assert batches == []

    async def test_each_item_is_of_its_own_tenant(self, command: Command, world: World, other_world: World) -> None:
        """Two districts share a batch, and neither writes into the other."""
        await answers_of(
            call(command, district, f"{number % 2}") for number in range(MANY) for district in (world, other_world)
        )
        for district in (world, other_world):
            assert await effects_of(district) == ["0"] * (MANY // 2) + ["1"] * (MANY // 2)

    async def test_the_same_key_twice_in_a_batch_is_one_effect(self, command: Command, world: World) -> None:
        answers = await answers_of(call(command, world, "once", key=f"key-{n % 50}") for n in range(MANY))
        assert len({answer.body for answer in answers}) == 50
        assert sum(answer.replayed for answer in answers) == MANY - 50
        assert len(await effects_of(world)) == 50

    async def test_an_answer_means_committed(self, command: Command, world: World) -> None:
        """Alone or in a batch: whoever has an answer finds the effect on any other connection."""

        async def ask(number: int) -> bool:
            answer = await call(command, world, f"{number}")
            async with visible:
                return bool(await world.fetch("SELECT 1 FROM effects WHERE note = $1", note_of(answer)))

        visible = asyncio.Lock()
        assert await together(ask(number) for number in range(60)) == [True] * 60


class TestTrouble:
    async def test_a_refusal_does_not_spoil_the_batch(
        self, command: Command, world: World, other_world: World, batches: Batches
    ) -> None:
        """The other district takes stock: its calls are refused, ours in the same batches are not."""
        await other_world.insert("effects", note="closed")
        calls = [call(command, district, "买药") for _ in range(60) for district in (world, other_world)]
        answers = await together(calls)
        assert all(isinstance(answer, CommandAnswer) for answer in answers[0::2])
        assert all(isinstance(answer, ProbeClosed) for answer in answers[1::2])
        assert [answer.members for answer in answers if isinstance(answer, ProbeClosed)] == [
            {"reason": "stocktaking"}
        ] * 60
        assert len(batches) < 5
        assert await effects_of(world) == ["买药"] * 60

    @pytest.mark.parametrize(
        ("note", "error"), [("raise", asyncpg.RaiseError), ("silent", AssertionError)], ids=["raises", "no-row"]
    )
    async def test_a_bug_hits_only_its_own_caller(
        self, command: Command, world: World, note: str, error: type[Exception]
    ) -> None:
        """The batch is run again one by one: what was right is answered, and took effect once."""
        notes = [f"{number}" for number in range(60)]
        notes[30] = note
        answers = await together(call(command, world, each) for each in notes)
        assert isinstance(answers.pop(30), error)
        assert [note_of(answer) for answer in answers if isinstance(answer, CommandAnswer)] == notes[:30] + notes[31:]
        assert await effects_of(world) == sorted(notes[:30] + notes[31:])

    @pytest.mark.usefixtures("stumbles_twice")
    async def test_a_deadlock_is_tried_again(self, command: Command, world: World) -> None:
        assert note_of(await call(command, world, "deadlock")) == "deadlock"
        assert await effects_of(world) == ["deadlock"]

    @pytest.mark.usefixtures("stumbles_twice")
    async def test_a_deadlock_in_a_batch_is_tried_again(self, command: Command, world: World) -> None:
        notes = [f"{number}" for number in range(60)]
        notes[30] = "deadlock"
        answers = await answers_of(call(command, world, each) for each in notes)
        assert [note_of(answer) for answer in answers] == notes
        assert await effects_of(world) == sorted(notes)

    @pytest.mark.usefixtures("next_is_lost")
    async def test_a_lost_connection_is_replaced(self, command: Command, world: World) -> None:
        assert note_of(await call(command, world, "lost")) == "lost"
        assert await effects_of(world) == ["lost"]

    @pytest.mark.usefixtures("next_is_lost")
    async def test_the_batch_lane_survives_a_lost_connection(self, command: Command, world: World) -> None:
        """Every call is answered, every effect there once, and the next batch goes as if nothing had been."""
        notes = [f"{number}" for number in range(60)]
        notes[30] = "lost"
        answers = await answers_of(call(command, world, each) for each in notes)
        assert [note_of(answer) for answer in answers] == notes
        later = await answers_of(call(command, world, f"later {number}") for number in range(60))
        assert len(later) == 60
        assert len(await effects_of(world)) == 120

    @pytest.mark.usefixtures("next_is_lost")
    async def test_a_database_that_stays_away_is_unavailable(
        self, command: Command, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """503, which invites to try again; the key keeps that safe."""
        monkeypatch.setattr(commands, "ATTEMPTS", 1)
        with pytest.raises(ServiceUnavailable):
            await call(command, world, "lost", key="monday")
        assert note_of(await call(command, world, "lost", key="monday")) == "lost"
        assert await effects_of(world) == ["lost"]

    async def test_whoever_leaves_does_not_disturb_the_others(self, command: Command, world: World) -> None:
        """A client that hangs up takes nobody else's answer with it."""
        calls = [asyncio.create_task(call(command, world, f"{number}")) for number in range(MANY)]
        await asyncio.sleep(0)
        for leaving in calls[commands.ALONE :: 3]:
            leaving.cancel()
        answers = await together(calls)
        stayed = [(n, answer) for n, answer in enumerate(answers) if isinstance(answer, CommandAnswer)]
        assert len(stayed) == MANY - len(calls[commands.ALONE :: 3])
        assert all(note_of(answer) == f"{number}" for number, answer in stayed)
