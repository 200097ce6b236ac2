"""Answers about files."""

from datetime import datetime
from uuid import UUID

from services.chassis.schemas import Answer


class FileRead(Answer):
    """A stored photo; its bytes are at `GET /v1/files/{id}`."""

    id: UUID
    media_type: str
    size_bytes: int
    width: int
    height: int
    uploaded_at: datetime
