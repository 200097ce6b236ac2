"""run.py: what it says to a machine it cannot work on, and when it installs."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

import run
from launcher.__main__ import COMMANDS


@pytest.fixture
def fresh_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with lock files and an environment whose Python is there."""
    for name in (run.PRODUCTION, run.DEVELOPMENT):
        (tmp_path / name).write_text(f"{name}==1\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(run, "PROJECT", tmp_path)
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(run, "PYTHON", python)
    monkeypatch.setattr(run, "STAMP", tmp_path / ".venv" / "linli-installed")
    return tmp_path


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pip was asked to install; nothing is."""
    asked: list[str] = []
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(run, "install_with_pip", asked.append)
    return asked


def test_knows_the_launchers_commands() -> None:
    assert run.COMMANDS.keys() == COMMANDS.keys()


def test_an_old_python_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "OLDEST_PYTHON", (99, 0))

    with pytest.raises(SystemExit, match=r"^Linli needs Python 99\.0 or newer, and this is Python [\d.]+\.$"):
        run.refuse_unfit_machine()


def test_a_python_without_venv_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(SystemExit, match="apt install python3-venv"):
        run.make_environment()


def test_an_unknown_command_is_told() -> None:
    with pytest.raises(SystemExit, match="There is no command 'nonsense'"):
        run.main(["nonsense"])


@pytest.mark.usefixtures("fresh_clone")
def test_installs_once_per_lock_file(installs: list[str]) -> None:
    assert not run.is_installed(run.PRODUCTION)
    run.install(run.PRODUCTION)

    assert installs == [run.PRODUCTION]
    assert run.is_installed(run.PRODUCTION)
    assert not run.is_installed(run.DEVELOPMENT)


@pytest.mark.usefixtures("fresh_clone", "installs")
def test_what_development_installs_is_enough_for_production() -> None:
    run.install(run.DEVELOPMENT)

    assert run.is_installed(run.PRODUCTION)


@pytest.mark.usefixtures("installs")
def test_a_changed_lock_file_is_installed_again(fresh_clone: Path) -> None:
    run.install(run.PRODUCTION)
    (fresh_clone / run.PRODUCTION).write_text("changed==2\n")

    assert not run.is_installed(run.PRODUCTION)


@pytest.mark.usefixtures("installs")
def test_a_python_that_is_gone_is_noticed(fresh_clone: Path) -> None:
    run.install(run.PRODUCTION)
    os.unlink(fresh_clone / ".venv" / "bin" / "python")

    assert not run.is_installed(run.PRODUCTION)


def test_lock_files_have_hashes_and_no_addresses() -> None:
    for name in (run.PRODUCTION, run.DEVELOPMENT):
        text = (run.PROJECT / name).read_text()
        packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

        assert all("==" in line and line.endswith("\\") for line in packages)
        assert "://" not in text
        assert "--index-url" not in text
