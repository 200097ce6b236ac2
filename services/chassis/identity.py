"""Who is calling: the claims of the token, and what the database says of the person now."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from models.identity import Role
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.errors import InvalidToken, Unauthenticated
from services.chassis.tokens import Claims, TokenVerifier, bearer_token

REMEMBERED_SECONDS = 15.0
"""How long a sign-in, a membership or a grant may have ended before every process knows (a minute is promised)."""
REMEMBERED_IDENTITIES = 20_000


@dataclass(frozen=True, slots=True)
class AreaGrant:
    """A role in an area and everything below it, for a term."""

    role: Role
    area_id: UUID
    valid_from: datetime
    valid_to: datetime | None

    def is_in_force(self, moment: datetime) -> bool:
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller, in the one tenant they signed in to."""

    account_id: UUID
    tenant_id: UUID
    session_id: UUID
    name: str
    resident_id: UUID | None
    """The row of `residents` this account is, if it is linked to one."""
    grants: tuple[AreaGrant, ...]

    def areas_as(self, roles: Collection[Role]) -> list[UUID]:
        """The areas in whose subtrees the caller holds one of these roles now."""
        moment = clock.now()
        held = (grant.area_id for grant in self.grants if grant.role in roles and grant.is_in_force(moment))
        return list(dict.fromkeys(held))

    def is_one_of(self, roles: Collection[Role], ancestor_ids: Collection[UUID]) -> bool:
        """Whether the caller holds one of these roles over an area, given by its `ancestor_ids`."""
        return any(area_id in ancestor_ids for area_id in self.areas_as(roles))


class Identities:
    """Turns claims into identities, remembering each for a few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: OrderedDict[UUID, tuple[float, Identity]] = OrderedDict()
        self._loading: dict[UUID, asyncio.Task[Identity]] = {}

    async def of(self, claims: Claims) -> Identity:
        """Raises InvalidToken when the sign-in or the membership has ended."""
        remembered = self._remembered.get(claims.session_id)
        if remembered is not None and time.monotonic() < remembered[0]:
            return remembered[1]
        loading = self._loading.get(claims.session_id)
        if loading is None:
            loading = asyncio.create_task(self._load(claims))
            self._loading[claims.session_id] = loading
            loading.add_done_callback(lambda _: self._loading.pop(claims.session_id, None))
        return await asyncio.shield(loading)

    def forget(self) -> None:
        """Everything is asked for again."""
        self._remembered.clear()

    async def _load(self, claims: Claims) -> Identity:
        async with self._database.hot_transaction(claims.tenant_id) as connection:
            person = await connection.fetchrow(_PERSON, claims.session_id, claims.account_id, claims.tenant_id)
            if person is None:
                self._remembered.pop(claims.session_id, None)
                raise InvalidToken
            grants = await connection.fetch(_GRANTS, claims.tenant_id, claims.account_id)
        identity = Identity(
            account_id=claims.account_id,
            tenant_id=claims.tenant_id,
            session_id=claims.session_id,
            name=person["name"],
            resident_id=person["resident_id"],
            grants=tuple(AreaGrant(Role(g["role"]), g["area_id"], g["valid_from"], g["valid_to"]) for g in grants),
        )
        self._remembered[claims.session_id] = (time.monotonic() + REMEMBERED_SECONDS, identity)
        if len(self._remembered) > REMEMBERED_IDENTITIES:
            self._remembered.popitem(last=False)
        return identity


_PERSON = """
SELECT a.name, r.id AS resident_id
FROM sessions s
JOIN accounts a ON a.id = s.account_id AND a.suspended_at IS NULL
JOIN memberships m ON m.tenant_id = s.tenant_id AND m.account_id = s.account_id AND m.ended_at IS NULL
LEFT JOIN residents r ON r.tenant_id = m.tenant_id AND r.account_id = m.account_id
WHERE s.id = $1 AND s.account_id = $2 AND s.tenant_id = $3 AND s.ended_at IS NULL
"""
_GRANTS = """
SELECT role, area_id, valid_from, valid_to FROM grants
WHERE tenant_id = $1 AND account_id = $2 AND (valid_to IS NULL OR valid_to > now())
"""


async def identify(request: Request) -> Identity:
    """The caller of this request. The gateway in the same process has verified the token already."""
    caller: Identity | None = request.scope.get("linli.caller")
    if caller is None:
        claims = request.scope.get("linli.claims") or await _claims_of(request)
        identities: Identities = request.app.state.identities
        caller = request.scope["linli.caller"] = await identities.of(claims)
    return caller


async def _claims_of(request: Request) -> Claims:
    token = bearer_token(request.headers.get("authorization", ""))
    if token is None:
        raise Unauthenticated
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(token)


_bearer: Any = HTTPBearer(scheme_name="AccessToken", bearerFormat="JWT", auto_error=False)


async def _caller(request: Request, _: Annotated[Any, Depends(_bearer)]) -> Identity:
    return await identify(request)


Caller = Annotated[Identity, Depends(_caller)]
"""The signed-in person. A route that takes it refuses everybody else with 401."""
