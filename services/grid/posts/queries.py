"""Everything that reads posts. Who holds which is public by law, for everybody signed in to the tenant."""

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Post
from services.chassis.errors import NotFound
from services.chassis.pagination import decode_cursor, encode_cursor
from services.grid.areas.queries import get_area
from services.grid.posts.schemas import PostPage, PostRead
from services.grid.posts.terms import today


class PostNotFound(NotFound):
    code = "post_not_found"
    zh = "未找到该岗位。"
    en = "There is no such post."


async def list_posts(
    transaction: AsyncSession, tenant_id: UUID, *, area_id: UUID, with_past: bool, limit: int, cursor: str | None
) -> PostPage:
    """Posts held for this very area, those that have ended only on request. Raises AreaNotFound."""
    await get_area(transaction, tenant_id, area_id)
    chosen = select(Post).where(Post.tenant_id == tenant_id, Post.area_id == area_id).order_by(Post.id)
    if not with_past:
        chosen = chosen.where(or_(Post.valid_to.is_(None), Post.valid_to > today()))
    if cursor is not None:
        (last,) = decode_cursor(cursor, tuple[UUID])
        chosen = chosen.where(Post.id > last)
    posts = (await transaction.scalars(chosen.limit(limit + 1))).all()
    items = [PostRead.model_validate(post) for post in posts[:limit]]
    return PostPage(items=items, next_cursor=encode_cursor(items[-1].id) if len(posts) > limit else None)
