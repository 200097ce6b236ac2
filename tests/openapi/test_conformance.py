"""Schemathesis over the OpenAPI documents: whatever is sent, no 5xx, and every answer is as documented."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from api.routes import SERVICES
from models.identity import Role
from tests.conftest import TestServer, make_settings
from tests.deployment import Deployment, deployed
from tests.world import Person, World, make_world

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = "12"
DOCUMENTS = Path(__file__).parents[2] / "openapi"


@pytest.fixture(scope="module")
async def deployment(postgres: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    settings = make_settings(postgres.clone(), tmp_path_factory.mktemp("files"))
    with tempfile.TemporaryDirectory() as sockets:
        async with deployed("all-in-one", settings, Path(sockets)) as running:
            yield running


@pytest.fixture(scope="module")
async def district(deployment: Deployment) -> AsyncIterator[World]:
    async with httpx2.AsyncHTTPTransport() as transport:
        world = await make_world(deployment.settings, transport, base_url=deployment.base_url)
        for _ in range(3):
            await world.rated_order()
        yield world
        await world.close()


@pytest.fixture(scope="module")
async def everyone(district: World) -> Person:
    """A resident with every role, so that requests get past the guards."""
    return await district.add_person("everyone", "钟万能", roles=dict.fromkeys(Role, "district"), home="9单元901")


@pytest.mark.parametrize("service", SERVICES)
async def test_whatever_is_sent_the_answer_is_as_documented(
    deployment: Deployment, everyone: Person, service: str, tmp_path: Path
) -> None:
    code, report = await run_schemathesis(
        deployment.base_url, DOCUMENTS / f"{service}.json", f"Authorization: Bearer {everyone.token}", tmp_path
    )
    assert code == 0, report


@pytest.mark.parametrize("service", SERVICES)
async def test_strangers_get_documented_refusals(
    deployment: Deployment, district: World, service: str, tmp_path: Path
) -> None:
    code, report = await run_schemathesis(
        deployment.base_url, DOCUMENTS / f"{service}.json", "Accept-Language: en", tmp_path
    )
    assert code == 0, report


async def run_schemathesis(base_url: str, document: Path, header: str, folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", base_url, "-H", header),
        *("--checks", CHECKS, "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing", "--seed", "441602"),
        *("--exclude-path-regex", "^/(health|ready)$", "--warnings", "off", "--no-color", "--workers", "1"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 600)
    assert process.returncode is not None
    return process.returncode, output.decode()[-12_000:]
