"""The part of the first screen that orders have: what a person waits for, has to do, and answers for."""

from models.orders import OPEN_STAGES, OrderStage
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.identity import Identity
from services.orders.orders.queries import answered, areas_by_role
from services.orders.reading.board import MOST_ORDERS

FIRST = 5
"""So many of each."""
MOST_PLACED = 500
"""Of what the caller placed for others, the newest: what waits for an answer is among them."""
MOST_POOLED = 100
"""The pool is counted up to here."""


async def read_home(database: Database, caller: Identity) -> str:
    """As JSON, in one call; null where a section is not for the caller."""
    query = {
        "account": caller.account_id,
        "resident": caller.resident_id,
        **areas_by_role(caller),
        "now": clock.now(),
        "stages": OPEN_STAGES,
        "own_stages": [*OPEN_STAGES, OrderStage.FOLLOW],
        "page_size": FIRST,
        "most_placed": MOST_PLACED,
        "most_pooled": MOST_POOLED,
        "most_orders": MOST_ORDERS,
    }
    return await answered(database, caller, "order_home", query)
