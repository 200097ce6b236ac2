"""Who lives in the demo district: persons, how they belong to households, and the register of them all."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from uuid import UUID

from demo.ids import fixed_id
from demo.places import Place
from models.grid import Relation, Sex

REGISTER_DATE = date(2026, 6, 30)
"""The day the register of people was drawn up. It does not move with the calendar: names and ids stay quotable."""


@dataclass(frozen=True)
class Person:
    """A resident. `key` is unique in the district; `account_id` is set for those who sign in."""

    key: str
    name: str
    sex: Sex
    birth_date: date
    phone: str | None
    account_id: UUID | None = None

    @cached_property
    def id(self) -> UUID:
        return fixed_id("resident", self.key)

    @property
    def surname(self) -> str:
        return self.name[:2] if self.name.startswith("欧阳") else self.name[:1]

    @property
    def age(self) -> int:
        """In years, on the day of the register."""
        return (REGISTER_DATE - self.birth_date).days // 365


@dataclass(frozen=True, slots=True)
class Belonging:
    """How a person belongs to a household."""

    person: Person
    relation: Relation
    is_registered_here: bool = True
    lives_here: bool = True


@dataclass(frozen=True)
class Home:
    """A dwelling and its household."""

    building: Place
    dwelling: str
    members: list[Belonging] = field(default_factory=list)

    @cached_property
    def id(self) -> UUID:
        return fixed_id("household", f"{self.building.code}-{self.dwelling}")

    @property
    def compound(self) -> Place:
        assert self.building.parent is not None
        return self.building.parent

    @property
    def address(self) -> str:
        return f"{self.building.address}{self.dwelling}"

    @property
    def residents(self) -> list[Person]:
        """Those who live here."""
        return [belonging.person for belonging in self.members if belonging.lives_here]


@dataclass(frozen=True)
class People:
    """All households, building by building."""

    homes: list[Home]

    @cached_property
    def persons(self) -> list[Person]:
        """Everybody once, wherever they belong."""
        return list({member.person.key: member.person for home in self.homes for member in home.members}.values())

    @cached_property
    def home_of(self) -> dict[str, Home]:
        """The home somebody lives in, by the person's key."""
        return {person.key: home for home in self.homes for person in home.residents}

    @cached_property
    def by_account(self) -> dict[UUID, Person]:
        return {person.account_id: person for person in self.persons if person.account_id is not None}

    def adults(self) -> Iterator[Person]:
        """Between 18 and 75 and living here: those one meets in the mini-program."""
        return (person for person in self.persons if person.key in self.home_of and 18 <= person.age <= 75)


def with_accounts(people: People, accounts: dict[str, UUID]) -> People:
    """The same register, with these people (by key) signed up."""

    def signed_up(belonging: Belonging) -> Belonging:
        account_id = accounts.get(belonging.person.key)
        if account_id is None:
            return belonging
        return replace(belonging, person=replace(belonging.person, account_id=account_id))

    return People([replace(home, members=[signed_up(member) for member in home.members]) for home in people.homes])
