"""Random orders with everything the rates ask about, and what a plain reading of the definition makes of them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.schemas import new_id
from tests.world import World

KINDS = ("buy_medicine", "snow_clearing")
AREAS = ("community", "compound", "building", "other_community")
PARENT = {"building": "compound", "compound": "community", "community": "subdistrict",
          "other_community": "subdistrict", "subdistrict": "district"}  # fmt: skip
STAGES = ("receive", "dispatch", "handle", "verify", "close", "done", "follow")
CLOCK_STATES = ("running", "paused", "met", "missed", "stopped")
HOUR = timedelta(hours=1)
NOW_BEFORE = timedelta(minutes=1)
"""Nothing random happens so close to now that it could change while it is read."""


@dataclass
class Life:
    """One order, as far as rates ask."""

    area: str
    kind: str
    stage: str
    placed_at: datetime
    unit: UUID | None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    merged_into: UUID | None = None
    events: list[tuple[str, datetime]] = field(default_factory=list)
    clocks: list[tuple[str, datetime | None]] = field(default_factory=list)
    """(state, when it is due), by round; a paused one is not due."""
    is_shelved: bool = False
    answers: list[tuple[str, bool, int | None, bool]] = field(default_factory=list)
    """(source, solved, stars, whether to the round that stands)."""
    exclusions: list[list[str]] = field(default_factory=list)
    """The outcomes of each, in turn."""
    id: UUID = field(default_factory=new_id)


def random_life(chance: Random, units: list[UUID], earlier: list[Life]) -> Life:
    now = clock.now() - 2 * HOUR
    placed_at = now - timedelta(minutes=chance.randint(0, 4 * 24 * 60))
    life = Life(
        area=chance.choice(AREAS), kind=chance.choice(KINDS), stage=chance.choice(STAGES), placed_at=placed_at,
        unit=chance.choice([None, *units]),
    )  # fmt: skip
    if life.stage == "follow" or chance.random() < 0.05:
        life.merged_into = chance.choice(earlier).id if earlier else None
        life.stage = life.stage if life.merged_into else "done"
    moments = sorted(placed_at + timedelta(minutes=chance.randint(0, 60 * 60)) for _ in range(chance.randint(0, 6)))
    actions = ["dispatch", "accept", "accept", "take_over", "hand_back", "lapse", "lapse", "start", "merge"]
    life.events = [(chance.choice(actions), moment) for moment in moments if moment < now]
    if life.stage == "done" and chance.random() < 0.3:
        life.cancelled_at = placed_at + timedelta(minutes=chance.randint(0, 60 * 60))
        life.events.append(("cancel", life.cancelled_at))
    elif life.stage == "done" and chance.random() < 0.3:
        life.events.append(("reject", placed_at + timedelta(minutes=chance.randint(0, 60 * 60))))
    likely = {"verify": 0.85, "close": 0.85, "done": 0.85, "handle": 0.3}  # a life of its own may lead back to work
    if chance.random() < likely.get(life.stage, 0):
        life.completed_at = now - timedelta(minutes=chance.randint(0, 4 * 24 * 60))
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        state, due_at = chance.choice(CLOCK_STATES), placed_at + timedelta(minutes=chance.randint(1, 60 * 60))
        life.clocks.append((state, None if state == "paused" else due_at))
    life.is_shelved = chance.random() < 0.15
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        source = chance.choice(["resident", "follow_up"])
        stars = chance.randint(1, 5) if source == "resident" or chance.random() < 0.6 else None
        life.answers.append((source, chance.random() < 0.7, stars, chance.random() < 0.7))
    outcomes: list[list[str]] = [[], ["approved"], ["refused"], ["withdrawn"], ["approved", "withdrawn"]]
    life.exclusions = [chance.choice(outcomes) for _ in range(chance.choice([0, 0, 0, 1, 2]))]
    return life


async def store(world: World, life: Life) -> None:
    building = world.areas[life.area]
    community = world.areas["other_community" if life.area == "other_community" else "community"]
    who, resident = world.zhang.account_id, world.zhang.resident_id
    assignee = None if life.stage in {"receive", "dispatch", "follow"} else world.member.account_id
    state = "shelved" if life.is_shelved else "placed"
    await world.insert(
        "orders", id=life.id, kind=life.kind, state=state, stage=life.stage, lifecycle_version=1, area_id=building,
        community_id=community, resident_id=resident, placed_by=who, description="代购", contact_name="张德明",
        address="3栋", placed_at=life.placed_at, completed_at=life.completed_at, cancelled_at=life.cancelled_at,
        merged_into=life.merged_into, assignee_id=assignee, unit_id=life.unit,
    )  # fmt: skip
    for sequence, (action, moment) in enumerate(life.events, start=1):
        await world.insert(
            "order_history", order_id=life.id, sequence=sequence, action=action, to_state="placed", actor_id=who,
            at=moment,
        )  # fmt: skip
    for number, (state, due_at) in enumerate(life.clocks, start=1):
        ended = None if state in {"running", "paused"} else life.placed_at
        await world.insert(
            "order_clocks", order_id=life.id, target="accept", round=number, community_id=community, area_id=building,
            state=state, unit="calendar_hours", started_at=life.placed_at, ended_at=ended, due_at=due_at,
            sorts_at=life.placed_at, segments="[]", why="{}", computed_at=life.placed_at,
        )  # fmt: skip
    for number, (source, solved, stars, stands) in enumerate(life.answers, start=1):
        round_of = life.completed_at if stands else life.placed_at - HOUR
        await world.insert(
            "order_answers", order_id=life.id, sequence=number, round=1, completed_at=round_of, source=source,
            solved=solved, stars=stars, account_id=who, at=life.placed_at,
        )  # fmt: skip
    for outcomes in life.exclusions:
        await _store_exclusion(world, life, outcomes)


async def _store_exclusion(world: World, life: Life, outcomes: list[str]) -> None:
    exclusion, now, who = new_id(), clock.now(), world.dispatcher.account_id
    await world.insert(
        "rate_exclusions", id=exclusion, order_id=life.id, reason_code="other", words="试", asked_by=who, asked_at=now
    )
    for number, outcome in enumerate(outcomes, start=1):
        await world.insert(
            "rate_exclusion_steps", exclusion_id=exclusion, sequence=number, outcome=outcome, reason="试",
            decided_by=who, decided_at=now,
        )  # fmt: skip


# The plain reading ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    measure: str
    areas: list[str]
    first_day: Any
    last_day: Any
    kind: str | None
    group_by: str
    satisfied_stars: int
    response_hours: int


def outcome_of(life: Life, asked: Asked) -> str | None:
    """None: the measure does not look at the order."""
    counted_at = life.placed_at if asked.measure == "response" else life.completed_at
    if counted_at is None or not asked.first_day <= counted_at.astimezone(SHANGHAI).date() <= asked.last_day:
        return None
    if asked.kind not in {None, life.kind}:
        return None
    if not any(area in asked.areas for area in path_of(life.area)):
        return None
    found = _response(life, asked) if asked.measure == "response" else _answered(life, asked)
    is_excluded = any(outcomes == ["approved"] for outcomes in life.exclusions)
    looked_at = _was_dispatched(life) if asked.measure == "response" else life.stage in {"verify", "close", "done"}
    return ("excluded" if is_excluded else found) if looked_at else None


def path_of(area: str) -> list[str]:
    """From the root down to the area."""
    return [*path_of(PARENT[area]), area] if area in PARENT else [area]


def _was_dispatched(life: Life) -> bool:
    return any(action == "dispatch" for action, _ in life.events)


def _response(life: Life, asked: Asked) -> str | None:
    if not _was_dispatched(life):
        return None
    ended = None
    if life.cancelled_at or life.merged_into or (life.stage == "done" and not life.completed_at):
        ended = max((at for action, at in life.events if action in {"cancel", "merge", "reject"}), default=None)
    first_dispatch = min(at for action, at in life.events if action == "dispatch")
    state, limit = life.clocks[0] if life.clocks else (None, first_dispatch + asked.response_hours * HOUR)
    accepted = min(_acceptances(life), default=None)
    has_lapsed = any(action == "lapse" for action, _ in life.events)
    if state == "missed":
        return "not_met"
    if state == "met" and not has_lapsed:
        return "met"
    if limit and accepted:
        return "met" if accepted <= limit else "not_met"
    if limit and not life.is_shelved and min(ended or clock.now(), clock.now()) > limit:
        return "not_met"
    return None if ended else "open"


def _acceptances(life: Life) -> list[datetime]:
    """Without those that lapsed."""
    found: list[datetime] = []
    is_pending = False
    for action, moment in life.events:
        if action in {"accept", "take_over"}:
            found.append(moment)
            is_pending = True
        elif action == "lapse" and is_pending:
            found.pop()
            is_pending = False
    return found


def _answered(life: Life, asked: Asked) -> str:
    standing = [answer for answer in life.answers if answer[3]]
    own = [answer for answer in standing if answer[0] == "resident"] or standing
    if not own:
        return "open"
    _, solved, stars, _ = own[-1]
    if asked.measure == "resolution":
        return "met" if solved else "not_met"
    if stars is None:
        return "open"
    return "met" if stars >= asked.satisfied_stars else "not_met"


def group_of(life: Life, asked: Asked, world: World, compared: set[UUID]) -> str | None:
    counted_at = life.placed_at if asked.measure == "response" else life.completed_at
    if asked.group_by == "kind":
        return life.kind
    if asked.group_by == "month":
        assert counted_at is not None
        return f"{counted_at.astimezone(SHANGHAI):%Y-%m}"
    if asked.group_by == "unit":
        return str(life.unit) if life.unit in compared else None
    if asked.group_by == "area":
        path = path_of(life.area)
        place = min(path.index(area) for area in asked.areas if area in path)
        return str(world.areas[path[min(place + 1, len(path) - 1)]])
    return None


def counts(lives: list[Life], asked: Asked, world: World, compared: set[UUID]) -> Counter[tuple[str | None, str]]:
    found: Counter[tuple[str | None, str]] = Counter()
    for life in lives:
        outcome = outcome_of(life, asked)
        if outcome is not None:
            found[group_of(life, asked, world, compared), outcome] += 1
    return found
