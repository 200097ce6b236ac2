"""Staff sign in with user name and password."""

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher

from models.identity import PasswordCredential
from services.chassis import clock
from services.identity.sign_in import passwords
from services.identity.sign_in.passwords import FAILURES_UNTIL_LOCK, Passwords
from services.identity.tokens.refresh_tokens import RefreshSecret
from tests.identity.conftest import PASSWORD, Staff, add_staff, as_user, tenant_code_of
from tests.world import World

PATH = "/v1/sign-in/password"


async def failures(world: World, staff: Staff) -> int:
    query = "SELECT failed_attempts FROM password_credentials WHERE username = $1"
    return int(await world.fetch_value(query, staff.username))


async def fail(client: httpx2.AsyncClient, staff: Staff, times: int) -> None:
    for _ in range(times):
        assert (await client.post(PATH, json=staff.body("wrong"))).status_code == 401


class TestSignIn:
    async def test_answers_with_tokens_account_and_tenant(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        answer = await stranger.post(PATH, json=clerk.body())

        assert answer.status_code == 200, answer.text
        body = answer.json()
        tenant = {"id": str(world.tenant_id), "code": await tenant_code_of(world), "name": "源城区"}
        assert body["account"] == {"id": str(clerk.person.account_id), "name": "李晓燕"}
        assert body["tenant"] == tenant
        assert body["memberships"] == [tenant]
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
        assert timedelta(seconds=body["refresh_expires_in"]) == pytest.approx(
            timedelta(days=30), abs=timedelta(seconds=5)
        )
        async with as_user(world, body) as client:
            assert (await client.get("/v1/me")).json()["account"]["id"] == str(clerk.person.account_id)

    async def test_the_access_token_lives_a_quarter_of_an_hour(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        body = (await stranger.post(PATH, json=clerk.body())).json()

        async with as_user(world, body) as client:
            with clock.shifted(timedelta(minutes=14)):
                assert (await client.get("/v1/me")).status_code == 200
            with clock.shifted(timedelta(minutes=15, seconds=1)):
                assert (await client.get("/v1/me")).json()["code"] == "invalid_token"

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"username": "somebody"},
            {"username": "somebody", "password": ""},
            {"username": "somebody", "password": "x" * 257},
            {"username": "", "password": "x"},
            {"username": "a\u0000b", "password": "x"},
            {"username": "a\ud800b", "password": "x"},
            {"username": "somebody", "password": "\ud800"},
            {"username": ["somebody"], "password": "x"},
            {"username": None, "password": None},
            {"username": "somebody", "password": "x", "tenant_code": "４４１６０２"},
            {"username": "somebody", "password": "x", "role": "district_admin"},
        ],
    )
    async def test_refuses_what_does_not_fit(self, stranger: httpx2.AsyncClient, body: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await stranger.post(PATH, content=json.dumps(body), headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

    async def test_a_password_is_taken_to_the_letter(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        assert (await stranger.post(PATH, json=clerk.body(f" {PASSWORD}"))).status_code == 401
        assert (await stranger.post(PATH, json=clerk.body(PASSWORD.lower()))).status_code == 401

    async def test_a_suspended_account_stays_out(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        await world.fetch("UPDATE accounts SET suspended_at = now() WHERE id = $1", clerk.person.account_id)

        assert (await stranger.post(PATH, json=clerk.body())).json()["code"] == "account_suspended"
        assert (await stranger.post(PATH, json=clerk.body("wrong"))).json()["code"] == "credentials_invalid"

    async def test_hashes_again_when_the_parameters_changed(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        outdated = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        query = "UPDATE password_credentials SET password_hash = $1 WHERE username = $2"
        await world.fetch(query, outdated, clerk.username)

        assert (await stranger.post(PATH, json=clerk.body())).status_code == 200

        stored = await world.fetch_value(
            "SELECT password_hash FROM password_credentials WHERE username = $1", clerk.username
        )
        assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert (await stranger.post(PATH, json=clerk.body())).status_code == 200

    async def test_an_unreadable_hash_matches_nothing(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        query = "UPDATE password_credentials SET password_hash = $1 WHERE username = $2"
        await world.fetch(query, PASSWORD, clerk.username)

        assert (await stranger.post(PATH, json=clerk.body())).status_code == 401


class TestSecrecy:
    async def test_unknown_user_wrong_password_and_locked_account_get_one_answer(
        self, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        wrong = await stranger.post(PATH, json=clerk.body("wrong"))
        unknown = await stranger.post(PATH, json={"username": "nobody", "password": PASSWORD})
        await fail(stranger, clerk, FAILURES_UNTIL_LOCK)
        locked = await stranger.post(PATH, json=clerk.body())

        answers = [answer.json() for answer in (wrong, unknown, locked)]
        for answer in answers:
            del answer["request_id"]
        assert answers[0] == answers[1] == answers[2]
        assert answers[0]["code"] == "credentials_invalid"

    async def test_the_same_work_is_done_for_all_of_them(
        self, stranger: httpx2.AsyncClient, clerk: Staff, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parameters: list[str] = []
        verify = PasswordHasher.verify

        def counting(self: PasswordHasher, hash: str, password: str) -> bool:
            parameters.append(hash.rsplit("$", 2)[0])
            return verify(self, hash, password)

        monkeypatch.setattr(PasswordHasher, "verify", counting)
        await fail(stranger, clerk, FAILURES_UNTIL_LOCK)
        await stranger.post(PATH, json=clerk.body())
        await stranger.post(PATH, json={"username": "nobody", "password": PASSWORD})

        assert parameters == ["$argon2id$v=19$m=65536,t=3,p=4"] * (FAILURES_UNTIL_LOCK + 2)

    async def test_no_refusal_leaves_early(
        self, stranger: httpx2.AsyncClient, clerk: Staff, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(passwords, "REFUSED_AFTER_SECONDS", 0.4)
        for body in (clerk.body("wrong"), {"username": "nobody", "password": PASSWORD}):
            started = time.monotonic()
            await stranger.post(PATH, json=body)
            assert time.monotonic() - started >= 0.4

    async def test_logs_and_refusals_show_neither_user_nor_password(
        self, stranger: httpx2.AsyncClient, clerk: Staff, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("DEBUG"):
            refused = await stranger.post(PATH, json=clerk.body("my-own-secret"))
            await stranger.post(PATH, json=clerk.body())
            misfit = await stranger.post(PATH, json=clerk.body("my-own-secret" * 30))

        for text in (caplog.text, refused.text, misfit.text):
            assert clerk.username not in text
            assert "my-own-secret" not in text
            assert PASSWORD not in text


class TestLock:
    async def test_five_failures_lock_for_a_quarter_of_an_hour(
        self, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        await fail(stranger, clerk, FAILURES_UNTIL_LOCK)

        assert (await stranger.post(PATH, json=clerk.body())).status_code == 401
        with clock.shifted(timedelta(minutes=14, seconds=55)):
            assert (await stranger.post(PATH, json=clerk.body())).status_code == 401
        with clock.shifted(timedelta(minutes=15, seconds=5)):
            assert (await stranger.post(PATH, json=clerk.body())).status_code == 200

    async def test_a_success_before_wipes_the_slate_clean(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        await fail(stranger, clerk, FAILURES_UNTIL_LOCK - 1)
        assert (await stranger.post(PATH, json=clerk.body())).status_code == 200
        assert await failures(world, clerk) == 0
        await fail(stranger, clerk, FAILURES_UNTIL_LOCK - 1)
        assert (await stranger.post(PATH, json=clerk.body())).status_code == 200

    async def test_locks_grow_twice_as_long_each_time(self, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
        await fail(stranger, clerk, FAILURES_UNTIL_LOCK)
        with clock.shifted(timedelta(minutes=16)):
            await fail(stranger, clerk, FAILURES_UNTIL_LOCK)
        with clock.shifted(timedelta(minutes=45)):
            assert (await stranger.post(PATH, json=clerk.body())).status_code == 401
        with clock.shifted(timedelta(minutes=47)):
            assert (await stranger.post(PATH, json=clerk.body())).status_code == 200

    def test_no_lock_is_longer_than_eight_hours(self) -> None:
        now = clock.now()
        locks = [passwords._lock_after(failures, now) for failures in (4, 5, 6, 10, 30, 35, 5_000_000)]
        hours = [None if lock is None else (lock - now) / timedelta(hours=1) for lock in locks]
        assert hours == [None, 0.25, None, 0.5, 8, 8, 8]

    async def test_attempts_while_locked_do_not_count(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        await fail(stranger, clerk, FAILURES_UNTIL_LOCK + 2)

        assert await failures(world, clerk) == FAILURES_UNTIL_LOCK

    async def test_of_many_guesses_at_once_five_are_judged(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        judged: list[bool] = []
        record = Passwords._record

        async def counting(self: Passwords, credential: PasswordCredential, password: str, *, is_right: bool) -> None:
            judged.append(is_right)
            await record(self, credential, password, is_right=is_right)

        monkeypatch.setattr(Passwords, "_record", counting)
        guesses = [stranger.post(PATH, json=clerk.body(f"guess-{n}")) for n in range(20)]
        answers = await asyncio.gather(*guesses)

        assert [answer.status_code for answer in answers] == [401] * 20
        assert judged == [False] * FAILURES_UNTIL_LOCK
        assert await failures(world, clerk) == FAILURES_UNTIL_LOCK
        assert (await stranger.post(PATH, json=clerk.body())).status_code == 401

    async def test_twenty_right_sign_ins_at_once_all_succeed(self, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
        answers = await asyncio.gather(*(stranger.post(PATH, json=clerk.body()) for _ in range(20)))

        assert [answer.status_code for answer in answers] == [200] * 20

    async def test_one_account_locked_leaves_the_others_alone(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff, password_hash: str
    ) -> None:
        colleague = await add_staff(world, password_hash)
        await fail(stranger, clerk, FAILURES_UNTIL_LOCK)

        assert (await stranger.post(PATH, json=colleague.body())).status_code == 200


async def test_more_than_can_wait_are_asked_to_come_again(
    stranger: httpx2.AsyncClient, clerk: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "WAITING", 3)

    answers = await asyncio.gather(*(stranger.post(PATH, json=clerk.body()) for _ in range(8)))

    assert sorted({answer.status_code for answer in answers}) == [200, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("too_many_sign_ins", "2")
    assert (await stranger.post(PATH, json=clerk.body())).status_code == 200


class TestTenantChoice:
    async def join(self, staff: Staff, world: World) -> None:
        await world.insert("memberships", account_id=staff.person.account_id)

    async def test_who_belongs_to_two_has_to_choose(
        self, world: World, other_world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        await self.join(clerk, other_world)
        codes = sorted([await tenant_code_of(world), await tenant_code_of(other_world)])

        answer = await stranger.post(PATH, json=clerk.body())

        assert (answer.status_code, answer.json()["code"]) == (409, "tenant_choice_needed")
        assert [tenant["code"] for tenant in answer.json()["tenants"]] == codes
        for code in codes:
            chosen = (await stranger.post(PATH, json=clerk.body(tenant_code=code))).json()
            assert chosen["tenant"]["code"] == code
            assert [tenant["code"] for tenant in chosen["memberships"]] == codes

    async def test_a_choice_to_make_is_no_failure(
        self, world: World, other_world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        await self.join(clerk, other_world)
        await fail(stranger, clerk, 1)

        assert (await stranger.post(PATH, json=clerk.body())).status_code == 409
        assert await failures(world, clerk) == 0

    async def test_nobody_enters_a_tenant_they_do_not_belong_to(
        self, other_world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        elsewhere = clerk.body(tenant_code=await tenant_code_of(other_world))

        assert (await stranger.post(PATH, json=elsewhere)).json()["code"] == "not_a_member"
        assert (await stranger.post(PATH, json=clerk.body(tenant_code="999999"))).json()["code"] == "tenant_unknown"

    async def test_an_ended_membership_is_none(self, world: World, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
        query = "UPDATE memberships SET ended_at = now() WHERE account_id = $1"
        await world.fetch(query, clerk.person.account_id)

        assert (await stranger.post(PATH, json=clerk.body())).json()["code"] == "not_a_member"


class TestRepeat:
    async def sessions(self, world: World, staff: Staff) -> int:
        query = "SELECT count(*) FROM sessions WHERE account_id = $1 AND method = 'password'"
        return int(await world.fetch_value(query, staff.person.account_id))

    async def test_the_same_request_again_finds_its_session(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        headers = {"Idempotency-Key": "morning-shift"}
        first, again = [(await stranger.post(PATH, json=clerk.body(), headers=headers)).json() for _ in range(2)]

        assert again["refresh_token"] == first["refresh_token"]
        assert await self.sessions(world, clerk) == 1

    async def test_sent_ten_times_at_once_it_opens_one_session(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        headers = {"Idempotency-Key": "morning-shift"}
        sending = (stranger.post(PATH, json=clerk.body(), headers=headers) for _ in range(10))
        answers = await asyncio.gather(*sending)

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        assert await self.sessions(world, clerk) == 1

    async def test_another_key_or_none_opens_another_session(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        for headers in ({"Idempotency-Key": "one"}, {"Idempotency-Key": "two"}, {}, {}):
            await stranger.post(PATH, json=clerk.body(), headers=headers)

        assert await self.sessions(world, clerk) == 4

    async def test_a_key_opens_nothing_without_the_password(self, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
        headers = {"Idempotency-Key": "morning-shift"}
        await stranger.post(PATH, json=clerk.body(), headers=headers)

        assert (await stranger.post(PATH, json=clerk.body("wrong"), headers=headers)).status_code == 401

    async def test_ends_with_the_session_its_rotation_and_ten_minutes(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        async def again(key: str) -> tuple[int, str | None]:
            answer = await stranger.post(PATH, json=clerk.body(), headers={"Idempotency-Key": key})
            return answer.status_code, answer.json().get("code")

        signed_in = [
            (await stranger.post(PATH, json=clerk.body(), headers={"Idempotency-Key": key})).json()
            for key in ("ended", "rotated", "old")
        ]
        async with as_user(world, signed_in[0]) as client:
            await client.post("/v1/sign-out", json={}, headers={"Idempotency-Key": "out"})
        refresh = {"refresh_token": signed_in[1]["refresh_token"]}
        await stranger.post("/v1/tokens/refresh", json=refresh, headers={"Idempotency-Key": "next"})

        used_up = (409, "sign_in_used_up")
        assert await again("ended") == used_up
        assert await again("rotated") == used_up
        assert await again("old") == (200, None)
        with clock.shifted(timedelta(minutes=10, seconds=1)):
            assert await again("old") == used_up

    @pytest.mark.parametrize("key", ["", "x" * 65, "早班", "two words"])
    async def test_refuses_a_key_that_is_none(self, stranger: httpx2.AsyncClient, clerk: Staff, key: str) -> None:
        answer = await stranger.post(PATH, json=clerk.body(), headers=[(b"Idempotency-Key", key.encode())])

        assert answer.json()["code"] == "idempotency_key_missing"

    async def test_the_database_holds_nothing_to_guess_a_password_by(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        """The mark of the request is keyed: with the secret of another deployment it is another one."""
        await stranger.post(PATH, json=clerk.body(), headers={"Idempotency-Key": "morning-shift"})
        query = "SELECT sign_in_request FROM sessions WHERE account_id = $1 AND method = 'password'"
        stored = await world.fetch_value(query, clerk.person.account_id)

        parts = (PATH.encode(), b"morning-shift", httpx2.Request("POST", "/", json=clerk.body()).content)
        own = RefreshSecret(world.settings.refresh_secret.get_secret_value())
        assert stored == own.mark(*parts)
        assert stored != RefreshSecret("another-deployment-0123456789abcdef").mark(*parts)
