"""Steps of orders: triage, dispatch into the pool, claim from it, accept what one was sent.

Every request takes another order.
"""

from collections.abc import Iterator
from uuid import UUID

from benchmarks.district import Caller, District
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import post
from benchmarks.numbering import (
    COMMUNITIES,
    COMMUNITY_SQL,
    DISTRICT,
    FIRST_DISPATCHER,
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
from services.orders.orders.schemas import OrderAmendment, OrderDispatch, OrderStep


class StepOrder:
    """POST /v1/orders/{id}/{action}."""

    service = "orders"
    is_command = True
    grows = True

    def __init__(self, name: str, action: OrderAction, role: Role, *, waits_in: str, is_sent: bool = False) -> None:
        """The orders wait in this state; `is_sent`: each for the helper who takes the step."""
        self.name = name
        self._action = action
        self._role = role
        self._waits_in = waits_in
        self._is_sent = is_sent
        self._waiting = 0

    async def prepare(self, district: District, requests: int) -> None:
        await district.forget_new_orders()
        await district.add_waiting_orders(requests, self._waits_in, is_sent=self._is_sent)
        self._waiting = requests

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        return await program.run(await self.sql(district), service=self.service, seconds=seconds)

    async def sql(self, district: District) -> str:
        """The call the service sends."""
        order_id, person = numbered_id(Family.WAITING_ORDER, 0), self._callers(district)[0]
        is_dispatcher = self._role is Role.DISPATCHER
        resident_id = None if is_dispatcher else _FIRST_RESIDENT
        advance = Overheard()
        steps = OrderSteps(_commands(advance), caller_of(person, self._role, resident_id=resident_id), ONCE, order_id)
        if self._action is OrderAction.TRIAGE:
            await steps.triage(OrderAmendment())
        elif self._action is OrderAction.DISPATCH:
            await steps.dispatch(OrderDispatch())
        else:
            await steps.plainly(self._action, OrderStep())
        account = numbered_sql(Family.ACCOUNT, f"{FIRST_DISPATCHER} + :n % {COMMUNITIES}")
        return command_call(
            "order_advance",
            advance.sent,
            {
                str(order_id): numbered_sql(Family.WAITING_ORDER, ":n"),
                str(person.account_id): account if is_dispatcher else PERSON_SQL,
                str(_FIRST_RESIDENT): numbered_sql(Family.RESIDENT, f":n % {PEOPLE}"),
                str(community_of(0)): COMMUNITY_SQL,
                ONCE.key: f"'{self.name}-' || :n",
            },
        )

    def requests(self, district: District) -> Iterator[bytes]:
        callers = self._callers(district)
        for n in range(self._waiting):
            path = f"/v1/orders/{numbered_id(Family.WAITING_ORDER, n)}/{self._action}"
            yield post(path, b"{}", token=callers[n % len(callers)].token, key=f"{self.name}-{n}")

    async def done(self, district: District) -> int:
        first, last = numbered_id(Family.WAITING_ORDER, 0), numbered_id(Family.WAITING_ORDER, self._waiting)
        return await district.count(_DONE, DISTRICT, first, last, self._action)

    def _callers(self, district: District) -> list[Caller]:
        return district.dispatchers if self._role is Role.DISPATCHER else district.people


_DONE = """
SELECT count(*) FROM orders o
JOIN order_history h ON h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.sequence = o.version
WHERE o.tenant_id = $1 AND o.id BETWEEN $2 AND $3 AND h.action = $4 AND h.to_state = o.state
"""
_FIRST_RESIDENT: UUID = numbered_id(Family.RESIDENT, 0)


def triage_order() -> StepOrder:
    """A dispatcher takes up what was placed."""
    return StepOrder("triage", OrderAction.TRIAGE, Role.DISPATCHER, waits_in="placed")


def dispatch_order() -> StepOrder:
    """A dispatcher offers it to the helpers of the community."""
    return StepOrder("dispatch", OrderAction.DISPATCH, Role.DISPATCHER, waits_in="triaged")


def claim_order() -> StepOrder:
    """A member takes an order from the pool of their community: with a lease."""
    return StepOrder("claim", OrderAction.ACCEPT, Role.MEMBER, waits_in="dispatched")


def accept_order() -> StepOrder:
    """A member accepts an order that was sent to them."""
    return StepOrder("accept", OrderAction.ACCEPT, Role.MEMBER, waits_in="dispatched", is_sent=True)


def _commands(advance: Overheard) -> OrderCommands:
    commands = OrderCommands.__new__(OrderCommands)
    commands.advance = advance
    return commands
