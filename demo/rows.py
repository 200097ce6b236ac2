"""Rows, as tables of the demo district hold them."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from demo.places import TENANT_ID

Row: TypeAlias = dict[str, Any]
"""Column name → value. Columns left out keep their default; all rows of a table name the same ones."""

Tables: TypeAlias = Mapping[str, Iterator[Row]]
"""Rows by table, parents before children."""


def owned(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows, each with its tenant first."""
    return ({"tenant_id": TENANT_ID, **row} for row in rows)
