"""Commands that become another program, and checks with a verdict."""

import os
import sys
from typing import NoReturn

import pytest

from launcher import checks, development
from launcher.checks import Check
from launcher.terminal import CannotStart


class Became(Exception):
    """Stands in for exec, which does not return."""


@pytest.fixture(autouse=True)
def _no_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    def become(_program: str, arguments: list[str]) -> NoReturn:
        raise Became(" ".join(arguments[2:]))

    monkeypatch.setattr(os, "execv", become)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], "pytest -n 2"),
        (["tests/orders", "-x"], "pytest -n 2 tests/orders -x"),
        (["-n", "0"], "pytest -n 0"),
        (["-n4"], "pytest -n4"),
        (["--pdb"], "pytest --pdb"),
    ],
)
def test_tests_run_in_two_workers_unless_told_otherwise(arguments: list[str], command: str) -> None:
    with pytest.raises(Became, match=f"^{command}$"):
        development.test(arguments)


def test_benchmarks_get_their_arguments() -> None:
    with pytest.raises(Became, match=r"^benchmarks --orders 10000$"):
        development.bench(["--orders", "10000"])


def test_a_migration_needs_a_message() -> None:
    with pytest.raises(CannotStart, match="Say what the migration does"):
        development.new_migration([])


def test_a_failed_check_shows_its_output_and_a_good_one_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    good = Check("good", [sys.executable, "-c", "print('fine')"])
    bad = Check("bad", [sys.executable, "-c", "print('wrong'); raise SystemExit(3)"])
    verdicts = [checks.run_check(check, {}) for check in (good, bad)]

    assert [verdict.passed for verdict in verdicts] == [True, False]
    output = capsys.readouterr().out
    assert "fine" not in output
    assert "wrong" in output
