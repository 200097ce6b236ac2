"""The ledger of one district, posted to directly and audited."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from models.points import Asset, HoldOutcome, LedgerAccountKind, TransactionKind
from services.chassis.clock import SHANGHAI
from services.chassis.commands import CommandAnswer
from services.chassis.database import Database
from services.chassis.idempotency import RequestKey
from services.chassis.schemas import new_id
from services.points.holds.actions import HoldCommand, HoldEndCommand
from services.points.ledger.actions import ReverseCommand
from services.points.ledger.invariants import broken_invariants
from services.points.ledger.keeping import expire_holds, expire_lots
from services.points.ledger.posting import Leg, PostCommand, issue, post_command
from tests.migrations.catalog import connected
from tests.world import World

MEMBER, COMMUNITY = LedgerAccountKind.MEMBER, LedgerAccountKind.ISSUING_COMMUNITY

TABLES = (
    "ledger_accounts",
    "ledger_transactions",
    "ledger_entries",
    "ledger_lots",
    "ledger_allocations",
    "ledger_holds",
    "ledger_hold_lots",
    "ledger_hold_ends",
    "ledger_open_holds",
)
"""Where the ledger stands; what the chain makes of it comes later."""
NOTHING: list[list[tuple[Any, ...]]] = [[] for _ in TABLES]
"""The state of books nobody has written in."""

CLOCK = "CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT {} $$"


def once(key: str, content: str = "") -> RequestKey:
    """An idempotency key with the fingerprint of the request `content` stands for."""
    return RequestKey(key, content.encode().ljust(32, b"."))


def code_of(answer: CommandAnswer) -> str:
    return str(msgspec.json.decode(answer.body)["code"])


def shanghai(moment: str) -> datetime:
    """2026-03-16 09:00, as the clock on the wall says."""
    return datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI)


def as_json(command: Any) -> str:
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
            **changes,
        }
        return post_command(legs, **values)

    def gift(self, account_id: UUID, amount: int, **changes: Any) -> PostCommand:
        """Points of 康乐路南 to a person."""
        return self.command(issue(amount, community_id=self.community_id, account_id=account_id), **changes)

    def transfer(self, from_id: UUID, to_id: UUID, amount: int, **changes: Any) -> PostCommand:
        """Points of one person to another."""
        return self.command([Leg(MEMBER, from_id, -amount), Leg(MEMBER, to_id, amount)], **changes)

    def hold(self, account_id: UUID, amount: int, **changes: Any) -> HoldCommand:
        """A person holds points of their own for 康乐路南."""
        hold_id = new_id()
        values: dict[str, Any] = {
            "id": hold_id,
            "owner_id": account_id,
            "asset": Asset.POINTS,
            "amount": amount,
            "kind": TransactionKind.REDEMPTION,
            "to_kind": COMMUNITY,
            "to_owner_id": self.community_id,
            "source_kind": "hold",
            "source_id": str(hold_id),
            "reason": "预定洗衣液",
            "details": {},
            "expires_at": None,
            "account": account_id,
            "issuer_areas": None,
            "idempotency_key": str(hold_id),
            "request_hash": "00",
            **changes,
        }
        return HoldCommand(**values)

    def end(self, hold_id: UUID, outcome: HoldOutcome, amount: int | None = None) -> HoldEndCommand:
        """The clerk posts a hold, or voids it."""
        key = new_id()
        return HoldEndCommand(
            id=key, hold_id=hold_id, outcome=outcome, amount=amount, reason="已领取",
            account=self.world.points_clerk.account_id, issuer_areas=[self.community_id],
            idempotency_key=str(key), request_hash="00",
        )  # fmt: skip

    def reversal(self, transaction_id: UUID) -> ReverseCommand:
        """The clerk takes a transaction back."""
        key = new_id()
        return ReverseCommand(
            id=key, transaction_id=transaction_id, reason="登记错误",
            account=self.world.points_clerk.account_id, issuer_areas=[self.world.areas["district"]],
            idempotency_key=str(key), request_hash="00",
        )  # fmt: skip

    async def call(self, function: str, command: Any) -> CommandAnswer:
        row = await self.database.pool.fetchrow(
            f"SELECT status, body, replayed FROM {function}($1, $2)", self.world.tenant_id, as_json(command)
        )
        assert row is not None
        return CommandAnswer(*row)

    async def post(self, command: PostCommand) -> CommandAnswer:
        return await self.call("ledger_post", command)

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
            await self.world.fetch_value(
                "SELECT sum(balance) FROM ledger_accounts WHERE owner_id = $1 AND asset = 'points' AND kind <> 'debt'",
                owner_id,
            )
            or 0
        )

    async def available(self, owner_id: UUID) -> int:
        """What a person can spend now."""
        body = await self.database.pool.fetchval(
            "SELECT points_account($1, $2, 'points')", self.world.tenant_id, owner_id
        )
        return int(msgspec.json.decode(body)["available"])

    async def lots(self, owner_id: UUID, asset: str = "points") -> list[tuple[int, int, datetime]]:
        """What is left in a person's lots, in the order it is spent: (remaining, held, expires_at)."""
        rows = await self.world.fetch(
            "SELECT l.remaining, l.held, l.expires_at FROM ledger_lots l JOIN ledger_accounts a ON a.id = l.account_id"
            " WHERE a.owner_id = $1 AND a.asset = $2 AND l.remaining > 0 ORDER BY l.expires_at, l.sequence, l.part",
            owner_id,
            asset,
        )
        return [(row["remaining"], row["held"], row["expires_at"]) for row in rows]

    async def count(self, table: str) -> int:
        return int(await self.world.fetch_value(f"SELECT count(*) FROM {table}"))

    async def state(self) -> list[list[tuple[Any, ...]]]:
        """Every row of the ledger."""
        return [
            [tuple(row) for row in await self.world.fetch(f"SELECT t.* FROM {table} t ORDER BY t")] for table in TABLES
        ]

    async def decide(self, **rules: Any) -> None:
        """The next version of the book rules, of points unless said otherwise."""
        values: dict[str, Any] = {
            "asset": "points",
            "expiry_unit": "none",
            "expiry_count": 0,
            "expired_return_days": 0,
            "spent_earning": "refuse",
            "hold_days": 7,
            "may_transfer": True,
            **rules,
        }
        version = await self.world.fetch_value(
            "SELECT count(*) + 1 FROM ledger_settings WHERE asset = $1", values["asset"]
        )
        by = self.world.district_admin.account_id
        now = await self.world.fetch_value("SELECT clock_timestamp()")
        await self.world.insert("ledger_settings", version=version, recorded_at=now, recorded_by=by, **values)

    async def at(self, moment: str | datetime) -> None:
        """From now on it is `moment` by the ledger's clock. Only in a database of the test's own."""
        stopped = shanghai(moment) if isinstance(moment, str) else moment
        await self._run_clock(f"timestamptz '{stopped.isoformat()}'")

    async def just_before(self, moment: str) -> None:
        """The next question to the ledger's clock is answered a moment before `moment`, every later one at it."""
        async with connected(self.world.settings.database_url) as owner:
            await owner.execute("CREATE SEQUENCE IF NOT EXISTS asked; ALTER SEQUENCE asked RESTART")
            await owner.execute("GRANT ALL ON SEQUENCE asked TO PUBLIC")
        stopped = f"timestamptz '{shanghai(moment).isoformat()}'"
        # Holds are looked at first: they ask once as well.
        await self._run_clock(f"{stopped} - interval '1 ms' * (nextval('asked') <= 2)::int")

    async def now(self) -> None:
        """The ledger's clock goes right again."""
        await self._run_clock("clock_timestamp()")

    async def _run_clock(self, expression: str) -> None:
        async with connected(self.world.settings.database_url) as owner:
            await owner.execute(CLOCK.format(expression))

    async def keep(self) -> int:
        """Books what is over, as the bookkeeping does; how much that was."""
        tenant_id = self.world.tenant_id
        return await expire_holds(self.database, tenant_id) + await expire_lots(self.database, tenant_id)

    async def broken(self) -> list[str]:
        async with self.database.pool.acquire() as connection:
            return await broken_invariants(connection, self.world.tenant_id)
