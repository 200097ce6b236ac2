"""What a piece of work has to tell so that it can be measured, and how its SQL is overheard."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

import msgspec

from benchmarks.district import Caller, District
from benchmarks.limit import Limit, LimitProgram, pieced
from benchmarks.numbering import DISTRICT, community_of
from models.identity import Role
from services.chassis import clock
from services.chassis.commands import Command, CommandAnswer
from services.chassis.database import Database
from services.chassis.idempotency import RequestKey
from services.chassis.identity import AreaGrant, Identity


class Work(Protocol):
    """One kind of request. Every measurement counts its requests from 0, and each number is another request."""

    name: str
    service: str
    """Which service does it."""
    is_command: bool
    """Whether it writes, and is then taken in batches when many come at once."""
    grows: bool
    """Whether its cost may depend on the number of orders."""

    async def prepare(self, district: District, requests: int) -> None:
        """Bring the district to where every measurement begins, with enough in it for so many requests."""

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        """What can be reached without HTTP and Python."""

    def requests(self, district: District) -> Iterator[bytes]:
        """The requests as they go over the wire. Ends when what was prepared is used up."""

    async def done(self, district: District) -> int | None:
        """How often the work has been done since `prepare`, by the database's account; None if it leaves no trace."""


class Overheard(Command):
    """Stands where a service keeps a SQL command, and remembers what the service sends instead of sending it."""

    def __init__(self) -> None:
        self.sent = ""

    async def __call__(
        self, tenant_id: UUID, command: msgspec.Struct | dict[str, Any], *, locks: UUID | None = None
    ) -> CommandAnswer:
        del tenant_id, locks
        self.sent = msgspec.json.encode(command, enc_hook=str).decode()
        return CommandAnswer(200, "{}", False)


class OverheardDatabase(Database):
    """Stands where a service reads, and remembers the SQL function that is asked and what it is asked.

    The function answers `answer`; a query beside it finds `row`.
    """

    def __init__(self, answer: str = "{}", row: Mapping[str, Any] | None = None) -> None:
        self.asked = ""
        self.sent = ""
        self._answer = answer
        self._row = row

    @property
    def pool(self) -> Any:
        return self

    @asynccontextmanager
    async def hot_transaction(self, tenant_id: UUID) -> AsyncIterator[Any]:
        del tenant_id
        yield self

    async def fetchval(self, query: str, tenant_id: UUID, sent: str) -> str:
        del tenant_id
        self.asked, self.sent = query, sent
        return self._answer

    async def fetchrow(self, *_query: Any) -> Mapping[str, Any] | None:
        return self._row

    def call(self, replaced: Mapping[str, str]) -> str:
        """The same call, with SQL in place of what differs from call to call."""
        return self.asked.replace("$1", f"'{DISTRICT}'").replace("$2", f"({pieced(self.sent, replaced)})::jsonb")


ONCE = RequestKey("the-idempotency-key", bytes(range(32)))
"""The key in what is overheard, to be replaced by one per call."""


def caller_of(caller: Caller, role: Role, *, resident_id: UUID | None = None) -> Identity:
    """A caller of community 0, as a service knows them."""
    grant = AreaGrant(role, community_of(0), clock.now(), None)
    return Identity(caller.account_id, DISTRICT, caller.session_id, "陈志强", resident_id, (grant,))


def command_call(function: str, command: str, replaced: Mapping[str, str]) -> str:
    """The call a service makes for a command, with SQL in place of what differs from call to call."""
    return f"SELECT status, body, replayed FROM {function}('{DISTRICT}', ({pieced(command, replaced)})::jsonb)"
