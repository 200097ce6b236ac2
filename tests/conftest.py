"""Fixtures: one Postgres per test process, one running product on it, a fresh district per test."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from starlette.types import ASGIApp, Message

from api.all_in_one import create_app
from launcher.database import migrate
from launcher.postgres import EmbeddedPostgres
from services.chassis.database import driver_url
from services.chassis.settings import Settings
from tests.world import ARRANGER, World, make_world

TEMPLATE = "linli_test_template"


class TestServer:
    """Where test databases come from: an embedded server of this process, or the one DATABASE_URL names."""

    __test__ = False

    def __init__(self, embedded: EmbeddedPostgres | None) -> None:
        self._embedded = embedded
        self._template = f"{TEMPLATE}_{os.getpid()}"
        template_url = self._create(self._template)
        migrate(template_url)
        for statement in _ARRANGER:
            _run_outside_of_any_loop(template_url, statement)

    def clone(self) -> str:
        """The URL of a fresh, migrated, empty database."""
        return self._create(f"linli_test_{uuid4().hex}", template=self._template)

    def _create(self, name: str, template: str | None = None) -> str:
        if self._embedded is not None:
            return self._embedded.create_database(name, template)
        server_url = os.environ["DATABASE_URL"]
        copy = f' TEMPLATE "{template}"' if template else ""
        _run_outside_of_any_loop(server_url, f'CREATE DATABASE "{name}"{copy}')
        self._made = [*getattr(self, "_made", []), name]
        return urlsplit(server_url)._replace(path=f"/{name}").geturl()

    def drop_all(self) -> None:
        for name in getattr(self, "_made", []):
            _run_outside_of_any_loop(os.environ["DATABASE_URL"], f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


_ARRANGER = (
    f"""
    DO $$ BEGIN
        CREATE ROLE {ARRANGER} NOLOGIN NOBYPASSRLS;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
    """,
    f"GRANT {ARRANGER} TO CURRENT_USER",
    f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ARRANGER}",
    f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ARRANGER}",
)


def _run_outside_of_any_loop(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(driver_url(url))
        await connection.execute(statement)
        await connection.close()

    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, run()).result()


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    if os.environ.get("DATABASE_URL"):
        server = TestServer(None)
        yield server
        server.drop_all()
        return
    with EmbeddedPostgres.ephemeral() as embedded:
        yield TestServer(embedded)


def signing_key(kid: str = "test-1") -> dict[str, Any]:
    """A fresh private Ed25519 JWK."""
    return {**json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate())), "kid": kid}


@pytest.fixture(scope="session")
def settings(postgres: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the shared product: test mode, demo sign-in on, small pools."""
    return make_settings(postgres.clone(), tmp_path_factory.mktemp("files"))


def make_settings(database_url: str, files_folder: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "mode": "test",
        "database_url": database_url,
        "signing_keys_json": json.dumps([signing_key()]),
        "refresh_secret": "test-refresh-secret-0123456789abcdef",
        "wechat_app_id": "wx-demo-linli",
        "wechat_app_secret": "demo-wechat-secret",
        "demo_sign_in": True,
        "files_folder": files_folder,
        "outbox_poll_seconds": 0.2,
        "pool_size": 8,
    }
    return Settings(**{**values, **changes})


@asynccontextmanager
async def running_app(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """Enters the lifespan of an ASGI app, as a server would."""
    received: asyncio.Queue[Message] = asyncio.Queue()
    sent: asyncio.Queue[Message] = asyncio.Queue()

    async def serve() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, received.get, sent.put)

    task = asyncio.create_task(serve())
    await received.put({"type": "lifespan.startup"})
    await _expect(task, sent, "lifespan.startup.complete")
    try:
        yield app
    finally:
        await received.put({"type": "lifespan.shutdown"})
        await _expect(task, sent, "lifespan.shutdown.complete")
        await task


async def _expect(task: "asyncio.Task[None]", sent: "asyncio.Queue[Message]", kind: str) -> None:
    while sent.empty():
        if task.done():
            task.result()
            raise AssertionError(f"the app ended before {kind}")
        await asyncio.sleep(0.005)
    message = sent.get_nowait()
    assert message["type"] == kind, message


@pytest.fixture(scope="session")
async def product(settings: Settings) -> AsyncIterator[ASGIApp]:
    """The whole product in one process: the gateway with every service behind it."""
    async with running_app(create_app(settings)) as app:
        yield app


@pytest.fixture(scope="session")
async def transport(product: ASGIApp) -> httpx2.ASGITransport:
    return httpx2.ASGITransport(product)


@pytest.fixture
async def world(settings: Settings, transport: httpx2.ASGITransport) -> AsyncIterator[World]:
    """A district of this test's own, in the shared product."""
    async with AsyncExitStack() as stack:
        fresh = await make_world(settings, transport)
        stack.push_async_callback(fresh.close)
        yield fresh


@pytest.fixture
async def other_world(settings: Settings, transport: httpx2.ASGITransport) -> AsyncIterator[World]:
    """Another district in the same product: what must never be reached from the first."""
    async with AsyncExitStack() as stack:
        fresh = await make_world(settings, transport)
        stack.push_async_callback(fresh.close)
        yield fresh
