"""Everything that changes posts."""

from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Post
from models.identity import Membership
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.grid.areas.actions import AreaClosed
from services.grid.areas.policy import administers
from services.grid.areas.queries import get_area
from services.grid.posts.queries import PostNotFound
from services.grid.posts.schemas import PostAppointment, PostEnding
from services.grid.posts.terms import today


class HolderUnknown(Problem):
    status = 422
    code = "holder_unknown"
    zh = "本区没有该账号。"
    en = "This tenant has no such account."


class TermOrderWrong(Problem):
    status = 422
    code = "term_order_wrong"
    zh = "任期结束日 {valid_to} 早于开始日 {valid_from}。"
    en = "The term would end on {valid_to}, before it begins on {valid_from}."


class PostAlreadyEnded(Problem):
    status = 409
    code = "post_already_ended"
    zh = "该任期已定于 {valid_to} 结束。"
    en = "The term already ends on {valid_to}."


async def fill_post(transaction: AsyncSession, caller: Identity, appointment: PostAppointment) -> Post:
    """A new term. Raises AreaNotFound, Forbidden, AreaClosed, HolderUnknown and TermOrderWrong."""
    area = await get_area(transaction, caller.tenant_id, appointment.area_id)
    if not administers(caller, area.ancestor_ids):
        raise Forbidden
    if area.valid_to is not None:
        raise AreaClosed
    if appointment.account_id is not None:
        await _refuse_unknown_holder(transaction, caller.tenant_id, appointment.account_id)
    valid_from = appointment.valid_from or today()
    _refuse_wrong_order(valid_from, appointment.valid_to)
    values = appointment.model_dump() | {"valid_from": valid_from}
    post = Post(tenant_id=caller.tenant_id, id=new_id(), **values)
    transaction.add(post)
    await transaction.flush()
    return post


async def end_post(transaction: AsyncSession, caller: Identity, post_id: UUID, ending: PostEnding) -> Post:
    """Ends an open term; the row is locked. Raises PostNotFound, Forbidden, PostAlreadyEnded and TermOrderWrong."""
    post = await transaction.get(Post, (caller.tenant_id, post_id), with_for_update={"key_share": True})
    if post is None:
        raise PostNotFound
    area = await get_area(transaction, caller.tenant_id, post.area_id)
    if not administers(caller, area.ancestor_ids):
        raise Forbidden
    if post.valid_to is not None:
        raise PostAlreadyEnded(valid_to=post.valid_to.isoformat())
    valid_to = ending.valid_to or max(today(), post.valid_from)
    _refuse_wrong_order(post.valid_from, valid_to)
    post.valid_to = valid_to
    return post


async def _refuse_unknown_holder(transaction: AsyncSession, tenant_id: UUID, account_id: UUID) -> None:
    membership = await transaction.get(Membership, (tenant_id, account_id))
    if membership is None or membership.ended_at is not None:
        raise HolderUnknown


def _refuse_wrong_order(valid_from: date, valid_to: date | None) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise TermOrderWrong(valid_from=valid_from.isoformat(), valid_to=valid_to.isoformat())
