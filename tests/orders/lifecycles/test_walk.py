"""Walks of orders over HTTP, beside a model of them: whoever does whatever, both say the same after every step."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.chassis import clock
from services.orders.lifecycles.checking import faults_of
from services.orders.lifecycles.definition import BEFORE, Lifecycle
from services.orders.lifecycles.standard import STANDARD
from tests.conftest import TestServer
from tests.orders.lifecycles.district import (
    ACTIONS_WITH_ROUTES,
    HELPERS,
    PEOPLE,
    District,
    OrdersService,
    orders_service,
)
from tests.orders.lifecycles.model import Carried, ModelOrder, Person, Refused, complaints_about

WALKS, STEPS = 44, 45
STATUS = {"order_not_found": 404, "forbidden": 403, "unknown_main_order": 422}
"""Every other refusal is a conflict."""
ELSEWHERE = frozenset({"ask_extension", "grant_extension", "refuse_extension"})
"""Belong to the clocks, and have addresses there."""

ENDING = frozenset({"reject", "cancel"})
OWN_STEPS = frozenset({"measure", "await_parts", "parts_are_here", "look_in"})
USUAL = ("close", "rate", "verify", "complete", "start", "measure", "accept", "triage", "dispatch")

SPELLS = (61, 25 * 60 + 7, 8 * 24 * 60 + 11, 16 * 24 * 60 + 13)


def own_life() -> Lifecycle:
    """A district that measures before it works, waits for parts, and gives up after a month of silence."""
    life = STANDARD.model_dump(mode="json")
    step = {"who": ["is_helper", "is_dispatcher"], "needs": []}
    life["limits"].update(hops=1, redos=1, lease_minutes=600)
    life["states"] += [
        {"id": "measured", "name": "已勘查", "name_en": "measured", "stage": "handle", "clocks": ["finish"]},
        {"id": "ordered", "name": "等配件", "name_en": "parts ordered", "stage": "handle", "pauses": True},
    ]
    life["transitions"] += [
        {**step, "action": "measure", "name": "勘查", "name_en": "measure", "from_states": ["accepted"],
         "to_state": "measured"},
        {**step, "action": "await_parts", "name": "等配件", "name_en": "await parts",
         "needs": [], "from_states": ["measured", "in_progress", "shelved"], "to_state": "ordered"},
        {**step, "action": "parts_are_here", "name": "配件到货", "name_en": "parts are here",
         "from_states": ["ordered"], "to_state": BEFORE, "who": ["is_dispatcher", "is_system"],
         "after_minutes": 9 * 24 * 60},
        {**step, "action": "look_in", "name": "巡看", "name_en": "look in", "from_states": ["measured", "in_progress"],
         "to_state": None, "needs": ["second_person"]},
        {**step, "action": "give_up", "name": "超时撤单", "name_en": "give up", "from_states": ["returned"],
         "to_state": "cancelled", "who": ["is_system"], "after_minutes": 30 * 24 * 60},
    ]  # fmt: skip
    for one in life["transitions"]:
        if one["action"] in ("complete", "dispatch", "hand_back"):
            one["from_states"].append("measured")
    return Lifecycle.model_validate(life)


LIVES = {"standard_work": STANDARD, "own_work": own_life()}


def test_the_lives_of_the_walks_have_no_faults() -> None:
    assert [faults_of(life) for life in LIVES.values()] == [[], []]


@pytest.fixture
def service(postgres: TestServer, tmp_path: Path) -> Iterator[OrdersService]:
    with orders_service(postgres, tmp_path) as running:
        yield running


@dataclass
class Taken:
    """What all walks did together."""

    steps: int = 0
    states: set[str] = field(default_factory=set)
    actions: set[str] = field(default_factory=set)


class Walk:
    """Two orders of Mr Zhang's. Every step is a request, or time that passes; the seed decides which."""

    def __init__(self, district: District, taken: Taken, seed: int) -> None:
        self.district, self.taken, self.chance = district, taken, Random(seed)
        kind = sorted(LIVES)[seed % len(LIVES)]
        self.orders = [ModelOrder(LIVES[kind]), ModelOrder(LIVES[kind])]
        self.ids = [district.place(kind), district.place(kind)]
        self.stack = ExitStack()

    def go(self, steps: int) -> None:
        rules = (self.do_what_may_be_done, self.go_on, self.try_anything, self.let_time_pass)
        with self.stack:
            for _ in range(steps):
                self.chance.choices(rules, (6, 4, 3, 1))[0](self.chance.randrange(2))
                self.both_say_the_same()

    def do_what_may_be_done(self, which: int) -> None:
        """Evenly over the actions, so that the rare ones come too; what ends an order at once, seldom."""
        ways = self._ways(which)
        self._one_of(which, ways, sorted(ways.keys() - (ENDING if self.chance.random() < 0.85 else set())))

    def go_on(self, which: int) -> None:
        """On the usual way, so that walks get to its end."""
        ways = self._ways(which)
        self._one_of(which, ways, [action for action in USUAL if action in ways])

    def try_anything(self, which: int) -> None:
        known = dict.fromkeys(step.action for step in self.orders[which].life.transitions)
        actions = [action for action in known if action in ACTIONS_WITH_ROUTES | OWN_STEPS]
        self.act(which, self.chance.choice(PEOPLE), self.chance.choice(actions))

    def let_time_pass(self, _: int) -> None:
        minutes = self.chance.choice(SPELLS)
        self.stack.enter_context(clock.shifted(timedelta(minutes=minutes)))
        self.district.let_due_steps_come()
        for order in self.orders:
            order.now += minutes
        for order in sorted(self.orders, key=lambda one: one.timer[1] if one.timer else 0):
            order.let_pass(0)

    def _ways(self, which: int) -> dict[str, list[Person]]:
        """What may be done by whom."""
        ways: dict[str, list[Person]] = {}
        for person in PEOPLE:
            for action in self.orders[which].available(person):
                if action not in ELSEWHERE:
                    ways.setdefault(action, []).append(person)
        return ways

    def _one_of(self, which: int, ways: dict[str, list[Person]], actions: list[str]) -> None:
        if actions:
            action = self.chance.choice(actions)
            self.act(which, self.chance.choice(ways[action]), action)

    def both_say_the_same(self) -> None:
        for order, order_id in zip(self.orders, self.ids, strict=True):
            assert list(complaints_about(order)) == []
            facts = self.district.facts(order_id)
            main = self.ids[self.orders.index(order.main)] if order.main is not None else None
            assert facts == {
                "state": order.state,
                "stage": order.stage.value,
                "version": order.version,
                "steps": order.version,
                "hops": order.hops,
                "redos": order.redos,
                "is_escalated": order.is_escalated,
                "is_in_pool": order.is_in_pool,
                "timer_action": order.timer[0] if order.timer else None,
                "merged_into": main,
                "assignee_id": self._account_id(order.assignee),
            }
            self.taken.states.add(order.state)

    def act(self, which: int, person: Person, action: str) -> None:
        carried = _carried(self.chance)
        order, order_id = self.orders[which], self.ids[which]
        carried.into = self.orders[1 - which]
        if action == "transfer":
            carried.assignee = carried.assignee or HELPERS[0]
        answer = self.district.act(person.name, order_id, action, carried, self.ids[1 - which])
        expected = _refusal_of(order, person, action, carried)
        code = answer.json()["code"] if answer.status_code != 200 else None
        assert code == expected, (person.name, action, order.state, answer.text)
        assert answer.status_code == (200 if expected is None else STATUS.get(expected, 409))
        if expected is None:
            assert (answer.json()["state"], answer.json()["version"]) == (order.state, order.version)
            self.taken.actions.add(action)
        else:
            self._check_advice(order, person, answer.json())
        self._check_reading(order, order_id, person)
        self.taken.steps += 1

    def _check_advice(self, order: ModelOrder, person: Person, answer: dict[str, Any]) -> None:
        """Whoever comes too late learns how it stands."""
        if answer["status"] == 409 and "available_actions" in answer:
            assert answer["available_actions"] == order.available(person)
            assert answer["order"]["state"] == order.state

    def _check_reading(self, order: ModelOrder, order_id: UUID, person: Person) -> None:
        answer = self.district.read(person.name, order_id)
        if not order.is_seen_by(person):
            assert answer.status_code == 404, (person.name, order.state)
            return
        assert answer.status_code == 200, (person.name, order.state, answer.text)
        assert answer.json()["available_actions"] == order.available(person), (person.name, order.state)

    def _account_id(self, person: str | None) -> UUID | None:
        return None if person is None else self.district.world.people[person].account_id


def _carried(chance: Random) -> Carried:
    assignee = chance.choice((*HELPERS, None, None))
    return Carried(assignee, helpers_wanted=chance.choice((1, 3)), solved=chance.random() < 0.6)


def _refusal_of(order: ModelOrder, person: Person, action: str, carried: Carried) -> str | None:
    """None when the model has taken the step."""
    try:
        order.take(person, action, carried)
    except Refused as refused:
        return refused.code
    return None


def test_walks_agree_with_the_model(service: OrdersService, request: pytest.FixtureRequest) -> None:
    """A walk that disagrees is told again by its seed alone."""
    district, taken = District.fresh(service, LIVES), Taken()
    request.addfinalizer(district.close)
    for seed in range(WALKS):
        print("walk", seed)
        Walk(district, taken, seed).go(STEPS)
    assert taken.steps > WALKS * STEPS // 2
    assert {state.id for state in LIVES["own_work"].states} - taken.states == set()
    assert (ACTIONS_WITH_ROUTES | OWN_STEPS) - taken.actions == set()
