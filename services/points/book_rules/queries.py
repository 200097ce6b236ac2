"""Everything that reads the rules of the books."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area
from models.identity import Role
from models.points import Asset, LedgerSettings
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.points.book_rules.schemas import BookRulesRead


async def rules_district(transaction: AsyncSession, caller: Identity, roles: Collection[Role]) -> bool:
    """Whether the caller holds one of these roles over the whole district."""
    root = select(Area.id).where(
        Area.tenant_id == caller.tenant_id, Area.parent_id.is_(None), Area.id.in_(caller.areas_as(roles))
    )
    return await transaction.scalar(root) is not None


async def rules_in_force(transaction: AsyncSession, tenant_id: UUID, asset: Asset) -> BookRulesRead:
    row = (
        await transaction.execute(
            text("SELECT s.* FROM ledger_settings_of(:tenant, :asset) AS s"), {"tenant": tenant_id, "asset": asset}
        )
    ).one()
    return BookRulesRead.model_validate(row)


async def versions_page(
    transaction: AsyncSession, tenant_id: UUID, asset: Asset, *, cursor: str | None, limit: int
) -> Page[BookRulesRead]:
    """Every version that was ever decided, newest first."""
    query = select(LedgerSettings).where(LedgerSettings.tenant_id == tenant_id, LedgerSettings.asset == asset)
    if cursor is not None:
        query = query.where(LedgerSettings.version < decode_cursor(cursor, tuple[int])[0])
    rows = (await transaction.scalars(query.order_by(LedgerSettings.version.desc()).limit(limit + 1))).all()
    return Page[BookRulesRead](
        items=[BookRulesRead.model_validate(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].version) if len(rows) > limit else None,
    )
