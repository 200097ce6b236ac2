"""Everything that changes holds, one function per verb. Each is one transaction: one call of a SQL command."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from models.points import Asset, HoldOutcome, LedgerAccountKind, TransactionKind
from services.chassis.commands import CommandAnswer
from services.chassis.errors import Forbidden, Problem
from services.chassis.idempotency import RequestKey
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.points.holds.schemas import HoldBody, HoldPost, HoldVoid
from services.points.ledger import policy
from services.points.ledger.posting import LedgerCommands


class HoldNotFound(Problem):
    status = 404
    code = "hold_not_found"
    zh = "未找到该笔冻结。"
    en = "There is no such hold."


class HoldEnded(Problem):
    """`state` is how it ended. A hold ends once."""

    status = 409
    code = "hold_ended"
    zh = "该笔冻结已结束（{state}）。"
    en = "The hold has ended: {state}."


class HoldExceeded(Problem):
    """`amount` is what is held."""

    status = 422
    code = "hold_exceeded"
    zh = "超过冻结数额 {amount}。"
    en = "More than the {amount} that are held."


class HoldTermInvalid(Problem):
    status = 422
    code = "hold_term_invalid"
    zh = "冻结期限须在一年之内的将来。"
    en = "A hold ends in the future, within a year."


class HoldCommand(msgspec.Struct, kw_only=True):
    """What `ledger_hold` takes. Without `issuer_areas` the owner holds their own."""

    id: UUID
    owner_id: UUID
    asset: Asset
    amount: int
    kind: TransactionKind
    to_kind: LedgerAccountKind
    to_owner_id: UUID
    source_kind: str
    source_id: str
    reason: str
    details: dict[str, Any]
    expires_at: datetime | None
    account: UUID
    issuer_areas: list[UUID] | None
    idempotency_key: str
    request_hash: str


class HoldEndCommand(msgspec.Struct, kw_only=True):
    """What `ledger_hold_end` takes. `id` is that of the transaction, if there is one."""

    id: UUID
    hold_id: UUID
    outcome: HoldOutcome
    amount: int | None
    reason: str
    account: UUID
    issuer_areas: list[UUID]
    idempotency_key: str
    request_hash: str


async def hold_points(commands: LedgerCommands, caller: Identity, once: RequestKey, body: HoldBody) -> CommandAnswer:
    """Reserves points of the caller, or, by a clerk, of a member. The hold as JSON, after it has been committed.

    Only clerks name a source (Forbidden): it is held once in the district.
    """
    hold_id = new_id()
    is_own = body.account_id == caller.account_id
    if is_own and body.source is not None:
        raise Forbidden
    command = HoldCommand(
        id=hold_id,
        owner_id=body.account_id,
        asset=body.asset,
        amount=body.amount,
        kind=body.kind,
        to_kind=body.to_account_kind,
        to_owner_id=body.to_owner_id,
        source_kind="hold" if body.source is None else body.source.kind,
        source_id=str(hold_id) if body.source is None else body.source.id,
        reason=body.reason,
        details=dict(body.metadata),
        expires_at=body.expires_at,
        account=caller.account_id,
        issuer_areas=None if is_own else caller.areas_as(policy.ISSUING_ROLES),
        idempotency_key=once.key,
        request_hash=once.request_hash.hex(),
    )
    return await commands.hold(caller.tenant_id, command)


async def post_hold(
    commands: LedgerCommands, caller: Identity, once: RequestKey, hold_id: UUID, body: HoldPost
) -> CommandAnswer:
    """What is held goes where it was meant to go, all of it or part."""
    return await _end(commands, caller, once, hold_id, HoldOutcome.POSTED, body.amount, body.reason)


async def void_hold(
    commands: LedgerCommands, caller: Identity, once: RequestKey, hold_id: UUID, body: HoldVoid
) -> CommandAnswer:
    """What is held is free again."""
    return await _end(commands, caller, once, hold_id, HoldOutcome.VOIDED, None, body.reason)


async def _end(
    commands: LedgerCommands,
    caller: Identity,
    once: RequestKey,
    hold_id: UUID,
    outcome: HoldOutcome,
    amount: int | None,
    reason: str,
) -> CommandAnswer:
    command = HoldEndCommand(
        id=new_id(),
        hold_id=hold_id,
        outcome=outcome,
        amount=amount,
        reason=reason,
        account=caller.account_id,
        issuer_areas=caller.areas_as(policy.ISSUING_ROLES),
        idempotency_key=once.key,
        request_hash=once.request_hash.hex(),
    )
    return await commands.hold_end(caller.tenant_id, command)
