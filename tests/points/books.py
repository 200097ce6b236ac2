"""The ledger of one district, posted to directly and audited."""

from typing import Any
from uuid import UUID

import msgspec

from models.points import LedgerAccountKind, TransactionKind
from services.chassis import clock
from services.chassis.commands import CommandAnswer
from services.chassis.database import Database
from services.chassis.idempotency import RequestKey
from services.points.ledger.invariants import broken_invariants
from services.points.ledger.posting import Leg, PostCommand, issue, post_command
from tests.world import World

MEMBER, COMMUNITY = LedgerAccountKind.MEMBER, LedgerAccountKind.ISSUING_COMMUNITY


def once(key: str, content: str = "") -> RequestKey:
    """An idempotency key with the fingerprint of the request `content` stands for."""
    return RequestKey(key, content.encode().ljust(32, b"."))


def code_of(answer: CommandAnswer) -> str:
    return str(msgspec.json.decode(answer.body)["code"])


def as_json(command: PostCommand) -> str:
    return msgspec.json.encode(command, enc_hook=str).decode()


class Books:
    """Posts as the points service does, over its database role; answers come back as they are, refusals too."""

    def __init__(self, world: World, database: Database) -> None:
        self.world = world
        self.database = database
        self.community_id = world.areas["community"]

    def command(self, legs: list[Leg], **changes: Any) -> PostCommand:
        values: dict[str, Any] = {
            "kind": TransactionKind.AWARD,
            "reason": "助老服务",
            "effective_at": clock.now(),
            **changes,
        }
        return post_command(legs, **values)

    def gift(self, account_id: UUID, amount: int, **changes: Any) -> PostCommand:
        """Points of 康乐路南 to a person."""
        return self.command(issue(amount, community_id=self.community_id, account_id=account_id), **changes)

    def transfer(self, from_id: UUID, to_id: UUID, amount: int, **changes: Any) -> PostCommand:
        """Points of one person to another."""
        return self.command([Leg(MEMBER, from_id, -amount), Leg(MEMBER, to_id, amount)], **changes)

    async def post(self, command: PostCommand) -> CommandAnswer:
        row = await self.database.pool.fetchrow(
            "SELECT status, body, replayed FROM ledger_post($1, $2)", self.world.tenant_id, as_json(command)
        )
        assert row is not None
        return CommandAnswer(*row)

    async def post_batch(self, commands: list[PostCommand]) -> list[CommandAnswer]:
        rows = await self.database.pool.fetch(
            "SELECT status, body, replayed FROM ledger_post_batch($1, $2)",
            [self.world.tenant_id] * len(commands),
            [as_json(command) for command in commands],
        )
        return [CommandAnswer(*row) for row in rows]

    async def give(self, account_id: UUID, amount: int) -> None:
        """Points somebody has before the test begins."""
        assert (await self.post(self.gift(account_id, amount))).status == 201

    async def balance(self, owner_id: UUID) -> int:
        """0 without an account."""
        return int(
            await self.world.fetch_value("SELECT balance FROM ledger_accounts WHERE owner_id = $1", owner_id) or 0
        )

    async def count(self, table: str) -> int:
        return int(await self.world.fetch_value(f"SELECT count(*) FROM {table}"))

    async def state(self) -> list[list[tuple[Any, ...]]]:
        """Every row of the ledger."""
        tables = ("ledger_accounts", "ledger_transactions", "ledger_entries")
        return [
            [tuple(row) for row in await self.world.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3")]
            for table in tables
        ]

    async def broken(self) -> list[str]:
        async with self.database.pool.acquire() as connection:
            return await broken_invariants(connection, self.world.tenant_id)
