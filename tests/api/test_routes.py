"""Which service answers which public prefix."""

import pytest

from api.routes import ROUTES, SERVICES, prefix_of


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


def test_every_service_has_a_prefix() -> None:
    assert SERVICES == {"identity", "grid", "orders", "points"}


def test_prefixes_are_written_as_paths_begin() -> None:
    assert all(prefix.startswith("/") and not prefix.endswith("/") for prefix in ROUTES)
