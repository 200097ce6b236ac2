"""Loading the demo district into a migrated database: `python -m launcher seed`."""

import json
import time
from collections.abc import Iterator
from enum import Enum
from typing import Any

import asyncpg
from sqlalchemy import JSON

from demo.district import District, build
from demo.places import TENANT_CODE, TENANT_ID, TENANT_NAME
from demo.rows import Row
from models import Base
from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.database import driver_url, tenant_statement

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('linli demo district', 0))"


async def load(database_url: str) -> None:
    """Load the district as of today, or leave it as it is when it is there already. Prints what it does.

    One transaction, as the user of `database_url` (`postgresql://…`), who owns the tables and need not be a superuser.
    """
    connection = await asyncpg.connect(driver_url(database_url))
    try:
        async with connection.transaction():
            await connection.execute(_LOCK)
            if await connection.fetchval("SELECT EXISTS (SELECT FROM tenants WHERE code = $1)", TENANT_CODE):
                print(f"The demo district {TENANT_NAME} is there already.")
                return
            await load_district(connection, build(clock.now().astimezone(SHANGHAI).date()))
    finally:
        await connection.close()


async def load_district(connection: Any, district: District) -> None:
    """All of it, in the caller's transaction. Prints what it did."""
    started = time.perf_counter()
    await connection.execute(tenant_statement(TENANT_ID))
    for table, rows in district.tables.items():
        await _insert(connection, table, rows)
    highest = max(row["number"] for row in district.tables["orders"])
    await connection.execute("SELECT setval('order_numbers', greatest(nextval('order_numbers'), $1::bigint))", highest)
    rows_total = sum(map(len, district.tables.values()))
    print(f"Loaded the demo district {TENANT_NAME}: {_summary(district)}")
    print(f"{rows_total:,} rows in {time.perf_counter() - started:.1f} s.")


async def _insert(connection: Any, table: str, rows: list[Row]) -> None:
    """COPY into a temporary table, then INSERT: COPY alone is refused where row security applies to the owner."""
    columns = list(rows[0])
    names = ", ".join(f'"{column}"' for column in columns)
    await connection.execute(
        f"CREATE TEMPORARY TABLE loading ON COMMIT DROP AS SELECT {names} FROM {table} WITH NO DATA"  # noqa: S608
    )
    await connection.copy_records_to_table("loading", records=_records(table, rows), columns=columns)
    await connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM loading")  # noqa: S608
    await connection.execute("DROP TABLE loading")


def _records(table: str, rows: list[Row]) -> Iterator[tuple[Any, ...]]:
    json_columns = {column.name for column in Base.metadata.tables[table].columns if isinstance(column.type, JSON)}
    for row in rows:
        yield tuple(_encoded(value, column in json_columns) for column, value in row.items())


def _encoded(value: Any, is_json: bool) -> Any:
    if is_json and value is not None:
        return json.dumps(value, ensure_ascii=False)
    return value.value if isinstance(value, Enum) else value


def _summary(district: District) -> str:
    counts = {table: len(rows) for table, rows in district.tables.items()}
    return (
        f"{counts['areas']} areas, {counts['households']:,} households, {counts['residents']:,} residents, "
        f"{counts['accounts']} accounts, {counts['orders']} orders, {counts['ledger_entries']} ledger entries."
    )
