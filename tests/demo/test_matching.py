"""What the demo district has to work with is what the product would let people say."""

from datetime import date
from itertools import pairwise

import pytest

from demo.matching import KIND_SKILLS, SKILLS, matching_rows, paired_units
from demo.places import build_places
from demo.register import build_people
from demo.rows import Row
from demo.staff import Staff, build_staff
from models.matching import ResourceKind
from services.orders.kinds.standard import STANDARD_KIND
from services.orders.matching.helpers.schemas import HelperProfileDraft

Tables = dict[str, list[Row]]


@pytest.fixture(scope="module")
def staff() -> Staff:
    places = build_places()
    return build_staff(places, build_people(places), date(2026, 11, 22))


@pytest.fixture(scope="module")
def tables(staff: Staff) -> Tables:
    return {table: list(rows) for table, rows in matching_rows(build_places(), staff).items()}


def test_eight_organisations_have_agreed_to_something(tables: Tables) -> None:
    units = {row["id"]: row for row in paired_units(build_places())}
    agreements = [row for row in tables["resources"] if row["kind"] == ResourceKind.AGREEMENT]
    assert len({row["owner_unit_id"] for row in agreements}) == len(agreements) == 8
    assert {units[row["owner_unit_id"]]["kind"] for row in agreements} == {"organization"}
    assert all(row["note"] for row in agreements)


def test_helpers_offer_what_a_helper_may(staff: Staff, tables: Tables) -> None:
    helpers = {helper.id for helper in staff.helpers}
    for row in tables["helper_profiles"]:
        assert row["account_id"] in helpers
        stated = {name: row[name] for name in ("skills", "hours", "max_open", "lng", "lat")}
        assert HelperProfileDraft.model_validate(stated).max_open == row["max_open"]


def test_skills_that_are_asked_for_are_offered(tables: Tables) -> None:
    offered = {skill for row in tables["helper_profiles"] for skill in row["skills"]}
    assert {skill for skill, _ in KIND_SKILLS.values()} <= offered <= set(SKILLS)
    assert STANDARD_KIND.keys() >= KIND_SKILLS.keys()


def test_all_rows_of_a_table_name_the_same_columns(tables: Tables) -> None:
    for rows in tables.values():
        assert all(before.keys() == after.keys() for before, after in pairwise(rows))
