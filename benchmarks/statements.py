"""How many statements a request costs: those that are sent to Postgres, and those its SQL functions run."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from benchmarks.load import at_full_rate

WARM_UP = 300
COUNTED = 200


@dataclass(frozen=True)
class Statements:
    """Per request. Finding out who calls is in it, as often as it happens in so short a time."""

    sent: float
    inside: float


async def count_statements(connection: Any, port: int, requests: Iterator[bytes], *, service: str) -> Statements:
    """By pg_stat_statements, which the server has loaded. One client, so that nothing is batched."""
    await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    await at_full_rate(port, islice(requests, WARM_UP), clients=1, seconds=60, warm_up=0)
    await _track(connection, "all")
    await connection.execute("SELECT pg_stat_statements_reset()")
    await at_full_rate(port, islice(requests, COUNTED), clients=1, seconds=60, warm_up=0)
    row = await connection.fetchrow(_COUNT, f"linli_{service}")
    await _track(connection, "none")
    return Statements(row["sent"] / COUNTED, row["inside"] / COUNTED)


async def _track(connection: Any, what: str) -> None:
    await connection.execute(f"ALTER SYSTEM SET pg_stat_statements.track = '{what}'")
    await connection.execute("SELECT pg_reload_conf(), pg_sleep(0.1)")


_COUNT = """
SELECT COALESCE(sum(s.calls) FILTER (WHERE s.toplevel), 0)::float8 AS sent,
    COALESCE(sum(s.calls) FILTER (WHERE NOT s.toplevel), 0)::float8 AS inside
FROM pg_stat_statements s
JOIN pg_roles r ON r.oid = s.userid
JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()
WHERE r.rolname = $1
"""
