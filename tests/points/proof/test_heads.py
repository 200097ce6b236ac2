"""The head is published once a day, with a fact in the same transaction, and everybody may read it."""

import asyncio
from datetime import UTC, datetime

from services.points.proof.heads import publish_head
from services.points.proof.records import NO_HASH
from services.points.proof.verification import Found
from tests.points.books import Books
from tests.points.proof.histories import all_sealed, sealed, set_clock, until


async def publish(books: Books) -> int:
    return await publish_head(books.database, books.world.tenant_id)


class TestPublishing:
    async def test_once_a_day_from_midnight_in_shanghai(self, quiet_books: Books) -> None:
        await quiet_books.give(quiet_books.world.member.account_id, 1)
        await sealed(quiet_books)
        days = {
            datetime(2026, 3, 16, 15, 59, 59, tzinfo=UTC): 1,  # 23:59:59 of the 16th
            datetime(2026, 3, 16, 15, 59, 59, 999_999, tzinfo=UTC): 0,
            datetime(2026, 3, 16, 16, 0, tzinfo=UTC): 1,  # the 17th begins
            datetime(2026, 3, 17, 15, 59, tzinfo=UTC): 0,
        }
        for moment, published in days.items():
            await set_clock(quiet_books, moment)
            assert await publish(quiet_books) == published, moment
        rows = await quiet_books.world.fetch("SELECT published_on FROM ledger_published_heads ORDER BY 1")
        assert [str(row["published_on"]) for row in rows] == ["2026-03-16", "2026-03-17"]

    async def test_by_many_workers_once(self, quiet_books: Books) -> None:
        await quiet_books.give(quiet_books.world.member.account_id, 1)
        await sealed(quiet_books)
        assert sum(await asyncio.gather(*(publish(quiet_books) for _ in range(8)))) == 1
        assert await quiet_books.count("outbox_events") == 1

    async def test_only_if_there_is_a_chain(self, quiet_books: Books) -> None:
        assert await publish(quiet_books) == 0

    async def test_is_a_fact(self, quiet_books: Books) -> None:
        await quiet_books.give(quiet_books.world.member.account_id, 1)
        await sealed(quiet_books)
        await publish(quiet_books)
        row = (await quiet_books.world.fetch("SELECT kind, payload::text FROM outbox_events"))[0]
        digest = await quiet_books.world.fetch_value("SELECT hash FROM ledger_chain WHERE position = 1")
        assert row["kind"] == "ledger_head_published"
        assert digest.hex() in row["payload"]


class TestReading:
    async def test_before_the_first_record(self, books: Books) -> None:
        body = (await books.world.zhang.get("/v1/points/chain/heads")).json()
        assert body["current"] == {"position": 0, "hash": NO_HASH.hex(), "sealed_at": None, "unsealed": 0}
        assert body["items"] == []

    async def test_everybody_reads_the_notice(self, books: Books) -> None:
        await books.give(books.world.member.account_id, 1)

        async def is_published() -> bool:
            return await books.count("ledger_published_heads") == 1

        await until(is_published)  # by the bookkeeping of the running service
        body = (await books.world.neighbour.get("/v1/points/chain/heads")).json()
        (item,) = body["items"]
        assert body["current"]["hash"] == item["hash"]
        assert "共有1条记录" in item["notice"]
        assert item["hash"] in item["notice"]
        assert body["tenant_name"] == "源城区"
        assert body["next_cursor"] is None

    async def test_page_by_page_newest_first(self, books: Books) -> None:
        for _ in range(5):
            await books.give(books.world.member.account_id, 1)
        await until(lambda: all_sealed(books))

        async def is_published() -> bool:
            return await books.count("ledger_published_heads") == 1

        await until(is_published)  # of today
        await books.world.connection.execute(
            "INSERT INTO ledger_published_heads"
            " SELECT tenant_id, '2026-03-01'::date + position::int, position, hash, now() FROM ledger_chain"
        )
        first = (await books.world.zhang.get("/v1/points/chain/heads", limit=3)).json()
        second = (await books.world.zhang.get("/v1/points/chain/heads", limit=3, cursor=first["next_cursor"])).json()
        assert [item["position"] for item in first["items"] + second["items"]][1:] == [5, 4, 3, 2, 1]
        assert second["next_cursor"] is None


class TestVerificationOverHttp:
    async def test_auditors_of_the_district(self, books: Books) -> None:
        await books.give(books.world.member.account_id, 1)
        body = (await books.world.district_admin.get("/v1/points/chain/verification")).json()
        assert body["sound"], body
        assert body["findings"] == []
        assert body["next_cursor"] is None
        for who in ("member", "community_admin", "points_clerk"):
            answer = await books.world.people[who].get("/v1/points/chain/verification")
            assert answer.status_code == 403

    def test_what_is_found_is_told_in_the_callers_language(self) -> None:
        found = Found("links_missing", 4, {"last": 6})
        assert found.sentence(english=False) == "第4条至第6条链接缺失。"
        assert found.sentence(english=True) == "The links of positions 4 to 6 are missing."


class TestExportOverHttp:
    async def test_auditors_of_the_district(self, books: Books) -> None:
        await books.give(books.world.member.account_id, 1)
        await until(lambda: all_sealed(books))
        answer = await books.world.district_admin.get("/v1/points/export")
        assert answer.headers["content-type"].startswith("application/jsonl")
        assert len(answer.text.splitlines()) == 2
        behind = await books.world.district_admin.get("/v1/points/export", after=1)
        assert len(behind.text.splitlines()) == 1
        assert (await books.world.member.get("/v1/points/export")).status_code == 403
        assert (await books.world.district_admin.get("/v1/points/export", after=-1)).status_code == 422
