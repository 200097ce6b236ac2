"""Certifying service over HTTP."""

from fastapi import APIRouter

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.points.earning import policy
from services.points.earning.certifications import actions
from services.points.earning.certifications.actions import (
    ActivityElsewhere,
    Booking,
    CertificationRefused,
    NoRuleInForce,
)
from services.points.earning.certifications.schemas import Certification, CertificationRead
from services.points.earning.connection import SessionConnection
from services.points.ledger.actions import CommunityNotFound

router = APIRouter(prefix="/v1/points", tags=["points"], route_class=TenantRoute, responses=problems(Unauthenticated))


@router.post(
    "/certifications",
    status_code=201,
    response_model=CertificationRead,
    dependencies=ONCE,
    responses=problems(
        UnreadableBody,
        IdempotencyKeyMissing,
        IdempotencyKeyReused,
        Forbidden,
        CommunityNotFound,
        NoRuleInForce,
        ActivityElsewhere,
        CertificationRefused,
        Busy,
    ),
)
async def certify_service(body: Certification, transaction: Transaction, caller: Caller) -> CertificationRead:
    """Points clerks: the time people served in an activity of a community of mine, and what it earns (时长认定)."""
    by = Booking(caller.account_id, caller.areas_as(policy.CERTIFYING_ROLES))
    return await actions.certify(SessionConnection(transaction), caller.tenant_id, body, by)
