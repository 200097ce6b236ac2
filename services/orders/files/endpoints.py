"""Photos over HTTP: one file per request, the way `wx.uploadFile` sends it."""

import logging
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from services.chassis.application import problems
from services.chassis.errors import BodyTooLarge, Unauthenticated
from services.chassis.idempotency import (
    ONCE,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    TenantRoute,
    Transaction,
)
from services.chassis.identity import Caller, identify
from services.orders.files import actions, images, queries
from services.orders.files.actions import FileIdTaken
from services.orders.files.images import NotAnImage
from services.orders.files.queries import FileNotFound
from services.orders.files.schemas import FileRead


class FileRoute(TenantRoute):
    """An upload takes its turn at the pictures before it takes a connection."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_turn(request: Request) -> Response:
            if request.method != "POST":
                return await handle(request)
            await identify(request)
            await request.form(max_files=2, max_fields=8)  # what comes slowly is waited for outside
            async with images.turns:
                return await handle(request)

        return handle_in_turn


logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/files", tags=["files"], route_class=FileRoute, responses=problems(Unauthenticated))


@router.post(
    "",
    status_code=201,
    response_model=FileRead,
    dependencies=ONCE,
    responses=problems(IdempotencyKeyMissing, IdempotencyKeyReused, BodyTooLarge, NotAnImage, FileIdTaken),
)
async def upload_file(
    request: Request,
    transaction: Transaction,
    caller: Caller,
    file: Annotated[UploadFile, File(description="A JPEG, PNG or WebP photo.")],
    id: Annotated[UUID | None, Form(description="A UUID of the client's own, for photos taken offline.")] = None,
) -> Any:
    """Store a photo, checked by its content and freed of EXIF. It belongs to nobody's order until it is attached."""
    content = await file.read()
    return await actions.store_file(
        transaction, request.app.state.file_store, request.app.state.settings, caller, content, file_id=id
    )


@router.get(
    "/{file_id}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}}}, **problems(FileNotFound)},
)
async def read_file(request: Request, file_id: UUID, transaction: Transaction, caller: Caller) -> Response:
    """The photo itself, for whoever may see the order it belongs to, and for the one who uploaded it."""
    file = await queries.find_file(transaction, caller, file_id)
    try:
        content = await request.app.state.file_store.read(caller.tenant_id, file.id)
    except FileNotFoundError:
        logger.exception("the store has lost the file %s", file_id)
        raise FileNotFound from None
    headers = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(content, headers=headers, media_type=file.media_type)
