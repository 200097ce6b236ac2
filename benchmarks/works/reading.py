"""What people read of orders: lists, board, map, search, similar ones, the first screen. Each asks one SQL function."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import cycle
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from benchmarks.district import Caller, District
from benchmarks.district_sql import AROUND, FREQUENT_WORD, RARE_WORD
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import get
from benchmarks.numbering import (
    COMMUNITIES,
    COMMUNITY_SQL,
    FIRST_DISPATCHER,
    PEOPLE,
    PERSON_SQL,
    Family,
    community_of,
    numbered_id,
    numbered_sql,
)
from benchmarks.works.place import DESCRIPTION, KIND
from benchmarks.works.work import OverheardDatabase, caller_of
from models.grid import Crs
from models.identity import Role
from services.chassis.identity import Identity
from services.orders.orders import queries
from services.orders.orders.queries import OrderFilters, OrderView
from services.orders.reading import board, home, map, search, similar

PAGE = 20
COLUMN = 5
"""Orders shown of each column of the board, as when nothing else is asked for."""

Ask = Callable[[OverheardDatabase, Identity], Awaitable[Any]]
"""Asks the database what the service asks it for this request."""


class ReadOrders:
    """GET `path`, by everybody of one role in turn."""

    service = "orders"
    is_command = False
    grows = True

    def __init__(
        self, name: str, path: str, role: Role, ask: Ask, *, answer: str = "{}", row: Mapping[str, Any] | None = None
    ) -> None:
        """`answer` and `row`: what the database has to answer so that `ask` comes to its end."""
        self.name = name
        self._path = path
        self._role = role
        self._ask = ask
        self._answer = answer
        self._row = row

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        await district.forget_new_orders()

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        return await program.run(await self.sql(district), service=self.service, seconds=seconds)

    async def sql(self, district: District) -> str:
        """The call the service sends."""
        database, caller = OverheardDatabase(self._answer, self._row), self._callers(district)[0]
        resident_id = None if self._role is Role.DISPATCHER else _FIRST_RESIDENT
        await self._ask(database, caller_of(caller, self._role, resident_id=resident_id))
        account = numbered_sql(Family.ACCOUNT, f"{FIRST_DISPATCHER} + :n % {COMMUNITIES}")
        return database.call(
            {
                str(caller.account_id): account if self._role is Role.DISPATCHER else PERSON_SQL,
                str(_FIRST_RESIDENT): numbered_sql(Family.RESIDENT, f":n % {PEOPLE}"),
                str(community_of(0)): COMMUNITY_SQL,
            }
        )

    def requests(self, district: District) -> Iterator[bytes]:
        return cycle([get(self._path, token=caller.token) for caller in self._callers(district)])

    async def done(self, district: District) -> None:
        del district

    def _callers(self, district: District) -> list[Caller]:
        return district.dispatchers if self._role is Role.DISPATCHER else district.people


_FIRST_RESIDENT: UUID = numbered_id(Family.RESIDENT, 0)
_PLACE = {"id": community_of(0), "community_id": community_of(0), "above_community": [], "is_theirs": True}


def list_orders() -> ReadOrders:
    """A dispatcher reads the first page of the orders of their community."""
    return ReadOrders(
        "list",
        f"/v1/orders?view={OrderView.AREA}&limit={PAGE}",
        Role.DISPATCHER,
        lambda database, caller: queries.list_orders(
            database, caller, view=OrderView.AREA, area_id=None, filters=OrderFilters(), cursor=None, limit=PAGE
        ),
    )


def read_board() -> ReadOrders:
    """A dispatcher opens the board of their community."""
    return ReadOrders(
        "board",
        "/v1/orders/board",
        Role.DISPATCHER,
        lambda database, caller: board.read_board(database, caller, area_id=None, limit=COLUMN),
    )


def read_map() -> ReadOrders:
    """A dispatcher opens the map of the district."""
    return ReadOrders(
        "map",
        "/v1/orders/map?" + urlencode({"bbox": AROUND}),
        Role.DISPATCHER,
        lambda database, caller: map.read_map(
            database, caller, bbox=AROUND, crs=Crs.WGS84, area_id=None, stages=None, kind=None
        ),
        answer='{"points":[],"clusters":[]}',
    )


def search_frequent() -> ReadOrders:
    """A dispatcher looks for a word that every third order has."""
    return _search("search", FREQUENT_WORD)


def search_rare() -> ReadOrders:
    """A dispatcher looks for a word of so few orders that the search goes back to the first of them."""
    return _search("search-rare", RARE_WORD)


def _search(name: str, word: str) -> ReadOrders:
    return ReadOrders(
        name,
        "/v1/orders/search?" + urlencode({"q": word}),
        Role.DISPATCHER,
        lambda database, caller: search.search_orders(
            database, caller, words=word, view=None, area_id=None, cursor=None, limit=PAGE
        ),
        answer='{"items":[]}',
    )


def find_similar() -> ReadOrders:
    """A resident is about to place an order: has somebody told of it already?"""
    return ReadOrders(
        "similar",
        "/v1/orders/similar?" + urlencode({"text": DESCRIPTION, "kind": KIND}),
        Role.MEMBER,
        lambda database, caller: similar.similar_before_placing(
            database, caller, kind=KIND, text=DESCRIPTION, area_id=None, point=None
        ),
        answer="[]",
        row=_PLACE,
    )


def open_home() -> ReadOrders:
    """A member who is a resident too opens the app: what they wait for, and what they have to do."""
    return ReadOrders("home", "/v1/home/orders", Role.MEMBER, home.read_home)


def open_dispatchers_home() -> ReadOrders:
    """A dispatcher does."""
    return ReadOrders("home-staff", "/v1/home/orders", Role.DISPATCHER, home.read_home)
