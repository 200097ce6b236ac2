"""List: a dispatcher reads the first page of the orders of their community."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any
from uuid import UUID

from benchmarks.district import District
from benchmarks.limit import Limit, LimitProgram, pieced
from benchmarks.load import get
from benchmarks.numbering import (
    COMMUNITIES,
    COMMUNITY_SQL,
    DISTRICT,
    FIRST_DISPATCHER,
    Family,
    community_of,
    numbered_sql,
)
from benchmarks.works.work import caller_of
from models.identity import Role
from services.chassis.database import Database
from services.orders.orders import queries
from services.orders.orders.queries import OrderFilters, OrderView

PAGE = 20


class ListOrders:
    """GET /v1/orders?view=area&limit=20."""

    name = "list"
    service = "orders"
    is_command = False
    grows = True

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        await district.forget_new_orders()

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        return await program.run(await self.sql(district), service=self.service, seconds=seconds)

    async def sql(self, district: District) -> str:
        """The call the service sends."""
        dispatcher, database = district.dispatchers[0], _OverheardDatabase()
        await queries.list_orders(
            database,
            caller_of(dispatcher, Role.DISPATCHER),
            view=OrderView.AREA,
            area_id=None,
            filters=OrderFilters(),
            cursor=None,
            limit=PAGE,
        )
        replaced = {
            str(dispatcher.account_id): numbered_sql(Family.ACCOUNT, f"{FIRST_DISPATCHER} + :n % {COMMUNITIES}"),
            str(community_of(0)): COMMUNITY_SQL,
        }
        return f"SELECT order_list('{DISTRICT}', ({pieced(database.sent, replaced)})::jsonb)"

    def requests(self, district: District) -> Iterator[bytes]:
        path = f"/v1/orders?view={OrderView.AREA}&limit={PAGE}"
        return cycle([get(path, token=dispatcher.token) for dispatcher in district.dispatchers])

    async def done(self, district: District) -> None:
        del district


class _OverheardDatabase(Database):
    """Remembers what a query sends to its SQL function, and answers nothing."""

    def __init__(self) -> None:
        self.sent = ""

    @property
    def pool(self) -> Any:
        return self

    async def fetchval(self, query: str, tenant_id: UUID, sent: str) -> str:
        del query, tenant_id
        self.sent = sent
        return ""
