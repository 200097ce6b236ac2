"""Signing keys rotate by `kid`; what is wrong with them is told at the start."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import jwt
import pytest

from services.chassis import clock
from services.chassis.schemas import new_id
from services.chassis.settings import Settings, UnsafeSettings
from services.chassis.tokens import Claims, TokenVerifier, key_source
from services.identity.main import create_app
from services.identity.tokens.keys import SigningKeys
from tests.conftest import make_settings, running_app, signing_key
from tests.identity.conftest import Staff
from tests.world import World


@pytest.fixture
def old_key() -> dict[str, Any]:
    return signing_key("2026-10")


@pytest.fixture
def new_key() -> dict[str, Any]:
    return signing_key("2026-11")


@asynccontextmanager
async def service_with(settings: Settings, *keys: dict[str, Any]) -> AsyncIterator[httpx2.AsyncClient]:
    """The identity service started with these keys."""
    app = create_app(make_settings(settings.database_url, settings.files_folder, signing_keys_json=json.dumps(keys)))
    async with (
        running_app(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://linli.test") as client,
    ):
        yield client


async def access_token(client: httpx2.AsyncClient, clerk: Staff) -> str:
    return str((await client.post("/v1/sign-in/password", json=clerk.body())).json()["access_token"])


async def is_let_in(client: httpx2.AsyncClient, token: str) -> bool:
    return (await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})).status_code == 200


class TestRotation:
    async def test_the_first_signs_all_verify_and_a_removed_one_is_refused(
        self, settings: Settings, clerk: Staff, old_key: dict[str, Any], new_key: dict[str, Any]
    ) -> None:
        async with service_with(settings, old_key, new_key) as announced:
            old_token = await access_token(announced, clerk)
        async with service_with(settings, new_key, old_key) as rotated:
            new_token = await access_token(rotated, clerk)
            assert await is_let_in(rotated, old_token)
            assert await is_let_in(rotated, new_token)
        async with service_with(settings, new_key) as finished:
            assert not await is_let_in(finished, old_token)
            assert await is_let_in(finished, new_token)

        assert [jwt.get_unverified_header(token)["kid"] for token in (old_token, new_token)] == ["2026-10", "2026-11"]

    async def test_a_refresh_token_outlives_every_signing_key(
        self, settings: Settings, clerk: Staff, old_key: dict[str, Any], new_key: dict[str, Any]
    ) -> None:
        async with service_with(settings, old_key) as before:
            token = (await before.post("/v1/sign-in/password", json=clerk.body())).json()["refresh_token"]
        async with service_with(settings, new_key) as after:
            headers = {"Idempotency-Key": "1"}
            answer = await after.post("/v1/tokens/refresh", json={"refresh_token": token}, headers=headers)

        assert jwt.get_unverified_header(answer.json()["access_token"])["kid"] == "2026-11"

    async def test_a_key_of_the_same_name_is_not_the_same_key(
        self, settings: Settings, clerk: Staff, old_key: dict[str, Any]
    ) -> None:
        async with service_with(settings, signing_key("2026-10")) as impostor:
            token = await access_token(impostor, clerk)
        async with service_with(settings, old_key) as genuine:
            assert not await is_let_in(genuine, token)


class TestPublication:
    async def test_shows_the_public_halves_of_all(
        self, settings: Settings, old_key: dict[str, Any], new_key: dict[str, Any]
    ) -> None:
        async with service_with(settings, new_key, old_key) as client:
            answer = await client.get("/.well-known/jwks.json")

        assert answer.headers["Cache-Control"] == "public, max-age=60"
        assert [key["kid"] for key in answer.json()["keys"]] == ["2026-11", "2026-10"]
        for key in answer.json()["keys"]:
            assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}, "never the private half"

    async def test_is_enough_for_anybody_to_verify_a_token(
        self, world: World, settings: Settings, clerk: Staff, old_key: dict[str, Any]
    ) -> None:
        async with service_with(settings, old_key) as client:
            published = (await client.get("/.well-known/jwks.json")).json()
            token = await access_token(client, clerk)

        key = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key.key, algorithms=["EdDSA"], issuer="linli", options={"require": ["exp", "iat"]})
        assert claims.keys() == {"iss", "sub", "tid", "sid", "iat", "exp"}
        assert (claims["sub"], claims["tid"]) == (str(clerk.person.account_id), str(world.tenant_id))
        assert claims["exp"] - claims["iat"] == 900

    async def test_a_token_of_the_service_is_what_the_chassis_verifies(
        self, settings: Settings, old_key: dict[str, Any]
    ) -> None:
        moment = clock.now()
        claims = Claims(new_id(), new_id(), new_id(), (moment + timedelta(minutes=1)).timestamp() // 1)
        with_key = make_settings(settings.database_url, settings.files_folder, signing_keys_json=json.dumps([old_key]))

        token = SigningKeys([old_key]).sign(claims, issued_at=moment)

        assert await TokenVerifier(key_source(with_key)).verify(token) == claims


class TestStart:
    @pytest.mark.parametrize(
        ("spoil", "told"),
        [
            (lambda key: [], "no key"),
            (lambda key: [key, dict(key)], "share a kid"),
            (lambda key: [{**key, "kid": ""}], "private Ed25519"),
            (lambda key: [{name: part for name, part in key.items() if name != "d"}], "private Ed25519"),
            (lambda key: [{**key, "crv": "X25519"}], "private Ed25519"),
            (lambda key: [key, {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"}], "private Ed25519"),
        ],
    )
    def test_refuses_keys_that_are_none(self, old_key: dict[str, Any], spoil: Any, told: str) -> None:
        with pytest.raises(UnsafeSettings, match=told):
            SigningKeys(spoil(old_key))

    @pytest.mark.parametrize("changes", [{"signing_keys_json": "[]"}, {"refresh_secret": "short"}])
    async def test_the_service_does_not_come_up_without_its_secrets(
        self, settings: Settings, changes: dict[str, str]
    ) -> None:
        app = create_app(make_settings(settings.database_url, settings.files_folder, **changes))

        with pytest.raises(UnsafeSettings):
            async with app.router.lifespan_context(app):
                pass
