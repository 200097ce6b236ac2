"""Orders: accept (a transition), place, and the list of 20 of my community."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from benchmarks.district import (
    ACCOUNT,
    AREA,
    COMMUNITIES,
    FIRST_COMMUNITY,
    FIRST_DISPATCHER,
    PEOPLE,
    PLACED,
    RESIDENT,
    TENANT_ID,
    WAITING,
    Caller,
    District,
    community_of,
    numbered_id,
    numbered_sql,
)
from benchmarks.limit import Statement, pieced
from benchmarks.load import get, post
from benchmarks.works.work import Recorder
from models.identity import Role
from services.chassis import clock
from services.chassis.idempotency import RequestKey
from services.chassis.identity import AreaGrant, Identity
from services.orders.orders import actions, queries
from services.orders.orders.actions import OrderCommands
from services.orders.orders.queries import OrderView
from services.orders.orders.schemas import OrderPlacement, OrderStep

PAGE = 20
DESCRIPTION = "代购一周降压药，药单在药盒里，请周一上午送到"

_HASH = "ab" * 32
_COMMUNITY_SQL = numbered_sql(AREA, f"{FIRST_COMMUNITY} + :n % {COMMUNITIES}")
_PERSON_SQL = numbered_sql(ACCOUNT, f":n % {PEOPLE}")
_RESIDENT_SQL = numbered_sql(RESIDENT, f":n % {PEOPLE}")
_DISPATCHER_SQL = numbered_sql(ACCOUNT, f"{FIRST_DISPATCHER} + :n % {COMMUNITIES}")


class AcceptOrder:
    """A member takes a waiting order from the pool of their community; every request another order."""

    name = "accept"
    service = "orders"
    grows = True

    def __init__(self) -> None:
        self._prepared = 0

    async def prepare(self, district: District, requests: int) -> None:
        await district.forget_later_orders()
        await district.add_waiting_orders(requests)
        self._prepared = requests

    async def statement(self, district: District) -> Statement:
        recorder, order_id = Recorder(), numbered_id(WAITING, 0)
        await actions.accept_order(
            _recording("advance", recorder), _member(district), _once("accept"), order_id, OrderStep()
        )
        command = pieced(
            recorder.sent,
            {**_member_in_sql(), "accept-key": "'a' || :n", str(order_id): numbered_sql(WAITING, ":n")},
        )
        return _command("order_advance", command)

    def requests(self, district: District) -> Iterator[bytes]:
        for n in range(self._prepared):
            path = f"/v1/orders/{numbered_id(WAITING, n)}/accept"
            yield post(path, b"{}", token=_person(district, n).token, key=f"a{n}")


class PlaceOrder:
    """A resident places an order for themselves."""

    name = "place"
    service = "orders"
    grows = True

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        await district.forget_later_orders()

    async def statement(self, district: District) -> Statement:
        recorder, order_id = Recorder(), numbered_id(PLACED, 0)
        body = OrderPlacement(id=order_id, kind="buy_medicine", description=DESCRIPTION)
        await actions.place_order(_recording("place", recorder), _member(district), _once("place"), body)
        command = pieced(
            recorder.sent,
            {**_member_in_sql(), "place-key": "'p' || :n", str(order_id): numbered_sql(PLACED, ":n")},
        )
        return _command("order_place", command)

    def requests(self, district: District) -> Iterator[bytes]:
        body = f'{{"kind":"buy_medicine","description":"{DESCRIPTION}"}}'.encode()
        for n in range(2**31):
            yield post("/v1/orders", body, token=_person(district, n).token, key=f"p{n}")


class ListOrders:
    """A dispatcher reads the first page of the orders of their community."""

    name = "list"
    service = "orders"
    grows = True

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        await district.forget_later_orders()

    async def statement(self, district: District) -> Statement:
        database = _RecordingDatabase()
        await queries.list_orders(
            database,  # type: ignore[arg-type]
            _identity(district.dispatchers[0], Role.DISPATCHER, resident_id=None),
            view=OrderView.AREA, area_id=None, states=None, cursor=None, limit=PAGE,
        )  # fmt: skip
        replaced = {str(district.dispatchers[0].account_id): _DISPATCHER_SQL, str(community_of(0)): _COMMUNITY_SQL}
        return Statement("orders", f"SELECT order_list('{TENANT_ID}', ({pieced(database.sent, replaced)})::jsonb)")

    def requests(self, district: District) -> Iterator[bytes]:
        pages = [get(f"/v1/orders?view=area&limit={PAGE}", token=caller.token) for caller in district.dispatchers]
        while True:
            yield from pages


def _person(district: District, n: int) -> Caller:
    return district.people[n % PEOPLE]


def _member(district: District) -> Identity:
    return _identity(district.people[0], Role.MEMBER, resident_id=numbered_id(RESIDENT, 0))


def _identity(caller: Caller, role: Role, *, resident_id: UUID | None) -> Identity:
    grant = AreaGrant(role, community_of(0), clock.now(), None)
    return Identity(caller.account_id, TENANT_ID, caller.session_id, "陈志强", resident_id, (grant,))


def _member_in_sql() -> dict[str, str]:
    return {
        str(numbered_id(ACCOUNT, 0)): _PERSON_SQL,
        str(numbered_id(RESIDENT, 0)): _RESIDENT_SQL,
        str(community_of(0)): _COMMUNITY_SQL,
    }


def _once(name: str) -> RequestKey:
    return RequestKey(f"{name}-key", bytes.fromhex(_HASH))


def _command(function: str, command: str) -> Statement:
    return Statement(
        "orders", f"SELECT status, body, replayed FROM {function}('{TENANT_ID}', ({command})::jsonb)"
    )


def _recording(command: str, recorder: Recorder) -> OrderCommands:
    commands = OrderCommands.__new__(OrderCommands)
    setattr(commands, command, recorder)
    return commands


class _RecordingDatabase:
    """A database whose pool remembers the argument of the function that is called."""

    def __init__(self) -> None:
        self.pool = self.lanes = self
        self.sent = ""

    async def fetchval(self, query: str, tenant_id: UUID, argument: str) -> Any:
        del query, tenant_id
        self.sent = argument
