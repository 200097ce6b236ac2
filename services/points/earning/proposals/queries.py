"""Everything that reads proposals."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, and_, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.earning import CreditProposal, ProposalState
from models.grid import Area
from services.chassis import clock
from services.chassis.errors import NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.points.earning import policy
from services.points.earning.proposals.schemas import ProposalRead, ProposalStanding


async def proposals_page(
    session: AsyncSession,
    caller: Identity,
    *,
    states: Sequence[ProposalStanding] | None,
    cursor: str | None,
    limit: int,
) -> Page[ProposalRead]:
    """What the caller may decide, and what the caller has proposed, newest first."""
    query = _visible_to(caller)
    if states:
        query = query.where(or_(*(_has_state(state) for state in states)))
    if cursor is not None:
        query = query.where(CreditProposal.id < decode_cursor(cursor, tuple[UUID])[0])
    rows = (await session.scalars(query.order_by(CreditProposal.id.desc()).limit(limit + 1))).all()
    return Page[ProposalRead](
        items=[as_read(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].id) if len(rows) > limit else None,
    )


async def proposal_of(
    session: AsyncSession, caller: Identity, proposal_id: UUID, *, is_to_change: bool = False
) -> CreditProposal:
    """Raises NotFound also for what lies outside the caller's areas. With `is_to_change` locked until the end."""
    query = _visible_to(caller).where(CreditProposal.id == proposal_id)
    if is_to_change:
        query = query.with_for_update(of=CreditProposal, key_share=True)
    found = await session.scalar(query)
    if found is None:
        raise NotFound
    return found


def _visible_to(caller: Identity) -> Select[CreditProposal]:
    decided = cast(caller.areas_as(policy.DECIDING_ROLES), ARRAY(Uuid))
    return (
        select(CreditProposal)
        .join(Area, and_(Area.tenant_id == CreditProposal.tenant_id, Area.id == CreditProposal.community_id))
        .where(
            CreditProposal.tenant_id == caller.tenant_id,
            or_(Area.ancestor_ids.bool_op("&&")(decided), CreditProposal.proposed_by == caller.account_id),
        )
    )


def _has_state(state: ProposalStanding) -> ColumnElement[bool]:
    if state is ProposalStanding.EXPIRED:
        return and_(CreditProposal.state == ProposalState.PENDING, CreditProposal.expires_at <= clock.now())
    same = CreditProposal.state == ProposalState(state.value)
    return and_(same, CreditProposal.expires_at > clock.now()) if state is ProposalStanding.PENDING else same


def standing_of(proposal: CreditProposal) -> ProposalStanding:
    """A proposal that nobody decided in time is over without anybody writing it."""
    if proposal.state is ProposalState.PENDING and proposal.expires_at <= clock.now():
        return ProposalStanding.EXPIRED
    return ProposalStanding(proposal.state.value)


def as_read(proposal: CreditProposal) -> ProposalRead:
    result = proposal.result or {}
    return ProposalRead(
        id=proposal.id,
        kind=proposal.kind,
        state=standing_of(proposal),
        community_id=proposal.community_id,
        award=proposal.body.get("award"),
        transaction=proposal.body.get("transaction"),
        certification=proposal.body.get("certification"),
        proposed_by=proposal.proposed_by,
        proposed_at=proposal.proposed_at,
        expires_at=proposal.expires_at,
        decided_by=proposal.decided_by,
        decided_at=proposal.decided_at,
        reason=proposal.reason,
        posting_id=result.get("posting_id"),
        certified=result.get("certified"),
    )
