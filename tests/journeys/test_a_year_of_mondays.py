"""Mr Zhang's medicine, every Monday of 2026: two processes make the orders ahead, and a year passes on their clock."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from services.chassis.clock import SHANGHAI
from tests.journeys.conftest import Almanac
from tests.journeys.test_main_job import points_reach
from tests.orders.clocks.conftest import moment
from tests.world import Person, World

HORIZON_DAYS = 14
MONDAYS = {
    "kind": "buy_medicine",
    "description": "代购一周降压药，药单在药盒里",
    "rule": "FREQ=WEEKLY;BYDAY=MO",
    "first_on": "2026-01-05",
    "from_time": "09:00",
    "until_time": "12:00",
    "holiday_policy": "before",
    "horizon_days": HORIZON_DAYS,
}
OTHERWISE = {
    "2026-02-16": "2026-02-14",  # 春节: the Saturday before is worked
    "2026-02-23": "2026-02-24",  # 春节: it would have fallen on the same Saturday; the daughter moves it
    "2026-04-06": "2026-04-03",  # 清明
    "2026-05-04": "2026-04-30",  # 劳动节
    "2026-08-03": None,  # skipped: he is at his daughter's
    "2026-10-05": "2026-09-30",  # 国庆节
    "2026-11-02": None,  # paused: in hospital
    "2026-11-09": None,
    "2026-12-28": None,  # ended
}
"""What becomes of the Mondays that are not as the rule says."""


async def test_a_year_of_mondays(almanac: Almanac, district_in_time: World) -> None:
    """Made ahead once each, done by who is kept or who covers, across 春节 and 国庆, as the household wishes."""
    district = district_in_time
    almanac.go_to("2025-12-30T09:00")
    recurring = await post(
        district.dispatcher,
        "/v1/recurring-orders",
        {
            **MONDAYS,
            "on_behalf_of": str(district.zhang.resident_id),
            "helper_id": str(district.member.account_id),
        },
        expect=201,
    )
    story = Story(almanac, district, str(recurring["id"]))
    wishes = story.wishes()
    while (visit := await story.next_visit()) is not None:
        for day in [day for day in wishes if date.fromisoformat(day) <= visit.day]:
            almanac.go_to(f"{day}T08:00")
            await wishes.pop(day)()
            visit = await story.next_visit()
            assert visit is not None
        await story.live_through(visit)
    assert not wishes, "every wish was told"
    await story.check_the_year()


@dataclass(frozen=True)
class Visit:
    """An occurrence that takes place."""

    on: str
    starts_at: datetime

    @property
    def day(self) -> date:
        return self.starts_at.astimezone(SHANGHAI).date()


class Story:
    """What happens from visit to visit."""

    def __init__(self, almanac: Almanac, district: World, recurring_order_id: str) -> None:
        self._almanac = almanac
        self._district = district
        self._path = f"/v1/recurring-orders/{recurring_order_id}"
        self._lived: dict[str, str] = {}
        self._done_by: Counter[str] = Counter()

    def wishes(self) -> dict[str, Callable[[], Any]]:
        """By the day somebody tells them, in the morning."""
        return {
            "2026-01-26": self._is_moved_after_the_festival,
            "2026-03-10": lambda: self._is_away("2026-03-15", "2026-03-18", covered_by="pool"),
            "2026-06-30": lambda: self._is_away("2026-07-04", "2026-07-15", covered_by="familiar_helper"),
            "2026-07-28": self._is_skipped,
            "2026-10-28": self._is_paused,
            "2026-12-15": self._is_ended,
        }

    async def next_visit(self) -> Visit | None:
        """The next one that takes place and was not lived through yet; None when the year is over."""
        items = (await read(self._district.zhang, f"{self._path}/coming", count=4))["items"]
        for item in items:
            if item["planned_from"] is not None and item["occurrence_on"] not in self._lived:
                return Visit(item["occurrence_on"], datetime.fromisoformat(item["planned_from"]))
        return None

    async def live_through(self, visit: Visit) -> None:
        """The day comes; whoever has the order does it, and Mr Zhang says how it was."""
        self._almanac.clock.go_to(visit.starts_at)
        order = await self._made(visit)
        helper = await self._who_has(order)
        path = f"/v1/orders/{order['id']}"
        await post(helper, f"{path}/accept")
        await post(helper, f"{path}/complete", {"note": "药品已送到张伯家中"})
        await post(self._district.zhang, f"{path}/rate", {"stars": 5, "solved": True})
        self._lived[visit.on] = visit.day.isoformat()
        self._done_by[helper.name] += 1

    async def _made(self, visit: Visit) -> dict[str, Any]:
        """Its order, and that all of the horizon are made with it."""
        until = visit.starts_at + timedelta(days=HORIZON_DAYS - 1)

        async def all_made() -> dict[str, Any] | None:
            items = (await read(self._district.zhang, f"{self._path}/coming", count=6))["items"]
            due = [one for one in items if one["planned_from"] and datetime.fromisoformat(one["planned_from"]) <= until]
            mine = [one["order"] for one in due if one["occurrence_on"] == visit.on]
            return mine[0] if mine and all(one["order"] for one in due) else None

        order = await self._eventually(all_made)
        return await read(self._district.zhang, f"/v1/orders/{order['id']}")

    async def _who_has(self, order: dict[str, Any]) -> Person:
        """The kept helper, or who covers; from the pool Mrs Huang takes it."""
        if order["is_in_pool"]:
            return self._district.second_member
        people = (self._district.member, self._district.second_member)
        return next(one for one in people if str(one.account_id) == order["assignee_id"])

    async def _is_moved_after_the_festival(self) -> None:
        """Both Mondays of 春节 would be the same Saturday; the daughter has the second one moved to the Tuesday."""
        items = (await read(self._district.daughter, f"{self._path}/coming", count=6))["items"]
        festival = {one["occurrence_on"]: one for one in items if one["holiday"] == "春节"}
        assert [(on, one["why"], one["joins"]) for on, one in festival.items()] == [
            ("2026-02-16", "holiday", None), ("2026-02-23", "same_day", "2026-02-16"),
        ]  # fmt: skip
        move = {"occurrence_on": "2026-02-23", "moved_on": "2026-02-24", "from_time": "14:00", "until_time": "16:00"}
        await post(self._district.daughter, f"{self._path}/move", move)

    async def _is_away(self, since: str, until: str, *, covered_by: str) -> None:
        """Orders that are made already are given to somebody else, too, and their history says why."""
        absence = {"starts_at": moment(f"{since}T00:00").isoformat(), "ends_at": moment(f"{until}T00:00").isoformat()}
        await post(self._district.member, "/v1/helpers/me/absences", absence, expect=201)
        self._almanac.go_to(f"{since}T08:00")

        async def reasons() -> set[str] | None:
            items = (await read(self._district.zhang, f"{self._path}/coming", count=3))["items"]
            meant = [one["order"] for one in items if since <= one["occurrence_on"] < until]
            if not meant or not all(meant):
                return None
            orders = [await read(self._district.dispatcher, f"/v1/orders/{one['id']}") for one in meant]
            if any(one["assignee_id"] == str(self._district.member.account_id) for one in orders):
                return None
            return {one["history"][-1]["details"]["why"]["reason"] for one in orders}

        assert await self._eventually(reasons) == {covered_by}

    async def _is_skipped(self) -> None:
        changed = await post(
            self._district.zhang, f"{self._path}/skip", {"occurrence_on": "2026-08-03", "reason": "去女儿家住几天"}
        )
        assert [one["occurrence_on"] for one in changed["withdrawn"]] == ["2026-08-03"]

    async def _is_paused(self) -> None:
        pause = {"paused_from": "2026-11-01", "paused_until": "2026-11-15"}
        refused = await self._district.dispatcher.post(f"{self._path}/pause", pause)
        assert refused.json()["code"] == "reason_needed"
        changed = await post(self._district.daughter, f"{self._path}/pause", {**pause, "reason": "住院观察"})
        assert {one["occurrence_on"] for one in changed["withdrawn"]} <= {"2026-11-02", "2026-11-09"}

    async def _is_ended(self) -> None:
        """The daughter takes him home for good."""
        await post(
            self._district.daughter, f"{self._path}/end", {"ends_on": "2026-12-28", "reason": "随女儿到河源市区居住"}
        )

    async def check_the_year(self) -> None:
        """48 visits, each with one order, done by those two; the household's screen is empty again."""
        assert self._lived == expected_days()
        assert self._done_by == {"陈志强": 45, "黄秀芳": 3}
        district = self._district
        made = await district.fetch("SELECT occurrence_on, state FROM orders WHERE recurring_order_id IS NOT NULL")
        lived = Counter(row["occurrence_on"].isoformat() for row in made if row["state"] != "cancelled")
        assert set(lived.values()) == {1}
        assert set(lived) == set(self._lived)
        withdrawn = {row["occurrence_on"].isoformat() for row in made if row["state"] == "cancelled"}
        assert withdrawn <= {on for on, day in OTHERWISE.items() if day is None or on == "2026-02-23"}
        self._almanac.go_to("2026-12-28T09:00")
        assert (await read(district.zhang, self._path))["state"] == "ended"
        assert (await read(district.zhang, "/v1/recurring-orders/coming", weeks=8))["items"] == []
        await points_reach(district.member.client, 45 * 7, within_seconds=30)
        await points_reach(district.second_member.client, 3 * 7, within_seconds=30)

    async def _eventually(self, look: Callable[[], Any]) -> Any:
        """The keepers are at it in the background."""
        for _ in range(400):
            if found := await look():
                return found
            await asyncio.sleep(0.02)
        raise AssertionError("the keepers did not come to it")


def expected_days() -> dict[str, str]:
    """Every Monday of 2026, and the day its medicine comes."""
    first = date(2026, 1, 5)
    mondays = [(first + timedelta(weeks=week)).isoformat() for week in range(52)]
    days = {monday: OTHERWISE.get(monday, monday) for monday in mondays}
    return {monday: day for monday, day in days.items() if day is not None}


async def read(person: Person, path: str, **query: Any) -> dict[str, Any]:
    answer = await person.get(path, **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def post(person: Person, path: str, body: dict[str, Any] | None = None, *, expect: int = 200) -> dict[str, Any]:
    answer = await person.post(path, body)
    assert answer.status_code == expect, answer.text
    return dict(answer.json())
