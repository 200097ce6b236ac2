"""The kinds of order the demo district offers, and the words its people use."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from models.orders import Priority, Visibility
from services.orders.kinds.standard import STANDARD_KIND

ORDERS_FILE = Path(__file__).parent / "data" / "orders.toml"


class Doer(StrEnum):
    """Who usually does orders of a kind."""

    HELPER = "helper"
    """A member or a volunteer."""
    GRID_WORKER = "grid_worker"
    """The grid worker of the compound."""
    COMPANY = "company"
    """The property company of the compound, or the grid worker where there is none."""


@dataclass(frozen=True, slots=True)
class Case:
    """What was asked for, and the note left when it was done."""

    asked: str
    done: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of order. `weight` is how often it is ordered; `points` None means that the general rule rewards it."""

    id: str
    name: str
    category: str
    weight: int
    doer: Doer
    evidence_required: int
    cases: list[Case]
    points: int | None = None
    bonus: int = 0

    @property
    def defaults(self) -> dict[str, Any]:
        """What an order of it is when it is placed: `priority`, `visibility`, `helpers_wanted`."""
        columns = STANDARD_KIND[self.id].columns()
        return {
            "priority": Priority(columns["default_priority"]),
            "visibility": Visibility(columns["default_visibility"]),
            "helpers_wanted": columns["helpers_wanted"],
        }


@dataclass(frozen=True, slots=True)
class Remarks:
    """What people say beside the request itself."""

    praise: list[str]
    satisfied: list[str]
    dissatisfied: list[str]
    cancelled_by_resident: list[str]
    cancelled_by_community: list[str]
    declined: list[str]
    dispatch_notes: list[str]
    returned: list[str]
    resubmitted: list[str]
    rejected: list[str]
    handed_back: list[str]
    transferred: list[str]
    redone: list[str]
    shelved: list[str]
    merged: list[str]


def _kind(row: dict[str, Any]) -> Kind:
    standard = STANDARD_KIND[row["id"]]
    told = {**row, "doer": Doer(row["doer"]), "cases": [Case(**case) for case in row["cases"]]}
    return Kind(
        **{
            "name": standard.name,
            "category": standard.category,
            "evidence_required": standard.evidence_required,
            **told,
        }
    )


_orders = tomllib.loads(ORDERS_FILE.read_text(encoding="utf-8"))

KINDS = [_kind(row) for row in _orders["kinds"]]
KIND = {kind.id: kind for kind in KINDS}
REMARKS = Remarks(**_orders["remarks"])
FILLINGS: dict[str, list[str]] = _orders["fillings"]
"""What a text may be filled with besides the home it is about."""
