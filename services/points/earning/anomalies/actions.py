"""What changes about anomalies: somebody has looked."""

from sqlalchemy.ext.asyncio import AsyncSession

from models.earning import AnomalyReview
from services.chassis import clock
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.points.earning.anomalies.queries import check_is_there
from services.points.earning.anomalies.schemas import AnomalyReviewing
from services.points.earning.connection import SessionConnection


async def review_anomaly(
    session: AsyncSession, caller: Identity, anomaly_id: str, body: AnomalyReviewing
) -> AnomalyReview:
    """A row more: what was said before stays. Raises Forbidden, NotFound. Does not commit."""
    await check_is_there(SessionConnection(session), caller, anomaly_id)
    review = AnomalyReview(
        tenant_id=caller.tenant_id,
        id=new_id(),
        anomaly_id=anomaly_id,
        verdict=body.verdict,
        note=body.note,
        reviewed_by=caller.account_id,
        reviewed_at=clock.now(),
    )
    session.add(review)
    await session.flush()
    return review
