"""Stating what one offers, and when one is away. The route commits."""

from typing import Any
from uuid import UUID

import msgspec

from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.orders.matching.helpers import queries
from services.orders.matching.helpers.schemas import AbsenceDraft, AbsenceRead, HelperProfileDraft, HelperProfileRead
from services.orders.matching.policy import SERVING_ROLES

MOST_ABSENCES = 100
"""Entered ahead, for one person."""


async def state_profile(connection: Any, caller: Identity, body: HelperProfileDraft) -> HelperProfileRead:
    """For oneself, in place of what was stated before. Raises Forbidden for who serves nowhere."""
    _check_serves(caller)
    hours = None if body.hours is None else msgspec.json.encode(body.hours).decode()
    await connection.execute(
        _STATE, caller.tenant_id, caller.account_id, body.skills, hours, body.max_open, body.lng, body.lat, clock.now()
    )
    return await queries.profile(connection, caller)


async def enter_own_absence(connection: Any, caller: Identity, body: AbsenceDraft) -> AbsenceRead:
    """Raises Forbidden for who serves nowhere, TooManyAbsences."""
    _check_serves(caller)
    return await _enter(connection, caller, caller.account_id, body)


async def enter_absence_of(connection: Any, caller: Identity, account_id: UUID, body: AbsenceDraft) -> AbsenceRead:
    """By who dispatches where they serve. Raises HelperNotFound, TooManyAbsences."""
    await queries.check_helper(connection, caller, account_id)
    return await _enter(connection, caller, account_id, body)


async def take_back_own_absence(connection: Any, caller: Identity, absence_id: UUID) -> None:
    """Raises AbsenceNotFound."""
    await _take_back(connection, caller, caller.account_id, absence_id)


async def take_back_absence_of(connection: Any, caller: Identity, account_id: UUID, absence_id: UUID) -> None:
    """Raises HelperNotFound, AbsenceNotFound."""
    await queries.check_helper(connection, caller, account_id)
    await _take_back(connection, caller, account_id, absence_id)


def _check_serves(caller: Identity) -> None:
    if not caller.areas_as(SERVING_ROLES):
        raise Forbidden


async def _enter(connection: Any, caller: Identity, account_id: UUID, body: AbsenceDraft) -> AbsenceRead:
    now = clock.now()
    if await connection.fetchval(_COUNT, caller.tenant_id, account_id, now) >= MOST_ABSENCES:
        raise TooManyAbsences(most=MOST_ABSENCES)
    absence = AbsenceRead(id=new_id(), **body.model_dump())
    await connection.execute(
        _ENTER,
        caller.tenant_id, absence.id, account_id, body.starts_at, body.ends_at, body.kind, caller.account_id, now,
    )  # fmt: skip
    return absence


async def _take_back(connection: Any, caller: Identity, account_id: UUID, absence_id: UUID) -> None:
    if not await connection.fetchval(_TAKE_BACK, caller.tenant_id, account_id, absence_id):
        raise AbsenceNotFound


_STATE = """
INSERT INTO helper_profiles AS p (tenant_id, account_id, skills, hours, max_open, lng, lat, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (tenant_id, account_id) DO UPDATE SET skills = EXCLUDED.skills, hours = EXCLUDED.hours,
    max_open = EXCLUDED.max_open, lng = EXCLUDED.lng, lat = EXCLUDED.lat, updated_at = EXCLUDED.updated_at
"""
_COUNT = "SELECT count(*) FROM helper_absences WHERE tenant_id = $1 AND account_id = $2 AND ends_at > $3"
_ENTER = """
INSERT INTO helper_absences (tenant_id, id, account_id, starts_at, ends_at, kind, recorded_by, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_TAKE_BACK = "DELETE FROM helper_absences WHERE tenant_id = $1 AND account_id = $2 AND id = $3 RETURNING true"


class AbsenceNotFound(Problem):
    status = 404
    code = "absence_not_found"
    zh = "未找到该请假记录。"
    en = "There is no such absence."


class TooManyAbsences(Problem):
    status = 409
    code = "too_many_absences"
    zh = "登记的请假已达 {most} 条，请先删除不需要的。"
    en = "There are {most} absences ahead already; take some back first."
