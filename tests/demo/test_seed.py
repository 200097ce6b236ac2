"""Loading the demo district: all of it, once, also by an owner whom row security binds."""

from collections.abc import AsyncIterator, Iterable
from datetime import date
from uuid import UUID

import asyncpg
import pytest

from demo.district import build
from demo.personas import PERSONA
from demo.places import TENANT_ID
from demo.seed import load
from services.chassis.database import driver_url, tenant_statement
from tests.conftest import TestServer


@pytest.fixture(scope="module")
async def database_url(postgres: TestServer) -> str:
    url = postgres.clone()
    await load(url)
    return url


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(driver_url(database_url), server_settings={"linli.tenant": str(TENANT_ID)})
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def expected() -> dict[str, int]:
    """Rows by table. How many there are does not depend on the day."""
    return {table: len(rows) for table, rows in build(date(2026, 11, 22)).tables.items()}


async def counted(connection: asyncpg.Connection, tables: Iterable[str]) -> dict[str, int]:
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables}


class TestLoad:
    async def test_every_row_arrives(self, connection: asyncpg.Connection, expected: dict[str, int]) -> None:
        assert await counted(connection, expected) == expected

    async def test_a_second_load_changes_nothing(
        self,
        database_url: str,
        connection: asyncpg.Connection,
        expected: dict[str, int],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        await load(database_url)

        assert await counted(connection, expected) == expected
        assert "is there already" in capsys.readouterr().out

    async def test_new_orders_get_higher_numbers(self, connection: asyncpg.Connection) -> None:
        highest = await connection.fetchval("SELECT max(number) FROM orders")

        assert await connection.fetchval("SELECT nextval('order_numbers')") > highest

    async def test_nothing_waits_to_be_delivered(self, connection: asyncpg.Connection) -> None:
        waiting = "SELECT count(*) FROM outbox_deliveries WHERE delivered_at IS NULL OR delivered_at > now()"

        assert await connection.fetchval(waiting) == 0

    async def test_text_and_structures_arrive_as_they_are(self, connection: asyncpg.Connection) -> None:
        area = await connection.fetchrow(
            "SELECT name, boundary -> 'type' AS type, boundary_crs, ancestor_ids FROM areas WHERE name = '万隆一品小区'"
        )
        assert area is not None
        assert (area["name"], area["type"], area["boundary_crs"]) == ("万隆一品小区", '"Polygon"', "gcj02")
        assert len(area["ancestor_ids"]) == 4

    async def test_mr_zhang_is_known_by_his_account(self, connection: asyncpg.Connection) -> None:
        name = await connection.fetchval(
            "SELECT name FROM residents WHERE tenant_id = $1 AND account_id = $2",
            TENANT_ID,
            PERSONA["zhang"].account_id,
        )
        assert name == "张德明"


class TestLoadUnderRowSecurity:
    async def test_needs_no_superuser(self, postgres: TestServer) -> None:
        """As a service's role, which for this database alone is given what a loader needs."""
        url = postgres.clone()
        owner = await asyncpg.connect(driver_url(url))
        await owner.execute(
            """
            GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO linli_identity;
            GRANT UPDATE, DELETE ON due_follow_ups TO linli_identity;
            GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA public TO linli_identity;
            """
        )
        separator = "&" if "?" in url else "?"

        await load(f"{url}{separator}role=linli_identity")

        assert await seen_as(owner, "linli_identity", TENANT_ID) > 4_800
        assert await seen_as(owner, "linli_identity", PERSONA["zhang"].account_id) == 0, "row security was in force"
        await owner.close()


async def seen_as(owner: asyncpg.Connection, role: str, tenant_id: UUID) -> int:
    """How many residents a role sees with this tenant set."""
    async with owner.transaction():
        await owner.execute(f"SET LOCAL ROLE {role}; {tenant_statement(tenant_id)}")
        return int(await owner.fetchval("SELECT count(*) FROM residents"))
