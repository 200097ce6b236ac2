"""HTTP of posts and their terms of office."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from models.grid import Post
from services.chassis.application import problems
from services.chassis.errors import Forbidden, InvalidToken, Unauthenticated
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit
from services.grid.areas.actions import AreaClosed
from services.grid.areas.queries import AreaNotFound
from services.grid.posts import actions, queries
from services.grid.posts.actions import HolderUnknown, PostAlreadyEnded, TermOrderWrong
from services.grid.posts.queries import PostNotFound
from services.grid.posts.schemas import PostAppointment, PostEnding, PostPage, PostRead

router = APIRouter(tags=["posts"], route_class=TenantRoute, responses=problems(Unauthenticated, InvalidToken))


@router.get("/v1/posts", response_model=PostPage, responses=problems(AreaNotFound, InvalidCursor))
async def list_posts(
    transaction: Transaction,
    caller: Caller,
    area_id: UUID,
    with_past: Annotated[bool, Query(description="Also terms that are over.")] = False,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> PostPage:
    """Posts held for an area, in the order in which they were filled."""
    return await queries.list_posts(
        transaction, caller.tenant_id, area_id=area_id, with_past=with_past, limit=limit, cursor=cursor
    )


@router.post(
    "/v1/posts",
    status_code=201,
    response_model=PostRead,
    dependencies=ONCE,
    responses=problems(
        AreaNotFound, Forbidden, AreaClosed, HolderUnknown, TermOrderWrong, IdempotencyKeyMissing, IdempotencyKeyReused
    ),
)
async def fill_post(body: PostAppointment, transaction: Transaction, caller: Caller) -> Post:
    """Somebody takes up a post, by an administrator of its area."""
    return await actions.fill_post(transaction, caller, body)


@router.post(
    "/v1/posts/{post_id}/end",
    response_model=PostRead,
    dependencies=ONCE,
    responses=problems(
        PostNotFound, Forbidden, PostAlreadyEnded, TermOrderWrong, IdempotencyKeyMissing, IdempotencyKeyReused
    ),
)
async def end_post(post_id: UUID, body: PostEnding, transaction: Transaction, caller: Caller) -> Post:
    """Ends an open term, by an administrator of its area."""
    return await actions.end_post(transaction, caller, post_id, body)
