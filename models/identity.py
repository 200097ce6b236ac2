"""Who people are: accounts (global), their memberships of a tenant and the grants that say what they may do where."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class Role(StrEnum):
    """What a grant lets its holder be in an area and everything below it. A resident needs no grant."""

    DISTRICT_ADMIN = "district_admin"
    COMMUNITY_ADMIN = "community_admin"
    DISPATCHER = "dispatcher"
    GRID_WORKER = "grid_worker"
    MEMBER = "member"
    VOLUNTEER = "volunteer"
    PROPERTY_COMPANY = "property_company"
    POINTS_CLERK = "points_clerk"


class SignInMethod(StrEnum):
    PASSWORD = "password"  # noqa: S105 (a method's name)
    WECHAT = "wechat"
    DEMO = "demo"


class Tenant(Base):
    """One district or county (区/县). `code` is its six-digit division code."""

    __tablename__ = "tenants"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(6), unique=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Account(Base):
    """One person, whatever tenants they belong to. Holds a name only: details live with the tenant that needs them."""

    __tablename__ = "accounts"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    suspended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class PasswordCredential(Base):
    __tablename__ = "password_credentials"
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str]
    failed_attempts: Mapped[int] = mapped_column(server_default="0")
    locked_until: Mapped[datetime | None]
    first_until: Mapped[datetime | None]
    """Set while the password is one that somebody else chose: until then it only opens the choice of another."""


class WechatIdentity(Base):
    """An openid is per mini-program; unionid exists only where the app is bound to an open platform account."""

    __tablename__ = "wechat_identities"
    app_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    openid: Mapped[str] = mapped_column(String(128), primary_key=True)
    unionid: Mapped[str | None] = mapped_column(String(128))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)


class Session(Base):
    """One sign-in of one person in one tenant. Its refresh token is derived from (id, generation), never stored."""

    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    method: Mapped[SignInMethod] = mapped_column(enumeration(SignInMethod))
    generation: Mapped[int] = mapped_column(server_default="0")
    """Counts rotations of the refresh token; a token of an earlier generation is a reuse."""
    sign_in_request: Mapped[str | None] = mapped_column(String(64), unique=True)
    """HMAC-SHA256 of (path, Idempotency-Key, body) under the refresh secret: a repeated sign-in finds its session."""
    rotation_key: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the Idempotency-Key of the last rotation: a repeated refresh gets the same answer."""
    rotated_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(40))


class Membership(TenantOwned, Base):
    """Ties an account to a tenant. Ended by `ended_at`, never deleted: orders and entries point here."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("suspended_at IS NULL OR suspended_at IS NOT DISTINCT FROM ended_at", name="suspension_ends"),
        Index("ix_memberships_account_id", "account_id"),
    )
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    joined_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ended_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]
    """Ended for now: whoever asks for `ended_at` alone sees no member, and only this one can be reinstated."""


class IdentityEventKind(StrEnum):
    ACCOUNT_OPENED = "account_opened"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_REINSTATED = "account_reinstated"
    PASSWORD_RESET = "password_reset"  # noqa: S105 (an event's name)
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (an event's name)


class IdentityEvent(TenantOwned, Base):
    """Who did what to whose account, when and why. Append-only; of people it holds ids and the reason given."""

    __tablename__ = "identity_events"
    __table_args__ = (
        reference("memberships", "actor_id", "account_id"),
        reference("memberships", "account_id", "account_id"),
        Index("ix_identity_events_account_id", "tenant_id", "account_id", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[IdentityEventKind] = mapped_column(enumeration(IdentityEventKind))
    actor_id: Mapped[UUID]
    account_id: Mapped[UUID]
    reason: Mapped[str | None] = mapped_column(String(200))
    recorded_at: Mapped[datetime]


class Grant(TenantOwned, Base):
    """Role × area subtree × term. In force while `valid_from` ≤ now < `valid_to`."""

    __tablename__ = "grants"
    __table_args__ = (
        reference("memberships", "account_id", "account_id"),
        reference("areas", "area_id"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="term"),
        Index("ix_grants_account_id", "tenant_id", "account_id"),
        UniqueConstraint("tenant_id", "account_id", "role", "area_id", "valid_from"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    role: Mapped[Role] = mapped_column(enumeration(Role))
    area_id: Mapped[UUID]
    valid_from: Mapped[datetime] = mapped_column(server_default=text("now()"))
    valid_to: Mapped[datetime | None]
