"""The commands of a developer that become another program: test, bench, openapi, migration, lock."""

import os
import shutil
import subprocess
import sys

from alembic import command
from alembic.script import Script, ScriptDirectory

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
    """Write the next migration: what leads from the newest one to the models as they are. Raises CannotStart."""
    message = " ".join(arguments).strip()
    if not message:
        raise CannotStart('Say what the migration does: make migration MESSAGE="add visits".')
    with scratch_database() as url:
        config = alembic_config(url)
        newest = ScriptDirectory.from_config(config).get_current_head() or "0"
        written = command.revision(config, message=message, autogenerate=True, rev_id=f"{int(newest) + 1:04}")
    if isinstance(written, Script):
        subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", written.path], check=True)


def lock() -> None:
    """Resolve requirements*.in into the lock files: with hashes, for every platform, naming no index."""
    uv = shutil.which("uv")
    if uv is None:
        raise CannotStart("Resolving needs uv: install it (pip install uv) and run the same command again.")
    resolve = [uv, "pip", "compile", "--quiet", "--generate-hashes", "--universal", "--python-version", "3.11"]
    silent = ["--no-emit-index-url", "--no-header", "--no-annotate"]
    for name in ("requirements", "requirements-dev"):
        say(f"Resolving {name}.in into {name}.lock")
        done = subprocess.run([*resolve, *silent, f"{name}.in", "-o", f"{name}.lock"], check=False, cwd=PROJECT)
        if done.returncode != 0:
            raise CannotStart(f"uv could not resolve {name}.in: its message is above.")


def _become(module: str, *arguments: str) -> None:
    os.chdir(PROJECT)
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
