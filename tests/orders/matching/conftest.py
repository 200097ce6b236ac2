"""Short ways to say what the tests of matching say again and again."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.database import Database
from services.chassis.settings import Settings
from tests.world import Person, World


@pytest.fixture(scope="session")
async def orders_database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, service="orders", pool_size=8)
    await database.open()
    yield database
    await database.close()


async def put(person: Person, path: str, body: Any) -> httpx2.Response:
    return await person.client.put(path, json=body)


async def delete(person: Person, path: str) -> httpx2.Response:
    return await person.client.delete(path)


def said(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("code")) if answer.content else ""


async def offers(world: World, who: str, **profile: Any) -> None:
    answer = await put(world.people[who], "/v1/helpers/me", profile)
    assert answer.status_code == 200, answer.text


async def away(world: World, who: str, *, days: float = 7) -> None:
    """From now on."""
    now = clock.now()
    body = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(days=days)).isoformat()}
    answer = await world.people[who].post("/v1/helpers/me/absences", body)
    assert answer.status_code == 201, answer.text


async def triaged(world: World, by: str = "zhang", *, priority: str = "normal", **body: Any) -> dict[str, Any]:
    """An order that waits to be dispatched."""
    order = await world.order(by, **body)
    return await world.act(order["id"], "dispatcher", "triage", {"priority": priority})


async def done_before(world: World, helper: str = "member") -> None:
    """Mr Zhang is no stranger, and the helper knows his home."""
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.people[helper].account_id)})
    await world.act(order["id"], helper, "accept")
    await world.act(order["id"], helper, "complete", {"note": "已送到"})


async def suggested(world: World, order_id: str, by: str = "dispatcher") -> dict[str, Any]:
    answer = await world.people[by].get(f"/v1/orders/{order_id}/suggestions")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def names(suggestions: dict[str, Any]) -> list[str]:
    return [one["name"] for one in suggestions["items"]]


def left_out(suggestions: dict[str, Any]) -> dict[str, int]:
    return {one["reason"]: one["helpers"] for one in suggestions["left_out"]}


async def decide(world: World, mode: str = "suggest", **body: Any) -> dict[str, Any]:
    """A dispatch policy that holds from now on."""
    answer = await world.district_admin.post("/v1/dispatch-policies", {"mode": mode, "note": "试行", **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def history(world: World, order_id: str) -> list[dict[str, Any]]:
    answer = await world.dispatcher.get(f"/v1/orders/{order_id}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["history"])


async def plan(world: World, by: str = "dispatcher", area: str = "community", **body: Any) -> dict[str, Any]:
    answer = await world.people[by].post("/v1/dispatch-plans", {"area_id": str(world.areas[area]), **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def this_hour() -> list[list[Any]]:
    """Weekly hours that hold all day today, in Shanghai."""
    return [[clock.now().astimezone(SHANGHAI).isoweekday(), "00:00", "24:00"]]


def in_some_days(days: int) -> datetime:
    return clock.now() + timedelta(days=days)


def nobody() -> UUID:
    return uuid4()
