"""Whose account a clerk reads and freezes: of who lives or serves in her areas now."""

from datetime import timedelta

import pytest

from models.identity import Role
from services.chassis import clock
from tests.points.desk import Desk, done, refused

READ = "/v1/points/account"
FREEZE = "/v1/points/accounts/{}/freeze"


async def may_read(desk: Desk, who: str, *, by: str = "points_clerk") -> bool:
    answer = await desk.world.people[by].get(READ, account_id=desk.id_of(who))
    if answer.status_code == 200:
        return True
    assert refused(answer) == (404, "not_found")
    return False


async def may_freeze(desk: Desk, who: str, *, by: str = "points_clerk") -> bool:
    """Of somebody who has an account already."""
    answer = await desk.change(desk.id_of(who), "freeze", by=by)
    if answer.status_code == 200:
        return True
    assert refused(answer) == (404, "points_account_not_found")
    return False


async def may(desk: Desk, who: str, *, by: str = "points_clerk") -> bool:
    """Both or neither."""
    answers = {await may_read(desk, who, by=by), await may_freeze(desk, who, by=by)}
    assert len(answers) == 1
    return answers.pop()


class TestServing:
    async def test_in_her_community_now(self, desk: Desk) -> None:
        done(await desk.award("grid_worker"))
        assert await may(desk, "grid_worker")

    @pytest.mark.parametrize(("begins", "ends"), [(-30, -1), (1, 30), (1, None)])
    async def test_before_or_after_a_term_does_not_count(self, desk: Desk, begins: int, ends: int | None) -> None:
        await desk.world.add_person("volunteer", "何敏")
        done(await desk.award("volunteer"))
        now = clock.now()
        await desk.world.insert(
            "grants", id=desk.world.volunteer.account_id, account_id=desk.world.volunteer.account_id,
            role=Role.VOLUNTEER, area_id=desk.world.areas["community"], valid_from=now + timedelta(days=begins),
            valid_to=None if ends is None else now + timedelta(days=ends),
        )  # fmt: skip
        assert not await may(desk, "volunteer")
        assert await may(desk, "volunteer", by="district_admin")

    async def test_above_her_community_is_for_reading_only(self, desk: Desk) -> None:
        """She sees the points she gives an administrator over her, and freezes none of them."""
        for person in ("district_admin", "street_worker"):
            if person not in desk.world.people:
                await desk.world.add_person(person, "何敏", roles={Role.VOLUNTEER: "subdistrict"})
            done(await desk.award(person))
            for by in ("points_clerk", "community_admin"):
                assert await may_read(desk, person, by=by)
                assert not await may_freeze(desk, person, by=by)
                for what in ("events", "statement"):
                    path = f"/v1/points/accounts/{desk.id_of(person)}/{what}"
                    assert refused(await desk.world.people[by].get(path)) == (404, "not_found")
        assert await may_freeze(desk, "street_worker", by="district_admin")


class TestLiving:
    async def test_there(self, desk: Desk) -> None:
        done(await desk.award("zhang"))
        assert await may(desk, "zhang")

    async def test_registered_there_but_living_elsewhere_does_not_count(self, desk: Desk) -> None:
        done(await desk.award("zhang"))
        await desk.world.connection.execute(
            "UPDATE household_members SET lives_here = false WHERE resident_id = $1", desk.world.zhang.resident_id
        )
        assert not await may(desk, "zhang")
        assert await may(desk, "zhang", by="district_admin")


class TestLeaving:
    @pytest.mark.parametrize("person", ["zhang", "member"])
    async def test_leaves_the_account_to_the_district(self, desk: Desk, person: str) -> None:
        done(await desk.award(person))
        await desk.world.connection.execute(
            "UPDATE memberships SET ended_at = now() WHERE account_id = $1", desk.world.people[person].account_id
        )
        assert not await may(desk, person)
        assert await may(desk, person, by="district_admin")

    async def test_counts_among_several_balances(self, desk: Desk) -> None:
        await desk.world.connection.execute(
            "UPDATE memberships SET ended_at = now() WHERE account_id = $1", desk.world.member.account_id
        )
        asked = {"account_id": [desk.id_of("zhang"), desk.id_of("member")]}
        assert refused(await desk.world.points_clerk.client.get("/v1/points/balances", params=asked)) == (
            404,
            "not_found",
        )
