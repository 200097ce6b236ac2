"""The one way into the ledger: a transaction with its legs, given to the SQL command `ledger_post`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from models.points import Asset, LedgerAccountKind, TransactionKind
from services.chassis.commands import Command, CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import Problem
from services.chassis.idempotency import RequestKey, refusal
from services.chassis.schemas import new_id


class InsufficientPoints(Problem):
    """A person's account never goes below zero. `available` is what can be spent: held and expired points cannot."""

    status = 409
    code = "insufficient_points"
    zh = "积分不足，当前可用 {available}。"
    en = "Not enough points; {available} can be spent."


class AccountFrozen(Problem):
    status = 409
    code = "account_frozen"
    zh = "该账户已冻结，不能支出。"
    en = "The account is frozen: nothing goes out of it."


class AccountClosed(Problem):
    status = 409
    code = "account_closed"
    zh = "该账户已关闭。"
    en = "The account is closed."


class BalanceCapReached(Problem):
    """The district's cap for one member. Nothing of the credit was booked."""

    status = 409
    code = "balance_cap_reached"
    zh = "超过个人积分上限 {cap}，当前余额 {balance}。"
    en = "This would exceed the cap of {cap} for one member; the balance is {balance}."


class UnbalancedLegs(Problem):
    """A transaction has two legs or more, on different accounts, none of them zero, that add up to zero per asset."""

    status = 422
    code = "unbalanced_legs"
    zh = "记账分录不平衡。"
    en = "The legs of the transaction do not balance."


class Leg(NamedTuple):
    """`amount` > 0 credits the account, < 0 debits it. The account is opened if its owner has none."""

    account_kind: LedgerAccountKind
    owner_id: UUID
    """A person's account id, a community's area id, or the id of a merchant or escrow."""
    amount: int
    asset: Asset = Asset.POINTS


def issue(amount: int, *, community_id: UUID, account_id: UUID, asset: Asset = Asset.POINTS) -> list[Leg]:
    """Points out of a community's account into a person's."""
    return [
        Leg(LedgerAccountKind.ISSUING_COMMUNITY, community_id, -amount, asset),
        Leg(LedgerAccountKind.MEMBER, account_id, amount, asset),
    ]


class PostCommand(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What `ledger_post` takes: the row type `ledger_item` of the database.

    `account` is who posts, none for a rule. With `issuer_areas` the posting is a clerk's: it is refused unless its
    communities and merchants lie in these areas, its people are members of the tenant and it is not about the clerk.
    """

    id: UUID
    kind: TransactionKind
    source_kind: str
    source_id: str
    reason: str
    leg_kinds: list[LedgerAccountKind]
    leg_owners: list[UUID]
    leg_assets: list[Asset]
    leg_amounts: list[int]
    effective_at: datetime | None = None
    """None: when it is recorded."""
    details: dict[str, Any] = {}
    account: UUID | None = None
    approved_by: UUID | None = None
    issuer_areas: list[UUID] | None = None
    is_gift: bool | None = None
    """A member gives their own: only where the district lets members transfer."""
    idempotency_key: str | None = None
    request_hash: str | None = None


def post_command(
    legs: Sequence[Leg],
    *,
    kind: TransactionKind,
    source: tuple[str, str] | None = None,
    reason: str,
    effective_at: datetime | None = None,
    details: dict[str, Any] | None = None,
    account: UUID | None = None,
    approved_by: UUID | None = None,
    issuer_areas: list[UUID] | None = None,
    is_gift: bool = False,
    once: RequestKey | None = None,
) -> PostCommand:
    """A transaction of its own id. `source` is (kind, id) of the fact behind it; without one it is a fact by itself.

    Legs are answered in the order of their amounts, debits first, points before minutes, whenever the transaction is
    shown (`ledger_posting`).
    """
    transaction_id = new_id()
    legs = sorted(legs, key=lambda leg: (leg.asset is not Asset.POINTS, leg.amount, leg.owner_id))
    source_kind, source_id = source or (kind.value, str(transaction_id))
    return PostCommand(
        id=transaction_id,
        kind=kind,
        source_kind=source_kind,
        source_id=source_id,
        reason=reason,
        effective_at=effective_at,
        details=details or {},
        leg_kinds=[leg.account_kind for leg in legs],
        leg_owners=[leg.owner_id for leg in legs],
        leg_assets=[leg.asset for leg in legs],
        leg_amounts=[leg.amount for leg in legs],
        account=account,
        approved_by=approved_by,
        issuer_areas=issuer_areas,
        is_gift=is_gift or None,
        idempotency_key=once.key if once else None,
        request_hash=once.request_hash.hex() if once else None,
    )


class BulkCommand(msgspec.Struct, kw_only=True):
    """What `ledger_post_bulk` takes. `mode` is all_or_nothing or each; the transactions have no keys of their own."""

    account: UUID
    idempotency_key: str
    request_hash: str
    mode: str
    transactions: list[PostCommand]


class LedgerCommands:
    """The SQL commands that write the ledger."""

    def __init__(self, database: Database) -> None:
        # Its batches have a function of their own, which takes all locks of a batch before it posts.
        self.post = Command(database, "ledger_post", batch_function="ledger_post_batch")
        # These lock two accounts or more each: a batch of them would not take its locks in one order.
        self.post_bulk = Command(database, "ledger_post_bulk", batched=False)
        self.hold = Command(database, "ledger_hold", batched=False)
        self.hold_end = Command(database, "ledger_hold_end", batched=False)
        self.reverse = Command(database, "ledger_reverse", batched=False)


async def post_within(connection: Any, tenant_id: UUID, command: PostCommand) -> CommandAnswer:
    """Posts in the connection's own transaction; whoever opened it commits. Raises the problem of a refusal.

    The accounts stay locked until then. A source that was posted before gets its transaction again, `replayed`.
    """
    row = await connection.fetchrow(_POST, tenant_id, msgspec.json.encode(command, enc_hook=str).decode())
    answer = CommandAnswer(*row)
    if answer.status >= 400:
        raise refusal(answer.body, is_replayed=answer.replayed)
    return answer


_POST = "SELECT status, body, replayed FROM ledger_post($1, $2)"
