"""A district on an orders service of its own, whose clock moves only when a walk says so."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx2
from starlette.types import ASGIApp

from services.chassis import clock
from services.chassis.database import Database
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from services.chassis.tokens import Claims, sign_token
from services.orders.lifecycles.definition import Lifecycle
from services.orders.main import create_app
from services.orders.orders.timing import TimerKeeper
from tests.conftest import TestServer, make_settings, running_app
from tests.orders.lifecycles.model import Carried, Person
from tests.world import World, make_world

Result = TypeVar("Result")

NEVER_BY_ITSELF = 1_000_000.0
"""Nothing falls due behind the walk's back."""
A_LONG_TIME = timedelta(days=4000)

PEOPLE = (
    Person("zhang", frozenset({"is_requester"})),
    Person("neighbour"),
    Person("dispatcher", frozenset({"is_overseer", "is_dispatcher"})),
    Person("community_admin", frozenset({"is_overseer", "is_dispatcher", "is_senior"})),
    Person("district_admin", frozenset({"is_overseer", "is_dispatcher", "is_senior"})),
    Person("member", frozenset({"is_server"})),
    Person("second_member", frozenset({"is_server"})),
    Person("grid_worker", frozenset({"is_server", "is_overseer"})),
    Person("other_member"),
)
"""Of every test's district, with what they are to an order of Mr Zhang's."""
HELPERS = ("member", "second_member", "grid_worker")
_WITH_REASON = frozenset(
    {
        "return",
        "reject",
        "decline",
        "hand_back",
        "take_over",
        "redo",
        "reopen",
        "cancel",
        "unmerge",
        "shelve",
        "transfer",
    }
)


class OrdersService:
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


@contextmanager
def orders_service(postgres: TestServer, files_folder: Path) -> Iterator[OrdersService]:
    settings = make_settings(
        postgres.clone(), files_folder, clock_poll_seconds=NEVER_BY_ITSELF, outbox_poll_seconds=NEVER_BY_ITSELF
    )
    with ExitStack() as stack:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        service = OrdersService(settings, loop)
        lifespan = running_app(service.app)
        service.run(lifespan.__aenter__())
        stack.callback(lambda: service.run(lifespan.__aexit__(None, None, None)))
        yield service


@dataclass
class District:
    """One for all walks; each walk places orders of its own."""

    service: OrdersService
    world: World
    keeper: TimerKeeper

    @classmethod
    def fresh(cls, service: OrdersService, lives: Mapping[str, Lifecycle]) -> Self:
        """With a kind of order for each life."""
        return service.run(cls._fresh(service, lives))

    @classmethod
    async def _fresh(cls, service: OrdersService, lives: Mapping[str, Lifecycle]) -> Self:
        world = await make_world(service.settings, httpx2.ASGITransport(service.app))
        for person in PEOPLE:
            await _stay_signed_in(world, person.name)
        for kind, life in lives.items():
            version = await world.add_lifecycle(life, order_kind=kind)
            await world.insert("order_kinds", id=kind, name=kind, category="care", lifecycle_version=version)
        return cls(service, world, TimerKeeper(service.database, poll_seconds=NEVER_BY_ITSELF))

    def close(self) -> None:
        self.service.run(self.world.close())

    def place(self, kind: str) -> UUID:
        body = {"kind": kind, "description": "随便走走"}
        answer = self.service.run(self.world.zhang.post("/v1/orders", body))
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    def act(self, person: str, order_id: UUID, action: str, carried: Carried, into: UUID) -> httpx2.Response:
        step = action.replace("_", "-") if action in ACTIONS_WITH_ROUTES else f"steps/{action}"
        path = f"/v1/orders/{order_id}/{step}"
        body = self._body(action, carried, into)
        return self.service.run(self.world.people[person].post(path, body))

    def read(self, person: str, order_id: UUID) -> httpx2.Response:
        return self.service.run(self.world.people[person].get(f"/v1/orders/{order_id}"))

    def let_due_steps_come(self) -> int:
        return self.service.run(self.keeper.keep())

    def facts(self, order_id: UUID) -> dict[str, Any]:
        """What no answer shows."""
        return dict(self.service.run(self._facts(order_id)))

    async def _facts(self, order_id: UUID) -> Any:
        rows = await self.world.fetch(
            "SELECT state, stage, version, hops, redos, is_escalated, is_in_pool, timer_action, merged_into,"
            " assignee_id, ("
            "   SELECT count(*) FROM order_history h WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id"
            ") AS steps FROM orders o WHERE id = $1",
            order_id,
        )
        return rows[0]

    def account(self, person: str | None) -> str | None:
        return None if person is None else str(self.world.people[person].account_id)

    def _body(self, action: str, carried: Carried, into: UUID) -> dict[str, Any]:
        body: dict[str, Any] = {"reason": "事出有因"} if action in _WITH_REASON else {}
        match action:
            case "dispatch":
                return {"assignee_id": self.account(carried.assignee), "helpers_wanted": carried.helpers_wanted}
            case "transfer":
                return {**body, "assignee_id": self.account(carried.assignee)}
            case "complete":
                return {"note": "已办好"}
            case "rate":
                return {"stars": 5 if carried.solved else 1, "solved": carried.solved}
            case "merge":
                return {"into_id": str(into)}
            case "shelve" if carried.until is not None:
                moment = clock.now() + timedelta(minutes=carried.until)
                return {**body, "until": moment.isoformat()}
        return body


ACTIONS_WITH_ROUTES = _WITH_REASON | {
    "triage", "amend", "resubmit", "dispatch", "accept", "join", "leave", "start", "resume", "complete", "verify",
    "rate", "close", "merge",
}  # fmt: skip
"""The others are steps of a district's own, under an address for all of them."""


async def _stay_signed_in(world: World, name: str) -> None:
    """Longer than any walk lasts."""
    person = world.people[name]
    session_id, expires_at = new_id(), clock.now() + A_LONG_TIME
    await world.connection.execute(
        "INSERT INTO sessions (id, account_id, tenant_id, method, expires_at) VALUES ($1, $2, $3, 'demo', $4)",
        session_id, person.account_id, world.tenant_id, expires_at,
    )  # fmt: skip
    claims = Claims(person.account_id, world.tenant_id, session_id, expires_at.timestamp())
    token = sign_token(world.settings.signing_keys[0], claims, clock.now())
    client = world.stranger()
    client.headers["Authorization"] = f"Bearer {token}"
    await person.client.aclose()
    world.people[name] = replace(person, token=token, client=client)
