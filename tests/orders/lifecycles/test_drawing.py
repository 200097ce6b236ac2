"""Pictures say what the lifecycle says, and the documents show the one there is."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from launcher.pictures import lifecycle_documents
from services.orders.lifecycles.definition import BEFORE, Lifecycle
from services.orders.lifecycles.drawing import in_words, mermaid, svg
from services.orders.lifecycles.paths import main_path
from services.orders.lifecycles.standard import STANDARD
from services.orders.lifecycles.wording import PEOPLE

SVG = "{http://www.w3.org/2000/svg}"


def changed(**names: str) -> Lifecycle:
    """The standard one with other names of states."""
    states = [state.model_copy(update={"name": names.get(state.id, state.name)}) for state in STANDARD.states]
    return STANDARD.model_copy(update={"states": tuple(states)})


def texts(picture: str) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(picture).iter(f"{SVG}text")]


@pytest.mark.parametrize("path", lifecycle_documents(), ids=lambda path: path.name)
def test_the_documents_show_the_lifecycle_as_it_is(path: Path) -> None:
    """Else run `make lifecycle`."""
    assert path.read_text(encoding="utf-8") == lifecycle_documents()[path]


def test_the_usual_way_goes_through_every_stage() -> None:
    assert [state.id for state in main_path(STANDARD)] == [
        "placed", "triaged", "dispatched", "accepted", "in_progress", "completed", "verified", "rated", "closed",
    ]  # fmt: skip


def test_the_picture_names_every_state_and_action_and_who_may() -> None:
    said = texts(svg(STANDARD))
    for state in STANDARD.states:
        assert state.name in said
    for step in STANDARD.transitions:
        assert step.name in said
        assert "、".join(dict.fromkeys(PEOPLE[name].zh for name in step.who)) in said
    assert {"3天后自动", "7天后自动", "15天后自动", "说明理由", "办理凭证"} <= set(said)


def test_a_picture_holds_any_name_a_district_gives() -> None:
    wild = changed(placed="<b>\"&'", triaged="名字很长很长很长很长很长很长很长很长", shelved="\ufffe\n--> x : y; {")
    assert "<b>\"&'" in texts(svg(wild))
    assert "&<>" in texts(svg(STANDARD, "&<>"))
    for line in mermaid(wild).splitlines():
        assert re.fullmatch(
            r'stateDiagram-v2| {4}(direction LR|state "[^"]+" as \w+|\[\*\] --> \w+|\w+ --> (\w+ : [^:;]+|\[\*\]))',
            line,
        ), line


def test_the_diagram_has_an_arrow_for_every_move() -> None:
    arrows = set(re.findall(r"s_(\w+) --> s_(\w+) : ", mermaid(STANDARD)))
    moves = {
        (name, step.to_state)
        for step in STANDARD.transitions if step.to_state not in (None, BEFORE) for name in step.from_states
    }  # fmt: skip
    assert arrows == moves | {("shelved", name) for name in ("triaged", "dispatched", "accepted", "in_progress")}


def test_the_same_lifecycle_gives_the_same_picture() -> None:
    again = Lifecycle.model_validate(STANDARD.model_dump(mode="json"))
    assert (svg(again), mermaid(again)) == (svg(STANDARD), mermaid(STANDARD))


@pytest.mark.parametrize(("minutes", "said"), [(1440, "1天"), (10_080, "7天"), (2160, "36小时"), (90, "90分钟")])
def test_times_are_said_in_the_largest_unit_that_fits(minutes: int, said: str) -> None:
    assert in_words(minutes) == said
