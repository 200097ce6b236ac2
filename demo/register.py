"""The register of the demo district: some 2,000 households in the buildings of 康乐路南社区, some 5,000 residents."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from random import Random

from demo.households import child_of, make_household
from demo.names import pick_mobile_number
from demo.people import Belonging, Home, People, Person
from demo.personas import PERSONA, account_id_of
from demo.places import Place, Places
from models.grid import Relation, Sex

_VACANT_SHARE = 0.03


def build_people(places: Places) -> People:
    """The register, the same every time. Nobody but the personas has an account yet (see `with_accounts`)."""
    random = Random("linli-demo:people")
    homes = [
        Home(
            home.building,
            home.dwelling,
            make_household(_key_of(home), random) if random.random() >= _VACANT_SHARE else [],
        )
        for compound in places.compounds
        for home in _dwellings(compound, places)
    ]
    homes = [home for home in _settle_personas(homes, random) if home.members]
    _remember_grown_children(homes, random)
    return People(homes)


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
            home.members.append(Belonging(child, child_of(child.sex), lives_here=False))


def _key_of(home: Home) -> str:
    return f"{home.building.code}-{home.dwelling}"


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
    return home.compound.name, home.building.name, home.dwelling


def _settled_person(settled: _Settled, random: Random) -> Person:
    persona = PERSONA[settled.key]
    phone = pick_mobile_number(random)
    return Person(persona.key, persona.name, settled.sex, settled.birth_date, phone, account_id_of(persona.key))
