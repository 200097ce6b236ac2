"""Tables and their enumerations, one file per owner. Importing this package declares every table on `Base.metadata`."""

from models import clocks, completion, earning, grid, idempotency, identity, orders, outbox, points
from models.base import Base

__all__ = ["Base", "clocks", "completion", "earning", "grid", "idempotency", "identity", "orders", "outbox", "points"]
from models import order_kinds

__all__ = ["Base", "clocks", "earning", "grid", "idempotency", "identity", "order_kinds", "orders", "outbox", "points"]
from models import recurring

__all__ = ["Base", "clocks", "earning", "grid", "idempotency", "identity", "orders", "outbox", "points", "recurring"]
from models import matching

__all__ = ["Base", "clocks", "earning", "grid", "idempotency", "identity", "matching", "orders", "outbox", "points"]
