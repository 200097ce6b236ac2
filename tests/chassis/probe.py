"""A service small enough to be read whole, standing on the real chassis: what every service has, without a business."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, File, Form, Request, Response, UploadFile
from pydantic import Field
from sqlalchemy import text

from services.chassis.application import create_service
from services.chassis.commands import Command
from services.chassis.errors import Problem
from services.chassis.idempotency import ONCE, REPLAYED, OnceKey, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, Limit
from services.chassis.schemas import Body, Latitude, Line, Longitude, Moment, Name, Paragraph, Phone
from services.chassis.settings import Settings

SERVICE = "grid"
"""Whose role the probe borrows."""


class ProbeClosed(Problem):
    status = 409
    code = "probe_closed"
    zh = "正在盘点：{reason}。"
    en = "Closed for {reason}."


class ProbeCounted(Problem):
    status = 403
    code = "probe_counted"
    zh = "次数已记录。"
    en = "This attempt counts."
    keeps_effects = True


class Unforeseen(Exception):
    """Carries what must never reach a log or an answer."""


class EffectMaking(Body):
    note: Line


class Everything(Body):
    """One field of each kind the chassis offers."""

    name: Name | None = None
    words: Paragraph | None = None
    phone: Phone | None = None
    moment: Moment | None = None
    ratio: float | None = None
    lng: Longitude | None = None
    lat: Latitude | None = None
    count: Annotated[int | None, Field(ge=0, le=2**53)] = None


cold = APIRouter(prefix="/v1/cold", route_class=TenantRoute)
hot = APIRouter(prefix="/v1/hot")


@cold.post("", status_code=201, dependencies=ONCE)
async def make_effect(body: EffectMaking, transaction: Transaction, caller: Caller) -> dict[str, Any]:
    tenant = {"tenant": caller.tenant_id}
    if body.note in {"40P01", "40001"}:
        await transaction.execute(text("SELECT stumble(:sqlstate)"), {"sqlstate": body.note})
    if body.note == "raise":
        raise Unforeseen(f"{caller.name} 13800138000")
    made = await transaction.execute(
        text("INSERT INTO effects (tenant_id, note) VALUES (:tenant, :note) RETURNING id, note"),
        {**tenant, "note": body.note},
    )
    if await transaction.scalar(text("SELECT true FROM effects WHERE note = 'closed' LIMIT 1")):
        raise ProbeClosed(reason="stocktaking")
    if body.note == "counts":
        raise ProbeCounted
    return dict(made.mappings().one())


@cold.post("/photo", status_code=201)  # without ONCE, which only documents the key: the route alone does the work
async def keep_photo(
    transaction: Transaction,
    caller: Caller,
    file: Annotated[UploadFile, File()],
    note: Annotated[str, Form()] = "",
) -> dict[str, Any]:
    content = (await file.read()).decode()
    if note == "40P01":
        await transaction.execute(text("SELECT stumble('40P01')"))
    await transaction.execute(
        text("INSERT INTO effects (tenant_id, note) VALUES (:tenant, :note)"),
        {"tenant": caller.tenant_id, "note": content},
    )
    return {"note": content}


@cold.get("")
async def list_effects(transaction: Transaction, caller: Caller) -> list[str]:
    notes = await transaction.scalars(text("SELECT note FROM effects ORDER BY note"))
    return list(notes)


@hot.post("", status_code=201)
async def command_effect(request: Request, body: EffectMaking, caller: Caller, once: OnceKey) -> Response:
    command: Command = request.app.state.make_effect
    answer = await command(
        caller.tenant_id,
        {
            "account": caller.account_id,
            "idempotency_key": once.key,
            "request_hash": once.request_hash.hex(),
            "note": body.note,
        },
    )
    return Response(answer.body, answer.status, {REPLAYED: "true"} if answer.replayed else None)


@hot.post("/everything")
async def take_everything(body: Everything) -> Everything:
    return body


@hot.get("/{id}/things")
async def list_things(id: UUID, since: Moment | None = None, limit: Limit = 20, cursor: Cursor = None) -> None:
    """Parameters of each place and kind."""


@hot.get("/{number}/broken")
async def break_down(number: str) -> None:
    raise Unforeseen(f"张德明 13800138000 {number}")


def create_probe(settings: Settings) -> FastAPI:
    return create_service(SERVICE, settings, title="Probe", routers=[cold, hot], resources=_resources)


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    app.state.make_effect = Command(app.state.database, "effect_make")
    yield
