"""Every route knows its caller: walked along the published document, so that a new route cannot be forgotten."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.world import World

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "openapi" / "gateway.json").read_text("utf-8"))

PUBLIC = {
    ("get", "/.well-known/jwks.json"),
    ("get", "/health"),
    ("get", "/ready"),
    ("post", "/v1/sign-in/demo"),
    ("post", "/v1/sign-in/password"),
    ("post", "/v1/sign-in/wechat"),
    ("post", "/v1/tokens/refresh"),
}
"""What may be asked without a token. Nothing else."""

OPERATIONS = [(method, path) for path, item in DOCUMENT["paths"].items() for method in item]
PRIVATE = [operation for operation in OPERATIONS if operation not in PUBLIC and operation != ("get", "/")]


def test_what_is_public_is_written_down() -> None:
    assert set(OPERATIONS) >= PUBLIC
    assert len(PRIVATE) > 20


@pytest.mark.parametrize(("method", "path"), PRIVATE)
async def test_a_stranger_is_asked_to_sign_in(world: World, method: str, path: str) -> None:
    assert DOCUMENT["paths"][path][method]["security"]
    address = path.replace("{number}", "1000000064")
    for name in [part[1:-1] for part in address.split("/") if part.startswith("{")]:
        address = address.replace(f"{{{name}}}", str(uuid4()))
    answer = await world.stranger().request(
        method,
        address,
        headers={"Idempotency-Key": str(uuid4())},
        params={"lng": 114.7, "lat": 23.7, "crs": "wgs84"},
        json={} if method in {"post", "put"} else None,
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), answer.text


@pytest.mark.parametrize(("method", "path"), [operation for operation in PRIVATE if operation[0] == "post"])
def test_every_post_takes_an_idempotency_key(method: str, path: str) -> None:
    headers = [p["name"] for p in DOCUMENT["paths"][path][method].get("parameters", []) if p["in"] == "header"]
    assert "Idempotency-Key" in headers
