"""Reading lifecycles. A version never changes, so a process reads each one once."""

from collections import OrderedDict
from datetime import datetime
from typing import Any
from uuid import UUID

from services.chassis.errors import Problem
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.kinds.queries import OrderKindNotFound
from services.orders.lifecycles.definition import Lifecycle, State, Transition
from services.orders.lifecycles.drawing import mermaid
from services.orders.lifecycles.paths import in_order_of_life, main_path, steps_of
from services.orders.lifecycles.reaching import targets
from services.orders.lifecycles.schemas import (
    ActorRead,
    LifecycleGraph,
    LifecycleRead,
    LifecycleVersion,
    StateRead,
    TransitionRead,
)
from services.orders.lifecycles.standard import STANDARD
from services.orders.lifecycles.wording import PEOPLE, STAGES, Wording


class LifecycleNotFound(Problem):
    status = 404
    code = "lifecycle_not_found"
    zh = "未找到该流程版本。"
    en = "There is no such lifecycle."


MOST_REMEMBERED = 256
_remembered: OrderedDict[tuple[UUID, int], Lifecycle] = OrderedDict()


async def lifecycle_of(connection: Any, tenant_id: UUID, version: int) -> Lifecycle:
    """Of the tenant's version; raises LifecycleNotFound. The one used longest ago is forgotten first.

    Not for a version that this transaction recorded: it may be taken back, and must not be remembered.
    """
    key = (tenant_id, version)
    if key not in _remembered:
        found = await connection.fetchval(_DEFINITION, tenant_id, version)
        if found is None:
            raise LifecycleNotFound
        _remembered[key] = Lifecycle.model_validate_json(found)
    _remembered.move_to_end(key)
    life = _remembered[key]
    if len(_remembered) > MOST_REMEMBERED:
        _remembered.popitem(last=False)
    return life


def standard_row(recorded_at: datetime) -> dict[str, Any]:
    """The columns of a district's version 1, apart from its tenant; JSON as plain data."""
    return {
        "version": 1,
        "order_kind": None,
        "definition": STANDARD.model_dump(mode="json"),
        "compiled": STANDARD.compiled(),
        "note": "标准流程",
        "recorded_by": None,
        "recorded_at": recorded_at,
    }


async def version_of_kind(connection: Any, tenant_id: UUID, kind: str) -> int:
    """By which new orders of the kind live; raises OrderKindNotFound."""
    version = await connection.fetchval(
        "SELECT lifecycle_version FROM order_kinds WHERE tenant_id = $1 AND id = $2", tenant_id, kind
    )
    if version is None:
        raise OrderKindNotFound
    return int(version)


async def version_of_district(connection: Any, tenant_id: UUID) -> int:
    """By which new orders of a kind without a life of its own live."""
    return int(await connection.fetchval(_NEWEST_OF_DISTRICT, tenant_id))


async def graph_of_kind(connection: Any, tenant_id: UUID, kind: str, version: int | None) -> LifecycleGraph:
    """Of the kind's version now, or of an older or newer one. Raises OrderKindNotFound, LifecycleNotFound."""
    shown = await _version_shown(connection, tenant_id, kind, version)
    return graph(await lifecycle_of(connection, tenant_id, shown), shown)


async def life_of_kind(connection: Any, tenant_id: UUID, kind: str, version: int | None) -> Lifecycle:
    """As graph_of_kind, undrawn."""
    return await lifecycle_of(connection, tenant_id, await _version_shown(connection, tenant_id, kind, version))


async def _version_shown(connection: Any, tenant_id: UUID, kind: str, version: int | None) -> int:
    current = await version_of_kind(connection, tenant_id, kind)
    return current if version is None else version


async def versions_page(connection: Any, tenant_id: UUID, *, cursor: str | None, limit: int) -> Page[LifecycleVersion]:
    """Every version there ever was, newest first, without what they say."""
    before = 2**62 if cursor is None else decode_cursor(cursor, tuple[int])[0]
    rows = await connection.fetch(
        f"{_COLUMNS} WHERE l.tenant_id = $1 AND l.version < $2 ORDER BY l.version DESC LIMIT $3",
        tenant_id, before, limit + 1,
    )  # fmt: skip
    return Page[LifecycleVersion](
        items=[LifecycleVersion.model_validate(dict(row)) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1]["version"]) if len(rows) > limit else None,
    )


async def read_version(connection: Any, tenant_id: UUID, version: int) -> LifecycleRead:
    """Raises LifecycleNotFound."""
    row = await connection.fetchrow(f"{_WITH_DEFINITION} WHERE l.tenant_id = $1 AND l.version = $2", tenant_id, version)
    if row is None:
        raise LifecycleNotFound
    return LifecycleRead.model_validate({**row, "definition": Lifecycle.model_validate_json(row["definition"])})


def graph(lifecycle: Lifecycle, version: int) -> LifecycleGraph:
    """With names in both languages, and `@before` spelled out."""
    usual = {step for step, _ in steps_of(lifecycle, main_path(lifecycle))}
    return LifecycleGraph(
        version=version,
        states=[_state(lifecycle, state) for state in in_order_of_life(lifecycle)],
        transitions=[_transition(lifecycle, step, is_usual=step in usual) for step in lifecycle.transitions],
        limits=lifecycle.limits,
        mermaid=mermaid(lifecycle),
    )


def _state(lifecycle: Lifecycle, state: State) -> StateRead:
    stage = STAGES[state.stage]
    return StateRead(
        **state.model_dump(), is_initial=state.id == lifecycle.initial.id, is_final=state.is_final,
        stage_name=stage.zh, stage_name_en=stage.en,
    )  # fmt: skip


def _transition(lifecycle: Lifecycle, step: Transition, *, is_usual: bool) -> TransitionRead:
    to_states = (target for name in step.from_states for target in targets(lifecycle, step, name))
    return TransitionRead(
        action=step.action, name=step.name, name_en=step.name_en, from_states=list(step.from_states),
        to_states=list(dict.fromkeys(to_states)), who=[_actor(name) for name in step.who], needs=list(step.needs),
        after_minutes=step.after_minutes, is_usual=is_usual,
    )  # fmt: skip


def _actor(name: str) -> ActorRead:
    wording = PEOPLE.get(name, Wording(name, name))
    return ActorRead(id=name, name=wording.zh, name_en=wording.en)


_DEFINITION = "SELECT definition::text FROM order_lifecycles WHERE tenant_id = $1 AND version = $2"
_NEWEST_OF_DISTRICT = "SELECT max(version) FROM order_lifecycles WHERE tenant_id = $1 AND order_kind IS NULL"
_HEAD = """
SELECT l.version, l.order_kind, l.note, l.recorded_by, l.recorded_at, ARRAY (
    SELECT k.id FROM order_kinds k WHERE k.tenant_id = l.tenant_id AND k.lifecycle_version = l.version ORDER BY k.id
) AS order_kinds
"""
_COLUMNS = f"{_HEAD} FROM order_lifecycles l"
_WITH_DEFINITION = f"{_HEAD}, l.definition::text FROM order_lifecycles l"
