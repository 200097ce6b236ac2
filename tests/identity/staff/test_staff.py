"""Administrators keep the accounts of whom they could give every role."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.schemas import new_id
from services.identity.sign_in.passwords import FAILURES_UNTIL_LOCK
from services.identity.tokens.actions import EndReason
from tests.identity.conftest import PASSWORD, FakeWechat, Staff, add_staff, tenant_code_of
from tests.world import Person, World

PATH = "/v1/accounts"
SIGN_IN = "/v1/sign-in/password"
FIRST = "Once-only-2026"
OWN = "Mine-alone-2026"


def opening(world: World, role: str = "dispatcher", area: str = "community", **more: Any) -> dict[str, Any]:
    return {
        "name": "李晓燕",
        "username": f"li.{new_id()}",
        "first_password": FIRST,
        "role": role,
        "area_id": str(world.areas[area]),
        **more,
    }


async def events(world: World, account_id: UUID | str) -> list[tuple[str, UUID, str | None]]:
    query = "SELECT kind, actor_id, reason FROM identity_events WHERE account_id = $1 ORDER BY id"
    return [tuple(row) for row in await world.fetch(query, UUID(str(account_id)))]


def path_of(person: Person, action: str) -> str:
    return f"{PATH}/{person.account_id}/{action}"


def reset(**more: Any) -> dict[str, Any]:
    return {"first_password": FIRST, "reason": "忘记密码", **more}


REASON = {"reason": "借调外单位"}
ACTIONS: dict[str, dict[str, Any]] = {"reset-password": reset(), "suspend": REASON, "reinstate": REASON}


class TestOpen:
    async def test_the_newcomer_signs_in_with_a_password_of_their_own_and_works(
        self, world: World, stranger: httpx2.AsyncClient
    ) -> None:
        body = opening(world)

        answer = await world.community_admin.post(PATH, body)

        assert answer.status_code == 201, answer.text
        opened = answer.json()
        assert (opened["username"], opened["account"]["name"]) == (body["username"], "李晓燕")
        assert (opened["grant"]["role"], opened["grant"]["area"]["name"]) == ("dispatcher", "康乐路南社区")
        lifetime = datetime.fromisoformat(opened["first_password_until"]) - clock.now()
        assert lifetime == pytest.approx(timedelta(days=7), abs=timedelta(minutes=1))
        sign_in = {"username": body["username"], "password": FIRST}
        assert (await stranger.post(SIGN_IN, json=sign_in)).json()["code"] == "password_change_needed"
        signed_in = (await stranger.post(SIGN_IN, json={**sign_in, "new_password": OWN})).json()
        stranger.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        assert [role["role"] for role in (await stranger.get("/v1/me")).json()["roles"]] == ["dispatcher"]

    async def test_leaves_a_trail(self, world: World) -> None:
        opened = (await world.community_admin.post(PATH, opening(world))).json()

        assert await events(world, opened["account"]["id"]) == [
            ("account_opened", world.community_admin.account_id, None)
        ]

    @pytest.mark.parametrize("role", list(Role))
    @pytest.mark.parametrize("by", ["district_admin", "community_admin"])
    async def test_administrators_open_with_the_roles_they_give(self, world: World, by: str, role: Role) -> None:
        is_allowed = by == "district_admin" or role not in {Role.DISTRICT_ADMIN, Role.COMMUNITY_ADMIN}

        answer = await world.people[by].post(PATH, opening(world, role))

        assert answer.status_code == (201 if is_allowed else 403)

    @pytest.mark.parametrize(
        ("by", "area"),
        [("community_admin", "other_community"), ("community_admin", "district"), ("dispatcher", "community"),
         ("zhang", "building"), ("points_clerk", "community")],
    )  # fmt: skip
    async def test_beyond_their_area_there_is_nothing(self, world: World, by: str, area: str) -> None:
        answer = await world.people[by].post(PATH, opening(world, area=area))

        assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")

    async def test_a_refusal_leaves_no_account(self, world: World) -> None:
        body = opening(world, area="other_community", name="无人")
        await world.community_admin.post(PATH, body)

        assert await world.fetch("SELECT id FROM accounts WHERE name = '无人'") == []

    async def test_of_many_who_want_one_user_name_one_gets_it(self, world: World, other_world: World) -> None:
        body = opening(world)
        there = {**body, "area_id": str(other_world.areas["community"])}

        answers = await asyncio.gather(
            *(world.community_admin.post(PATH, body) for _ in range(3)), other_world.community_admin.post(PATH, there)
        )

        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {answer.json().get("code") for answer in answers} == {None, "username_taken"}

    async def test_repeated_with_its_key_it_is_opened_once(self, world: World) -> None:
        body = opening(world)
        answers = [await world.community_admin.post(PATH, body, key="one") for _ in range(2)]

        assert answers[0].json() == answers[1].json()
        assert answers[1].headers["Idempotency-Replayed"] == "true"

    @pytest.mark.parametrize(
        ("spoil", "code"),
        [
            ({"username": "Li"}, "invalid_request"),
            ({"username": "李晓燕"}, "invalid_request"),
            ({"username": "demo-dispatcher"}, "username_of_demo"),
            ({"first_password": "short"}, "password_too_weak"),
            ({"first_password": "Linli-demo-2026"}, "password_too_weak"),
            ({"name": " "}, "invalid_request"),
            ({"role": "mayor"}, "invalid_request"),
            ({"suspended_at": None}, "invalid_request"),
            ({"valid_to": "2020-01-01T00:00:00Z"}, "term_invalid"),
        ],
    )
    async def test_refuses_what_does_not_fit(self, world: World, spoil: dict[str, Any], code: str) -> None:
        answer = await world.district_admin.post(PATH, opening(world, **spoil))

        assert (answer.status_code, answer.json()["code"]) == (422, code)


class TestReset:
    async def test_the_old_password_is_gone_and_every_sign_in_ended(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        signed_in = (await stranger.post(SIGN_IN, json=clerk.body())).json()

        answer = await world.community_admin.post(path_of(clerk.person, "reset-password"), reset())

        assert answer.status_code == 200, answer.text
        assert answer.json()["username"] == clerk.username
        assert (await clerk.person.get("/v1/me")).json()["code"] == "invalid_token"
        refresh = {"refresh_token": signed_in["refresh_token"]}
        refreshed = await stranger.post("/v1/tokens/refresh", json=refresh, headers={"Idempotency-Key": "1"})
        assert refreshed.json()["code"] == "session_ended"
        assert (await stranger.post(SIGN_IN, json=clerk.body())).json()["code"] == "credentials_invalid"
        assert (await stranger.post(SIGN_IN, json=clerk.body(FIRST))).json()["code"] == "password_change_needed"
        assert (await stranger.post(SIGN_IN, json=clerk.body(FIRST, new_password=OWN))).status_code == 200
        assert ("password_reset", world.community_admin.account_id, "忘记密码") in await events(
            world, clerk.person.account_id
        )

    async def test_lifts_a_lock(self, world: World, stranger: httpx2.AsyncClient, clerk: Staff) -> None:
        for _ in range(FAILURES_UNTIL_LOCK):
            await stranger.post(SIGN_IN, json=clerk.body("wrong"))

        await world.community_admin.post(path_of(clerk.person, "reset-password"), reset())

        assert (await stranger.post(SIGN_IN, json=clerk.body(FIRST, new_password=OWN))).status_code == 200

    async def test_who_has_no_password_is_given_none(self, world: World) -> None:
        answer = await world.community_admin.post(path_of(world.member, "reset-password"), reset())

        assert (answer.status_code, answer.json()["code"]) == (409, "no_password")

    @pytest.mark.parametrize("ended", [None, datetime(2026, 1, 1, tzinfo=clock.SHANGHAI)])
    async def test_who_belongs_to_another_district_too_is_not_this_ones_to_open(
        self, world: World, other_world: World, clerk: Staff, ended: datetime | None
    ) -> None:
        """It would open the other district to an administrator of this one, also once a membership there goes on."""
        await other_world.insert("memberships", account_id=clerk.person.account_id, ended_at=ended)

        answer = await world.district_admin.post(path_of(clerk.person, "reset-password"), reset())

        assert (answer.status_code, answer.json()["code"]) == (409, "account_of_others_too")

    @pytest.mark.parametrize(
        ("spoil", "code"),
        [({"first_password": "weak"}, "password_too_weak"), ({"reason": ""}, "invalid_request"),
         ({"reason": None}, "invalid_request"), ({"username": "x"}, "invalid_request")],
    )  # fmt: skip
    async def test_refuses_what_does_not_fit(
        self, world: World, clerk: Staff, spoil: dict[str, Any], code: str
    ) -> None:
        answer = await world.community_admin.post(path_of(clerk.person, "reset-password"), reset(**spoil))

        assert (answer.status_code, answer.json()["code"]) == (422, code)


class TestSuspend:
    async def test_keeps_out_and_reinstating_lets_in_again(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        suspended = await world.community_admin.post(path_of(clerk.person, "suspend"), REASON)

        assert suspended.status_code == 200, suspended.text
        assert suspended.json()["suspended_at"]
        assert (await clerk.person.get("/v1/me")).json()["code"] == "invalid_token"
        assert (await stranger.post(SIGN_IN, json=clerk.body())).json()["code"] == "account_suspended"
        assert (await stranger.post(SIGN_IN, json=clerk.body("wrong"))).json()["code"] == "credentials_invalid"

        reinstated = await world.community_admin.post(path_of(clerk.person, "reinstate"), REASON)

        assert reinstated.json()["suspended_at"] is None
        assert (await clerk.person.get("/v1/me")).status_code == 401  # what ended stays ended
        assert (await stranger.post(SIGN_IN, json=clerk.body())).status_code == 200
        admin = world.community_admin.account_id
        assert await events(world, clerk.person.account_id) == [
            ("account_suspended", admin, "借调外单位"), ("account_reinstated", admin, "借调外单位")
        ]  # fmt: skip

    async def test_a_sign_in_is_ended_and_not_refreshed(
        self, world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        signed_in = (await stranger.post(SIGN_IN, json=clerk.body())).json()
        await world.community_admin.post(path_of(clerk.person, "suspend"), REASON)

        refresh = {"refresh_token": signed_in["refresh_token"]}
        refreshed = await stranger.post("/v1/tokens/refresh", json=refresh, headers={"Idempotency-Key": "1"})

        assert refreshed.json()["code"] == "session_ended"
        reasons = await world.fetch(
            "SELECT DISTINCT end_reason FROM sessions WHERE account_id = $1", clerk.person.account_id
        )
        assert [row["end_reason"] for row in reasons] == [EndReason.SUSPENDED]

    async def test_a_member_who_signs_in_with_wechat_stays_out_too(
        self, world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat
    ) -> None:
        code, openid = await tenant_code_of(world), f"openid-{new_id()}"

        async def sign_in(**more: str) -> httpx2.Response:
            return await stranger.post("/v1/sign-in/wechat", json={"code": await wechat.code(openid), **more})

        account_id = (await sign_in(tenant_code=code)).json()["account"]["id"]
        await world.district_admin.post(f"{PATH}/{account_id}/suspend", REASON)

        assert (await sign_in(tenant_code=code)).json()["code"] == "account_suspended"
        assert (await sign_in()).json()["code"] == "account_suspended"

    async def test_is_of_this_district_alone(
        self, world: World, other_world: World, stranger: httpx2.AsyncClient, clerk: Staff
    ) -> None:
        await other_world.insert("memberships", account_id=clerk.person.account_id)
        there = await other_world.new_session(clerk.person)

        await world.community_admin.post(path_of(clerk.person, "suspend"), REASON)

        assert (await there.get("/v1/me")).status_code == 200
        assert (await stranger.post(SIGN_IN, json=clerk.body())).json()["tenant"]["id"] == str(other_world.tenant_id)
        named = clerk.body(tenant_code=await tenant_code_of(world))
        assert (await stranger.post(SIGN_IN, json=named)).json()["code"] == "account_suspended"

    async def test_gets_no_role_meanwhile(self, world: World, clerk: Staff) -> None:
        await world.community_admin.post(path_of(clerk.person, "suspend"), REASON)
        gift = {"account_id": str(clerk.person.account_id), "role": "volunteer"}

        answer = await world.community_admin.post("/v1/grants", {**gift, "area_id": str(world.areas["compound"])})

        assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")

    async def test_twice_is_refused(self, world: World, clerk: Staff) -> None:
        assert (await world.community_admin.post(path_of(clerk.person, "reinstate"), REASON)).json()[
            "code"
        ] == "not_suspended"
        codes = [
            (await world.community_admin.post(path_of(clerk.person, "suspend"), REASON)).json().get("code")
            for _ in range(2)
        ]
        assert codes == [None, "already_suspended"]

    async def test_of_ten_at_once_one_suspends(self, world: World, clerk: Staff) -> None:
        path = path_of(clerk.person, "suspend")

        answers = await asyncio.gather(*(world.community_admin.post(path, REASON) for _ in range(10)))

        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
        assert len(await events(world, clerk.person.account_id)) == 1

    async def test_who_has_left_is_not_let_in_again(self, world: World, clerk: Staff) -> None:
        await world.fetch("UPDATE memberships SET ended_at = now() WHERE account_id = $1", clerk.person.account_id)

        for action, body in ACTIONS.items():
            answer = await world.district_admin.post(path_of(clerk.person, action), body)
            assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")


@pytest.mark.parametrize("action", ACTIONS)
class TestWho:
    @pytest.fixture
    def act(self, world: World, action: str) -> Callable[..., Any]:
        async def act(by: str, on: Person) -> str:
            answer = await world.people[by].post(path_of(on, action), ACTIONS[action])
            return str(answer.json().get("code", answer.status_code))

        return act

    @pytest.mark.parametrize("by", ["zhang", "dispatcher", "grid_worker", "member", "points_clerk"])
    async def test_nobody_but_an_administrator(self, act: Callable[..., Any], clerk: Staff, by: str) -> None:
        assert await act(by, clerk.person) == "account_not_found"

    async def test_beyond_their_area_there_is_nobody(self, world: World, act: Callable[..., Any]) -> None:
        assert await act("community_admin", world.other_dispatcher) == "account_not_found"
        assert await act("community_admin", world.district_admin) == "account_not_found"

    async def test_nobody_in_another_tenant(
        self, act: Callable[..., Any], other_world: World, password_hash: str
    ) -> None:
        there = await add_staff(other_world, password_hash)
        assert await act("district_admin", there.person) == "account_not_found"

    async def test_an_equal_is_seen_and_not_touched(self, world: World, act: Callable[..., Any]) -> None:
        """Whoever could reset a colleague's password could become them."""
        colleague = await world.add_person("colleague", "周同", roles={Role.COMMUNITY_ADMIN: "community"})
        assert await act("community_admin", colleague) == "forbidden"

    async def test_one_higher_role_elsewhere_is_enough(
        self, world: World, act: Callable[..., Any], clerk: Staff
    ) -> None:
        """To come, too: it would come into force with the password known."""
        await world.insert(
            "grants", id=new_id(), account_id=clerk.person.account_id, role="dispatcher",
            area_id=world.areas["other_community"], valid_from=clock.now() + timedelta(days=1),
        )  # fmt: skip
        assert await act("community_admin", clerk.person) == "forbidden"

    async def test_a_role_that_has_ended_counts_no_more(
        self, world: World, act: Callable[..., Any], clerk: Staff
    ) -> None:
        await world.insert(
            "grants", id=new_id(), account_id=clerk.person.account_id, role="district_admin",
            area_id=world.areas["district"], valid_from=clock.now() - timedelta(days=9), valid_to=clock.now(),
        )  # fmt: skip
        assert await act("community_admin", clerk.person) in {"200", "not_suspended"}

    async def test_who_holds_no_role_is_the_districts(self, world: World, act: Callable[..., Any]) -> None:
        assert await act("community_admin", world.zhang) == "account_not_found"
        assert await act("district_admin", world.zhang) in {"200", "no_password", "not_suspended"}

    async def test_nobody_their_own(self, world: World, act: Callable[..., Any]) -> None:
        assert await act("district_admin", world.district_admin) == "own_account"

    async def test_repeated_with_its_key_it_is_answered_again(self, world: World, clerk: Staff, action: str) -> None:
        answers = [
            await world.district_admin.post(path_of(clerk.person, action), ACTIONS[action], key="one") for _ in range(2)
        ]
        assert answers[0].status_code == answers[1].status_code
        assert answers[1].headers["Idempotency-Replayed"] == "true"

    async def test_takes_a_reason(self, world: World, clerk: Staff, action: str) -> None:
        body = {**ACTIONS[action], "reason": " "}
        assert (await world.district_admin.post(path_of(clerk.person, action), body)).status_code == 422


async def test_a_password_of_nobody_is_in_no_log(world: World, clerk: Staff, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        await world.community_admin.post(PATH, opening(world))
        await world.community_admin.post(path_of(clerk.person, "reset-password"), reset())

    for secret in (FIRST, PASSWORD, clerk.username):
        assert secret not in caplog.text
