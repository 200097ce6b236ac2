"""Sign-ins that are over are forgotten after a while; those that live stay however old they are."""

from datetime import timedelta

import pytest
from fastapi import FastAPI

from services.chassis import clock
from services.chassis.database import Database
from services.chassis.retention import RetentionWorker
from services.chassis.schemas import new_id
from services.identity.tokens.actions import ended_sessions
from tests.world import World

KEPT = timedelta(days=30)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ended", "expires", "stays"),
    [
        (None, DAY, True),
        (None, -KEPT + DAY, True),
        (None, -KEPT - DAY, False),
        (-KEPT + DAY, DAY, True),
        (-KEPT - DAY, DAY, False),
        (-KEPT - DAY, -DAY, False),
    ],
)
async def test_thirty_days_after_its_end(
    world: World, identity: FastAPI, ended: timedelta | None, expires: timedelta, stays: bool
) -> None:
    now, session_id = clock.now(), new_id()
    await world.fetch(
        "INSERT INTO sessions (id, account_id, tenant_id, method, created_at, expires_at, ended_at)"
        " VALUES ($1, $2, $3, 'demo', $4, $5, $6)",
        session_id, world.zhang.account_id, world.tenant_id, now - 6 * KEPT, now + expires, ended and now + ended,
    )  # fmt: skip
    database: Database = identity.state.database

    await RetentionWorker(database, [ended_sessions(KEPT)], poll_seconds=3600).clear()

    assert bool(await world.fetch_value("SELECT true FROM sessions WHERE id = $1", session_id)) == stays
    assert (await world.zhang.get("/v1/me")).status_code == 200
