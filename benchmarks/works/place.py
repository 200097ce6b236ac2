"""Place: a resident places an order for themselves."""

from collections.abc import Iterator
from itertools import count

from benchmarks.district import District
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import post
from benchmarks.numbering import PEOPLE, PERSON_SQL, Family, numbered_id, numbered_sql
from benchmarks.works.work import ONCE, Overheard, caller_of, command_call
from models.identity import Role
from services.orders.orders import actions
from services.orders.orders.actions import OrderCommands
from services.orders.orders.schemas import OrderPlacement

KIND = "buy_medicine"
DESCRIPTION = "代购一周降压药，药单在药盒里，请周一上午送到"


class PlaceOrder:
    """POST /v1/orders."""

    name = "place"
    service = "orders"
    is_command = True
    grows = True

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        await district.forget_new_orders()

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        return await program.run(await self.sql(district), service=self.service, seconds=seconds)

    async def sql(self, district: District) -> str:
        """The call the service sends."""
        order_id, person = numbered_id(Family.PLACED_ORDER, 0), district.people[0]
        resident_id = numbered_id(Family.RESIDENT, 0)
        caller = caller_of(person, Role.MEMBER, resident_id=resident_id)
        place = Overheard()
        body = OrderPlacement(id=order_id, kind=KIND, description=DESCRIPTION)
        await actions.place_order(_commands(place), caller, ONCE, body)
        return command_call(
            "order_place",
            place.sent,
            {
                str(order_id): numbered_sql(Family.PLACED_ORDER, ":n"),
                str(person.account_id): PERSON_SQL,
                str(resident_id): numbered_sql(Family.RESIDENT, f":n % {PEOPLE}"),
                ONCE.key: "'place-' || :n",
            },
        )

    def requests(self, district: District) -> Iterator[bytes]:
        body = f'{{"kind":"{KIND}","description":"{DESCRIPTION}"}}'.encode()
        for n in count():
            yield post("/v1/orders", body, token=district.people[n % PEOPLE].token, key=f"place-{n}")

    async def done(self, district: District) -> int:
        return await district.new_orders()


def _commands(place: Overheard) -> OrderCommands:
    commands = OrderCommands.__new__(OrderCommands)
    commands.place = place
    return commands
