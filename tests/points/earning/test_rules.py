"""Drafting, simulating and activating rules: by two people, simulated first, never changed afterwards."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import pytest

from models.identity import Role
from services.chassis import clock
from services.points.earning.rules import actions
from tests.points.books import Books
from tests.points.earning.services import credit
from tests.world import World

RULES = "/v1/points/earning-rules"
TERMS: dict[str, Any] = {"orders": {"general": {"fixed_points": 6}}, "caps": {"per_day": 20}}


def period(days: int = 30) -> dict[str, str]:
    now = clock.now()
    return {"from": (now - timedelta(days=days)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}


async def draft(world: World, terms: dict[str, Any] = TERMS) -> int:
    answer = await world.district_admin.post(RULES, {"terms": terms, "note": "试行每日上限"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["version"])


async def simulate(world: World, version: int, body: dict[str, str] | None = None) -> dict[str, Any]:
    answer = await world.district_admin.post(f"{RULES}/{version}/simulate", body or period())
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def activate(world: World, version: int, *, by: str = "deputy", after_seconds: float = 60) -> Any:
    """By another administrator of the district than who drafted it, unless said otherwise."""
    if "deputy" not in world.people:
        await world.add_person("deputy", "黎明辉", roles={Role.DISTRICT_ADMIN: "district"})
    active_from = (clock.now() + timedelta(seconds=after_seconds)).isoformat()
    return await world.people[by].post(f"{RULES}/{version}/activate", {"active_from": active_from})


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestDraft:
    async def test_gets_the_next_number_and_is_nobodys_law(self, books: Books) -> None:
        world = books.world
        assert await draft(world) == 2
        assert await draft(world) == 3
        assert (await world.member.get(f"{RULES}/in-force")).json()["version"] == 1
        assert (await credit(books))["points"] == 7

    async def test_of_many_at_once_each_has_its_own(self, world: World) -> None:
        versions = await asyncio.gather(*(draft(world) for _ in range(6)))
        assert sorted(versions) == [2, 3, 4, 5, 6, 7]

    async def test_reads_in_full(self, world: World) -> None:
        version = await draft(world)
        read = (await world.zhang.get(f"{RULES}/{version}")).json()
        assert (read["state"], read["note"], read["simulated_at"], read["active_from"]) == (
            "draft",
            "试行每日上限",
            None,
            None,
        )
        assert read["drafted_by"] == str(world.district_admin.account_id)
        assert read["terms"]["caps"] == {"per_activity": None, "per_day": 20, "per_month": None}
        assert read["terms"]["orders"]["general"]["fixed_points"] == 6

    @pytest.mark.parametrize("person", ["zhang", "member", "points_clerk", "community_admin", "dispatcher"])
    async def test_is_for_the_district(self, world: World, person: str) -> None:
        answer = await world.people[person].post(RULES, {"terms": TERMS, "note": "x"})
        assert code(answer) == (403, "forbidden")

    async def test_is_for_the_whole_district(self, world: World) -> None:
        """What holds everywhere is nobody's to change who answers for a part."""
        await world.add_person("part_admin", "何敏", roles={Role.DISTRICT_ADMIN: "subdistrict"})
        version = await draft(world)
        result = await simulate(world, version)
        change = {"terms": TERMS, "note": "x"}
        for answer in (
            await world.part_admin.post(RULES, change),
            await world.part_admin.client.put(f"{RULES}/{version}", json=change),
            await world.part_admin.post(f"{RULES}/{version}/simulate", period()),
            await world.part_admin.get(f"{RULES}/{version}/simulations"),
            await world.part_admin.get(f"{RULES}/{version}/simulations/{result['id']}/lines"),
            await activate(world, version, by="part_admin"),
        ):
            assert code(answer) == (403, "forbidden")

    async def test_may_be_replaced(self, world: World) -> None:
        version = await draft(world)
        await simulate(world, version)
        other = {"orders": {"general": {"fixed_points": 7}}}
        answer = await world.district_admin.client.put(f"{RULES}/{version}", json={"terms": other, "note": "改"})
        assert answer.status_code == 200, answer.text
        read = answer.json()
        assert (read["terms"]["orders"]["general"]["fixed_points"], read["simulated_at"]) == (7, None)
        assert code(await activate(world, version)) == (409, "never_simulated")

    async def test_terms_that_make_no_sense_are_refused(self, world: World) -> None:
        for general in ({}, {"fixed_points": 1.5}, {"fixed_points": 1, "x": 1}):
            answer = await world.district_admin.post(RULES, {"terms": {"orders": {"general": general}}, "note": "x"})
            assert code(answer) == (422, "invalid_request")

    async def test_is_read_by_number_only_where_it_is(self, world: World, other_world: World) -> None:
        await draft(world)
        assert code(await other_world.zhang.get(f"{RULES}/2")) == (404, "rule_version_not_found")


class TestActivation:
    async def test_by_a_second_person_from_a_moment_on(self, books: Books) -> None:
        world = books.world
        version = await draft(world)
        await simulate(world, version)
        answer = await activate(world, version)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["activated_by"]) == (
            "active",
            str(world.deputy.account_id),
        )
        assert (await credit(books))["points"] == 7
        assert (await credit(books, rated_at=clock.now() + timedelta(minutes=2)))["points"] == 6
        with clock.shifted(timedelta(minutes=2)):
            assert (await world.member.get(f"{RULES}/in-force")).json()["version"] == version

    async def test_never_by_who_drafted_it(self, world: World) -> None:
        version = await draft(world)
        await simulate(world, version)
        assert code(await activate(world, version, by="district_admin")) == (403, "own_draft")

    async def test_never_by_whoever_replaced_it_last(self, world: World) -> None:
        version = await draft(world)
        second = await world.add_person("second_admin", "黎明辉", roles={Role.DISTRICT_ADMIN: "district"})
        await second.client.put(f"{RULES}/{version}", json={"terms": TERMS, "note": "改"})
        await simulate(world, version)
        assert code(await activate(world, version, by="second_admin")) == (403, "own_draft")
        assert (await activate(world, version, by="district_admin")).status_code == 200

    async def test_never_without_a_simulation(self, world: World) -> None:
        assert code(await activate(world, await draft(world))) == (409, "never_simulated")

    @pytest.mark.parametrize("role", [Role.COMMUNITY_ADMIN, Role.POINTS_CLERK])
    async def test_also_by_a_clerk_or_administrator_of_the_whole_district(self, world: World, role: Role) -> None:
        version = await draft(world)
        await simulate(world, version)
        await world.add_person("second", "何敏", roles={role: "district"})
        assert (await activate(world, version, by="second")).status_code == 200

    @pytest.mark.parametrize(
        "person", ["zhang", "member", "points_clerk", "community_admin", "dispatcher", "grid_worker"]
    )
    async def test_only_over_the_whole_district(self, world: World, person: str) -> None:
        version = await draft(world)
        await simulate(world, version)
        assert code(await activate(world, version, by=person)) == (403, "forbidden")

    async def test_never_for_the_past(self, world: World) -> None:
        version = await draft(world)
        await simulate(world, version)
        assert code(await activate(world, version, after_seconds=-70)) == (422, "active_from_past")

    @pytest.mark.parametrize("after_seconds", [0, -30])
    async def test_from_now_on_counts_from_when_it_is_decided(self, books: Books, after_seconds: float) -> None:
        """A request takes its time, and its clock may be behind."""
        world = books.world
        version = await draft(world)
        await simulate(world, version)
        before = await world.fetch_value("SELECT clock_timestamp()")
        answer = await activate(world, version, after_seconds=after_seconds)
        assert answer.status_code == 200, answer.text
        assert datetime.fromisoformat(answer.json()["active_from"]) >= before
        assert (await credit(books, rated_at=before))["points"] == 7, "what was rated before keeps the rules of then"

    async def test_is_for_good(self, world: World) -> None:
        version = await draft(world)
        await simulate(world, version)
        await activate(world, version)
        assert code(await activate(world, version)) == (409, "rule_is_active")
        answer = await world.district_admin.client.put(f"{RULES}/{version}", json={"terms": TERMS, "note": "改"})
        assert code(answer) == (409, "rule_is_active")

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE earning_rule_versions SET terms = '{}'",
            "UPDATE earning_rule_versions SET active_from = now() + interval '1 day'",
            "UPDATE earning_rule_versions SET state = 'draft', active_from = NULL, activated_at = NULL",
            "DELETE FROM earning_rule_versions",
        ],
    )
    async def test_is_kept_from_change_by_the_database_too(self, world: World, change: str) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="once they are decided"):
            await world.connection.execute(change)

    async def test_two_persons_are_kept_by_the_database_too(self, world: World) -> None:
        version = await draft(world)
        await simulate(world, version)
        with pytest.raises(asyncpg.CheckViolationError, match="second_person"):
            await world.connection.execute(
                "UPDATE earning_rule_versions SET state = 'active', activated_by = drafted_by, activated_at = now(),"
                " active_from = now() WHERE version = $1",
                version,
            )


class TestListing:
    async def test_newest_first_in_pages(self, world: World) -> None:
        for _ in range(4):
            await draft(world)
        seen: list[int] = []
        query: dict[str, Any] = {"limit": 2}
        while query.get("cursor", "") is not None:
            page = (await world.zhang.get(RULES, **query)).json()
            seen += [version["version"] for version in page["items"]]
            query["cursor"] = page["next_cursor"]
        assert seen == [5, 4, 3, 2, 1]

    async def test_none_in_force_is_404(self, world: World) -> None:
        with clock.shifted(-timedelta(days=60)):
            assert (await world.zhang.get(f"{RULES}/in-force")).status_code == 404

    async def test_a_foreign_cursor_is_refused(self, world: World) -> None:
        assert code(await world.zhang.get(RULES, cursor="x")) == (422, "invalid_cursor")


class TestSimulation:
    async def test_says_what_would_have_been_credited(self, books: Books) -> None:
        world = books.world
        for changes in ({}, {}, {"stars": 2}, {"order_kind": "snow_clearing"}):
            await credit(books, **changes)
        await credit(books, assignee_id=world.second_member.account_id)
        before = await books.state()
        result = await simulate(world, await draft(world))
        # Six for each solved order, twenty a day: 6 + 6 + 6 + 2 for the member, 6 for the other.
        assert (result["records"], result["points_before"], result["points_after"]) == (5, 28, 26)
        assert result["points_difference"] == -2
        assert [(kind["service_kind"], kind["records"], kind["points_after"]) for kind in result["kinds"]] == [
            ("buy_medicine", 4, 24),
            ("snow_clearing", 1, 2),
        ]
        lines = (await world.district_admin.get(f"{RULES}/2/simulations/{result['id']}/lines")).json()["items"]
        assert {line["account_id"]: (line["records"], line["points_difference"]) for line in lines} == {
            str(world.member.account_id): (4, -1),
            str(world.second_member.account_id): (1, -1),
        }
        assert await books.state() == before, "nothing is posted"

    async def test_is_kept(self, books: Books) -> None:
        world = books.world
        version = await draft(world)
        results = [await simulate(world, version) for _ in range(2)]
        listed = (await world.district_admin.get(f"{RULES}/{version}/simulations")).json()["items"]
        assert [item["id"] for item in listed] == [result["id"] for result in reversed(results)]
        assert (await world.zhang.get(f"{RULES}/{version}")).json()["simulated_at"] == results[-1]["simulated_at"]

    async def test_lines_come_in_pages(self, books: Books) -> None:
        world = books.world
        people = [world.member, world.second_member, world.grid_worker]
        for person in people:
            await credit(books, assignee_id=person.account_id)
        result = await simulate(world, await draft(world))
        path, seen = f"{RULES}/2/simulations/{result['id']}/lines", list[str]()
        query: dict[str, Any] = {"limit": 2}
        while query.get("cursor", "") is not None:
            page = (await world.district_admin.get(path, **query)).json()
            seen += [line["account_id"] for line in page["items"]]
            query["cursor"] = page["next_cursor"]
        assert sorted(seen) == sorted(str(person.account_id) for person in people)

    @pytest.mark.parametrize("person", ["zhang", "member", "points_clerk", "community_admin"])
    async def test_names_persons_to_those_who_decide_only(self, world: World, person: str) -> None:
        result = await simulate(world, await draft(world))
        for path in (f"{RULES}/2/simulations", f"{RULES}/2/simulations/{result['id']}/lines"):
            assert code(await world.people[person].get(path)) == (403, "forbidden")

    async def test_belongs_to_its_version(self, world: World) -> None:
        result = await simulate(world, await draft(world))
        answer = await world.district_admin.get(f"{RULES}/1/simulations/{result['id']}/lines")
        assert code(answer) == (404, "not_found")

    async def test_of_what_is_active_leaves_it_as_it_is(self, world: World) -> None:
        before = (await world.zhang.get(f"{RULES}/1")).json()
        await simulate(world, 1)
        assert (await world.zhang.get(f"{RULES}/1")).json() == before

    async def test_looks_at_the_period_only(self, books: Books) -> None:
        now = clock.now()
        for days in (1, 3, 5):
            await credit(books, rated_at=now - timedelta(days=days))
        body = {"from": (now - timedelta(days=3)).isoformat(), "to": (now - timedelta(days=1)).isoformat()}
        assert (await simulate(books.world, 1, body))["records"] == 1

    async def test_of_too_much_is_refused(self, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(actions, "MOST_RECORDS", 1)
        for _ in range(2):
            await credit(books)
        answer = await books.world.district_admin.post(f"{RULES}/1/simulate", period())
        assert code(answer) == (422, "period_too_large")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"from": "2026-03-16T00:00:00+08:00", "to": "2026-03-16T00:00:00+08:00"},
            {"from": "2026-03-16T00:00:00+08:00", "to": "2027-03-18T00:00:00+08:00"},
            {"from": "2026-03-16", "to": "2026-03-18"},
        ],
    )
    async def test_of_no_period_is_refused(self, world: World, body: dict[str, str]) -> None:
        assert code(await world.district_admin.post(f"{RULES}/1/simulate", body)) == (422, "invalid_request")

    async def test_is_answered_once_per_key(self, world: World) -> None:
        version, body = await draft(world), period()
        answers = [await world.district_admin.post(f"{RULES}/{version}/simulate", body, key="monday") for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert answers[1].headers["Idempotency-Replayed"] == "true"
