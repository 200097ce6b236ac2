"""Everything that changes the ledger, one function per verb. Each is one transaction: one call of a SQL command."""

from uuid import UUID

import msgspec

from models.points import Asset, LedgerAccountKind, TransactionKind
from services.chassis.commands import CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import Problem
from services.chassis.idempotency import RequestKey
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.points.ledger import policy, queries
from services.points.ledger.posting import BulkCommand, LedgerCommands, Leg, PostCommand, issue, post_command
from services.points.ledger.schemas import Award, BulkBody, Conversion, Reversal, TransactionBody, Transfer


class CommunityNotFound(Problem):
    status = 404
    code = "community_not_found"
    zh = "未找到该社区。"
    en = "There is no such community."


class PointsAccountNotFound(Problem):
    """A merchant or an escrow that has not been opened, or not in an area of the caller."""

    status = 404
    code = "points_account_not_found"
    zh = "未找到该商户或专户。"
    en = "There is no such merchant or escrow account."


class PostingNotFound(Problem):
    status = 404
    code = "posting_not_found"
    zh = "未找到该笔记账。"
    en = "There is no such transaction."


class OwnPoints(Problem):
    status = 403
    code = "own_points"
    zh = "不能给自己记积分，请由另一位积分管理员操作。"
    en = "Nobody books their own points; another clerk can."


class SecondPersonNeeded(Problem):
    status = 403
    code = "second_person_needed"
    zh = "数额达到双人复核标准，请提交复核（/v1/points/proposals）。"
    en = "So much needs a second person: make it a proposal (/v1/points/proposals)."


class RecipientNotAMember(Problem):
    status = 422
    code = "recipient_not_a_member"
    zh = "该账号不属于本区。"
    en = "The recipient does not belong to this district."


class EffectiveInFuture(Problem):
    status = 422
    code = "effective_in_future"
    zh = "发生时间不能在将来。"
    en = "What is booked has happened: effective_at lies in the future."


class ImportUnderWay(Problem):
    """Nothing is booked until the books that are being imported are complete. Not remembered: try again then."""

    status = 409
    code = "import_under_way"
    zh = "账本正在导入，请稍后再试。"
    en = "The books are being imported; try again when that is done."


class TransfersNotAllowed(Problem):
    status = 403
    code = "transfers_not_allowed"
    zh = "本区未开放转赠。"
    en = "This district does not let members transfer."


class NotConvertible(Problem):
    status = 409
    code = "not_convertible"
    zh = "本区未设定服务时长与积分的换算规则。"
    en = "This district has no rule to turn service minutes into points."


class NotReversible(Problem):
    """A reversal is not taken back, nor is an expiry."""

    status = 409
    code = "not_reversible"
    zh = "该类记账不可冲正。"
    en = "A transaction of this kind is not taken back."


class AlreadyReversed(Problem):
    """`reversed_by` is the transaction that did it."""

    status = 409
    code = "already_reversed"
    zh = "该笔记账已冲正。"
    en = "The transaction has been taken back already."


class BulkRefused(Problem):
    """All or nothing: nothing was posted. `results` lists those that were refused (index, status, code)."""

    status = 409
    code = "bulk_refused"
    zh = "有 {refused} 笔被拒绝，本批次均未记账。"
    en = "{refused} were refused, so nothing was posted."


class ReverseCommand(msgspec.Struct, kw_only=True):
    """What `ledger_reverse` takes."""

    id: UUID
    transaction_id: UUID
    reason: str
    account: UUID
    issuer_areas: list[UUID]
    idempotency_key: str
    request_hash: str


async def award_points(commands: LedgerCommands, caller: Identity, once: RequestKey, body: Award) -> CommandAnswer:
    """Points of a community to a person, by a clerk. The posting as JSON, after it has been committed."""
    command = post_command(
        issue(body.amount, community_id=body.community_id, account_id=body.account_id, asset=body.asset),
        kind=TransactionKind.AWARD,
        reason=body.reason,
        account=caller.account_id,
        issuer_areas=caller.areas_as(policy.ISSUING_ROLES),
        once=once,
    )
    return await commands.post(caller.tenant_id, command)


async def post_transaction(
    commands: LedgerCommands, caller: Identity, once: RequestKey, body: TransactionBody
) -> CommandAnswer:
    """Any transaction a clerk may write. The posting as JSON, after it has been committed."""
    return await commands.post(caller.tenant_id, _clerks_command(caller, body, once))


async def post_transactions(
    commands: LedgerCommands, caller: Identity, once: RequestKey, body: BulkBody
) -> CommandAnswer:
    """Many at once, under one key. What became of each as JSON, after it has been committed."""
    command = BulkCommand(
        account=caller.account_id,
        idempotency_key=once.key,
        request_hash=once.request_hash.hex(),
        mode=body.mode,
        transactions=[_clerks_command(caller, transaction, None) for transaction in body.transactions],
    )
    return await commands.post_bulk(caller.tenant_id, command)


def _clerks_command(caller: Identity, body: TransactionBody, once: RequestKey | None) -> PostCommand:
    return post_command(
        [Leg(leg.account_kind, leg.owner_id, leg.amount, leg.asset) for leg in body.legs],
        kind=body.kind,
        source=None if body.source is None else (body.source.kind, body.source.id),
        reason=body.reason,
        effective_at=body.effective_at,
        details=dict(body.metadata),
        account=caller.account_id,
        issuer_areas=caller.areas_as(policy.ISSUING_ROLES),
        once=once,
    )


async def transfer_points(
    commands: LedgerCommands, caller: Identity, once: RequestKey, body: Transfer
) -> CommandAnswer:
    """The caller's own points to somebody else, where the district lets members do so."""
    command = post_command(
        [
            Leg(LedgerAccountKind.MEMBER, caller.account_id, -body.amount, body.asset),
            Leg(LedgerAccountKind.MEMBER, body.to_account_id, body.amount, body.asset),
        ],
        kind=TransactionKind.TRANSFER,
        reason=body.reason,
        account=caller.account_id,
        is_gift=True,
        once=once,
    )
    return await commands.post(caller.tenant_id, command)


async def convert_minutes(
    database: Database, commands: LedgerCommands, caller: Identity, once: RequestKey, body: Conversion
) -> CommandAnswer:
    """The caller's service minutes into points at the rate in force, which the transaction names."""
    rate = await queries.conversion_rate(database, caller.tenant_id)
    minutes = body.points * (rate.minutes_per_point or 1)  # without a rate the command refuses
    command = post_command(
        [
            Leg(LedgerAccountKind.MEMBER, caller.account_id, -minutes, Asset.MINUTES),
            Leg(LedgerAccountKind.ISSUING_COMMUNITY, body.community_id, minutes, Asset.MINUTES),
            *issue(body.points, community_id=body.community_id, account_id=caller.account_id),
        ],
        kind=TransactionKind.CONVERSION,
        reason=f"{minutes} 分钟兑换 {body.points} 积分",
        details={"minutes_per_point": rate.minutes_per_point, "settings_version": rate.version},
        account=caller.account_id,
        once=once,
    )
    return await commands.post(caller.tenant_id, command)


async def reverse_posting(
    commands: LedgerCommands, caller: Identity, once: RequestKey, posting_id: UUID, body: Reversal
) -> CommandAnswer:
    """Takes a transaction back. The reversal as JSON, after it has been committed."""
    command = ReverseCommand(
        id=new_id(),
        transaction_id=posting_id,
        reason=body.reason,
        account=caller.account_id,
        issuer_areas=caller.areas_as(policy.ISSUING_ROLES),
        idempotency_key=once.key,
        request_hash=once.request_hash.hex(),
    )
    return await commands.reverse(caller.tenant_id, command)
