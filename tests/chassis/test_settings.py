"""Settings come from the environment, are checked once, and never show a secret."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from services.chassis.settings import Settings, UnsafeSettings
from tests.conftest import signing_key

SECRET = "S3CRET"
REAL = {
    "database_url": f"postgresql://linli:{SECRET}@db.example/linli",
    "signing_keys_json": json.dumps([signing_key("2026-11")]),
    "refresh_secret": f"{SECRET}-0123456789abcdef",
    "wechat_app_secret": SECRET,
}
"""What a production environment may look like."""

DEMO_SECRETS: list[dict[str, Any]] = [
    {"demo_sign_in": True},
    {"refresh_secret": "demo-refresh"},
    {"wechat_app_id": "wx441602", "wechat_base_url": "http://127.0.0.1:9000"},
    {"wechat_app_secret": "demo-wechat"},
    {"signing_keys_json": json.dumps([signing_key("demo-1")])},
    {"signing_keys_json": json.dumps([signing_key("2026-11"), signing_key("demo-1")])},
]


def made(**changes: Any) -> Settings:
    return Settings(**{**REAL, **changes})


def names(changes: dict[str, Any]) -> str:
    """What a case is called: never by its values, which are other ones in every process."""
    return "-".join(changes)


class TestProduction:
    def test_is_what_nobody_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Forgetting LINLI_MODE is safe."""
        monkeypatch.delenv("LINLI_MODE", raising=False)
        assert made().mode == "production"
        assert made().demo_sign_in is False

    @pytest.mark.parametrize("changes", DEMO_SECRETS, ids=names)
    def test_refuses_what_only_a_demo_may_have(self, changes: dict[str, Any]) -> None:
        """The demo's sign-in and each of its secrets, whichever of them was forgotten."""
        with pytest.raises(ValidationError, match="in production mode"):
            made(**changes)

    @pytest.mark.parametrize("changes", DEMO_SECRETS, ids=names)
    def test_a_demo_may_have_them(self, changes: dict[str, Any]) -> None:
        assert made(mode="demo", **changes).mode == "demo"

    def test_refuses_to_start_where_nobody_could_be_recognised(self) -> None:
        with pytest.raises(ValidationError, match="IDENTITY_URL or LINLI_SIGNING_KEYS"):
            made(signing_keys_json="[]")
        assert made(signing_keys_json="[]", identity_url="http://identity:8000").signing_keys == []

    def test_starts_with_secrets_of_its_own(self) -> None:
        assert [key["kid"] for key in made().signing_keys] == ["2026-11"]

    @pytest.mark.parametrize("mode", ["", "Production", "prod", "development", "demo "])
    def test_a_misspelt_mode_is_no_mode(self, mode: str) -> None:
        """Neither does it fall back to a mode that allows more."""
        with pytest.raises(ValidationError):
            made(mode=mode)


class TestSecrets:
    @pytest.mark.parametrize(
        "changes",
        [
            *DEMO_SECRETS,
            {"port": 0},
            {"pool_size": 1},
            {"mode": "nonsense"},
            {"signing_keys_json": f'[{{"d": "{SECRET}"'},
            {"signing_keys_json": f'"{SECRET}"'},
            {"signing_keys_json": f'[["{SECRET}"]]'},
        ],
        ids=names,
    )
    def test_are_in_no_complaint(self, changes: dict[str, Any]) -> None:
        """A process that refuses to start says why on a screen or in a log that others read."""
        with pytest.raises(ValidationError) as refusal:
            made(**changes)
        assert SECRET not in str(refusal.value)
        assert "demo-refresh" not in str(refusal.value)
        assert json.loads(REAL["signing_keys_json"])[0]["d"] not in str(refusal.value)

    def test_are_in_no_complaint_about_keys_read_later(self) -> None:
        """Outside production the keys are read when they are first needed."""
        demo = made(mode="demo", signing_keys_json=f'[{{"d": "{SECRET}"')
        with pytest.raises(UnsafeSettings) as refusal:
            assert demo.signing_keys
        assert SECRET not in str(refusal.value)
        assert refusal.value.__cause__ is None

    def test_are_not_shown_by_printing(self) -> None:
        """In a traceback or a debugger: neither the keys nor the password in the address of the database."""
        shown = f"{made()!r} {made()}"
        assert SECRET not in shown
        assert json.loads(REAL["signing_keys_json"])[0]["d"] not in shown

    def test_cannot_be_changed_afterwards(self) -> None:
        with pytest.raises(ValidationError):
            made().mode = "demo"  # type: ignore[misc]


class TestEnvironment:
    def test_is_where_they_come_from(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/linli")
        monkeypatch.setenv("LINLI_MODE", "demo")
        monkeypatch.setenv("LINLI_DEMO_SIGN_IN", "1")
        monkeypatch.setenv("PORT", "8123")
        monkeypatch.setenv("LINLI_SOMETHING_NEW", "is not for this version")
        settings = Settings()
        assert (settings.mode, settings.demo_sign_in, settings.port) == ("demo", True, 8123)
        assert settings.database_url == "postgresql://db.example/linli"

    def test_must_name_the_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        with pytest.raises(ValidationError, match="DATABASE_URL"):
            Settings()

    def test_of_a_production_is_refused_with_a_demo_secret_in_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/linli")
        monkeypatch.delenv("LINLI_MODE", raising=False)
        monkeypatch.setenv("LINLI_DEMO_SIGN_IN", "1")
        with pytest.raises(ValidationError, match="LINLI_DEMO_SIGN_IN must be off"):
            Settings()

    @pytest.mark.parametrize(
        "changes",
        [
            {"PORT": "0"},
            {"PORT": "65536"},
            {"PORT": "http"},
            {"LINLI_POOL_SIZE": "1"},
            {"LINLI_MAX_BODY_BYTES": "1"},
            {"LINLI_OUTBOX_KEPT_DAYS": "7"},
            {"LINLI_ANSWERS_KEPT_DAYS": "7"},
            {"LINLI_SESSIONS_KEPT_DAYS": "0"},
        ],
    )
    def test_out_of_range_is_refused(self, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/linli")
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ValidationError, match=next(iter(changes))):
            Settings()
