"""Everything that reads versions of the earning rules."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.earning import EarningRuleVersion, EarningSimulation, EarningSimulationLine, RuleState
from services.chassis import clock
from services.chassis.errors import NotFound, Problem
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.points.earning.connection import Connection
from services.points.earning.rules.schemas import RuleVersionRead, SimulationLineRead, SimulationRead
from services.points.earning.terms import Terms


class RuleVersionNotFound(Problem):
    status = 404
    code = "rule_version_not_found"
    zh = "没有该版本的积分规则。"
    en = "The earning rules have no such version."


@dataclass(frozen=True, slots=True)
class Rule:
    """A version that is, or was, in force."""

    version: int
    terms: Terms


async def rule_in_force(connection: Connection, tenant_id: UUID, moment: datetime) -> Rule | None:
    """What counts for work judged at that moment: of the versions active by then the latest."""
    row = await connection.fetchrow(_IN_FORCE, tenant_id, moment)
    return None if row is None else Rule(row[0], Terms.model_validate_json(row[1]))


_IN_FORCE = """
SELECT version, terms::text FROM earning_rule_versions
WHERE tenant_id = $1 AND state = 'active' AND active_from <= $2
ORDER BY active_from DESC, version DESC LIMIT 1
"""


async def version_in_force(session: AsyncSession, tenant_id: UUID) -> EarningRuleVersion:
    """The one in force now; raises NotFound while there is none."""
    found = await session.scalar(
        select(EarningRuleVersion)
        .where(
            EarningRuleVersion.tenant_id == tenant_id,
            EarningRuleVersion.state == RuleState.ACTIVE,
            EarningRuleVersion.active_from <= clock.now(),
        )
        .order_by(EarningRuleVersion.active_from.desc(), EarningRuleVersion.version.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound
    return found


async def version_of(
    session: AsyncSession, tenant_id: UUID, version: int, *, is_to_change: bool = False
) -> EarningRuleVersion:
    """Raises RuleVersionNotFound. With `is_to_change` it is locked until the transaction ends."""
    found = await session.get(
        EarningRuleVersion, (tenant_id, version), with_for_update={"key_share": True} if is_to_change else None
    )
    if found is None:
        raise RuleVersionNotFound
    return found


async def versions_page(
    session: AsyncSession, tenant_id: UUID, *, cursor: str | None, limit: int
) -> Page[RuleVersionRead]:
    """All versions, newest first."""
    query = select(EarningRuleVersion).where(EarningRuleVersion.tenant_id == tenant_id)
    if cursor is not None:
        query = query.where(EarningRuleVersion.version < decode_cursor(cursor, tuple[int])[0])
    rows = (await session.scalars(query.order_by(EarningRuleVersion.version.desc()).limit(limit + 1))).all()
    return Page[RuleVersionRead](
        items=[RuleVersionRead.model_validate(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].version) if len(rows) > limit else None,
    )


async def simulations_page(
    session: AsyncSession, tenant_id: UUID, version: int, *, cursor: str | None, limit: int
) -> Page[SimulationRead]:
    """Every simulation of a version, newest first. Raises RuleVersionNotFound."""
    await version_of(session, tenant_id, version)
    query = select(EarningSimulation).where(
        EarningSimulation.tenant_id == tenant_id, EarningSimulation.version == version
    )
    if cursor is not None:
        query = query.where(EarningSimulation.id < decode_cursor(cursor, tuple[UUID])[0])
    rows = (await session.scalars(query.order_by(EarningSimulation.id.desc()).limit(limit + 1))).all()
    return Page[SimulationRead](
        items=[SimulationRead.model_validate(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].id) if len(rows) > limit else None,
    )


async def simulation_lines_page(
    session: AsyncSession, tenant_id: UUID, version: int, simulation_id: UUID, *, cursor: str | None, limit: int
) -> Page[SimulationLineRead]:
    """The table of a simulation, whom it changes most first. Raises NotFound."""
    simulation = await session.get(EarningSimulation, (tenant_id, simulation_id))
    if simulation is None or simulation.version != version:
        raise NotFound
    query = select(EarningSimulationLine).where(
        EarningSimulationLine.tenant_id == tenant_id, EarningSimulationLine.simulation_id == simulation_id
    )
    if cursor is not None:
        query = query.where(EarningSimulationLine.place > decode_cursor(cursor, tuple[int])[0])
    rows = (await session.scalars(query.order_by(EarningSimulationLine.place).limit(limit + 1))).all()
    return Page[SimulationLineRead](
        items=[SimulationLineRead.model_validate(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].place) if len(rows) > limit else None,
    )
