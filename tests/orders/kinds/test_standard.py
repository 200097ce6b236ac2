"""The kinds a district starts with."""

from models.clocks import ClockTarget
from services.orders.kinds.standard import STANDARD_KIND, STANDARD_KINDS, standard_policies
from tests.orders.kinds.forms import form_faults

LISTED = {
    "私拉电线", "不文明养犬", "物业服务", "毁绿种菜", "道路维修", "绿化修剪", "晾衣架", "充电桩", "楼道脏乱",
    "水压不稳", "铲雪除冰", "代购药品", "家电维修", "微心愿",
}  # fmt: skip


def test_what_the_communities_list_is_there() -> None:
    assert {kind.name for kind in STANDARD_KINDS} >= LISTED
    assert len(STANDARD_KIND) == len(STANDARD_KINDS)


def test_every_kind_asks_one_to_five_questions_in_words_people_read() -> None:
    for kind in STANDARD_KINDS:
        assert 1 <= len(kind.questions) <= 5, kind.id
        assert kind.description.endswith("。")


def test_no_form_holds_up_who_cannot_answer_it() -> None:
    """At most two questions must be answered, and none for what old people order most."""
    assert all(sum(question.required for question in kind.questions) <= 2 for kind in STANDARD_KINDS)
    assert form_faults(STANDARD_KIND["buy_medicine"].form(), {}) == []


def test_what_is_counted_has_no_fractions() -> None:
    numbers = [one for kind in STANDARD_KINDS for one in kind.form() if one["type"] == "number"]
    assert numbers
    assert all(number["whole"] for number in numbers)


def test_snow_takes_eight() -> None:
    assert STANDARD_KIND["snow_clearing"].columns()["helpers_wanted"] == 8


def test_public_places_are_seen_by_the_community_and_homes_are_not() -> None:
    seen = {kind.id: kind.columns()["default_visibility"] for kind in STANDARD_KINDS}
    assert (seen["road_repair"], seen["buy_medicine"], seen["uncivil_dog_keeping"]) == (
        "community",
        "private",
        "private",
    )


def test_every_kind_is_promised_an_end() -> None:
    policies = dict(standard_policies())
    assert all(ClockTarget.FINISH in targets for targets in policies.values())
    assert policies.keys() - {None} <= STANDARD_KIND.keys()
    assert None in policies
