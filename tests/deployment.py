"""The product as real processes on real sockets, in either process model, for journeys and crash tests."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2
import uvicorn

from demo.wechat import create_app as create_fake_wechat
from launcher.children import Child
from launcher.single import SERVICES
from services.chassis.settings import Settings

ProcessModel = Literal["all-in-one", "separate"]
READY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 0.4
"""Who is killed again and again on purpose is not made to wait."""


@dataclass
class Deployment:
    """One running product. A killed process is started again by its keeper."""

    model: ProcessModel
    base_url: str
    wechat_url: str
    settings: Settings
    processes: dict[str, Child]

    def kill(self, name: str) -> int:
        """kill -9 of one process; its process id."""
        child = self.processes["all-in-one" if self.model == "all-in-one" else name]
        process_id = child.process_id
        assert process_id is not None
        os.kill(process_id, signal.SIGKILL)
        return process_id

    async def until_ready(self) -> None:
        gives_up_at = time.monotonic() + READY_SECONDS
        async with httpx2.AsyncClient(timeout=5, trust_env=False) as client:
            while time.monotonic() < gives_up_at:
                try:
                    answer = await client.get(f"{self.base_url}/ready")
                except httpx2.HTTPError:
                    answer = None
                if answer is not None and answer.status_code == 200:
                    return
                await asyncio.sleep(0.1)
        raise AssertionError("the product did not get ready")


@asynccontextmanager
async def deployed(
    model: ProcessModel,
    settings: Settings,
    folder: Path,
    *,
    extra: Mapping[str, str] | None = None,
    module: str = "launcher",
    second_orders: bool = False,
) -> AsyncIterator[Deployment]:
    """Starts the processes, waits until they are ready, stops them on leaving.

    `extra` goes into their environment; `module` is the program they run. With `second_orders` there is one more
    process of the order service: no request reaches it, but it does what goes on by itself.
    """
    async with fake_wechat() as wechat_url:
        listener = socket.create_server(("127.0.0.1", 0))
        environment = {**_environment(settings, wechat_url), **(extra or {})}
        processes = _processes(model, environment, listener.fileno(), folder, module)
        if second_orders:
            second = ["orders", "--path", str(folder / "orders-2")]
            processes["orders-2"] = _child("orders-2", second, environment, module)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        deployment = Deployment(model, base_url, wechat_url, settings, processes)
        try:
            for child in processes.values():
                child.start()
            await deployment.until_ready()
            yield deployment
        finally:
            await asyncio.gather(*(child.stop() for child in processes.values()))
            listener.close()


def _environment(settings: Settings, wechat_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "LINLI_MODE": "test",
        "LINLI_DEMO_SIGN_IN": "1",
        "LINLI_SIGNING_KEYS": settings.signing_keys_json.get_secret_value(),
        "LINLI_REFRESH_SECRET": settings.refresh_secret.get_secret_value(),
        "LINLI_WECHAT_BASE_URL": wechat_url,
        "LINLI_WECHAT_APP_ID": settings.wechat_app_id,
        "LINLI_WECHAT_APP_SECRET": settings.wechat_app_secret.get_secret_value(),
        "LINLI_FILES_FOLDER": str(settings.files_folder),
        "LINLI_POOL_SIZE": str(settings.pool_size),
        "LINLI_OUTBOX_POLL_SECONDS": "0.5",
    }


def _processes(
    model: ProcessModel, environment: dict[str, str], descriptor: int, folder: Path, module: str
) -> dict[str, Child]:
    listening = ["--descriptor", str(descriptor)]
    if model == "all-in-one":
        return {model: _child(model, [model, *listening], environment, module, descriptor)}
    urls = {f"{name.upper()}_URL": f"unix:{folder / name}" for name in SERVICES}
    environment = {**environment, **urls}
    elsewhere = {name: value for name, value in environment.items() if name != "LINLI_SIGNING_KEYS"}
    processes = {
        name: _child(
            name, [name, "--path", str(folder / name)], environment if name == "identity" else elsewhere, module
        )
        for name in SERVICES
    }
    return {**processes, "gateway": _child("gateway", ["gateway", *listening], elsewhere, module, descriptor)}


def _child(name: str, arguments: list[str], environment: dict[str, str], module: str, *descriptors: int) -> Child:
    return Child(
        name,
        arguments,
        environment=environment,
        descriptors=descriptors,
        module=module,
        longest_pause_seconds=LONGEST_PAUSE_SECONDS,
    )


@asynccontextmanager
async def fake_wechat() -> AsyncIterator[str]:
    """The fake WeChat server on a free loopback port; its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_fake_wechat(), log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
