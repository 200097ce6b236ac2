"""Users of the mini-program sign in; the fake WeChat is asked over HTTP."""

import asyncio
import socket
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from demo.wechat import WECHAT_APP_SECRET
from services.chassis import clock
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from services.identity.main import create_app
from services.identity.sign_in import wechat as wechat_client
from tests.conftest import running_app
from tests.identity.conftest import FakeWechat, as_user, tenant_code_of
from tests.world import World

PATH = "/v1/sign-in/wechat"


@pytest.fixture
def openid() -> str:
    """A user WeChat knows and Linli has never seen."""
    return f"openid-{new_id()}"


async def sign_in(stranger: httpx2.AsyncClient, code: str, *, key: str | None = None, **more: Any) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await stranger.post(PATH, json={"code": code, **more}, headers=headers)


class TestNewcomer:
    async def test_gets_an_account_and_becomes_a_resident(
        self, world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        answer = await sign_in(stranger, await wechat.code(openid), tenant_code=await tenant_code_of(world))

        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["account"]["name"] == "微信用户"
        assert body["tenant"]["id"] == str(world.tenant_id)
        async with as_user(world, body) as client:
            me = (await client.get("/v1/me")).json()
        assert me["account"]["id"] == body["account"]["id"]
        assert (me["roles"], me["resident"]) == ([], None)

    async def test_is_known_the_next_time(
        self, world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        code = await tenant_code_of(world)
        first = (await sign_in(stranger, await wechat.code(openid), tenant_code=code)).json()
        second = (await sign_in(stranger, await wechat.code(openid))).json()

        assert second["account"] == first["account"]
        assert second["tenant"] == first["tenant"]
        assert second["refresh_token"] != first["refresh_token"]

    async def test_two_first_sign_ins_at_once_open_one_account(
        self, world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        codes = [await wechat.code(openid) for _ in range(8)]
        tenant_code = await tenant_code_of(world)
        answers = await asyncio.gather(*(sign_in(stranger, code, tenant_code=tenant_code) for code in codes))

        assert [answer.status_code for answer in answers] == [200] * 8
        assert len({answer.json()["account"]["id"] for answer in answers}) == 1
        count = "SELECT count(*) FROM accounts a JOIN memberships m ON m.account_id = a.id WHERE a.name = '微信用户'"
        assert await world.fetch_value(count) == 1

    async def test_without_a_district_has_to_choose_one_and_leaves_no_trace(
        self, world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        answer = await sign_in(stranger, await wechat.code(openid))

        assert (answer.status_code, answer.json()["code"]) == (409, "tenant_choice_needed")
        assert await tenant_code_of(world) in [tenant["code"] for tenant in answer.json()["tenants"]]
        known = "SELECT count(*) FROM wechat_identities WHERE openid = $1"
        assert await world.fetch_value(known, openid) == 0

    async def test_of_an_unknown_district_is_refused(
        self, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        answer = await sign_in(stranger, await wechat.code(openid), tenant_code="999999")

        assert (answer.status_code, answer.json()["code"]) == (422, "tenant_unknown")
        assert "999999" in answer.json()["detail"]

    async def test_keeps_the_unionid(
        self, world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        code = await tenant_code_of(world)
        query = "SELECT unionid FROM wechat_identities WHERE openid = $1"

        await sign_in(stranger, await wechat.code(openid), tenant_code=code)
        assert await world.fetch_value(query, openid) is None
        await sign_in(stranger, await wechat.code(openid, unionid="union-1"), tenant_code=code)
        assert await world.fetch_value(query, openid) == "union-1"


class TestDistricts:
    async def test_naming_another_district_joins_it(
        self, world: World, other_world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        here, there = await tenant_code_of(world), await tenant_code_of(other_world)
        first = (await sign_in(stranger, await wechat.code(openid), tenant_code=here)).json()
        second = (await sign_in(stranger, await wechat.code(openid), tenant_code=there)).json()

        assert second["account"] == first["account"]
        assert second["tenant"]["code"] == there
        assert sorted(tenant["code"] for tenant in second["memberships"]) == sorted([here, there])
        assert (await sign_in(stranger, await wechat.code(openid))).json()["code"] == "tenant_choice_needed"

    async def test_an_ended_membership_is_not_begun_again(
        self, world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        code = await tenant_code_of(world)
        first = (await sign_in(stranger, await wechat.code(openid), tenant_code=code)).json()
        query = "UPDATE memberships SET ended_at = now() WHERE account_id = $1"
        await world.fetch(query, first["account"]["id"])

        answer = await sign_in(stranger, await wechat.code(openid), tenant_code=code)

        assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


class TestErrors:
    @pytest.mark.parametrize(
        ("errcode", "status", "code"),
        [
            (40029, 401, "wechat_code_invalid"),
            (40163, 401, "wechat_code_invalid"),
            (45011, 429, "wechat_too_frequent"),
            (40226, 403, "wechat_user_blocked"),
            (-1, 503, "wechat_unavailable"),
            (40013, 503, "wechat_unavailable"),
            (40125, 503, "wechat_unavailable"),
            (48001, 503, "wechat_unavailable"),
        ],
    )
    async def test_wechats_errors_become_ours(
        self, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str, errcode: int, status: int, code: str
    ) -> None:
        await wechat.fail(errcode=errcode)

        answer = await sign_in(stranger, await wechat.code(openid))

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert ("Retry-After" in answer.headers) == (status in {429, 503})

    async def test_a_code_works_once_and_five_minutes(
        self, world: World, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str
    ) -> None:
        used, old = await wechat.code(openid), await wechat.code(openid)
        assert (await sign_in(stranger, used, tenant_code=await tenant_code_of(world))).status_code == 200

        assert (await sign_in(stranger, used)).json()["code"] == "wechat_code_invalid"
        assert (await sign_in(stranger, "never-given")).json()["code"] == "wechat_code_invalid"
        with clock.shifted(timedelta(minutes=6)):
            assert (await sign_in(stranger, old)).json()["code"] == "wechat_code_invalid"

    @pytest.mark.parametrize(
        "how",
        [
            {"status": 502},
            {"body": "<html>"},
            {"body": "[]"},
            {"body": "{}"},
            {"body": '{"errcode": "none"}'},
            {"body": '{"openid": 7, "session_key": "x"}'},
            {"body": '{"openid": "a\\u0000b", "session_key": "x"}'},
            {"body": '{"openid": "a\\n", "session_key": "x"}'},
            {"body": ""},
        ],
    )
    async def test_nonsense_is_as_if_wechat_were_away(
        self, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str, how: dict[str, Any]
    ) -> None:
        await wechat.fail(**how)

        answer = await sign_in(stranger, await wechat.code(openid))

        assert (answer.status_code, answer.json()["code"]) == (503, "wechat_unavailable")

    @pytest.mark.parametrize(
        "body", [{}, {"code": ""}, {"code": "x" * 129}, {"code": "代码"}, {"code": 1}, {"code": "x", "openid": "y"}]
    )
    async def test_refuses_what_does_not_fit(self, stranger: httpx2.AsyncClient, body: dict[str, Any]) -> None:
        assert (await stranger.post(PATH, json=body)).json()["code"] == "invalid_request"


class TestUnreachable:
    async def post(self, settings: Settings, code: str = "some-code") -> httpx2.Response:
        app = create_app(settings)
        async with (
            running_app(app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://linli.test") as client,
        ):
            return await client.post(PATH, json={"code": code})

    async def test_nobody_listens(self, identity_settings: Settings) -> None:
        with socket.socket() as bound:  # taken, but refusing every connection
            bound.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            answer = await self.post(identity_settings.model_copy(update={"wechat_base_url": url}))

        assert (answer.status_code, answer.json()["code"]) == (503, "wechat_unavailable")

    async def test_it_takes_too_long(
        self, identity_settings: Settings, wechat: FakeWechat, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wechat_client, "TIMEOUT_SECONDS", 0.2)
        await wechat.fail(delay_seconds=1)

        answer = await self.post(identity_settings, await wechat.code("openid-slow"))

        assert (answer.status_code, answer.json()["code"]) == (503, "wechat_unavailable")

    async def test_it_is_not_set_up(self, identity_settings: Settings) -> None:
        answer = await self.post(identity_settings.model_copy(update={"wechat_app_id": ""}))

        assert (answer.status_code, answer.json()["code"]) == (404, "wechat_not_set_up")

    async def test_our_secret_is_wrong(self, identity_settings: Settings, wechat: FakeWechat) -> None:
        wrong = identity_settings.model_copy(
            update={"wechat_app_secret": Settings.model_fields["refresh_secret"].default}
        )

        answer = await self.post(wrong, await wechat.code("openid-any"))

        assert (answer.status_code, answer.json()["code"]) == (503, "wechat_unavailable")


class TestSecrecy:
    async def test_neither_secret_nor_code_nor_openid_nor_session_key_get_out(
        self,
        world: World,
        stranger: httpx2.AsyncClient,
        wechat: FakeWechat,
        openid: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        code, refused = await wechat.code(openid), await wechat.code(openid)
        tenant_code = await tenant_code_of(world)
        with caplog.at_level("DEBUG"):
            good = await sign_in(stranger, code, tenant_code=tenant_code)
            await wechat.fail(errcode=40125)
            bad = await sign_in(stranger, refused, tenant_code=tenant_code)

        ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
        assert any("40125" in line for line in ours)
        for text in ("\n".join(ours), good.text, bad.text):
            for private in (WECHAT_APP_SECRET, code, refused, openid, "session_key"):
                assert private not in text


class TestRepeat:
    @pytest.fixture
    async def tenant_code(self, world: World) -> str:
        return await tenant_code_of(world)

    async def test_finds_its_session_without_asking_wechat_again(
        self, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str, tenant_code: str
    ) -> None:
        code = await wechat.code(openid)
        first = await sign_in(stranger, code, key="open", tenant_code=tenant_code)
        again = await sign_in(stranger, code, key="open", tenant_code=tenant_code)

        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json()["refresh_token"] == first.json()["refresh_token"]

    async def test_sent_five_times_at_once_it_opens_one_session(
        self, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str, tenant_code: str
    ) -> None:
        code = await wechat.code(openid)
        sending = (sign_in(stranger, code, key="open", tenant_code=tenant_code) for _ in range(5))
        answers = await asyncio.gather(*sending)

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1

    async def test_with_another_key_the_code_is_used_up(
        self, stranger: httpx2.AsyncClient, wechat: FakeWechat, openid: str, tenant_code: str
    ) -> None:
        code = await wechat.code(openid)
        await sign_in(stranger, code, key="open", tenant_code=tenant_code)

        answer = await sign_in(stranger, code, key="another", tenant_code=tenant_code)

        assert answer.json()["code"] == "wechat_code_invalid"
