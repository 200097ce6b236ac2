"""The one way into the ledger: a transaction with its legs, given to the SQL command `ledger_post`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from models.points import LedgerAccountKind, TransactionKind
from services.chassis.commands import Command, CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import Problem
from services.chassis.idempotency import RequestKey, refusal
from services.chassis.schemas import new_id


class InsufficientPoints(Problem):
    """A person's account never goes below zero. `balance` is what is there."""

    status = 409
    code = "insufficient_points"
    zh = "积分不足，当前余额 {balance}。"
    en = "Not enough points; the balance is {balance}."


class UnbalancedLegs(Problem):
    """A transaction has two legs or more, on different accounts, none of them zero, that add up to zero."""

    status = 422
    code = "unbalanced_legs"
    zh = "记账分录不平衡。"
    en = "The legs of the transaction do not balance."


class Leg(NamedTuple):
    """`amount` > 0 credits the account, < 0 debits it. The account is opened if its owner has none."""

    account_kind: LedgerAccountKind
    owner_id: UUID
    """A person's account id, or a community's area id."""
    amount: int


def issue(amount: int, *, community_id: UUID, account_id: UUID) -> list[Leg]:
    """Points out of a community's account into a person's."""
    return [
        Leg(LedgerAccountKind.ISSUING_COMMUNITY, community_id, -amount),
        Leg(LedgerAccountKind.MEMBER, account_id, amount),
    ]


class PostCommand(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What `ledger_post` takes: the row type `ledger_command` of the database.

    `account` is who posts, none for a rule. With `issuer_areas` the posting is a clerk's: it is refused unless its
    points come from communities in these areas, go to members of the tenant and are not the clerk's own.
    """

    id: UUID
    kind: TransactionKind
    source_kind: str
    source_id: str
    reason: str
    effective_at: datetime
    leg_kinds: list[LedgerAccountKind]
    leg_owners: list[UUID]
    leg_amounts: list[int]
    new_account_ids: list[UUID]
    """One per leg, for the account that may have to be opened."""
    details: dict[str, Any] = {}
    account: UUID | None = None
    issuer_areas: list[UUID] | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None


def post_command(
    legs: Sequence[Leg],
    *,
    kind: TransactionKind,
    source: tuple[str, str] | None = None,
    reason: str,
    effective_at: datetime,
    details: dict[str, Any] | None = None,
    account: UUID | None = None,
    issuer_areas: list[UUID] | None = None,
    once: RequestKey | None = None,
) -> PostCommand:
    """A transaction of its own id. `source` is (kind, id) of the fact behind it; without one it is a fact by itself.

    Legs are answered in the order of their amounts, debits first, whenever the transaction is shown.
    """
    transaction_id = new_id()
    legs = sorted(legs, key=lambda leg: (leg.amount, leg.owner_id))
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
        leg_amounts=[leg.amount for leg in legs],
        new_account_ids=[new_id() for _ in legs],
        account=account,
        issuer_areas=issuer_areas,
        idempotency_key=once.key if once else None,
        request_hash=once.request_hash.hex() if once else None,
    )


class LedgerCommands:
    """The SQL command that writes the ledger."""

    def __init__(self, database: Database) -> None:
        # Its batches have a function of their own, which takes all locks of a batch before it posts.
        self.post = Command(database, "ledger_post", batch_function="ledger_post_batch")


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
