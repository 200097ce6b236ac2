"""The fake WeChat behaves as the real one does where signing in can tell."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from demo.personas import WECHAT_APP_ID
from demo.wechat import CALLS_PER_USER_AND_MINUTE, WECHAT_APP_SECRET, create_app
from services.chassis import clock


@pytest.fixture
async def wechat() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://wechat") as client:
        yield client


async def log_in(wechat: httpx2.AsyncClient, openid: str = "demo-openid-zhang", **more: str) -> str:
    answer = await wechat.post("/_fake/login", json={"openid": openid, **more})
    assert answer.status_code == 200
    return str(answer.json()["code"])


async def exchange(wechat: httpx2.AsyncClient, code: str, **changes: str | None) -> dict[str, Any]:
    query = {
        "appid": WECHAT_APP_ID,
        "secret": WECHAT_APP_SECRET,
        "js_code": code,
        "grant_type": "authorization_code",
    } | changes
    answer = await wechat.get("/sns/jscode2session", params={k: v for k, v in query.items() if v is not None})
    assert answer.status_code == 200, "WeChat answers 200 whatever happened"
    assert answer.headers["content-type"] == "text/plain"
    return dict(answer.json())


class TestExchangeCode:
    async def test_tells_who_it_is(self, wechat: httpx2.AsyncClient) -> None:
        session = await exchange(wechat, await log_in(wechat))

        assert session.keys() == {"openid", "session_key"}
        assert session["openid"] == "demo-openid-zhang"
        assert len(session["session_key"]) == 24

    async def test_knows_the_unionid_where_the_app_is_bound(self, wechat: httpx2.AsyncClient) -> None:
        session = await exchange(wechat, await log_in(wechat, unionid="demo-unionid-zhang"))

        assert session["unionid"] == "demo-unionid-zhang"

    async def test_a_code_works_once(self, wechat: httpx2.AsyncClient) -> None:
        code = await log_in(wechat)
        await exchange(wechat, code)

        assert (await exchange(wechat, code))["errcode"] == 40163

    async def test_a_code_lives_five_minutes(self, wechat: httpx2.AsyncClient) -> None:
        early, late = await log_in(wechat), await log_in(wechat)

        with clock.shifted(timedelta(minutes=4, seconds=50)):
            assert "openid" in await exchange(wechat, early)
        with clock.shifted(timedelta(minutes=5, seconds=1)):
            assert (await exchange(wechat, late))["errcode"] == 40029

    @pytest.mark.parametrize(
        ("changes", "errcode"),
        [
            ({"appid": None}, 41002),
            ({"appid": "wx-another"}, 40013),
            ({"secret": None}, 41004),
            ({"secret": "wrong"}, 40125),
            ({"js_code": None}, 41008),
            ({"js_code": "never-given"}, 40029),
            ({"grant_type": "client_credential"}, 40002),
        ],
    )
    async def test_refuses_in_wechats_words(
        self, wechat: httpx2.AsyncClient, changes: dict[str, str | None], errcode: int
    ) -> None:
        code = await log_in(wechat)

        refusal = await exchange(wechat, code, **changes)

        assert refusal.keys() == {"errcode", "errmsg"}
        assert refusal["errcode"] == errcode
        assert ", rid: " in refusal["errmsg"]
        assert "openid" in await exchange(wechat, code), "a refused call does not use the code up"

    async def test_slows_a_user_who_signs_in_too_often(self, wechat: httpx2.AsyncClient) -> None:
        for _ in range(CALLS_PER_USER_AND_MINUTE):
            await exchange(wechat, await log_in(wechat))

        assert (await exchange(wechat, await log_in(wechat)))["errcode"] == 45011
        assert "openid" in await exchange(wechat, await log_in(wechat, openid="demo-openid-neighbour"))
        with clock.shifted(timedelta(seconds=61)):
            assert "openid" in await exchange(wechat, await log_in(wechat))


class TestFail:
    async def test_fails_as_often_as_told(self, wechat: httpx2.AsyncClient) -> None:
        code = await log_in(wechat)
        await wechat.post("/_fake/fail", json={"errcode": 40226, "times": 2})

        assert [(await exchange(wechat, code)).get("errcode") for _ in range(3)] == [40226, 40226, None]

    async def test_can_be_a_broken_gateway(self, wechat: httpx2.AsyncClient) -> None:
        await wechat.post("/_fake/fail", json={"status": 502})

        assert (await wechat.get("/sns/jscode2session")).status_code == 502

    async def test_can_send_anything(self, wechat: httpx2.AsyncClient) -> None:
        await wechat.post("/_fake/fail", json={"body": "[]"})

        assert (await wechat.get("/sns/jscode2session")).text == "[]"

    @pytest.mark.parametrize("body", ["", "[]", '{"errcode": "x"}', '{"error": 1}', '{"times": 0}'])
    async def test_refuses_what_it_does_not_understand(self, wechat: httpx2.AsyncClient, body: str) -> None:
        assert (await wechat.post("/_fake/fail", content=body)).status_code == 422
