"""Live means the process runs; ready means it can work. They are not the same when the database is away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from services.chassis import application
from services.chassis.application import expected_migration
from tests.chassis.conftest import end_sessions
from tests.chassis.probe import create_probe
from tests.conftest import TestServer, make_settings, running_app
from tests.migrations.catalog import connected


@pytest.fixture
async def url(postgres: TestServer) -> str:
    """A database that may be spoiled."""
    return postgres.clone()


@pytest.fixture
async def client(url: str, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_probe(make_settings(url, tmp_path, pool_size=2))
    async with (
        running_app(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://linli.test") as opened,
    ):
        yield opened


async def execute(url: str, statement: str) -> None:
    async with connected(url) as owner:
        await owner.execute(statement)


async def is_live(client: httpx2.AsyncClient) -> bool:
    answer = await client.get("/health")
    return (answer.status_code, answer.json()) == (200, {"status": "live"})


class TestReady:
    async def test_with_a_current_database(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/ready")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ready", "checks": {"database": "ok", "migrations": "ok"}}

    @pytest.mark.parametrize(
        ("statement", "verdict"),
        [
            ("UPDATE alembic_version SET version_num = '0001'", "at 0001"),
            ("UPDATE alembic_version SET version_num = 'of_the_future'", "at of_the_future"),
            ("DELETE FROM alembic_version", "at None"),
            ("DROP TABLE alembic_version", "none"),
        ],
        ids=["behind", "ahead", "emptied", "never-migrated"],
    )
    async def test_not_while_migrations_differ(
        self, client: httpx2.AsyncClient, url: str, statement: str, verdict: str
    ) -> None:
        """This code was written for one schema: with another it takes no traffic."""
        await execute(url, statement)
        answer = await client.get("/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not_ready", "checks": {"database": "ok", "migrations": verdict}}
        assert await is_live(client)

    async def test_not_while_the_database_is_gone(
        self, client: httpx2.AsyncClient, url: str, postgres: TestServer
    ) -> None:
        """503 says what it is by name, and nothing of where it was."""
        name = urlsplit(url).path.removeprefix("/")
        assert (await client.get("/ready")).status_code == 200
        await execute(postgres.clone(), f'DROP DATABASE "{name}" WITH (FORCE)')
        answer = await client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["migrations"] == "unknown"
        assert name not in answer.text
        assert await is_live(client)

    async def test_again_after_a_restart(self, client: httpx2.AsyncClient, url: str) -> None:
        """Sessions that ended are replaced as soon as that is noticed; nobody has to restart the service."""
        assert (await client.get("/ready")).status_code == 200
        async with connected(url) as owner:
            assert await end_sessions(owner) > 0
        answers = [(await client.get("/ready")).status_code for _ in range(3)]
        assert set(answers) <= {200, 503}
        assert answers[-1] == 200

    async def test_not_while_the_database_hangs(
        self, client: httpx2.AsyncClient, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever asks wants an answer in time."""
        monkeypatch.setattr(application, "READY_TIMEOUT_SECONDS", 0.2)
        async with connected(url) as owner, owner.transaction():
            await owner.execute("LOCK TABLE alembic_version")
            answer = await asyncio.wait_for(client.get("/ready"), 5)
        assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "TimeoutError")
        assert (await client.get("/ready")).status_code == 200

    def test_what_is_expected_is_the_newest_migration(self) -> None:
        """Read from the folder of migrations, not written down twice."""
        revisions = sorted(path.name[:4] for path in Path("migrations/versions").glob("[0-9]*.py"))
        assert expected_migration() == revisions[-1]
