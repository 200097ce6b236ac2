"""Journeys run on real processes, in both process models."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import TestServer, make_settings
from tests.deployment import Deployment, deployed
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
    async with httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=64)) as transport:
        world = await make_world(deployment.settings, transport, base_url=deployment.base_url)
        yield world
        await world.close()
