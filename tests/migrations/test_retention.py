"""What services may clear: what is old and done with, of their own, and nothing else whatever they try."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from migrations.row_security import ROLES
from services.chassis import clock
from services.chassis.database import tenant_statement
from services.chassis.schemas import new_id
from tests.migrations.catalog import Connection, connected
from tests.migrations.conftest import Districts
from tests.migrations.test_privileges import CLEARED
from tests.world import World

KIND = "retention_tried"
"""Of the facts of these tests, which share the districts with others."""


@pytest.fixture(autouse=True)
async def _leave_the_districts_as_they_were(districts: Districts) -> AsyncIterator[None]:
    yield
    for world in (districts.ours, districts.theirs):
        await world.fetch(
            "DELETE FROM outbox_deliveries d USING outbox_events e"
            " WHERE e.tenant_id = d.tenant_id AND e.id = d.event_id AND e.kind = $1",
            KIND,
        )
        await world.fetch("DELETE FROM outbox_events WHERE kind = $1", KIND)


@pytest.fixture(params=ROLES)
async def service(request: pytest.FixtureRequest, districts: Districts) -> AsyncIterator[Connection]:
    """A service in a transaction of our district that is rolled back."""
    async with connected(districts.url, request.param) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(tenant_statement(districts.ours.tenant_id))
        yield connection
        await transaction.rollback()


async def event(world: World, days: int, *listeners: str, delivered_days: int | None = None) -> UUID:
    """A fact so many days old, with a delivery to each listener, which had it so many days ago."""
    event_id, moment = new_id(), clock.now()
    occurred_at = moment - timedelta(days=days)
    delivered_at = None if delivered_days is None else moment - timedelta(days=delivered_days)
    await world.insert("outbox_events", id=event_id, kind=KIND, payload="{}", occurred_at=occurred_at)
    for listener in listeners:
        await world.insert(
            "outbox_deliveries", event_id=event_id, listener=listener, due_at=occurred_at, delivered_at=delivered_at
        )
    return event_id


async def test_what_is_younger_than_a_week_stays(service: Connection, districts: Districts) -> None:
    await event(districts.ours, 6, *(role.removeprefix("linli_") for role in ROLES), delivered_days=6)
    await event(districts.ours, 6)

    for table in CLEARED:
        try:
            async with service.transaction():
                assert await service.execute(f"DELETE FROM {table}") == "DELETE 0", table
        except asyncpg.InsufficientPrivilegeError:
            role = await service.fetchval("SELECT current_user")
            assert (role, table) == ("linli_points", "idempotency_keys")


async def test_a_service_clears_what_was_delivered_to_it(service: Connection, districts: Districts) -> None:
    own = await service.fetchval("SELECT substr(current_user, 7)")
    old = await event(districts.ours, 9, *(role.removeprefix("linli_") for role in ROLES), delivered_days=8)
    undelivered = await event(districts.ours, 9, own)

    cleared = await service.fetch(
        "DELETE FROM outbox_deliveries WHERE event_id = ANY ($1) RETURNING event_id, listener", [old, undelivered]
    )

    assert [tuple(row) for row in cleared] == [(old, own)]


async def test_an_event_goes_once_nobody_waits_for_it(service: Connection, districts: Districts) -> None:
    free, awaited = await event(districts.ours, 8), await event(districts.ours, 8, "points")

    assert await service.execute("DELETE FROM outbox_events WHERE id = $1", free) == "DELETE 1"
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await service.execute("DELETE FROM outbox_events WHERE id = $1", awaited)


async def test_nothing_of_another_district_goes(service: Connection, districts: Districts) -> None:
    theirs = await event(districts.theirs, 60)

    assert await service.execute("DELETE FROM outbox_events WHERE id = $1", theirs) == "DELETE 0"
