"""The settings of one process: one frozen object read from the environment and handed to `create_app`."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, TypeAdapter, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEMO_PREFIX = "demo-"
"""Every secret of the demo begins with it, so that production can refuse them by sight."""

_KEYS = TypeAdapter(list[dict[str, Any]])


class UnsafeSettings(ValueError):
    """Production mode was asked for with something that only a demo may have."""


class Settings(BaseSettings):
    """What the environment says. Secrets come from nowhere else. `mode` is production unless it says otherwise."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    mode: Annotated[Literal["production", "demo", "test"], Field(alias="LINLI_MODE")] = "production"
    database_url: Annotated[str, Field(alias="DATABASE_URL", repr=False)]
    host: Annotated[str, Field(alias="HOST")] = "127.0.0.1"
    port: Annotated[int, Field(alias="PORT", ge=1, le=65535)] = 8000

    signing_keys_json: Annotated[SecretStr, Field(alias="LINLI_SIGNING_KEYS")] = SecretStr("[]")
    """JSON list of private Ed25519 JWKs with `kid`: the first signs, all verify. Only identity needs it."""
    refresh_secret: Annotated[SecretStr, Field(alias="LINLI_REFRESH_SECRET")] = SecretStr("")

    wechat_base_url: Annotated[str, Field(alias="LINLI_WECHAT_BASE_URL")] = "https://api.weixin.qq.com"
    wechat_app_id: Annotated[str, Field(alias="LINLI_WECHAT_APP_ID")] = ""
    wechat_app_secret: Annotated[SecretStr, Field(alias="LINLI_WECHAT_APP_SECRET")] = SecretStr("")
    demo_sign_in: Annotated[bool, Field(alias="LINLI_DEMO_SIGN_IN")] = False

    files_folder: Annotated[Path, Field(alias="LINLI_FILES_FOLDER")] = Path(".linli/files")

    identity_url: Annotated[str, Field(alias="IDENTITY_URL")] = ""
    grid_url: Annotated[str, Field(alias="GRID_URL")] = ""
    orders_url: Annotated[str, Field(alias="ORDERS_URL")] = ""
    points_url: Annotated[str, Field(alias="POINTS_URL")] = ""

    max_body_bytes: Annotated[int, Field(alias="LINLI_MAX_BODY_BYTES", ge=1024)] = 1_000_000
    max_upload_bytes: Annotated[int, Field(alias="LINLI_MAX_UPLOAD_BYTES", ge=1024)] = 10_000_000
    upstream_timeout_seconds: Annotated[float, Field(alias="LINLI_UPSTREAM_TIMEOUT_SECONDS", gt=0)] = 30.0
    pool_size: Annotated[int, Field(alias="LINLI_POOL_SIZE", ge=2, le=200)] = 16
    """Connections of each of a service's two pools (hot commands, sessions)."""
    outbox_poll_seconds: Annotated[float, Field(alias="LINLI_OUTBOX_POLL_SECONDS", gt=0)] = 2.0
    ledger_poll_seconds: Annotated[float, Field(alias="LINLI_LEDGER_POLL_SECONDS", gt=0)] = 1.0
    """How often the bookkeeping looks for what has expired, is to be sealed or to be published."""
    clock_poll_seconds: Annotated[float, Field(alias="LINLI_CLOCK_POLL_SECONDS", gt=0)] = 1.0
    """How often service clocks are looked after: a warning is told so much, and a few seconds, after its time."""

    outbox_kept_days: Annotated[int, Field(alias="LINLI_OUTBOX_KEPT_DAYS", ge=8, le=3650)] = 30
    """How long facts are kept that everybody has heard of. The database gives up nothing younger than a week."""
    answers_kept_days: Annotated[int, Field(alias="LINLI_ANSWERS_KEPT_DAYS", ge=8, le=3650)] = 30
    """How long a repeated request gets its first answer. Those of points are kept for ever."""
    sessions_kept_days: Annotated[int, Field(alias="LINLI_SESSIONS_KEPT_DAYS", ge=1, le=3650)] = 30
    """How long a sign-in that has ended or expired is kept."""
    retention_poll_seconds: Annotated[float, Field(alias="LINLI_RETENTION_POLL_SECONDS", gt=0)] = 3600.0

    @cached_property
    def signing_keys(self) -> list[dict[str, Any]]:
        """Raises UnsafeSettings, which never shows what was set."""
        try:
            return _KEYS.validate_json(self.signing_keys_json.get_secret_value() or "[]")
        except ValidationError:
            raise UnsafeSettings("LINLI_SIGNING_KEYS is not a JSON list of keys") from None

    @model_validator(mode="after")
    def _refuse_demo_in_production(self) -> Self:
        if self.mode != "production":
            return self
        if self.demo_sign_in:
            raise UnsafeSettings("LINLI_DEMO_SIGN_IN must be off in production mode")
        secrets = [self.refresh_secret, self.wechat_app_secret]
        if any(secret.get_secret_value().startswith(DEMO_PREFIX) for secret in secrets):
            raise UnsafeSettings("a demo secret is set in production mode")
        if self.wechat_app_id and not self.wechat_base_url.startswith("https://"):
            raise UnsafeSettings(
                "LINLI_WECHAT_BASE_URL must be https in production mode: who answers there signs people in"
            )
        if not self.signing_keys and not self.identity_url:
            raise UnsafeSettings("IDENTITY_URL or LINLI_SIGNING_KEYS is needed: nobody could be recognised without")
        if any(str(key.get("kid", "")).startswith(DEMO_PREFIX) for key in self.signing_keys):
            raise UnsafeSettings("a demo signing key is set in production mode")
        return self
