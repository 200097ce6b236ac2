"""The trail of what was done to accounts. Nobody can edit it: the table refuses."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import IdentityEvent, IdentityEventKind
from services.chassis import clock
from services.chassis.schemas import new_id


def record_event(
    transaction: AsyncSession,
    tenant_id: UUID,
    kind: IdentityEventKind,
    account_id: UUID,
    *,
    by: UUID | None = None,
    reason: str | None = None,
) -> None:
    """In the transaction of what it tells, whose tenant is set. `by` nobody else: the person did it to their own."""
    event = IdentityEvent(
        tenant_id=tenant_id,
        id=new_id(),
        kind=kind,
        actor_id=by or account_id,
        account_id=account_id,
        reason=reason,
        recorded_at=clock.now(),
    )
    transaction.add(event)
