"""What a simulation says is what really is credited: the same services, credited for good and replayed."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from services.chassis import clock
from tests.points.books import Books
from tests.points.earning.services import certify, credit, participant
from tests.points.earning.test_rules import activate, draft, period, simulate

SEEDS = range(6)
KINDS = ["buy_medicine", "snow_clearing", "grave_sweeping"]


def random_terms(random: Random) -> dict[str, Any]:
    """Rates and fixed points, bonuses and limits, of which many are tight."""

    def how_much() -> dict[str, Any]:
        if random.random() < 0.4:
            return {"fixed_points": random.randint(0, 9), "min_minutes": random.choice([0, 0, 60])}
        rate = {
            "points": random.randint(1, 4),
            "per_minutes": random.choice([30, 45, 60]),
            "coefficient_thousandths": random.choice([500, 1000, 1250, 1333]),
        }
        return {"rate": rate, "credits_minutes": random.random() < 0.5, "min_minutes": random.choice([0, 30])}

    def order_terms() -> dict[str, Any]:
        bonus = random.choice([None, {"points": 2, "stars": 4}])
        return {**how_much(), "min_stars": random.randint(1, 3), "bonus": bonus}

    return {
        "orders": {"general": order_terms(), "kinds": {"snow_clearing": order_terms()}},
        "services": {"general": random.choice([None, how_much()]), "kinds": {"culture": how_much()}},
        "caps": {
            "per_activity": random.choice([None, 4]),
            "per_day": random.choice([None, 3, 7]),
            "per_month": random.choice([None, 12, 25]),
        },
    }


async def live_through(books: Books, random: Random, services: int) -> None:
    """Orders and activities of three people around the end of a month, told in no order."""
    world = books.world
    people = [world.member, world.second_member, world.zhang]
    end_of_month = clock.now().replace(day=1, hour=15, minute=59, second=59, microsecond=0) - timedelta(days=1)
    for _ in range(services):
        ends = end_of_month + timedelta(hours=random.randint(-30, 12), seconds=random.choice([0, 1]))
        ends = min(ends, clock.now() - timedelta(minutes=1))
        minutes = random.choice([None, 20, 59, 60, 90, 240])
        if random.random() < 0.6:
            await credit(
                books, assignee_id=random.choice(people).account_id, order_kind=random.choice(KINDS), minutes=minutes,
                ended_at=random.choice([None, ends]), stars=random.randint(1, 5), solved=random.random() < 0.9,
            )  # fmt: skip
        else:
            length = minutes or 75
            began_at = ends - timedelta(minutes=length)
            helpers = random.sample(people, random.randint(1, 3))
            activity = {"name": "社区活动", "service_kind": random.choice(["culture", "environment"])}
            answer = await certify(
                world, *(participant(helper, began_at=began_at, minutes=length) for helper in helpers),
                activity=activity,
            )  # fmt: skip
            assert answer.status_code == 201, answer.text


async def credited(books: Books) -> tuple[int, int, int]:
    row = (
        await books.world.fetch(
            "SELECT count(*), sum(points)::bigint, sum(minutes_credited)::bigint FROM service_records"
        )
    )[0]
    return row[0], row[1], row[2]


@pytest.mark.parametrize("seed", SEEDS)
async def test_replayed_by_its_own_version_nothing_changes(books: Books, seed: int) -> None:
    random = Random(seed)
    await books.world.add_rules(random_terms(random), active_from=clock.now() - timedelta(minutes=1))
    await live_through(books, random, 25)
    result = await simulate(books.world, 2)
    assert (result["records"], result["points_before"], result["minutes_before"]) == await credited(books)
    assert (result["points_after"], result["minutes_after"]) == (result["points_before"], result["minutes_before"])
    assert {kind["points_difference"] for kind in result["kinds"]} == {0}
    total = await books.world.fetch_value(
        "SELECT COALESCE(sum(balance), 0)::bigint FROM ledger_accounts WHERE kind = 'member' AND asset = 'points'"
    )
    assert total == result["points_after"], "the records say what the ledger says"


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_a_draft_promises_it_credits(books: Books, other_books: Books, seed: int) -> None:
    """Simulated in one district, credited for good in another that lived through the same."""
    random = Random(1000 + seed)
    terms, life = random_terms(random), random.getrandbits(32)
    await live_through(books, Random(life), 20)
    promised = await simulate(books.world, await draft(books.world, terms))
    await other_books.world.add_rules(terms, active_from=clock.now() - timedelta(minutes=1))
    await live_through(other_books, Random(life), 20)
    assert (promised["records"], promised["points_after"], promised["minutes_after"]) == await credited(other_books)


async def test_part_of_a_day_is_replayed_after_the_rest_of_it(books: Books) -> None:
    """What was credited before the period has used up the day's limit."""
    await books.world.add_rules(
        {"orders": {"general": {"fixed_points": 5}}, "caps": {"per_day": 8}},
        active_from=clock.now() - timedelta(days=2),
    )
    moment = clock.now() - timedelta(minutes=10)
    await credit(books, rated_at=moment - timedelta(microseconds=1), ended_at=moment)
    await credit(books, rated_at=moment, ended_at=moment)
    body = {"from": moment.isoformat(), "to": clock.now().isoformat()}
    result = await simulate(books.world, 2, body)
    assert (result["records"], result["points_before"], result["points_after"]) == (1, 3, 3)


async def test_what_was_taken_back_is_not_replayed(books: Books) -> None:
    await books.world.add_rules(
        {"orders": {"general": {"fixed_points": 5}}, "caps": {"per_day": 8}},
        active_from=clock.now() - timedelta(minutes=1),
    )
    wrong = await credit(books)
    assert (await books.call("ledger_reverse", books.reversal(wrong["transaction_id"]))).status == 201
    for _ in range(2):
        await credit(books)
    result = await simulate(books.world, 2)
    assert (result["records"], result["points_before"], result["points_after"]) == (2, 8, 8)


async def test_an_activated_draft_counts_from_its_moment(books: Books) -> None:
    world = books.world
    version = await draft(world, {"orders": {"general": {"fixed_points": 40}}})
    await simulate(world, version, period())
    answer = await activate(world, version, after_seconds=30)
    active_from = datetime.fromisoformat(answer.json()["active_from"])
    assert (await credit(books, rated_at=active_from - timedelta(microseconds=1)))["points"] == 7
    assert (await credit(books, rated_at=active_from))["points"] == 40
