"""Random trees × random grants: what a caller reads is exactly what a naive filter lets through."""

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.schemas import new_id
from tests.grid.places import items_of
from tests.world import World

READING_ROLES = {Role.DISTRICT_ADMIN, Role.COMMUNITY_ADMIN, Role.DISPATCHER, Role.GRID_WORKER}


@dataclass
class Register:
    """A random tree with households and residents, kept beside the database."""

    ancestors: dict[UUID, list[UUID]] = field(default_factory=dict)
    households: dict[UUID, UUID] = field(default_factory=dict)
    """Household → area."""
    homes: dict[UUID, set[UUID]] = field(default_factory=dict)
    """Resident → households."""

    def households_under(self, area_ids: set[UUID]) -> set[UUID]:
        return {home for home, area_id in self.households.items() if area_ids & set(self.ancestors[area_id])}

    def residents_of(self, households: set[UUID]) -> set[UUID]:
        return {resident for resident, homes in self.homes.items() if homes & households}


async def grow(world: World, random: Random) -> Register:
    """Some thirty areas at random depths, a household in most, residents with one or two homes."""
    register = Register()
    keys = ["district"]
    for number in range(30):
        parent = random.choice(keys)
        key = f"random-{number}"
        area_id = await world.add_area(key, parent, "compound", f"999{number:09}", key)
        keys.append(key)
        row = (await world.fetch("SELECT ancestor_ids FROM areas WHERE id = $1", area_id))[0]
        register.ancestors[area_id] = list(row["ancestor_ids"])
        if random.random() < 0.8:
            household_id = new_id()
            await world.insert("households", id=household_id, area_id=area_id, dwelling="1单元101")
            register.households[household_id] = area_id
    for number in range(25):
        resident_id = new_id()
        await world.insert("residents", id=resident_id, name=f"居民{number}")
        homes = set(random.sample(sorted(register.households), random.choice([1, 1, 2])))
        for household_id in homes:
            await world.insert("household_members", household_id=household_id, resident_id=resident_id)
        register.homes[resident_id] = homes
    return register


async def appoint(world: World, random: Random, key: str, register: Register) -> set[UUID]:
    """Somebody with random grants, some of them over or not begun; returns the areas they let read."""
    person = await world.add_person(key, key)
    moment, day = clock.now(), timedelta(days=1)
    terms = [
        (moment - day, None, True),
        (moment - day, moment + day, True),
        (moment - 2 * day, moment - day, False),
        (moment + day, None, False),
    ]
    readable: set[UUID] = set()
    for _ in range(random.randint(0, 4)):
        role, area_id = random.choice(list(Role)), random.choice(sorted(register.ancestors))
        valid_from, valid_to, is_in_force = random.choice(terms)
        await world.insert(
            "grants", id=new_id(), account_id=person.account_id, role=role, area_id=area_id,
            valid_from=valid_from - timedelta(seconds=random.random()), valid_to=valid_to,
        )  # fmt: skip
        if is_in_force and role in READING_ROLES:
            readable.add(area_id)
    return readable


@pytest.mark.parametrize("seed", range(4))
async def test_lists_and_single_reads_equal_a_naive_filter(world: World, seed: int) -> None:
    random = Random(seed)
    register = await grow(world, random)
    for number in range(5):
        caller = f"caller-{number}"
        readable = await appoint(world, random, caller, register)
        households = register.households_under(readable)
        residents = register.residents_of(households)
        assert {UUID(home["id"]) for home in await items_of(world, "/v1/households", caller, limit=7)} == households
        assert {UUID(person["id"]) for person in await items_of(world, "/v1/residents", caller, limit=7)} == residents
        for household_id in random.sample(sorted(register.households), 5):
            answer = await world.people[caller].get(f"/v1/households/{household_id}")
            assert answer.status_code == (200 if household_id in households else 404)
        for resident_id in random.sample(sorted(register.homes), 5):
            answer = await world.people[caller].get(f"/v1/residents/{resident_id}")
            assert answer.status_code == (200 if resident_id in residents else 404)
        for area_id in random.sample(sorted(register.ancestors), 5):
            answer = await world.people[caller].get("/v1/households", area_id=str(area_id), limit=100)
            if readable & set(register.ancestors[area_id]):
                found = {UUID(home["id"]) for home in answer.json()["items"]}
                assert found == register.households_under({area_id})
            else:
                assert answer.status_code == 404
