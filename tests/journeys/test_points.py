"""Points from being earned to being lost, proved and carried away: whole stories through the gateway."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from models.identity import Role
from tests.deployment import Deployment
from tests.journeys.test_main_job import points_reach, post
from tests.world import Person, World, make_world

ACTIVITY = "2026-10-18 重阳节敬老活动"
LOST_AFTER = timedelta(days=30)
VOLUNTEERS = 30


@pytest.fixture
async def empty_district(deployment: Deployment) -> AsyncIterator[World]:
    """Another district on the same product, with nothing in its books."""
    async with httpx2.AsyncHTTPTransport() as transport:
        world = await make_world(deployment.settings, transport, base_url=deployment.base_url)
        yield world
        await world.close()


async def read(person: Person, path: str, **query: Any) -> Any:
    answer = await person.get(f"/v1/points{path}", **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def write(person: Person, path: str, body: dict[str, Any], *, expect: int = 201, key: str = "") -> dict[str, Any]:
    return await post(person.client, f"/v1/points{path}", body, expect=expect, key=key)


async def lots_of(person: Person) -> list[tuple[int, int, str | None]]:
    """What is left of each lot, with what is held of it and when it is lost."""
    return [(lot["remaining"], lot["held"], lot["expires_at"]) for lot in (await read(person, "/lots"))["items"]]


def thanks(district: World, volunteer: Person) -> dict[str, Any]:
    """20 points and two hours of service for one who took part."""
    community = str(district.areas["community"])
    return {
        "kind": "service",
        "reason": ACTIVITY,
        "source": {"kind": "activity_certified", "id": f"{ACTIVITY} {volunteer.account_id}"},
        "legs": [
            {"account_kind": kind, "owner_id": owner, "amount": sign * amount, "asset": asset}
            for asset, amount in (("points", 20), ("minutes", 120))
            for kind, owner, sign in (("issuing_community", community, -1), ("member", str(volunteer.account_id), 1))
        ],
    }


async def decide_rules(district: World, **changes: Any) -> None:
    rules = {"asset": "points", "expiry_unit": "days", "expiry_count": LOST_AFTER.days, "spent_earning": "debt"}
    await write(district.district_admin, "/book-rules", {**rules, "may_transfer": True, **changes})
    await write(district.district_admin, "/book-rules", {"asset": "minutes", "minutes_per_point": 60})


async def test_what_mr_chen_earns_spends_gives_and_loses(deployment: Deployment, district: World) -> None:
    del deployment
    clerk, chen, huang = district.points_clerk, district.member, district.second_member
    chen_id, community = str(chen.account_id), str(district.areas["community"])
    await decide_rules(district)

    # 接单得分
    await district.rated_order(stars=5)
    await points_reach(chen.client, 7)
    after_the_order = datetime.now(UTC)

    # 活动批量认定: many at once, one of them not of this district, and all of it sent twice
    volunteers = [await district.add_person(f"volunteer{n}", f"志愿者{n}") for n in range(VOLUNTEERS - 1)]
    bulk = [thanks(district, volunteer) for volunteer in (chen, *volunteers)]
    bulk.append(json.loads(json.dumps(bulk[0]).replace(chen_id, community)))
    certified = await write(clerk, "/transactions/bulk", {"mode": "each", "transactions": bulk}, expect=200, key="b")
    assert (certified["posted"], certified["refused"]) == (VOLUNTEERS, 1)
    assert certified["results"][-1]["code"] == "recipient_not_a_member"
    assert certified == await write(
        clerk, "/transactions/bulk", {"mode": "each", "transactions": bulk}, expect=200, key="b"
    )
    refused = await write(clerk, "/transactions/bulk", {"mode": "all_or_nothing", "transactions": bulk}, expect=409)
    assert [item["index"] for item in refused["results"]] == [VOLUNTEERS]
    again = await write(clerk, "/transactions/bulk", {"mode": "all_or_nothing", "transactions": bulk[:-1]}, expect=200)
    assert [item["posting_id"] for item in again["results"]] == [
        item["posting_id"] for item in certified["results"][:-1]
    ]
    assert (await read(chen, "/account"))["balance"] == 27

    # 商超兑换: one bottle of washing liquid is handed over, another is cancelled afterwards
    shop = await write(clerk, "/accounts", {"kind": "merchant", "name": "惠民超市", "community_id": community})
    order = {
        "account_id": chen_id,
        "amount": 10,
        "to_account_kind": "merchant",
        "to_owner_id": shop["owner_id"],
        "reason": "洗衣液一瓶",
    }
    held = await write(chen, "/holds", order)
    assert (await read(chen, "/account"))["available"] == 17
    handed_over = await write(clerk, f"/holds/{held['id']}/post", {}, expect=200)
    assert handed_over["state"] == "posted"
    before = await lots_of(chen)
    cancelled = await write(chen, "/holds", order)
    spent = await write(clerk, f"/holds/{cancelled['id']}/post", {}, expect=200)
    await write(clerk, f"/postings/{spent['posting_id']}/reverse", {"reason": "缺货退回"})
    assert await lots_of(chen) == before
    shops_statement = await read(clerk, f"/accounts/{shop['owner_id']}/statement")
    assert [line["balance_after"] for line in shops_statement["items"]] == [10, 20, 10]

    # 转赠: what Mrs Huang gets is lost when Mr Chen would have lost it
    await write(chen, "/transfers", {"to_account_id": str(huang.account_id), "amount": 3, "reason": "谢谢黄姐"})
    assert await lots_of(huang) == [(3, 0, before[0][2])]

    # 时长换积分
    await write(chen, "/conversions", {"points": 2, "community_id": community})
    assert (await read(chen, "/account", asset="minutes"))["balance"] == 0
    assert (await read(chen, "/account"))["balance"] == 16

    # 冻结与解冻: nothing goes out, what is earned comes in
    await write(clerk, f"/accounts/{chen_id}/freeze", {"reason": "核实代签"}, expect=200)
    gift = {"to_account_id": str(huang.account_id), "amount": 1, "reason": "再谢"}
    assert (await write(chen, "/transfers", gift, expect=409, key="frozen"))["code"] == "account_frozen"
    award = {"account_id": chen_id, "community_id": community, "amount": 4, "reason": "值守"}
    await write(clerk, "/postings", award)
    await write(clerk, f"/accounts/{chen_id}/unfreeze", {"reason": "核实无误"}, expect=200)
    assert (await write(chen, "/transfers", gift, expect=409, key="frozen"))["code"] == "account_frozen"
    await write(chen, "/transfers", gift)
    actions = [event["action"] for event in await read(clerk, f"/accounts/{chen_id}/events")]
    assert actions == ["freeze", "unfreeze"]

    # 到期: 5 points of nearly 30 days ago, lost a moment later, whoever looks
    lost_at = datetime.now(UTC) + timedelta(seconds=2.5)
    late = thanks(district, chen) | {
        "source": None, "effective_at": (lost_at - LOST_AFTER).isoformat(), "reason": "补登"
    }  # fmt: skip
    late["legs"] = [{**leg, "amount": leg["amount"] // 4} for leg in late["legs"][:2]]
    await write(clerk, "/transactions", late)
    account = await read(chen, "/account")
    assert (account["balance"], account["available"]) == (24, 24)
    assert account["next_expiry"]["amount"] == 5
    await asyncio.sleep(max(0.0, (lost_at - datetime.now(UTC)).total_seconds()))
    assert (await read(chen, "/account"))["available"] == 19
    await points_reach(chen.client, 19)

    # 明细与历史余额
    lines = (await read(chen, "/statement", limit=100))["items"]
    assert [(line["kind"], line["amount"]) for line in reversed(lines)] == [
        ("reward", 7), ("service", 20), ("redemption", -10), ("redemption", -10), ("reversal", 10),
        ("transfer", -3), ("conversion", 2), ("award", 4), ("transfer", -1), ("service", 5), ("expiry", -5),
    ]  # fmt: skip
    for line, earlier in pairwise(lines):
        assert line["balance_after"] == earlier["balance_after"] + line["amount"]
    past = await read(chen, "/account/at", recorded_at=after_the_order.isoformat())
    assert past["balance"] == 7


async def test_rules_are_drafted_tried_and_put_in_force_by_two_people(deployment: Deployment, district: World) -> None:
    del deployment
    clerk, chen, chief = district.points_clerk, district.member, district.district_admin
    community = str(district.areas["community"])
    began_at = datetime.now(UTC) - timedelta(hours=5)
    cleaning: dict[str, Any] = {
        "activity": {"name": "国庆小区清洁日", "service_kind": "environment"},
        "community_id": community,
        "participants": [
            {"account_id": str(person.account_id), "began_at": began_at.isoformat(), "minutes": 90}
            for person in (chen, district.second_member)
        ],
    }
    certified = await write(clerk, "/certifications", cleaning)
    assert [(result["points"], result["minutes_credited"]) for result in certified["results"]] == [(1, 90), (1, 90)]

    # 草拟、试算、启用: half as much again for cleaning
    draft = await write(
        chief,
        "/earning-rules",
        {
            "terms": {
                "services": {
                    "general": {"rate": {"points": 1}, "credits_minutes": True},
                    "kinds": {"environment": {"rate": {"points": 2}}},
                },
                "caps": {"per_day": 8},
            },
            "note": "清洁加倍，每日不超过8分",
        },
    )
    path = f"/earning-rules/{draft['version']}"
    period = {
        "from": (began_at - timedelta(days=1)).isoformat(),
        "to": (datetime.now(UTC) + timedelta(minutes=1)).isoformat(),
    }
    activation = {"active_from": (datetime.now(UTC) + timedelta(seconds=1)).isoformat()}
    deputy = await district.add_person("deputy", "黎明辉", roles={Role.DISTRICT_ADMIN: "district"})
    early = await write(deputy, f"{path}/activate", activation, expect=409)
    assert early["code"] == "never_simulated"
    simulated = await write(chief, f"{path}/simulate", period)
    assert (simulated["points_before"], simulated["points_after"]) == (2, 6)
    assert (await read(chen, "/account"))["balance"] == 1
    own = await write(chief, f"{path}/activate", activation, expect=403)
    assert own["code"] == "own_draft"
    activation = {"active_from": (datetime.now(UTC) + timedelta(seconds=1)).isoformat()}
    await write(deputy, f"{path}/activate", activation, expect=200)
    await until_in_force(chen, draft["version"])

    # 新规则下认定: the sum names the version
    cleaning["activity"] = {"name": "楼道清洁", "service_kind": "environment"}
    cleaning["participants"] = cleaning["participants"][:1]
    certified = await write(clerk, "/certifications", cleaning)
    assert certified["rule_version"] == draft["version"]
    assert certified["results"][0]["points"] == 3
    await points_reach(chen.client, 4)

    # 双人复核: a large award waits for somebody else
    await decide_rules(district, second_person_from=50)
    award = {"account_id": str(chen.account_id), "community_id": community, "amount": 60, "reason": "年度优秀"}
    alone = await write(clerk, "/postings", award, expect=403)
    assert alone["code"] == "second_person_needed"
    proposal = await write(clerk, "/proposals", {"award": award})
    second = await district.add_person("second_clerk", "何敏", roles={Role.POINTS_CLERK: "community"})
    assert (await write(clerk, f"/proposals/{proposal['id']}/approve", {}, expect=403))["code"] == "own_proposal"
    approved = await write(second, f"/proposals/{proposal['id']}/approve", {}, expect=200)
    posting = await read(chen, f"/postings/{approved['posting_id']}")
    assert (posting["recorded_by"], posting["approved_by"]) == (str(clerk.account_id), str(second.account_id))
    assert (await read(chen, "/account"))["balance"] == 64


async def until_in_force(person: Person, version: int) -> None:
    gives_up_at = time.monotonic() + 10
    while (await read(person, "/earning-rules/in-force"))["version"] != version:
        assert time.monotonic() < gives_up_at
        await asyncio.sleep(0.1)


async def test_the_books_are_proved_and_carried_to_an_empty_district(
    deployment: Deployment, district: World, empty_district: World
) -> None:
    del deployment
    clerk, chief, chen = district.points_clerk, district.district_admin, district.member
    await decide_rules(district)
    for volunteer in (chen, district.second_member):
        await write(clerk, "/transactions", thanks(district, volunteer))
    await write(chen, "/transfers", {"to_account_id": str(district.zhang.account_id), "amount": 6, "reason": "送"})

    # 校验值
    head = await sealed_head(chief)
    verified = await read(chief, "/chain/verification")
    assert (verified["sound"], verified["findings"], verified["next_cursor"]) == (True, [], None)

    # 负债表: 40 issued, nothing redeemed, nothing lost, 40 owed
    report = await read(clerk, "/reports/liability")
    assert report["adds_up"]
    assert report["ties_to_entries"]
    moved = {name: report["total"][name] for name in ("issued", "redeemed", "expired", "closing")}
    assert moved == {"issued": 40, "redeemed": 0, "expired": 0, "closing": 40}

    # 导出，再导入空账本
    file = await chief.get("/v1/points/export")
    lines = file.text.splitlines()
    assert len(lines) == head["position"] + 1
    imported = await write(empty_district.district_admin, "/imports", {"lines": lines}, expect=200)
    assert (imported["complete"], imported["hash"]) == (True, head["hash"])
    there = (await sealed_head(empty_district.district_admin))["hash"]
    assert there == head["hash"]
    balances = "SELECT owner_id, asset, sum(balance) AS balance FROM ledger_accounts GROUP BY 1, 2 ORDER BY 1, 2"
    assert await empty_district.fetch(balances) == await district.fetch(balances)


async def sealed_head(person: Person) -> dict[str, Any]:
    """The head of the chain as soon as everything is sealed."""
    gives_up_at = time.monotonic() + 10
    while True:
        current = (await read(person, "/chain/heads"))["current"]
        if current["position"] and not current["unsealed"]:
            return dict(current)
        assert time.monotonic() < gives_up_at
        await asyncio.sleep(0.1)
