"""Holds: a member reserves points, and a clerk posts what was reserved. Two works, each with its own key."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec

from benchmarks.district import Caller, District
from benchmarks.district_sql import MOST_HOLDS
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import post
from benchmarks.numbering import (
    COMMUNITIES,
    COMMUNITY_SQL,
    FIRST_CLERK,
    PEOPLE,
    PERSON_SQL,
    Family,
    community_of,
    numbered_id,
    numbered_sql,
)
from benchmarks.works.work import ONCE, Overheard, caller_of, command_call
from models.identity import Role
from models.points import LedgerAccountKind
from services.points.holds import actions
from services.points.holds.schemas import HoldBody, HoldPost
from services.points.ledger.posting import LedgerCommands

REASON = "预定纸巾一包"


class HoldPoints:
    """POST /v1/points/holds."""

    name = "hold"
    service = "points"
    is_command = False
    grows = False

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        await district.forget_new_postings()

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        return await program.run(await self.sql(district), service=self.service, seconds=seconds)

    async def sql(self, district: District) -> str:
        """The call the service sends."""
        member = district.people[0]
        commands, sent = _overheard("hold")
        await actions.hold_points(commands, caller_of(member, Role.MEMBER), ONCE, HoldBody(**_hold(member, 0)))
        return command_call(
            "ledger_hold",
            sent.sent,
            {
                msgspec.json.decode(sent.sent)["id"]: numbered_sql(Family.HOLD, ":n"),
                str(member.account_id): PERSON_SQL,
                str(community_of(0)): COMMUNITY_SQL,
                ONCE.key: "'hold-' || :n",
            },
        )

    def requests(self, district: District) -> Iterator[bytes]:
        bodies = [msgspec.json.encode(_hold(person, n)) for n, person in enumerate(district.people)]
        for n in count():
            person = district.people[n % PEOPLE]
            yield post("/v1/points/holds", bodies[n % PEOPLE], token=person.token, key=f"hold-{n}")

    async def done(self, district: District) -> int:
        return await district.open_holds()


class PostHold:
    """POST /v1/points/holds/{id}/post."""

    name = "hold-post"
    service = "points"
    is_command = False
    grows = False

    async def prepare(self, district: District, requests: int) -> None:
        await district.forget_new_postings()
        await district.add_holds(requests)

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        return await program.run(await self.sql(district), service=self.service, seconds=seconds)

    async def sql(self, district: District) -> str:
        """The call the service sends."""
        clerk, hold_id = district.clerks[0], numbered_id(Family.HOLD, 0)
        commands, sent = _overheard("hold_end")
        await actions.post_hold(commands, caller_of(clerk, Role.POINTS_CLERK), ONCE, hold_id, HoldPost())
        return command_call(
            "ledger_hold_end",
            sent.sent,
            {
                msgspec.json.decode(sent.sent)["id"]: numbered_sql(Family.NEW_POSTING, ":n"),
                str(hold_id): numbered_sql(Family.HOLD, ":n"),
                str(clerk.account_id): numbered_sql(Family.ACCOUNT, f"{FIRST_CLERK} + :n % {COMMUNITIES}"),
                str(community_of(0)): COMMUNITY_SQL,
                ONCE.key: "'post-' || :n",
            },
        )

    def requests(self, district: District) -> Iterator[bytes]:
        for n in range(MOST_HOLDS):
            clerk = district.clerks[n % COMMUNITIES]
            path = f"/v1/points/holds/{numbered_id(Family.HOLD, n)}/post"
            yield post(path, b"{}", token=clerk.token, key=f"post-{n}")

    async def done(self, district: District) -> int:
        return await district.new_postings()


def _overheard(command: str) -> tuple[LedgerCommands, Overheard]:
    commands, sent = LedgerCommands.__new__(LedgerCommands), Overheard()
    setattr(commands, command, sent)
    return commands, sent


def _hold(person: Caller, number: int) -> dict[str, Any]:
    return {
        "account_id": person.account_id,
        "amount": 1,
        "to_account_kind": LedgerAccountKind.ISSUING_COMMUNITY,
        "to_owner_id": community_of(number),
        "reason": REASON,
    }
