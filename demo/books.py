"""The books of the demo district, kept as the ledger keeps them: entries, lots spent first to expire first, a hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from demo.ids import fixed_id
from models.points import Asset, LedgerAccountKind, TransactionKind
from services.chassis.clock import SHANGHAI
from services.points.ledger.posting import Leg

FOREVER = datetime.max  # noqa: DTZ901 (what the driver takes for infinity)


@dataclass
class LedgerAccount:
    """An account and how it stands after the postings so far."""

    kind: LedgerAccountKind
    owner_id: UUID
    asset: Asset
    balance: int = 0
    version: int = 0
    held: int = 0
    name: str | None = None
    community_id: UUID | None = None

    @property
    def id(self) -> UUID:
        return fixed_id("ledger-account", f"{self.kind}-{self.owner_id}-{self.asset}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One leg of a transaction."""

    account_id: UUID
    sequence: int
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class Posting:
    """One transaction."""

    id: UUID
    kind: TransactionKind
    source_kind: str
    source_id: str
    reason: str
    effective_at: datetime
    recorded_by: UUID | None = None
    """The clerk; none when a rule did it."""
    details: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Lot:
    """What a credit of a member brought, and what is left of it."""

    account_id: UUID
    sequence: int
    amount: int
    remaining: int
    expires_at: datetime
    issuer_id: UUID
    held: int = 0


@dataclass(frozen=True, slots=True)
class Allocation:
    """What an entry took from a lot of its account, or a hold reserves of it."""

    account_id: UUID
    sequence: int
    lot_sequence: int
    amount: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Points reserved for a merchant."""

    id: UUID
    account_id: UUID
    amount: int
    to_owner_id: UUID
    reason: str
    recorded_at: datetime
    expires_at: datetime


class Books:
    """Posts in the order it is asked to; every account counts its own entries."""

    def __init__(self) -> None:
        self.accounts: dict[tuple[LedgerAccountKind, UUID, Asset], LedgerAccount] = {}
        self.postings: list[Posting] = []
        self.lots: list[Lot] = []
        self.allocations: list[Allocation] = []
        self.holds: list[Hold] = []
        self.hold_lots: list[tuple[Hold, Allocation]] = []

    def open(self, kind: LedgerAccountKind, owner_id: UUID, asset: Asset = Asset.POINTS) -> LedgerAccount:
        """The account, opened when it is new."""
        return self.accounts.setdefault((kind, owner_id, asset), LedgerAccount(kind, owner_id, asset))

    def post(self, posting: Posting, legs: Sequence[Leg]) -> None:
        """Debits first. What members spend comes out of their lots."""
        issuer_id = legs[0].owner_id
        for leg in sorted(legs, key=lambda leg: leg.amount):
            account = self.open(leg.account_kind, leg.owner_id, leg.asset)
            account.balance += leg.amount
            account.version += 1
            posting.entries.append(Entry(account.id, account.version, leg.amount, account.balance))
            if account.kind is LedgerAccountKind.MEMBER:
                self._move_lots(account, leg.amount, posting.effective_at, issuer_id)
        self.postings.append(posting)

    def hold(self, account: LedgerAccount, hold: Hold) -> None:
        """Reserves what expires first."""
        account.held += hold.amount
        for lot, amount in self._first_to_expire(account, hold.amount):
            lot.held += amount
            self.hold_lots.append((hold, Allocation(account.id, 0, lot.sequence, amount)))
        self.holds.append(hold)

    def _move_lots(self, account: LedgerAccount, amount: int, moment: datetime, issuer_id: UUID) -> None:
        if amount > 0:
            expires_at = expiry(account.asset, moment)
            self.lots.append(Lot(account.id, account.version, amount, amount, expires_at, issuer_id))
            return
        for lot, taken in self._first_to_expire(account, -amount):
            lot.remaining -= taken
            self.allocations.append(Allocation(account.id, account.version, lot.sequence, -taken))

    def _first_to_expire(self, account: LedgerAccount, amount: int) -> list[tuple[Lot, int]]:
        """Lots of the account with what is to be taken of each, until there is enough."""
        own = [lot for lot in self.lots if lot.account_id == account.id]
        chosen: list[tuple[Lot, int]] = []
        for lot in sorted(own, key=lambda lot: (lot.expires_at, lot.sequence)):
            taken = min(amount, lot.remaining - lot.held)
            if taken > 0:
                chosen.append((lot, taken))
                amount -= taken
        assert amount == 0, "nobody spends or holds what they do not have"
        return chosen


def expiry(asset: Asset, moment: datetime) -> datetime:
    """Points live until the end of the year after the one they were earned in, minutes for ever."""
    if asset is Asset.MINUTES:
        return FOREVER
    return datetime(moment.astimezone(SHANGHAI).year + 2, 1, 1, tzinfo=SHANGHAI)
