"""Ledger posting: a points clerk awards points of the community to a person. Two legs, one key."""

from collections.abc import Iterator
from itertools import count

import msgspec

from benchmarks.district import District
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import post
from benchmarks.numbering import (
    COMMUNITIES,
    FIRST_CLERK,
    FIRST_COMMUNITY,
    PEOPLE,
    PERSON_SQL,
    Family,
    community_of,
    numbered_id,
    numbered_sql,
)
from benchmarks.works.work import ONCE, Overheard, caller_of, command_call
from models.identity import Role
from services.points.ledger import actions
from services.points.ledger.posting import LedgerCommands
from services.points.ledger.schemas import Award

POINTS = 5
REASON = "重阳节敬老志愿服务"


class AwardPoints:
    """POST /v1/points/postings, from every community in turn."""

    name = "ledger"
    service = "points"
    communities = COMMUNITIES
    is_command = True
    grows = False

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        await district.forget_new_postings()

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        return await program.run(await self.sql(district), service=self.service, seconds=seconds)

    async def sql(self, district: District) -> str:
        """The call the service sends."""
        clerk, recipient = district.clerks[0], district.people[0]
        body = Award(account_id=recipient.account_id, community_id=community_of(0), amount=POINTS, reason=REASON)
        commands, ledger_post = LedgerCommands.__new__(LedgerCommands), Overheard()
        commands.post = ledger_post
        await actions.award_points(commands, caller_of(clerk, Role.POINTS_CLERK), ONCE, body)
        return command_call(
            "ledger_post",
            ledger_post.sent,
            {
                msgspec.json.decode(ledger_post.sent)["id"]: numbered_sql(Family.NEW_POSTING, ":n"),
                str(clerk.account_id): numbered_sql(Family.ACCOUNT, f"{FIRST_CLERK} + :n % {self.communities}"),
                str(recipient.account_id): PERSON_SQL,
                str(community_of(0)): numbered_sql(Family.AREA, f"{FIRST_COMMUNITY} + :n % {self.communities}"),
                ONCE.key: "'award-' || :n",
            },
        )

    def requests(self, district: District) -> Iterator[bytes]:
        bodies = [_body(n, n % self.communities) for n in range(PEOPLE)]
        for n in count():
            clerk = district.clerks[n % self.communities]
            yield post("/v1/points/postings", bodies[n % PEOPLE], token=clerk.token, key=f"award-{n}")

    async def done(self, district: District) -> int:
        return await district.new_postings()


class AwardFromOne(AwardPoints):
    """The same, all of it from one community: the fan-in that stripes are for."""

    name = "ledger-hot"
    communities = 1


def _body(number: int, community: int) -> bytes:
    award = {
        "account_id": numbered_id(Family.ACCOUNT, number),
        "community_id": community_of(community),
        "amount": POINTS,
        "reason": REASON,
    }
    return msgspec.json.encode(award)
