"""Passwords: argon2 off the event loop, the same work whoever is asked for, and a lock after repeated failures."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple, TypeVar
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import select

from models.identity import PasswordCredential
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.errors import Problem

FAILURES_UNTIL_LOCK = 5
FIRST_LOCK = timedelta(minutes=15)
LOCK_DOUBLINGS = 5
"""The longest lock is 15 min × 2⁵ = 8 hours."""
REFUSED_AFTER_SECONDS = 0.3
"""No refusal leaves earlier, so that its time tells nothing about whether the user exists or is locked."""

PARALLEL = min(4, os.cpu_count() or 1)
"""Passwords judged at once. Each takes 64 MiB and a core for some 50 ms."""
WAITING = 64
"""More sign-ins than this are not kept waiting but asked to come again."""

Result = TypeVar("Result")

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


class CredentialsInvalid(Problem):
    """One answer for an unknown user, a wrong password and a locked account: nobody learns which."""

    status = 401
    code = "credentials_invalid"
    zh = "用户名或密码不正确。连续输错五次，账号将暂时锁定（至少 15 分钟），期间无法登录。"
    en = "Wrong user name or password. After five failures in a row the account is locked for 15 minutes or longer."


class TooManySignIns(Problem):
    status = 429
    code = "too_many_sign_ins"
    zh = "当前登录人数较多，请稍后再试。"
    en = "Too many people are signing in right now; please try again shortly."
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class Judged(NamedTuple):
    """Whose right password this was."""

    account_id: UUID
    password_hash: str
    """As it stands after the judgement: whoever acts on it later sees whether it was changed meanwhile."""
    first_until: datetime | None


class Passwords:
    """Judges passwords, a few at a time."""

    def __init__(self) -> None:
        self._hash_of_nobody = hash_password(secrets.token_hex())
        self._threads = ThreadPoolExecutor(PARALLEL, thread_name_prefix="argon2")
        self._turns = asyncio.Semaphore(PARALLEL)
        self._waiting = 0

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    async def judge(self, database: Database, username: str, password: str) -> Judged:
        """Whose password this is; raises CredentialsInvalid. Failures are counted and committed.

        Attempts on one account are judged one after another, under the lock of its row: however many come at once,
        no more than `FAILURES_UNTIL_LOCK` of them learn anything.
        """
        refused_at = asyncio.get_running_loop().time() + REFUSED_AFTER_SECONDS
        judged = None
        async with self.turn(), database.transaction(None) as transaction:
            asked = select(PasswordCredential).where(PasswordCredential.username == username)
            credential = await transaction.scalar(asked.with_for_update(key_share=True))
            if await self.is_right(credential, password) and credential is not None:
                judged = Judged(credential.account_id, credential.password_hash, credential.first_until)
        if judged is None:
            await asyncio.sleep(refused_at - asyncio.get_running_loop().time())
            raise CredentialsInvalid
        return judged

    async def is_right(self, credential: PasswordCredential | None, password: str) -> bool:
        """Judges and counts one attempt, in a turn, on a credential whose row is locked. Nothing is right while locked.

        Does not commit, and what it counted must be.
        """
        matches = await self._matches(password, credential)
        if credential is None or _is_locked(credential, clock.now()):
            return False
        await self._record(credential, password, is_right=matches)
        return matches

    async def hash(self, password: str) -> str:
        """What is stored of a password; in a turn."""
        return await self._in_thread(hash_password, password)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn; raises TooManySignIns when too many wait already."""
        if self._waiting >= WAITING:
            raise TooManySignIns
        self._waiting += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting -= 1

    async def _matches(self, password: str, credential: PasswordCredential | None) -> bool:
        """For a user who does not exist the same work is done on a hash that nothing matches."""
        stored = self._hash_of_nobody if credential is None else credential.password_hash
        return await self._in_thread(self._verify, stored, password)

    async def _record(self, credential: PasswordCredential, password: str, *, is_right: bool) -> None:
        if not is_right:
            credential.failed_attempts += 1
            credential.locked_until = _lock_after(credential.failed_attempts, clock.now())
            return
        credential.failed_attempts = 0
        credential.locked_until = None
        if _HASHER.check_needs_rehash(credential.password_hash):
            credential.password_hash = await self.hash(password)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return _HASHER.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[..., Result], *arguments: str) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def hash_password(password: str) -> str:
    """What is stored of a password. Keeps a core busy for some 50 ms: not for the event loop."""
    return _HASHER.hash(password)


def _is_locked(credential: PasswordCredential, moment: datetime) -> bool:
    return credential.locked_until is not None and moment < credential.locked_until


def _lock_after(failures: int, moment: datetime) -> datetime | None:
    """Until when so many failures in a row lock the account: every fifth does, for twice as long as the last."""
    if failures % FAILURES_UNTIL_LOCK:
        return None
    doublings: int = min(failures // FAILURES_UNTIL_LOCK - 1, LOCK_DOUBLINGS)
    return moment + FIRST_LOCK * (1 << doublings)
