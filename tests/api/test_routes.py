"""Which service answers which public prefix."""

import pytest

from api.routes import ROUTES, SERVICES, prefix_of
from openapi.export import service_documents


class TestPrefixOf:
    @pytest.mark.parametrize(
        ("path", "prefix"),
        [
            ("/v1/orders", "/v1/orders"),
            ("/v1/orders/", "/v1/orders"),
            ("/v1/orders/7/accept", "/v1/orders"),
            ("/v1/order-kinds", "/v1/order-kinds"),
            ("/v1/sign-in/password", "/v1/sign-in"),
            ("/.well-known/jwks.json", "/.well-known/jwks.json"),
        ],
    )
    def test_is_the_longest_that_ends_with_a_segment(self, path: str, prefix: str) -> None:
        assert prefix_of(path) == prefix

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/",
            "/v1",
            "/v1/",
            "/v1/ordersx",
            "/v1/order",
            "/v1//orders",
            "//v1/orders",
            "/V1/orders",
            "/v2/orders",
            "/.well-known",
            "v1/orders",
            "/x" * 30_000,
        ],
    )
    def test_is_none_elsewhere(self, path: str) -> None:
        assert prefix_of(path) is None


@pytest.fixture(scope="module")
def public_paths() -> dict[str, str]:
    """Every path a service says it answers, but for those that each process answers for itself."""
    own = {"/health", "/ready"}
    documents = service_documents()
    return {path: service for service, document in documents.items() for path in document["paths"].keys() - own}


class TestRoutes:
    def test_lead_every_path_to_the_service_that_has_it(self, public_paths: dict[str, str]) -> None:
        assert {path: ROUTES.get(prefix_of(path) or "") for path in public_paths} == public_paths

    def test_have_no_prefix_without_a_path(self, public_paths: dict[str, str]) -> None:
        assert {prefix_of(path) for path in public_paths} == set(ROUTES)


def test_every_service_has_a_prefix() -> None:
    assert SERVICES == ("identity", "grid", "orders", "points")


def test_prefixes_are_written_as_paths_begin() -> None:
    assert all(prefix.startswith("/") and not prefix.endswith("/") for prefix in ROUTES)
