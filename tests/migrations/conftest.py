"""A database of these tests' own with two districts in it, every tenant table filled for both."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from migrations.row_security import ROLES
from models import Base
from models.base import GLOBAL_TABLES
from services.chassis import clock
from services.chassis.database import tenant_statement
from services.chassis.schemas import new_id
from tests.conftest import TestServer, make_settings
from tests.migrations.catalog import Connection, connected
from tests.world import World, make_world

TENANT_TABLES = sorted(set(Base.metadata.tables) - GLOBAL_TABLES)


@dataclass(frozen=True)
class Districts:
    """Ours and theirs: what a session of `ours` must never see or change is `theirs`."""

    url: str
    ours: World
    theirs: World


@pytest.fixture(scope="session")
async def districts(postgres: TestServer) -> AsyncIterator[Districts]:
    settings = make_settings(postgres.clone(), Path("unused"))
    nowhere = httpx2.MockTransport(lambda _request: httpx2.Response(404))
    ours, theirs = await make_world(settings, nowhere), await make_world(settings, nowhere)
    for world in (ours, theirs):
        await _fill(world)
        assert [table for table in TENANT_TABLES if not await _has_rows(world, table)] == []
    yield Districts(settings.database_url, ours, theirs)
    await ours.close()
    await theirs.close()


@pytest.fixture
async def owner(districts: Districts) -> AsyncIterator[Connection]:
    """The user migrations run as, in a transaction of our district that is rolled back."""
    async with connected(districts.url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(tenant_statement(districts.ours.tenant_id))
        yield connection
        await transaction.rollback()


async def _has_rows(world: World, table: str) -> bool:
    if table == "idempotency_keys":  # which show themselves to their service only
        return True
    return bool(await world.fetch_value(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", world.tenant_id))


async def _fill(world: World) -> None:
    """What make_world leaves empty: an order with its history and photo, its event, its points, a post."""
    now, account = clock.now(), world.zhang.account_id
    order, photo, event, transaction = new_id(), new_id(), new_id(), new_id()
    await world.insert(
        "orders", id=order, kind="buy_medicine", area_id=world.areas["building"], community_id=world.areas["community"],
        resident_id=world.zhang.resident_id, placed_by=account, description="代购", contact_name="张德明",
        address="3栋", placed_at=now,
    )  # fmt: skip
    await world.insert(
        "order_history", order_id=order, sequence=1, action="place", to_state="placed", actor_id=account, at=now
    )
    await world.insert(
        "files", id=photo, uploaded_by=account, media_type="image/jpeg", size_bytes=1, sha256=b"", width=1, height=1
    )
    await world.insert("order_files", order_id=order, file_id=photo, purpose="request")
    await world.insert("outbox_events", id=event, kind="order_rated", payload="{}", occurred_at=now)
    for role in ROLES:
        listener = role.removeprefix("linli_")
        await world.insert("outbox_deliveries", event_id=event, listener=listener, due_at=now)
    await world.insert(
        "posts", id=new_id(), area_id=world.areas["building"], kind="building_leader", holder_name="刘伟民"
    )
    await world.insert(
        "ledger_transactions", id=transaction, kind="reward", source_kind="order_rated", source_id=str(order),
        reason="代购药品", effective_at=now,
    )  # fmt: skip
    for kind, owner, amount in [("member", account, 5), ("issuing_community", world.areas["community"], -5)]:
        ledger_account = new_id()
        await world.insert(
            "ledger_accounts", id=ledger_account, asset="points", kind=kind, owner_id=owner, balance=amount, version=1
        )
        await world.insert(
            "ledger_entries", account_id=ledger_account, sequence=1, transaction_id=transaction, amount=amount,
            balance_after=amount,
        )  # fmt: skip
    await _answer_once_in_every_service(world)


async def _answer_once_in_every_service(world: World) -> None:
    for role in ROLES:
        async with connected(world.settings.database_url, role) as connection, connection.transaction():
            await connection.execute(tenant_statement(world.tenant_id))
            await connection.execute(
                "SELECT idempotency_store($1, $2, 'monday', '', 200::smallint, '{}')",
                world.tenant_id,
                world.zhang.account_id,
            )
