"""Deciding the rules of the books."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.points import LedgerSettings
from services.chassis.errors import Forbidden
from services.chassis.identity import Identity
from services.points.book_rules import queries
from services.points.book_rules.schemas import BookRules, BookRulesRead
from services.points.ledger import policy


async def decide_rules(transaction: AsyncSession, caller: Identity, body: BookRules) -> BookRulesRead:
    """A new version, which counts from now on; the old ones stay. Raises Forbidden. The route commits."""
    if not await queries.rules_district(transaction, caller, policy.RULING_ROLES):
        raise Forbidden
    await transaction.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('ledger settings ' || :tenant, 0))"),
        {"tenant": str(caller.tenant_id)},
    )
    before = await queries.rules_in_force(transaction, caller.tenant_id, body.asset)
    rules = LedgerSettings(
        tenant_id=caller.tenant_id,
        version=before.version + 1,
        recorded_at=await transaction.scalar(text("SELECT ledger_now()")),
        recorded_by=caller.account_id,
        **body.model_dump(),
    )
    transaction.add(rules)
    await transaction.flush()
    return BookRulesRead.model_validate(rules)
