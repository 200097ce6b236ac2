"""Who is calling: asked of the database, remembered for seconds, so that what has ended bites within a minute."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from models.identity import Role
from services.chassis import clock, identity
from services.chassis.database import Database
from services.chassis.errors import InvalidToken
from services.chassis.identity import REMEMBERED_SECONDS, AreaGrant, Identities, Identity
from services.chassis.schemas import new_id
from services.chassis.tokens import Claims
from tests.world import Person, World

MINUTE_SECONDS = 60


class Time:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    standing = Time()
    monkeypatch.setattr(identity, "time", standing)
    return standing


@pytest.fixture
def identities(database: Database) -> Identities:
    return Identities(database)


@pytest.fixture
async def area(world: World) -> UUID:
    await world.insert("area_levels", level="district", name="区", depth=0)
    return await world.add_area("district", None, "district", "441602", "源城区")


async def claims_of(world: World, person: Person, **changes: Any) -> Claims:
    session_id = await world.fetch_value("SELECT id FROM sessions WHERE account_id = $1", person.account_id)
    return Claims(person.account_id, world.tenant_id, session_id, 2**40)._replace(**changes)


async def grant(world: World, area: UUID, role: Role = Role.MEMBER, **term: datetime) -> None:
    await world.insert("grants", id=new_id(), account_id=world.zhang.account_id, role=role, area_id=area, **term)


ENDINGS = {
    "session": "UPDATE sessions SET ended_at = now() WHERE account_id = $1",
    "membership": "UPDATE memberships SET ended_at = now() WHERE account_id = $1",
    "account": "UPDATE accounts SET suspended_at = now() WHERE id = $1",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
class TestWhatHasEnded:
    """A sign-out, an ended membership, a suspended account."""

    async def test_bites_when_the_memory_is_over(self, world: World, time: Time, ending: str) -> None:
        assert (await world.zhang.get("/v1/cold")).status_code == 200
        await world.connection.execute(ending, world.zhang.account_id)
        time.now += REMEMBERED_SECONDS
        answer = await world.zhang.get("/v1/cold")
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert (await world.daughter.get("/v1/cold")).status_code == 200

    async def test_bites_within_a_minute_however_busy_one_is(self, world: World, time: Time, ending: str) -> None:
        """Being used does not prolong a memory."""
        assert (await world.zhang.get("/v1/cold")).status_code == 200
        await world.connection.execute(ending, world.zhang.account_id)
        for _ in range(MINUTE_SECONDS):
            time.now += 1
            answer = await world.zhang.get("/v1/cold")
        assert answer.status_code == 401

    async def test_bites_at_once_when_everything_is_forgotten(
        self, world: World, identities: Identities, ending: str
    ) -> None:
        claims = await claims_of(world, world.zhang)
        await identities.of(claims)
        await world.connection.execute(ending, world.zhang.account_id)
        identities.forget()
        with pytest.raises(InvalidToken):
            await identities.of(claims)

    async def test_is_never_remembered_as_valid(
        self, world: World, identities: Identities, time: Time, ending: str
    ) -> None:
        """Once refused, refused: the older memory is not found again."""
        claims = await claims_of(world, world.zhang)
        await identities.of(claims)
        await world.connection.execute(ending, world.zhang.account_id)
        time.now += REMEMBERED_SECONDS
        for _ in range(2):
            with pytest.raises(InvalidToken):
                await identities.of(claims)


class TestGrants:
    async def test_an_ended_one_bites(self, world: World, identities: Identities, time: Time, area: UUID) -> None:
        """Within the memory's length, which is well under a minute."""
        await grant(world, area)
        claims = await claims_of(world, world.zhang)
        assert (await identities.of(claims)).areas_as({Role.MEMBER}) == [area]
        await world.connection.execute("UPDATE grants SET valid_to = now()")
        time.now += REMEMBERED_SECONDS
        assert (await identities.of(claims)).areas_as({Role.MEMBER}) == []
        assert REMEMBERED_SECONDS < MINUTE_SECONDS

    async def test_a_new_one_counts(self, world: World, identities: Identities, time: Time, area: UUID) -> None:
        claims = await claims_of(world, world.zhang)
        assert (await identities.of(claims)).grants == ()
        await grant(world, area)
        time.now += REMEMBERED_SECONDS
        assert (await identities.of(claims)).areas_as({Role.MEMBER}) == [area]

    async def test_a_term_ends_on_time_even_while_remembered(
        self, world: World, identities: Identities, time: Time, area: UUID
    ) -> None:
        """What ends by the calendar needs no reading again."""
        await grant(world, area, valid_to=clock.now() + timedelta(hours=1))
        caller = await identities.of(await claims_of(world, world.zhang))
        assert caller.areas_as({Role.MEMBER}) == [area]
        with clock.shifted(timedelta(hours=1)):
            assert caller.areas_as({Role.MEMBER}) == []

    async def test_a_term_begins_on_time(self, world: World, identities: Identities, area: UUID) -> None:
        start = clock.now() + timedelta(hours=1)
        await grant(world, area, valid_from=start, valid_to=start + timedelta(hours=1))
        caller = await identities.of(await claims_of(world, world.zhang))
        assert caller.areas_as({Role.MEMBER}) == []
        with clock.shifted(timedelta(hours=1, seconds=1)):
            assert caller.areas_as({Role.MEMBER}) == [area]

    def test_a_role_reaches_down_the_tree_only(self) -> None:
        """Over an area and what lies below it, in that role alone."""
        district, community, building = (UUID(int=number) for number in (1, 2, 3))
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        caller = Identity(
            account_id=new_id(),
            tenant_id=new_id(),
            session_id=new_id(),
            name="李晓燕",
            resident_id=None,
            grants=(AreaGrant(Role.DISPATCHER, community, moment, None),),
        )
        dispatching = {Role.DISPATCHER}
        assert caller.is_one_of(dispatching, [district, community])
        assert caller.is_one_of(dispatching, [district, community, building])
        assert not caller.is_one_of(dispatching, [district])
        assert not caller.is_one_of({Role.MEMBER}, [district, community])

    @pytest.mark.parametrize(
        ("seconds", "is_in_force"),
        [(-1, False), (0, True), (9, True), (10, False)],
        ids=["before", "first", "last", "end"],
    )
    def test_a_term_includes_its_start_and_not_its_end(self, seconds: int, is_in_force: bool) -> None:
        start = datetime(2026, 3, 16, tzinfo=UTC)
        term = AreaGrant(Role.MEMBER, new_id(), start, start + timedelta(seconds=10))
        assert term.is_in_force(start + timedelta(seconds=seconds)) is is_in_force


class TestClaims:
    """A token is only as good as the rows behind it."""

    async def test_say_who_is_known_here(self, world: World, identities: Identities) -> None:
        caller = await identities.of(await claims_of(world, world.zhang))
        assert (caller.account_id, caller.tenant_id, caller.name) == (
            world.zhang.account_id,
            world.tenant_id,
            "张德明",
        )
        assert caller.resident_id is None

    async def test_of_another_tenant_are_refused(
        self, world: World, other_world: World, identities: Identities
    ) -> None:
        """A session is of one tenant, whatever the claims say."""
        for changes in (
            {"tenant_id": other_world.tenant_id},
            {"account_id": world.daughter.account_id},
            {"session_id": new_id()},
        ):
            with pytest.raises(InvalidToken):
                await identities.of(await claims_of(world, world.zhang, **changes))

    async def test_find_the_resident_of_their_own_tenant(
        self, world: World, other_world: World, identities: Identities
    ) -> None:
        """Somebody of two districts is another resident in each."""
        account = world.zhang.account_id
        await other_world.insert("memberships", account_id=account)
        residents = {}
        for district in (world, other_world):
            residents[district.tenant_id] = new_id()
            await district.insert("residents", id=residents[district.tenant_id], name="张德明", account_id=account)
        caller = await identities.of(await claims_of(world, world.zhang))
        assert caller.resident_id == residents[world.tenant_id]


class Loads(list[UUID]):
    """The tenants of the transactions that were opened to look somebody up."""


@pytest.fixture
def loads(database: Database, monkeypatch: pytest.MonkeyPatch) -> Loads:
    opened = Loads()
    original = database.hot_transaction

    @asynccontextmanager
    async def counting(tenant_id: UUID) -> AsyncIterator[Any]:
        opened.append(tenant_id)
        transaction: AbstractAsyncContextManager[Any] = original(tenant_id)
        async with transaction as connection:
            yield connection

    monkeypatch.setattr(database, "hot_transaction", counting)
    return opened


class TestRemembering:
    async def test_fifty_at_once_ask_once(self, world: World, identities: Identities, loads: Loads) -> None:
        claims = await claims_of(world, world.zhang)
        callers = await asyncio.gather(*(identities.of(claims) for _ in range(50)))
        assert (len(loads), len({id(caller) for caller in callers})) == (1, 1)

    async def test_who_leaves_takes_nobody_along(self, world: World, identities: Identities, loads: Loads) -> None:
        """The request that asked first is cancelled; those that wait with it are answered."""
        claims = await claims_of(world, world.zhang)
        first, *others = [asyncio.create_task(identities.of(claims)) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
        assert {caller.name for caller in await asyncio.gather(*others)} == {"张德明"}
        assert len(loads) == 1

    async def test_lasts_seconds(self, world: World, identities: Identities, time: Time, loads: Loads) -> None:
        claims = await claims_of(world, world.zhang)
        for seconds in (0.0, REMEMBERED_SECONDS - 1, 1.0, REMEMBERED_SECONDS - 1):
            time.now += seconds
            await identities.of(claims)
        assert len(loads) == 2

    async def test_a_failure_is_not_remembered(
        self, world: World, identities: Identities, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A database that is away for a moment signs nobody out."""
        claims = await claims_of(world, world.zhang)
        with monkeypatch.context() as broken:
            broken.setattr(identities, "_database", None)
            with pytest.raises(AttributeError):
                await identities.of(claims)
        assert (await identities.of(claims)).name == "张德明"

    async def test_is_bounded(self, world: World, identities: Identities, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(identity, "REMEMBERED_IDENTITIES", 1)
        for person in (world.zhang, world.daughter):
            await identities.of(await claims_of(world, person))
        assert len(identities._remembered) == 1
        assert identities._loading == {}


class TestHandedOver:
    """In one process the gateway has verified the token: the claims travel in the ASGI scope."""

    async def test_claims_of_the_scope_are_taken(self, world: World) -> None:
        claims = await claims_of(world, world.zhang)
        assert await self.ask(world, {"linli.claims": claims}) == 200

    async def test_a_session_that_ended_is_refused_all_the_same(self, world: World) -> None:
        claims = await claims_of(world, world.zhang)
        await world.connection.execute(ENDINGS["session"], world.zhang.account_id)
        assert await self.ask(world, {"linli.claims": claims}) == 401

    async def test_no_header_becomes_a_claim(self, world: World) -> None:
        async with world.stranger() as stranger:
            answer = await stranger.get("/v1/cold", headers={"linli.claims": str(world.zhang.account_id)})
        assert answer.status_code == 401

    async def ask(self, world: World, handed_over: dict[str, Any]) -> int:
        """GET without a token, as the gateway passes it on."""
        transport = world.transport
        assert isinstance(transport, httpx2.ASGITransport)
        inner = transport.app

        async def with_claims(scope: Any, receive: Any, send: Any) -> None:
            await inner({**scope, **handed_over}, receive, send)

        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(with_claims), base_url="http://linli.test"
        ) as client:
            return (await client.get("/v1/cold")).status_code
