"""Places and people: the area tree, households, residents and the posts that answer for them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class Crs(StrEnum):
    """Coordinate systems met in China. Everything is stored as WGS-84 beside what was sent."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"
    CGCS2000 = "cgcs2000"


class Sex(StrEnum):
    """GB/T 2261.1."""

    UNKNOWN = "0"
    MALE = "1"
    FEMALE = "2"
    UNSPECIFIED = "9"


class Relation(StrEnum):
    """Relation to the head of the household, first digit of GB/T 4761."""

    HEAD = "0"
    SPOUSE = "1"
    SON = "2"
    DAUGHTER = "3"
    GRANDCHILD = "4"
    PARENT = "5"
    GRANDPARENT = "6"
    SIBLING = "7"
    OTHER = "8"


class PostKind(StrEnum):
    """Posts that answer for a household, in the order in which one turns to them (三长制, 包保责任链)."""

    BUILDING_LEADER = "building_leader"
    GRID_LEADER = "grid_leader"
    PARTY_GROUP_LEADER = "party_group_leader"
    RESPONSIBLE_PERSON = "responsible_person"
    GUARANTOR_CADRE = "guarantor_cadre"
    GUARANTOR_LEADER = "guarantor_leader"


class AreaLevel(TenantOwned, Base):
    """The tenant's own names for the levels of its tree, e.g. 街道 / 社区 / 小区 / 楼栋. Depth 0 is the district."""

    __tablename__ = "area_levels"
    __table_args__ = (UniqueConstraint("tenant_id", "depth"),)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    level: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str]
    depth: Mapped[int] = mapped_column(SmallInteger)


class Area(TenantOwned, Base):
    """A node of the area tree. `code` is the official division code, below a community base + suffix, never reused."""

    __tablename__ = "areas"
    __table_args__ = (
        reference("areas", "parent_id"),
        reference("area_levels", "level", "level"),
        UniqueConstraint("tenant_id", "code"),
        CheckConstraint("code ~ '^[0-9]{6,24}$'", name="code"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="validity"),
        CheckConstraint("ancestor_ids[cardinality(ancestor_ids)] = id", name="ancestors_end_here"),
        CheckConstraint("(boundary IS NULL) = (boundary_crs IS NULL)", name="boundary_names_crs"),
        Index("ix_areas_parent_id", "tenant_id", "parent_id"),
        Index("ix_areas_ancestor_ids", "ancestor_ids", postgresql_using="gin"),
        Index("ix_areas_community_id", "tenant_id", "community_id"),
        Index("ix_areas_communities", "tenant_id", "id", postgresql_where=text("id = community_id")),
    )
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    parent_id: Mapped[UUID | None]
    level: Mapped[str] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(24))
    name: Mapped[str]
    ancestor_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    """From the district down to this area itself: `X = ANY(ancestor_ids)` reads "lies in X"."""
    community_id: Mapped[UUID | None]
    """The community (twelve-digit code) this area is or lies in; none above communities."""
    boundary: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """GeoJSON Polygon or MultiPolygon, WGS-84, longitude first."""
    boundary_original: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    boundary_crs: Mapped[Crs | None] = mapped_column(enumeration(Crs))
    registered_population: Mapped[int | None]
    resident_population: Mapped[int | None]
    valid_from: Mapped[date] = mapped_column(server_default=text("CURRENT_DATE"))
    valid_to: Mapped[date | None]


class AreaTreeVersion(TenantOwned, Base):
    """Counts changes of a tenant's tree and boundaries, in the same transaction: in-memory indexes compare it."""

    __tablename__ = "area_tree_versions"
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    version: Mapped[int]


class Household(TenantOwned, Base):
    """A dwelling and the people registered or living in it. `dwelling` is its place in the building, e.g. 2单元502."""

    __tablename__ = "households"
    __table_args__ = (
        reference("areas", "area_id"),
        UniqueConstraint("tenant_id", "area_id", "dwelling"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    area_id: Mapped[UUID]
    dwelling: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Resident(TenantOwned, Base):
    """A person known to the district. Nobody is asked for an ID number here."""

    __tablename__ = "residents"
    __table_args__ = (
        reference("memberships", "account_id", "account_id"),
        UniqueConstraint("tenant_id", "account_id"),
        Index("ix_residents_name", "tenant_id", "name"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    sex: Mapped[Sex] = mapped_column(enumeration(Sex), server_default=Sex.UNKNOWN.value)
    birth_date: Mapped[date | None]
    phone: Mapped[str | None] = mapped_column(String(20))
    account_id: Mapped[UUID | None]
    """The account this resident signs in with, if any."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class HouseholdMember(TenantOwned, Base):
    """A resident may belong to several households (人户分离)."""

    __tablename__ = "household_members"
    __table_args__ = (
        reference("households", "household_id"),
        reference("residents", "resident_id"),
        Index("ix_household_members_resident_id", "tenant_id", "resident_id"),
    )
    household_id: Mapped[UUID] = mapped_column(primary_key=True)
    resident_id: Mapped[UUID] = mapped_column(primary_key=True)
    relation: Mapped[Relation] = mapped_column(enumeration(Relation), server_default=Relation.OTHER.value)
    is_registered_here: Mapped[bool] = mapped_column(server_default=text("true"))
    lives_here: Mapped[bool] = mapped_column(server_default=text("true"))


class Post(TenantOwned, Base):
    """A post with a term of office, held for one area. `duty_phone` is public by law, the holder's own phone is not."""

    __tablename__ = "posts"
    __table_args__ = (
        reference("areas", "area_id"),
        reference("memberships", "account_id", "account_id"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="term"),
        Index("ix_posts_area_id", "tenant_id", "area_id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    area_id: Mapped[UUID]
    kind: Mapped[PostKind] = mapped_column(enumeration(PostKind))
    holder_name: Mapped[str] = mapped_column(String(60))
    duty_phone: Mapped[str | None] = mapped_column(String(20))
    account_id: Mapped[UUID | None]
    valid_from: Mapped[date] = mapped_column(server_default=text("CURRENT_DATE"))
    valid_to: Mapped[date | None]
    """First day on which the term is over; none while it runs."""
