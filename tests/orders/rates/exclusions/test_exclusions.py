"""Leaving an order out of the rates: one asks, another decides, and it can be taken back."""

import asyncio
from typing import Any

import pytest

from models.identity import Role
from services.chassis.schemas import new_id
from tests.orders.rates.test_rates import total
from tests.world import World

REQUEST = {"reason_code": "unreasonable", "words": "要求超出物业合同约定"}
APPROVE = {"is_approved": True, "reason": "情况属实"}
REFUSE = {"is_approved": False, "reason": "材料不足"}
WITHDRAW = {"reason": "误报"}


async def asked(world: World, order_id: str, by: str = "dispatcher") -> str:
    answer = await world.people[by].post(f"/v1/orders/{order_id}/rate-exclusions", REQUEST)
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "pending"
    return str(answer.json()["id"])


async def step(
    world: World, order_id: str, exclusion: str, body: dict[str, Any], by: str = "community_admin"
) -> tuple[int, str]:
    """The status, and the state or the refusal."""
    action = "withdraw" if body is WITHDRAW else "review"
    answer = await world.people[by].post(f"/v1/orders/{order_id}/rate-exclusions/{exclusion}/{action}", body)
    return answer.status_code, answer.json().get("state") or answer.json()["code"]


async def listed(world: World, by: str = "dispatcher", **query: Any) -> list[str]:
    answer = await world.people[by].get("/v1/rate-exclusions", **query)
    assert answer.status_code == 200, answer.text
    return [one["order_id"] for one in answer.json()["items"]]


async def test_only_what_two_people_decided_leaves_the_rates(world: World) -> None:
    order = (await world.rated_order(1))["id"]
    exclusion = await asked(world, order)
    assert (await total(world))["satisfaction"] == (0, 1, 0, 0)
    assert await step(world, order, exclusion, APPROVE) == (200, "approved")
    assert (await total(world))["satisfaction"] == (0, 0, 0, 1)
    assert await step(world, order, exclusion, WITHDRAW) == (200, "withdrawn")
    assert (await total(world))["satisfaction"] == (0, 1, 0, 0)


async def test_what_is_refused_counts(world: World) -> None:
    order = (await world.rated_order())["id"]
    exclusion = await asked(world, order)
    assert await step(world, order, exclusion, REFUSE) == (200, "refused")
    assert (await total(world))["resolution"] == (1, 1, 0, 0)
    assert await step(world, order, exclusion, WITHDRAW) == (409, "exclusion_decided")
    again = await asked(world, order)  # with better reasons
    assert await step(world, order, again, APPROVE) == (200, "approved")


async def test_the_whole_story_stays(world: World) -> None:
    order = (await world.rated_order())["id"]
    exclusion = await asked(world, order)
    await step(world, order, exclusion, APPROVE)
    await step(world, order, exclusion, WITHDRAW)
    answer = await world.dispatcher.get(f"/v1/orders/{order}/rate-exclusions")
    (found,) = answer.json()["items"]
    assert (found["words"], found["asked_by_name"], found["state"]) == ("要求超出物业合同约定", "李晓燕", "withdrawn")
    assert [(one["outcome"], one["decided_by_name"], one["reason"]) for one in found["steps"]] == [
        ("approved", "曾国平", "情况属实"), ("withdrawn", "曾国平", "误报"),
    ]  # fmt: skip


class TestTheSecondPerson:
    async def test_is_not_who_asked(self, world: World) -> None:
        order = (await world.rated_order())["id"]
        exclusion = await asked(world, order, by="community_admin")
        assert await step(world, order, exclusion, APPROVE) == (409, "own_exclusion")
        assert await step(world, order, exclusion, APPROVE, by="district_admin") == (200, "approved")

    async def test_is_not_who_worked_on_it(self, world: World) -> None:
        order = await world.order()
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(order["id"], "community_admin", "take-over", {"reason": "无人接单"})
        exclusion = await asked(world, order["id"])
        assert await step(world, order["id"], exclusion, APPROVE) == (409, "party_to_order")
        assert await step(world, order["id"], exclusion, APPROVE, by="district_admin") == (200, "approved")

    @pytest.mark.parametrize("action", ["dispatch", "verify", "redo"])
    async def test_is_not_who_directed_or_judged_the_work(self, world: World, action: str) -> None:
        body = {"dispatch": {"assignee_id": str(world.second_member.account_id)}, "redo": {"reason": "照片不清"}}
        order = (await (world.order() if action == "dispatch" else world.completed_order()))["id"]
        await world.act(order, "community_admin", action, body.get(action))
        exclusion = await asked(world, order)
        assert await step(world, order, exclusion, APPROVE) == (409, "party_to_order")
        assert await step(world, order, exclusion, APPROVE, by="district_admin") == (200, "approved")

    async def test_is_an_administrator_of_the_area(self, world: World) -> None:
        await world.add_person("second_dispatcher", "温丽", roles={Role.DISPATCHER: "community"})
        await world.add_person("other_admin", "骆明", roles={Role.COMMUNITY_ADMIN: "other_community"})
        order = (await world.rated_order())["id"]
        exclusion = await asked(world, order)
        found = [
            await step(world, order, exclusion, APPROVE, by=by)
            for by in ("second_dispatcher", "grid_worker", "other_admin")
        ]
        assert found == [(403, "forbidden"), (403, "forbidden"), (404, "order_not_found")]

    async def test_decides_once(self, world: World) -> None:
        order = (await world.rated_order())["id"]
        exclusion = await asked(world, order)
        found = await asyncio.gather(
            *(
                step(world, order, exclusion, body, by=by)
                for by in ("community_admin", "district_admin")
                for body in (APPROVE, REFUSE)
            )
        )
        assert sorted(status for status, _ in found) == [200, 409, 409, 409]
        assert await world.fetch_value("SELECT count(*) FROM rate_exclusion_steps") == 1


class TestAsking:
    async def test_is_for_dispatchers_of_the_area(self, world: World) -> None:
        order = (await world.rated_order())["id"]
        found = {
            by: (await world.people[by].post(f"/v1/orders/{order}/rate-exclusions", REQUEST)).status_code
            for by in ("zhang", "grid_worker", "member", "other_dispatcher", "dispatcher")
        }
        assert found == {"zhang": 403, "grid_worker": 403, "member": 403, "other_dispatcher": 404, "dispatcher": 201}

    async def test_twice_at_once_makes_one(self, world: World) -> None:
        order = (await world.rated_order())["id"]
        found = await asyncio.gather(
            *(
                world.people[by].post(f"/v1/orders/{order}/rate-exclusions", REQUEST)
                for by in ("dispatcher", "community_admin", "district_admin")
            )
        )
        assert sorted(answer.status_code for answer in found) == [201, 409, 409]

    @pytest.mark.parametrize(
        "body",
        [{}, {"reason_code": "bored", "words": "x"}, {**REQUEST, "words": " "}, {**REQUEST, "state": "approved"}],
    )
    async def test_names_a_reason(self, world: World, body: dict[str, Any]) -> None:
        order = (await world.rated_order())["id"]
        assert (await world.dispatcher.post(f"/v1/orders/{order}/rate-exclusions", body)).status_code == 422


class TestWithdrawing:
    async def test_is_for_who_asked_and_for_administrators(self, world: World) -> None:
        await world.add_person("second_dispatcher", "温丽", roles={Role.DISPATCHER: "community"})
        order = (await world.rated_order())["id"]
        exclusion = await asked(world, order)
        assert await step(world, order, exclusion, WITHDRAW, by="second_dispatcher") == (403, "forbidden")
        assert await step(world, order, exclusion, WITHDRAW, by="dispatcher") == (200, "withdrawn")
        assert await step(world, order, exclusion, APPROVE) == (409, "exclusion_decided")

    async def test_of_another_order_finds_nothing(self, world: World) -> None:
        first, second = (await world.rated_order())["id"], (await world.rated_order())["id"]
        exclusion = await asked(world, first)
        assert await step(world, second, exclusion, WITHDRAW) == (404, "exclusion_not_found")
        assert await step(world, first, str(new_id()), APPROVE) == (404, "exclusion_not_found")


class TestList:
    async def test_shows_what_waits_the_longest_first(self, world: World) -> None:
        orders = [(await world.rated_order())["id"] for _ in range(3)]
        exclusions = [await asked(world, order) for order in orders]
        await step(world, orders[1], exclusions[1], APPROVE)
        assert await listed(world) == [orders[0], orders[2]]
        assert await listed(world, state="approved") == [orders[1]]
        first = await world.dispatcher.get("/v1/rate-exclusions", limit=1)
        assert await listed(world, limit=1, cursor=first.json()["next_cursor"]) == [orders[2]]

    async def test_is_of_my_area(self, world: World) -> None:
        order = (await world.rated_order())["id"]
        await asked(world, order)
        assert await listed(world, "district_admin", area_id=str(world.areas["building"])) == [order]
        assert await listed(world, "other_dispatcher") == []
        foreign = await world.other_dispatcher.get("/v1/rate-exclusions", area_id=str(world.areas["building"]))
        assert foreign.status_code == 404
        assert (await world.grid_worker.get("/v1/rate-exclusions")).status_code == 403


async def test_nobody_rewrites_what_was_decided(world: World) -> None:
    order = (await world.rated_order())["id"]
    exclusion = await asked(world, order)
    key = "once"
    path = f"/v1/orders/{order}/rate-exclusions/{exclusion}/review"
    found = [await world.community_admin.post(path, APPROVE, key=key) for _ in range(2)]
    assert [answer.status_code for answer in found] == [200, 200]
    assert found[0].content == found[1].content
    assert (await world.community_admin.post(path, REFUSE, key=key)).status_code == 422
