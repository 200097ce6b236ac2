"""The points service: the ledger of volunteer points, and what earns them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.chassis.application import create_service
from services.chassis.settings import Settings
from services.points.ledger import endpoints as ledger
from services.points.ledger.posting import LedgerCommands
from services.points.rewards import endpoints as rewards
from services.points.subscriptions import SUBSCRIPTIONS


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI app."""
    return create_service(
        "points",
        settings,
        title="Linli points",
        routers=[ledger.router, rewards.router],
        subscriptions=SUBSCRIPTIONS,
        resources=_resources,
    )


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    app.state.ledger_commands = LedgerCommands(app.state.database)
    yield
