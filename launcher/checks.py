"""`lint`: every check that needs no running product, one after the other, with a verdict and a time each."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.database import scratch_database
from launcher.folders import PROJECT
from launcher.terminal import say, table


@dataclass(frozen=True)
class Check:
    """A command whose exit code is the verdict; its output is shown only when that is bad."""

    name: str
    command: Sequence[str]


@dataclass(frozen=True)
class Verdict:
    """How a check ended, and after how many seconds."""

    name: str
    passed: bool
    seconds: float

    @property
    def row(self) -> tuple[str, str, str]:
        return self.name, "ok" if self.passed else "FAILED", f"{self.seconds:.1f} s"


def lint() -> int:
    """Run all checks, print a table, and return the exit code: 0 only if all of them passed."""
    with scratch_database() as url:
        environment = {**os.environ, "DATABASE_URL": url}
        verdicts = [run_check(check, environment) for check in checks()]
    say("\n" + table(("check", "verdict", "time"), [verdict.row for verdict in verdicts]))
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def checks() -> list[Check]:
    """In order of how soon they answer."""
    python = sys.executable
    return [
        Check("format", [python, "-m", "ruff", "format", "--check", "."]),
        Check("lint", [python, "-m", "ruff", "check", "."]),
        Check("imports", [str(Path(python).with_name("lint-imports")), "--no-cache"]),
        Check("migrations", [python, "-m", "alembic", "check"]),
        Check("openapi", [python, "-m", "openapi.export", "--check"]),
        Check("types", [python, "-m", "mypy"]),
    ]


def run_check(check: Check, environment: Mapping[str, str]) -> Verdict:
    """Run it to its end, and say how that was."""
    begun_at = time.monotonic()
    done = subprocess.run(
        check.command,
        check=False,
        cwd=PROJECT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    verdict = Verdict(check.name, done.returncode == 0, time.monotonic() - begun_at)
    say("  ".join(verdict.row))
    if not verdict.passed:
        say(done.stdout)
    return verdict
