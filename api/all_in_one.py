"""Gateway and services in one process: the only place in `api` that knows the services themselves."""

from starlette.types import ASGIApp

import services.grid.main
import services.identity.main
import services.orders.main
import services.points.main
from api.main import create_gateway
from services.chassis.settings import Settings


def create_app(settings: Settings) -> ASGIApp:
    """The whole product as one ASGI app. Its lifespan runs every service's."""
    return create_gateway(
        settings,
        {
            "grid": services.grid.main.create_app(settings),
            "identity": services.identity.main.create_app(settings),
            "orders": services.orders.main.create_app(settings),
            "points": services.points.main.create_app(settings),
        },
    )
