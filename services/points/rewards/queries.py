"""Everything that reads reward rules."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.points import RewardRule
from services.chassis import clock
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.points.rewards.rule import Rule
from services.points.rewards.schemas import RewardRuleRead


async def rule_in_force(connection: Any, tenant_id: UUID, order_kind: str, moment: datetime) -> Rule | None:
    """The rule of this kind of order at that moment, else the rule for all kinds; of several the latest."""
    row = await connection.fetchrow(_RULE_IN_FORCE, tenant_id, order_kind, moment)
    return None if row is None else Rule(**row)


_RULE_IN_FORCE = """
SELECT id, points, min_stars, bonus_points, bonus_stars FROM reward_rules
WHERE tenant_id = $1 AND (order_kind = $2 OR order_kind IS NULL)
    AND valid_from <= $3 AND (valid_to IS NULL OR $3 < valid_to)
ORDER BY order_kind IS NULL, valid_from DESC, id DESC
LIMIT 1
"""


async def rules_page(
    transaction: AsyncSession, tenant_id: UUID, *, cursor: str | None, limit: int
) -> Page[RewardRuleRead]:
    """The rules in force and those to come, in the order of their ids."""
    query = select(RewardRule).where(
        RewardRule.tenant_id == tenant_id, or_(RewardRule.valid_to.is_(None), RewardRule.valid_to > clock.now())
    )
    if cursor is not None:
        query = query.where(RewardRule.id > decode_cursor(cursor, tuple[UUID])[0])
    rules = (await transaction.scalars(query.order_by(RewardRule.id).limit(limit + 1))).all()
    return Page[RewardRuleRead](
        items=[RewardRuleRead.model_validate(rule) for rule in rules[:limit]],
        next_cursor=encode_cursor(rules[limit - 1].id) if len(rules) > limit else None,
    )
