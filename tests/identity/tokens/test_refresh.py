"""Refresh tokens rotate; an old one ends the sign-in; a broken connection does not."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.chassis import clock
from services.chassis.schemas import new_id
from services.identity.tokens.refresh_tokens import RefreshSecret, RefreshToken
from tests.identity.conftest import Staff, as_user
from tests.world import World

PATH = "/v1/tokens/refresh"


@pytest.fixture
async def signed_in(stranger: httpx2.AsyncClient, clerk: Staff) -> dict[str, Any]:
    return dict((await stranger.post("/v1/sign-in/password", json=clerk.body())).json())


async def refresh(stranger: httpx2.AsyncClient, token: str, key: str) -> httpx2.Response:
    return await stranger.post(PATH, json={"refresh_token": token}, headers={"Idempotency-Key": key})


async def rotated(stranger: httpx2.AsyncClient, token: str, key: str) -> str:
    answer = await refresh(stranger, token, key)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])


async def refusal(stranger: httpx2.AsyncClient, token: str, key: str) -> tuple[int, str]:
    answer = await refresh(stranger, token, key)
    return answer.status_code, answer.json().get("code")


class TestRotation:
    async def test_gives_the_next_pair(
        self, world: World, stranger: httpx2.AsyncClient, signed_in: dict[str, Any], clerk: Staff
    ) -> None:
        answer = await refresh(stranger, signed_in["refresh_token"], "1")

        assert answer.status_code == 200
        pair = answer.json()
        assert (pair["token_type"], pair["expires_in"], pair["refresh_expires_in"]) == ("Bearer", 900, 2_592_000)
        assert pair["refresh_token"] != signed_in["refresh_token"]
        async with as_user(world, pair) as client:
            assert (await client.get("/v1/me")).json()["account"]["id"] == str(clerk.person.account_id)

    async def test_goes_on_and_on(self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]) -> None:
        tokens = [signed_in["refresh_token"]]
        for n in range(5):
            tokens.append(await rotated(stranger, tokens[-1], f"key-{n}"))

        assert len(set(tokens)) == 6

    async def test_puts_off_the_end_by_thirty_days_but_not_beyond_half_a_year(
        self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        token = signed_in["refresh_token"]
        for day in range(25, 180, 25):
            with clock.shifted(timedelta(days=day)):
                token = await rotated(stranger, token, f"day-{day}")
        with clock.shifted(timedelta(days=181)):
            assert await refusal(stranger, token, "too-late") == (401, "session_ended")

    async def test_ends_when_unused_for_thirty_days(
        self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        with clock.shifted(timedelta(days=30, minutes=1)):
            assert await refusal(stranger, signed_in["refresh_token"], "1") == (401, "session_ended")


class TestReuse:
    async def test_ends_the_sign_in_for_whoever_holds_a_token(
        self, world: World, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        newest = await rotated(stranger, signed_in["refresh_token"], "1")

        assert await refusal(stranger, signed_in["refresh_token"], "2") == (401, "refresh_token_reused")
        assert await refusal(stranger, newest, "3") == (401, "session_ended")
        sessions = await world.fetch("SELECT end_reason FROM sessions WHERE generation = 1 AND ended_at IS NOT NULL"
                                     " AND tenant_id = $1", world.tenant_id)  # fmt: skip
        assert [row["end_reason"] for row in sessions] == ["refresh_token_reused"]

    async def test_leaves_the_other_sign_ins_alone(
        self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any], clerk: Staff
    ) -> None:
        elsewhere = (await stranger.post("/v1/sign-in/password", json=clerk.body())).json()
        await rotated(stranger, signed_in["refresh_token"], "1")
        await refresh(stranger, signed_in["refresh_token"], "2")

        assert (await refresh(stranger, elsewhere["refresh_token"], "1")).status_code == 200

    async def test_is_told_again_when_asked_again(
        self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        await rotated(stranger, signed_in["refresh_token"], "1")

        refusals = [await refusal(stranger, signed_in["refresh_token"], "2") for _ in range(2)]
        assert refusals == [(401, "refresh_token_reused")] * 2

    async def test_of_ten_at_once_one_wins(self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]) -> None:
        token = signed_in["refresh_token"]
        answers = await asyncio.gather(*(refresh(stranger, token, f"phone-{n}") for n in range(10)))

        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


class TestRepeat:
    async def test_after_a_broken_connection_gets_the_same_token(
        self, world: World, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        first = await refresh(stranger, signed_in["refresh_token"], "1")
        again = await refresh(stranger, signed_in["refresh_token"], "1")

        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json()["refresh_token"] == first.json()["refresh_token"]
        async with as_user(world, again.json()) as client:
            assert (await client.get("/v1/me")).status_code == 200
        assert (await refresh(stranger, again.json()["refresh_token"], "2")).status_code == 200

    async def test_ten_times_at_once_is_one_rotation(
        self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        token = signed_in["refresh_token"]
        answers = await asyncio.gather(*(refresh(stranger, token, "1") for _ in range(10)))

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1

    async def test_is_a_reuse_once_the_successor_was_used(
        self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        second = await rotated(stranger, signed_in["refresh_token"], "1")
        await rotated(stranger, second, "2")

        assert await refusal(stranger, signed_in["refresh_token"], "1") == (401, "refresh_token_reused")

    async def test_does_not_revive_an_ended_sign_in(
        self, world: World, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        await rotated(stranger, signed_in["refresh_token"], "1")
        async with as_user(world, signed_in) as client:
            await client.post("/v1/sign-out", json={}, headers={"Idempotency-Key": "out"})

        assert await refusal(stranger, signed_in["refresh_token"], "1") == (401, "session_ended")

    async def test_a_key_belongs_to_one_rotation(self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]) -> None:
        second = await rotated(stranger, signed_in["refresh_token"], "1")

        assert await refusal(stranger, second, "1") == (422, "idempotency_key_reused")
        assert (await refresh(stranger, second, "2")).status_code == 200


class TestRefusal:
    async def test_needs_a_key(self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]) -> None:
        answer = await stranger.post(PATH, json={"refresh_token": signed_in["refresh_token"]})

        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")

    @pytest.mark.parametrize("token", ["x", "=", "A" * 75, "A" * 76, "令牌", "eyJhbGciOiJFZERTQSJ9.e30.c2ln"])
    async def test_of_anything_else(self, stranger: httpx2.AsyncClient, token: str) -> None:
        assert await refusal(stranger, token, "1") == (401, "refresh_token_invalid")

    @pytest.mark.parametrize("body", [{}, {"refresh_token": ""}, {"refresh_token": None}, {"refresh_token": "x" * 201}])
    async def test_of_what_does_not_fit(self, stranger: httpx2.AsyncClient, body: dict[str, Any]) -> None:
        answer = await stranger.post(PATH, json=body, headers={"Idempotency-Key": "1"})

        assert answer.json()["code"] == "invalid_request"

    async def test_of_every_token_with_a_changed_character(
        self, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        token = signed_in["refresh_token"]
        for place in range(0, len(token) - 1, 7):
            other = "A" if token[place] != "A" else "B"
            changed = token[:place] + other + token[place + 1 :]
            assert await refusal(stranger, changed, "1") == (401, "refresh_token_invalid")

    async def test_of_a_session_there_never_was(self, world: World, stranger: httpx2.AsyncClient) -> None:
        token = RefreshSecret(world.settings.refresh_secret.get_secret_value()).write(RefreshToken(new_id(), 0))

        assert await refusal(stranger, token, "1") == (401, "session_ended")

    async def test_of_a_generation_there_never_was(
        self, world: World, stranger: httpx2.AsyncClient, signed_in: dict[str, Any]
    ) -> None:
        """As after restoring an older backup."""
        secret = RefreshSecret(world.settings.refresh_secret.get_secret_value())
        session_id = secret.read(signed_in["refresh_token"]).session_id

        assert await refusal(stranger, secret.write(RefreshToken(session_id, 7)), "1") == (401, "session_ended")

    @pytest.mark.parametrize(
        "query",
        [
            "UPDATE accounts SET suspended_at = now() WHERE id = $1",
            "UPDATE memberships SET ended_at = now() WHERE account_id = $1",
        ],
    )
    async def test_of_somebody_who_may_not_be_here_any_more(
        self, world: World, stranger: httpx2.AsyncClient, signed_in: dict[str, Any], query: str
    ) -> None:
        await world.fetch(query, UUID(signed_in["account"]["id"]))

        assert await refusal(stranger, signed_in["refresh_token"], "1") == (401, "session_ended")


def test_a_token_of_another_secret_is_none_of_ours() -> None:
    secrets = [RefreshSecret(f"secret-number-{n}-0123456789abcdef") for n in range(2)]
    token = RefreshToken(new_id(), 3)

    assert secrets[0].read(secrets[0].write(token)) == token
    assert secrets[0].write(token) != secrets[1].write(token)
