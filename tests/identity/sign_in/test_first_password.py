"""A first password opens nothing but the choice of one's own."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from services.chassis import clock
from services.chassis.schemas import new_id
from services.identity.sign_in import first_passwords
from services.identity.sign_in.passwords import FAILURES_UNTIL_LOCK
from tests.identity.conftest import PASSWORD, Staff
from tests.world import World

PATH = "/v1/sign-in/password"
OWN = "Mine-alone-2026"


@pytest.fixture
async def newcomer(world: World, clerk: Staff) -> Staff:
    """A clerk whose `PASSWORD` somebody else has chosen."""
    until = clock.now() + timedelta(days=7)
    query = "UPDATE password_credentials SET first_until = $2 WHERE account_id = $1"
    await world.fetch(query, clerk.person.account_id, until)
    return clerk


async def sessions(world: World, staff: Staff) -> int:
    query = "SELECT count(*) FROM sessions WHERE account_id = $1 AND method = 'password' AND ended_at IS NULL"
    return int(await world.fetch_value(query, staff.person.account_id))


async def test_alone_it_opens_nothing(world: World, stranger: httpx2.AsyncClient, newcomer: Staff) -> None:
    answer = await stranger.post(PATH, json=newcomer.body())

    assert (answer.status_code, answer.json()["code"]) == (403, "password_change_needed")
    assert await sessions(world, newcomer) == 0


async def test_with_a_password_of_ones_own_it_opens_and_is_replaced(
    world: World, stranger: httpx2.AsyncClient, newcomer: Staff
) -> None:
    answer = await stranger.post(PATH, json=newcomer.body(new_password=OWN))

    assert answer.status_code == 200, answer.text
    assert (await stranger.post(PATH, json=newcomer.body())).json()["code"] == "credentials_invalid"
    assert (await stranger.post(PATH, json=newcomer.body(OWN))).status_code == 200
    [event] = await world.fetch("SELECT * FROM identity_events WHERE account_id = $1", newcomer.person.account_id)
    assert (event["kind"], event["actor_id"]) == ("password_changed", newcomer.person.account_id)


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ("short", "password_too_weak"),
        ("aaaabbbbcccc", "password_too_weak"),
        ("Linli-demo-2026", "password_too_weak"),
        (PASSWORD, "password_unchanged"),
    ],
)
async def test_not_every_password_will_do(
    world: World, stranger: httpx2.AsyncClient, newcomer: Staff, own: str, code: str
) -> None:
    answer = await stranger.post(PATH, json=newcomer.body(new_password=own))

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await sessions(world, newcomer) == 0


async def test_nor_one_that_contains_the_user_name(stranger: httpx2.AsyncClient, newcomer: Staff) -> None:
    answer = await stranger.post(PATH, json=newcomer.body(new_password=f"my-{newcomer.username.upper()}"))

    assert answer.json()["code"] == "password_too_weak"


async def test_it_expires(stranger: httpx2.AsyncClient, newcomer: Staff) -> None:
    with clock.shifted(timedelta(days=7, seconds=1)):
        answer = await stranger.post(PATH, json=newcomer.body(new_password=OWN))
        wrong = await stranger.post(PATH, json=newcomer.body("wrong", new_password=OWN))

    assert (answer.status_code, answer.json()["code"]) == (403, "first_password_expired")
    assert wrong.json()["code"] == "credentials_invalid"


async def test_a_password_of_ones_own_is_not_replaced_at_the_sign_in(
    stranger: httpx2.AsyncClient, clerk: Staff
) -> None:
    answer = await stranger.post(PATH, json=clerk.body(new_password=OWN))

    assert (answer.status_code, answer.json()["code"]) == (409, "password_not_first")
    assert (await stranger.post(PATH, json=clerk.body())).status_code == 200


async def test_guessing_it_locks(stranger: httpx2.AsyncClient, newcomer: Staff) -> None:
    for _ in range(FAILURES_UNTIL_LOCK):
        await stranger.post(PATH, json=newcomer.body("wrong", new_password=OWN))

    answer = await stranger.post(PATH, json=newcomer.body(new_password=OWN))

    assert (answer.status_code, answer.json()["code"]) == (401, "credentials_invalid")


async def test_a_tenant_that_cannot_be_entered_leaves_the_first_password(
    stranger: httpx2.AsyncClient, newcomer: Staff
) -> None:
    answer = await stranger.post(PATH, json=newcomer.body(new_password=OWN, tenant_code="999999"))

    assert answer.json()["code"] == "tenant_unknown"
    assert (await stranger.post(PATH, json=newcomer.body(new_password=OWN))).status_code == 200


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_same_request_twice_finds_the_same_sign_in(
    world: World, stranger: httpx2.AsyncClient, newcomer: Staff, at_once: bool
) -> None:
    headers = {"Idempotency-Key": str(new_id())}
    body = newcomer.body(new_password=OWN)
    if at_once:
        answers = await asyncio.gather(*(stranger.post(PATH, json=body, headers=headers) for _ in range(3)))
    else:
        answers = [await stranger.post(PATH, json=body, headers=headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3, [answer.text for answer in answers]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert await sessions(world, newcomer) == 1


async def test_of_two_who_have_it_one_gets_in(world: World, stranger: httpx2.AsyncClient, newcomer: Staff) -> None:
    bodies = [newcomer.body(new_password=f"Mine-alone-202{number}") for number in range(4)]

    answers = await asyncio.gather(*(stranger.post(PATH, json=body) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert await sessions(world, newcomer) == 1


async def test_a_password_changed_after_it_was_judged_opens_nothing(
    world: World, stranger: httpx2.AsyncClient, clerk: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever resets a password also keeps out who was just signing in with the old one."""
    whole = first_passwords.hash_of_own

    async def reset_meanwhile(*arguments: Any) -> str | None:
        query = "UPDATE password_credentials SET password_hash = 'another' WHERE account_id = $1"
        await world.fetch(query, clerk.person.account_id)
        return await whole(*arguments)

    monkeypatch.setattr("services.identity.sign_in.actions.hash_of_own", reset_meanwhile)
    answer = await stranger.post(PATH, json=clerk.body())

    assert (answer.status_code, answer.json()["code"]) == (401, "credentials_invalid")
    assert await sessions(world, clerk) == 0
