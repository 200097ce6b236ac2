"""The check of a form's answers, in SQL and written a second time in Python."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.kinds.forms import Question
from tests.orders.kinds.forms import form_faults
from tests.world import World

FORM: list[dict[str, Any]] = [
    {"id": "what", "label": "药名", "type": "text", "required": True, "min": 2, "max": 10},
    {"id": "floor", "label": "楼层", "type": "number", "min": 1, "max": 40},
    {"id": "lift", "label": "有电梯", "type": "boolean", "required": True},
    {"id": "since", "label": "何时开始", "type": "date"},
    {"id": "place", "label": "位置", "type": "choice", "choices": [{"id": "hall"}, {"id": "yard"}]},
    {"id": "tools", "label": "工具", "type": "choices", "choices": [{"id": "shovel"}, {"id": "salt"}, {"id": "broom"}]},
    {"id": "call", "label": "电话", "type": "phone"},
    {"id": "lamps", "label": "几盏", "type": "number", "whole": True},
]
RIGHT: dict[str, Any] = {"what": "阿司匹林", "lift": True}


async def faults(world: World, answers: Any, form: Any = FORM) -> list[dict[str, str]]:
    found = await world.fetch_value("SELECT order_form_faults($1, $2)", _sent(form), _sent(answers))
    return list(json.loads(found))


def _sent(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def test_what_answers_the_form_has_no_faults(world: World) -> None:
    whole = {
        **RIGHT, "floor": 5, "since": "2024-02-29", "place": "yard", "tools": ["salt", "shovel"], "call": "13800138000",
    }  # fmt: skip
    assert await faults(world, RIGHT) == []
    assert await faults(world, whole) == []


@pytest.mark.parametrize(
    "call", ["138 0013 8000", "0762-3388123-8", "（0762）3388123", "(0762) 338-8123", "+86-75512345"]
)
async def test_a_phone_is_taken_as_people_write_it(world: World, call: str) -> None:
    assert await faults(world, {**RIGHT, "call": call, "lamps": 3.0}) == []


@pytest.mark.parametrize(
    ("name", "answer", "fault"),
    [
        ("what", None, "missing"),
        ("what", "", "missing"),
        ("what", " \u3000\n", "missing"),
        ("what", [], "missing"),
        ("lift", None, "missing"),
        ("lift", "", "missing"),
        ("what", "药", "range"),
        ("what", "药" * 11, "range"),
        ("what", "😀", "range"),
        ("what", 5, "type"),
        ("what", {"text": "药"}, "type"),
        ("what", ["药品"], "type"),
        ("floor", "5", "type"),
        ("floor", "５", "type"),
        ("floor", True, "type"),
        ("floor", 0, "range"),
        ("floor", -1, "range"),
        ("floor", 40.5, "range"),
        ("floor", 2**63, "range"),
        ("lift", "true", "type"),
        ("lift", 1, "type"),
        ("since", "2023-02-29", "type"),
        ("since", "2100-02-29", "type"),
        ("since", "2026-3-1", "type"),
        ("since", "２０２６-03-01", "type"),
        ("since", "2026-13-01", "type"),
        ("since", "2026-04-31", "type"),
        ("since", "0000-01-01", "range"),
        ("since", "9999-12-31", "range"),
        ("since", 20260301, "type"),
        ("place", "roof", "choice"),
        ("place", ["hall"], "type"),
        ("place", " hall", "choice"),
        ("tools", ["salt", "salt"], "choice"),
        ("tools", ["salt", "spade"], "choice"),
        ("tools", ["salt", 1], "type"),
        ("tools", ["salt", None], "type"),
        ("tools", "salt", "type"),
        ("call", "１３８００１３８０００", "type"),
        ("call", "138001380001380013800", "type"),
        ("call", "13800138000\n1", "type"),
        ("call", "+----", "type"),
        ("call", "0-----------", "type"),
        ("call", "0755", "type"),
        ("call", "138+0013", "type"),
        ("lamps", 3.7, "type"),
        ("lamps", 1e-9, "type"),
        ("lamps", 1e300, "range"),
        ("another", 1, "unknown"),
        ("", "x", "unknown"),
    ],
)
async def test_what_does_not_is_named_with_its_fault(world: World, name: str, answer: Any, fault: str) -> None:
    assert await faults(world, {**RIGHT, name: answer}) == [{"question": name, "fault": fault}]


async def test_faults_come_in_the_order_of_the_form_and_unknown_ones_last(world: World) -> None:
    found = await faults(world, {"zone": 1, "about": 1, "call": "x", "floor": 0})
    assert [fault["question"] for fault in found] == ["what", "floor", "lift", "call", "about", "zone"]


async def test_a_kind_that_asks_nothing_takes_no_answers(world: World) -> None:
    forms: tuple[Any, ...] = (None, "null", [])
    for form in forms:
        assert await faults(world, {}, form) == []
        assert await faults(world, {"floor": 1}, form) == [{"question": "floor", "fault": "unknown"}]


@pytest.mark.parametrize("answers", [None, "null", {}])
async def test_no_answers_at_all_are_missing(world: World, answers: Any) -> None:
    found = await faults(world, answers)
    assert [(fault["question"], fault["fault"]) for fault in found] == [("what", "missing"), ("lift", "missing")]


@pytest.mark.parametrize("answers", ["[]", "5", '"text"', "true", "[[{}]]", "1e131000"])
async def test_answers_that_are_no_object_are_a_fault_of_their_own(world: World, answers: str) -> None:
    assert await faults(world, answers) == [{"question": "", "fault": "type"}]


@pytest.mark.parametrize("number", ["1e131000", "-1e131000", "1e-16000", "0.1e2", "-0"])
async def test_any_number_json_can_write_is_judged(world: World, number: str) -> None:
    expected = [] if number == "0.1e2" else [{"question": "floor", "fault": "range"}]
    assert await faults(world, f'{{"what": "药品", "lift": true, "floor": {number}}}') == expected


@pytest.mark.parametrize(
    "form", ['{"a": 1}', "5", "[5, null, []]", '[{"id": {"a": 1}, "type": ["x"], "choices": 3, "min": "a", "max": {}}]']
)
async def test_a_form_out_of_joint_raises_nothing_either(world: World, form: str) -> None:
    await faults(world, RIGHT, form)


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_numbers = st.one_of(
    st.integers(-50, 50),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e308, 2**63]),
)
_dates = st.builds("{:04}-{:02}-{:02}".format, st.integers(1890, 2210), st.integers(0, 13), st.integers(0, 32))
_odd = ["hall", "yard", "１０", "", "  ", "\u3000", "😀😀", "a\u0301", " 药 ", "\u3000药品药品药品药品药品\n"]
_phones = ["13800138000", "+86-755", "0755", "138 0013", "（0762）33", "+----", "1+2345"]
_plain = st.one_of(st.none(), st.booleans(), _numbers, _texts, _dates, st.sampled_from(_odd + _phones))
_tools = st.lists(st.sampled_from(["shovel", "salt", "broom", "spade"]), max_size=4)
_anything = st.one_of(_plain, _tools, st.lists(_plain, max_size=3), st.dictionaries(_texts, _plain, max_size=2))
_names = st.sampled_from([question["id"] for question in FORM])
_answers = st.dictionaries(st.one_of(_names, _names, _names, _texts), _anything, max_size=9)


async def test_sql_and_python_say_the_same(world: World) -> None:
    """Drawn first and asked afterwards: a property cannot await."""
    batches: list[list[dict[str, Any]]] = []

    @given(st.lists(_answers, min_size=20, max_size=40))
    @settings(max_examples=60, deadline=None, database=None)
    def draw(batch: list[dict[str, Any]]) -> None:
        batches.append(batch)

    draw()
    for batch in batches:
        found = await world.fetch(_BATCH, _sent(FORM), [_sent(answers) for answers in batch])
        for answers, row in zip(batch, found, strict=True):
            assert json.loads(row["faults"]) == form_faults(FORM, answers), answers


_BATCH = """
SELECT order_form_faults($1, one::jsonb) AS faults FROM unnest($2::text[]) WITH ORDINALITY AS x (one, n) ORDER BY n
"""


def test_the_form_of_these_tests_is_one_that_can_be_recorded() -> None:
    for question in FORM:
        choices = [{"label": "某处", **choice} for choice in question.get("choices", [])]
        Question.model_validate({**question, "choices": choices})
