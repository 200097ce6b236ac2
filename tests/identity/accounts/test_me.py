"""Who I am."""

from datetime import timedelta

import httpx2

from models.identity import Role
from services.chassis import clock
from services.chassis.schemas import new_id
from tests.identity.conftest import tenant_code_of
from tests.world import World


async def test_a_resident_sees_their_entry_and_household(world: World) -> None:
    answer = await world.zhang.get("/v1/me")

    assert answer.status_code == 200, answer.text
    me = answer.json()
    assert me["account"] == {"id": str(world.zhang.account_id), "name": "张德明"}
    tenant = {"id": str(world.tenant_id), "code": await tenant_code_of(world), "name": "源城区"}
    assert me["tenant"] == tenant
    assert me["memberships"] == [tenant]
    assert me["roles"] == []
    assert me["resident"]["id"] == str(world.zhang.resident_id)
    [household] = me["resident"]["households"]
    assert household["dwelling"] == "2单元502"
    assert (household["area"]["name"], household["area"]["level"]) == ("3栋", "building")


async def test_staff_see_their_roles_with_the_areas_names(world: World) -> None:
    me = (await world.dispatcher.get("/v1/me")).json()

    assert me["resident"] is None
    [role] = me["roles"]
    assert role["role"] == "dispatcher"
    assert role["area"]["id"] == str(world.areas["community"])
    assert role["area"]["name"] == "康乐路南社区"
    assert role["valid_to"] is None


async def test_only_roles_in_force_are_listed(world: World) -> None:
    now = clock.now()
    terms = [
        (Role.VOLUNTEER, now - timedelta(days=2), now - timedelta(days=1)),
        (Role.MEMBER, now + timedelta(days=1), None),
        (Role.GRID_WORKER, now - timedelta(days=1), now + timedelta(days=1)),
    ]
    for role, valid_from, valid_to in terms:
        await world.insert(
            "grants", id=new_id(), account_id=world.dispatcher.account_id, role=role,
            area_id=world.areas["compound"], valid_from=valid_from, valid_to=valid_to,
        )  # fmt: skip

    me = (await world.dispatcher.get("/v1/me")).json()

    assert [role["role"] for role in me["roles"]] == ["dispatcher", "grid_worker"]


async def test_other_tenants_are_listed_but_nothing_of_them_is_shown(world: World, other_world: World) -> None:
    account_id = world.dispatcher.account_id
    await other_world.insert("memberships", account_id=account_id)
    await other_world.insert(
        "grants", id=new_id(), account_id=account_id, role=Role.DISTRICT_ADMIN, area_id=other_world.areas["district"]
    )

    me = (await world.dispatcher.get("/v1/me")).json()

    codes = sorted([await tenant_code_of(world), await tenant_code_of(other_world)])
    assert [tenant["code"] for tenant in me["memberships"]] == codes
    assert [role["role"] for role in me["roles"]] == ["dispatcher"]


async def test_needs_a_sign_in(stranger: httpx2.AsyncClient) -> None:
    answer = await stranger.get("/v1/me")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.json()["detail"] == "请先登录。"
    english = await stranger.get("/v1/me", headers={"Accept-Language": "en"})
    assert english.json()["detail"] == "Please sign in first."
