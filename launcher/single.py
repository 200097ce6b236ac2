"""`serve NAME`: one process of the product, set up by its environment (services.chassis.settings)."""

import argparse
import logging
import os
import socket
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError
from starlette.types import ASGIApp

from launcher.serving import end_with_parent, serve
from launcher.terminal import CannotStart
from services.chassis.logging import configure_logging
from services.chassis.settings import Settings

SERVICES = ("identity", "grid", "orders", "points")
PROCESSES = ("gateway", *SERVICES, "all-in-one")


def serve_one(arguments: list[str]) -> None:
    """Serve until SIGINT or SIGTERM; listens on HOST and PORT. Raises CannotStart."""
    wanted = _parse(arguments)
    configure_logging(logging.WARNING if wanted.end_with_parent else logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = _settings(wanted.name)
    listener = socket.socket(fileno=wanted.descriptor) if wanted.descriptor is not None else None
    if wanted.end_with_parent:
        end_with_parent()
    app = create_process(wanted.name, settings)
    with suppress(KeyboardInterrupt):
        serve(
            app,
            host=settings.host,
            port=settings.port,
            path=wanted.path,
            sockets=[listener] if listener else None,
        )


def create_process(name: str, settings: Settings) -> ASGIApp:
    """The app of one of PROCESSES; only what it needs is imported."""
    if name == "gateway":
        return _gateway(settings)
    module = "api.all_in_one" if name == "all-in-one" else f"services.{name}.main"
    app: ASGIApp = import_module(module).create_app(settings)
    return app


def _gateway(settings: Settings) -> ASGIApp:
    from api.main import create_gateway

    urls = {name: str(getattr(settings, f"{name}_url")) for name in SERVICES}
    if missing := [f"{name.upper()}_URL" for name, url in urls.items() if not url]:
        raise CannotStart(f"The gateway has to know where the services are: set {', '.join(missing)}.")
    return create_gateway(settings, urls)


def _settings(name: str) -> Settings:
    without_database = {"DATABASE_URL": ""} if name == "gateway" else {}
    try:
        return Settings.model_validate(os.environ | without_database)
    except ValidationError as error:
        wrong = "; ".join(_said(row["loc"], row["msg"]) for row in error.errors())
        raise CannotStart(f"The environment does not fit. {wrong}") from None


def _said(place: tuple[int | str, ...], message: str) -> str:
    names = ".".join(map(str, place))
    return f"{names}: {message}" if names else message.removeprefix("Value error, ")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="launcher serve")
    parser.add_argument("name", choices=PROCESSES)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--path", type=Path, help="listen on this Unix socket instead of HOST and PORT")
    where.add_argument("--descriptor", type=int, help="listen on this inherited socket instead")
    parser.add_argument("--end-with-parent", action="store_true", help="end when standard input is closed")
    return parser.parse_args(arguments)
