"""Credits for rated orders: by the rule in force, within its limits, once, and never in the way of the next event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from models.earning import ServiceSource
from models.points import Asset, TransactionKind
from services.chassis.idempotency import refusal
from services.chassis.schemas import new_id
from services.events import OrderRated
from services.points.earning import records
from services.points.earning.arithmetic import CutBy, Earned, NothingBecause, Service, earned, served_on
from services.points.earning.connection import Connection
from services.points.earning.records import Record, Standing
from services.points.earning.rules.queries import Rule, rule_in_force
from services.points.ledger.posting import Leg, PostCommand, issue, post_command

PRAISE = 4
"""From so many stars on, a rating is praise."""
ATTEMPTS = 3
CUTS = {"balance_cap_reached": CutBy.BALANCE_CAP, "account_closed": CutBy.ACCOUNT_CLOSED}
"""Refusals of the ledger that no later delivery would change: what fits is credited, and the record says the rest."""


@dataclass(slots=True)
class _Share:
    """What one person did of the order, and what becomes of it."""

    account_id: UUID
    minutes: int | None
    source_id: str
    """Of the posting: of the first lead the order alone, as a clerk would book it by hand."""
    due: Earned
    transaction_id: UUID | None = None


async def credit_order(connection: Connection, tenant_id: UUID, rated: OrderRated) -> None:
    """Points (and service minutes) of the order's community to everybody who did it, each with a service record.

    Lead and assisting helpers earn by the same rule, each by their own minutes and within their own limits. Runs in the
    connection's transaction and commits nothing. However often it is called for one order, in whatever processes at
    once, and however often the order is rated again: each person is credited once. Their service record is unique, and
    so is the transaction's source.
    """
    minutes = _minutes_by_person(rated)
    # Of the order too: the ratings of one order, should there be several, are credited one after the other.
    await records.lock_people(connection, tenant_id, [rated.order_id, *minutes])
    before = await records.people_of(connection, tenant_id, ServiceSource.ORDER_RATED, rated.order_id)
    people = [who for who in minutes if who not in before]
    if not people:
        return
    rule = await rule_in_force(connection, tenant_id, rated.rated_at)
    day = served_on(rated.ended_at, rated.rated_at)
    standings = await records.standings(connection, tenant_id, [(who, day) for who in people])
    shares = [
        _Share(
            who,
            minutes[who],
            str(rated.order_id) if who == rated.assignee_id and not before else f"{rated.order_id}:{who}",
            _due(rule, rated, minutes[who], standings[who]),
        )
        for who in people
    ]
    await _post_what_fits(connection, tenant_id, rated, rule, shares)
    rows = (_record(rated, share, standings[share.account_id], rule, day) for share in shares)
    await records.insert(connection, tenant_id, rows)


def _minutes_by_person(rated: OrderRated) -> dict[UUID, int | None]:
    """The lead first. Nobody earns twice, whatever the event says of them."""
    assisting = {helper.account_id: helper.minutes for helper in rated.helpers}
    return {rated.assignee_id: rated.minutes} | {
        who: minutes for who, minutes in assisting.items() if who != rated.assignee_id
    }


NO_RULE_AT_ALL = Earned(0, 0, "当时没有生效的积分规则", nothing_because=NothingBecause.NO_RULE)


def _due(rule: Rule | None, rated: OrderRated, minutes: int | None, standing: Standing) -> Earned:
    if rule is None:
        return NO_RULE_AT_ALL
    return earned(rule.terms, Service(rated.order_kind, True, minutes, rated.stars, rated.solved), standing.used)


def _record(rated: OrderRated, share: _Share, standing: Standing, rule: Rule | None, day: date) -> Record:
    return Record(
        id=new_id(),
        account_id=share.account_id,
        sequence=standing.next_sequence,
        source_kind=ServiceSource.ORDER_RATED,
        source_id=rated.order_id,
        activity_name=None,
        service_kind=rated.order_kind,
        community_id=rated.community_id,
        began_at=_not_after(rated.began_at, rated.ended_at),
        ended_at=rated.ended_at,
        minutes=share.minutes,
        served_on=day,
        stars=rated.stars,
        solved=rated.solved,
        judged_at=rated.rated_at,
        recorded_by=None,
        approved_by=None,
        rule_version=rule.version if rule else None,
        points=share.due.points,
        minutes_credited=share.due.minutes,
        details=share.due.details,
        transaction_id=share.transaction_id,
    )


def _not_after(began_at: datetime | None, ended_at: datetime | None) -> datetime | None:
    """The clocks of two processes may differ a little; a service does not end before it begins."""
    return min(began_at, ended_at) if began_at and ended_at else began_at


async def _post_what_fits(
    connection: Connection, tenant_id: UUID, rated: OrderRated, rule: Rule | None, shares: Sequence[_Share]
) -> None:
    """Settles each share's due, and the transaction that credited it, if anything was."""
    open_shares = [share for share in shares if rule is not None and _earns(share.due)]
    for _ in range(ATTEMPTS):
        if rule is None or not open_shares:
            return
        refused = await _post(connection, tenant_id, rated, rule, open_shares)
        for share, cut_by in refused.values():
            share.due = await _cut(connection, tenant_id, share.account_id, share.due, cut_by)
        open_shares = [share for share, _ in refused.values() if _earns(share.due)]
    for share in open_shares:  # others fill the account meanwhile, or it is the community's that is closed
        share.due = share.due.cut_to(0, 0, refused[share.account_id][1])


def _earns(due: Earned) -> bool:
    return due.points > 0 or due.minutes > 0


async def _post(
    connection: Connection, tenant_id: UUID, rated: OrderRated, rule: Rule, shares: Sequence[_Share]
) -> dict[UUID, tuple[_Share, CutBy]]:
    """By person what was refused for what would not change. All in one call, which takes the ledger's locks in its
    order. Raises the problem of any other refusal.
    """
    commands = [msgspec.json.encode(_order_command(rated, rule, share), enc_hook=str).decode() for share in shares]
    rows = await connection.fetch(_POST, [tenant_id] * len(commands), commands)
    refused: dict[UUID, tuple[_Share, CutBy]] = {}
    for share, row in zip(shares, rows, strict=True):
        if row["status"] >= 400:
            refused[share.account_id] = share, _cut_by(row)
        elif row["replayed"]:
            share.due = share.due.cut_to(0, 0, CutBy.BOOKED_BEFORE)
        else:
            share.transaction_id = posting_id_of(row["body"])
    return refused


def _cut_by(row: Mapping[str, Any]) -> CutBy:
    problem = refusal(row["body"], is_replayed=row["replayed"])
    if problem.code not in CUTS:
        raise problem
    return CUTS[problem.code]


_POST = """
SELECT b.status, b.body, b.replayed
FROM ledger_post_batch($1::uuid[], $2::jsonb[]) WITH ORDINALITY AS b (status, body, replayed, place)
ORDER BY b.place
"""


async def _cut(connection: Connection, tenant_id: UUID, account_id: UUID, due: Earned, by: CutBy) -> Earned:
    rows = await connection.fetch(_ROOM, tenant_id, account_id)
    room = {row["asset"]: max(0, row["room"]) for row in rows if row["room"] is not None}
    return due.cut_to(room.get("points", due.points), room.get("minutes", due.minutes), by)


_ROOM = """
SELECT n.asset, CASE WHEN a.status = 'closed' THEN 0 ELSE s.member_cap - COALESCE(a.balance, 0) END AS room
FROM (VALUES ('points'), ('minutes')) AS n (asset)
CROSS JOIN LATERAL ledger_settings_of($1, n.asset) AS s
LEFT JOIN ledger_accounts a ON a.tenant_id = $1 AND a.kind = 'member' AND a.owner_id = $2 AND a.asset = n.asset
    AND a.stripe = 0
"""


def _order_command(rated: OrderRated, rule: Rule, share: _Share) -> PostCommand:
    return post_command(
        legs_of(share.due, community_id=rated.community_id, account_id=share.account_id),
        kind=TransactionKind.REWARD,
        source=(ServiceSource.ORDER_RATED.value, share.source_id),
        reason=reward_reason(rated.order_kind_name, rated.stars),
        effective_at=rated.rated_at,
        details={"rule_version": rule.version, **share.due.details},
    )


def legs_of(due: Earned, *, community_id: UUID, account_id: UUID) -> list[Leg]:
    """Points and service minutes in one transaction, each summing to zero."""
    amounts = {Asset.POINTS: due.points, Asset.MINUTES: due.minutes}
    return [
        leg
        for asset, amount in amounts.items()
        if amount
        for leg in issue(amount, community_id=community_id, account_id=account_id, asset=asset)
    ]


def posting_id_of(body: str) -> UUID:
    """The id of a transaction as the ledger answers it."""
    return UUID(msgspec.json.decode(body)["id"])


def reward_reason(order_kind_name: str, stars: int) -> str:
    """What the statement says of it, e.g. 代购药品 服务获5星好评."""
    return f"{order_kind_name} 服务获{stars}星{'好评' if stars >= PRAISE else '评价'}".strip()
