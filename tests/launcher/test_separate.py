"""What each process of `separate` is told."""

import socket
from pathlib import Path

import pytest

from launcher.children import Child
from launcher.product import Product
from launcher.separate import children
from launcher.single import SERVICES

SECRETS = {"LINLI_SIGNING_KEYS": "[]", "LINLI_REFRESH_SECRET": "demo-1", "LINLI_WECHAT_APP_SECRET": "demo-2"}


@pytest.fixture
def processes(tmp_path: Path) -> dict[str, Child]:
    with socket.socket() as listener:
        product = Product(
            tmp_path, listener, "http://127.0.0.1:8000", {"PORT": "8000", **SECRETS}, has_demo_people=True
        )
        services, gateway = children(product)
    return {child.name: child for child in (*services, gateway)}


def test_there_is_one_per_service_and_the_gateway(processes: dict[str, Child]) -> None:
    assert processes.keys() == {*SERVICES, "gateway"}


def test_only_identity_gets_the_secrets(processes: dict[str, Child]) -> None:
    told = {name: SECRETS.keys() & child.environment.keys() for name, child in processes.items()}

    assert told.pop("identity") == SECRETS.keys()
    assert set().union(*told.values()) == set()


def test_everybody_knows_where_the_others_are(processes: dict[str, Child]) -> None:
    addresses = [processes["gateway"].environment[f"{name.upper()}_URL"] for name in SERVICES]

    assert all(address.startswith("unix:") for address in addresses)
    assert len(set(addresses)) == len(SERVICES)
    for child in processes.values():
        assert child.environment["PORT"] == "8000"
