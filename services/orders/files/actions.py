"""Storing files."""

import hashlib
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.orders import StoredFile
from services.chassis import clock
from services.chassis.errors import BodyTooLarge, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from services.orders.files import images
from services.orders.files.store import FileStore


class FileIdTaken(Problem):
    status = 409
    code = "file_id_taken"
    zh = "该文件编号已被使用。"
    en = "A file with this id exists already."


async def store_file(
    transaction: AsyncSession,
    store: FileStore,
    settings: Settings,
    caller: Identity,
    content: bytes,
    *,
    file_id: UUID | None,
) -> StoredFile:
    """The bytes are durable before the row commits; bytes without a row are harmless and unreachable."""
    if len(content) > settings.max_upload_bytes:
        raise BodyTooLarge(limit_bytes=settings.max_upload_bytes)
    image = await images.clean(content)
    file = StoredFile(
        tenant_id=caller.tenant_id,
        id=file_id or new_id(),
        uploaded_by=caller.account_id,
        media_type=image.media_type,
        size_bytes=len(image.content),
        sha256=hashlib.sha256(image.content).digest(),
        width=image.width,
        height=image.height,
        uploaded_at=clock.now(),
    )
    transaction.add(file)
    try:
        await transaction.flush()
    except IntegrityError as error:
        raise FileIdTaken from error
    await store.write(caller.tenant_id, file.id, image.content)
    return file
