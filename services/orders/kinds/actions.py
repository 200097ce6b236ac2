"""A district decides what can be ordered, and what is asked. Every version of a form stays, and every change is told.

What is wanted and stands already is left alone, so that a PUT may be repeated. The route commits.
"""

from typing import Any

import msgspec

from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.orders.clocks.policy import rules_district
from services.orders.clocks.recounts import ask_for_recount, lock_rules
from services.orders.kinds import queries
from services.orders.kinds.forms import Question
from services.orders.kinds.queries import OrderKindNotFound
from services.orders.kinds.schemas import (
    OrderKindDraft,
    OrderKindEdit,
    OrderKindFacts,
    OrderKindFormEdit,
    OrderKindList,
    OrderKindRead,
    OrderKindState,
)
from services.orders.kinds.standard import STANDARD_KIND, standard_policies
from services.orders.lifecycles.actions import lock_lives

FACTS = tuple(OrderKindFacts.model_fields)
"""The columns a kind's edit replaces."""


async def add_kind(connection: Any, caller: Identity, body: OrderKindDraft) -> OrderKindRead:
    """Its orders live as the district's do. Raises Forbidden, OrderKindTaken."""
    if not await rules_district(connection, caller):
        raise Forbidden
    await lock_lives(connection, caller.tenant_id)
    added = await connection.fetchval(_ADD, caller.tenant_id, body.id, *_facts(body).values())
    if added is None:
        raise OrderKindTaken
    await _record_form(connection, caller, body.id, 1, body.questions)
    return await _told(connection, caller, body.id, before=None)


async def edit_kind(connection: Any, caller: Identity, kind: str, body: OrderKindEdit) -> OrderKindRead:
    """Raises Forbidden, OrderKindNotFound, OrderKindChanged."""
    before = await _locked(connection, caller, kind)
    if _facts(before) == _facts(body):
        return before
    _check_version(before, body.expected_version)
    await connection.execute(_EDIT, caller.tenant_id, kind, *_facts(body).values())
    return await _told(connection, caller, kind, before)


async def replace_form(connection: Any, caller: Identity, kind: str, body: OrderKindFormEdit) -> OrderKindRead:
    """A new version for orders placed from now on. Raises Forbidden, OrderKindNotFound, OrderKindChanged."""
    before = await _locked(connection, caller, kind)
    if before.form.version is not None and before.form.questions == body.questions:
        return before
    _check_version(before, body.expected_version)
    version = (before.form.version or 0) + 1
    await _record_form(connection, caller, kind, version, body.questions)
    await connection.execute(_SET_FORM, caller.tenant_id, kind, version)
    return await _told(connection, caller, kind, before)


async def adopt_standard(connection: Any, caller: Identity) -> OrderKindList:
    """What districts start with today, for one that was there before: forms of the standard kinds that never asked
    anything, and the standard times where none were ever decided. Nothing the district decided itself is touched.

    Raises Forbidden.
    """
    if not await rules_district(connection, caller):
        raise Forbidden
    for row in await connection.fetch(_WITHOUT_FORM, caller.tenant_id, list(STANDARD_KIND)):
        before = await queries.order_kind(connection, caller.tenant_id, row["id"])
        await _record_form(connection, caller, row["id"], 1, STANDARD_KIND[row["id"]].questions)
        await connection.execute(_SET_FORM, caller.tenant_id, row["id"], 1)
        await _told(connection, caller, row["id"], before)
    await _adopt_times(connection, caller)
    return await queries.order_kinds(connection, caller.tenant_id, with_inactive=True)


async def _adopt_times(connection: Any, caller: Identity) -> None:
    await lock_rules(connection, caller.tenant_id)
    if await connection.fetchval(_HAS_TIMES, caller.tenant_id):
        return
    now = clock.now()
    kinds = {row["id"] for row in await connection.fetch(_KINDS, caller.tenant_id)}
    promised = [(kind, targets) for kind, targets in standard_policies() if kind is None or kind in kinds]
    await connection.executemany(
        _PROMISE,
        [
            (caller.tenant_id, version, kind, msgspec.json.encode(targets).decode(), now, caller.account_id)
            for version, (kind, targets) in enumerate(promised, start=1)
        ],
    )
    await ask_for_recount(connection, caller.tenant_id, now)


async def _locked(connection: Any, caller: Identity, kind: str) -> OrderKindRead:
    """The kind as it stands; nobody else edits it until the end of the transaction, but orders are placed."""
    if not await rules_district(connection, caller):
        raise Forbidden
    if await connection.fetchval(_LOCK, caller.tenant_id, kind) is None:
        raise OrderKindNotFound
    return await queries.order_kind(connection, caller.tenant_id, kind)


def _check_version(kind: OrderKindRead, expected: int) -> None:
    if kind.version != expected:
        raise OrderKindChanged(version=kind.version)


def _facts(kind: OrderKindFacts | OrderKindRead) -> dict[str, Any]:
    return {name: getattr(kind, name) for name in FACTS}


async def _record_form(connection: Any, caller: Identity, kind: str, version: int, questions: list[Question]) -> None:
    stored = msgspec.json.encode([question.model_dump(mode="json") for question in questions]).decode()
    await connection.execute(_RECORD_FORM, caller.tenant_id, kind, version, stored, caller.account_id, clock.now())


async def _told(connection: Any, caller: Identity, kind: str, before: OrderKindRead | None) -> OrderKindRead:
    """The kind as it stands now, with the change recorded."""
    after = await queries.order_kind(connection, caller.tenant_id, kind)
    await connection.execute(
        _RECORD_CHANGE,
        caller.tenant_id, kind, after.version, before and _state(before), _state(after), caller.account_id,
        clock.now(),
    )  # fmt: skip
    return after


def _state(kind: OrderKindRead) -> str:
    return OrderKindState.model_validate({**_facts(kind), "form_version": kind.form.version}).model_dump_json()


_PLACES = ", ".join(f"${number}" for number in range(3, 3 + len(FACTS)))
_ADD = f"""
INSERT INTO order_kinds (tenant_id, id, {", ".join(FACTS)}, form_version, version, lifecycle_version)
SELECT $1, $2, {_PLACES}, 1, 1, max(l.version) FROM order_lifecycles l WHERE l.tenant_id = $1 AND l.order_kind IS NULL
ON CONFLICT (tenant_id, id) DO NOTHING RETURNING version
"""  # noqa: S608 (names out of this file)
_EDIT = f"""
UPDATE order_kinds SET ({", ".join(FACTS)}) = ROW ({_PLACES}), version = version + 1 WHERE tenant_id = $1 AND id = $2
"""  # noqa: S608 (names out of this file)
_LOCK = "SELECT id FROM order_kinds WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE"
_SET_FORM = """
UPDATE order_kinds SET form_version = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2
"""
_WITHOUT_FORM = """
SELECT id FROM order_kinds WHERE tenant_id = $1 AND form_version IS NULL AND id = ANY ($2)
ORDER BY id FOR NO KEY UPDATE
"""
_HAS_TIMES = "SELECT EXISTS (SELECT FROM clock_policies WHERE tenant_id = $1)"
_KINDS = "SELECT id FROM order_kinds WHERE tenant_id = $1"
_PROMISE = """
INSERT INTO clock_policies (tenant_id, version, order_kind, targets, note, active_from, recorded_by, recorded_at)
VALUES ($1, $2, $3, $4, '采用标准时限', $5, $6, $5)
"""
_RECORD_FORM = """
INSERT INTO order_kind_forms (tenant_id, kind, version, questions, recorded_by, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_RECORD_CHANGE = """
INSERT INTO order_kind_changes (tenant_id, kind, version, before, after, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


class OrderKindTaken(Problem):
    status = 409
    code = "order_kind_taken"
    zh = "该订单类别编号已存在。"
    en = "There is a kind with this id already."


class OrderKindChanged(Problem):
    """`version` is what it has become."""

    status = 409
    code = "order_kind_changed"
    zh = "该订单类别已被他人修改（现为第 {version} 版），请重新读取后再改。"
    en = "Somebody else has edited this kind; it is at version {version} now. Read it again."
