"""Rules and rewards from before there were versions: taken over as they counted."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command

from launcher.database import alembic_config
from services.chassis.database import driver_url
from services.chassis.schemas import new_id
from services.points.earning.arithmetic import Service, Used, earned
from services.points.earning.terms import Terms
from tests.conftest import TestServer

SPRING, SUMMER, AUTUMN = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 6, 9))


@pytest.fixture
async def before(postgres: TestServer) -> AsyncIterator[tuple[str, asyncpg.Connection, UUID]]:
    """A database as it was, with one district."""
    url, tenant = postgres.clone(), new_id()
    await asyncio.to_thread(command.downgrade, alembic_config(url), "0009")
    connection = await asyncpg.connect(driver_url(url), server_settings={"linli.tenant": str(tenant)})
    await connection.execute("INSERT INTO tenants (id, code, name) VALUES ($1, '441602', '源城区')", tenant)
    yield url, connection, tenant
    await connection.close()


async def insert(connection: asyncpg.Connection, table: str, **values: Any) -> None:
    places = ", ".join(f"${i}" for i in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values())


async def upgrade(url: str) -> None:
    await asyncio.to_thread(command.upgrade, alembic_config(url), "0010")


async def test_a_version_wherever_a_rule_began_or_ended(before: tuple[str, asyncpg.Connection, UUID]) -> None:
    url, connection, tenant = before
    rules = [
        (None, 4, 0, SPRING, SUMMER),
        (None, 5, 2, SUMMER, None),
        ("buy_medicine", 8, 2, SPRING, AUTUMN),
    ]
    for kind, points_then, bonus, valid_from, valid_to in rules:
        await insert(
            connection, "reward_rules", tenant_id=tenant, id=new_id(), order_kind=kind, points=points_then, min_stars=3,
            bonus_points=bonus, bonus_stars=5, valid_from=valid_from, valid_to=valid_to,
        )  # fmt: skip
    await upgrade(url)
    versions = await connection.fetch("SELECT * FROM earning_rule_versions ORDER BY version")
    assert [(v["version"], v["state"], v["active_from"], v["drafted_by"]) for v in versions] == [
        (1, "active", SPRING, None),
        (2, "active", SUMMER, None),
        (3, "active", AUTUMN, None),
    ]
    terms = [Terms.model_validate_json(version["terms"]) for version in versions]
    assert [json.loads(v["terms"]) for v in versions] == [t.model_dump(mode="json") for t in terms]

    def points(kind: str, stars: int, *, solved: bool = True) -> list[int]:
        return [earned(each, Service(kind, True, None, stars, solved), Used()).points for each in terms]

    assert points("buy_medicine", 5) == [10, 10, 7]
    assert points("snow_clearing", 5) == [4, 7, 7]
    assert points("snow_clearing", 3) == [4, 5, 5]
    assert points("snow_clearing", 2) == points("snow_clearing", 5, solved=False) == [0, 0, 0]


async def test_a_record_of_each_order_that_was_rated(before: tuple[str, asyncpg.Connection, UUID]) -> None:
    url, connection, tenant = before
    helper, community, orders = uuid4(), new_id(), [uuid4() for _ in range(3)]
    await insert(connection, "accounts", id=helper, name="陈志强")
    await insert(connection, "memberships", tenant_id=tenant, account_id=helper)
    await insert(connection, "area_levels", tenant_id=tenant, level="community", name="社区", depth=0)
    await insert(
        connection, "areas", tenant_id=tenant, id=community, level="community", code="441602004010",
        name="康乐路南社区", ancestor_ids=[community], community_id=community,
    )  # fmt: skip
    await insert(
        connection, "reward_rules", tenant_id=tenant, id=new_id(), order_kind=None, points=5, min_stars=3,
        bonus_points=2, bonus_stars=5, valid_from=SPRING,
    )  # fmt: skip
    for number, (order, stars) in enumerate(zip(orders, (5, 2, 4), strict=True)):
        rated_at = SUMMER.replace(day=1 + number, hour=16)
        event = new_id()
        payload = {
            "order_id": order, "order_kind": "buy_medicine", "community_id": community, "assignee_id": helper,
            "stars": stars, "solved": True, "rated_at": rated_at.isoformat(),
        }  # fmt: skip
        await insert(
            connection, "outbox_events", tenant_id=tenant, id=event, kind="order_rated",
            payload=json.dumps(payload, default=str), occurred_at=rated_at,
        )  # fmt: skip
        await insert(
            connection, "outbox_deliveries", tenant_id=tenant, event_id=event, listener="points", due_at=rated_at,
            delivered_at=None if number == 2 else rated_at,
        )  # fmt: skip
    account, transaction = new_id(), new_id()
    await insert(
        connection, "ledger_transactions", tenant_id=tenant, id=transaction, kind="reward", source_kind="order_rated",
        source_id=str(orders[0]), reason="代购药品", effective_at=SUMMER, details='{"sum": "5 + 2（5星）= 7"}',
    )  # fmt: skip
    await insert(
        connection, "ledger_accounts", tenant_id=tenant, id=account, asset="points", kind="member", owner_id=helper,
        balance=7, version=1,
    )  # fmt: skip
    await insert(
        connection, "ledger_entries", tenant_id=tenant, account_id=account, sequence=1, transaction_id=transaction,
        amount=7, balance_after=7,
    )  # fmt: skip
    await upgrade(url)
    records = await connection.fetch("SELECT * FROM service_records ORDER BY sequence")
    assert [
        (r["source_id"], r["sequence"], r["points"], r["transaction_id"], r["rule_version"], r["stars"])
        for r in records
    ] == [(orders[0], 1, 7, transaction, 1, 5), (orders[1], 2, 0, None, 1, 2)], "the third is still to be delivered"
    assert [str(record["served_on"]) for record in records] == ["2026-06-02", "2026-06-03"], "in Shanghai"
    assert json.loads(records[0]["details"]) == {"sum": "5 + 2（5星）= 7"}
