"""What every table shares: names of constraints, the tenant in the key, enumerations as checked text."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Enum, ForeignKeyConstraint, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

GLOBAL_TABLES = frozenset(
    {
        "tenants",
        "accounts",
        "password_credentials",
        "wechat_identities",
        "sessions",
        "national_calendars",
        "order_words",
    }
)
"""The few tables that belong to no tenant: `order_words` has hashes that only a tenant's id makes sense of.

Every other table has `tenant_id` first in its keys."""


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True), str: Text, int: BigInteger}  # noqa: RUF012 (SQLAlchemy reads it)


class TenantOwned:
    """A row of one district. The tenant leads the primary key, so that no key can point into another tenant."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-2)


def enumeration(kind: type[StrEnum], name: str = "") -> Enum:
    """Text with a CHECK of the values: readable in psql, extended by replacing one constraint.

    `name` tells two columns of one table apart that share a kind.
    """
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=40,
        values_callable=_values,
        name=name or kind.__name__.lower(),
    )


def reference(table: str, column: str, target_column: str = "id", **options: Any) -> ForeignKeyConstraint:
    """A foreign key inside one tenant: `(tenant_id, column)` → `table(tenant_id, target_column)`."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{table}.tenant_id", f"{table}.{target_column}"], **options)


def _values(kind: type[StrEnum]) -> list[str]:
    return [member.value for member in kind]
