"""What a community owes: every figure worked out by hand, for everything that can move points."""

from datetime import timedelta
from typing import Any

import pytest

from models.identity import Role
from models.points import Asset, HoldOutcome, LedgerAccountKind, TransactionKind
from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.identity import AreaGrant, Identity
from services.chassis.schemas import new_id
from services.chassis.snapshots import Snapshots
from services.points.ledger.posting import Leg, issue
from services.points.reports.liability import liability
from services.points.reports.schemas import LiabilityRead
from tests.points.books import COMMUNITY, MEMBER, Books
from tests.points.proof.histories import call, end_hold, hold, redeem, reverse
from tests.points.proof.test_verification import tamper
from tests.world import Person

FIGURES = ("opening", "issued", "redeemed", "expired", "other", "closing")


async def report(books: Books, by: Person | None = None, **query: Any) -> dict[str, Any]:
    answer = await (by or books.world.district_admin).get("/v1/points/reports/liability", **query)
    assert answer.status_code == 200, answer.text
    body = dict(answer.json())
    assert body["adds_up"]
    assert body["ties_to_entries"]
    return body


async def figures(books: Books, community: str = "community", **query: Any) -> tuple[int, ...]:
    """Of one community: opening, issued, redeemed, expired, other, closing."""
    lines = (await report(books, **query))["lines"]
    line = next((line for line in lines if line["community_id"] == str(books.world.areas[community])), None)
    return tuple(line[figure] for figure in FIGURES) if line else (0,) * 6


async def told(books: Books) -> LiabilityRead:
    """Of the whole district, this month, from the database alone."""
    world = books.world
    grant = AreaGrant(Role.DISTRICT_ADMIN, world.areas["district"], clock.now() - timedelta(days=1), None)
    caller = Identity(
        account_id=world.district_admin.account_id, tenant_id=world.tenant_id, session_id=new_id(), name="",
        resident_id=None, grants=(grant,),
    )  # fmt: skip
    async with Snapshots(books.database).of(world.tenant_id) as connection:
        return await liability(connection, caller, asset=Asset.POINTS, from_day=None, to_day=None, community_id=None)


async def test_nothing_was_issued(books: Books) -> None:
    body = await report(books)
    assert body["lines"] == []
    assert body["total"]["closing"] == 0


async def test_issued_and_redeemed(books: Books) -> None:
    member = books.world.member.account_id
    await books.give(member, 100)
    await redeem(books, member, 30)
    assert await figures(books) == (0, 100, 30, 0, 0, 70)


async def test_a_gift_takes_its_community_along(books: Books) -> None:
    """The receiver spends points of 康乐路南 in 康乐路北: 康乐路南 owes less, and 康乐路北 nothing."""
    world = books.world
    await books.give(world.member.account_id, 100)
    gift = books.transfer(world.member.account_id, world.other_member.account_id, 40, kind=TransactionKind.TRANSFER)
    await call(books, "ledger_post", gift)
    other = world.areas["other_community"]
    spent = books.command(
        [Leg(MEMBER, world.other_member.account_id, -25), Leg(COMMUNITY, other, 25)], kind=TransactionKind.REDEMPTION
    )
    await call(books, "ledger_post", spent)
    assert await figures(books) == (0, 100, 25, 0, 0, 75)
    assert await figures(books, "other_community") == (0, 0, 0, 0, 0, 0)


async def test_two_communities_are_told_apart(books: Books) -> None:
    world = books.world
    await books.give(world.member.account_id, 10)
    other = books.command(issue(7, community_id=world.areas["other_community"], account_id=world.member.account_id))
    await call(books, "ledger_post", other)
    assert await figures(books) == (0, 10, 0, 0, 0, 10)
    assert await figures(books, "other_community") == (0, 7, 0, 0, 0, 7)
    assert (await report(books))["total"]["closing"] == 17


async def test_a_reversal_counts_against_what_it_reverses(books: Books) -> None:
    member = books.world.member.account_id
    award = books.gift(member, 50)
    await call(books, "ledger_post", award)
    spent = await redeem(books, member, 20)
    await reverse(books, spent)
    assert await figures(books) == (0, 50, 0, 0, 0, 50)
    await reverse(books, award.id)
    assert await figures(books) == (0, 0, 0, 0, 0, 0)


async def test_a_debt_is_owed_to_the_community(books: Books) -> None:
    """An earning of 50 is taken back after 20 of it were spent: the person owes 20; a new earning settles it first."""
    member = books.world.member.account_id
    await books.world.insert(
        "ledger_settings", asset="points", version=1, expiry_unit="none", expiry_count=0, expired_return_days=0,
        spent_earning="debt", hold_days=7, may_transfer=True, recorded_at=clock.now(), recorded_by=member,
    )  # fmt: skip
    award = books.gift(member, 50)
    await call(books, "ledger_post", award)
    await redeem(books, member, 20)
    await reverse(books, award.id)
    assert await figures(books) == (0, 0, 20, 0, 0, -20)
    await books.give(member, 30)
    assert await figures(books) == (0, 30, 20, 0, 0, 10)


async def test_merchants_take_points_in_and_settle_them(books: Books) -> None:
    member, merchant = books.world.member.account_id, new_id()
    await books.world.insert(
        "ledger_accounts", id=new_id(), asset="points", kind="merchant", owner_id=merchant, name="惠民超市",
        community_id=books.community_id,
    )  # fmt: skip
    await books.give(member, 100)
    taken_in = books.command(
        [Leg(MEMBER, member, -60), Leg(LedgerAccountKind.MERCHANT, merchant, 60)], kind=TransactionKind.REDEMPTION
    )
    await call(books, "ledger_post", taken_in)
    assert await figures(books) == (0, 100, 60, 0, 0, 40)
    settled = books.command(
        [Leg(LedgerAccountKind.MERCHANT, merchant, -60), Leg(COMMUNITY, books.community_id, 60)],
        kind=TransactionKind.SETTLEMENT,
    )
    await call(books, "ledger_post", settled)
    assert await figures(books) == (0, 100, 60, 0, 0, 40)


async def test_what_is_held_is_still_owed(books: Books) -> None:
    member = books.world.member.account_id
    await books.give(member, 10)
    held = await hold(books, member, 6)
    assert (await figures(books))[-1] == 10
    await end_hold(books, held, HoldOutcome.POSTED, 4)
    assert await figures(books) == (0, 10, 4, 0, 0, 6)


async def test_expired_points_are_owed_no_more(quiet_books: Books) -> None:
    """Told by SQL alone: an earning that expires, and one that is reversed after it had expired in part."""
    books, world = quiet_books, quiet_books.world
    member = world.member.account_id
    await world.insert(
        "ledger_settings", asset="points", version=1, expiry_unit="days", expiry_count=1, expired_return_days=0,
        spent_earning="refuse", hold_days=7, may_transfer=True, recorded_at=clock.now(), recorded_by=member,
    )  # fmt: skip
    first = books.gift(member, 50, effective_at=clock.now() - timedelta(hours=23, minutes=59, seconds=59.5))
    await call(books, "ledger_post", first)
    await redeem(books, member, 20)
    await world.connection.execute("SELECT pg_sleep(0.6)")
    await books.database.pool.fetchval("SELECT ledger_expire_lots($1, 10)", world.tenant_id)

    async def stood() -> tuple[int, ...]:
        body = await told(books)
        assert body.adds_up
        assert body.ties_to_entries
        return tuple(getattr(body.total, figure) for figure in FIGURES)

    assert await stood() == (0, 50, 20, 30, 0, 0)
    spent = await world.fetch_value("SELECT id FROM ledger_transactions WHERE kind = 'redemption'")
    await reverse(books, spent)
    await books.database.pool.fetchval("SELECT ledger_expire_lots($1, 10)", world.tenant_id)
    assert await stood() == (0, 50, 0, 50, 0, 0)
    await reverse(books, first.id)
    assert await stood() == (0, 0, 0, 0, 0, 0)


async def test_a_period_begins_with_what_was_there(books: Books) -> None:
    """Days of Shanghai: what is recorded today is the opening of tomorrow."""
    today = clock.now().astimezone(SHANGHAI).date()
    await books.give(books.world.member.account_id, 10)
    tomorrow = (today + timedelta(days=1)).isoformat()
    assert await figures(books, **{"from": tomorrow, "to": tomorrow}) == (10, 0, 0, 0, 0, 10)
    yesterday = (today - timedelta(days=1)).isoformat()
    assert await figures(books, **{"from": yesterday, "to": yesterday}) == (0,) * 6


async def test_a_community_sees_its_own(books: Books) -> None:
    world = books.world
    await books.give(world.member.account_id, 10)
    other = books.command(issue(7, community_id=world.areas["other_community"], account_id=world.member.account_id))
    await call(books, "ledger_post", other)
    body = await report(books, world.community_admin)
    assert [line["community_id"] for line in body["lines"]] == [str(world.areas["community"])]
    answer = await world.community_admin.get(
        "/v1/points/reports/liability", community_id=str(world.areas["other_community"])
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [({"from": "2026-03-02", "to": "2026-03-01"}, "period_invalid"), ({"from": "0001-01-01"}, "period_invalid")],
)
async def test_a_period_that_is_none_is_refused(books: Books, query: dict[str, str], code: str) -> None:
    answer = await books.world.district_admin.get("/v1/points/reports/liability", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_members_do_not_audit(books: Books) -> None:
    assert (await books.world.member.get("/v1/points/reports/liability")).status_code == 403
    assert (await books.world.member.get("/v1/points/journal")).status_code == 403


SPENT = "SELECT l.account_id FROM ledger_lots l WHERE l.remaining < l.amount LIMIT 1"


@pytest.mark.parametrize(
    ("says", "damage"),
    [
        ("adds_up", "UPDATE ledger_lots SET remaining = remaining - 1 WHERE remaining > held + 1"),
        ("adds_up", f"UPDATE ledger_allocations SET amount = amount - 1 WHERE account_id = ({SPENT})"),
        ("adds_up", "UPDATE ledger_entries e SET amount = amount - 1 FROM ledger_accounts a"
                    " WHERE a.id = e.account_id AND a.kind = 'issuing_community' AND e.amount = -100"),
        ("ties_to_entries", "UPDATE ledger_entries e SET amount = amount + 1 FROM ledger_accounts a"
                            " WHERE a.id = e.account_id AND a.kind = 'member' AND e.amount = 100"),
    ],
)  # fmt: skip
async def test_damaged_books_show(sealed_books: Books, says: str, damage: str) -> None:
    """Changed by somebody who may do everything, past every guard."""
    assert (await told(sealed_books)).adds_up
    await tamper(sealed_books, damage)
    assert not getattr(await told(sealed_books), says)


async def test_what_an_expiry_account_says_is_not_taken_on_trust(spoilt_books: Books) -> None:
    books, member = spoilt_books, spoilt_books.world.member.account_id
    await books.give(member, 50)
    await tamper(books, "UPDATE ledger_lots SET expires_at = now()")
    await books.database.pool.fetchval("SELECT ledger_expire_lots($1, 10)", books.world.tenant_id)
    sound = await told(books)
    assert (sound.adds_up, sound.total.expired) == (True, 50)
    await tamper(
        books,
        "UPDATE ledger_entries e SET amount = 49 FROM ledger_accounts a"
        " WHERE a.id = e.account_id AND a.kind = 'expiry'",
    )
    assert not (await told(books)).adds_up


async def test_one_community_is_reported_by_itself(books: Books) -> None:
    world = books.world
    await books.give(world.member.account_id, 10)
    other = books.command(issue(7, community_id=world.areas["other_community"], account_id=world.member.account_id))
    await call(books, "ledger_post", other)
    body = await report(books, community_id=str(world.areas["other_community"]))
    assert [(line["community_id"], line["closing"]) for line in body["lines"]] == [
        (str(world.areas["other_community"]), 7)
    ]
    assert body["total"]["closing"] == 7
