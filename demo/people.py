"""Who lives in the demo district: some 2,000 households in the buildings of 康乐路南社区, some 5,000 residents."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from random import Random
from uuid import UUID

from demo.ids import fixed_id
from demo.names import pick_given_name, pick_mobile_number, pick_surname
from demo.personas import PERSONA, account_id_of
from demo.places import Place, Places
from models.grid import Relation, Sex

REGISTER_DATE = date(2026, 6, 30)
"""The day the register of people was drawn up. It does not move with the calendar: names and ids stay quotable."""

_VACANT_SHARE = 0.03


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


def build_people(places: Places) -> People:
    """The register, the same every time. Nobody but the personas has an account yet (see `with_accounts`)."""
    random = Random("linli-demo:people")
    homes = [
        Home(home.building, home.dwelling, _household(home, random) if random.random() >= _VACANT_SHARE else [])
        for compound in places.compounds
        for home in _dwellings(compound, places)
    ]
    homes = [home for home in _settle_personas(homes, random) if home.members]
    _remember_grown_children(homes, random)
    return People(homes)


def _remember_grown_children(homes: list[Home], random: Random) -> None:
    """Some who have a home of their own still belong to their old parents' household, and see to them from there."""
    grown_up: dict[str, list[Person]] = {}
    for home in homes:
        for member in home.members:
            is_free = member.person.account_id is None  # the personas' families are told, not drawn
            if is_free and member.relation is Relation.HEAD and 26 <= member.person.age <= 60:
                grown_up.setdefault(member.person.surname, []).append(member.person)
    for home in homes:
        parent = home.members[0].person
        candidates = [child for child in grown_up.get(parent.surname, []) if 22 <= parent.age - child.age <= 38]
        is_old_and_alone = len(home.members) <= 2 and parent.age >= 66 and parent.account_id is None
        if is_old_and_alone and candidates and random.random() < 0.4:
            child = random.choice(candidates)
            grown_up[parent.surname].remove(child)
            home.members.append(Belonging(child, _child(child.sex), lives_here=False))


def with_accounts(people: People, accounts: dict[str, UUID]) -> People:
    """The same register, with these people (by key) signed up."""

    def signed_up(belonging: Belonging) -> Belonging:
        account_id = accounts.get(belonging.person.key)
        if account_id is None:
            return belonging
        return replace(belonging, person=replace(belonging.person, account_id=account_id))

    return People([replace(home, members=[signed_up(member) for member in home.members]) for home in people.homes])


def _dwellings(compound: Place, places: Places) -> Iterator[Home]:
    """As many dwellings as the compound has, filled building by building, floor by floor."""
    plan = compound.plan
    assert plan is not None
    doors = [
        (building, f"{stairwell}单元{floor}{door:02}")
        for building in places.buildings_of(compound)
        for stairwell in range(1, plan.stairwells + 1)
        for floor in range(1, plan.floors + 1)
        for door in (1, 2)
    ]
    return (Home(building, dwelling) for building, dwelling in doors[: plan.households])


class _Family:
    """Makes the people of one household."""

    def __init__(self, home: Home, random: Random) -> None:
        self._key = f"{home.building.code}-{home.dwelling}"
        self._random = random
        self.surname = pick_surname(random)
        self.members: list[Belonging] = []

    def add(self, relation: Relation, sex: Sex, age: int, *, surname: str | None = None) -> Person:
        """`surname` defaults to the family's."""
        random = self._random
        birth_date = REGISTER_DATE - timedelta(days=age * 365 + age // 4 + random.randrange(1, 365))
        person = Person(
            key=f"{self._key}-{len(self.members) + 1}",
            name=(surname or self.surname) + pick_given_name(random, sex, birth_date.year),
            sex=sex,
            birth_date=birth_date,
            phone=pick_mobile_number(random) if 13 <= age <= 85 and random.random() < 0.93 else None,
        )
        self.members.append(Belonging(person, relation))
        return person

    def add_child(self, relation_of: Callable[[Sex], Relation], age: int) -> None:
        sex = self._random.choice([Sex.MALE, Sex.FEMALE])
        self.add(relation_of(sex), sex, age)
        moved_out = age >= 19 and self._random.random() < 0.35
        if moved_out:
            self.members[-1] = replace(self.members[-1], lives_here=False)

    def add_stranger(self, relation: Relation, sex: Sex, age: int) -> None:
        """Somebody of another family: a spouse, a mother, a tenant."""
        self.add(relation, sex, age, surname=pick_surname(self._random))


def _household(home: Home, random: Random) -> list[Belonging]:
    family = _Family(home, random)
    make = random.choices(list(_MAKERS), weights=list(_MAKERS.values()))[0]
    make(family, random)
    is_rented = random.random() < 0.18
    if is_rented:
        return [replace(member, is_registered_here=False) for member in family.members]
    return family.members


def _child(sex: Sex) -> Relation:
    return Relation.SON if sex is Sex.MALE else Relation.DAUGHTER


def _grandchild(_: Sex) -> Relation:
    return Relation.GRANDCHILD


def _old_person_alone(family: _Family, random: Random) -> None:
    family.add(Relation.HEAD, random.choices([Sex.FEMALE, Sex.MALE], weights=[2, 1])[0], random.randint(66, 90))


def _old_couple(family: _Family, random: Random) -> None:
    age = random.randint(62, 84)
    family.add(Relation.HEAD, Sex.MALE, age)
    family.add_stranger(Relation.SPOUSE, Sex.FEMALE, age - random.randint(0, 5))


def _couple(family: _Family, random: Random) -> None:
    age = random.randint(27, 61)
    family.add(Relation.HEAD, Sex.MALE, age)
    family.add_stranger(Relation.SPOUSE, Sex.FEMALE, age - random.randint(-1, 4))


def _parents_and_children(family: _Family, random: Random) -> None:
    age = random.randint(29, 57)
    family.add(Relation.HEAD, Sex.MALE, age)
    family.add_stranger(Relation.SPOUSE, Sex.FEMALE, age - random.randint(-1, 4))
    eldest = age - random.randint(24, 31)
    for number in range(random.choices([1, 2, 3], weights=[42, 48, 10])[0]):
        child_age = eldest - number * random.randint(2, 5)
        if child_age >= 0:
            family.add_child(_child, child_age)


def _three_generations(family: _Family, random: Random) -> None:
    age = random.randint(31, 48)
    family.add(Relation.HEAD, Sex.MALE, age)
    family.add_stranger(Relation.SPOUSE, Sex.FEMALE, age - random.randint(0, 4))
    for number in range(random.choices([1, 2], weights=[4, 6])[0]):
        family.add_child(_child, max(0, age - 27 - number * 4))
    family.add_stranger(Relation.PARENT, Sex.FEMALE, age + random.randint(23, 28))
    if random.random() < 0.55:
        family.add(Relation.PARENT, Sex.MALE, age + random.randint(25, 31))


def _grandparents_and_grandchild(family: _Family, random: Random) -> None:
    age = random.randint(58, 70)
    family.add(Relation.HEAD, Sex.MALE, age)
    family.add_stranger(Relation.SPOUSE, Sex.FEMALE, age - random.randint(0, 4))
    family.add_child(_grandchild, age - random.randint(52, 56))


def _single_parent(family: _Family, random: Random) -> None:
    age = random.randint(30, 50)
    family.add(Relation.HEAD, random.choices([Sex.FEMALE, Sex.MALE], weights=[3, 1])[0], age)
    family.add_child(_child, max(1, age - random.randint(24, 30)))


def _young_person_alone(family: _Family, random: Random) -> None:
    family.add(Relation.HEAD, random.choice([Sex.FEMALE, Sex.MALE]), random.randint(22, 40))


def _flatmates(family: _Family, random: Random) -> None:
    sex = random.choice([Sex.FEMALE, Sex.MALE])
    family.add(Relation.HEAD, sex, random.randint(22, 33))
    for _ in range(random.choice([1, 2])):
        family.add_stranger(Relation.OTHER, sex, random.randint(21, 33))


_MAKERS: dict[Callable[[_Family, Random], None], float] = {
    _old_person_alone: 11,
    _old_couple: 16,
    _couple: 16,
    _parents_and_children: 30,
    _three_generations: 10,
    _grandparents_and_grandchild: 3,
    _single_parent: 5,
    _young_person_alone: 7,
    _flatmates: 2,
}


@dataclass(frozen=True, slots=True)
class _Settled:
    """A persona that lives in the district: where, and with what facts."""

    key: str
    sex: Sex
    birth_date: date
    compound: str
    building: int
    dwelling: str


_SETTLED = [
    _Settled("zhang", Sex.MALE, date(1946, 10, 8), "万隆一品小区", 3, "2单元502"),
    _Settled("neighbour", Sex.FEMALE, date(1957, 3, 21), "万隆一品小区", 3, "2单元501"),
    _Settled("daughter", Sex.FEMALE, date(1973, 5, 2), "康乐花园", 2, "1单元301"),
    _Settled("member", Sex.MALE, date(1975, 8, 15), "康乐花园", 4, "2单元602"),
    _Settled("second_member", Sex.FEMALE, date(1968, 12, 1), "福源居", 1, "1单元402"),
]


def _settle_personas(homes: list[Home], random: Random) -> list[Home]:
    """Each becomes the only member of a dwelling of their own; the daughter also stays in her father's household."""
    persons = {settled.key: _settled_person(settled, random) for settled in _SETTLED}
    by_door = {_door(home): home for home in homes}
    for settled in _SETTLED:
        door = (settled.compound, f"{settled.building}栋", settled.dwelling)
        by_door[door] = replace(by_door[door], members=[Belonging(persons[settled.key], Relation.HEAD)])
    father = by_door["万隆一品小区", "3栋", "2单元502"]
    father.members.append(Belonging(persons["daughter"], Relation.DAUGHTER, is_registered_here=False, lives_here=False))
    return list(by_door.values())


def _door(home: Home) -> tuple[str, str, str]:
    assert home.building.parent is not None
    return home.building.parent.name, home.building.name, home.dwelling


def _settled_person(settled: _Settled, random: Random) -> Person:
    persona = PERSONA[settled.key]
    phone = pick_mobile_number(random)
    return Person(persona.key, persona.name, settled.sex, settled.birth_date, phone, account_id_of(persona.key))
