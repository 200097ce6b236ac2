"""A signed-in person changes their own password."""

import asyncio
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx2
import pytest

from services.chassis import clock
from services.chassis.database import tenant_statement
from services.chassis.settings import Settings
from services.identity.sign_in.passwords import FAILURES_UNTIL_LOCK
from tests.identity.conftest import PASSWORD, Staff
from tests.migrations.catalog import connected
from tests.world import Person, World

PATH = "/v1/accounts/me/password"
SIGN_IN = "/v1/sign-in/password"
NEW = "Another-one-2026"


def change(old: str = PASSWORD, new: str = NEW) -> dict[str, Any]:
    return {"old_password": old, "new_password": new}


async def failures(world: World, staff: Staff) -> int:
    query = "SELECT failed_attempts FROM password_credentials WHERE username = $1"
    return int(await world.fetch_value(query, staff.username))


async def test_the_new_one_opens_the_old_one_does_not(stranger: httpx2.AsyncClient, clerk: Staff) -> None:
    answer = await clerk.person.post(PATH, change())

    assert (answer.status_code, answer.json()) == (200, {"ended_sessions": 0})
    assert (await stranger.post(SIGN_IN, json=clerk.body())).status_code == 401
    assert (await stranger.post(SIGN_IN, json=clerk.body(NEW))).status_code == 200


async def test_every_other_sign_in_ends_and_this_one_goes_on(
    world: World, stranger: httpx2.AsyncClient, clerk: Staff
) -> None:
    other: Person = await world.new_session(clerk.person)
    signed_in = (await stranger.post(SIGN_IN, json=clerk.body())).json()

    assert (await clerk.person.post(PATH, change())).json() == {"ended_sessions": 2}

    assert (await clerk.person.get("/v1/me")).status_code == 200
    assert (await other.get("/v1/me")).json()["code"] == "invalid_token"
    refreshed = await stranger.post(
        "/v1/tokens/refresh", json={"refresh_token": signed_in["refresh_token"]}, headers={"Idempotency-Key": "1"}
    )
    assert refreshed.json()["code"] == "session_ended"


async def test_leaves_a_trail_without_a_word_of_it(world: World, clerk: Staff) -> None:
    await clerk.person.post(PATH, change())

    [event] = await world.fetch("SELECT * FROM identity_events WHERE account_id = $1", clerk.person.account_id)
    assert (event["kind"], event["actor_id"], event["reason"]) == ("password_changed", clerk.person.account_id, None)
    hashes = [row["password_hash"] for row in await world.fetch("SELECT password_hash FROM password_credentials")]
    assert NEW not in "".join(hashes)


async def test_a_wrong_old_one_is_counted_and_locks_also_the_sign_in(
    world: World, stranger: httpx2.AsyncClient, clerk: Staff
) -> None:
    for number in range(1, FAILURES_UNTIL_LOCK + 1):
        answer = await clerk.person.post(PATH, change("wrong"))
        assert (answer.status_code, answer.json()["code"]) == (403, "old_password_wrong")
        assert await failures(world, clerk) == number

    assert (await clerk.person.post(PATH, change())).json()["code"] == "old_password_wrong"
    assert (await stranger.post(SIGN_IN, json=clerk.body())).status_code == 401
    with clock.shifted(timedelta(minutes=15, seconds=5)):
        assert (await clerk.person.post(PATH, change())).status_code == 200


async def test_of_many_guesses_at_once_five_learn_something(world: World, clerk: Staff) -> None:
    guesses = [change(f"wrong-{number}") for number in range(10)] + [change()]

    answers = [await asyncio.gather(*(clerk.person.post(PATH, guess) for guess in guesses[:10]))]
    answers.append([await clerk.person.post(PATH, guesses[-1])])

    assert {answer.status_code for each in answers for answer in each} == {403}
    assert await failures(world, clerk) == FAILURES_UNTIL_LOCK


async def test_the_same_request_twice_is_one_change_and_one_guess(world: World, clerk: Staff) -> None:
    for _ in range(2):
        assert (await clerk.person.post(PATH, change("wrong"), key="guess")).status_code == 403
    assert await failures(world, clerk) == 1

    answers = [await clerk.person.post(PATH, change(), key="change") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert (await clerk.person.post(PATH, change(new="Something-else-1"), key="change")).status_code == 422


async def test_nothing_stored_lets_passwords_be_tried_out(world: World, clerk: Staff, settings: Settings) -> None:
    """A plain hash of the request would: what is kept needs the refresh secret."""
    body = json.dumps(change()).encode()
    headers = {"Idempotency-Key": "mine", "Content-Type": "application/json"}
    assert (await clerk.person.client.post(PATH, content=body, headers=headers)).status_code == 200

    async with connected(settings.database_url, "linli_identity") as identity, identity.transaction():
        await identity.execute(tenant_statement(world.tenant_id))
        kept = await identity.fetchval("SELECT request_hash FROM idempotency_keys WHERE key = 'mine'")
    assert len(kept) == 32
    assert kept != sha256(f"POST {PATH}?\n".encode() + body).digest()


@pytest.mark.parametrize(
    ("new", "code"),
    [("short", "password_too_weak"), ("linli-linli-2026", "password_too_weak"), (PASSWORD, "password_unchanged")],
)
async def test_not_every_password_will_do(clerk: Staff, new: str, code: str) -> None:
    answer = await clerk.person.post(PATH, change(new=new))

    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_who_signs_in_with_wechat_has_none(world: World) -> None:
    answer = await world.zhang.post(PATH, change())

    assert (answer.status_code, answer.json()["code"]) == (409, "no_password")


@pytest.mark.parametrize("body", [{}, {"old_password": "x"}, {**change(), "username": "x"}, change(new="x" * 257)])
async def test_refuses_what_does_not_fit(clerk: Staff, body: dict[str, Any]) -> None:
    answer = await clerk.person.post(PATH, body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert PASSWORD not in answer.text


async def test_needs_a_sign_in_and_a_key(stranger: httpx2.AsyncClient, clerk: Staff) -> None:
    assert (await stranger.post(PATH, json=change())).status_code == 401
    assert (await clerk.person.client.post(PATH, json=change())).json()["code"] == "idempotency_key_missing"
