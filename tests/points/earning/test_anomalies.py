"""What is flagged for a person to look at, and what, by a hair, is not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.pagination import encode_cursor
from services.chassis.schemas import new_id
from services.points.earning.anomalies import queries
from services.points.earning.anomalies.schemas import AnomalyKind
from tests.points.books import Books
from tests.world import World

ANOMALIES = "/v1/points/anomalies"
NOBODY = UUID(int=7)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(text: str) -> datetime:
    """A time of a Monday in Shanghai, or of the day before or after."""
    day, _, time = text.rpartition(" ")
    return datetime.fromisoformat(f"2026-03-{16 + int(day or 0):02}T{time}:00+08:00")


async def serve(
    world: World,
    begins: datetime | None,
    ends: datetime | None,
    minutes: int | None = None,
    *,
    who: UUID | None = None,
    clerk: UUID | None = None,
    recorded_at: datetime | None = None,
    activity_id: UUID | None = None,
    community: str = "community",
) -> UUID:
    """A record of service; its id. By default of all the time between, by the member."""
    record_id, account_id = new_id(), who or world.member.account_id
    if minutes is None and begins and ends:
        minutes = (ends - begins) // MINUTE
    sequence = await world.fetch_value("SELECT count(*) + 1 FROM service_records WHERE account_id = $1", account_id)
    await world.insert(
        "service_records", id=record_id, account_id=account_id, sequence=sequence,
        source_kind="service_certified" if clerk else "order_rated", source_id=activity_id or uuid4(),
        service_kind="environment", community_id=world.areas[community], began_at=begins, ended_at=ends,
        minutes=minutes, served_on=(ends or at("12:00")).astimezone(clock.SHANGHAI).date(),
        judged_at=ends or at("12:00"), recorded_by=clerk, recorded_at=recorded_at or ends or at("12:00"), points=0,
        minutes_credited=0, details="{}",
    )  # fmt: skip
    return record_id


async def anomalies(world: World, by: str = "community_admin", **query: Any) -> list[dict[str, Any]]:
    """Those of the week."""
    period = {"from": at("-3 00:00").isoformat(), "to": at("4 00:00").isoformat()}
    answer = await world.people[by].get(ANOMALIES, **{**period, **query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def kinds(world: World) -> list[str]:
    return [anomaly["kind"] for anomaly in await anomalies(world)]


class TestOverlap:
    async def test_of_two_services_of_one_person(self, world: World) -> None:
        first = await serve(world, at("09:00"), at("11:00"))
        second = await serve(world, at("10:30"), at("12:00"))
        (anomaly,) = await anomalies(world)
        assert (anomaly["id"], anomaly["kind"]) == (f"overlap.{first}.{second}", "overlap")
        assert (anomaly["account_id"], anomaly["minutes"], anomaly["count"]) == (
            str(world.member.account_id),
            30,
            2,
        )
        assert [record["id"] for record in anomaly["records"]] == [str(first), str(second)]
        assert datetime.fromisoformat(anomaly["at"]) == at("10:30")

    async def test_of_one_inside_the_other(self, world: World) -> None:
        await serve(world, at("09:00"), at("12:00"))
        await serve(world, at("10:00"), at("10:30"))
        assert await kinds(world) == ["overlap"]

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("09:00", "11:00", None), ("11:00", "12:00", None)),
            # An hour of three, half an hour of the same three: both can be true.
            (("09:00", "12:00", 60), ("09:30", "10:00", 30)),
            (("09:00", "12:00", 120), ("10:00", "12:30", 90)),
            (("09:00", "12:00", None), ("10:00", "11:00", 0)),
        ],
    )
    async def test_not_where_both_have_room(self, world: World, one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
        for begins, ends, minutes in (one, other):
            await serve(world, at(begins), at(ends), minutes)
        assert await kinds(world) == []

    async def test_by_a_minute(self, world: World) -> None:
        await serve(world, at("09:00"), at("12:00"), 120)
        await serve(world, at("10:00"), at("12:30"), 91)
        assert await kinds(world) == ["overlap"]

    async def test_not_of_two_persons(self, world: World) -> None:
        await serve(world, at("09:00"), at("11:00"))
        await serve(world, at("09:00"), at("11:00"), who=world.zhang.account_id)
        assert await kinds(world) == []


class TestLongDay:
    async def test_of_more_than_twelve_hours(self, world: World) -> None:
        await serve(world, at("06:00"), at("12:00"))
        await serve(world, at("13:00"), at("19:01"))
        (anomaly,) = await anomalies(world)
        assert anomaly["id"] == f"long_day.{world.member.account_id}.2026-03-16"
        assert (anomaly["kind"], anomaly["minutes"], anomaly["count"]) == ("long_day", 721, 2)

    async def test_not_of_twelve(self, world: World) -> None:
        await serve(world, at("06:00"), at("12:00"))
        await serve(world, at("13:00"), at("19:00"))
        assert await kinds(world) == []

    async def test_not_where_midnight_lies_between(self, world: World) -> None:
        """Eleven hours on the one day and two on the next, in Shanghai."""
        await serve(world, at("08:00"), at("17:00"))
        await serve(world, at("22:00"), at("1 02:00"))
        assert await kinds(world) == []
        await serve(world, at("1 08:00"), at("1 18:01"))
        (anomaly,) = await anomalies(world)
        assert (anomaly["id"], anomaly["minutes"]) == (f"long_day.{world.member.account_id}.2026-03-17", 721)

    async def test_of_services_of_which_only_the_day_is_known(self, world: World) -> None:
        for _ in range(2):
            await serve(world, None, None, 361)
        assert await kinds(world) == ["long_day"]

    async def test_not_of_two_persons(self, world: World) -> None:
        await serve(world, at("06:00"), at("12:00"))
        await serve(world, at("13:00"), at("19:01"), who=world.zhang.account_id)
        assert await kinds(world) == []


class TestMoreThanElapsed:
    @pytest.mark.parametrize(("minutes", "found"), [(60, []), (70, []), (71, ["more_than_elapsed"])])
    async def test_by_more_than_a_slip(self, world: World, minutes: int, found: list[str]) -> None:
        await serve(world, at("09:00"), at("10:00"), minutes)
        assert await kinds(world) == found


class TestHoursInMinutes:
    async def book(self, world: World, moments: Sequence[timedelta], hours: int, people: int = 1) -> list[UUID]:
        """Activities of so many hours, each on a day of its own, certified by the clerk at these moments."""
        helpers = [world.member, world.second_member, world.zhang][:people]
        return [
            await serve(
                world, at("08:00") - (number + 10) * DAY, at("08:00") - (number + 10) * DAY + hours * HOUR,
                clerk=world.points_clerk.account_id, recorded_at=at("15:00") + moment, activity_id=activity_id,
                who=helper.account_id,
            )
            for number, (moment, activity_id) in enumerate((moment, uuid4()) for moment in moments)
            for helper in helpers
        ]  # fmt: skip

    async def test_by_one_clerk(self, world: World) -> None:
        first, *_ = await self.book(world, [0 * MINUTE, 5 * MINUTE, 10 * MINUTE], 9)
        (anomaly,) = await anomalies(world)
        assert (anomaly["id"], anomaly["kind"]) == (f"hours_in_minutes.{first}", "hours_in_minutes")
        assert (anomaly["booked_by"], anomaly["account_id"]) == (str(world.points_clerk.account_id), None)
        assert (anomaly["minutes"], anomaly["count"], len(anomaly["records"])) == (27 * 60, 3, 3)

    async def test_not_of_a_day_exactly(self, world: World) -> None:
        await self.book(world, [0 * MINUTE, 5 * MINUTE, 10 * MINUTE], 8)
        assert await kinds(world) == []

    async def test_not_with_pauses(self, world: World) -> None:
        await self.book(world, [0 * MINUTE, 6 * MINUTE, 12 * MINUTE], 9)
        assert await kinds(world) == []

    async def test_not_of_one_activity_of_many(self, world: World) -> None:
        """Three who took part in nine hours are nine hours of work certified, not twenty-seven."""
        await self.book(world, [0 * MINUTE, 5 * MINUTE], 9, people=3)
        assert await kinds(world) == []

    async def test_has_the_same_id_when_it_goes_on_and_wherever_one_looks(self, world: World) -> None:
        first, *_ = await self.book(world, [0 * MINUTE, 5 * MINUTE, 10 * MINUTE], 9)
        await self.book(world, [18 * MINUTE], 9)
        (anomaly,) = await anomalies(world)
        assert (anomaly["id"], anomaly["count"]) == (f"hours_in_minutes.{first}", 4)
        assert await anomalies(world, **{"from": (at("15:00") + MINUTE).isoformat()}) == [], "it began before"
        begins = {"from": at("15:00").isoformat(), "to": (at("15:00") + MINUTE).isoformat()}
        assert await anomalies(world, **begins) == [anomaly]


class TestAwardsInMinutes:
    async def award(self, books: Books, count: int, by: UUID) -> None:
        for _ in range(count):
            await books.post(books.gift(books.world.member.account_id, 1, account=by))

    async def test_by_one_clerk(self, books: Books) -> None:
        world = books.world
        await self.award(books, queries.SITTING_AWARDS, world.points_clerk.account_id)
        now = clock.now()
        (anomaly,) = await anomalies(world, **{"from": (now - HOUR).isoformat(), "to": (now + HOUR).isoformat()})
        assert (anomaly["kind"], anomaly["count"], anomaly["booked_by"]) == (
            "awards_in_minutes",
            queries.SITTING_AWARDS,
            str(world.points_clerk.account_id),
        )
        assert len(anomaly["posting_ids"]) == queries.SHOWN

    async def test_not_of_one_less_nor_of_two_clerks(self, books: Books) -> None:
        world = books.world
        await self.award(books, queries.SITTING_AWARDS - 1, world.points_clerk.account_id)
        await self.award(books, queries.SITTING_AWARDS - 1, world.community_admin.account_id)
        now = clock.now()
        assert await anomalies(world, **{"from": (now - HOUR).isoformat(), "to": (now + HOUR).isoformat()}) == []


class TestListing:
    async def overlaps(self, world: World, count: int) -> None:
        for day in range(count):
            await serve(world, at(f"{day} 09:00"), at(f"{day} 11:00"))
            await serve(world, at(f"{day} 10:00"), at(f"{day} 12:00"))

    async def test_oldest_first_in_pages(self, world: World) -> None:
        await self.overlaps(world, 3)
        whole = await anomalies(world)
        period = {"from": at("-3 00:00").isoformat(), "to": at("4 00:00").isoformat()}
        seen: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": 2}
        while query.get("cursor", "") is not None:
            page = (await world.community_admin.get(ANOMALIES, **period, **query)).json()
            seen += page["items"]
            query["cursor"] = page["next_cursor"]
        assert seen == whole
        assert [anomaly["at"] for anomaly in whole] == sorted(anomaly["at"] for anomaly in whole)
        assert len(whole) == 3

    async def test_of_the_period_only(self, world: World) -> None:
        await self.overlaps(world, 3)
        period = {"from": at("1 10:00").isoformat(), "to": at("2 10:00").isoformat()}
        assert len(await anomalies(world, **period)) == 1

    @pytest.mark.parametrize("person", ["zhang", "member", "dispatcher", "grid_worker"])
    async def test_is_for_auditors(self, world: World, person: str) -> None:
        period = {"from": at("09:00").isoformat(), "to": at("10:00").isoformat()}
        answer = await world.people[person].get(ANOMALIES, **period)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    async def test_shows_those_of_ones_areas(self, world: World, other_world: World) -> None:
        await self.overlaps(world, 1)
        await world.add_person("north_admin", "邹国强", roles={Role.COMMUNITY_ADMIN: "other_community"})
        for person in ("points_clerk", "community_admin", "district_admin"):
            assert len(await anomalies(world, person)) == 1
        assert await anomalies(world, "north_admin") == []
        assert await anomalies(other_world, "district_admin") == []

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"from": "2026-03-16T00:00:00+08:00"},
            {"from": "2026-03-16T00:00:00+08:00", "to": "2026-03-16T00:00:00+08:00"},
            {"from": "2026-03-16T00:00:00+08:00", "to": "2026-06-16T00:00:01+08:00"},
            {"from": "x", "to": "y"},
        ],
    )
    async def test_of_no_period_is_refused(self, world: World, query: dict[str, str]) -> None:
        assert (await world.points_clerk.get(ANOMALIES, **query)).status_code == 422

    async def test_of_a_person_of_two_communities_the_other_is_only_counted(self, world: World) -> None:
        here = await serve(world, at("09:00"), at("11:00"))
        there = await serve(world, at("10:00"), at("12:00"), community="other_community")
        await world.add_person("north_admin", "邹国强", roles={Role.COMMUNITY_ADMIN: "other_community"})
        shown = {}
        for person in ("community_admin", "north_admin", "district_admin"):
            (anomaly,) = await anomalies(world, person)
            assert (anomaly["id"], anomaly["count"]) == (f"overlap.{here}.{there}", 2)
            shown[person] = [record["id"] for record in anomaly["records"]]
        assert shown == {
            "community_admin": [str(here)],
            "north_admin": [str(there)],
            "district_admin": [str(here), str(there)],
        }

    @pytest.mark.parametrize(
        "cursor", ["x", encode_cursor("0001-01-01T00:00:00+14:00", "x"), encode_cursor("2026-03-16T00:00:00", "x")]
    )
    async def test_a_foreign_cursor_is_refused(self, world: World, cursor: str) -> None:
        period = {"from": at("09:00").isoformat(), "to": at("10:00").isoformat()}
        answer = await world.points_clerk.get(ANOMALIES, **period, cursor=cursor)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


class TestReview:
    async def review(self, world: World, anomaly_id: str, verdict: str = "explained", by: str = "points_clerk") -> Any:
        return await world.people[by].post(
            f"{ANOMALIES}/{anomaly_id}/reviews", {"verdict": verdict, "note": "已核对签到表"}
        )

    async def test_says_who_looked_and_what_they_found(self, world: World) -> None:
        await serve(world, at("09:00"), at("11:00"))
        await serve(world, at("10:00"), at("12:00"))
        (anomaly,) = await anomalies(world)
        assert anomaly["review"] is None
        assert (await self.review(world, anomaly["id"])).status_code == 201
        answer = await self.review(world, anomaly["id"], "wrong", "community_admin")
        (looked_at,) = await anomalies(world)
        assert looked_at["review"] == answer.json()
        assert answer.json()["reviewed_by"] == str(world.community_admin.account_id)
        assert await world.fetch_value("SELECT count(*) FROM anomaly_reviews") == 2

    async def test_of_every_kind(self, books: Books) -> None:
        world = books.world
        await serve(world, at("06:00"), at("13:00"), 450)
        await serve(world, at("12:00"), at("19:00"), 450)
        await TestHoursInMinutes().book(world, [0 * MINUTE, MINUTE, 2 * MINUTE], 9)
        await TestAwardsInMinutes().award(books, queries.SITTING_AWARDS, world.points_clerk.account_id)
        now = clock.now()
        found = await anomalies(world)
        found += await anomalies(world, **{"from": (now - HOUR).isoformat(), "to": (now + HOUR).isoformat()})
        assert {anomaly["kind"] for anomaly in found} == {
            "overlap",
            "long_day",
            "more_than_elapsed",
            "hours_in_minutes",
            "awards_in_minutes",
        }
        for anomaly in found:
            answer = await self.review(world, anomaly["id"])
            assert answer.status_code == 201, (anomaly["id"], answer.text)

    @pytest.mark.parametrize(
        "anomaly_id",
        [
            f"overlap.{NOBODY}.{NOBODY}",
            f"long_day.{NOBODY}.2026-03-16",
            f"long_day.{NOBODY}.2026-99-99",
            f"hours_in_minutes.{NOBODY}",
            f"awards_in_minutes.{NOBODY}",
            f"other.{NOBODY}",
            "overlap.-",
            "overlap..",
            f"overlap.{NOBODY}..{NOBODY}",
            f"overlap.{NOBODY}.{NOBODY}.{NOBODY}",
            "long_day.-",
            f"long_day.{NOBODY}",
            "long_day..2026-03-16",
            f"long_day.{NOBODY}.2026-03-16.1",
            *(f"long_day.{NOBODY}.{day}" for day in ("0000-00-00", "0001-01-01", "1899-12-31", "2201-01-01")),
            *(f"long_day.{NOBODY}.{day}" for day in ("9999-12-31", "10000-01-01", "2026-3-16", "-2026-03-16")),
        ],
    )
    async def test_of_what_is_not_there(self, world: World, anomaly_id: str) -> None:
        answer = await self.review(world, anomaly_id)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_of_whatever_looks_like_one(self, world: World) -> None:
        """No id makes the service stumble, however it is put together."""
        parts = Random(20260316)
        kinds = [*AnomalyKind, "other", "_"]
        pieces = [str(NOBODY), "0001-01-01", "9999-12-31", "2026-02-30", "0", "f" * 32, "f" * 33, "-", "", "1e9"]
        for _ in range(100):
            subject = ".".join(parts.choices(pieces, k=parts.randint(1, 3)))
            answer = await self.review(world, f"{parts.choice(kinds)}.{subject}")
            assert answer.status_code in {404, 422}, (subject, answer.text)

    async def test_of_what_is_no_anomaly(self, world: World) -> None:
        one = await serve(world, at("09:00"), at("11:00"))
        other = await serve(world, at("11:00"), at("12:00"))
        assert (await self.review(world, f"overlap.{one}.{other}")).status_code == 404

    async def test_of_another_community(self, world: World) -> None:
        await serve(world, at("09:00"), at("11:00"))
        await serve(world, at("10:00"), at("12:00"))
        await world.add_person("north_admin", "邹国强", roles={Role.COMMUNITY_ADMIN: "other_community"})
        (anomaly,) = await anomalies(world)
        assert (await self.review(world, anomaly["id"], by="north_admin")).status_code == 404
        assert (await self.review(world, anomaly["id"], by="member")).status_code == 403

    async def test_is_kept(self, world: World) -> None:
        await serve(world, at("09:00"), at("11:00"))
        await serve(world, at("10:00"), at("12:00"))
        (anomaly,) = await anomalies(world)
        await self.review(world, anomaly["id"])
        for table in ("anomaly_reviews", "service_records"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await world.connection.execute(f"DELETE FROM {table}")
