"""Which service answers which public prefix."""

from collections.abc import Mapping
from typing import Final

ROUTES: Final[Mapping[str, str]] = {
    # public prefix           service
    "/.well-known/jwks.json": "identity",
    "/v1/accounts": "identity",
    "/v1/grants": "identity",
    "/v1/home/identity": "identity",
    "/v1/me": "identity",
    "/v1/sign-in": "identity",
    "/v1/sign-out": "identity",
    "/v1/tokens": "identity",
    "/v1/areas": "grid",
    "/v1/home/grid": "grid",
    "/v1/households": "grid",
    "/v1/posts": "grid",
    "/v1/residents": "grid",
    "/v1/clock-policies": "orders",
    "/v1/clocks": "orders",
    "/v1/dispatch-plans": "orders",
    "/v1/dispatch-policies": "orders",
    "/v1/files": "orders",
    "/v1/home/orders": "orders",
    "/v1/follow-ups": "orders",
    "/v1/helpers": "orders",
    "/v1/lifecycles": "orders",
    "/v1/needs": "orders",
    "/v1/order-kinds": "orders",
    "/v1/orders": "orders",
    "/v1/rate-exclusions": "orders",
    "/v1/rates": "orders",
    "/v1/rates.xlsx": "orders",
    "/v1/recurring-orders": "orders",
    "/v1/resources": "orders",
    "/v1/services": "orders",
    "/v1/units": "orders",
    "/v1/work-calendar": "orders",
    "/v1/home/points": "points",
    "/v1/points": "points",
}

WITHOUT_CALLER: Final = frozenset({"/.well-known/jwks.json", "/v1/sign-in", "/v1/tokens"})
"""Prefixes that ask for no token: one that is sent all the same, expired perhaps, is not looked at."""

HOME: Final = "/v1/home"
"""Where the gateway puts together what services answer under `/v1/home/<service>`."""

UPLOADS: Final = "/v1/files"
"""The one prefix whose bodies may have the size of an upload."""

SERVICES: Final = tuple(dict.fromkeys(ROUTES.values()))
"""In the order in which they start."""

_DEEPEST = max(prefix.count("/") for prefix in ROUTES)


def prefix_of(path: str) -> str | None:
    """The longest public prefix that `path` lies under, or None. Prefixes end where a segment of the path ends."""
    segments = path.split("/", _DEEPEST + 1)[: _DEEPEST + 1]
    while segments:
        if (prefix := "/".join(segments)) in ROUTES:
            return prefix
        segments.pop()
    return None
