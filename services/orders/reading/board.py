"""The board of an area: its open orders by stage."""

from uuid import UUID

from models.orders import OPEN_STAGES
from services.chassis.database import Database
from services.chassis.identity import Identity
from services.orders.orders.queries import OrderView, answered, areas_of_view

MOST_ORDERS = 100_000
"""Counted at most."""


async def read_board(database: Database, caller: Identity, *, area_id: UUID | None, limit: int) -> str:
    """The board as JSON. Raises Forbidden for who oversees nothing, NotFound for an area outside."""
    query = {
        "areas": await areas_of_view(database, caller, OrderView.AREA, area_id),
        "stages": OPEN_STAGES,
        "page_size": limit,
        "most_orders": MOST_ORDERS,
    }
    return await answered(database, caller, "order_board", query)
