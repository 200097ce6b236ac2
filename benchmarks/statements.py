"""How many statements a request costs: those the service sends, and those its SQL functions run inside."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from benchmarks.load import at_full_rate

WARM_UP = 400
COUNTED = 200


@dataclass(frozen=True)
class Statements:
    """Per request; what knowing the caller costs is in it, as far as it falls into so short a time."""

    sent: float
    inside: float


async def count_statements(
    connection: Any, port: int, requests: Iterator[bytes], *, service: str
) -> Statements:
    """By pg_stat_statements, which the server has loaded; one client, so that nothing is batched."""
    await at_full_rate(port, islice(requests, WARM_UP), clients=1, seconds=60, warm_up=0)
    await connection.execute("SELECT pg_stat_statements_reset()")
    await at_full_rate(port, islice(requests, COUNTED), clients=1, seconds=60, warm_up=0)
    row = await connection.fetchrow(_COUNT, f"linli_{service}")
    return Statements(row["sent"] / COUNTED, row["inside"] / COUNTED)


_COUNT = """
SELECT COALESCE(sum(s.calls) FILTER (WHERE s.toplevel), 0)::float8 AS sent,
    COALESCE(sum(s.calls) FILTER (WHERE NOT s.toplevel), 0)::float8 AS inside
FROM pg_stat_statements s
JOIN pg_roles r ON r.oid = s.userid
JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()
WHERE r.rolname = $1
"""
