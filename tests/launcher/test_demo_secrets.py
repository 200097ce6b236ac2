"""Secrets of the demo: kept, private, and refused in production."""

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from launcher.demo_secrets import FILE_NAME, demo_secrets
from services.chassis.settings import Settings


def test_are_the_same_at_every_start_and_differ_between_folders(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    assert demo_secrets(tmp_path) == demo_secrets(tmp_path)
    assert demo_secrets(tmp_path) != demo_secrets(tmp_path / "other")


def test_only_we_may_read_them(tmp_path: Path) -> None:
    demo_secrets(tmp_path)

    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_kill_while_writing_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).with_suffix(".new").write_text("{half")

    assert demo_secrets(tmp_path) == demo_secrets(tmp_path)


@pytest.mark.parametrize("name", ["LINLI_SIGNING_KEYS", "LINLI_REFRESH_SECRET"])
def test_production_refuses_each_of_them(name: str, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": "postgresql:///linli", name: demo_secrets(tmp_path)[name]}

    assert Settings.model_validate({**environment, "LINLI_MODE": "demo"}).mode == "demo"
    with pytest.raises(ValidationError, match="demo"):
        Settings.model_validate({**environment, "LINLI_MODE": "production"})
