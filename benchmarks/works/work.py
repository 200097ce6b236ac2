"""What a piece of work has to tell so that it can be measured."""

from collections.abc import Iterator
from typing import Any, Protocol
from uuid import UUID

import msgspec

from benchmarks.district import District
from benchmarks.limit import Statement
from services.chassis.commands import CommandAnswer


class Work(Protocol):
    """One kind of request. Requests are counted from 0 in every measurement, and each number is another request."""

    name: str
    service: str
    """Which service does it."""
    grows: bool
    """Whether its cost may depend on the number of orders."""

    async def prepare(self, district: District, requests: int) -> None:
        """Bring the district to where every measurement begins, with enough in it for so many requests."""

    async def statement(self, district: District) -> Statement:
        """What the service sends to Postgres for one request."""

    def requests(self, district: District) -> Iterator[bytes]:
        """The requests, as bytes on the wire; ends when what was prepared is used up."""


class Recorder:
    """Stands where a service keeps its SQL command, and remembers what the service sends instead of sending it."""

    def __init__(self) -> None:
        self.sent = ""

    async def __call__(self, tenant_id: UUID, command: Any) -> CommandAnswer:
        self.sent = msgspec.json.encode(command, enc_hook=str).decode()
        return CommandAnswer(200, "{}", False)
