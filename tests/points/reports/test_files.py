"""Reports as files: JSON Lines, and sheets with Chinese headings in which nothing a person typed is a formula."""

import json
from typing import Any

import httpx2
import pytest

from services.chassis import tables
from tests.points.books import Books
from tests.points.proof.histories import all_sealed, live, redeem, sealed, until
from tests.points.reports.sheets import has_formulas, rows_of


@pytest.fixture
async def told(books: Books) -> Books:
    await live(books)
    await sealed(books)
    await until(lambda: all_sealed(books))
    return books


async def file(books: Books, path: str, who: str = "district_admin", **query: Any) -> httpx2.Response:
    answer = await books.world.people[who].get(f"/v1/points/{path}", **query)
    assert answer.status_code == 200, answer.text
    return answer


async def test_the_statement_is_the_whole_of_it(told: Books) -> None:
    answer = await file(told, "reports/statement", "member")
    assert answer.headers["content-type"].startswith("application/vnd.openxmlformats")
    assert 'filename="statement-points.xlsx"' in answer.headers["content-disposition"]
    headings, *rows = rows_of(answer.content)
    assert headings[0] == "序号"
    assert "余额" in headings
    assert len(rows) == 5
    assert [row[3] for row in rows] == ["冲正", "兑换", "兑换", "转赠", "人工记分"]


async def test_texts_are_no_formulas(told: Books) -> None:
    for reason in ("=1+1", "+1", "-1", "@SUM(A1)", "http://x.example/"):
        await redeem(told, told.world.member.account_id, 1, reason=reason)
    content = (await file(told, "reports/statement", "member")).content
    assert not has_formulas(content)
    assert {"=1+1", "+1", "-1", "@SUM(A1)", "http://x.example/"} <= {row[4] for row in rows_of(content)}


async def test_lots_say_what_is_left(told: Books) -> None:
    lines = (await file(told, "reports/lots", "member", format="jsonl")).text.splitlines()
    assert sum(json.loads(line)["remaining"] for line in lines) == 55
    headings, *rows = rows_of((await file(told, "reports/lots", "member")).content)
    assert headings[-1] == "到期时间"
    assert len(rows) == len(lines)


async def test_somebody_elses_file_is_not_found(told: Books) -> None:
    other = str(told.world.member.account_id)
    for path in ("reports/statement", "reports/lots"):
        answer = await told.world.neighbour.get(f"/v1/points/{path}", account_id=other)
        assert answer.status_code == 404
        assert len(rows_of((await file(told, path, "points_clerk", account_id=other)).content)) > 1


async def test_the_liability_report_is_a_sheet(told: Books) -> None:
    headings, first, *_, last = rows_of((await file(told, "reports/liability", format="xlsx")).content)
    assert headings == ["社区", "期初未兑付", "本期发放", "本期兑换", "本期过期", "其他调整", "期末未兑付"]
    assert first == ["康乐路南社区", "0", "105", "15", "0", "0", "90"]
    assert last[0] == "合计"


async def test_the_journal_goes_through_pages(told: Books) -> None:
    shown: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        body = (await file(told, "journal", limit=2, **({"cursor": cursor} if cursor else {}))).json()
        shown += body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    positions = [item["position"] for item in shown]
    assert positions == sorted(positions, reverse=True)
    assert len(shown) == await told.count("ledger_transactions")
    lines = (await file(told, "journal", format="jsonl")).text.splitlines()
    assert len(lines) == sum(len(item["posting"]["legs"]) for item in shown)
    headings, *rows = rows_of((await file(told, "journal", format="xlsx")).content)
    assert headings[0] == "链上序号"
    assert len(rows) == len(lines)


async def test_a_community_sees_the_journal_of_its_own_points(told: Books) -> None:
    """Gifts between people name no community: the district's auditors see them."""
    kinds = {
        item["posting"]["kind"] for item in (await file(told, "journal", "community_admin", limit=100)).json()["items"]
    }
    assert kinds == {"award", "redemption", "reversal"}
    body = (await file(told, "journal", asset="minutes")).json()
    assert body["items"] == []


async def test_an_empty_report_is_a_file_all_the_same(books: Books) -> None:
    assert (await file(books, "reports/statement", "zhang", format="jsonl")).content == b""
    assert len(rows_of((await file(books, "reports/statement", "zhang")).content)) == 1


async def test_what_one_sheet_cannot_hold_goes_on_in_the_next(told: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows_of((await file(told, "reports/statement", "member")).content)
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    content = (await file(told, "reports/statement", "member")).content
    sheets = [rows_of(content, number) for number in (1, 2, 3)]
    assert {tuple(sheet[0]) for sheet in sheets} == {tuple(whole[0])}
    assert [row for sheet in sheets for row in sheet[1:]] == whole[1:]
