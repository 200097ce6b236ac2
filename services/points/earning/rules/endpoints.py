"""Versions of the earning rules over HTTP. Everybody may read them: who earns points may know by which rules."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from models.earning import EarningRuleVersion, EarningSimulation
from services.chassis.application import problems
from services.chassis.errors import Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.points.earning.rules import actions, queries
from services.points.earning.rules.actions import (
    ActiveFromPast,
    NeverSimulated,
    OwnDraft,
    PeriodTooLarge,
    RuleIsActive,
)
from services.points.earning.rules.queries import RuleVersionNotFound
from services.points.earning.rules.schemas import (
    RuleActivation,
    RuleDraft,
    RuleVersionRead,
    SimulationLineRead,
    SimulationPeriod,
    SimulationRead,
)

router = APIRouter(
    prefix="/v1/points/earning-rules", tags=["points"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

_WRITE = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden)

Version = Annotated[int, Path(ge=1, le=2**53)]


@router.get("", response_model=Page[RuleVersionRead], responses=problems(InvalidCursor))
async def list_rule_versions(
    transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[RuleVersionRead]:
    """Every version there ever was, and the drafts (积分规则)."""
    return await queries.versions_page(transaction, caller.tenant_id, cursor=cursor, limit=limit)


@router.get("/in-force", response_model=RuleVersionRead, responses=problems(NotFound))
async def read_rules_in_force(transaction: Transaction, caller: Caller) -> EarningRuleVersion:
    """What is earned now."""
    return await queries.version_in_force(transaction, caller.tenant_id)


@router.get("/{version}", response_model=RuleVersionRead, responses=problems(RuleVersionNotFound))
async def read_rule_version(version: Version, transaction: Transaction, caller: Caller) -> EarningRuleVersion:
    """The version a credit names."""
    return await queries.version_of(transaction, caller.tenant_id, version)


@router.post("", status_code=201, response_model=RuleVersionRead, dependencies=ONCE, responses=problems(*_WRITE))
async def draft_rules(body: RuleDraft, transaction: Transaction, caller: Caller) -> EarningRuleVersion:
    """District administrators: propose other rules."""
    return await actions.draft_rules(transaction, caller, body)


@router.put(
    "/{version}",
    response_model=RuleVersionRead,
    responses=problems(UnreadableBody, Forbidden, RuleVersionNotFound, RuleIsActive),
)
async def replace_draft(
    version: Version, body: RuleDraft, transaction: Transaction, caller: Caller
) -> EarningRuleVersion:
    """District administrators: other terms for a draft. It has to be simulated anew."""
    return await actions.replace_draft(transaction, caller, version, body)


@router.post(
    "/{version}/simulate",
    status_code=201,
    response_model=SimulationRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, RuleVersionNotFound, PeriodTooLarge),
)
async def simulate_rules(
    version: Version, body: SimulationPeriod, transaction: Transaction, caller: Caller
) -> EarningSimulation:
    """District administrators: what the version would have credited for past work. Nothing is posted (试算)."""
    return await actions.simulate_rules(transaction, caller, version, body)


@router.get(
    "/{version}/simulations",
    response_model=Page[SimulationRead],
    responses=problems(RuleVersionNotFound, InvalidCursor, Forbidden),
)
async def list_simulations(
    version: Version, transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[SimulationRead]:
    """For those who draft and activate: how often it was tried, and with what result."""
    await actions.check_may_see_simulations(transaction, caller)
    return await queries.simulations_page(transaction, caller.tenant_id, version, cursor=cursor, limit=limit)


@router.get(
    "/{version}/simulations/{simulation_id}/lines",
    response_model=Page[SimulationLineRead],
    responses=problems(NotFound, InvalidCursor, Forbidden),
)
async def read_simulation_lines(
    version: Version,
    simulation_id: UUID,
    transaction: Transaction,
    caller: Caller,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[SimulationLineRead]:
    """For those who draft and activate: person by person, whom it changes most first."""
    await actions.check_may_see_simulations(transaction, caller)
    return await queries.simulation_lines_page(
        transaction, caller.tenant_id, version, simulation_id, cursor=cursor, limit=limit
    )


@router.post(
    "/{version}/activate",
    response_model=RuleVersionRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, RuleVersionNotFound, RuleIsActive, OwnDraft, NeverSimulated, ActiveFromPast),
)
async def activate_rules(
    version: Version, body: RuleActivation, transaction: Transaction, caller: Caller
) -> EarningRuleVersion:
    """Another than who drafted it, also over the whole district: from a moment on it decides, for good (启用)."""
    return await actions.activate_rules(transaction, caller, version, body.active_from)
