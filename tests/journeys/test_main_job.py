"""Mr Zhang needs his week's medicine on Monday morning: the whole story through the gateway, as its people live it."""

import asyncio
import io
import time
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from PIL import Image

from tests.deployment import Deployment
from tests.orders.conftest import draw
from tests.world import World


async def sign_in_by_wechat(deployment: Deployment, world: World, key: str) -> httpx2.AsyncClient:
    """What a phone does: `wx.login`, then our sign-in with the code; a client with the access token."""
    openid = f"openid-{world.tenant_id}-{key}"
    await world.connection.execute(
        "INSERT INTO wechat_identities (app_id, openid, account_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        deployment.settings.wechat_app_id, openid, world.people[key].account_id,
    )  # fmt: skip
    async with httpx2.AsyncClient(trust_env=False) as phone:
        code = (await phone.post(f"{deployment.wechat_url}/_fake/login", json={"openid": openid})).json()["code"]
    client = httpx2.AsyncClient(base_url=deployment.base_url, timeout=30, trust_env=False)
    answer = await client.post("/v1/sign-in/wechat", json={"code": code})
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


async def post(client: httpx2.AsyncClient, path: str, body: Any, *, expect: int = 200, key: str = "") -> dict[str, Any]:
    answer = await client.post(path, json=body, headers={"Idempotency-Key": key or str(uuid4())})
    assert answer.status_code == expect, answer.text
    return dict(answer.json())


def fresh_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def points_of(client: httpx2.AsyncClient) -> int:
    """What the account shows; a phone asks again when the service says 503."""
    for _ in range(50):
        answer = await client.get("/v1/points/account")
        if answer.status_code != 503:
            return int(answer.json()["balance"])
        await asyncio.sleep(0.1)
    raise AssertionError(answer.text)


async def points_reach(client: httpx2.AsyncClient, balance: int, *, within_seconds: float = 10) -> float:
    """How long it took until the account showed this balance; fails when it does not."""
    started = time.monotonic()
    while await points_of(client) != balance:
        assert time.monotonic() - started < within_seconds, await points_of(client)
        await asyncio.sleep(0.05)
    return time.monotonic() - started


async def test_mr_zhang_gets_his_medicine_and_the_member_the_points(deployment: Deployment, district: World) -> None:
    zhang, dispatcher, member, neighbour = [
        await sign_in_by_wechat(deployment, district, key) for key in ("zhang", "dispatcher", "member", "neighbour")
    ]
    me = (await zhang.get("/v1/me")).json()
    assert me["account"]["name"] == "张德明"

    # 居民点单
    order = await post(
        zhang, "/v1/orders",
        {"kind": "buy_medicine", "description": "代购一周降压药", "wanted_from": "2026-11-23T08:00:00+08:00"},
        expect=201,
    )  # fmt: skip
    path = f"/v1/orders/{order['id']}"
    assert (await neighbour.get(path)).status_code == 404

    # 社区受理、派单
    board = (await dispatcher.get("/v1/orders", params={"view": "area", "state": "placed"})).json()
    assert [item["id"] for item in board["items"]] == [order["id"]]
    await post(dispatcher, f"{path}/triage", {"priority": "high"})
    await post(dispatcher, f"{path}/dispatch", {"assignee_id": str(district.member.account_id)})

    # 党员接单
    tasks = (await member.get("/v1/orders", params={"view": "tasks"})).json()
    assert tasks["items"][0]["details"]["address"].endswith("3栋2单元502")
    await post(member, f"{path}/accept", {})
    await post(member, f"{path}/start", {})
    photo = await member.post(
        "/v1/files",
        files={"file": ("药.jpg", draw(exif=True), "image/jpeg")},
        headers=fresh_key(),
    )
    assert photo.status_code == 201, photo.text
    await post(member, f"{path}/complete", {"note": "药品已送到张伯家中", "file_ids": [photo.json()["id"]]})
    seen = await zhang.get(f"/v1/files/{photo.json()['id']}")
    assert not Image.open(io.BytesIO(seen.content)).getexif()

    # 社区核查
    verified = await post(dispatcher, f"{path}/verify", {})
    assert (verified["state"], verified["stage"]) == ("verified", "close")
    assert (await zhang.get(path)).json()["available_actions"] == ["rate"]

    # 居民评单, twice with one key: the phone was not sure
    rating = {"stars": 5, "solved": True, "comment": "很及时，谢谢"}
    first = await post(zhang, f"{path}/rate", rating, key="zhang-rates")
    again = await post(zhang, f"{path}/rate", rating, key="zhang-rates")
    assert first == again
    assert first["state"] == "rated"

    # 积分到账: five for the work, two for five stars, once
    await points_reach(member, 7)
    await asyncio.sleep(0.7)
    assert await points_of(member) == 7
    statement = (await member.get("/v1/points/statement")).json()["items"]
    assert [(entry["amount"], entry["balance_after"]) for entry in statement] == [(7, 7)]
    for client in (zhang, dispatcher, member, neighbour):
        await client.aclose()


async def test_points_usually_arrive_within_a_second(deployment: Deployment, district: World) -> None:
    waits = []
    for number in range(1, 4):
        await district.rated_order()
        waits.append(await points_reach(district.member.client, 7 * number))
    assert sorted(waits)[1] < 1.0, waits


async def test_a_request_id_goes_through_every_process(deployment: Deployment, district: World) -> None:
    answer = await district.zhang.client.get(f"/v1/orders/{uuid4()}", headers={"X-Request-Id": "phone-42"})
    assert answer.headers["x-request-id"] == "phone-42" == answer.json()["request_id"]


async def test_signing_out_ends_the_session_everywhere(deployment: Deployment, district: World) -> None:
    client = await sign_in_by_wechat(deployment, district, "zhang")
    assert (await client.get("/v1/orders")).status_code == 200
    assert (await client.post("/v1/sign-out", json={}, headers={"Idempotency-Key": str(uuid4())})).status_code in {
        200,
        204,
    }
    deadline = time.monotonic() + 60
    while (await client.get("/v1/orders")).status_code != 401:
        assert time.monotonic() < deadline, "a session that ended must bite within a minute"
        await asyncio.sleep(0.5)
    await client.aclose()


@pytest.mark.parametrize("path", ["/health", "/ready"])
async def test_health(deployment: Deployment, path: str) -> None:
    async with httpx2.AsyncClient(base_url=deployment.base_url, trust_env=False) as client:
        assert (await client.get(path)).status_code == 200
