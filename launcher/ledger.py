"""Commands about the points ledger: `verify-ledger` on a database or on an exported file, `import-ledger` of a file."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2

from launcher.database import product_database
from launcher.terminal import CannotStart, say, table
from services.chassis.database import Database
from services.chassis.snapshots import Snapshots
from services.points.proof.verification import KnownHead, Outcome, verify
from tools import verify_ledger as file_check

LINES_AT_ONCE = 500
BYTES_AT_ONCE = 600_000
"""With its escapes a piece stays below the megabyte that a request may have."""


@dataclass(frozen=True)
class District:
    tenant_id: UUID
    code: str
    name: str
    length: int


# verify-ledger ----------------------------------------------------------------------------------------------------


def verify_ledger(arguments: list[str]) -> int:
    """Check the books of every district of the database, or of one exported file. 0 only if all of them are sound."""
    parser = argparse.ArgumentParser(prog="verify-ledger", description=verify_ledger.__doc__)
    parser.add_argument("--export", type=Path, help="an exported file instead of the database")
    parser.add_argument("--heads", type=Path, help="published heads somebody kept, as JSON")
    parser.add_argument("--partial", action="store_true", help="let a file pass that does not begin at the beginning")
    parser.add_argument("--tenant", help="only the district of this code; --heads on a database needs it")
    options = parser.parse_args(arguments)
    if options.export:
        heads = ["--heads", str(options.heads)] if options.heads else []
        partial = ["--partial"] if options.partial else []
        return file_check.main([str(options.export), *heads, *partial])
    if options.heads and not options.tenant:
        raise CannotStart("Say whose heads these are: verify-ledger --tenant CODE --heads FILE.")
    kept = _kept_heads(options.heads) if options.heads else []
    with product_database() as url:
        try:
            return asyncio.run(_verify_database(url, options.tenant, kept))
        except (asyncpg.UndefinedTableError, asyncpg.InvalidParameterValueError):  # no tables, or not even their roles
            raise CannotStart("There are no books in this database: it was never migrated.") from None


def _kept_heads(path: Path) -> list[KnownHead]:
    try:
        return [
            KnownHead(date.fromisoformat(head["published_on"]), head["position"], bytes.fromhex(head["hash"]))
            for head in file_check.read_heads(path)
        ]
    except (file_check.Unreadable, ValueError) as error:
        raise CannotStart(str(error)) from None


async def _verify_database(url: str, code: str | None, kept: list[KnownHead]) -> int:
    database = Database(url, service="points", pool_size=2)
    await database.open()
    try:
        districts = [district for district in await _districts(database) if code in {None, district.code}]
        if not districts:
            raise CannotStart(f"There is no district {code}." if code else "There is no district yet.")
        outcomes = [(district, await _verify_district(database, district, kept)) for district in districts]
    finally:
        await database.close()
    say(table(("code", "district", "records", "verdict"), [_row(*outcome) for outcome in outcomes]))
    for district, outcome in outcomes:
        for found in outcome.found:
            say(f"  {district.code}: {found.sentence(english=True)}")
    return 1 if any(outcome.found for _, outcome in outcomes) else 0


async def _districts(database: Database) -> list[District]:
    rows = await database.pool.fetch("SELECT id, code, name FROM tenants ORDER BY code")
    districts = []
    for row in rows:
        async with database.hot_transaction(row["id"]) as connection:
            length = await connection.fetchval(
                "SELECT position FROM ledger_chain_heads WHERE tenant_id = $1", row["id"]
            )
        districts.append(District(row["id"], row["code"], row["name"], length or 0))
    return districts


async def _verify_district(database: Database, district: District, kept: list[KnownHead]) -> Outcome:
    def progress(position: int) -> None:
        file_check.show_progress(position, district.length)

    async with Snapshots(database).of(district.tenant_id) as connection:
        return await verify(connection, district.tenant_id, kept=kept, progress=progress)


def _row(district: District, outcome: Outcome) -> tuple[str, str, str, str]:
    return district.code, district.name, f"{outcome.position:,}", "BROKEN" if outcome.found else "sound"


# import-ledger ----------------------------------------------------------------------------------------------------


def import_ledger(arguments: list[str]) -> int:
    """Send an exported file through the API of a running product, in pieces, going on where the books stand.

    The access token of an administrator of the district comes from LINLI_TOKEN.
    """
    parser = argparse.ArgumentParser(prog="import-ledger", description=import_ledger.__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args(arguments)
    token = os.environ.get("LINLI_TOKEN")
    if not token:
        raise CannotStart("Set LINLI_TOKEN to the access token of an administrator of the district.")
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
    with httpx2.Client(base_url=options.url, headers=headers, timeout=60, trust_env=False) as client:
        try:
            return send_file(client, options.export)
        except (OSError, UnicodeDecodeError, httpx2.HTTPError) as error:
            raise CannotStart(f"The import stopped: {error}. Run the same command again to go on.") from error


def send_file(client: Any, export: Path) -> int:
    """The exit code: 0 when the books are complete. Tells of a damaged line, and sends what comes before it."""
    progress = _asked(client.get("/v1/points/imports"))
    waiting: list[str] = []
    with export.open(encoding="utf-8") as file:
        header = file.readline().rstrip("\n")
        for some in _pieces(file, behind=progress["position"]):
            piece = waiting + some
            answer = _send(client, header, piece)
            if answer.status_code == 422 and answer.json()["code"] == "damaged_line":
                damaged = answer.json()
                if damaged["line"] > 2:
                    _asked(_send(client, header, piece[: damaged["line"] - 2]))
                number = _line_number(export, piece[damaged["line"] - 2])
                print(f"{damaged['detail']} In {export.name} it is line {number:,}.", file=sys.stderr)
                return 1
            progress = _asked(answer)
            waiting = [line for line in piece if _position_of(line) > progress["position"]]
            file_check.show_progress(progress["position"], progress["expected_position"])
    if not progress["complete"]:
        progress = _asked(_send(client, header, []))
    expected = progress["expected_position"]
    said = "all" if expected is None else f"{expected:,}"
    say(f"{progress['position']:,} of {said} records are there.")
    return 0 if progress["complete"] else 1


def _line_number(export: Path, text: str) -> int:
    """Of the first line of the file that says this; requests begin where the books stand."""
    with export.open(encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if line.rstrip("\n") == text)


def _send(client: Any, header: str, piece: list[str]) -> Any:
    return client.post(
        "/v1/points/imports", json={"lines": [header, *piece]}, headers={"Idempotency-Key": str(uuid4())}
    )


def _asked(answer: Any) -> dict[str, Any]:
    if answer.status_code != 200:
        raise CannotStart(f"The product refuses: {answer.json().get('detail', answer.status_code)}")
    return dict(answer.json())


def _pieces(lines: Iterator[str], *, behind: int) -> Iterator[list[str]]:
    """The lines behind a position, as many at once as a request may carry."""
    piece: list[str] = []
    size = 0
    for line in lines:
        if _position_of(line) <= behind:
            continue
        text = line.rstrip("\n")
        length = len(json.dumps(text, ensure_ascii=False).encode())
        if piece and (len(piece) == LINES_AT_ONCE or size + length > BYTES_AT_ONCE):
            yield piece
            piece, size = [], 0
        piece.append(text)
        size += length
    if piece:
        yield piece


def _position_of(line: str) -> float:
    """Of a line that cannot be read: infinite, so that it is sent and named."""
    digits = line.removeprefix('{"position":').partition(",")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else float("inf")
