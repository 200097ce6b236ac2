"""Households as they are in 河源: who lives together, how old they are, what they are called."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

from demo.names import pick_given_name, pick_mobile_number, pick_surname
from demo.people import REGISTER_DATE, Belonging, Person
from models.grid import Relation, Sex


class _Family:
    """Makes the people of one household."""

    def __init__(self, key: str, random: Random) -> None:
        self._key = key
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


def make_household(key: str, random: Random) -> list[Belonging]:
    """The people of one dwelling, the head first. Each has `key` and a number for a key."""
    family = _Family(key, random)
    make = random.choices(list(_MAKERS), weights=list(_MAKERS.values()))[0]
    make(family, random)
    is_rented = random.random() < 0.18
    if is_rented:
        return [replace(member, is_registered_here=False) for member in family.members]
    return family.members


def child_of(sex: Sex) -> Relation:
    """Son or daughter."""
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
            family.add_child(child_of, child_age)


def _three_generations(family: _Family, random: Random) -> None:
    age = random.randint(31, 48)
    family.add(Relation.HEAD, Sex.MALE, age)
    family.add_stranger(Relation.SPOUSE, Sex.FEMALE, age - random.randint(0, 4))
    for number in range(random.choices([1, 2], weights=[4, 6])[0]):
        family.add_child(child_of, max(0, age - 27 - number * 4))
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
    family.add_child(child_of, max(1, age - random.randint(24, 30)))


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
