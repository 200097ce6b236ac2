"""Certifying service: points and minutes for each, once per person and activity, never for oneself."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.identity import Role
from services.chassis import clock
from tests.points.books import Books
from tests.points.earning.services import balance, certification, certified, certify, participant, records_of
from tests.world import World


class TestCertifying:
    async def test_credits_points_and_minutes(self, books: Books) -> None:
        world = books.world
        people = [world.member, world.second_member, world.zhang]
        answer = await certified(world, *(participant(person) for person in people))
        assert (answer["certified"], answer["refused"], answer["rule_version"]) == (3, 0, 1)
        assert [
            (line["account_id"], line["points"], line["minutes_credited"], line["sum"]) for line in answer["results"]
        ] == [(str(person.account_id), 1, 90, "90 分钟 × 1/小时 = 1（余 0.5）") for person in people]
        for person in people:
            assert await balance(books, person.account_id, "points") == 1
            assert await balance(books, person.account_id, "minutes") == 90

    async def test_leaves_a_posting_that_says_why(self, world: World) -> None:
        answer = await certified(world, participant(world.member, minutes=120))
        posting = (await world.member.get(f"/v1/points/postings/{answer['results'][0]['posting_id']}")).json()
        assert (posting["kind"], posting["reason"]) == ("service", "小区清洁日 志愿服务120分钟")
        assert posting["source_id"] == f"{answer['activity_id']}:{world.member.account_id}"
        assert posting["details"] == {
            "rule_version": 1,
            "activity_id": answer["activity_id"],
            "sum": "120 分钟 × 1/小时 = 2",
        }
        assert posting["recorded_by"] == str(world.points_clerk.account_id)

    async def test_leaves_a_record(self, world: World) -> None:
        began_at = clock.now() - timedelta(hours=5)
        answer = await certified(world, participant(world.member, began_at=began_at, minutes=120))
        (record,) = await records_of(world, world.member.account_id)
        assert str(record["source_id"]) == answer["activity_id"]
        assert (record["activity_name"], record["service_kind"]) == ("小区清洁日", "environment")
        assert (record["began_at"], record["ended_at"], record["minutes"]) == (
            began_at,
            began_at + timedelta(minutes=120),
            120,
        )
        assert record["recorded_by"] == world.points_clerk.account_id
        assert str(record["transaction_id"]) == answer["results"][0]["posting_id"]

    async def test_counts_from_beginning_to_end_or_as_stated(self, world: World) -> None:
        began_at = clock.now() - timedelta(hours=5)
        times = {"began_at": began_at.isoformat(), "ended_at": (began_at + timedelta(hours=3)).isoformat()}
        answer = await certified(
            world,
            {"account_id": str(world.member.account_id), **times},
            {"account_id": str(world.zhang.account_id), **times, "minutes": 150},
        )
        assert [line["minutes"] for line in answer["results"]] == [180, 150]

    async def test_of_an_activity_without_an_id_gives_it_one(self, world: World) -> None:
        activity = {"name": "小区清洁日", "service_kind": "environment"}
        answers = [await certified(world, participant(world.member), activity=activity) for _ in range(2)]
        assert answers[0]["activity_id"] != answers[1]["activity_id"]

    async def test_too_little_for_a_point_is_certified_all_the_same(self, books: Books) -> None:
        await books.world.add_rules({}, active_from=clock.now() - timedelta(hours=1))
        answer = await certified(books.world, participant(books.world.member))
        assert (answer["results"][0]["sum"], answer["results"][0]["posting_id"]) == ("此类服务不计分", None)
        assert len(await records_of(books.world, books.world.member.account_id)) == 1

    async def test_the_limits_of_the_day_of_service_hold(self, books: Books) -> None:
        """Not of the day of certifying: three days certified in one go are three days."""
        await books.world.add_rules(
            {"services": {"general": {"rate": {"points": 1}}}, "caps": {"per_day": 2, "per_activity": 2}},
            active_from=clock.now() - timedelta(hours=1),
        )
        began_at = clock.now() - timedelta(days=3)
        points = []
        for moment in (began_at, began_at, began_at + timedelta(days=1)):
            who = participant(books.world.member, began_at=moment, minutes=180)
            points.append((await certified(books.world, who))["results"][0]["points"])
        assert points == [2, 0, 2]

    async def test_repeats_its_answer(self, books: Books) -> None:
        world = books.world
        body = certification(world, [participant(world.member)])
        answers = [await world.points_clerk.post("/v1/points/certifications", body, key="k") for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert await books.balance(world.member.account_id) == 1


class TestRefusals:
    async def test_a_person_is_certified_once_per_activity(self, books: Books) -> None:
        world, activity = books.world, {"id": str(uuid4()), "name": "小区清洁日", "service_kind": "environment"}
        await certified(world, participant(world.member), activity=activity)
        answer = await certified(
            world, participant(world.member), participant(world.zhang), activity=activity, mode="each"
        )
        assert [line["code"] for line in answer["results"]] == ["already_certified", None]
        assert await books.balance(world.member.account_id) == 1

    async def test_of_many_at_once_one_certifies(self, books: Books) -> None:
        world, activity = books.world, {"id": str(uuid4()), "name": "小区清洁日", "service_kind": "environment"}
        people = [participant(person) for person in (world.member, world.second_member, world.zhang)]
        answers = await asyncio.gather(
            *(certify(world, *people[i % 3 :], *people[: i % 3], activity=activity) for i in range(9))
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 8
        for person in (world.member, world.second_member, world.zhang):
            assert await books.balance(person.account_id) == 1

    async def test_nobody_certifies_their_own(self, world: World) -> None:
        answer = await certified(world, participant(world.points_clerk), participant(world.member), mode="each")
        assert [line["code"] for line in answer["results"]] == ["own_points", None]

    async def test_strangers_and_what_is_not_over_are_refused(self, world: World, other_world: World) -> None:
        answer = await certified(
            world,
            participant(other_world.member),
            participant(world.member, began_at=clock.now() - timedelta(minutes=30), minutes=31),
            mode="each",
        )
        assert [line["code"] for line in answer["results"]] == ["recipient_not_a_member", "not_over_yet"]
        assert (answer["certified"], answer["refused"]) == (0, 2)

    async def test_all_or_nothing_is_nothing(self, books: Books) -> None:
        world = books.world
        answer = await certify(world, participant(world.points_clerk), participant(world.member))
        assert (answer.status_code, answer.json()["code"]) == (409, "certification_refused")
        assert [line["code"] for line in answer.json()["results"]] == ["own_points", None]
        assert answer.json()["refused"] == 1
        assert await books.count("ledger_transactions") == 0
        assert await books.count("service_records") == 0

    async def test_what_the_ledger_refuses_takes_nobody_with_it(self, books: Books) -> None:
        world = books.world
        await world.insert(
            "ledger_accounts", id=uuid4(), asset="points", kind="member", owner_id=world.member.account_id,
            status="closed",
        )  # fmt: skip
        answer = await certified(world, participant(world.member), participant(world.zhang), mode="each")
        assert [line["code"] for line in answer["results"]] == ["account_closed", None]
        assert len(await records_of(world, world.member.account_id)) == 0
        refused = await certify(world, participant(world.member), participant(world.second_member))
        assert refused.status_code == 409
        assert await books.balance(world.second_member.account_id) == 0

    @pytest.mark.parametrize(
        "person", ["zhang", "member", "dispatcher", "community_admin", "district_admin", "grid_worker"]
    )
    async def test_is_for_points_clerks(self, world: World, person: str) -> None:
        answer = await certify(world, participant(world.second_member), by=person)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    @pytest.mark.parametrize("area", ["other_community", "subdistrict", "compound"])
    async def test_is_for_communities_of_the_clerks_own_area(self, world: World, area: str) -> None:
        answer = await certify(world, participant(world.member), community_id=str(world.areas[area]))
        assert (answer.status_code, answer.json()["code"]) == (404, "community_not_found")

    async def test_an_activity_belongs_to_one_community(self, world: World) -> None:
        activity = {"id": str(uuid4()), "name": "小区清洁日", "service_kind": "environment"}
        await world.add_person("north_clerk", "蓝小芸", roles={Role.POINTS_CLERK: "other_community"})
        await certified(world, participant(world.member), activity=activity)
        answer = await certify(
            world,
            participant(world.other_member),
            by="north_clerk",
            activity=activity,
            community_id=str(world.areas["other_community"]),
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "activity_elsewhere")

    async def test_without_rules_nothing_is_certified(self, world: World) -> None:
        await world.connection.execute("UPDATE grants SET valid_from = valid_from - interval '1 year'")
        with clock.shifted(-timedelta(days=60)):
            fresh = await world.new_session(world.points_clerk)
            answer = await fresh.post("/v1/points/certifications", certification(world, [participant(world.member)]))
        assert (answer.status_code, answer.json()["code"]) == (409, "no_rule_in_force")

    @pytest.mark.parametrize(
        "changes",
        [
            {"minutes": 0},
            {"minutes": 1441},
            {"minutes": 1.5},
            {"minutes": "90"},
            {"minutes": None},
            {"ended_at": "2026-03-16T08:59:00+08:00"},
            {"ended_at": "2026-03-16T10:00:00+08:00", "minutes": 61},
            {"ended_at": "2026-03-17T09:00:01+08:00", "minutes": None},
            {"began_at": "2026-03-16"},
            {"began_at": None},
            {"points": 100},
        ],
    )
    async def test_times_that_make_no_sense(self, world: World, changes: dict[str, Any]) -> None:
        body = {"account_id": str(world.member.account_id), "began_at": "2026-03-16T09:00:00+08:00", "minutes": 60}
        answer = await certify(world, {**body, **changes})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

    async def test_nobody_is_named_twice_and_somebody_is(self, world: World) -> None:
        for participants in ([], [participant(world.member), participant(world.member)]):
            answer = await certify(world, *participants)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
