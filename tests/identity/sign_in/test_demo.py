"""The personas of the demo sign in without any secret, and only there."""

import httpx2
import pytest
from fastapi import FastAPI

from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from services.identity.main import create_app
from tests.conftest import signing_key
from tests.world import World

PATH = "/v1/sign-in/demo"


@pytest.fixture
async def persona(world: World) -> str:
    """A persona who is Mr Zhang of this district."""
    key = f"zhang_{new_id().hex[:12]}"
    await world.connection.execute(
        "INSERT INTO wechat_identities (app_id, openid, account_id) VALUES ('wx-demo-linli', $1, $2)",
        f"demo-openid-{key}", world.zhang.account_id,
    )  # fmt: skip
    return key


async def test_a_persona_signs_in(world: World, stranger: httpx2.AsyncClient, persona: str) -> None:
    answer = await stranger.post(PATH, json={"persona": persona})

    assert answer.status_code == 200, answer.text
    assert answer.json()["account"] == {"id": str(world.zhang.account_id), "name": "张德明"}
    assert answer.json()["tenant"]["id"] == str(world.tenant_id)


async def test_the_same_request_again_finds_its_session(stranger: httpx2.AsyncClient, persona: str) -> None:
    headers = {"Idempotency-Key": f"tour-{persona}"}
    answers = [await stranger.post(PATH, json={"persona": persona}, headers=headers) for _ in range(2)]

    assert answers[0].json()["refresh_token"] == answers[1].json()["refresh_token"]


async def test_an_unknown_persona_is_named(stranger: httpx2.AsyncClient) -> None:
    answer = await stranger.post(PATH, json={"persona": "sherlock"})

    assert (answer.status_code, answer.json()["code"]) == (404, "persona_unknown")
    assert "sherlock" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"persona": ""}, {"persona": "Zhang"}, {"persona": "zhang", "admin": True}])
async def test_refuses_what_does_not_fit(stranger: httpx2.AsyncClient, body: dict[str, object]) -> None:
    assert (await stranger.post(PATH, json=body)).json()["code"] == "invalid_request"


async def test_the_route_is_there_only_if_it_is_switched_on(identity: FastAPI, settings: Settings) -> None:
    off = create_app(settings.model_copy(update={"demo_sign_in": False}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(off), base_url="http://linli.test") as client:
        assert (await client.post(PATH, json={"persona": "zhang"})).status_code == 404

    assert PATH not in off.openapi()["paths"]
    assert PATH in identity.openapi()["paths"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"demo_sign_in": True}, "LINLI_DEMO_SIGN_IN"),
        ({"refresh_secret": "demo-refresh-secret-0123456789abcdef"}, "demo secret"),
        ({"signing_keys_json": '[{"kid": "demo-1"}]'}, "demo signing key"),
    ],
)
def test_production_refuses_to_start_with_anything_of_the_demo(
    settings: Settings, change: dict[str, object], told: str
) -> None:
    production = {
        "mode": "production",
        "database_url": settings.database_url,
        "refresh_secret": "a-production-secret-0123456789abcdef",
        "wechat_app_secret": "a-production-secret",
        "identity_url": "http://identity:8000",
    }
    assert create_app(Settings.model_validate(production)) is not None

    with pytest.raises(ValueError, match=told):
        Settings.model_validate(production | change)


def test_keys_made_for_tests_are_no_demo_keys() -> None:
    """Otherwise the test above would pass for the wrong reason."""
    assert not signing_key()["kid"].startswith("demo-")
