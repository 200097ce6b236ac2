"""A district on a points service of its own, on a clock that stands still until somebody moves it."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import asyncpg
import httpx2
from starlette.types import ASGIApp

from models.identity import Role
from services.chassis.database import Database, driver_url
from services.chassis.settings import Settings
from services.points.ledger.keeping import expire_holds, expire_lots
from services.points.main import create_app
from tests.conftest import TestServer, make_settings, running_app
from tests.points.audit import complaints_about_books
from tests.points.machine.model import NEVER, Place
from tests.world import World, make_world

Result = TypeVar("Result")

BEGINNING = datetime(2026, 1, 15, 2, 0, tzinfo=UTC)
NEVER_BY_ITSELF = 1_000_000.0
"""Nothing falls due behind the walk's back."""

CLOCK = (
    "CREATE TABLE ledger_test_clock (moment timestamptz NOT NULL)",
    "INSERT INTO ledger_test_clock VALUES (now())",
    "GRANT SELECT ON ledger_test_clock TO PUBLIC",
    "CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
    " $$ SELECT c.moment FROM ledger_test_clock c $$",
)


class PointsService:
    """The service in this process, on an event loop of its own, so that plain functions can drive it."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self._loop = loop
        self.app: ASGIApp = create_app(settings)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    @property
    def database(self) -> Database:
        database: Database = self.app.state.database  # type: ignore[attr-defined]
        return database

    async def clock(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection that may set the clock."""
        return await asyncpg.connect(driver_url(self.settings.database_url))


@contextmanager
def points_service(postgres: TestServer, files_folder: Path) -> Iterator[PointsService]:
    settings = make_settings(
        postgres.clone(), files_folder, ledger_poll_seconds=NEVER_BY_ITSELF, outbox_poll_seconds=NEVER_BY_ITSELF
    )
    with ExitStack() as stack:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        service = PointsService(settings, loop)
        service.run(_set_up_clock(service))
        lifespan = running_app(service.app)
        service.run(lifespan.__aenter__())
        stack.callback(lambda: service.run(lifespan.__aexit__(None, None, None)))
        yield service


async def _set_up_clock(service: PointsService) -> None:
    connection = await service.clock()
    for statement in CLOCK:
        await connection.execute(statement)
    await connection.close()


@dataclass
class Answered:
    """A request and what was answered: the same for ever."""

    person: str
    path: str
    body: Mapping[str, Any]
    key: str
    status: int
    answer: dict[str, Any]

    @property
    def lasting(self) -> dict[str, Any]:
        """The answer without what names the single request."""
        return {name: value for name, value in self.answer.items() if name != "request_id"}


@dataclass
class District:
    """Three members, two communities and a shop, with a clerk for all of it. Moments are the walk's own."""

    service: PointsService
    world: World
    clock: "asyncpg.Connection[asyncpg.Record]"
    owners: dict[str, str]
    answered: list[Answered] = field(default_factory=list)

    @classmethod
    def fresh(cls, service: PointsService) -> Self:
        return service.run(cls._fresh(service))

    @classmethod
    async def _fresh(cls, service: PointsService) -> Self:
        world = await make_world(service.settings, httpx2.ASGITransport(service.app))
        await world.add_person("clerk", "何敏", roles={Role.POINTS_CLERK: "subdistrict"})
        owners = {name: str(world.people[name].account_id) for name in ("member", "second_member", "other_member")}
        owners |= {"south": str(world.areas["community"]), "north": str(world.areas["other_community"])}
        return cls(service, world, await service.clock(), owners)

    def close(self) -> None:
        self.service.run(self.world.close())
        self.service.run(self.clock.close())

    def set_clock(self, moment: datetime) -> None:
        self.service.run(self.clock.execute("UPDATE ledger_test_clock SET moment = $1", moment))

    # Writing

    def post(self, person: str, path: str, body: Mapping[str, Any]) -> Answered:
        """A new request, remembered so that it can be repeated."""
        key = f"k{len(self.answered)}"
        answer = self.send(person, path, body, key)
        assert "Idempotency-Replayed" not in answer.headers or "source" in body, answer.text
        self.answered.append(Answered(person, path, body, key, answer.status_code, answer.json()))
        return self.answered[-1]

    def send(self, person: str, path: str, body: Mapping[str, Any], key: str) -> httpx2.Response:
        return self.service.run(self.world.people[person].post(f"/v1/points{path}", body, key=key))

    def expire_holds(self) -> None:
        self.service.run(expire_holds(self.service.database, self.world.tenant_id))

    def expire_lots(self) -> None:
        self.service.run(expire_lots(self.service.database, self.world.tenant_id))

    # Reading

    def get(self, person: str, path: str, **query: Any) -> Any:
        answer = self.service.run(self.world.people[person].get(f"/v1/points{path}", **query))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def legs(self, posting: Mapping[str, Any]) -> dict[Place, int]:
        """The legs of an answered transaction, in the walk's names."""
        names = {owner_id: name for name, owner_id in self.owners.items()}
        return {
            Place(leg["account_kind"], names[leg["owner_id"]], leg["asset"]): leg["amount"] for leg in posting["legs"]
        }

    def standing(self, place: Place) -> dict[str, Any]:
        """A member's account as the member reads it."""
        return dict(self.get(place.owner, "/account", asset=place.asset))

    def lots(self, place: Place) -> list[tuple[Any, ...]]:
        names = {owner_id: name for name, owner_id in self.owners.items()}
        return [
            (
                lot["sequence"], lot["part"], lot["amount"], lot["remaining"], lot["held"],
                NEVER if lot["expires_at"] is None else datetime.fromisoformat(lot["expires_at"]),
                names[lot["issuer_id"]],
            )
            for lot in self._all(place.owner, "/lots", asset=place.asset)
        ]  # fmt: skip

    def pending_holds(self, place: Place) -> dict[str, int]:
        return {hold["id"]: hold["amount"] for hold in self._all(place.owner, "/holds", asset=place.asset)}

    def balances_of_others(self, asset: str) -> dict[Place, int]:
        """Of the communities, the shop, and what has expired."""
        names = {owner_id: name for name, owner_id in self.owners.items()}
        return {
            Place(account["kind"], names[account["owner_id"]], asset): account["balance"]
            for account in self._all("clerk", "/accounts", asset=asset)
        }

    def balance_at(self, place: Place, recorded_at: datetime) -> int:
        moments = {"recorded_at": recorded_at.isoformat(), "effective_at": NEVER.replace(year=2100).isoformat()}
        return int(self.get(place.owner, "/account/at", asset=place.asset, **moments)["balance"])

    def broken(self) -> list[str]:
        return self.service.run(complaints_about_books(self.service.database, self.world))

    def _all(self, person: str, path: str, **query: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        page = self.get(person, path, limit=100, **query)
        while page["next_cursor"]:
            items += page["items"]
            page = self.get(person, path, limit=100, cursor=page["next_cursor"], **query)
        return items + list(page["items"])
