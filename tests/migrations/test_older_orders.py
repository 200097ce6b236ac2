"""Orders of before lifecycles close as the standard one says: what is long over at once, the rest in its time."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alembic import command

from launcher.database import alembic_config, migrate
from services.chassis import clock
from services.chassis.schemas import new_id
from tests.conftest import TestServer
from tests.migrations.catalog import Connection, connected

BEFORE = "0013"
NOW = clock.now()
OLD, NEW = timedelta(days=40), timedelta(days=1)


class District:
    """The least that orders need to stand in a database of before."""

    def __init__(self, owner: Connection, number: int) -> None:
        self.owner, self.id, self.person, self.area = owner, new_id(), new_id(), new_id()
        self.code = f"44160{number}"

    async def insert(self, table: str, **values: Any) -> None:
        places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
        await self.owner.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values())

    async def found(self) -> None:
        await self.insert("tenants", id=self.id, code=self.code, name="源城区")
        await self.enter()
        await self.insert("accounts", id=self.person, name="张德明")
        await self.insert("memberships", tenant_id=self.id, account_id=self.person)
        await self.insert("area_levels", tenant_id=self.id, level="community", name="社区", depth=0)
        await self.insert(
            "areas", tenant_id=self.id, id=self.area, level="community", code=self.code, name="康乐路南社区",
            ancestor_ids=[self.area], community_id=self.area, valid_from=NOW.date(),
        )  # fmt: skip
        await self.insert("order_kinds", tenant_id=self.id, id="buy_medicine", name="代购药品", category="care")

    async def enter(self) -> None:
        await self.owner.execute(f"SET linli.tenant = '{self.id}'")

    async def order(self, state: str, since: timedelta) -> UUID:
        """With a history of one row per version, as ever."""
        order, at = new_id(), NOW - since
        resident = new_id()
        await self.insert("residents", tenant_id=self.id, id=resident, name="张德明")
        rated = {"rated_at": at, "stars": 5, "solved": True} if state == "rated" else {}
        await self.insert(
            "orders", tenant_id=self.id, id=order, kind="buy_medicine", state=state, area_id=self.area,
            community_id=self.area, resident_id=resident, placed_by=self.person, assignee_id=self.person,
            description="代购", contact_name="张德明", address="3栋", placed_at=at, completed_at=at, version=1, **rated,
        )  # fmt: skip
        await self.insert(
            "order_history", tenant_id=self.id, order_id=order, sequence=1, action="place", to_state=state,
            actor_id=self.person, at=at,
        )  # fmt: skip
        return order

    async def read(self, order: UUID) -> dict[str, Any]:
        await self.enter()
        row = await self.owner.fetchrow("SELECT * FROM orders WHERE tenant_id = $1 AND id = $2", self.id, order)
        assert row is not None
        rows = await self.owner.fetch(
            "SELECT * FROM order_history WHERE tenant_id = $1 AND order_id = $2 ORDER BY sequence", self.id, order
        )
        assert row["version"] == len(rows)
        return {**row, "last": dict(rows[-1])}


async def test_they_close_and_come_back_as_they_were(postgres: TestServer) -> None:
    url = postgres.clone()
    await asyncio.to_thread(command.downgrade, alembic_config(url), BEFORE)
    async with connected(url) as owner:
        districts = [District(owner, number) for number in (1, 2)]
        orders: list[dict[tuple[str, timedelta], UUID]] = []
        for district in districts:
            await district.found()
            orders.append({(s, d): await district.order(s, d) for s in ("rated", "completed") for d in (OLD, NEW)})
        was = [await districts[0].read(order) for order in orders[0].values()]
        await asyncio.to_thread(migrate, url)
        for district, placed in zip(districts, orders, strict=True):
            await _check(district, placed)
        await asyncio.to_thread(command.downgrade, alembic_config(url), BEFORE)
        assert [await districts[0].read(order) for order in orders[0].values()] == was


async def _check(district: District, placed: dict[tuple[str, timedelta], UUID]) -> None:
    over = await district.read(placed["rated", OLD])
    assert (over["state"], over["stage"], over["version"], over["timer_at"]) == ("closed", "done", 2, None)
    assert over["closed_at"] == over["last"]["at"] == NOW - OLD + timedelta(days=3)
    assert (over["last"]["action"], over["last"]["actor_id"], over["last"]["from_state"]) == ("close", None, "rated")
    assert json.loads(over["last"]["details"]) == {"because": "upgrade"}

    rated = await district.read(placed["rated", NEW])
    assert (rated["state"], rated["timer_action"]) == ("rated", "close")
    assert rated["timer_at"] == NOW - NEW + timedelta(days=3)

    for since, earliest in ((OLD, NOW + timedelta(days=7)), (NEW, NOW - NEW + timedelta(days=15))):
        done = await district.read(placed["completed", since])
        assert (done["state"], done["timer_action"]) == ("completed", "close")
        assert _is_about(done["timer_at"], earliest)


def _is_about(moment: datetime, expected: datetime) -> bool:
    """The migration has its own now."""
    return abs(moment - expected) < timedelta(minutes=10)
