"""The grid service: places and people."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.chassis.application import create_service
from services.chassis.settings import Settings
from services.grid.areas import endpoints as areas
from services.grid.areas import locating
from services.grid.areas.area_trees import AreaTrees
from services.grid.households import endpoints as households
from services.grid.posts import endpoints as posts
from services.grid.residents import endpoints as residents


def create_app(settings: Settings) -> FastAPI:
    return create_service(
        "grid",
        settings,
        title="Linli grid",
        routers=[locating.router, areas.router, households.router, residents.router, posts.router],
        resources=_resources,
    )


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    app.state.area_trees = AreaTrees(app.state.database)
    yield
