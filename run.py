"""Starts Linli, or one of its tools, on a machine that has Python 3.11 or newer and nothing else.

    python3 run.py [COMMAND ...]        (`python3 run.py help` lists the commands; the default is `run`)

Makes .venv beside this file, installs what the lock file names (only when that file has changed), and then becomes
`.venv/bin/python -m launcher COMMAND ...`. Uses `uv` if it is there, else venv and pip, each as this machine has set
them up. Standard library only.
"""

from __future__ import annotations  # an older Python has to get as far as the sentence about its version

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
ENVIRONMENT = PROJECT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "linli-installed"

OLDEST_PYTHON = (3, 11)
PRODUCTION = "requirements.lock"
DEVELOPMENT = "requirements-dev.lock"  # holds all of PRODUCTION too
COMMANDS = {
    "run": (PRODUCTION, "start the product with a demo district on http://127.0.0.1:8000 (PORT=… for another port)"),
    "separate": (PRODUCTION, "the same, every service a process of its own behind the gateway"),
    "demo": (PRODUCTION, "against a running product: play the story of an order, step by step"),
    "test": (DEVELOPMENT, "run the tests; what follows goes to pytest"),
    "lint": (DEVELOPMENT, "format, lint, types, imports, migrations and OpenAPI documents"),
    "bench": (DEVELOPMENT, "measure, beside the limit of the database; what follows goes to the benchmarks"),
    "openapi": (DEVELOPMENT, "write the OpenAPI documents into openapi/"),
    "migration": (DEVELOPMENT, 'write a migration from the changed models: migration "what it does"'),
    "lifecycle": (DEVELOPMENT, "draw the standard lifecycle of orders into docs/"),
    "lock": (DEVELOPMENT, "resolve requirements.in and requirements-dev.in into the lock files (needs uv)"),
    "migrate": (PRODUCTION, "bring a database to the newest migration (DATABASE_URL, else the embedded one)"),
    "seed": (PRODUCTION, "load the demo district, unless it is there (DATABASE_URL, else the embedded one)"),
    "found-district": (
        PRODUCTION,
        "make a district that can work, with its administrator (found-district --help; DATABASE_URL, else embedded)",
    ),
    "verify-ledger": (
        PRODUCTION,
        "check the points books of every district against their chain (DATABASE_URL, else the embedded one)",
    ),
    "import-ledger": (PRODUCTION, "send an exported points ledger into an empty district of a running product"),
    "serve": (
        PRODUCTION,
        "one process, set up by its environment: gateway, identity, grid, orders, points or all-in-one",
    ),
}


def main(arguments: list[str]) -> None:
    command = arguments[0] if arguments else "run"
    if command in ("help", "-h", "--help"):
        print_help()
        return
    if command not in COMMANDS:
        sys.exit(f"There is no command '{command}'; `python3 run.py help` lists them.")
    refuse_unfit_machine()
    os.chdir(PROJECT)
    lock = COMMANDS[command][0]
    with only_one_at_a_time():
        if not is_installed(lock):
            install(lock)
    os.execv(PYTHON, [str(PYTHON), "-m", "launcher", command, *arguments[1:]])


def print_help() -> None:
    width = max(map(len, COMMANDS))
    for name, (_, purpose) in COMMANDS.items():
        print(f"  {name:{width}}  {purpose}")


def refuse_unfit_machine() -> None:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"Linli needs Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer, and this is Python {found}.")
    if os.name != "posix":
        sys.exit("Linli runs on Linux and macOS; on Windows use WSL or the Docker image.")


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Two starts in a fresh clone must not install into each other."""
    import fcntl  # noqa: PLC0415 - not on Windows, where the sentence above has to come first

    try:
        lock = open(PROJECT / ".venv.lock", "w")  # noqa: SIM115 - closed below
    except OSError as error:
        sys.exit(f"Linli keeps its environment in {PROJECT} and cannot write there: {error.strerror}.")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_installed(lock: str) -> bool:
    """Whether the environment works and holds exactly what `lock` (or one that holds it too) names."""
    if not STAMP.exists() or not os.access(PYTHON, os.X_OK):
        return False
    installed = STAMP.read_text().splitlines()
    return stamp(lock) in installed


def stamp(lock: str) -> str:
    """The lock file's name and content, and the Python it was installed for."""
    content = hashlib.sha256((PROJECT / lock).read_bytes()).hexdigest()
    return f"{lock} {content} {os.path.realpath(sys.executable)} {sys.version_info[0]}.{sys.version_info[1]}"


def install(lock: str) -> None:
    uv = shutil.which("uv")
    if not (uv and install_with_uv(uv, lock)):
        install_with_pip(lock)
    held = [lock] if lock == PRODUCTION else [lock, PRODUCTION]
    STAMP.write_text("".join(stamp(name) + "\n" for name in held))


def install_with_uv(uv: str, lock: str) -> bool:
    say(f"Installing {lock} into .venv with uv")
    if not works_here():
        made = subprocess.call([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)])
        if made != 0:
            return False
    command = [uv, "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes", "-r", lock]
    if subprocess.call(command) == 0:
        return True
    say("uv could not install it: trying pip")
    return False


def install_with_pip(lock: str) -> None:
    if not works_here() or not has_pip():
        make_environment()
    say(f"Installing {lock} into .venv with pip (about half a minute the first time)")
    quiet = ["-qq", "--no-input", "--disable-pip-version-check", "--root-user-action=ignore"]
    command = [str(PYTHON), "-m", "pip", "install", *quiet, "--require-hashes", "-r", lock]
    if subprocess.call(command) != 0:
        sys.exit(f"pip could not install {lock}: its message is above. Run the same command again to go on.")


def make_environment() -> None:
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        sys.exit(
            "This Python comes without venv: install it (on Debian and Ubuntu: apt install python3-venv) "
            "or install uv, then run the same command again."
        )
    say(f"Making .venv with Python {sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]}")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=False, capture_output=True, text=True
    )
    if made.returncode != 0:
        sys.exit(f"Python could not make .venv: {(made.stderr or made.stdout).strip()}")


def works_here() -> bool:
    """Whether .venv has a Python that starts, of this version, and was not moved here from another folder."""
    answer = output([str(PYTHON), "-c", "import sys; print(sys.prefix, *sys.version_info[:2])"])
    return answer == f"{ENVIRONMENT} {sys.version_info[0]} {sys.version_info[1]}"


def has_pip() -> bool:
    return output([str(PYTHON), "-m", "pip", "--version"]) is not None


def output(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
