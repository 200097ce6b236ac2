"""An exported file, imported into an empty district, makes the same books, to the last hash."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.chassis.schemas import new_id
from services.chassis.snapshots import Snapshots
from services.points.proof.records import NO_HASH
from services.points.proof.verification import verify
from tests.points.books import Books
from tests.points.proof.histories import export, sealed
from tools.verify_ledger import check, link_hash

COMPARED = {
    "accounts": """
        SELECT asset, kind, owner_id, stripe, balance, version, held, status, name
        FROM ledger_accounts WHERE version > 0
    """,
    "lots": """
        SELECT a.owner_id, a.asset, l.sequence, l.part, l.amount, l.remaining, l.held, l.expires_at, l.issuer_id
        FROM ledger_lots l JOIN ledger_accounts a ON a.id = l.account_id
    """,
    "entries": """
        SELECT a.owner_id, a.stripe, e.sequence, e.amount, e.balance_after, e.transaction_id
        FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
    """,
    "holds": "SELECT id, amount, expires_at FROM ledger_holds",
    "open holds": "SELECT hold_id, expires_at FROM ledger_open_holds",
    "chain": "SELECT position, record_kind, record_id, hash FROM ledger_chain",
    "head": "SELECT position, hash FROM ledger_chain_heads",
}


async def books_of(books: Books) -> dict[str, set[tuple[Any, ...]]]:
    return {name: {tuple(row) for row in await books.world.fetch(query)} for name, query in COMPARED.items()}


async def send(books: Books, lines: list[str], **headers: str) -> httpx2.Response:
    return await books.world.district_admin.post("/v1/points/imports", {"lines": lines}, **headers)


async def taken(books: Books, lines: list[str]) -> dict[str, Any]:
    answer = await send(books, lines)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _place(records: list[dict[str, Any]], **wanted: Any) -> int:
    """Of the last record that has these members."""
    return max(
        place
        for place, record in enumerate(records)
        if all(record.get(name) == value for name, value in wanted.items())
    )


def _another_hold(records: list[dict[str, Any]]) -> int:
    """55 are left in the lot, 7 of them are held: another 49 are not there."""
    first = records[_place(records, type="hold")]
    lots = [{**first["lots"][0], "amount": 49}]
    other = str(new_id())
    records.append({**first, "id": other, "source_id": other, "amount": 49, "lots": lots})
    return len(records) - 1


def _twice(kind: str) -> Callable[[list[dict[str, Any]]], int]:
    def change(records: list[dict[str, Any]]) -> int:
        records.append(records[_place(records, type=kind)])
        return len(records) - 1

    return change


def _other_amount(records: list[dict[str, Any]]) -> int:
    place = _place(records, type="hold_end", outcome="posted")
    records[place]["amount"] = 14
    return place


def _lots_over(records: list[dict[str, Any]]) -> int:
    """The lots are over before the first of them is spent."""
    for record in records:
        for leg in record.get("legs", []):
            for lot in leg["lots"]:
                lot["expires_at"] = "2026-01-01T00:00:00.000000Z"
    return next(
        place
        for place, record in enumerate(records)
        if record["type"] == "hold" or any(leg["allocations"] for leg in record["legs"])
    )


def _above_zero(records: list[dict[str, Any]]) -> int:
    """A debt of the wrong side."""
    for leg in records[0]["legs"]:
        if leg["account_kind"] == "member":
            leg.update(account_kind="debt", lots=[])
    return 0


def _stripe(records: list[dict[str, Any]]) -> int:
    for leg in records[0]["legs"]:
        if leg["account_kind"] == "member":
            leg["stripe"] = 1
    return 0


def _negative_lot(records: list[dict[str, Any]]) -> int:
    for leg in records[0]["legs"]:
        if leg["account_kind"] == "member":
            lot = leg["lots"][0]
            leg["lots"] = [{**lot, "amount": lot["amount"] + 5}, {**lot, "part": 2, "amount": -5}]
    return 0


def _never_ends(records: list[dict[str, Any]]) -> int:
    place = _place(records, type="hold_end", outcome="posted")
    posting = _place(records, id=records[place]["transaction_id"])
    del records[place]
    return posting


NONSENSE = [
    ("wrong_hold", "reserves what is not there", _another_hold),
    ("twice", "transaction", _twice("transaction")),
    ("twice", "the hold", _twice("hold")),
    ("wrong_hold", "does not fit its transaction", _other_amount),
    ("wrong_lots", "is spent after it was over", _lots_over),
    ("wrong_balance", "is above zero", _above_zero),
    ("wrong_account", "there is no account 1 of member", _stripe),
    ("not_a_record", "a lot of", _negative_lot),
    ("wrong_hold", "is posted and does not end", _never_ends),
]


@pytest.fixture
async def file(sealed_books: Books) -> list[str]:
    return await export(sealed_books)


@pytest.fixture
def target(other_books: Books) -> Books:
    """An empty district beside the running service; its books are audited in the end."""
    return other_books


async def test_the_books_are_the_same(sealed_books: Books, file: list[str], target: Books) -> None:
    answer = await taken(target, file)
    assert answer["complete"]
    assert (answer["taken"], answer["skipped"]) == (len(file) - 1, 0)
    theirs, ours = await books_of(sealed_books), await books_of(target)
    assert theirs == ours
    assert ours["open holds"]
    async with Snapshots(target.database).of(target.world.tenant_id) as connection:
        assert (await verify(connection, target.world.tenant_id)).found == []


async def test_the_import_exports_the_same_lines(file: list[str], target: Books) -> None:
    await taken(target, file)
    assert (await export(target))[1:] == file[1:]


@pytest.mark.parametrize("size", [2, 3, 5])
async def test_pieces_make_the_same_books(sealed_books: Books, file: list[str], target: Books, size: int) -> None:
    """Wherever the file is cut, and sound after every piece: holds reserve from the first piece on."""
    header, *lines = file
    position, held = 0, set()
    while position < len(lines):
        answer = await taken(target, [header, *lines[position : position + size]])
        assert answer["position"] == position + answer["taken"] > position
        position = answer["position"]
        assert answer["complete"] == (position == len(lines))
        assert await target.broken() == []
        held.add(await target.world.fetch_value("SELECT sum(held)::bigint FROM ledger_accounts"))
    assert len(held) > 1
    assert await books_of(target) == await books_of(sealed_books)


async def test_a_posted_hold_and_its_end_stay_together(file: list[str], target: Books) -> None:
    end = next(place for place, line in enumerate(file) if '"outcome":"posted"' in line)
    answer = await taken(target, file[:end])
    assert (answer["position"], answer["taken"]) == (end - 2, end - 2)
    assert await target.broken() == []
    answer = await taken(target, [file[0], *file[end - 1 :]])
    assert answer["complete"]


async def test_a_client_may_begin_again(file: list[str], target: Books) -> None:
    await taken(target, file[:6])
    answer = await taken(target, file)
    assert (answer["skipped"], answer["taken"]) == (5, len(file) - 6)
    again = await taken(target, file)
    assert (again["skipped"], again["taken"]) == (len(file) - 1, 0)


async def test_where_to_continue_is_told(file: list[str], target: Books) -> None:
    async def progress() -> dict[str, Any]:
        return dict((await target.world.district_admin.get("/v1/points/imports")).json())

    assert await progress() == {
        "position": 0, "hash": NO_HASH.hex(), "expected_position": None, "complete": False
    }  # fmt: skip
    await taken(target, file[:4])
    assert await progress() == {
        "position": 3, "hash": json.loads(file[3])["hash"], "expected_position": len(file) - 1, "complete": False
    }  # fmt: skip


async def test_the_books_live_on_and_can_be_continued_from_a_longer_file(
    sealed_books: Books, file: list[str], target: Books
) -> None:
    await taken(target, file)
    await sealed_books.give(sealed_books.world.member.account_id, 4)
    await sealed(sealed_books)
    longer = await export(sealed_books)
    answer = await taken(target, [longer[0], *longer[len(file) :]])
    assert (answer["taken"], answer["complete"]) == (1, True)
    assert await books_of(target) == await books_of(sealed_books)


async def standing(books: Books) -> set[tuple[Any, ...]]:
    """What a district decides by itself, and what holds reserve."""
    rows = await books.world.fetch("SELECT owner_id, asset, kind, status, held FROM ledger_accounts WHERE stripe = 0")
    return {tuple(row) for row in rows}


async def test_complete_books_are_opened_again_only_by_lines_that_follow(file: list[str], target: Books) -> None:
    await taken(target, file)
    await target.world.connection.execute(
        "UPDATE ledger_accounts SET status = 'frozen' WHERE owner_id = $1", target.world.neighbour.account_id
    )
    before = await standing(target)
    header = json.loads(file[0])
    longer = json.dumps({**header, "head": {"position": header["head"]["position"] + 5, "hash": "11" * 32}})
    for lines in ([longer], [longer, *file[1:]]):
        answer = await taken(target, lines)
        assert (answer["complete"], answer["expected_position"], answer["taken"]) == (True, len(file) - 1, 0)
    assert await standing(target) == before
    await target.give(target.world.member.account_id, 1)


async def test_a_header_alone_begins_nothing(file: list[str], target: Books) -> None:
    answer = await taken(target, file[:1])
    assert (answer["complete"], answer["expected_position"]) == (False, None)
    await target.give(target.world.member.account_id, 1)


async def test_what_the_district_has_decided_outlives_a_longer_file(sealed_books: Books, target: Books) -> None:
    """It has frozen an account that the other district never froze; one that was frozen there alone is open again."""
    frozen = "UPDATE ledger_accounts SET status = $2 WHERE owner_id = $1"
    person = sealed_books.world.second_member.account_id
    await sealed_books.world.connection.execute(frozen, person, "frozen")
    await taken(target, file := await export(sealed_books))
    event = "INSERT INTO ledger_account_events SELECT tenant_id, id, gen_random_uuid(), 'freeze', '核实', now(), $2"
    own = sealed_books.world.member.account_id
    await target.world.connection.execute(frozen, own, "frozen")
    await target.world.connection.execute(event + " FROM ledger_accounts WHERE owner_id = $1", own, new_id())
    await sealed_books.world.connection.execute(frozen, person, "open")
    await sealed_books.give(person, 4)
    await sealed(sealed_books)
    longer = await export(sealed_books)
    assert (await taken(target, [longer[0], *longer[len(file) :]]))["complete"]
    states = {(row[0], row[3]) for row in await standing(target)}
    assert {(own, "frozen"), (person, "open")} <= states


async def test_nobody_posts_while_a_file_is_not_complete(file: list[str], target: Books) -> None:
    """Neither in between, nor while a piece is being taken: a posting waits for it, and is refused then."""
    await taken(target, file[:5])
    is_importing = "SELECT ledger_is_importing($1)"
    tenant_id = target.world.tenant_id
    async with target.database.hot_transaction(tenant_id) as connection:
        assert await connection.fetchval(is_importing, tenant_id)
    answer = await target.world.points_clerk.post(
        "/v1/points/postings",
        {
            "account_id": str(target.world.member.account_id), "community_id": str(target.community_id),
            "amount": 1, "reason": "助老服务",
        },
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (409, "import_under_way")
    async with target.database.hot_transaction(tenant_id) as connection:
        assert await connection.fetchval(is_importing, tenant_id)
        waiting = asyncio.create_task(taken(target, file))
        assert not (await asyncio.wait([waiting], timeout=0.3))[0]
    assert (await waiting)["complete"]
    await target.give(target.world.member.account_id, 1)


async def test_an_unfinished_import_can_be_ended_where_it_stands(file: list[str], target: Books) -> None:
    answer = await taken(target, file[:5])
    header = {**json.loads(file[0]), "head": {"position": answer["position"], "hash": answer["hash"]}}
    assert (await taken(target, [json.dumps(header)]))["complete"]
    await target.give(target.world.member.account_id, 1)


def placed(line: str, position: int) -> str:
    return json.dumps({**json.loads(line), "position": position}, ensure_ascii=False)


def edited(line: str, **changes: Any) -> str:
    content = json.loads(line)
    content["record"].update(changes)
    return json.dumps(content, ensure_ascii=False)


@pytest.mark.parametrize(
    ("reason", "damage"),
    [
        ("unreadable", lambda lines: [*lines[:4], lines[4][: len(lines[4]) // 2]]),
        ("wrong_hash", lambda lines: [*lines[:4], edited(lines[4], reason="涂改"), *lines[5:]]),
        ("wrong_position", lambda lines: [*lines[:3], lines[4], *lines[5:]]),
        ("wrong_position", lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]]),
        ("not_a_record", lambda lines: [*lines[:4], edited(lines[4], reason=None), *lines[5:]]),
        ("not_a_record", lambda lines: [*lines[:4], edited(lines[4], more=1), *lines[5:]]),
        ("not_a_record", lambda lines: [*lines[:4], '{"position":4}', *lines[5:]]),
        ("unreadable", lambda lines: [*lines[:4], '{"position":4,"hash":"","record":NaN}', *lines[5:]]),
        ("unreadable", lambda lines: [*lines[:4], "[" * 50_000, *lines[5:]]),
        ("not_a_record", lambda lines: [*lines[:4], placed(lines[4], -(10**30)), *lines[5:]]),
        ("not_a_record", lambda lines: [*lines[:4], placed(lines[4], 10**30), *lines[5:]]),
        ("not_a_record", lambda lines: [*lines[:4], placed(lines[4], 0), *lines[5:]]),
        ("not_a_record", lambda lines: [*lines[:4], placed(lines[4], 2**53), *lines[5:]]),
        ("not_a_record", lambda lines: [*lines[:4], lines[4].replace('"reason":"', '"reason":"\\ud800'), *lines[5:]]),
    ],
)
async def test_a_damaged_line_is_named_and_nothing_is_taken(
    file: list[str], target: Books, reason: str, damage: Callable[[list[str]], list[str]]
) -> None:
    answer = await send(target, damage(file))
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert (body["code"], body["reason"], body["line"]) == ("damaged_line", reason, 5 - (reason == "wrong_position"))
    assert await target.count("ledger_transactions") == 0
    assert await target.count("ledger_chain") == 0


@pytest.mark.parametrize(
    "header", ["", "{}", "null", "[]", '{"format":"linli-ledger","version":2}', '"\\ud800"', "0" * 5_000]
)
async def test_a_file_of_something_else_is_refused(file: list[str], target: Books, header: str) -> None:
    answer = await send(target, [header, *file[1:]])
    assert answer.json()["reason"] == "not_a_header"


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": {"code": "1", "name": "\0"}},
        {"tenant": {"code": "\ud800", "name": "1"}},
        {"exported_at": "0001-01-01T00:00:00+08:00"},
        {"exported_at": "2026-03-16T00:00:00"},
        {"head": {"position": -1, "hash": "00" * 32}},
        {"head": {"position": 1, "hash": "00"}},
        {"accounts": [{"asset": "points"}]},
    ],
)
async def test_a_header_that_makes_no_sense_is_refused(file: list[str], target: Books, changes: dict[str, Any]) -> None:
    answer = await send(target, [json.dumps({**json.loads(file[0]), **changes}), *file[1:]])
    assert answer.json()["reason"] == "not_a_header", answer.text


async def test_a_gap_is_told(file: list[str], target: Books) -> None:
    await taken(target, file[:3])
    answer = await send(target, [file[0], *file[5:]])
    assert (answer.status_code, answer.json()["code"], answer.json()["position"]) == (409, "import_gap", 2)


async def test_books_with_records_of_their_own_are_left_alone(file: list[str], target: Books) -> None:
    await target.give(target.world.member.account_id, 3)
    assert (await send(target, file)).json()["code"] == "books_not_empty"
    await sealed(target)
    assert (await send(target, file)).json()["code"] == "books_not_empty"


async def test_nothing_falls_due_while_a_file_is_not_complete(file: list[str], target: Books) -> None:
    await taken(target, file[:5])
    rows = await target.database.pool.fetch("SELECT tenant_id FROM ledger_due_work()")
    assert target.world.tenant_id not in {row["tenant_id"] for row in rows}


async def test_the_same_key_repeats_the_answer(file: list[str], target: Books) -> None:
    first = await target.world.district_admin.post("/v1/points/imports", {"lines": file}, key="k")
    again = await target.world.district_admin.post("/v1/points/imports", {"lines": file}, key="k")
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("who", ["member", "points_clerk", "community_admin"])
async def test_only_an_administrator_of_the_district_imports(file: list[str], target: Books, who: str) -> None:
    answer = await target.world.people[who].post("/v1/points/imports", {"lines": file})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await target.world.people[who].get("/v1/points/imports")).status_code == 403


async def test_a_sentence_says_what_is_wrong(file: list[str], target: Books) -> None:
    cut = [*file[:2], file[2][:40]]
    chinese = await send(target, cut)
    english = await send(target, cut, **{"Accept-Language": "en"})
    assert "第 3 行（链上第 2 条）有误：不是完整的一行 JSON" in chinese.json()["detail"]
    assert "Line 3 (position 2 of the chain) is damaged: it is not a whole line" in english.json()["detail"]


def forged(lines: list[str], kind: str, change: Callable[[dict[str, Any]], object]) -> list[str]:
    """Changes the last record of a kind, and hashes everything anew: only the sense of it can be found wrong."""
    header, links = json.loads(lines[0]), [json.loads(line) for line in lines[1:]]
    change(next(link["record"] for link in reversed(links) if link["record"]["type"] == kind))
    previous = NO_HASH.hex()
    for link in links:
        link["hash"] = previous = link_hash(link["position"], previous, link["record"])
    header["head"]["hash"] = previous
    return [json.dumps(item, ensure_ascii=False) for item in (header, *links)]


def member_leg(record: dict[str, Any]) -> Any:
    return next(leg for leg in record["legs"] if leg["account_kind"] == "member")


@pytest.mark.parametrize(
    ("reason", "kind", "change"),
    [
        ("unbalanced", "transaction", lambda record: record["legs"][0].update(amount=1)),
        ("unbalanced", "transaction", lambda record: record.update(legs=[])),
        ("wrong_sequence", "transaction", lambda record: member_leg(record).update(sequence=99)),
        ("wrong_balance", "transaction", lambda record: member_leg(record).update(balance_after=99)),
        ("wrong_lots", "transaction", lambda record: member_leg(record).update(lots=[], allocations=[])),
        ("wrong_lots", "transaction", lambda record: member_leg(record)["allocations"][0].update(lot_part=9)),
        ("wrong_hold", "hold", lambda record: record.update(amount=8)),
        ("wrong_hold", "hold", lambda record: record["lots"][0].update(lot_part=9)),
        ("wrong_hold", "hold_end", lambda record: record.update(amount=99)),
        ("wrong_hold", "hold_end", lambda record: record.update(outcome="posted")),
        ("wrong_hold", "hold_end", lambda record: record.update(hold_id="01890000-0000-7000-8000-000000000000")),
        ("wrong_hold", "hold", lambda record: (record.update(amount=56), record["lots"][0].update(amount=56))),
        ("wrong_hold", "hold", lambda record: record.update(expires_at=record["recorded_at"])),
        ("wrong_account", "transaction", lambda record: member_leg(record).update(stripe=1)),
        (
            "not_a_record",
            "transaction",
            lambda record: record["legs"][1].update(
                lots=[{"part": 1, "amount": 0, "expires_at": None, "issuer_id": None}]
            ),
        ),
        ("refused", "transaction", lambda record: record.update(reason="长" * 201)),
        ("refused", "transaction", lambda record: record.update(source_id="\x00")),
        ("not_a_record", "transaction", lambda record: record.update(recorded_at="yesterday")),
        ("not_a_record", "hold", lambda record: record.update(amount=2**63)),
        ("not_a_record", "hold", lambda record: record.update(amount=1.5)),
        ("wrong_hash", "transaction", lambda record: record.update(recorded_at="2026-03-16T12:00:00+08:00")),
        ("wrong_hash", "transaction", lambda record: record.update(id=record["id"].upper())),
        ("differs", "transaction", lambda record: record.update(details={"n": 1e-400, "m": -0.0})),
    ],
)
async def test_a_record_that_makes_no_sense_is_refused_however_well_hashed(
    file: list[str], target: Books, reason: str, kind: str, change: Callable[[dict[str, Any]], object]
) -> None:
    answer = await send(target, forged(file, kind, change))
    assert answer.status_code == 422, answer.text
    assert answer.json()["reason"] == reason
    assert await target.count("ledger_transactions") == 0


def edit_all(lines: list[str], change: Callable[[list[dict[str, Any]]], object]) -> list[str]:
    """Changes records of a file, and hashes everything anew."""
    header, *links = [json.loads(line) for line in lines]
    records = [link["record"] for link in links]
    change(records)
    previous, forged_lines = NO_HASH.hex(), []
    for position, record in enumerate(records, 1):
        previous = link_hash(position, previous, record)
        forged_lines.append({"position": position, "hash": previous, "record": record})
    header["head"] = {"position": len(records), "hash": previous}
    return [json.dumps(item, ensure_ascii=False) for item in (header, *forged_lines)]


@pytest.mark.parametrize(("reason", "told", "change"), NONSENSE, ids=[told for _, told, _ in NONSENSE])
async def test_books_that_make_no_sense_are_refused_at_their_line(
    file: list[str], target: Books, tmp_path: Path, reason: str, told: str, change: Callable[[Any], int]
) -> None:
    """The importer names the line; the program for auditors finds the same."""
    places: list[int] = []
    forged_file = edit_all(file, lambda records: places.append(change(records)))
    answer = await send(target, forged_file)
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert (body["reason"], body["position"]) == (reason, places[0] + 1)
    assert await target.count("ledger_transactions") == 0
    path = tmp_path / "ledger.jsonl"
    path.write_text("\n".join(forged_file) + "\n", "utf-8")
    _, checker = check(path)
    assert any(told in finding for finding in checker.findings), checker.findings


@pytest.mark.parametrize("again", ["transaction", "hold"])
async def test_a_record_that_is_there_already_is_refused_in_a_later_piece(
    file: list[str], target: Books, again: str
) -> None:
    place = next(place for place, line in enumerate(file[1:]) if json.loads(line)["record"]["type"] == again)
    forged_file = edit_all(file, lambda records: records.append(records[place]))
    await taken(target, forged_file[:-1])
    answer = await send(target, [forged_file[0], forged_file[-1]])
    assert (answer.status_code, answer.json()["reason"]) == (422, "twice"), answer.text


async def test_names_and_states_of_accounts_come_along(sealed_books: Books, target: Books) -> None:
    """A merchant nothing was posted to, and a person whose account is frozen."""
    await sealed_books.world.insert(
        "ledger_accounts", id=new_id(), asset="points", kind="merchant", owner_id=new_id(), name="惠民超市"
    )
    await sealed_books.world.connection.execute(
        "UPDATE ledger_accounts SET status = 'frozen' WHERE owner_id = $1", sealed_books.world.member.account_id
    )
    await taken(target, await export(sealed_books))
    rows = await target.world.fetch("SELECT kind, name, status FROM ledger_accounts WHERE stripe = 0")
    assert ("merchant", "惠民超市", "open") in {tuple(row) for row in rows}
    assert ("member", None, "frozen") in {tuple(row) for row in rows}
