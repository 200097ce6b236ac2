"""Signing out, here and everywhere."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.identity.conftest import Staff, as_user
from tests.world import World

PATH = "/v1/sign-out"


async def sign_in(stranger: httpx2.AsyncClient, clerk: Staff) -> dict[str, Any]:
    return dict((await stranger.post("/v1/sign-in/password", json=clerk.body())).json())


async def sign_out(world: World, signed_in: dict[str, Any], key: str = "out", **body: Any) -> httpx2.Response:
    async with as_user(world, signed_in) as client:
        return await client.post(PATH, json=body, headers={"Idempotency-Key": key})


async def can_go_on(world: World, signed_in: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the access token and the refresh token still work."""
    async with as_user(world, signed_in) as client:
        me = await client.get("/v1/me")
        body = {"refresh_token": signed_in["refresh_token"]}
        refreshed = await client.post("/v1/tokens/refresh", json=body, headers={"Idempotency-Key": "go-on"})
    return me.status_code == 200, refreshed.status_code == 200


async def test_ends_this_sign_in_at_once(world: World, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
    here, elsewhere = await sign_in(stranger, clerk), await sign_in(stranger, clerk)
    async with as_user(world, here) as client:
        assert (await client.get("/v1/me")).status_code == 200, "remembered by the service from here on"

    answer = await sign_out(world, here)

    assert (answer.status_code, answer.json()) == (200, {"ended_sessions": 1})
    assert await can_go_on(world, here) == (False, False)
    assert await can_go_on(world, elsewhere) == (True, True)


async def test_everywhere_ends_all_of_this_account(world: World, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
    sign_ins = [await sign_in(stranger, clerk) for _ in range(3)]

    answer = await sign_out(world, sign_ins[1], everywhere=True)

    assert answer.json() == {"ended_sessions": 4}, "three, and the one the test district made"
    for signed_in in sign_ins:
        assert await can_go_on(world, signed_in) == (False, False)
    assert (await world.zhang.get("/v1/me")).status_code == 200


async def test_repeated_it_answers_the_same(world: World, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
    signed_in = await sign_in(stranger, clerk)

    answers = [await sign_out(world, signed_in) for _ in range(3)]

    assert [answer.json() for answer in answers] == [{"ended_sessions": 1}] * 3
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true", "true"]
    other_body = await sign_out(world, signed_in, everywhere=True)
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")


async def test_an_ended_sign_in_can_end_no_other(world: World, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
    stolen, mine = await sign_in(stranger, clerk), await sign_in(stranger, clerk)
    await sign_out(world, stolen)

    answer = await sign_out(world, stolen, "again", everywhere=True)

    assert answer.json() == {"ended_sessions": 0}
    assert await can_go_on(world, mine) == (True, True)


async def test_other_processes_notice_as_soon_as_they_ask_again(
    world: World, identity: FastAPI, stranger: httpx2.AsyncClient, clerk: Staff
) -> None:
    signed_in = await sign_in(stranger, clerk)
    query = "UPDATE sessions SET ended_at = now() WHERE account_id = $1"  # as another process does it
    async with as_user(world, signed_in) as client:
        assert (await client.get("/v1/me")).status_code == 200
        await world.fetch(query, clerk.person.account_id)
        identity.state.identities.forget()  # what happens by itself after REMEMBERED_SECONDS
        assert (await client.get("/v1/me")).json()["code"] == "invalid_token"


@pytest.mark.parametrize("body", [{"everywhere": "yes please"}, {"everywhere": None}, {"all": True}])
async def test_refuses_what_does_not_fit(world: World, body: dict[str, Any]) -> None:
    assert (await world.zhang.post(PATH, body)).json()["code"] == "invalid_request"


async def test_is_for_who_is_signed_in(world: World, stranger: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "out"}

    assert (await stranger.post(PATH, json={}, headers=headers)).json()["code"] == "unauthenticated"
    forged = {**headers, "Authorization": f"Bearer {world.zhang.token}x"}
    assert (await stranger.post(PATH, json={}, headers=forged)).json()["code"] == "invalid_token"
    without_key = await world.zhang.client.post(PATH, json={})
    assert (without_key.status_code, without_key.json()["code"]) == (400, "idempotency_key_missing")
