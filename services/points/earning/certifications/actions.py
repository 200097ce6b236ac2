"""Certifying service: everyone's minutes, credited by the rule in force, once per person and activity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from models.earning import ServiceSource
from models.points import TransactionKind
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.schemas import new_id
from services.points.earning import records
from services.points.earning.arithmetic import Earned, Service, earned, served_on
from services.points.earning.certifications.schemas import (
    Activity,
    Certification,
    CertificationRead,
    Mode,
    Participant,
    ParticipantResult,
)
from services.points.earning.connection import Connection
from services.points.earning.crediting import legs_of
from services.points.earning.records import Record, Standing
from services.points.earning.rules.queries import Rule, rule_in_force
from services.points.ledger.actions import CommunityNotFound
from services.points.ledger.posting import PostCommand, post_command


class NoRuleInForce(Problem):
    status = 409
    code = "no_rule_in_force"
    zh = "本区尚未启用积分规则。"
    en = "No earning rules are in force in this district."


class ActivityElsewhere(Problem):
    status = 409
    code = "activity_elsewhere"
    zh = "该活动已由另一社区认定。"
    en = "Another community has certified this activity."


class CertificationRefused(Problem):
    """Nobody was certified. `results` says of each what stood in the way."""

    status = 409
    code = "certification_refused"
    zh = "{refused}人不能认定，本次未认定任何人。"
    en = "{refused} of the participants cannot be certified, so nobody was."


@dataclass(frozen=True, slots=True)
class Booking:
    """Who certifies, for communities in which areas, and the second person where there is one."""

    account_id: UUID
    areas: Sequence[UUID]
    approved_by: UUID | None = None


@dataclass(slots=True)
class _Case:
    """One participant on the way to a result."""

    participant: Participant
    refusal: str | None = None
    due: Earned | None = None
    sequence: int = 0
    posting_id: UUID | None = None

    @property
    def account_id(self) -> UUID:
        return self.participant.account_id


async def certify(connection: Connection, tenant_id: UUID, body: Certification, by: Booking) -> CertificationRead:
    """Credits points and minutes to each participant, with service records, in the connection's transaction.

    Raises Forbidden, CommunityNotFound, NoRuleInForce, ActivityElsewhere; and CertificationRefused, for which the
    caller rolls back.
    """
    await check_community(connection, tenant_id, body.community_id, by.areas)
    moment = clock.now()
    rule = await rule_in_force(connection, tenant_id, moment)
    if rule is None:
        raise NoRuleInForce
    activity = body.activity.model_copy(update={"id": body.activity.id or new_id()})
    cases = [_Case(participant) for participant in body.participants]
    await records.lock_people(connection, tenant_id, [case.account_id for case in cases])
    await _refuse_who_cannot_be(connection, tenant_id, body.community_id, activity, cases, by, moment)
    await _work_out(connection, tenant_id, rule, activity, cases, moment)
    commands = {
        case.account_id: _command(body.community_id, activity, case, rule, by, moment)
        for case in cases
        if case.due and (case.due.points or case.due.minutes)
    }
    await _post(connection, tenant_id, cases, commands)
    result = _result(activity, rule, moment, cases)
    if result.refused and body.mode is Mode.ALL_OR_NOTHING:
        raise CertificationRefused(
            refused=result.refused, results=[line.model_dump(mode="json") for line in result.results]
        )
    certified = [_record(body.community_id, activity, case, rule, by, moment) for case in cases if not case.refusal]
    await records.insert(connection, tenant_id, certified)
    return result


async def check_community(connection: Connection, tenant_id: UUID, community_id: UUID, areas: Sequence[UUID]) -> None:
    """Raises Forbidden without any area, CommunityNotFound unless it is a community in one of them."""
    if not areas:
        raise Forbidden
    if not await connection.fetchval(_IS_COMMUNITY, tenant_id, community_id, areas):
        raise CommunityNotFound


_IS_COMMUNITY = """
SELECT true FROM areas
WHERE tenant_id = $1 AND id = $2 AND community_id = id AND valid_to IS NULL AND ancestor_ids && $3::uuid[]
"""


async def _refuse_who_cannot_be(
    connection: Connection,
    tenant_id: UUID,
    community_id: UUID,
    activity: Activity,
    cases: Sequence[_Case],
    by: Booking,
    moment: datetime,
) -> None:
    """Also raises ActivityElsewhere."""
    assert activity.id is not None
    people = [case.account_id for case in cases]
    if await connection.fetchval(_ELSEWHERE, tenant_id, activity.id, community_id):
        raise ActivityElsewhere
    members = {row["account_id"] for row in await connection.fetch(_MEMBERS, tenant_id, people)}
    again = await records.recorded_people(connection, tenant_id, ServiceSource.SERVICE_CERTIFIED, activity.id, people)
    for case in cases:
        if case.account_id in {by.account_id, by.approved_by}:
            case.refusal = "own_points"
        elif case.account_id not in members:
            case.refusal = "recipient_not_a_member"
        elif case.account_id in again:
            case.refusal = "already_certified"
        elif case.participant.end > moment:
            case.refusal = "not_over_yet"


_ELSEWHERE = """
SELECT true FROM service_records
WHERE tenant_id = $1 AND source_kind = 'service_certified' AND source_id = $2 AND community_id <> $3
LIMIT 1
"""
_MEMBERS = """
SELECT account_id FROM memberships WHERE tenant_id = $1 AND account_id = ANY ($2::uuid[]) AND ended_at IS NULL
"""


async def _work_out(
    connection: Connection, tenant_id: UUID, rule: Rule, activity: Activity, cases: Sequence[_Case], moment: datetime
) -> None:
    services = [(case.account_id, served_on(case.participant.end, moment)) for case in cases if not case.refusal]
    standings: Mapping[UUID, Standing] = await records.standings(connection, tenant_id, services)
    for case in cases:
        if not case.refusal:
            standing = standings[case.account_id]
            service = Service(activity.service_kind, False, case.participant.service_minutes)
            case.due = earned(rule.terms, service, standing.used)
            case.sequence = standing.next_sequence


def _command(
    community_id: UUID, activity: Activity, case: _Case, rule: Rule, by: Booking, moment: datetime
) -> PostCommand:
    assert case.due is not None
    return post_command(
        legs_of(case.due, community_id=community_id, account_id=case.account_id),
        kind=TransactionKind.SERVICE,
        source=(ServiceSource.SERVICE_CERTIFIED.value, f"{activity.id}:{case.account_id}"),
        reason=f"{activity.name} 志愿服务{case.participant.service_minutes}分钟",
        effective_at=moment,
        details={"rule_version": rule.version, "activity_id": activity.id, **case.due.details},
        account=by.account_id,
        issuer_areas=list(by.areas),
        approved_by=by.approved_by,
    )


async def _post(
    connection: Connection, tenant_id: UUID, cases: Sequence[_Case], commands: Mapping[UUID, PostCommand]
) -> None:
    """All in one call, which takes the ledger's locks in its order. What is refused does not spoil the others."""
    posted = [case for case in cases if case.account_id in commands]
    payloads = [msgspec.json.encode(commands[case.account_id], enc_hook=str).decode() for case in posted]
    rows = await connection.fetch(_POST, [tenant_id] * len(posted), payloads) if posted else []
    for case, row in zip(posted, rows, strict=True):
        answer: dict[str, Any] = msgspec.json.decode(row["body"])
        if row["status"] >= 400:
            case.refusal = answer["code"]
        elif row["replayed"]:
            case.refusal = "already_certified"
        else:
            case.posting_id = UUID(answer["id"])


_POST = """
SELECT b.status, b.body, b.replayed
FROM ledger_post_batch($1::uuid[], $2::jsonb[]) WITH ORDINALITY AS b (status, body, replayed, place)
ORDER BY b.place
"""


def _result(activity: Activity, rule: Rule, moment: datetime, cases: Sequence[_Case]) -> CertificationRead:
    assert activity.id is not None
    refused = sum(case.refusal is not None for case in cases)
    return CertificationRead(
        activity_id=activity.id,
        rule_version=rule.version,
        certified_at=moment,
        certified=len(cases) - refused,
        refused=refused,
        results=[_line(case) for case in cases],
    )


def _line(case: _Case) -> ParticipantResult:
    minutes = case.participant.service_minutes
    if case.refusal or case.due is None:
        return ParticipantResult(account_id=case.account_id, minutes=minutes, code=case.refusal)
    return ParticipantResult(
        account_id=case.account_id,
        minutes=minutes,
        points=case.due.points,
        minutes_credited=case.due.minutes,
        sum=case.due.sum,
        posting_id=case.posting_id,
    )


def _record(community_id: UUID, activity: Activity, case: _Case, rule: Rule, by: Booking, moment: datetime) -> Record:
    assert activity.id is not None
    assert case.due is not None
    return Record(
        id=new_id(),
        account_id=case.account_id,
        sequence=case.sequence,
        source_kind=ServiceSource.SERVICE_CERTIFIED,
        source_id=activity.id,
        activity_name=activity.name,
        service_kind=activity.service_kind,
        community_id=community_id,
        began_at=case.participant.began_at,
        ended_at=case.participant.end,
        minutes=case.participant.service_minutes,
        served_on=served_on(case.participant.end, moment),
        stars=None,
        solved=None,
        judged_at=moment,
        recorded_by=by.account_id,
        approved_by=by.approved_by,
        rule_version=rule.version,
        points=case.due.points,
        minutes_credited=case.due.minutes,
        details=case.due.details,
        transaction_id=case.posting_id,
    )
