"""The order service: 居民点单 · 社区派单 · 党员接单."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.chassis.application import create_service
from services.chassis.settings import Settings
from services.orders.files import endpoints as files
from services.orders.files.store import FolderStore
from services.orders.kinds import endpoints as kinds
from services.orders.orders import endpoints as orders
from services.orders.orders.actions import OrderCommands


def create_app(settings: Settings) -> FastAPI:
    return create_service(
        "orders",
        settings,
        title="Linli orders",
        routers=[orders.router, files.router, kinds.router],
        resources=_resources,
    )


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    app.state.order_commands = OrderCommands(app.state.database)
    app.state.file_store = FolderStore(app.state.settings.files_folder)
    yield
