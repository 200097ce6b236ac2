"""What every service process is: a FastAPI app with its database, its caller, its problems and its health."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import asyncpg
from alembic.script import ScriptDirectory
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from services.chassis.database import CONNECTION_LOST, Database, is_connection_lost
from services.chassis.errors import (
    PROBLEM_JSON,
    BodyTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
    ServiceUnavailable,
    UnreadableBody,
    invalid_request,
    problem_body,
)
from services.chassis.idempotency import IDEMPOTENCY_KEY, REPLAYED, IdempotencyKeyMissing
from services.chassis.identity import Identities
from services.chassis.outbox import DeliveryWorker, Effect
from services.chassis.request_guard import RequestGuard
from services.chassis.retention import Clearing, RetentionWorker, clearings_of
from services.chassis.schemas import Answer, ProblemAnswer
from services.chassis.settings import Settings
from services.chassis.tokens import TokenVerifier, key_source
from services.events import Event

logger = logging.getLogger(__name__)

VERSION = "0.1.0"
MULTIPART_ROOM_BYTES = 100_000
"""What multipart/form-data may add to a file."""

Resources = Callable[[FastAPI], AbstractAsyncContextManager[None]]
"""Opens what a service keeps beside its database, puts it on `app.state`, and closes it."""


def create_service(
    name: str,
    settings: Settings,
    *,
    title: str,
    routers: Sequence[APIRouter],
    subscriptions: Mapping[type[Event], Effect] | None = None,
    resources: Resources | None = None,
    clearings: Sequence[Clearing] = (),
) -> FastAPI:
    """The app of one service. Its lifespan opens the database and starts delivering events to it.

    `clearings` are beside those of every service (services/chassis/retention.py).
    """
    app = FastAPI(
        title=title,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(name, settings, subscriptions or {}, resources, clearings),
        responses=problems(InvalidRequest),
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = name
    app.state.settings = settings
    for router in [_health, *routers]:
        app.include_router(router)
    answer_problems(app)
    _document_problems(app)
    app.add_middleware(RequestGuard, limit_bytes=settings.max_upload_bytes + MULTIPART_ROOM_BYTES)
    return app


def _lifespan(
    name: str,
    settings: Settings,
    subscriptions: Mapping[type[Event], Effect],
    resources: Resources | None,
    clearings: Sequence[Clearing],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            database = Database(settings.database_url, service=name, pool_size=settings.pool_size)
            stack.push_async_callback(database.close)
            await database.open()
            app.state.database = database
            app.state.verifier = TokenVerifier(key_source(settings))
            app.state.identities = Identities(database)
            if resources is not None:
                await stack.enter_async_context(resources(app))
            if subscriptions:
                worker = DeliveryWorker(
                    database, listener=name, effects=subscriptions, poll_seconds=settings.outbox_poll_seconds
                )
                app.state.deliveries = worker
                await stack.enter_async_context(running(worker.run(), name=f"{name}-deliveries"))
            retention = RetentionWorker(
                database, [*clearings_of(name, settings), *clearings], poll_seconds=settings.retention_poll_seconds
            )
            await stack.enter_async_context(running(retention.run(), name=f"{name}-retention"))
            yield

    return lifespan


@asynccontextmanager
async def running(work: Any, *, name: str) -> AsyncIterator[None]:
    """Runs a coroutine in the background and stops it on leaving."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_report_end)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _report_end(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.critical("background work %s died", task.get_name(), exc_info=task.exception())


# Problems ---------------------------------------------------------------------------------------------------------


def answer_problems(app: FastAPI) -> None:
    """Every error leaves as a problem document."""
    app.add_exception_handler(Problem, _answer_problem)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _answer_invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _answer_http_exception)  # type: ignore[arg-type]
    for lost in (*CONNECTION_LOST, DBAPIError, TimeoutError):
        app.add_exception_handler(lost, _answer_unavailable)


def problem_response(request: Request, problem: Problem) -> Response:
    body = problem_body(
        problem, accept_language=request.headers.get("accept-language", ""), instance=request.scope["path"]
    )
    headers = {**problem.headers, REPLAYED: "true"} if problem.is_replayed else dict(problem.headers)
    return Response(body, problem.status, headers, media_type=PROBLEM_JSON)


async def _answer_problem(request: Request, problem: Problem) -> Response:
    return problem_response(request, problem)


async def _answer_invalid(request: Request, error: RequestValidationError) -> Response:
    rows = error.errors()
    if any(row["type"] == "json_invalid" for row in rows):
        return problem_response(request, UnreadableBody())
    if any(row["loc"] == ("header", IDEMPOTENCY_KEY) for row in rows):
        return problem_response(request, IdempotencyKeyMissing())
    return problem_response(request, invalid_request(rows))


async def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    known: dict[int, Problem] = {
        404: NotFound(),
        405: MethodNotAllowed(),
        413: BodyTooLarge(limit_bytes=request.app.state.settings.max_upload_bytes),
    }
    return problem_response(request, known.get(error.status_code, UnreadableBody()))


async def _answer_unavailable(request: Request, error: Exception) -> Response:
    if isinstance(error, DBAPIError) and not is_connection_lost(error):
        raise error
    logger.warning("the database did not answer: %s", type(error).__name__)
    return problem_response(request, ServiceUnavailable())


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation: every refusal it may give, by status, with an example of each."""
    documented: dict[int | str, dict[str, Any]] = {}
    for kind in _with_general_ones(kinds):
        response = documented.setdefault(
            kind.status,
            {"description": kind.en, "content": {PROBLEM_JSON: {"schema": _PROBLEM_SCHEMA, "examples": {}}}},
        )
        response["content"][PROBLEM_JSON]["examples"][kind.code] = {"value": _example(kind)}
    return documented


def _with_general_ones(kinds: Sequence[type[Problem]]) -> list[type[Problem]]:
    """An operation's own 400 or 422 stands beside those that any operation may give."""
    statuses = {kind.status for kind in kinds}
    general: list[type[Problem]] = [kind for kind in (UnreadableBody, InvalidRequest) if kind.status in statuses]
    return list(dict.fromkeys([*kinds, *general]))


def _example(kind: type[Problem]) -> dict[str, Any]:
    return {
        "type": f"urn:linli:problem:{kind.code}",
        "title": kind.code.replace("_", " "),
        "status": kind.status,
        "code": kind.code,
        "detail": kind.zh,
        "instance": "/v1/…",
        "request_id": "0198c5a0-7d3e-7c11-9a55-2f4f5d1c9b7e",
    }


_PROBLEM_SCHEMA = {"$ref": "#/components/schemas/ProblemAnswer"}


def _document_problems(app: FastAPI) -> None:
    """Adds the problem schema to the document and takes FastAPI's own validation error out of it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            schemas["ProblemAnswer"] = ProblemAnswer.model_json_schema()
            app.openapi_schema = document
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


# Health -----------------------------------------------------------------------------------------------------------

READY_TIMEOUT_SECONDS = 3.0

_health = APIRouter(tags=["health"])


class Liveness(Answer):
    status: Literal["live"] = "live"


class Readiness(Answer):
    """`ready` only when every check is `ok`."""

    status: Literal["ready", "not_ready"]
    checks: Annotated[dict[str, str], Field(examples=[{"database": "ok", "migrations": "ok"}])]


@_health.get("/health", operation_id="health", response_model=Liveness)
async def health() -> Liveness:
    """This process runs."""
    return Liveness()


@_health.get("/ready", operation_id="ready", response_model=Readiness, responses={503: {"model": Readiness}})
async def ready(request: Request) -> Response:
    """This process can work: its database answers and is migrated to what this code expects."""
    checks = await _checks(request.app.state.database)
    is_ready = set(checks.values()) == {"ok"}
    answer = Readiness(status="ready" if is_ready else "not_ready", checks=checks)
    return JSONResponse(answer.model_dump(), 200 if is_ready else 503)


async def _checks(database: Database) -> dict[str, str]:
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            version = await database.pool.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return {"database": "ok", "migrations": "none"}
    except (*CONNECTION_LOST, TimeoutError, asyncpg.PostgresError) as error:
        return {"database": type(error).__name__, "migrations": "unknown"}
    return {"database": "ok", "migrations": "ok" if version == expected_migration() else f"at {version}"}


@cache
def expected_migration() -> str | None:
    """The newest migration this code comes with."""
    folder = Path(__file__).parents[2] / "migrations"
    return ScriptDirectory(str(folder)).get_current_head()
