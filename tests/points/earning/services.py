"""Services to credit in tests: rated orders, and certifications."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2

from services.chassis import clock
from services.chassis.schemas import new_id
from services.events import OrderRated
from services.points.earning.crediting import credit_order
from tests.points.books import Books
from tests.world import Person, World

HOUR = timedelta(hours=1)


def rated(books: Books, **changes: Any) -> OrderRated:
    """Mr Zhang gives the member five stars."""
    values: dict[str, Any] = {
        "order_id": new_id(),
        "number": 10_000_001,
        "order_kind": "buy_medicine",
        "order_kind_name": "代购药品",
        "community_id": books.community_id,
        "assignee_id": books.world.member.account_id,
        "stars": 5,
        "solved": True,
        "rated_at": clock.now(),
        **changes,
    }
    return OrderRated(**values)


async def deliver(books: Books, event: OrderRated) -> None:
    """Credited as a delivery does it; many may run at once."""
    async with books.database.hot_transaction(books.world.tenant_id) as connection:
        await credit_order(connection, books.world.tenant_id, event)


async def credit(books: Books, **changes: Any) -> dict[str, Any]:
    """A rated order, credited; its service record."""
    event = rated(books, **changes)
    await deliver(books, event)
    (record,) = await books.world.fetch("SELECT * FROM service_records WHERE source_id = $1", event.order_id)
    return dict(record)


def participant(person: Person, *, began_at: datetime | None = None, minutes: int = 90) -> dict[str, Any]:
    """Who served, by default until an hour ago."""
    begins = began_at or clock.now() - HOUR - timedelta(minutes=minutes)
    return {"account_id": str(person.account_id), "began_at": begins.isoformat(), "minutes": minutes}


def certification(world: World, participants: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Of an activity in 康乐路南."""
    return {
        "activity": {"id": str(uuid4()), "name": "小区清洁日", "service_kind": "environment"},
        "community_id": str(world.areas["community"]),
        "participants": list(participants),
        **changes,
    }


async def certify(
    world: World, *participants: dict[str, Any], by: str = "points_clerk", **changes: Any
) -> httpx2.Response:
    return await world.people[by].post("/v1/points/certifications", certification(world, participants, **changes))


async def certified(world: World, *participants: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A certification that must succeed; its answer."""
    answer = await certify(world, *participants, **changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def balance(books: Books, account_id: UUID, asset: str) -> int:
    """0 without an account."""
    found = await books.world.fetch_value(
        "SELECT balance FROM ledger_accounts WHERE owner_id = $1 AND asset = $2 AND kind = 'member'", account_id, asset
    )
    return int(found or 0)


async def records_of(world: World, account_id: UUID) -> list[dict[str, Any]]:
    rows = await world.fetch("SELECT * FROM service_records WHERE account_id = $1 ORDER BY sequence", account_id)
    return [dict(row) for row in rows]
