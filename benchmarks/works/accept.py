"""Accept: a member takes a waiting order from the pool of their community. Every request takes another one."""

from collections.abc import Iterator
from uuid import UUID

from benchmarks.district import District
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import post
from benchmarks.numbering import (
    COMMUNITY_SQL,
    DISTRICT,
    PEOPLE,
    PERSON_SQL,
    Family,
    community_of,
    numbered_id,
    numbered_sql,
)
from benchmarks.works.work import ONCE, Overheard, caller_of, command_call
from models.identity import Role
from models.orders import OrderAction
from services.orders.orders.actions import OrderCommands, OrderSteps
from services.orders.orders.schemas import OrderStep


class AcceptOrder:
    """POST /v1/orders/{id}/accept."""

    name = "accept"
    service = "orders"
    is_command = True
    grows = True

    def __init__(self) -> None:
        self._waiting = 0

    async def prepare(self, district: District, requests: int) -> None:
        await district.forget_new_orders()
        await district.add_waiting_orders(requests)
        self._waiting = requests

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        return await program.run(await self.sql(district), service=self.service, seconds=seconds)

    async def sql(self, district: District) -> str:
        """The call the service sends."""
        order_id, person, resident_id = numbered_id(Family.WAITING_ORDER, 0), district.people[0], _resident(0)
        caller = caller_of(person, Role.MEMBER, resident_id=resident_id)
        advance = Overheard()
        await OrderSteps(_commands(advance), caller, ONCE, order_id).plainly(OrderAction.ACCEPT, OrderStep())
        return command_call(
            "order_advance",
            advance.sent,
            {
                str(order_id): numbered_sql(Family.WAITING_ORDER, ":n"),
                str(person.account_id): PERSON_SQL,
                str(resident_id): numbered_sql(Family.RESIDENT, f":n % {PEOPLE}"),
                str(community_of(0)): COMMUNITY_SQL,
                ONCE.key: "'accept-' || :n",
            },
        )

    def requests(self, district: District) -> Iterator[bytes]:
        for n in range(self._waiting):
            path = f"/v1/orders/{numbered_id(Family.WAITING_ORDER, n)}/accept"
            yield post(path, b"{}", token=district.people[n % PEOPLE].token, key=f"accept-{n}")

    async def done(self, district: District) -> int:
        first, last = numbered_id(Family.WAITING_ORDER, 0), numbered_id(Family.WAITING_ORDER, self._waiting)
        return await district.count(_ACCEPTED, DISTRICT, first, last)


_ACCEPTED = """
SELECT count(*) FROM orders o
JOIN order_history h ON h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.action = 'accept'
WHERE o.tenant_id = $1 AND o.id BETWEEN $2 AND $3 AND o.state = 'accepted' AND h.sequence = o.version
"""


def _resident(number: int) -> UUID:
    return numbered_id(Family.RESIDENT, number)


def _commands(advance: Overheard) -> OrderCommands:
    commands = OrderCommands.__new__(OrderCommands)
    commands.advance = advance
    return commands
