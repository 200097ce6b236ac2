"""What was rated before answers and call-backs were kept: it is an answer, and due where somebody must decide."""

import asyncio
from datetime import UTC, datetime, timedelta

from alembic import command

from launcher.database import alembic_config, migrate
from services.chassis.schemas import new_id
from tests.conftest import TestServer
from tests.migrations.catalog import connected

BEFORE = "0017"


async def test_what_was_rated_unsolved_waits_for_a_decision(postgres: TestServer) -> None:
    url, tenant, now = postgres.clone(), new_id(), datetime.now(UTC)
    await asyncio.to_thread(command.downgrade, alembic_config(url), BEFORE)
    stories = {
        "unsolved": ("rated", "close", now, False), "solved": ("rated", "close", now, True),
        "silent": ("completed", "verify", now, None), "long ago": ("rated", "done", now - timedelta(days=91), False),
        "closed": ("closed", "done", now - timedelta(days=1), False),
    }  # fmt: skip
    orders = {name: new_id() for name in stories}
    async with connected(url) as owner:
        await owner.execute("INSERT INTO tenants (id, code, name) VALUES ($1, '441600', '源城区')", tenant)
        await owner.execute("SET session_replication_role = replica")  # nobody else is needed for the story
        for name, (state, stage, completed_at, solved) in stories.items():
            rated_at = None if solved is None else completed_at + timedelta(hours=1)
            await owner.execute(
                ORDER, tenant, orders[name], state, stage, completed_at, solved, rated_at, None if solved is None else 3
            )
            if rated_at:
                await owner.execute(RATED, tenant, orders[name], rated_at, solved)
    await asyncio.to_thread(migrate, url)
    async with connected(url) as owner:
        due = await owner.fetch("SELECT order_id, cause, due_at FROM due_follow_ups WHERE tenant_id = $1", tenant)
        answers = await owner.fetch("SELECT order_id, solved FROM order_answers WHERE tenant_id = $1", tenant)
    assert {row["order_id"]: (row["cause"], row["due_at"]) for row in due} == {
        orders["silent"]: ("unanswered", now),
        orders["unsolved"]: ("unsolved", now + timedelta(hours=1)),
        orders["closed"]: ("unsolved", now - timedelta(hours=23)),
    }
    assert {row["order_id"]: row["solved"] for row in answers} == {
        orders[name]: solved for name, (_, _, _, solved) in stories.items() if solved is not None
    }


ORDER = """
INSERT INTO orders (
    tenant_id, id, kind, state, stage, lifecycle_version, area_id, community_id, resident_id, placed_by, assignee_id,
    description, contact_name, address, placed_at, completed_at, solved, rated_at, stars
) VALUES ($1, $2, 'buy_medicine', $3, $4, 1, $2, $2, $2, $2, $2, '代购', '张德明', '3栋', $5, $5, $6, $7, $8)
"""
RATED = """
INSERT INTO order_history (tenant_id, order_id, sequence, action, to_state, at, details)
VALUES ($1, $2, 1, 'rate', 'rated', $3, jsonb_build_object('solved', $4::boolean, 'stars', 3))
"""
