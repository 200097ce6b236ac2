"""The identity service alone, on the shared test database, with the fake WeChat on a real port."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import uvicorn
from argon2 import PasswordHasher
from argon2.profiles import RFC_9106_LOW_MEMORY
from fastapi import FastAPI

from demo.wechat import create_app as create_wechat
from models.identity import Role
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from services.identity.main import create_app
from services.identity.sign_in import passwords
from tests.conftest import running_app
from tests.world import Person, World, make_world

PASSWORD = "Kang-Le-Lu-Nan-2026"


@pytest.fixture(scope="session")
def wechat_url() -> Iterator[str]:
    """A server in a thread that ends with the tests: a daemon's event loop can crash the interpreter on its way out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            create_wechat(), loop="asyncio", lifespan="off", ws="none", log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="fake-wechat")
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@dataclass
class FakeWechat:
    """The fake's control routes."""

    url: str

    async def code(self, openid: str, **more: str) -> str:
        """What `wx.login` gives on this user's phone."""
        return str((await self._post("/_fake/login", {"openid": openid, **more}))["code"])

    async def fail(self, **how: Any) -> None:
        """How the next call ends."""
        await self._post("/_fake/fail", how)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as client:
            answer = await client.post(path, json=body)
            answer.raise_for_status()
            return dict(answer.json())


@pytest.fixture
def wechat(wechat_url: str) -> FakeWechat:
    return FakeWechat(wechat_url)


@pytest.fixture(scope="session")
def identity_settings(settings: Settings, wechat_url: str) -> Settings:
    return settings.model_copy(update={"wechat_base_url": wechat_url})


@pytest.fixture(scope="session")
async def identity(identity_settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(identity_settings)
    async with running_app(app):
        yield app


@pytest.fixture(scope="session")
async def identity_transport(identity: FastAPI) -> httpx2.ASGITransport:
    return httpx2.ASGITransport(identity)


@pytest.fixture
async def world(identity_settings: Settings, identity_transport: httpx2.ASGITransport) -> AsyncIterator[World]:
    """A district whose people talk to the identity service itself."""
    fresh = await make_world(identity_settings, identity_transport)
    yield fresh
    await fresh.close()


@pytest.fixture
async def other_world(identity_settings: Settings, identity_transport: httpx2.ASGITransport) -> AsyncIterator[World]:
    fresh = await make_world(identity_settings, identity_transport)
    yield fresh
    await fresh.close()


@pytest.fixture
async def stranger(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who has not signed in."""
    async with world.stranger() as client:
        yield client


@pytest.fixture(autouse=True)
def _refusals_leave_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause that hides how long a refusal took would only make the suite slow."""
    monkeypatch.setattr(passwords, "REFUSED_AFTER_SECONDS", 0.0)


@pytest.fixture(scope="session")
def password_hash() -> str:
    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY).hash(PASSWORD)


@dataclass(frozen=True)
class Staff:
    """Somebody with a user name and `PASSWORD`."""

    person: Person
    username: str

    def body(self, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
        return {"username": self.username, "password": password, **more}


@pytest.fixture
async def clerk(world: World, password_hash: str) -> Staff:
    return await add_staff(world, password_hash)


async def add_staff(world: World, password_hash: str) -> Staff:
    """A dispatcher of the community with a user name of their own."""
    username = f"clerk-{new_id()}"
    person = await world.add_person(username, "李晓燕", roles={Role.DISPATCHER: "community"})
    await world.connection.execute(
        "INSERT INTO password_credentials (account_id, username, password_hash) VALUES ($1, $2, $3)",
        person.account_id, username, password_hash,
    )  # fmt: skip
    return Staff(person, username)


async def tenant_code_of(world: World) -> str:
    return str(await world.fetch_value("SELECT code FROM tenants WHERE id = $1", world.tenant_id))


def as_user(world: World, signed_in: dict[str, Any]) -> httpx2.AsyncClient:
    """A client with the access token of this answer."""
    client = world.stranger()
    client.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
    return client
