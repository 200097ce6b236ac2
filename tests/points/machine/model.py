"""The books in plain Python: accounts, lots, holds, debts and expiry, as the rules have them, one step after the other.

It knows nothing of SQL, locks or time that passes by itself. What it refuses it refuses by the code of the problem;
where the product may give either of several reasons, all of them are named.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

NEVER = datetime.max.replace(tzinfo=UTC)
SHANGHAI = timezone(timedelta(hours=8))
UNLIMITED = frozenset({"issuing_community", "correction", "debt"})
SETTLES_DEBTS = frozenset({"reward", "award", "service", "conversion", "correction"})


class Refused(Exception):
    """`codes` are the reasons there are."""

    def __init__(self, *codes: str) -> None:
        super().__init__(*codes)
        self.codes = frozenset(codes)


class Place(NamedTuple):
    """Which account. `owner` is what the walk calls the person, community or shop."""

    kind: str
    owner: str
    asset: str = "points"


class Leg(NamedTuple):
    place: Place
    amount: int


@dataclass(frozen=True)
class Rules:
    """The rules of the books of one asset, as the product has them before anybody decided."""

    expiry_unit: str = "none"
    expiry_count: int = 0
    expired_return_days: int = 0
    spent_earning: str = "refuse"
    hold_days: int = 7
    member_cap: int | None = None
    second_person_from: int | None = None
    may_transfer: bool = False
    minutes_per_point: int | None = None

    def expiry_of(self, moment: datetime) -> datetime:
        """The first moment at which a credit of `moment` is over."""
        local = moment.astimezone(SHANGHAI)
        match self.expiry_unit:
            case "days":
                return moment + timedelta(days=self.expiry_count)
            case "months":
                months = local.year * 12 + local.month + self.expiry_count
                return datetime(months // 12, months % 12 + 1, 1, tzinfo=SHANGHAI).astimezone(UTC)
            case "years":
                return datetime(local.year + self.expiry_count + 1, 1, 1, tzinfo=SHANGHAI).astimezone(UTC)
        return NEVER


@dataclass
class Lot:
    sequence: int
    part: int
    amount: int
    remaining: int
    expires_at: datetime
    issuer: str
    held: int = 0

    @property
    def free(self) -> int:
        return self.remaining - self.held

    @property
    def turn(self) -> tuple[datetime, int, int]:
        """First to expire, first out."""
        return self.expires_at, self.sequence, self.part


@dataclass
class Account:
    balance: int = 0
    version: int = 0
    held: int = 0
    status: str = "open"
    lots: list[Lot] = field(default_factory=list)
    past: list[tuple[datetime, int]] = field(default_factory=list)
    """The balance after each entry, and when that was booked."""

    def open_lots(self) -> list[Lot]:
        return sorted((lot for lot in self.lots if lot.remaining), key=lambda lot: lot.turn)

    def available(self, now: datetime) -> int:
        return sum(lot.free for lot in self.lots if lot.expires_at > now)


@dataclass
class Entry:
    sequence: int
    amount: int
    taken: list[tuple[Lot, int]] = field(default_factory=list)
    opened: list[Lot] = field(default_factory=list)
    lapsed: dict[str, int] = field(default_factory=dict)
    """What of the lots it opened has been booked as expired, by community."""


@dataclass
class Transaction:
    kind: str
    entries: dict[Place, Entry] = field(default_factory=dict)
    is_reversed: bool = False
    posting_id: str = ""


@dataclass
class Hold:
    place: Place
    to: Place
    amount: int
    expires_at: datetime
    lots: list[tuple[Lot, int]]
    state: str = "pending"
    hold_id: str = ""


@dataclass
class Books:
    """One district's books. Its clerk answers for all its communities and has no points in the walk."""

    now: datetime
    rules: dict[str, Rules] = field(default_factory=lambda: {"points": Rules(), "minutes": Rules()})
    accounts: dict[Place, Account] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    sources: dict[str, Transaction] = field(default_factory=dict)

    def account(self, place: Place) -> Account:
        """As it stands; opened by the first transaction that reaches it."""
        return self.accounts.get(place) or Account()

    def owed(self, place: Place) -> int:
        return -self.account(place._replace(kind="debt")).balance

    def _opened(self, places: Iterable[Place]) -> None:
        for place in places:
            self.accounts.setdefault(place, Account())

    # Posting

    def post(
        self, legs: Sequence[Leg], kind: str, *, source: str | None = None, effective_at: datetime | None = None
    ) -> Transaction:
        """A transaction by a clerk, or by the rules of a conversion; raises Refused, and then nothing has changed."""
        if source in self.sources:
            return self.sources[source]
        givers, takers = ({leg.place.asset for leg in legs if leg.place.kind == "member" and sign * leg.amount > 0}
                          for sign in (-1, 1))  # fmt: skip
        if givers & takers:
            raise Refused("forbidden")
        if effective_at is not None and effective_at > self.now:
            raise Refused("effective_in_future")
        self.check_second_person(legs, kind)
        transaction = self._posted(legs, kind, effective_at)
        if source is not None:
            self.sources[source] = transaction
        return transaction

    def transfer(self, giver: Place, taker: Place, amount: int) -> Transaction:
        if giver == taker:
            raise Refused("unbalanced_legs")
        if not self.rules[giver.asset].may_transfer:
            raise Refused("transfers_not_allowed")
        return self._posted([Leg(giver, -amount), Leg(taker, amount)], "transfer", None)

    def convert(self, member: str, community: str, points: int) -> Transaction:
        rate = self.rules["minutes"].minutes_per_point
        if not any(lot.issuer == community for lot in self.account(Place("member", member, "minutes")).lots):
            raise Refused("community_not_found")
        if rate is None:
            raise Refused("not_convertible")
        minutes = points * rate
        legs = [
            Leg(Place("member", member, "minutes"), -minutes),
            Leg(Place("issuing_community", community, "minutes"), minutes),
            Leg(Place("issuing_community", community), -points),
            Leg(Place("member", member), points),
        ]
        return self._posted(legs, "conversion", None)

    def check_second_person(self, legs: Sequence[Leg], kind: str) -> None:
        gives = any(leg.place.kind != "member" and leg.amount < 0 for leg in legs)
        for place, amount in legs:
            limit = self.rules[place.asset].second_person_from
            gets = place.kind in {"member", "merchant", "escrow"} and limit is not None and amount >= limit
            if kind != "conversion" and gives and gets:
                raise Refused("second_person_needed")

    def _posted(
        self, legs: Sequence[Leg], kind: str, effective_at: datetime | None, hold: Hold | None = None
    ) -> Transaction:
        self._opened(leg.place for leg in legs)
        refusals = {code for leg in legs if (code := self._refusal(leg, hold)) is not None}
        if refusals:
            raise Refused(*refusals)
        movements = [movement for leg in legs for movement in self._with_debt_settled(leg, kind)]
        return self._move(kind, sorted(movements, key=lambda leg: leg.amount), effective_at or self.now, hold)

    def _refusal(self, leg: Leg, hold: Hold | None) -> str | None:
        account, cap = self.account(leg.place), self.rules[leg.place.asset].member_cap
        if account.status == "closed":
            return "account_closed"
        if account.status == "frozen" and leg.amount < 0 and hold is None:
            return "account_frozen"
        if leg.place.kind in UNLIMITED or hold is not None:
            return None
        has = account.available(self.now) if leg.place.kind == "member" else account.balance
        if leg.amount < 0 and has + leg.amount < 0:
            return "insufficient_points"
        if leg.place.kind == "member" and leg.amount > 0 and cap is not None and account.balance + leg.amount > cap:
            return "balance_cap_reached"
        return None

    def _with_debt_settled(self, leg: Leg, kind: str) -> list[Leg]:
        """Earnings settle what their owner owes before they reach the account."""
        if leg.place.kind != "member" or leg.amount < 0 or kind not in SETTLES_DEBTS:
            return [leg]
        settled = min(leg.amount, self.owed(leg.place))
        parts = [Leg(leg.place._replace(kind="debt"), settled), Leg(leg.place, leg.amount - settled)]
        return [part for part in parts if part.amount]

    def _move(self, kind: str, legs: Sequence[Leg], effective_at: datetime, hold: Hold | None = None) -> Transaction:
        """Debits come first in `legs`: what members get from members keeps its expiry and its community."""
        transaction = Transaction(kind)
        pieces: dict[str, list[Lot]] = {place.asset: [] for place, _ in legs}
        for place, amount in legs:
            entry = self._enter(transaction, place, amount)
            if amount < 0 and place.kind == "member":
                offered = hold.lots if hold is not None else None
                pieces[place.asset] += self._take(self.accounts[place], entry, -amount, offered)
            elif amount < 0:
                expires_at = self.rules[place.asset].expiry_of(effective_at)
                community = "south" if place.kind in {"merchant", "escrow"} else place.owner
                pieces[place.asset].append(Lot(0, 0, -amount, -amount, expires_at, community))
            elif place.kind == "member":
                self._open_lots(self.accounts[place], entry, pieces[place.asset])
        self.transactions.append(transaction)
        return transaction

    def _enter(self, transaction: Transaction, place: Place, amount: int) -> Entry:
        self._opened([place])
        account = self.accounts[place]
        account.balance += amount
        account.version += 1
        account.past.append((self.now, account.balance))
        entry = transaction.entries[place] = Entry(account.version, amount)
        return entry

    def _take(
        self, account: Account, entry: Entry, amount: int, offered: Iterable[tuple[Lot, int]] | None = None
    ) -> list[Lot]:
        """Out of what is offered, or of what can be spent, first to expire first; what was taken."""
        if offered is None:
            offered = [(lot, lot.free) for lot in account.open_lots() if lot.expires_at > self.now]
        for lot, most in offered:
            some = min(amount, most)
            if some:
                lot.remaining -= some
                entry.taken.append((lot, some))
                amount -= some
        assert amount == 0, "decided before"
        return [replace(lot, amount=some, remaining=some) for lot, some in entry.taken]

    @staticmethod
    def _open_lots(account: Account, entry: Entry, pieces: list[Lot]) -> None:
        left, part = entry.amount, 0
        for piece in pieces:
            some = min(left, piece.remaining)
            if not some:
                continue
            part += 1
            piece.remaining -= some
            left -= some
            entry.opened.append(Lot(entry.sequence, part, some, some, piece.expires_at, piece.issuer))
        account.lots += entry.opened

    # Holds

    def hold(self, place: Place, to: Place, amount: int, expires_at: datetime | None) -> Hold:
        self._opened([place])
        account = self.accounts[place]
        expires_at = expires_at or self.now + timedelta(days=self.rules[place.asset].hold_days)
        if account.status != "open":
            raise Refused(f"account_{account.status}")
        if not self.now < expires_at <= self.now + timedelta(days=366):
            raise Refused("hold_term_invalid")
        if account.available(self.now) < amount:
            raise Refused("insufficient_points")
        reserved, left = [], amount
        for lot in account.open_lots():
            some = min(left, lot.free) if lot.expires_at > self.now else 0
            if some:
                lot.held += some
                reserved.append((lot, some))
                left -= some
        account.held += amount
        hold = Hold(place, to, amount, expires_at, reserved)
        self.holds.append(hold)
        return hold

    def post_hold(self, hold: Hold, amount: int | None) -> Transaction:
        some = hold.amount if amount is None else amount
        if some > hold.amount:
            raise Refused("hold_exceeded")
        self._check_pending(hold)
        self._opened([hold.to])
        if self.account(hold.to).status == "closed":
            raise Refused("account_closed")
        self._release(hold, "posted")
        return self._posted([Leg(hold.place, -some), Leg(hold.to, some)], "redemption", None, hold)

    def void_hold(self, hold: Hold) -> None:
        self._check_pending(hold)
        self._release(hold, "voided")

    def _check_pending(self, hold: Hold) -> None:
        if hold.state != "pending" or hold.expires_at <= self.now:
            raise Refused("hold_ended")

    def _release(self, hold: Hold, state: str) -> None:
        hold.state = state
        self.accounts[hold.place].held -= hold.amount
        for lot, some in hold.lots:
            lot.held -= some

    # Expiry

    def expire_holds(self) -> None:
        for hold in self.holds:
            if hold.state == "pending" and hold.expires_at <= self.now:
                self._release(hold, "expired")

    def expire_lots(self) -> None:
        """One transaction per account and moment of expiry; what is held stays."""
        for place, account in list(self.accounts.items()):
            over = [lot for lot in account.open_lots() if lot.expires_at <= self.now and lot.free]
            for moment in sorted({lot.expires_at for lot in over}):
                self._lapse(place, [lot for lot in over if lot.expires_at == moment])

    def _lapse(self, place: Place, lots: list[Lot]) -> None:
        transaction = Transaction("expiry")
        entry = self._enter(transaction, place, -sum(lot.free for lot in lots))
        for issuer in sorted({lot.issuer for lot in lots}):
            lapsed = sum(lot.free for lot in lots if lot.issuer == issuer)
            self._enter(transaction, Place("expiry", issuer, place.asset), lapsed)
        for lot in lots:
            self._note_lapse(place, lot)
        self._take(self.accounts[place], entry, -entry.amount, [(lot, lot.free) for lot in lots])
        self.transactions.append(transaction)

    def _note_lapse(self, place: Place, lot: Lot) -> None:
        """On the entry that opened the lot: whoever takes that back gets what lapsed out of the expiry account."""
        for transaction in self.transactions:
            entry = transaction.entries.get(place)
            if entry is not None and entry.sequence == lot.sequence:
                entry.lapsed[lot.issuer] = entry.lapsed.get(lot.issuer, 0) + lot.free

    # Reversal

    def reverse(self, original: Transaction) -> Transaction:
        if original.kind in {"reversal", "expiry"}:
            raise Refused("not_reversible")
        if original.is_reversed:
            raise Refused("already_reversed")
        refusals: set[str] = set()
        movements: Counter[Place] = Counter()
        for place, entry in original.entries.items():
            if self.accounts[place].status == "closed":
                refusals.add("account_closed")
            for leg in self._taken_back(place, entry, refusals.add):
                movements[leg.place] += leg.amount
        if refusals:
            raise Refused(*refusals)
        original.is_reversed = True
        reversal = Transaction("reversal")
        for place, amount in movements.items():
            self._move_back(reversal, original, place, amount)
        self.transactions.append(reversal)
        return reversal

    def _taken_back(self, place: Place, entry: Entry, refuse: Callable[[str], None]) -> list[Leg]:
        account, left = self.accounts[place], entry.amount
        if place.kind != "member":
            if place.kind not in UNLIMITED and left > account.balance:
                refuse("insufficient_points")
            return [Leg(place, -left)]
        if left < 0:  # who owes gets back what is left after that
            settled = min(-left, self.owed(place))
            return [Leg(place._replace(kind="debt"), settled), Leg(place, -left - settled)]
        legs = [Leg(Place("expiry", issuer, place.asset), -some) for issuer, some in entry.lapsed.items()]
        left -= sum(entry.lapsed.values())
        missing = max(0, left - sum(some for _lot, some in self._reach(account, entry)))
        if missing and self.rules[place.asset].spent_earning == "refuse":
            refuse("insufficient_points")
        return [*legs, Leg(place._replace(kind="debt"), -missing), Leg(place, missing - left)]

    def _reach(self, account: Account, entry: Entry) -> list[tuple[Lot, int]]:
        """Where an earning is taken back from: its own lots, even if they are over, then what can be spent."""
        own = [lot for lot in account.open_lots() if lot.sequence == entry.sequence]
        others = [lot for lot in account.open_lots() if lot.sequence != entry.sequence and lot.expires_at > self.now]
        return [(lot, lot.free) for lot in own + others]

    def _move_back(self, reversal: Transaction, original: Transaction, place: Place, amount: int) -> None:
        if amount == 0:
            return
        entry = self._enter(reversal, place, amount)
        if place.kind == "member" and amount < 0:
            account = self.accounts[place]
            self._take(account, entry, -amount, self._reach(account, original.entries[place]))
        elif place.kind == "member":
            self._return(place, entry, original.entries[place].taken)

    def _return(self, place: Place, entry: Entry, taken: list[tuple[Lot, int]]) -> None:
        """To the very lots, those that expire last first; of those that are over, if the district is kind, into new
        ones.
        """
        days, left = self.rules[place.asset].expired_return_days, entry.amount
        late = []
        for lot, most in sorted(taken, key=lambda piece: piece[0].turn, reverse=True):
            some = min(left, most)
            left -= some
            if some and (lot.expires_at > self.now or days == 0):
                lot.remaining += some
            elif some:
                late.append((lot, some))
        until = self.now + timedelta(days=days)
        for part, (lot, some) in enumerate(sorted(late, key=lambda piece: piece[0].turn), 1):
            entry.opened.append(Lot(entry.sequence, part, some, some, until, lot.issuer))
        self.accounts[place].lots += entry.opened

    # Accounts

    def change_status(self, place: Place, action: str) -> None:
        if place not in self.accounts:
            raise Refused("points_account_not_found")
        account = self.accounts[place]
        before, after = {
            "freeze": ("open", "frozen"),
            "unfreeze": ("frozen", "open"),
            "close": ("open", "closed"),
            "reopen": ("closed", "open"),
        }[action]
        if account.status != before:
            raise Refused("account_state_conflict")
        if action == "close" and (account.balance or account.held or self.owed(place)):
            raise Refused("account_not_empty")
        account.status = after
