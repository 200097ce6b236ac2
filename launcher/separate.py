"""`separate`: every service a process of its own, behind the gateway's process on PORT."""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx2

from launcher.accounts import make_socket_folder
from launcher.children import Child
from launcher.product import Product, introduce, prepared_product
from launcher.serving import listen
from launcher.single import SERVICES
from launcher.terminal import CannotStart
from services.chassis.logging import configure_logging

READY_TIMEOUT_SECONDS = 90.0
_SECRETS_OF_IDENTITY = ("LINLI_SIGNING_KEYS", "LINLI_REFRESH_SECRET", "LINLI_WECHAT_APP_SECRET")


def separate() -> None:
    """Serve the demo product until it is stopped. Raises CannotStart, and KeyboardInterrupt when it was stopped.

    A process that dies is started again; all of them end when this one does, however it ends.
    """
    configure_logging(logging.WARNING)
    with prepared_product() as product:
        listen(product.socket)
        asyncio.run(_run(product))
        raise KeyboardInterrupt


async def _run(product: Product) -> None:
    stop = asyncio.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(kind, stop.set)
    services, gateway = children(product)
    try:
        for child in (*services, gateway):
            child.start()
        await _until_ready_or(stop, product)
        await stop.wait()
    finally:
        await gateway.stop()  # first, so that what it has accepted is still answered
        await asyncio.gather(*(service.stop() for service in services))


def children(product: Product) -> tuple[list[Child], Child]:
    """The services, and the gateway in front of them, not yet started."""
    sockets = make_socket_folder(product.data, max(SERVICES, key=len))
    urls = {f"{name.upper()}_URL": f"unix:{sockets / name}" for name in SERVICES}
    environment = {**os.environ, **product.environment, **urls}
    services = [_service(name, sockets / name, environment) for name in SERVICES]
    descriptor = product.socket.fileno()
    gateway = Child(
        "gateway",
        ["gateway", "--descriptor", str(descriptor)],
        environment=_without_secrets(environment),
        descriptors=[descriptor],
    )
    return services, gateway


def _service(name: str, path: Path, environment: dict[str, str]) -> Child:
    own = environment if name == "identity" else _without_secrets(environment)
    return Child(name, [name, "--path", str(path)], environment=own)


def _without_secrets(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in _SECRETS_OF_IDENTITY}


async def _until_ready_or(stop: asyncio.Event, product: Product) -> None:
    """Introduces the product once the gateway and every service are ready. Raises CannotStart if they do not get so."""
    gives_up_at = asyncio.get_running_loop().time() + READY_TIMEOUT_SECONDS
    async with httpx2.AsyncClient(trust_env=False, timeout=10.0) as client:
        while not stop.is_set():
            if await _is_ready(client, product.url):
                introduce(product)
                return
            if asyncio.get_running_loop().time() > gives_up_at:
                raise CannotStart(f"The services did not get ready within {READY_TIMEOUT_SECONDS:.0f} seconds.")
            await asyncio.sleep(0.1)


async def _is_ready(client: httpx2.AsyncClient, url: str) -> bool:
    with suppress(httpx2.HTTPError):
        return (await client.get(f"{url}/ready")).status_code == httpx2.codes.OK
    return False
