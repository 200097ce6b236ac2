"""Journeys run on real processes, in both process models."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.conftest import TestServer, make_settings
from tests.deployment import Deployment, deployed
from tests.journeys.ahead import CLOCK_FILE, PROGRAM, SharedClock
from tests.orders.clocks.conftest import moment
from tests.world import World, make_world


@pytest.fixture(scope="session", params=["all-in-one", "separate"])
async def deployment(
    request: pytest.FixtureRequest, postgres: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    settings = make_settings(postgres.clone(), tmp_path_factory.mktemp("files"))
    with tempfile.TemporaryDirectory() as sockets:  # short: a socket's path may not be long
        async with deployed(request.param, settings, Path(sockets)) as running:
            yield running


@pytest.fixture
async def district(deployment: Deployment) -> AsyncIterator[World]:
    """A fresh district on the running processes; its people sign in as people do."""
    async with httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=128)) as transport:
        world = await make_world(deployment.settings, transport, base_url=deployment.base_url)
        yield world
        await world.close()


@dataclass(frozen=True)
class Almanac:
    """The product on processes whose clock a story moves, with two processes of orders; it begins before 2026 does."""

    deployment: Deployment
    clock: SharedClock

    def go_to(self, text: str) -> None:
        """A moment in Shanghai, e.g. `2026-03-16T09:00`."""
        self.clock.go_to(moment(text))


@pytest.fixture(scope="module", params=["all-in-one", "separate"])
async def almanac(
    request: pytest.FixtureRequest, postgres: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almanac]:
    files = tmp_path_factory.mktemp("files")
    settings, clock_file = make_settings(postgres.clone(), files), files / "clock"
    shared = SharedClock.made(clock_file, moment("2025-12-29T09:00"))
    extra = {CLOCK_FILE: str(clock_file), "LINLI_CLOCK_POLL_SECONDS": "0.05"}
    with tempfile.TemporaryDirectory() as sockets:
        async with deployed(
            request.param, settings, Path(sockets), extra=extra, module=PROGRAM, second_orders=True
        ) as running:
            yield Almanac(running, shared)


@pytest.fixture
async def district_in_time(almanac: Almanac) -> AsyncIterator[World]:
    """A fresh district that lives by that clock; its people are in office and signed in for more than a year."""
    deployment = almanac.deployment
    with almanac.clock.kept():
        async with httpx2.AsyncHTTPTransport() as transport:
            world = await make_world(
                deployment.settings, transport, base_url=deployment.base_url, stay=timedelta(days=400)
            )
            yield world
            await world.close()
