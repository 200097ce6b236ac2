"""The keeper of the clocks, called by hand: rates go by what it has counted."""

from tests.orders.clocks.conftest import keep, orders_database

__all__ = ["keep", "orders_database"]
