"""Where the bytes of files lie. A folder now; anything with these two methods (S3, OSS) later."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4


class FileStore(Protocol):
    """Bytes by tenant and id. What was written can be read when `write` returns, and survives a crash."""

    async def write(self, tenant_id: UUID, file_id: UUID, content: bytes) -> None:
        """Writing the same id again replaces it."""

    async def read(self, tenant_id: UUID, file_id: UUID) -> bytes:
        """Raises FileNotFoundError."""


class FolderStore:
    """`<folder>/<tenant>/<last two digits>/<id>`: names are ours, never a client's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, tenant_id: UUID, file_id: UUID, content: bytes) -> None:
        await asyncio.to_thread(_write_durably, self._path(tenant_id, file_id), content)

    async def read(self, tenant_id: UUID, file_id: UUID) -> bytes:
        return await asyncio.to_thread(self._path(tenant_id, file_id).read_bytes)

    def _path(self, tenant_id: UUID, file_id: UUID) -> Path:
        return self._folder / str(tenant_id) / file_id.hex[-2:] / str(file_id)


def _write_durably(path: Path, content: bytes) -> None:
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync_folder(path.parent.parent)
    draft = path.with_name(f".{uuid4().hex}")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    """A file survives a power cut only together with its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
