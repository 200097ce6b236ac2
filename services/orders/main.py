"""The order service: 居民点单 · 社区派单 · 党员接单."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from fastapi import FastAPI

from services.chassis.application import create_service, running
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.chassis.snapshots import Snapshots
from services.orders.clocks import endpoints as clocks
from services.orders.clocks.keeping import ClockKeeper
from services.orders.clocks.policies import endpoints as clock_policies
from services.orders.clocks.work_calendar import endpoints as work_calendar
from services.orders.files import endpoints as files
from services.orders.files.store import FolderStore
from services.orders.follow_ups import endpoints as follow_ups
from services.orders.follow_ups.queries import past_follow_ups
from services.orders.kinds import endpoints as kinds
from services.orders.lifecycles import endpoints as lifecycles
from services.orders.matching.dispatching import DispatchKeeper
from services.orders.matching.helpers import endpoints as helpers
from services.orders.matching.needs import endpoints as needs
from services.orders.matching.plans import endpoints as dispatch_plans
from services.orders.matching.policies import endpoints as dispatch_policies
from services.orders.matching.resources import endpoints as matching_resources
from services.orders.matching.suggestions import endpoints as suggestions
from services.orders.matching.units import endpoints as units
from services.orders.orders import endpoints as orders
from services.orders.orders.actions import OrderCommands
from services.orders.orders.timing import TimerKeeper
from services.orders.rates import endpoints as rates
from services.orders.rates.exclusions import endpoints as rate_exclusions
from services.orders.reading import endpoints as reading
from services.orders.reading.words import WordKeeper
from services.orders.recurring import endpoints as recurring
from services.orders.recurring.keeping import RecurringKeeper


def create_app(settings: Settings) -> FastAPI:
    return create_service(
        "orders",
        settings,
        title="Linli orders",
        routers=[
            reading.router,
            reading.home_router,
            orders.router,
            recurring.router,
            files.router,
            kinds.router,
            lifecycles.router,
            lifecycles.kind_router,
            clocks.order_router,
            clocks.router,
            clock_policies.router,
            work_calendar.router,
            follow_ups.order_router,
            follow_ups.router,
            rates.router,
            rate_exclusions.order_router,
            rate_exclusions.router,
            helpers.router,
            needs.router,
            dispatch_plans.router,
            dispatch_policies.router,
            matching_resources.router,
            suggestions.router,
            units.router,
        ],
        clearings=[past_follow_ups()],
        resources=_resources,
    )


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    app.state.order_commands = OrderCommands(app.state.database)
    app.state.snapshots = Snapshots(app.state.database)
    app.state.file_store = FolderStore(app.state.settings.files_folder)
    poll_seconds = app.state.settings.clock_poll_seconds
    async with AsyncExitStack() as keepers:
        for name, keeper in KEEPERS.items():
            kept = keeper(app.state.database, poll_seconds=poll_seconds)
            await keepers.enter_async_context(running(kept.run(), name=f"orders-{name}"))
        yield


class _Keeper(Protocol):
    def __init__(self, database: Database, *, poll_seconds: float) -> None: ...
    async def run(self) -> None: ...


KEEPERS: Mapping[str, type[_Keeper]] = {
    "clocks": ClockKeeper,
    "timers": TimerKeeper,
    "recurring": RecurringKeeper,
    "dispatch": DispatchKeeper,
    "words": WordKeeper,
}
"""What goes on by itself, in the background of every process of the service."""
