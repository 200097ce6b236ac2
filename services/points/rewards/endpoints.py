"""Reward rules over HTTP."""

from fastapi import APIRouter

from services.chassis.application import problems
from services.chassis.errors import Unauthenticated
from services.chassis.idempotency import TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.points.rewards import queries
from services.points.rewards.schemas import RewardRuleRead

router = APIRouter(
    prefix="/v1/points/reward-rules", tags=["points"], route_class=TenantRoute, responses=problems(Unauthenticated)
)


@router.get("", response_model=Page[RewardRuleRead], responses=problems(InvalidCursor))
async def list_reward_rules(
    transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[RewardRuleRead]:
    """What an order earns now, and what has been decided for later. Everybody may know (积分规则)."""
    return await queries.rules_page(transaction, caller.tenant_id, cursor=cursor, limit=limit)
