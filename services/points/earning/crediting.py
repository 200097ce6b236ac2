"""Credits for rated orders: by the rule in force, within its limits, once, and never in the way of the next event."""

from datetime import datetime
from uuid import UUID

import msgspec

from models.earning import ServiceSource
from models.points import Asset, TransactionKind
from services.chassis.errors import Problem
from services.chassis.schemas import new_id
from services.events import OrderRated
from services.points.earning import records
from services.points.earning.arithmetic import CutBy, Earned, NothingBecause, Service, earned, served_on
from services.points.earning.connection import Connection
from services.points.earning.records import Record
from services.points.earning.rules.queries import Rule, rule_in_force
from services.points.ledger.posting import Leg, PostCommand, issue, post_command, post_within

PRAISE = 4
"""From so many stars on, a rating is praise."""
ATTEMPTS = 3
CUTS = {"balance_cap_reached": CutBy.BALANCE_CAP, "account_closed": CutBy.ACCOUNT_CLOSED}
"""Refusals of the ledger that no later delivery would change: what fits is credited, and the record says the rest."""


async def credit_order(connection: Connection, tenant_id: UUID, rated: OrderRated) -> None:
    """Points (and service minutes) of the order's community to who did it, with a service record.

    Runs in the connection's transaction and commits nothing. However often it is called for one order, in whatever
    processes at once, the order is credited once: its service record is unique, and so is the transaction's source.
    """
    who = rated.assignee_id
    await records.lock_people(connection, tenant_id, [who])
    if await records.recorded_people(connection, tenant_id, ServiceSource.ORDER_RATED, rated.order_id, [who]):
        return
    rule = await rule_in_force(connection, tenant_id, rated.rated_at)
    day = served_on(rated.ended_at, rated.rated_at)
    standing = (await records.standings(connection, tenant_id, [(who, day)]))[who]
    service = Service(rated.order_kind, True, rated.minutes, rated.stars, rated.solved)
    due = earned(rule.terms, service, standing.used) if rule else NO_RULE_AT_ALL
    credited, transaction_id = await _post_what_fits(connection, tenant_id, rated, rule, due)
    record = Record(
        id=new_id(),
        account_id=who,
        sequence=standing.next_sequence,
        source_kind=ServiceSource.ORDER_RATED,
        source_id=rated.order_id,
        activity_name=None,
        service_kind=rated.order_kind,
        community_id=rated.community_id,
        began_at=_not_after(rated.began_at, rated.ended_at),
        ended_at=rated.ended_at,
        minutes=rated.minutes,
        served_on=day,
        stars=rated.stars,
        solved=rated.solved,
        judged_at=rated.rated_at,
        recorded_by=None,
        approved_by=None,
        rule_version=rule.version if rule else None,
        points=credited.points,
        minutes_credited=credited.minutes,
        details=credited.details,
        transaction_id=transaction_id,
    )
    await records.insert(connection, tenant_id, [record])


def _not_after(began_at: datetime | None, ended_at: datetime | None) -> datetime | None:
    """The clocks of two processes may differ a little; a service does not end before it begins."""
    return min(began_at, ended_at) if began_at and ended_at else began_at


NO_RULE_AT_ALL = Earned(0, 0, "当时没有生效的积分规则", nothing_because=NothingBecause.NO_RULE)


async def _post_what_fits(
    connection: Connection, tenant_id: UUID, rated: OrderRated, rule: Rule | None, due: Earned
) -> tuple[Earned, UUID | None]:
    """What was credited, and the transaction that did it, if anything was."""
    for _ in range(ATTEMPTS):
        if rule is None or due.points == due.minutes == 0:
            return due, None
        try:
            answer = await post_within(connection, tenant_id, _order_command(rated, rule, due))
        except Problem as refusal:
            if refusal.code not in CUTS:
                raise
            cut_by = CUTS[refusal.code]
            due = await _cut(connection, tenant_id, rated.assignee_id, due, cut_by)
        else:
            return (
                (due.cut_to(0, 0, CutBy.BOOKED_BEFORE), None) if answer.replayed else (due, posting_id_of(answer.body))
            )
    return due.cut_to(0, 0, cut_by), None  # others fill the account meanwhile, or it is the community's that is closed


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


def _order_command(rated: OrderRated, rule: Rule, due: Earned) -> PostCommand:
    return post_command(
        legs_of(due, community_id=rated.community_id, account_id=rated.assignee_id),
        kind=TransactionKind.REWARD,
        source=(ServiceSource.ORDER_RATED.value, str(rated.order_id)),
        reason=reward_reason(rated.order_kind_name, rated.stars),
        effective_at=rated.rated_at,
        details={"rule_version": rule.version, **due.details},
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
