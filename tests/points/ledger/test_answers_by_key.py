"""GET /v1/points/postings/by-key/{key}: what became of a request whose answer was lost."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.points.desk import Desk, done, refused
from tests.world import World


async def by_key(desk: Desk, key: str, *, by: str = "points_clerk") -> Any:
    return await desk.world.people[by].get(f"/v1/points/postings/by-key/{quote(key, safe='')}")


class TestAnswering:
    async def test_what_was_posted(self, desk: Desk) -> None:
        posted = done(await desk.award(amount=10, key="monday"))
        body = done(await by_key(desk, "monday"))
        assert (body["key"], body["status"], body["body"]) == ("monday", 201, posted)
        assert body["answered_at"]

    async def test_what_was_refused(self, desk: Desk) -> None:
        refused(await desk.spend("member", 10, key="monday"))
        body = done(await by_key(desk, "monday"))
        assert body["status"] == 409
        assert body["body"] == {"code": "insufficient_points", "balance": 0, "available": 0}

    async def test_a_refusal_also_after_a_top_up(self, desk: Desk) -> None:
        refused(await desk.spend("member", 10, key="monday"))
        done(await desk.award(amount=10))
        again = await desk.spend("member", 10, key="monday")
        assert refused(again) == (409, "insufficient_points")
        assert (again.json()["balance"], again.headers["Idempotency-Replayed"]) == (0, "true")
        assert done(await by_key(desk, "monday"))["status"] == 409
        assert await desk.figures("member") == (10, 0, 10)

    async def test_what_any_command_answered(self, desk: Desk) -> None:
        """Holds and their ends, transfers, reversals, bulk: each under the key of who asked."""
        await desk.books.decide()
        award = done(await desk.award(amount=100))
        held = done(await desk.hold("member", 10, key="hold"))
        done(await desk.void_hold(held, key="void"))
        done(await desk.transfer("member", "zhang", 5, key="gift"))
        credit = desk.movement("service", desk.leg("community", -5), desk.leg("member", 5))
        done(await desk.bulk("each", credit, key="bulk"))
        done(await desk.reverse(award, key="reverse"))
        for key, by, status in [
            ("hold", "member", 201), ("void", "points_clerk", 200), ("gift", "member", 201),
            ("bulk", "points_clerk", 200), ("reverse", "points_clerk", 201),
        ]:  # fmt: skip
            assert done(await by_key(desk, key, by=by))["status"] == status

    @pytest.mark.parametrize("key", ["a/b", "100%", "?#&=", "~" * 64, "';--"])
    async def test_under_any_key_there_may_be(self, desk: Desk, key: str) -> None:
        done(await desk.award(amount=10, key=key))
        assert done(await by_key(desk, key))["key"] == key


class TestNothing:
    async def test_under_a_key_nobody_used(self, desk: Desk) -> None:
        assert refused(await by_key(desk, "monday")) == (404, "not_found")

    async def test_under_the_key_of_somebody_else(self, desk: Desk) -> None:
        done(await desk.award(amount=10, key="monday"))
        for by in ("member", "community_admin", "district_admin"):
            assert refused(await by_key(desk, "monday", by=by)) == (404, "not_found")

    async def test_under_a_key_of_another_district(self, desk: Desk, neighbour_district: World) -> None:
        done(await desk.award(amount=10, key="monday"))
        answer = await neighbour_district.points_clerk.get("/v1/points/postings/by-key/monday")
        assert refused(answer) == (404, "not_found")

    async def test_of_a_request_that_did_not_fit(self, desk: Desk) -> None:
        """It was never decided, and can be sent again, corrected."""
        key = str(uuid4())
        refused(await desk.award(amount=0, key=key))
        assert refused(await by_key(desk, key)) == (404, "not_found")
        done(await desk.award(amount=1, key=key))

    @pytest.mark.parametrize("key", ["周一", "a b", "x" * 65])
    async def test_under_what_is_no_key(self, desk: Desk, key: str) -> None:
        assert (await by_key(desk, key)).status_code == 422
