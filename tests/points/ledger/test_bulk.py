"""POST /v1/points/transactions/bulk: many transactions, one request, one key."""

from typing import Any

import pytest

from tests.points.desk import Desk, Json, done, refused


def credit(desk: Desk, to: str = "member", amount: int = 5, **changes: Any) -> Json:
    return desk.movement("service", desk.leg("community", -amount), desk.leg(to, amount), **changes)


class TestEach:
    async def test_answers_every_one_in_its_place(self, desk: Desk) -> None:
        answer = await desk.bulk(
            "each",
            credit(desk),
            desk.movement("redemption", desk.leg("zhang", -1), desk.leg("community", 1)),
            credit(desk, "points_clerk"),
            desk.movement("service", desk.leg("community", -5), desk.leg("member", 4)),
            credit(desk, "zhang", 7),
        )
        assert answer.status_code == 200
        body = done(answer)
        assert (body["posted"], body["refused"]) == (2, 3)
        assert [(result["index"], result["status"], result["code"]) for result in body["results"]] == [
            (0, 201, None),
            (1, 409, "insufficient_points"),
            (2, 403, "own_points"),
            (3, 422, "unbalanced_legs"),
            (4, 201, None),
        ]
        assert [result["posting_id"] is not None for result in body["results"]] == [True, False, False, False, True]
        assert (await desk.figures("member"), await desk.figures("zhang")) == ((5, 0, 5), (7, 0, 7))

    async def test_one_sees_what_those_before_it_did(self, desk: Desk) -> None:
        spend = desk.movement("redemption", desk.leg("member", -4), desk.leg("community", 4))
        body = done(await desk.bulk("each", spend, credit(desk), spend, spend))
        assert [result["status"] for result in body["results"]] == [409, 201, 201, 409]

    async def test_one_source_twice_is_one_transaction(self, desk: Desk) -> None:
        twice = credit(desk, source={"kind": "activity_certified", "id": "重阳节"})
        body = done(await desk.bulk("each", twice, credit(desk), twice))
        assert body["posted"] == 3
        assert body["results"][0]["posting_id"] == body["results"][2]["posting_id"]
        assert await desk.figures("member") == (10, 0, 10)

    async def test_five_hundred(self, desk: Desk) -> None:
        people = list(desk.world.people)
        people.remove("points_clerk")
        body = done(await desk.bulk("each", *(credit(desk, people[n % len(people)], 1) for n in range(500))))
        assert (body["posted"], body["refused"], len(body["results"])) == (500, 0, 500)
        assert await desk.books.balance(desk.books.community_id) == -500


class TestAllOrNothing:
    async def test_posts_all(self, desk: Desk) -> None:
        body = done(await desk.bulk("all_or_nothing", credit(desk), credit(desk, "zhang")))
        assert (body["posted"], body["refused"]) == (2, 0)
        assert await desk.figures("zhang") == (5, 0, 5)

    async def test_or_nothing_and_says_which_are_wrong(self, desk: Desk) -> None:
        before = await desk.books.state()
        answer = await desk.bulk(
            "all_or_nothing",
            credit(desk),
            desk.movement("redemption", desk.leg("zhang", -1), desk.leg("community", 1)),
            credit(desk, "points_clerk"),
        )
        assert refused(answer) == (409, "bulk_refused")
        assert answer.json()["refused"] == 2
        assert [(result["index"], result["code"]) for result in answer.json()["results"]] == [
            (1, "insufficient_points"),
            (2, "own_points"),
        ]
        assert await desk.books.state() == before

    async def test_the_last_of_many_undoes_all(self, desk: Desk) -> None:
        answer = await desk.bulk("all_or_nothing", *[credit(desk)] * 99, credit(desk, "points_clerk"))
        assert refused(answer) == (409, "bulk_refused")
        assert await desk.figures("member") == (0, 0, 0)

    async def test_one_source_twice_is_one_transaction(self, desk: Desk) -> None:
        twice = credit(desk, source={"kind": "activity_certified", "id": "重阳节"})
        body = done(await desk.bulk("all_or_nothing", twice, twice))
        assert body["results"][0]["posting_id"] == body["results"][1]["posting_id"]
        assert await desk.figures("member") == (5, 0, 5)

    async def test_a_source_of_before_is_no_refusal(self, desk: Desk) -> None:
        source: Json = {"source": {"kind": "activity_certified", "id": "重阳节"}}
        first = done(await desk.post("service", *credit(desk)["legs"], **source))
        body = done(await desk.bulk("all_or_nothing", credit(desk, **source), credit(desk)))
        assert body["results"][0]["posting_id"] == first["id"]
        assert await desk.figures("member") == (10, 0, 10)


@pytest.mark.parametrize("mode", ["each", "all_or_nothing"])
class TestRepeating:
    async def test_answers_as_before(self, desk: Desk, mode: str) -> None:
        answers = [await desk.bulk(mode, credit(desk), credit(desk, "zhang"), key="monday") for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true"]
        assert await desk.figures("member") == (5, 0, 5)

    async def test_another_body_is_refused(self, desk: Desk, mode: str) -> None:
        done(await desk.bulk(mode, credit(desk), key="monday"))
        assert refused(await desk.bulk(mode, credit(desk), credit(desk), key="monday")) == (
            422,
            "idempotency_key_reused",
        )
        assert await desk.figures("member") == (5, 0, 5)


async def test_a_refusal_of_all_stays_one(desk: Desk) -> None:
    """Also when the reason for it is gone."""
    spend = desk.movement("redemption", desk.leg("member", -4), desk.leg("community", 4))
    first = await desk.bulk("all_or_nothing", spend, key="monday")
    done(await desk.award(amount=10))
    again = await desk.bulk("all_or_nothing", spend, key="monday")
    assert refused(first) == refused(again) == (409, "bulk_refused")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json()["results"] == again.json()["results"]
    done(await desk.bulk("all_or_nothing", spend, key="tuesday"))


class TestRefusing:
    @pytest.mark.parametrize("count", [0, 501])
    async def test_too_few_and_too_many(self, desk: Desk, count: int) -> None:
        assert refused(await desk.bulk("each", *[credit(desk)] * count)) == (422, "invalid_request")

    async def test_an_unknown_mode(self, desk: Desk) -> None:
        assert refused(await desk.bulk("some", credit(desk))) == (422, "invalid_request")

    async def test_one_body_that_does_not_fit_refuses_all(self, desk: Desk) -> None:
        """It is no transaction at all, so nothing can be said of the others."""
        assert refused(await desk.bulk("each", credit(desk), credit(desk, reason=""))) == (422, "invalid_request")
        assert await desk.figures("member") == (0, 0, 0)

    @pytest.mark.parametrize("by", ["zhang", "member", "community_admin", "district_admin"])
    async def test_whoever_is_no_clerk(self, desk: Desk, by: str) -> None:
        body = {"mode": "each", "transactions": [credit(desk, "second_member")]}
        answer = done(await desk.world.people[by].post("/v1/points/transactions/bulk", body))
        assert [result["code"] for result in answer["results"]] == ["forbidden"]
