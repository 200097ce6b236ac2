"""Tenancy is written into the keys: read from the metadata, for every table there is."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    UniqueConstraint,
    Uuid,
)

from models import Base
from models.base import GLOBAL_TABLES

TENANT_TABLES = sorted(set(Base.metadata.tables) - GLOBAL_TABLES)

INDEXES_WITHOUT_TENANT = {
    "ix_memberships_account_id": "at sign-in the tenant is what is looked for: the memberships of an account",
    "ix_areas_ancestor_ids": "GIN over ids that are unique across tenants; a tenant's tree has a few thousand rows",
}
"""Why these non-unique indexes of tenant tables may start with something else."""

AMOUNTS = [
    "clock_extensions.amount",
    "ledger_accounts.balance",
    "ledger_accounts.held",
    "ledger_accounts.version",
    "ledger_allocations.amount",
    "ledger_allocations.lot_sequence",
    "ledger_allocations.sequence",
    "ledger_chain.position",
    "ledger_chain_heads.position",
    "ledger_entries.amount",
    "ledger_entries.balance_after",
    "ledger_entries.sequence",
    "ledger_hold_ends.amount",
    "ledger_hold_lots.amount",
    "ledger_holds.amount",
    "ledger_lots.amount",
    "ledger_lots.held",
    "ledger_lots.remaining",
    "ledger_lots.sequence",
    "ledger_published_heads.position",
    "ledger_settings.member_cap",
    "ledger_settings.minutes_per_point",
    "ledger_settings.second_person_from",
    "ledger_settings.version",
    "service_records.minutes_credited",
    "service_records.points",
    "service_records.sequence",
]
"""What is counted in points, or counts their movements."""

COORDINATES = {
    *("orders.lat", "orders.lng", "recurring_orders.lat", "recurring_orders.lng"),
    *("helper_profiles.lat", "helper_profiles.lng"),
}
"""The only columns that may be inexact."""


def breaches(table: Table, tenant_tables: set[str]) -> Iterator[str]:
    """How a tenant table breaks the key rule; nothing when it keeps it."""
    if _names(table.primary_key.columns)[:1] != ["tenant_id"]:
        yield f"the primary key of {table.name} does not start with tenant_id"
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint) and _names(constraint.columns)[0] != "tenant_id":
            yield f"{constraint.name} does not start with tenant_id"
    for index in table.indexes:
        if _names(index.columns)[:1] != ["tenant_id"] and (index.unique or index.name not in INDEXES_WITHOUT_TENANT):
            yield f"{index.name} does not start with tenant_id"
    for key in table.foreign_key_constraints:
        pairs = [(element.parent.name, element.column.name) for element in key.elements]
        if key.referred_table.name in tenant_tables and pairs[0] != ("tenant_id", "tenant_id"):
            yield f"{key.name} can point into another tenant"


def _names(columns: Iterable[Any]) -> list[str]:
    return [column.name for column in columns]


def test_the_global_tables_are_few_and_named() -> None:
    """Everything else belongs to a tenant. A table becomes global only by being added here as well."""
    assert {
        *("accounts", "password_credentials", "sessions", "tenants", "wechat_identities"),
        *("national_calendars", "order_words"),
    } == GLOBAL_TABLES
    assert set(Base.metadata.tables) >= GLOBAL_TABLES


@pytest.mark.parametrize("name", TENANT_TABLES)
def test_the_tenant_leads_every_key(name: str) -> None:
    """Primary key, every UNIQUE, every index and every foreign key between tenant tables start with tenant_id."""
    assert list(breaches(Base.metadata.tables[name], set(TENANT_TABLES))) == []


@pytest.mark.parametrize("name", TENANT_TABLES)
def test_the_tenant_is_never_missing(name: str) -> None:
    """A NULL in one column of a foreign key switches the whole key off."""
    assert not Base.metadata.tables[name].c.tenant_id.nullable


@pytest.mark.parametrize("name", sorted(GLOBAL_TABLES))
def test_no_global_table_points_into_a_tenant(name: str) -> None:
    """A global row is seen from every tenant, so it may not name a tenant's row."""
    assert {key.column.table.name for key in Base.metadata.tables[name].foreign_keys} <= GLOBAL_TABLES


def test_every_explained_index_exists() -> None:
    """The list of exceptions holds nothing that is not needed any more."""
    existing = {str(index.name): index for table in Base.metadata.tables.values() for index in table.indexes}
    for name in INDEXES_WITHOUT_TENANT:
        assert _names(existing[name].columns)[0] != "tenant_id"


@pytest.mark.parametrize("name", AMOUNTS)
def test_amounts_are_whole_and_wide(name: str) -> None:
    """BIGINT: NUMERIC lets NaN and Infinity in, a float loses points."""
    table, column = name.split(".")
    assert type(Base.metadata.tables[table].c[column].type) is BigInteger


def test_nothing_but_a_coordinate_is_inexact() -> None:
    """No NUMERIC anywhere, and floats only where a place is meant."""
    inexact = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Numeric | Float)
    }
    assert inexact == COORDINATES


def test_counts_and_sizes_do_not_overflow_by_default() -> None:
    """An int without a type of its own is a BIGINT; 32-bit columns do not exist."""
    narrow = [
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if type(column.type) is Integer
    ]
    assert narrow == []


class TestTheProofItself:
    """A check that cannot fail is a defect: each breach of the rule is found in a table made to break it."""

    METADATA = MetaData()
    KEPT = Table(
        "kept",
        METADATA,
        Column("tenant_id", Uuid, primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("owner_id", Uuid),
        UniqueConstraint("tenant_id", "owner_id"),
        ForeignKeyConstraint(["tenant_id", "owner_id"], ["kept.tenant_id", "kept.id"]),
    )
    LATE_TENANT = Table(
        "late_tenant", METADATA, Column("id", Uuid, primary_key=True), Column("tenant_id", Uuid, primary_key=True)
    )
    GLOBAL_UNIQUE = Table(
        "global_unique",
        METADATA,
        Column("tenant_id", Uuid, primary_key=True),
        Column("code", Uuid, unique=True),
    )
    UNIQUE_INDEX = Table(
        "unique_index",
        METADATA,
        Column("tenant_id", Uuid, primary_key=True),
        Column("account_id", Uuid),
        Index("ix_memberships_account_id", "account_id", unique=True),
    )
    PLAIN_INDEX = Table(
        "plain_index",
        METADATA,
        Column("tenant_id", Uuid, primary_key=True),
        Column("state", Uuid),
        Index("ix_state", "state"),
    )
    BARE_REFERENCE = Table(
        "bare_reference",
        METADATA,
        Column("tenant_id", Uuid, primary_key=True),
        Column("kept_id", Uuid, ForeignKey("kept.id")),
    )
    CROSSED_REFERENCE = Table(
        "crossed_reference",
        METADATA,
        Column("tenant_id", Uuid, primary_key=True),
        Column("other_tenant_id", Uuid),
        ForeignKeyConstraint(["other_tenant_id", "tenant_id"], ["kept.tenant_id", "kept.id"]),
    )

    def test_finds_nothing_where_the_rule_is_kept(self) -> None:
        assert list(breaches(self.KEPT, {"kept"})) == []

    @pytest.mark.parametrize(
        "table",
        [LATE_TENANT, GLOBAL_UNIQUE, UNIQUE_INDEX, PLAIN_INDEX, BARE_REFERENCE, CROSSED_REFERENCE],
        ids=lambda table: str(table.name),
    )
    def test_finds_each_breach(self, table: Table) -> None:
        assert len(list(breaches(table, {"kept"}))) == 1
