"""The past of the demo district against the product: every step is taken again by `order_step`, and leads as far."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from demo.district import District, build
from demo.histories import PastOrder
from demo.order_rows import standing_columns
from demo.places import TENANT_ID
from demo.seed import load_district
from demo.standing import Step
from models.orders import OrderAction
from services.chassis import clock
from services.chassis.database import driver_url, tenant_statement
from services.chassis.identity import AreaGrant, Identity
from services.chassis.schemas import new_id
from services.orders.orders.actions import step_command, system_step
from tests.conftest import TestServer

TODAY = date(2026, 11, 22)

AS_PLACED = """
    INSERT INTO orders (
        tenant_id, id, kind, state, stage, lifecycle_version, area_id, community_id, household_id, resident_id,
        placed_by, description, contact_name, contact_phone, address, wanted_from, wanted_until, placed_at,
        priority, visibility, helpers_wanted
    )
    SELECT o.tenant_id, $2, o.kind, 'placed', 'receive', o.lifecycle_version, o.area_id, o.community_id, o.household_id,
        o.resident_id, o.placed_by, o.description, o.contact_name, o.contact_phone, o.address, o.wanted_from,
        o.wanted_until, o.placed_at, k.default_priority, k.default_visibility, k.helpers_wanted
    FROM orders o JOIN order_kinds k ON k.tenant_id = o.tenant_id AND k.id = o.kind WHERE o.id = $1
"""
AS_PLACED_HISTORY = """
    INSERT INTO order_history (tenant_id, order_id, sequence, action, to_state, actor_id, at)
    SELECT tenant_id, $2, 1, 'place', 'placed', placed_by, placed_at FROM orders WHERE id = $1
"""


@pytest.fixture(scope="module")
def district() -> District:
    return build(TODAY)


@pytest.fixture(scope="module")
async def connection(postgres: TestServer, district: District) -> AsyncIterator[asyncpg.Connection]:
    """With the district in it, and every order a second time, gone the same way by the product."""
    connection = await asyncpg.connect(driver_url(postgres.clone()))
    async with connection.transaction():
        await load_district(connection, district)
    async with connection.transaction():
        await connection.execute(tenant_statement(TENANT_ID))
        await _go_again(connection, district)
        yield connection
    await connection.close()


def again(order_id: UUID) -> UUID:
    """The id of the same order gone a second time."""
    return UUID(int=order_id.int ^ 1)


async def _go_again(connection: asyncpg.Connection, district: District) -> None:
    callers = _Callers(district)
    taken = [
        (step.at, number, sequence, order, step)
        for number, order in enumerate(district.orders)
        for sequence, step in enumerate(order.steps)
        if not follows_from_another(step)
    ]
    for _, _, _, order, step in sorted(taken, key=lambda one: one[:3]):
        if step.action is OrderAction.PLACE:
            await connection.execute(AS_PLACED, order.id, again(order.id))
            await connection.execute(AS_PLACED_HISTORY, order.id, again(order.id))
            continue
        command = msgspec.json.encode(_command(order, step, callers), enc_hook=str).decode()
        answer = await connection.fetchrow("SELECT status, body FROM order_step($1, $2)", TENANT_ID, command)
        assert answer is not None
        assert answer["status"] == 200, (order.key, step, answer["body"])


def follows_from_another(step: Step) -> bool:
    """Taken by the product along with the step that causes it."""
    return step.actor_id is None and step.action in {OrderAction.REDO, OrderAction.FOLLOW}


def _command(order: PastOrder, step: Step, callers: "_Callers") -> Mapping[str, Any]:
    carried = {"note": step.note, **_carried(step)}
    with clock.shifted(step.at - datetime.now(UTC)):
        if step.actor_id is None:
            command = system_step(again(order.id), step.action, **carried)
        else:
            command = step_command(callers.of(step.actor_id), again(order.id), step.action, **carried)
    return {**command, "now": step.at}


def _carried(step: Step) -> dict[str, Any]:
    """What the step brought with it, from what its details tell."""
    match step.action:
        case OrderAction.TRIAGE:
            return {name: change[1] for name, change in step.details.items()}
        case OrderAction.MERGE:
            return {"into_id": again(UUID(step.details["into_id"]))}
        case OrderAction.RATE:
            return {**step.details, "event_id": new_id(), "listeners": ()}
    return step.details


class _Callers:
    """The people of the district as the orders service would see them."""

    def __init__(self, district: District) -> None:
        self._residents = {
            person.account_id: person.id for person in district.people.persons if person.account_id is not None
        }
        self._grants: dict[UUID, list[AreaGrant]] = defaultdict(list)
        for grant in district.staff.grants:
            held = AreaGrant(grant.role, grant.area.id, grant.valid_from, grant.valid_to)
            self._grants[grant.account.id].append(held)

    def of(self, account_id: UUID) -> Identity:
        grants = tuple(self._grants[account_id])
        return Identity(account_id, TENANT_ID, account_id, "", self._residents.get(account_id), grants)


class TestPastOrders:
    async def test_every_order_stands_where_the_product_would_have_brought_it(
        self, connection: asyncpg.Connection, district: District
    ) -> None:
        for order in district.orders:
            row = await connection.fetchrow("SELECT * FROM orders WHERE id = $1", again(order.id))
            assert row is not None
            expected = {**standing_columns(order), "version": len(order.steps)}
            if expected["merged_into"] is not None:
                expected["merged_into"] = again(expected["merged_into"])
            assert {column: row[column] for column in expected} == expected, order.key

    async def test_every_history_is_the_one_the_product_would_have_written(
        self, connection: asyncpg.Connection, district: District
    ) -> None:
        for order in district.orders:
            own, gone_again = [list(_told(await _history(connection, id_))) for id_ in (order.id, again(order.id))]
            assert own == gone_again, order.key

    async def test_everybody_who_helped_is_there(self, connection: asyncpg.Connection, district: District) -> None:
        (order,) = [order for order in district.orders if order.helpers]
        helpers = "SELECT account_id, task, joined_at, left_at, minutes FROM order_helpers WHERE order_id = $1"

        assert await connection.fetch(f"{helpers} ORDER BY joined_at", order.id) == await connection.fetch(
            f"{helpers} ORDER BY joined_at", again(order.id)
        )
        assert len(order.helpers) == 7

    async def test_nothing_was_due_when_the_day_began(self, connection: asyncpg.Connection) -> None:
        """The first thing the keeper of timers finds is as fresh as the district."""
        soonest = await connection.fetchval("SELECT min(timer_at) FROM orders")

        assert soonest > datetime.combine(TODAY, datetime.min.time(), clock.SHANGHAI)


async def _history(connection: asyncpg.Connection, order_id: UUID) -> list[asyncpg.Record]:
    history = "SELECT * FROM order_history WHERE order_id = $1 ORDER BY sequence"
    return list(await connection.fetch(history, order_id))


def _told(history: list[asyncpg.Record]) -> Iterator[dict[str, Any]]:
    """Without what cannot be the same in both: the id and number of the main order, and how a moment is written."""
    for row in history:
        details = msgspec.json.decode(row["details"])
        details.pop("into_id", None)
        if "until" in details:
            details["until"] = datetime.fromisoformat(details["until"])
        note = None if row["action"] == OrderAction.FOLLOW else row["note"]
        columns = ("sequence", "action", "from_state", "to_state", "actor_id", "at")
        yield {**{column: row[column] for column in columns}, "note": note, "details": details}
