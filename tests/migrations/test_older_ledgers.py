"""A ledger of before lots, holds and the chain is taken over whole: every credit is a lot that never expires."""

import asyncio

from alembic import command

from launcher.database import alembic_config, migrate
from services.chassis.schemas import new_id
from services.points.ledger.invariants import broken_invariants
from tests.conftest import TestServer
from tests.migrations.catalog import connected

BEFORE = "0006"


async def test_what_was_posted_before_becomes_lots(postgres: TestServer) -> None:
    url = postgres.clone()
    await asyncio.to_thread(command.downgrade, alembic_config(url), BEFORE)
    tenants = {tenant: (new_id(), new_id()) for tenant in (new_id(), new_id())}
    async with connected(url) as owner:
        for number, (tenant, (person, community)) in enumerate(tenants.items()):
            await owner.execute(
                "INSERT INTO tenants (id, code, name) VALUES ($1, $2, '源城区')", tenant, f"44160{number}"
            )
            await owner.execute(f"SET linli.tenant = '{tenant}'")
            for sequence, amount in [(1, 5), (2, 7)]:
                await owner.execute(POSTING, tenant, new_id(), person, community, sequence, amount)
    await asyncio.to_thread(migrate, url)
    async with connected(url) as owner:
        for tenant, (_, community) in tenants.items():
            assert await broken_invariants(owner, tenant) == []
            lots = await owner.fetch(
                "SELECT sequence, part, amount, remaining, held, expires_at = 'infinity' AS is_kept, issuer_id"
                " FROM ledger_lots WHERE tenant_id = $1 ORDER BY sequence",
                tenant,
            )
            assert [tuple(lot) for lot in lots] == [(1, 1, 5, 5, 0, True, community), (2, 1, 7, 7, 0, True, community)]
            unsealed = await owner.fetchval("SELECT count(*) FROM ledger_unsealed WHERE tenant_id = $1", tenant)
            assert unsealed == 2


POSTING = """
WITH parties AS (
    INSERT INTO ledger_accounts (tenant_id, id, asset, kind, owner_id, balance, version)
    VALUES ($1, $3, 'points', 'member', $3, $6, $5), ($1, $4, 'points', 'issuing_community', $4, -$6::bigint, $5)
    ON CONFLICT (tenant_id, id) DO UPDATE
    SET balance = ledger_accounts.balance + EXCLUDED.balance, version = EXCLUDED.version
    RETURNING id, balance
), posted AS (
    INSERT INTO ledger_transactions (tenant_id, id, kind, source_kind, source_id, reason, effective_at)
    VALUES ($1, $2::uuid, 'award', 'award', $2::uuid::text, '助老服务', now())
)
INSERT INTO ledger_entries (tenant_id, account_id, sequence, transaction_id, amount, balance_after)
SELECT $1, p.id, $5, $2::uuid, CASE p.id WHEN $3 THEN $6 ELSE -$6::bigint END, p.balance FROM parties p
"""
