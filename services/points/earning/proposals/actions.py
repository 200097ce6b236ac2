"""Everything that changes proposals, one function per verb. None of them commits."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from models.earning import CreditProposal, ProposalState
from models.points import TransactionKind
from services.chassis import clock
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.points.earning import policy
from services.points.earning.certifications.actions import Booking, certify, check_community
from services.points.earning.certifications.schemas import Certification
from services.points.earning.connection import Connection, SessionConnection
from services.points.earning.crediting import posting_id_of
from services.points.earning.proposals.queries import proposal_of, standing_of
from services.points.earning.proposals.schemas import Proposal, ProposalStanding, ProposedAward
from services.points.earning.proposals.transactions import check_transaction
from services.points.ledger.actions import OwnPoints
from services.points.ledger.posting import Leg, PostCommand, issue, post_command, post_within
from services.points.ledger.schemas import TransactionBody

LASTS = timedelta(days=30)
SOURCE = "award_approved"
"""Of an approved award: the proposal, which the ledger posts once whatever happens."""


class OwnProposal(Problem):
    status = 403
    code = "own_proposal"
    zh = "不能批准自己的提议，请由另一位管理员批准。"
    en = "Nobody approves their own proposal; another person can."


class ProposalIsOver(Problem):
    status = 409
    code = "proposal_is_over"
    zh = "该提议已结束：{state_name}（{state}）。"
    en = "The proposal is over: {state} ({state_name})."


STATE_NAMES = {
    ProposalStanding.APPROVED: "已批准",
    ProposalStanding.REJECTED: "已驳回",
    ProposalStanding.EXPIRED: "已过期",
}


async def propose(session: AsyncSession, caller: Identity, body: Proposal) -> CreditProposal:
    """For another to decide within thirty days.

    Raises Forbidden, CommunityNotFound, PointsAccountNotFound, OwnPoints, UnbalancedLegs, EffectiveInFuture. What
    depends on how accounts stand is asked when it is booked.
    """
    community_id = await _check_scope(
        SessionConnection(session), caller.tenant_id, body, caller.areas_as(policy.CERTIFYING_ROLES)
    )
    if caller.account_id in body.people:
        raise OwnPoints
    moment = clock.now()
    proposal = CreditProposal(
        tenant_id=caller.tenant_id,
        id=new_id(),
        kind=body.kind,
        community_id=community_id,
        body=_with_activity_id(body).model_dump(mode="json", exclude_none=True),
        proposed_by=caller.account_id,
        proposed_at=moment,
        expires_at=moment + LASTS,
        state=ProposalState.PENDING,
    )
    session.add(proposal)
    await session.flush()
    return proposal


async def _check_scope(connection: Connection, tenant_id: UUID, body: Proposal, areas: Sequence[UUID]) -> UUID:
    """The community it is listed under."""
    credit = body.credit
    if isinstance(credit, TransactionBody):
        return await check_transaction(connection, tenant_id, credit, areas)
    await check_community(connection, tenant_id, credit.community_id, areas)
    return credit.community_id


def _with_activity_id(body: Proposal) -> Proposal:
    if body.certification is None or body.certification.activity.id is not None:
        return body
    activity = body.certification.activity.model_copy(update={"id": new_id()})
    return Proposal(certification=body.certification.model_copy(update={"activity": activity}))


async def approve(session: AsyncSession, caller: Identity, proposal_id: UUID) -> CreditProposal:
    """Books it as proposed, by the rules of now, with both names. A refusal of the ledger leaves it undecided.

    Raises NotFound, Forbidden, OwnProposal, OwnPoints, ProposalIsOver; CommunityNotFound or PointsAccountNotFound when
    one of its communities or merchants is not in the caller's areas; and what posting or certifying it may raise.
    """
    proposal = await proposal_of(session, caller, proposal_id, is_to_change=True)
    credit = Proposal.model_validate(proposal.body)
    if proposal.proposed_by == caller.account_id:
        raise OwnProposal
    if caller.account_id in credit.people:
        raise OwnPoints
    _check_is_open(proposal)
    connection = SessionConnection(session)
    by = Booking(proposal.proposed_by, caller.areas_as(policy.DECIDING_ROLES), caller.account_id)
    await _check_scope(connection, caller.tenant_id, credit, by.areas)
    result = await _book(connection, proposal, credit.credit, by)
    return await _end(session, caller, proposal, state=ProposalState.APPROVED, result=result)


async def reject(session: AsyncSession, caller: Identity, proposal_id: UUID, reason: str) -> CreditProposal:
    """With a reason, by whoever could approve it, or taken back by who proposed it. Raises NotFound, ProposalIsOver."""
    proposal = await proposal_of(session, caller, proposal_id, is_to_change=True)
    _check_is_open(proposal)
    return await _end(session, caller, proposal, state=ProposalState.REJECTED, reason=reason)


async def _book(
    connection: Connection,
    proposal: CreditProposal,
    credit: ProposedAward | TransactionBody | Certification,
    by: Booking,
) -> dict[str, Any]:
    if isinstance(credit, Certification):
        certified = await certify(connection, proposal.tenant_id, credit, by)
        return {"certified": certified.model_dump(mode="json")}
    command = _award(proposal, credit, by) if isinstance(credit, ProposedAward) else _transaction(credit, by)
    answer = await post_within(connection, proposal.tenant_id, command)
    return {"posting_id": str(posting_id_of(answer.body))}


def _award(proposal: CreditProposal, award: ProposedAward, by: Booking) -> PostCommand:
    return post_command(
        issue(award.amount, community_id=award.community_id, account_id=award.account_id, asset=award.asset),
        kind=TransactionKind.AWARD,
        source=(SOURCE, str(proposal.id)),
        reason=award.reason,
        account=by.account_id,
        issuer_areas=list(by.areas),
        approved_by=by.approved_by,
    )


def _transaction(transaction: TransactionBody, by: Booking) -> PostCommand:
    return post_command(
        [Leg(leg.account_kind, leg.owner_id, leg.amount, leg.asset) for leg in transaction.legs],
        kind=TransactionKind(transaction.kind),
        source=None if transaction.source is None else (transaction.source.kind, transaction.source.id),
        reason=transaction.reason,
        effective_at=transaction.effective_at,
        details=dict(transaction.metadata),
        account=by.account_id,
        issuer_areas=list(by.areas),
        approved_by=by.approved_by,
    )


async def _end(
    session: AsyncSession, caller: Identity, proposal: CreditProposal, *, state: ProposalState, **changes: Any
) -> CreditProposal:
    """The one way out of pending: of many at once one gets through."""
    moment = clock.now()
    ended = await session.scalar(
        update(CreditProposal)
        .where(
            CreditProposal.tenant_id == proposal.tenant_id,
            CreditProposal.id == proposal.id,
            CreditProposal.state == ProposalState.PENDING,
            CreditProposal.expires_at > moment,
        )
        .values(state=state, decided_by=caller.account_id, decided_at=moment, **changes)
        .returning(CreditProposal)
        .execution_options(populate_existing=True)
    )
    if ended is None:
        raise ProposalIsOver(**_state_members(await proposal_of(session, caller, proposal.id)))
    return ended


def _check_is_open(proposal: CreditProposal) -> None:
    if standing_of(proposal) is not ProposalStanding.PENDING:
        raise ProposalIsOver(**_state_members(proposal))


def _state_members(proposal: CreditProposal) -> dict[str, str]:
    standing = standing_of(proposal)
    return {"state": standing.value, "state_name": STATE_NAMES.get(standing, standing.value)}
