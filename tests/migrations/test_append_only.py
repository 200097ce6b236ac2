"""What only grows, only grows: refused by grant to every service, and by trigger to everyone else."""

import asyncpg
import pytest

from migrations.row_security import ROLES
from services.chassis.database import tenant_statement
from tests.migrations.catalog import Connection, connected
from tests.migrations.conftest import Districts

TRIGGERED = {
    "work_calendars": "days",
    "work_hours": "periods",
    "clock_policies": "targets",
    "order_clock_pauses": "at",
    "clock_extensions": "amount",
    "clock_extension_decisions": "is_granted",
    "order_clock_firings": "due_at",
    "order_kind_forms": "questions",
    "order_kind_changes": "after",
    "recurring_order_changes": "reason",
    "dispatch_policies": "limits",
    "automatic_dispatches": "why",
    "order_history": "note",
    "order_lifecycles": "note",
    "order_exports": "orders",
    "order_answers": "solved",
    "follow_ups": "words",
    "rate_exclusions": "reason_code",
    "rate_exclusion_steps": "outcome",
    "ledger_transactions": "reason",
    "ledger_entries": "amount",
    "ledger_account_events": "reason",
    "ledger_allocations": "amount",
    "ledger_chain": "hash",
    "ledger_hold_ends": "amount",
    "ledger_hold_lots": "amount",
    "ledger_holds": "amount",
    "ledger_published_heads": "hash",
    "ledger_settings": "member_cap",
    "service_records": "points",
    "earning_simulations": "terms",
    "earning_simulation_lines": "points_after",
    "anomaly_reviews": "verdict",
    "identity_events": "reason",
}
"""Each with a column somebody might want to improve."""
CLEARED = {"outbox_events": "payload", "idempotency_keys": "body"}
"""These are cleared of what is old, by the services themselves (see tests/migrations/test_retention.py)."""


def changes(table: str, column: str) -> list[str]:
    return [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", [*TRIGGERED, *CLEARED])
async def test_no_service_changes_it(districts: Districts, role: str, table: str) -> None:
    """For lack of a grant, before row security or a trigger is asked."""
    refused = changes(table, {**TRIGGERED, **CLEARED}[table])
    if table in CLEARED:
        refused = [change for change in refused if not change.startswith("DELETE")]
    async with connected(districts.url, role) as connection:
        for change in refused:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match=f"permission denied for table {table}"):
                await connection.execute(f"BEGIN; {tenant_statement(districts.ours.tenant_id)}; {change}")
            await connection.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("table", "change"), [(table, change) for table, column in TRIGGERED.items() for change in changes(table, column)]
)
async def test_not_even_the_owner_changes_it(owner: Connection, table: str, change: str) -> None:
    """A trigger refuses it to whoever has every grant."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=f"^{table} is append-only"):
        await owner.execute(change)


@pytest.mark.parametrize("table", ["orders", "ledger_accounts", "tenants"])
async def test_truncating_another_table_does_not_reach_it(owner: Connection, table: str) -> None:
    """TRUNCATE ... CASCADE of what it refers to is refused just so."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is append-only"):
        await owner.execute(f"TRUNCATE {table} CASCADE")


async def test_rows_can_still_be_added(owner: Connection) -> None:
    """The trigger does not stand in the way of what the tables are for."""
    added = await owner.execute(
        "INSERT INTO order_history (tenant_id, order_id, sequence, action, to_state, actor_id, at)"
        " SELECT tenant_id, order_id, sequence + 1, 'cancel', 'cancelled', actor_id, at FROM order_history"
        " WHERE tenant_id = current_setting('linli.tenant')::uuid"
    )
    assert added == "INSERT 0 1"
