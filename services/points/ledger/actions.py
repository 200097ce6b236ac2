"""Everything that changes the ledger, one function per verb. Each is one transaction: one call of the SQL command."""

from models.points import TransactionKind
from services.chassis import clock
from services.chassis.commands import CommandAnswer
from services.chassis.errors import Problem
from services.chassis.idempotency import RequestKey
from services.chassis.identity import Identity
from services.points.ledger import policy
from services.points.ledger.posting import LedgerCommands, issue, post_command
from services.points.ledger.schemas import Award


class CommunityNotFound(Problem):
    status = 404
    code = "community_not_found"
    zh = "未找到该社区。"
    en = "There is no such community."


class OwnPoints(Problem):
    status = 403
    code = "own_points"
    zh = "不能给自己记积分，请由另一位积分管理员操作。"
    en = "Nobody books their own points; another clerk can."


class RecipientNotAMember(Problem):
    status = 422
    code = "recipient_not_a_member"
    zh = "该账号不属于本区。"
    en = "The recipient does not belong to this district."


async def award_points(commands: LedgerCommands, caller: Identity, once: RequestKey, body: Award) -> CommandAnswer:
    """Points of a community to a person, by a clerk. The posting as JSON, after it has been committed."""
    command = post_command(
        issue(body.amount, community_id=body.community_id, account_id=body.account_id),
        kind=TransactionKind.AWARD,
        reason=body.reason,
        effective_at=clock.now(),
        account=caller.account_id,
        issuer_areas=caller.areas_as(policy.ISSUING_ROLES),
        once=once,
    )
    return await commands.post(caller.tenant_id, command)
