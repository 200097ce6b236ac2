"""The commands of a developer that become another program: test, bench, openapi, migration, lock."""

import os
import shutil
import subprocess
import sys

from launcher.database import alembic_config, scratch_database
from launcher.folders import PROJECT
from launcher.terminal import CannotStart, say

WORKERS = "2"
_OPTIONS_ABOUT_WORKERS = ("-n", "--numprocesses", "--pdb", "--trace", "--collect-only", "--co")


def test(arguments: list[str]) -> None:
    """Become pytest, with two workers unless the arguments speak of workers."""
    chosen = any(argument.startswith(_OPTIONS_ABOUT_WORKERS) for argument in arguments)
    _become("pytest", *([] if chosen else ["-n", WORKERS]), *arguments)


def bench(arguments: list[str]) -> None:
    """Become the benchmarks."""
    _become("benchmarks", *arguments)


def openapi(arguments: list[str]) -> None:
    """Become the export of the OpenAPI documents."""
    _become("openapi.export", *arguments)


def new_migration(arguments: list[str]) -> None:
    """Write a migration that brings the newest one to the models as they are now. Raises CannotStart."""
    from alembic import command

    message = " ".join(arguments).strip()
    if not message:
        raise CannotStart('Say what the migration does: make migration MESSAGE="add visits".')
    with scratch_database() as url:
        command.revision(alembic_config(url), message=message, autogenerate=True)


def lock() -> None:
    """Resolve requirements*.in into the lock files: with hashes, for every platform, naming no index."""
    uv = shutil.which("uv")
    if uv is None:
        raise CannotStart("Resolving needs uv: install it (pip install uv) and run the same command again.")
    options = ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--universal"]
    for name in ("requirements", "requirements-dev"):
        say(f"Resolving {name}.in into {name}.lock")
        command = [
            uv,
            "pip",
            "compile",
            "--quiet",
            *options,
            "--python-version",
            "3.11",
            f"{name}.in",
            "-o",
            f"{name}.lock",
        ]
        if subprocess.run(command, check=False, cwd=PROJECT).returncode != 0:
            raise CannotStart(f"uv could not resolve {name}.in: its message is above.")


def _become(module: str, *arguments: str) -> None:
    os.chdir(PROJECT)
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
