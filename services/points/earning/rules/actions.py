"""Everything that changes the earning rules, one function per verb. None of them commits, or posts a point."""

import asyncio
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.earning import EarningRuleVersion, EarningSimulation, EarningSimulationLine, RuleState, ServiceSource
from models.identity import Role
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.points.book_rules.queries import rules_district
from services.points.earning import policy, records
from services.points.earning.arithmetic import Service
from services.points.earning.connection import Connection, SessionConnection
from services.points.earning.rules.queries import version_of
from services.points.earning.rules.replay import Outcome, PastService, Tally, replay
from services.points.earning.rules.schemas import RuleDraft, SimulationPeriod
from services.points.earning.terms import Terms

MOST_RECORDS = 10_000
"""What one simulation replays."""
ON_ITS_WAY = timedelta(minutes=1)
"""So long a request that says now may take, or its clock be behind."""


class RuleIsActive(Problem):
    status = 409
    code = "rule_is_active"
    zh = "第{version}版规则已启用，不能再修改；请起草新版本。"
    en = "Version {version} has been activated and does not change any more; draft a new one."


class NeverSimulated(Problem):
    status = 409
    code = "never_simulated"
    zh = "启用前请先用过往记录试算第{version}版规则。"
    en = "Version {version} has to be simulated before it is activated."


class OwnDraft(Problem):
    status = 403
    code = "own_draft"
    zh = "起草人不能启用自己的规则，请由另一位管理员启用。"
    en = "Nobody activates their own draft; another administrator can."


class ActiveFromPast(Problem):
    status = 422
    code = "active_from_past"
    zh = "规则只能从现在或以后开始启用。"
    en = "Rules can be activated from now on, not for the past."


class PeriodTooLarge(Problem):
    status = 422
    code = "period_too_large"
    zh = "该时段内的服务记录超过{most}条，请缩短时段。"
    en = "The period has more than {most} service records; choose a shorter one."


async def draft_rules(session: AsyncSession, caller: Identity, body: RuleDraft) -> EarningRuleVersion:
    """A new version, for nobody to earn by yet. Raises Forbidden."""
    await _check_rules_district(session, caller, policy.DRAFTING_ROLES)
    await session.execute(_LOCK_VERSIONS, {"tenant": caller.tenant_id})
    newest = await session.scalar(
        select(func.max(EarningRuleVersion.version)).where(EarningRuleVersion.tenant_id == caller.tenant_id)
    )
    draft = EarningRuleVersion(
        tenant_id=caller.tenant_id,
        version=(newest or 0) + 1,
        state=RuleState.DRAFT,
        terms=body.terms.model_dump(mode="json"),
        note=body.note,
        drafted_by=caller.account_id,
        drafted_at=clock.now(),
    )
    session.add(draft)
    await session.flush()
    return draft


_LOCK_VERSIONS = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(format('earning rules of %s', CAST(:tenant AS uuid)), 0))"
)
"""Of two drafts at once the second gets the next number."""


async def replace_draft(session: AsyncSession, caller: Identity, version: int, body: RuleDraft) -> EarningRuleVersion:
    """Other terms for a draft, which is the caller's from then on and has to be simulated again.

    Raises Forbidden, RuleVersionNotFound, RuleIsActive.
    """
    await _check_rules_district(session, caller, policy.DRAFTING_ROLES)
    draft = await _draft_of(session, caller, version)
    draft.terms = body.terms.model_dump(mode="json")
    draft.note = body.note
    draft.drafted_by = caller.account_id
    draft.drafted_at = clock.now()
    draft.simulated_at = None
    return draft


async def activate_rules(
    session: AsyncSession, caller: Identity, version: int, active_from: datetime
) -> EarningRuleVersion:
    """From then on it decides what is rated or certified, for good. Takes a second person. What was now when it was
    sent is the database's now.

    Raises Forbidden, RuleVersionNotFound, RuleIsActive, OwnDraft, NeverSimulated, ActiveFromPast.
    """
    await _check_rules_district(session, caller, policy.ACTIVATING_ROLES)
    draft = await _draft_of(session, caller, version)
    if draft.drafted_by == caller.account_id:
        raise OwnDraft
    if draft.simulated_at is None:
        raise NeverSimulated(version=version)
    moment: datetime = (await session.execute(text("SELECT ledger_now()"))).scalar_one()
    if active_from < moment - ON_ITS_WAY:
        raise ActiveFromPast
    draft.state = RuleState.ACTIVE
    draft.active_from = max(active_from, moment)
    draft.activated_by = caller.account_id
    draft.activated_at = moment
    return draft


async def simulate_rules(
    session: AsyncSession, caller: Identity, version: int, period: SimulationPeriod
) -> EarningSimulation:
    """What the version would have credited for what was rated or certified in the period. Raises Forbidden,
    RuleVersionNotFound, PeriodTooLarge.
    """
    await _check_rules_district(session, caller, policy.DRAFTING_ROLES)
    rules = await version_of(session, caller.tenant_id, version, is_to_change=True)
    past = await past_services(SessionConnection(session), caller.tenant_id, period.begins_at, period.ends_at)
    outcome = await asyncio.to_thread(replay, Terms.model_validate(rules.terms), past)
    simulation = EarningSimulation(
        tenant_id=caller.tenant_id,
        id=new_id(),
        version=version,
        terms=rules.terms,
        period_from=period.begins_at,
        period_to=period.ends_at,
        kinds=_kinds(outcome),
        simulated_by=caller.account_id,
        simulated_at=clock.now(),
        **asdict(outcome.total),
    )
    session.add(simulation)
    await session.flush()
    if outcome.people:
        await session.execute(insert(EarningSimulationLine), _lines(simulation, outcome))
    if rules.state is RuleState.DRAFT:
        rules.simulated_at = simulation.simulated_at
    return simulation


async def past_services(
    connection: Connection, tenant_id: UUID, begins_at: datetime, ends_at: datetime
) -> list[PastService]:
    """The services of the period, and what else counts against the same people's limits, each person's in order.

    Without those whose credit was taken back. Raises PeriodTooLarge.
    """
    count = await connection.fetchval(_COUNT, tenant_id, begins_at, ends_at, MOST_RECORDS + 1)
    if count > MOST_RECORDS:
        raise PeriodTooLarge(most=MOST_RECORDS)
    rows = await connection.fetch(_PAST, tenant_id, begins_at, ends_at)
    return [
        PastService(
            account_id=row["account_id"],
            served_on=row["served_on"],
            service=Service(
                row["service_kind"],
                row["source_kind"] == ServiceSource.ORDER_RATED,
                row["minutes"],
                row["stars"],
                row["solved"],
            ),
            points=row["points"],
            minutes_credited=row["minutes_credited"],
            is_in_period=row["is_in_period"],
        )
        for row in rows
    ]


_COUNT = f"""
SELECT count(*) FROM (
    SELECT FROM service_records r
    WHERE r.tenant_id = $1 AND r.judged_at >= $2 AND r.judged_at < $3 AND {records.IS_NOT_TAKEN_BACK}
    LIMIT $4
) AS c
"""  # noqa: S608 (put together from our own literals)
_PAST = f"""
WITH period AS (
    SELECT r.account_id, min(r.served_on) AS first_day, max(r.served_on) AS last_day
    FROM service_records r
    WHERE r.tenant_id = $1 AND r.judged_at >= $2 AND r.judged_at < $3
    GROUP BY r.account_id
)
SELECT
    r.account_id, r.served_on, r.source_kind, r.service_kind, r.minutes, r.stars, r.solved, r.points,
    r.minutes_credited, r.judged_at >= $2 AND r.judged_at < $3 AS is_in_period
FROM period p
JOIN service_records r ON r.tenant_id = $1 AND r.account_id = p.account_id
    AND r.served_on >= date_trunc('month', p.first_day::timestamp)
    AND r.served_on < date_trunc('month', p.last_day::timestamp) + interval '1 month'
WHERE {records.IS_NOT_TAKEN_BACK}
ORDER BY r.account_id, r.sequence
"""  # noqa: S608 (put together from our own literals)


def _kinds(outcome: Outcome) -> list[dict[str, object]]:
    return [
        {"is_order": is_order, "service_kind": kind, **asdict(tally)}
        for (is_order, kind), tally in sorted(outcome.kinds.items())
    ]


def _lines(simulation: EarningSimulation, outcome: Outcome) -> list[dict[str, object]]:
    def change(person: tuple[UUID, Tally]) -> tuple[int, UUID]:
        account_id, tally = person
        return -abs(tally.points_after - tally.points_before), account_id

    return [
        {
            "tenant_id": simulation.tenant_id,
            "simulation_id": simulation.id,
            "place": place,
            "account_id": account_id,
            **asdict(tally),
        }
        for place, (account_id, tally) in enumerate(sorted(outcome.people.items(), key=change), start=1)
    ]


async def check_may_see_simulations(session: AsyncSession, caller: Identity) -> None:
    """They name persons: raises Forbidden for whoever has no part in deciding."""
    await _check_rules_district(session, caller, policy.DRAFTING_ROLES | policy.ACTIVATING_ROLES)


async def _check_rules_district(session: AsyncSession, caller: Identity, roles: Collection[Role]) -> None:
    if not await rules_district(session, caller, roles):
        raise Forbidden


async def _draft_of(session: AsyncSession, caller: Identity, version: int) -> EarningRuleVersion:
    found = await version_of(session, caller.tenant_id, version, is_to_change=True)
    if found.state is not RuleState.DRAFT:
        raise RuleIsActive(version=version)
    return found
