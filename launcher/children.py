"""Processes of ours that are kept running, and that end when we do."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Mapping, Sequence

from launcher.folders import PROJECT
from launcher.serving import GRACE_SECONDS
from launcher.terminal import say

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
LONG_LIFE_SECONDS = 30.0
"""Who lived this long is started again at once; who dies sooner waits twice as long each time."""


class Child:
    """`launcher serve ARGUMENTS` with exactly this environment; inherits `descriptors`. Belongs to one event loop.

    `module` is what Python runs instead of the launcher. `longest_pause_seconds` bounds how long the starting again
    of one that keeps dying is put off.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        descriptors: Sequence[int] = (),
        module: str = "launcher",
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self.name = name
        self._longest_pause_seconds = longest_pause_seconds
        self._module = module
        self._arguments = arguments
        self.environment = environment
        self._descriptors = descriptors
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """None while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Start it, and start it again whenever it ends, until `stop()`."""
        self._keeper = asyncio.create_task(self._keep_running(), name=f"keep-{self.name}")

    async def stop(self) -> None:
        """Let it finish what is in flight; kill it if that takes too long."""
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._process and self._process.returncode is None:
            await _end(self._process)

    async def _keep_running(self) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            begun_at = time.monotonic()
            self._process = await self._spawn()
            code = await self._process.wait()
            if time.monotonic() - begun_at > LONG_LIFE_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            say(f"{self.name} has ended unasked (exit code {code}): starting it again in {pause_seconds:.1f} s")
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, self._longest_pause_seconds)

    async def _spawn(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", self._module, "serve", *self._arguments, "--end-with-parent"),
            stdin=asyncio.subprocess.PIPE,  # closed when we end, however we end: that ends the child
            env=self.environment,
            cwd=PROJECT,
            pass_fds=self._descriptors,
            start_new_session=True,  # Ctrl-C is for us; we stop the children in order
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE_SECONDS + 5)
    except TimeoutError:
        process.kill()
        await process.wait()
