"""The order service: 居民点单 · 社区派单 · 党员接单."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.chassis.application import create_service, running
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
    clock_keeper = ClockKeeper(app.state.database, poll_seconds=poll_seconds)
    timer_keeper = TimerKeeper(app.state.database, poll_seconds=poll_seconds)
    word_keeper = WordKeeper(app.state.database, poll_seconds=poll_seconds)
    recurring_keeper = RecurringKeeper(app.state.database, poll_seconds=poll_seconds)
    async with (
        running(clock_keeper.run(), name="orders-clocks"),
        running(timer_keeper.run(), name="orders-timers"),
        running(word_keeper.run(), name="orders-words"),
        running(recurring_keeper.run(), name="orders-recurring"),
    ):
        yield
