"""Whatever stands where an amount should stand: points are whole numbers, and nothing else is taken for one."""

import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.migrations.catalog import connected
from tests.points.books import Books
from tests.points.desk import Desk, Json, done

NO_AMOUNT = [
    float("nan"), float("inf"), float("-inf"), 1e309, 2**53, 2**63, -(2**63) - 1, 10**400, 1.5, 10.0, 1e1,
    "10", "１０", "十", "", " ", "NaN", "0x10", True, False, [10], {"amount": 10}, 1_000_000_001, -1_000_000_001,
]  # fmt: skip
"""In no field at all."""
ONLY_WITH_A_SIGN = [0, -1, -10]
"""Nor these, but for the legs of a transaction, where a sign has a meaning."""

Body = Callable[[Desk, Any], tuple[str, str, Json]]
"""Who sends what where, with an amount."""


def award(desk: Desk, amount: Any) -> tuple[str, str, Json]:
    body = {"account_id": desk.id_of("member"), "community_id": desk.community_id, "reason": "x", "amount": amount}
    return "points_clerk", "/v1/points/postings", body


def transfer(desk: Desk, amount: Any) -> tuple[str, str, Json]:
    return "member", "/v1/points/transfers", {"to_account_id": desk.id_of("zhang"), "amount": amount, "reason": "x"}


def conversion(desk: Desk, amount: Any) -> tuple[str, str, Json]:
    return "member", "/v1/points/conversions", {"points": amount, "community_id": desk.community_id}


def hold(desk: Desk, amount: Any) -> tuple[str, str, Json]:
    body = {
        "account_id": desk.id_of("member"),
        "to_account_kind": "issuing_community",
        "to_owner_id": desk.community_id,
        "reason": "x",
        "amount": amount,
    }
    return "member", "/v1/points/holds", body


def leg(desk: Desk, amount: Any) -> tuple[str, str, Json]:
    body = desk.movement("service", desk.leg("community", -10), {**desk.leg("member", 0), "amount": amount})
    return "points_clerk", "/v1/points/transactions", body


def leg_of_many(desk: Desk, amount: Any) -> tuple[str, str, Json]:
    who, _, body = leg(desk, amount)
    return who, "/v1/points/transactions/bulk", {"mode": "each", "transactions": [body]}


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    """Everything an amount would be good for is there."""
    await desk.books.decide()
    await desk.books.decide(asset="minutes", minutes_per_point=1)
    done(await desk.award(amount=100))
    done(await desk.award(amount=100, asset="minutes"))
    return desk


async def refuses(desk: Desk, body_of: Body, amount: Any) -> None:
    before = await desk.books.state()
    by, path, body = body_of(desk, amount)
    answer = await desk.world.people[by].client.post(
        path, content=json.dumps(body), headers={"Idempotency-Key": "k", "Content-Type": "application/json"}
    )
    assert answer.status_code in {400, 422}, (amount, answer.text)
    assert answer.json()["code"] in {"invalid_request", "unreadable_body"}
    assert await desk.books.state() == before


@pytest.mark.parametrize("body_of", [award, transfer, conversion, hold, leg, leg_of_many])
async def test_is_no_amount(desk: Desk, body_of: Body) -> None:
    for amount in [*NO_AMOUNT, None]:
        await refuses(desk, body_of, amount)


@pytest.mark.parametrize("body_of", [award, transfer, conversion, hold])
async def test_is_no_amount_without_a_side(desk: Desk, body_of: Body) -> None:
    for amount in ONLY_WITH_A_SIGN:
        await refuses(desk, body_of, amount)


async def test_is_no_part_of_a_hold(desk: Desk) -> None:
    held = done(await desk.hold("member", 10))

    def part(_desk: Desk, amount: Any) -> tuple[str, str, Json]:
        return "points_clerk", f"/v1/points/holds/{held['id']}/post", {"amount": amount}

    for amount in [*NO_AMOUNT, *ONLY_WITH_A_SIGN]:
        await refuses(desk, part, amount)
    done(await desk.post_hold(held))


@pytest.mark.parametrize("body_of", [award, transfer, conversion, hold, leg])
async def test_is_an_amount(desk: Desk, body_of: Body) -> None:
    """The control: the same bodies with a whole number are taken."""
    by, path, body = body_of(desk, 10)
    done(await desk.world.people[by].post(path, body))


class TestTheTablesRefuse:
    """What no function should ever write is not written, whoever tries."""

    @pytest.mark.parametrize(
        ("statement", "constraint"),
        [
            ("UPDATE ledger_accounts SET balance = 9007199254740992 WHERE kind = 'member'", "balance_exact_in_json"),
            ("UPDATE ledger_accounts SET balance = -1 WHERE kind = 'member'", "no_overdraft"),
            ("UPDATE ledger_accounts SET held = balance + 1 WHERE kind = 'member'", "no_overdraft"),
            ("UPDATE ledger_accounts SET held = -1 WHERE kind = 'member'", "no_overdraft"),
            ("UPDATE ledger_accounts SET held = 1 WHERE kind = 'issuing_community'", "no_overdraft"),
            ("UPDATE ledger_accounts SET kind = 'debt' WHERE kind = 'member'", "no_overdraft"),
            ("UPDATE ledger_accounts SET status = 'closed' WHERE kind = 'member'", "closed_is_empty"),
            ("UPDATE ledger_lots SET remaining = amount + 1", "amounts"),
            ("UPDATE ledger_lots SET remaining = -1", "amounts"),
            ("UPDATE ledger_lots SET held = remaining + 1", "amounts"),
        ],
    )
    async def test_what_no_account_or_lot_may_be(self, spoilt_books: Books, statement: str, constraint: str) -> None:
        await spoilt_books.give(spoilt_books.world.member.account_id, 10)
        async with connected(spoilt_books.world.settings.database_url) as owner:
            with pytest.raises(asyncpg.CheckViolationError, match=constraint):
                await owner.execute(statement)

    @pytest.mark.parametrize(
        ("rules", "constraint"),
        [
            ({"member_cap": 0}, "member_cap"),
            ({"member_cap": 2**53}, "member_cap"),
            ({"second_person_from": 0}, "second_person_from"),
            ({"expiry_count": -1}, "expiry_count"),
            ({"expired_return_days": -1}, "expired_return_days"),
            ({"hold_days": 0}, "hold_days"),
            ({"hold_days": 366}, "hold_days"),
            ({"asset": "minutes", "minutes_per_point": 0}, "minutes_per_point"),
        ],
    )
    async def test_what_no_rule_may_be(self, books: Books, rules: dict[str, Any], constraint: str) -> None:
        with pytest.raises(asyncpg.CheckViolationError, match=constraint):
            await books.decide(**rules)
