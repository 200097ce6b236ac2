"""Books with a bit of everything in them: credits, gifts, holds that end in every way, a reversal."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from models.points import Asset, HoldOutcome, LedgerAccountKind, TransactionKind
from services.chassis.schemas import new_id
from services.chassis.snapshots import Snapshots
from services.points.holds.actions import HoldCommand, HoldEndCommand
from services.points.ledger.posting import Leg
from services.points.proof.export import exported
from services.points.proof.sealing import seal_due
from tests.migrations.catalog import connected
from tests.points.books import COMMUNITY, MEMBER, Books, as_json


async def call(books: Books, function: str, command: Any) -> dict[str, Any]:
    """A SQL command that must succeed; its body."""
    row = await books.database.pool.fetchrow(
        f"SELECT status, body FROM {function}($1, $2)", books.world.tenant_id, as_json(command)
    )
    assert row is not None
    assert row["status"] < 300, row["body"]
    return dict(json.loads(row["body"]))


async def hold(books: Books, owner_id: UUID, amount: int, *, expires_at: datetime | None = None) -> UUID:
    hold_id = new_id()
    command = HoldCommand(
        id=hold_id, owner_id=owner_id, asset=Asset.POINTS, amount=amount, kind=TransactionKind.REDEMPTION,
        to_kind=LedgerAccountKind.ISSUING_COMMUNITY, to_owner_id=books.community_id, source_kind="hold",
        source_id=str(hold_id), reason="兑换洗衣液", details={}, expires_at=expires_at, account=owner_id,
        issuer_areas=None, idempotency_key=str(hold_id), request_hash="00" * 32,
    )  # fmt: skip
    await call(books, "ledger_hold", command)
    return hold_id


async def end_hold(books: Books, hold_id: UUID, outcome: HoldOutcome, amount: int | None = None) -> None:
    command = HoldEndCommand(
        id=new_id(), hold_id=hold_id, outcome=outcome, amount=amount, reason="已领取",
        account=books.world.points_clerk.account_id, issuer_areas=[books.community_id],
        idempotency_key=str(new_id()), request_hash="00" * 32,
    )  # fmt: skip
    await call(books, "ledger_hold_end", command)


async def reverse(books: Books, transaction_id: UUID) -> None:
    command = {
        "id": new_id(), "transaction_id": transaction_id, "reason": "录入有误",
        "account": books.world.points_clerk.account_id, "issuer_areas": [books.community_id],
        "idempotency_key": str(new_id()), "request_hash": "00" * 32,
    }  # fmt: skip
    await call(books, "ledger_reverse", command)


async def redeem(books: Books, owner_id: UUID, amount: int, **changes: Any) -> UUID:
    """Points back to the community, for goods; the transaction's id."""
    values: dict[str, Any] = {"kind": TransactionKind.REDEMPTION, "reason": "=兑换纸巾", **changes}
    command = books.command([Leg(MEMBER, owner_id, -amount), Leg(COMMUNITY, books.community_id, amount)], **values)
    await call(books, "ledger_post", command)
    return command.id


async def live(books: Books) -> None:
    """Sixteen records or so: 陈志强 ends with an open hold, 张德明 and 黄秀芳 with gifts of his."""
    member, second = books.world.member.account_id, books.world.second_member.account_id
    await books.give(member, 100)
    await books.give(second, 5)
    gift = books.transfer(member, second, 30, kind=TransactionKind.TRANSFER, details={"note": "谢谢 🌸", "n": 1.5})
    await call(books, "ledger_post", gift)
    await call(
        books, "ledger_post", books.transfer(second, books.world.zhang.account_id, 32, kind=TransactionKind.TRANSFER)
    )
    posted, voided = await hold(books, member, 20), await hold(books, member, 10)
    await end_hold(books, posted, HoldOutcome.POSTED, 15)
    await end_hold(books, voided, HoldOutcome.VOIDED)
    mistaken = await redeem(books, member, 11)
    await reverse(books, mistaken)
    await hold(books, member, 7)


async def sealed(books: Books) -> int:
    """Seals everything; how many records the chain has."""
    await seal_due(books.database, books.world.tenant_id)
    return int(await books.world.fetch_value("SELECT position FROM ledger_chain_heads"))


async def set_clock(books: Books, moment: datetime) -> None:
    """The ledger's clock of a database of one's own."""
    async with connected(books.world.settings.database_url) as owner:
        await owner.execute(
            "CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE"
            f" AS $$ SELECT '{moment.isoformat()}'::timestamptz $$"
        )


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Waits for what the running service does in the background; at most ten seconds."""
    for _ in range(500):
        if await is_so():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")


async def all_sealed(books: Books) -> bool:
    return await books.count("ledger_unsealed") == 0


async def export(books: Books, *, after: int = 0) -> list[str]:
    """The lines of the exported books, the header first."""
    async with Snapshots(books.database).of(books.world.tenant_id) as connection:
        file = b"".join([lines async for lines in exported(connection, books.world.tenant_id, after=after)])
    return file.decode().splitlines()
