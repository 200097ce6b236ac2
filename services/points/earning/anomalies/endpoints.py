"""Anomalies over HTTP."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from models.earning import AnomalyReview
from services.chassis.application import problems
from services.chassis.errors import Forbidden, NotFound, Problem, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.chassis.schemas import Moment
from services.points.earning.anomalies import actions, queries
from services.points.earning.anomalies.schemas import AnomalyRead, AnomalyReviewing, AnomalyReviewRead
from services.points.earning.connection import SessionConnection

router = APIRouter(
    prefix="/v1/points/anomalies", tags=["points"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

LONGEST_PERIOD = timedelta(days=92)

AnomalyId = Annotated[str, Path(max_length=120, pattern=r"^[a-z_]+\.[0-9a-f.-]+$")]


class PeriodTooLong(Problem):
    status = 422
    code = "period_too_long"
    zh = "请给出起止时间，时段不超过92天。"
    en = "Give a period of 92 days at most, from its beginning to its end."


@router.get("", response_model=Page[AnomalyRead], responses=problems(Forbidden, PeriodTooLong, InvalidCursor))
async def list_anomalies(
    transaction: Transaction,
    caller: Caller,
    begins_at: Annotated[Moment, Query(alias="from")],
    ends_at: Annotated[Moment, Query(alias="to", description="The first moment after the period.")],
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[AnomalyRead]:
    """Clerks and administrators: what in my areas somebody should look at (疑似异常). Nothing was blocked by it."""
    if not begins_at < ends_at <= begins_at + LONGEST_PERIOD:
        raise PeriodTooLong
    return await queries.anomalies_page(
        SessionConnection(transaction), caller, begins_at=begins_at, ends_at=ends_at, cursor=cursor, limit=limit
    )


@router.post(
    "/{anomaly_id}/reviews",
    status_code=201,
    response_model=AnomalyReviewRead,
    dependencies=ONCE,
    responses=problems(UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden, NotFound),
)
async def review_anomaly(
    anomaly_id: AnomalyId, body: AnomalyReviewing, transaction: Transaction, caller: Caller
) -> AnomalyReview:
    """The same people: I have looked at it, and this is what I found."""
    return await actions.review_anomaly(transaction, caller, anomaly_id, body)
