"""Same key and same body, same answer, and nothing done twice; refusals are answers too.

Cold routes get this, and their transaction, from `TenantRoute`; hot commands carry the key into their SQL function.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile

from services.chassis.database import CONNECTION_LOST, LOCK_NOT_AVAILABLE, Database, is_connection_lost, is_retried
from services.chassis.errors import Busy, Problem, ServiceUnavailable, UnreadableBody
from services.chassis.identity import Identity, identify

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
ATTEMPTS = 5
PAUSE_SECONDS = 0.05


class IdempotencyKeyMissing(Problem):
    status = 400
    code = "idempotency_key_missing"
    zh = "请在请求头 Idempotency-Key 中提供 1–64 个可见 ASCII 字符。"
    en = "Send an Idempotency-Key header of 1 to 64 visible ASCII characters."


class IdempotencyKeyReused(Problem):
    status = 422
    code = "idempotency_key_reused"
    zh = "该 Idempotency-Key 已用于另一个请求。"
    en = "This Idempotency-Key was used for another request."


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An idempotency key with the fingerprint of the request it came with."""

    key: str
    request_hash: bytes


async def request_key(request: Request) -> RequestKey:
    """The key of this request; raises IdempotencyKeyMissing."""
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= 64 or not all("!" <= character <= "~" for character in key):
        raise IdempotencyKeyMissing
    return RequestKey(key, await _fingerprint(request))


async def _fingerprint(request: Request) -> bytes:
    scope = request.scope
    digest = hashlib.sha256(f"{scope['method']} {scope['path']}?".encode() + scope["query_string"] + b"\n")
    if not _is_form(request):
        digest.update(await request.body())
        return digest.digest()
    for name, value in await _form_of(request):  # a client that repeats an upload chooses another boundary
        content = value.encode(errors="surrogatepass") if isinstance(value, str) else await value.read()
        digest.update(f"\n{len(name)}:{len(content)}:{name}".encode(errors="surrogatepass") + content)
    await _rewind(request)
    return digest.digest()


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/")


async def _form_of(request: Request) -> list[tuple[str, UploadFile | str]]:
    try:
        return (await request.form(max_files=2, max_fields=8)).multi_items()
    except UnicodeError as error:  # the client names the charset
        raise UnreadableBody from error


async def _rewind(request: Request) -> None:
    for _, value in await _form_of(request):
        if not isinstance(value, str):
            await value.seek(0)


async def _documented_key(
    request: Request,
    idempotency_key: Annotated[
        str,
        Header(
            alias=IDEMPOTENCY_KEY,
            min_length=1,
            max_length=64,
            pattern="^[!-~]+$",
            description="A fresh random text per intended effect; the same one again when repeating after a broken "
            "connection.",
            examples=["monday-medicine-2026-03-16"],
        ),
    ],
) -> RequestKey:
    del idempotency_key  # declared for the document
    return await request_key(request)


OnceKey = Annotated[RequestKey, Depends(_documented_key)]
"""The request's idempotency key, for a hot command."""

ONCE = [Depends(_documented_key)]
"""`dependencies=ONCE`: documents the key on a POST of a `TenantRoute`, which itself does the work."""


class TenantRoute(APIRoute):
    """Runs its endpoint in one transaction of the caller's tenant, committed before the answer leaves.

    A POST also runs once per Idempotency-Key: its answer, or the refusal, is stored in the same transaction.
    Deadlocks, serialization failures and lost connections are retried here; ServiceUnavailable if that goes on.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await _with_retries(request, endpoint, self.key_of)
            finally:
                await request.close()  # a form read for its fingerprint may never reach the endpoint

        return handle

    async def key_of(self, request: Request) -> RequestKey:
        """What a POST is recognised by when it is repeated. Raises IdempotencyKeyMissing."""
        return await request_key(request)


Endpoint = Callable[[Request], Awaitable[Response]]


async def _with_retries(
    request: Request, endpoint: Endpoint, key_of: Callable[[Request], Awaitable[RequestKey]]
) -> Response:
    caller = await identify(request)
    once = await key_of(request) if request.method == "POST" else None
    for attempt in range(ATTEMPTS):
        try:
            return await _in_transaction(request, caller, once, endpoint)
        except (DBAPIError, *CONNECTION_LOST) as error:
            if getattr(getattr(error, "orig", None), "sqlstate", None) == LOCK_NOT_AVAILABLE:
                raise Busy from None
            if not is_retried(error) and not is_connection_lost(error):
                raise
        await asyncio.sleep(PAUSE_SECONDS * 2**attempt)  # the key makes it safe, whatever became of the last attempt
        if once is not None and _is_form(request):
            await _rewind(request)
    raise ServiceUnavailable


async def _in_transaction(request: Request, caller: Identity, once: RequestKey | None, endpoint: Endpoint) -> Response:
    database: Database = request.app.state.database
    async with database.transaction(caller.tenant_id) as session:
        request.state.transaction = session
        if once is None:
            return await endpoint(request)
        return await _answer_once(session, request, caller, once, endpoint)


async def _answer_once(
    session: AsyncSession,
    request: Request,
    caller: Identity,
    once: RequestKey,
    endpoint: Endpoint,
) -> Response:
    identifiers = {"tenant": caller.tenant_id, "account": caller.account_id, "key": once.key, "hash": once.request_hash}
    stored = (await session.execute(_RECALL, identifiers)).one_or_none()
    if stored is not None:
        return _replay(stored)
    try:
        response = await _in_savepoint(session, request, endpoint)
    except Problem as problem:
        if not 400 <= problem.status < 500:
            raise
        await session.execute(_STORE, {**identifiers, "status": problem.status, "body": _as_text(problem)})
        return await _render(request, problem)
    await session.execute(
        _STORE, {**identifiers, "status": response.status_code, "body": bytes(response.body).decode()}
    )
    return response


async def _in_savepoint(session: AsyncSession, request: Request, endpoint: Endpoint) -> Response:
    """A refusal takes back what was written before it, unless it says that this is to stay."""
    refusal_to_keep: Problem | None = None
    async with session.begin_nested():
        try:
            response = await endpoint(request)
        except Problem as problem:
            if not problem.keeps_effects:
                raise
            refusal_to_keep = problem
        await session.flush()
    if refusal_to_keep is not None:
        raise refusal_to_keep
    return response


def _replay(stored: Any) -> Response:
    if stored.status >= 400:
        raise refusal(stored.body, is_replayed=True)
    return Response(
        stored.body, stored.status, {REPLAYED: "true"}, media_type="application/json" if stored.body else None
    )


def refusal(body: str, *, is_replayed: bool) -> Problem:
    """The problem behind its stored form `{"code": …, …}`."""
    members = msgspec.json.decode(body)
    problem = Problem.of_code(members.pop("code"), members)
    problem.is_replayed = is_replayed and not isinstance(problem, IdempotencyKeyReused)
    return problem


def _as_text(problem: Problem) -> str:
    return msgspec.json.encode({"code": problem.code, **problem.members}, enc_hook=str).decode()


async def _render(request: Request, problem: Problem) -> Response:
    handler: Callable[[Request, Problem], Awaitable[Response]] = request.app.exception_handlers[Problem]
    return await handler(request, problem)


_RECALL = text("SELECT status, body FROM idempotency_recall(:tenant, :account, :key, :hash)")
_STORE = text("SELECT idempotency_store(:tenant, :account, :key, :hash, CAST(:status AS smallint), :body)")


async def transaction_of(request: Request) -> AsyncSession:
    session: AsyncSession = request.state.transaction
    return session


Transaction = Annotated[AsyncSession, Depends(transaction_of)]
"""The open transaction of a `TenantRoute`. Nobody but the route commits it."""
