"""What the demo district offers, and whether its orders answer the forms they were placed with."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from demo.histories import PastOrder
from demo.kinds import KINDS, Kind
from demo.offers import form_rows, kind_rows, order_columns, policy_rows
from models.base import Base
from tests.orders.kinds.forms import form_faults


@dataclass(frozen=True)
class _Building:
    name: str = "3栋"


@dataclass(frozen=True)
class _Home:
    dwelling: str = "2单元502"
    building: _Building = _Building()


@dataclass(frozen=True)
class _Order:
    """As much of a past order as answering its form needs."""

    key: str
    kind: Kind
    home: _Home = _Home()
    placed_at: datetime = datetime(2026, 3, 16, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_order_answers_the_form_of_its_kind(kind: Kind) -> None:
    forms = {row["kind"]: row["questions"] for row in form_rows()}
    for number in range(50):
        order = cast(PastOrder, _Order(f"test-{number}", kind))
        columns = order_columns(order)
        assert form_faults(forms[kind.id], columns["answers"]) == []
        assert columns == order_columns(order)


def test_every_kind_is_offered_with_its_form_and_some_promise() -> None:
    offered = {row["id"] for row in kind_rows()}
    assert offered == {kind.id for kind in KINDS} == {row["kind"] for row in form_rows()}
    assert {row["order_kind"] for row in policy_rows()} - {None} <= offered


@pytest.mark.parametrize(
    ("table", "rows"),
    [("order_kinds", kind_rows), ("order_kind_forms", form_rows), ("clock_policies", policy_rows)],
)
def test_all_rows_of_a_table_name_the_same_columns(table: str, rows: Any) -> None:
    known = {column.name for column in Base.metadata.tables[table].columns}
    names = [tuple(row) for row in rows()]
    assert len(set(names)) == 1
    assert set(names[0]) <= known
