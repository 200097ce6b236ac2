"""Proposals over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.points.earning.certifications.actions import ActivityElsewhere, CertificationRefused, NoRuleInForce
from services.points.earning.proposals import actions, queries
from services.points.earning.proposals.actions import OwnProposal, ProposalIsOver
from services.points.earning.proposals.schemas import (
    Proposal,
    ProposalApproval,
    ProposalRead,
    ProposalRejection,
    ProposalStanding,
)
from services.points.ledger.actions import (
    CommunityNotFound,
    EffectiveInFuture,
    OwnPoints,
    PointsAccountNotFound,
    RecipientNotAMember,
)
from services.points.ledger.posting import (
    AccountClosed,
    AccountFrozen,
    BalanceCapReached,
    InsufficientPoints,
    UnbalancedLegs,
)

router = APIRouter(
    prefix="/v1/points/proposals", tags=["points"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

_WRITE = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden)


@router.post(
    "",
    status_code=201,
    response_model=ProposalRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, CommunityNotFound, PointsAccountNotFound, OwnPoints, UnbalancedLegs, EffectiveInFuture),
)
async def propose_credit(body: Proposal, transaction: Transaction, caller: Caller) -> ProposalRead:
    """Points clerks: what another has to agree to, an award, a certification or any transaction (四眼)."""
    return queries.as_read(await actions.propose(transaction, caller, body))


@router.get("", response_model=Page[ProposalRead], responses=problems(InvalidCursor))
async def list_proposals(
    transaction: Transaction,
    caller: Caller,
    state: Annotated[list[ProposalStanding] | None, Query(max_length=len(ProposalStanding))] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[ProposalRead]:
    """What I may decide in my areas, and what I have proposed."""
    return await queries.proposals_page(transaction, caller, states=state, cursor=cursor, limit=limit)


@router.get("/{proposal_id}", response_model=ProposalRead, responses=problems(NotFound))
async def read_proposal(proposal_id: UUID, transaction: Transaction, caller: Caller) -> ProposalRead:
    """One of them."""
    return queries.as_read(await queries.proposal_of(transaction, caller, proposal_id))


@router.post(
    "/{proposal_id}/approve",
    response_model=ProposalRead,
    dependencies=ONCE,
    responses=problems(
        *_WRITE,
        NotFound,
        OwnProposal,
        OwnPoints,
        ProposalIsOver,
        CommunityNotFound,
        PointsAccountNotFound,
        RecipientNotAMember,
        InsufficientPoints,
        AccountFrozen,
        AccountClosed,
        BalanceCapReached,
        NoRuleInForce,
        ActivityElsewhere,
        CertificationRefused,
        Busy,
    ),
)
async def approve_proposal(
    proposal_id: UUID, body: ProposalApproval, transaction: Transaction, caller: Caller
) -> ProposalRead:
    """Another clerk or an administrator, of every community in it: books it."""
    return queries.as_read(await actions.approve(transaction, caller, proposal_id))


@router.post(
    "/{proposal_id}/reject",
    response_model=ProposalRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, NotFound, ProposalIsOver, Busy),
)
async def reject_proposal(
    proposal_id: UUID, body: ProposalRejection, transaction: Transaction, caller: Caller
) -> ProposalRead:
    """The same people, or who proposed it: it comes to nothing."""
    return queries.as_read(await actions.reject(transaction, caller, proposal_id, body.reason))
