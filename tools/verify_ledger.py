#!/usr/bin/env python3
"""Checks an exported points ledger: nothing but this file, Python 3.11 and the exported file is needed.

    python3 verify_ledger.py ledger.jsonl [--heads heads.json] [--partial]

The file comes from GET /v1/points/export. The heads are what was published day by day, as GET /v1/points/chain/heads
answers them, or any JSON list of {"published_on", "position", "hash"}: kept by somebody whom the keeper of the books
cannot talk into changing them. Without heads, books that were rewritten from some record on to the end are not found.

What is checked: every line is there, in its place, and hashes to what it says, on top of the line before; every
transaction adds up to zero and is there once; every entry is the next of its account, and balances and lots follow from
the entries; nothing is spent that was held, or over; every hold reserves what was there, and ends at most once, with
what was posted of it; the chain reaches as far as the file says and goes through every published head.

A file that does not begin at the beginning proves nothing about balances, nor about what came before: it passes only
with --partial.

The exit code is 0 when all is sound, 1 when something is not (and then where is said), 2 when a file cannot be read.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEVER_NEGATIVE = {"member", "merchant", "expiry", "escrow"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
STRIPED = {"issuing_community", "correction"}
NEVER = "9999"
"""Behind every moment as records tell them: all of one form (MOMENT), and so in order as texts."""
NO_HASH = "00" * 32
MOST_FINDINGS = 20
BAR = 40
EVERY = 2_000


class Unreadable(Exception):
    """A file that is not what it should be; the text says why."""


def link_hash(position: int, previous: str, record: Any) -> str:
    """SHA-256 of three lines: the position, the hash before, and the record as compact JSON with sorted names."""
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{position}\n{previous}\n{text}".encode(errors="surrogatepass")).hexdigest()


class Checker:
    """Takes the lines one after the other and keeps what is wrong, with its place."""

    def __init__(self, header: dict[str, Any], heads: Iterable[dict[str, Any]]) -> None:
        self.findings: list[str] = []
        self.after: int = header["after"]["position"]
        self.position: int = self.after
        self._hash: str = header["after"]["hash"]
        self._end: dict[str, Any] = header["head"]
        self._heads: dict[int, list[dict[str, Any]]] = {}
        for head in heads:
            self._heads.setdefault(head["position"], []).append(head)
        self.unchecked_heads = sum(len(some) for position, some in self._heads.items() if position < self.after)
        """Published before the file begins."""
        if self.position == 0 and self._hash != NO_HASH:
            self._find(1, "the chain does not begin at the beginning")
        self._check_heads(1)
        # Where the file does not begin at the beginning, balances before it are not known.
        self._books = Books() if self.position == 0 else None

    def take(self, number: int, text: str) -> None:
        """One line of the file, which is its `number`th."""
        try:
            line = json.loads(text)
            position, digest, record = int(line["position"]), str(line["hash"]), line["record"]
        except (ValueError, TypeError, KeyError, RecursionError):
            self._find(number, "is not a whole line of JSON; the file may have been cut or edited")
            return
        is_next = position == self.position + 1
        if not is_next:
            self._find(number, f"has position {position} where {self.position + 1} should be")
        if record is None:
            self._find(number, f"the record sealed at position {position} is gone")
        elif is_next and link_hash(position, self._hash, record) != digest:
            self._find(number, f"the record at position {position} is not what was sealed there")
        self.position, self._hash = position, digest
        self._check_heads(number)
        if self._books is not None and record is not None:
            self._take_record(number, position, record)

    def finish(self) -> None:
        """After the last line."""
        for complaint in self._books.unfinished() if self._books is not None else ():
            self._find(None, complaint)
        if (self.position, self._hash) != (self._end["position"], self._end["hash"]):
            self._find(None, f"the chain should end at position {self._end['position']}; it ends at {self.position}")
        for position in sorted(position for position in self._heads if position > self.position):
            for head in self._heads[position]:
                self._find(None, f"on {head['published_on']} position {position} was published; the file ends before")

    def _check_heads(self, number: int) -> None:
        for head in self._heads.get(self.position, ()):
            if head["hash"] != self._hash:
                self._find(number, f"position {self.position} is not what was published on {head['published_on']}")

    def _take_record(self, number: int, position: int, record: Any) -> None:
        assert self._books is not None
        try:
            for complaint in self._books.take(record):
                self._find(number, f"at position {position} {complaint}")
        except (KeyError, TypeError, AttributeError, ValueError):
            self._find(number, f"at position {position} there is something that is not a record of a ledger")

    def _find(self, number: int | None, what: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(f"line {number}: {what}" if number else what)


class Books:
    """Accounts, lots and holds, as the records make them. Every complaint is a sentence."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._lots: dict[tuple[Any, ...], Lot] = {}
        self._holds: dict[str, Hold] = {}
        self._records: set[tuple[str, str]] = set()
        self._sources: set[tuple[str, str, str]] = set()

    def take(self, record: dict[str, Any]) -> Iterator[str]:
        kind = record["type"]
        _check_form({name: value for name, value in record.items() if name != "details"})
        if kind == "transaction":
            yield from self._take_transaction(record)
        elif kind == "hold":
            yield from self._take_hold(record)
        elif kind == "hold_end":
            yield from self._take_hold_end(record)
        else:
            yield f"there is a record of the unknown kind {kind}"

    def unfinished(self) -> Iterator[str]:
        """What is missing behind the last record."""
        for hold_id, hold in self._holds.items():
            if hold.posted_by is not None:
                yield f"the hold {hold_id} is posted and does not end"

    def _learn(self, record: dict[str, Any]) -> Iterator[str]:
        kind, source = record["type"], (record["type"], record["source_kind"], record["source_id"])
        if (kind, record["id"]) in self._records:
            yield f"the {kind} {record['id']} is there a second time"
        if source in self._sources:
            yield f"the source {source[1]} {source[2]} is posted a second time"
        self._records.add((kind, record["id"]))
        self._sources.add(source)

    def _take_transaction(self, record: dict[str, Any]) -> Iterator[str]:
        yield from self._learn(record)
        sums: dict[str, int] = {}
        for leg in record["legs"]:
            sums[leg["asset"]] = sums.get(leg["asset"], 0) + leg["amount"]
        if len(record["legs"]) < 2 or any(sums.values()):
            yield "the legs of a transaction do not add up to zero"
        posted = self._holds.get(record["source_id"]) if record["source_kind"] == "hold" else None
        if posted is not None:
            yield from self._post_hold(posted, record)
        for leg in record["legs"]:
            yield from self._take_leg(record, leg, posted)

    def _post_hold(self, hold: "Hold", record: dict[str, Any]) -> Iterator[str]:
        if hold.posted_by is not None or hold.expires_at <= record["recorded_at"]:
            yield "a hold is posted that is over"
        hold.posted_by = record["id"]
        hold.posted = -sum(leg["amount"] for leg in record["legs"] if _account(leg, leg["stripe"]) == hold.account)
        self._release(hold)

    def _take_leg(self, record: dict[str, Any], leg: dict[str, Any], posted: "Hold | None") -> Iterator[str]:
        account = _account(leg, leg["stripe"])
        name = f"{leg['account_kind']} {leg['owner_id']}"
        if not 0 <= leg["stripe"] <= (15 if leg["account_kind"] in STRIPED else 0):
            yield f"there is no account {leg['stripe']} of {name}"
        sequence, balance = self._accounts.get(account, (0, 0))
        if leg["sequence"] != sequence + 1:
            yield f"{name} has entry {leg['sequence']} where {sequence + 1} should be"
        if leg["amount"] == 0 or leg["balance_after"] != balance + leg["amount"]:
            yield f"the balance of {name} does not follow from its entries"
        if leg["account_kind"] in NEVER_NEGATIVE and leg["balance_after"] < 0:
            yield f"{name} is below zero"
        if leg["account_kind"] == "debt" and leg["balance_after"] > 0:
            yield f"{name} is above zero"
        self._accounts[account] = leg["sequence"], leg["balance_after"]
        moved = sum(lot["amount"] for lot in leg["lots"]) + sum(share["amount"] for share in leg["allocations"])
        if moved != (leg["amount"] if leg["account_kind"] == "member" else 0):
            yield f"the lots of {name} do not fit its entry"
        yield from self._take_lots(record, leg, account, posted)

    def _take_lots(
        self, record: dict[str, Any], leg: dict[str, Any], account: tuple[Any, ...], posted: "Hold | None"
    ) -> Iterator[str]:
        for lot in leg["lots"]:
            key = (*account, leg["sequence"], lot["part"])
            if lot["amount"] <= 0 or key in self._lots:
                yield f"a lot of {leg['owner_id']} is empty, or opened a second time"
            self._lots[key] = Lot(lot["amount"], lot["amount"], lot["expires_at"] or NEVER)
        for share in leg["allocations"]:
            taken = self._lots.setdefault((*account, share["lot_sequence"], share["lot_part"]), Lot(0, 0, NEVER))
            if not taken.held <= taken.left + share["amount"] <= taken.amount:
                yield f"a lot of {leg['owner_id']} gives more than it has"
            is_over = taken.expires_at <= record["recorded_at"]
            is_exempt = posted is not None or record["kind"] == "reversal" or share["amount"] > 0
            if not is_exempt and is_over != (record["kind"] == "expiry"):
                yield f"a lot of {leg['owner_id']} {'is spent after it was over' if is_over else 'expires too early'}"
            taken.left += share["amount"]

    def _take_hold(self, record: dict[str, Any]) -> Iterator[str]:
        yield from self._learn(record)
        account = _account(record, 0)
        shares = {(*account, share["lot_sequence"], share["lot_part"]): share["amount"] for share in record["lots"]}
        if sum(shares.values()) != record["amount"] or len(shares) != len(record["lots"]):
            yield "a hold is not what it reserves"
        if record["expires_at"] <= record["recorded_at"]:
            yield "a hold is over before it begins"
        for key, amount in shares.items():
            lot = self._lots.setdefault(key, Lot(0, 0, NEVER))
            if not 0 < amount <= lot.left - lot.held or lot.expires_at <= record["recorded_at"]:
                yield "a hold reserves what is not there"
            lot.held += amount
        self._holds[record["id"]] = Hold(account, record["amount"], record["expires_at"], shares)

    def _take_hold_end(self, record: dict[str, Any]) -> Iterator[str]:
        hold = self._holds.pop(record["hold_id"], None)
        if hold is None:
            yield "a hold ends that was not open"
            return
        if record["amount"] > hold.amount:
            yield "more was posted than was held"
        is_posted = record["outcome"] == "posted"
        if (record["transaction_id"], record["amount"]) != (hold.posted_by, hold.posted) or (
            is_posted != (hold.posted_by is not None)
        ):
            yield "the end of a hold does not fit its transaction"
        if hold.posted_by is None:
            self._release(hold)

    def _release(self, hold: "Hold") -> None:
        for key, amount in hold.lots.items():
            self._lots[key].held -= amount


@dataclass
class Lot:
    amount: int
    left: int
    expires_at: str
    held: int = 0


@dataclass
class Hold:
    account: tuple[Any, ...]
    amount: int
    expires_at: str
    lots: dict[tuple[Any, ...], int]
    posted_by: str | None = None
    posted: int = 0


def _check_form(value: Any, name: str = "") -> None:
    """Raises ValueError for numbers that are not whole, and for moments that are not in UTC to the microsecond."""
    if isinstance(value, dict):
        for inner, content in value.items():
            _check_form(content, inner)
    elif isinstance(value, list):
        for content in value:
            _check_form(content)
    elif isinstance(value, float | bool) or (
        name.endswith("_at") and value is not None and not MOMENT.fullmatch(value)
    ):
        raise ValueError(name)


def _account(named: dict[str, Any], stripe: int) -> tuple[Any, ...]:
    return named["asset"], named["account_kind"], named["owner_id"], stripe


def check(
    export: Path, heads: Path | None = None, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> tuple[dict[str, Any], Checker]:
    """The header of the file and what was found. Raises Unreadable."""
    published = [] if heads is None else read_heads(heads)
    try:
        with export.open(encoding="utf-8") as file:
            header = _header(file.readline())
            checker = Checker(header, published)
            for number, line in enumerate(file, 2):
                checker.take(number, line)
                if number % EVERY == 0:
                    progress(checker.position, header["head"]["position"])
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{export} cannot be read: {error}") from None
    progress(checker.position, header["head"]["position"])
    checker.finish()
    return header, checker


def read_heads(path: Path) -> list[dict[str, Any]]:
    """Published heads: a list, or an answer whose `items` are one. Raises Unreadable."""
    try:
        content = json.loads(path.read_text("utf-8"))
        items = content["items"] if isinstance(content, dict) else content
        return [
            {"published_on": item["published_on"], "position": int(item["position"]), "hash": item["hash"]}
            for item in items
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{path} has no published heads: {error}") from None


def _header(text: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
        if (header["format"], header["version"]) != ("linli-ledger", 1):
            raise Unreadable("This is not a ledger of Linli, or of a version that this program does not know.")
        for place in (header["after"], header["head"]):
            place["position"] = int(place["position"])
            bytes.fromhex(place["hash"])
    except (ValueError, KeyError, TypeError):
        raise Unreadable("The first line is not the header of an exported ledger.") from None
    return dict(header)


def show_progress(done: int, whole: int) -> None:
    """A bar on the terminal, if there is one."""
    if sys.stderr.isatty() and whole:
        filled = BAR * min(done, whole) // whole
        print(f"\r[{'#' * filled}{'.' * (BAR - filled)}] {done:,} of {whole:,}", end="", file=sys.stderr, flush=True)
        if done >= whole:
            print(file=sys.stderr)


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="verify_ledger.py", description="Check an exported points ledger.")
    parser.add_argument("export", type=Path, help="the file from GET /v1/points/export")
    parser.add_argument("--heads", type=Path, help="published heads as JSON, e.g. from GET /v1/points/chain/heads")
    parser.add_argument("--partial", action="store_true", help="let a file pass that does not begin at the beginning")
    options = parser.parse_args(arguments)
    try:
        header, checker = check(options.export, options.heads, show_progress)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    is_sound = not checker.findings
    _report(header, checker, is_sound=is_sound, has_heads=options.heads is not None)
    return 0 if is_sound and (options.partial or not checker.after) else 1


def _report(header: dict[str, Any], checker: Checker, *, is_sound: bool, has_heads: bool) -> None:
    tenant = header["tenant"]
    print(f"{tenant['name']} ({tenant['code']}): {_extent(checker)}, exported at {header['exported_at']}")
    for finding in checker.findings:
        print(f"  {finding}")
    if checker.after:
        print(
            f"This is part of the books: what comes before record {checker.after + 1:,} was not checked, nor balances."
        )
    if checker.unchecked_heads:
        print(f"{checker.unchecked_heads:,} published heads before record {checker.after:,} were not checked.")
    against = "the published heads" if has_heads else "no published heads: a rewritten end would not be found"
    print(f"{'sound' if is_sound else 'BROKEN'} (compared with {against})")


def _extent(checker: Checker) -> str:
    if checker.position == checker.after:
        return "no records"
    return f"records {checker.after + 1:,} to {checker.position:,}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
