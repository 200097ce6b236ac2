"""A bank as Jepsen runs it: many clients move points between a few accounts and read all of them at once.

Whatever happens to the product meanwhile, every read adds up to what was there in the beginning, and in the end each
transfer has happened once or not at all, as its client was told or can find out by its key.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2

from models.identity import Role
from services.chassis.database import Database, tenant_statement
from tests.migrations.catalog import connected
from tests.points.audit import complaints_about_books
from tests.world import ARRANGER, Person, World

ACCOUNTS, CLIENTS, STAKE = 8, 20, 100
TOTAL = ACCOUNTS * STAKE
GIVES_UP_AFTER = 300


@dataclass
class Wish:
    """A transfer somebody asked for. `status` is None as long as nobody knows what became of it."""

    giver: Person
    taker: Person
    amount: int
    key: str
    status: int | None = None

    @property
    def body(self) -> dict[str, Any]:
        return {"to_account_id": str(self.taker.account_id), "amount": self.amount, "reason": "送给邻居"}


@dataclass
class Bank:
    """Opened with `open_bank`. Its clients answer for nothing but what they saw."""

    world: World
    customers: list[Person]
    seed: int
    wishes: list[Wish] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)

    async def run_for(self, seconds: float) -> None:
        """All clients at once, until the time is over and each has finished what it was about."""
        closes_at = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self._client(number, closes_at) for number in range(CLIENTS)))

    async def _client(self, number: int, closes_at: float) -> None:
        """Every other client is impatient: of what it got no answer to it asks by key when all is over."""
        chance = Random(f"{self.seed} {number}")
        turn = 0
        while asyncio.get_running_loop().time() < closes_at:
            turn += 1
            if chance.random() < 0.3:
                await self._read_all()
                continue
            giver, taker = chance.sample(self.customers, 2)
            wish = Wish(giver, taker, chance.randint(1, 40), f"client-{number}-{turn}")
            self.wishes.append(wish)
            await self._ask(wish)
            if wish.status is None and number % 2:
                await self._ask_until_answered(wish)

    async def _ask(self, wish: Wish) -> None:
        answer = await _answered(wish.giver.post("/v1/points/transfers", wish.body, key=wish.key))
        if answer is not None:
            assert answer.status_code == 201 or answer.json()["code"] == "insufficient_points", answer.text
            wish.status = answer.status_code
        else:
            await asyncio.sleep(0.1)

    async def _ask_until_answered(self, wish: Wish) -> None:
        for _ in range(GIVES_UP_AFTER):
            await self._ask(wish)
            if wish.status is not None:
                return
        raise AssertionError("no answer for too long")

    async def _read_all(self) -> None:
        ids = [str(customer.account_id) for customer in self.customers]
        answer = await _answered(self.world.points_clerk.get("/v1/points/balances", account_id=ids))
        if answer is None:
            self.reads["unanswered"] += 1
            await asyncio.sleep(0.1)
            return
        assert answer.status_code == 200, answer.text
        balances = [item["balance"] for item in answer.json()["items"]]
        assert len(balances) == ACCOUNTS
        assert min(balances) >= 0
        assert sum(balances) == answer.json()["total"] == TOTAL, balances
        self.reads["whole"] += 1

    async def settle(self) -> None:
        """When the product is whole again: asks what became of the rest, and checks that all of it is true."""
        for wish in self.wishes:
            if wish.status is None:
                await self._resolve(wish)
        balances = {customer.account_id: STAKE for customer in self.customers}
        happened = [wish for wish in self.wishes if wish.status == 201]
        for wish in happened:
            balances[wish.giver.account_id] -= wish.amount
            balances[wish.taker.account_id] += wish.amount
        assert self.reads["whole"] > 0
        assert happened
        async with connected(self.world.settings.database_url, ARRANGER) as connection:
            await connection.execute(tenant_statement(self.world.tenant_id).replace("LOCAL ", ""))
            stored = await connection.fetch("SELECT owner_id, balance FROM ledger_accounts WHERE kind = 'member'")
            assert {row["owner_id"]: row["balance"] for row in stored} == balances
            transfers = await connection.fetchval("SELECT count(*) FROM ledger_transactions WHERE kind = 'transfer'")
            assert transfers == len(happened)
        database = Database(self.world.settings.database_url, service="points", pool_size=2)
        await database.open()
        try:
            assert await complaints_about_books(database, self.world) == []
        finally:
            await database.close()

    async def _resolve(self, wish: Wish) -> None:
        """By its key; 404 says that nothing happened. Then it may be asked for again, and happens at most once."""
        known = await wish.giver.get(f"/v1/points/postings/by-key/{wish.key}")
        if known.status_code == 404:
            await self._ask_until_answered(wish)
            return
        assert known.status_code == 200, known.text
        wish.status = known.json()["status"]
        again = await wish.giver.post("/v1/points/transfers", wish.body, key=wish.key)
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (wish.status, "true")


async def open_bank(world: World, seed: int) -> Bank:
    """Eight customers with 100 points each, in a district where members may give to each other."""
    allowed = await world.district_admin.post("/v1/points/book-rules", {"asset": "points", "may_transfer": True})
    assert allowed.status_code == 201, allowed.text
    customers = [
        await world.add_person(f"customer{number}", f"储户{number}", roles={Role.MEMBER: "community"})
        for number in range(ACCOUNTS)
    ]
    for customer in customers:
        award = {
            "account_id": str(customer.account_id),
            "community_id": str(world.areas["community"]),
            "amount": STAKE,
            "reason": "开户",
        }
        answer = await world.points_clerk.post("/v1/points/postings", award)
        assert answer.status_code == 201, answer.text
    return Bank(world, customers, seed)


async def _answered(request: Any) -> httpx2.Response | None:
    """The answer, or None when none came or it says that nobody knows."""
    try:
        answer: httpx2.Response = await request
    except httpx2.TransportError:
        return None
    return None if answer.status_code >= 500 else answer
