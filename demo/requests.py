"""Who asks for something in the demo district, and who asks on their behalf."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from uuid import UUID

from demo.kinds import Kind
from demo.people import Home, People, Person
from demo.personas import PERSONAS
from demo.staff import Staff

_FOR_OLD_PEOPLE = {"buy_medicine", "haircut_at_home", "phone_lessons", "micro_wish", "errand"}


@dataclass(frozen=True, slots=True)
class Request:
    """Whose need it is, at which home, and whose account placed the order."""

    home: Home
    resident: Person
    placed_by: UUID


class Requests:
    """Draws who orders: mostly people themselves, sometimes their family, sometimes the grid worker at the door.

    The personas are left out: what they have ordered is told, not drawn.
    """

    def __init__(self, staff: Staff) -> None:
        personas = {persona.account_id for persona in PERSONAS}
        self._own = [request for request in _own_requests(staff.people) if request.placed_by not in personas]
        self._family = [request for request in _family_requests(staff.people) if request.placed_by not in personas]
        self._worker = list(_requests_at_the_door(staff))

    def draw(self, random: Random, kind: Kind) -> Request:
        own_share = 30 if kind.id in _FOR_OLD_PEOPLE else 80
        (requests,) = random.choices([self._own, self._family, self._worker], weights=[own_share, 22, 25])
        return random.choice(requests)

    def draw_in(self, random: Random, compound_name: str) -> Request:
        return random.choice(
            [request for request in self._own + self._worker if request.home.compound.name == compound_name]
        )


def _own_requests(people: People) -> Iterator[Request]:
    for account_id, person in people.by_account.items():
        yield Request(people.home_of[person.key], person, account_id)


def _family_requests(people: People) -> Iterator[Request]:
    """For the old and the busy without an account, by somebody of their household who has one."""
    for home in people.homes:
        accounts = [member.person.account_id for member in home.members if member.person.account_id]
        for person in home.residents if accounts else []:
            is_old, is_one_of_many = person.age >= 62, person.age >= 18 and len(home.members) > 2
            if person.account_id is None and (is_old or is_one_of_many):
                yield Request(home, person, accounts[0])


def _requests_at_the_door(staff: Staff) -> Iterator[Request]:
    for home in staff.people.homes:
        for person in home.residents:
            if person.account_id is None and person.age >= 60:
                yield Request(home, person, staff.grid_worker_of[home.compound.code].id)
