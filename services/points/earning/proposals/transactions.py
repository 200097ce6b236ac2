"""What can be said of a proposed transaction before it is posted."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from models.points import LedgerAccountKind
from services.chassis.errors import Forbidden
from services.points.earning.connection import Connection
from services.points.ledger.actions import CommunityNotFound, EffectiveInFuture, PointsAccountNotFound
from services.points.ledger.posting import UnbalancedLegs
from services.points.ledger.schemas import LegBody, TransactionBody

SLACK = timedelta(minutes=1)
"""What the ledger allows a clock to be ahead."""
OF_COMMUNITIES = (LedgerAccountKind.ISSUING_COMMUNITY, LedgerAccountKind.CORRECTION)


async def check_transaction(
    connection: Connection, tenant_id: UUID, transaction: TransactionBody, areas: Sequence[UUID]
) -> UUID:
    """The first community it is about, a merchant's or escrow's included, if all of them lie in these areas.

    The ledger refuses the same when it is posted. Raises Forbidden (no area, or from one member to another),
    CommunityNotFound, PointsAccountNotFound, UnbalancedLegs, EffectiveInFuture.
    """
    _check_balance(transaction.legs)
    legs = [leg for leg in transaction.legs if leg.account_kind is not LedgerAccountKind.MEMBER]
    if not areas or not legs or _gives_from_one_to_another(transaction.legs):
        raise Forbidden
    rows = await connection.fetch(
        _COMMUNITIES,
        tenant_id,
        [leg.account_kind.value for leg in legs],
        [leg.owner_id for leg in legs],
        [leg.asset.value for leg in legs],
        areas,
    )
    for leg, row in zip(legs, rows, strict=True):
        if row["community_id"] is None:
            raise CommunityNotFound if leg.account_kind in OF_COMMUNITIES else PointsAccountNotFound
    if transaction.effective_at is not None:
        now = await connection.fetchval("SELECT ledger_now()")
        if transaction.effective_at > now + SLACK:
            raise EffectiveInFuture
    community_id: UUID = rows[0]["community_id"]
    return community_id


def _check_balance(legs: Sequence[LegBody]) -> None:
    accounts = {(leg.account_kind, leg.owner_id, leg.asset) for leg in legs}
    is_balanced = all(
        sum(leg.amount for leg in legs if leg.asset is asset) == 0 for asset in {leg.asset for leg in legs}
    )
    if not is_balanced or len(accounts) < len(legs) or any(leg.amount == 0 for leg in legs):
        raise UnbalancedLegs


def _gives_from_one_to_another(legs: Sequence[LegBody]) -> bool:
    """What members give each other they give themselves."""
    of_members = [leg for leg in legs if leg.account_kind is LedgerAccountKind.MEMBER]
    givers = {leg.asset for leg in of_members if leg.amount < 0}
    return any(leg.amount > 0 and leg.asset in givers for leg in of_members)


_COMMUNITIES = """
SELECT c.id AS community_id
FROM unnest($2::text[], $3::uuid[], $4::text[]) WITH ORDINALITY AS l (kind, owner_id, asset, place)
LEFT JOIN ledger_accounts m ON m.tenant_id = $1 AND m.asset = l.asset AND m.kind = l.kind AND m.owner_id = l.owner_id
    AND l.kind IN ('merchant', 'escrow')
LEFT JOIN areas c ON c.tenant_id = $1 AND c.ancestor_ids && $5::uuid[] AND CASE
    WHEN l.kind IN ('merchant', 'escrow') THEN c.id = m.community_id
    ELSE c.id = l.owner_id AND c.community_id = c.id AND c.valid_to IS NULL
END
ORDER BY l.place
"""
