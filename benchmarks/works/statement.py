"""Statement: a member reads the first page of what came in and went out."""

from collections.abc import Iterator
from itertools import cycle

from benchmarks.district import District
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import get
from benchmarks.numbering import DISTRICT, PERSON_SQL
from services.points.ledger.queries import BEFORE_ALL

PAGE = 20


class ReadStatement:
    """GET /v1/points/statement?limit=20."""

    name = "statement"
    service = "points"
    is_command = False
    grows = False

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        await district.forget_new_postings()

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        del district
        call = f"points_statement('{DISTRICT}', 'member', ({PERSON_SQL})::uuid, 'points', {BEFORE_ALL}, {PAGE})"
        return await program.run(f"SELECT {call}", service=self.service, seconds=seconds)

    def requests(self, district: District) -> Iterator[bytes]:
        return cycle([get(f"/v1/points/statement?limit={PAGE}", token=person.token) for person in district.people])

    async def done(self, district: District) -> None:
        del district
