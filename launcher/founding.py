"""`found-district`: a district that can work, in an empty database or beside the districts that are there already.

Its levels, its official areas, the standard life and kinds of orders with their forms and times, a first version of the
earning rules, and an administrator who can sign in: everything after that is done through the API.
"""

import argparse
import asyncio
import getpass
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter, ValidationError

from launcher.database import migrate, product_database
from launcher.divisions import Division, DivisionsRefused, Levels, read_divisions, read_levels
from launcher.terminal import CannotStart, say
from models.identity import Role
from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.database import driver_url, tenant_statement
from services.chassis.errors import Problem
from services.chassis.schemas import Name, new_id
from services.identity.sign_in.new_passwords import NewUsername, refuse_demo_username, refuse_weak
from services.identity.sign_in.passwords import hash_password
from services.identity.sign_in.schemas import TenantCode
from services.orders.kinds.standard import STANDARD_KINDS, standard_policies
from services.orders.lifecycles.standard import STANDARD
from services.points.earning.terms import Terms

PASSWORD_VARIABLE = "LINLI_FIRST_PASSWORD"  # noqa: S105 (a variable's name)

DEFAULT_LEVELS = "district=区,subdistrict=街道,community=社区,compound=小区,building=楼栋"

FIRST_TERMS = Terms.model_validate(
    {
        "orders": {
            "general": {"fixed_points": 5, "min_stars": 3, "bonus": {"points": 2, "stars": 5}},
            "kinds": {kind.id: {"fixed_points": 0} for kind in STANDARD_KINDS if kind.is_paid_work},
        },
        "services": {"general": {"rate": {"points": 1, "per_minutes": 60}, "credits_minutes": True}},
    }
)
"""Five points an order, two more for five stars, a point an hour of certified service; nothing for paid work."""


@dataclass(frozen=True)
class Charter:
    """What a district is founded with. The first of `areas` is the district itself."""

    code: str
    name: str
    levels: Levels
    areas: Sequence[Division]
    admin_name: str
    admin_username: str
    password_hash: str


def found_district(arguments: list[str]) -> None:
    """Migrate the database, then make the district whole or not at all. Raises CannotStart."""
    charter = _charter(_parse(arguments))
    with product_database() as url:
        migrate(url)
        asyncio.run(found(url, charter))
    say(f"Founded {charter.name} ({charter.code}): {len(charter.areas)} areas, {len(STANDARD_KINDS)} kinds of order,")
    say(
        "each with its form and its times, and a first version of the earning rules (5 points an order, 1 point an hour"
    )
    say("of certified service).")
    say(f"{charter.admin_name} administers it. Next, with the product running:")
    say(f'  POST /v1/sign-in/password  {{"username": "{charter.admin_username}", "password": "…"}}')
    say("  POST /v1/accounts          accounts for the staff, each with a first role; a second administrator soon:")
    say("                             rules of earning, and much else, take two people")
    say("  POST /v1/areas             compounds and buildings below the communities")


async def found(database_url: str, charter: Charter) -> UUID:
    """The id of the new tenant. One transaction, as the user of `database_url`, who owns the tables.

    Raises CannotStart when the code or the user name is taken; nothing has changed then.
    """
    connection = await asyncpg.connect(driver_url(database_url))
    try:
        async with connection.transaction():
            return await _found(connection, charter)
    finally:
        await connection.close()


# What is written --------------------------------------------------------------------------------------------------


async def _found(connection: Any, charter: Charter) -> UUID:
    tenant_id = new_id()
    taken = "INSERT INTO tenants (id, code, name) VALUES ($1, $2, $3) ON CONFLICT (code) DO NOTHING RETURNING id"
    if await connection.fetchval(taken, tenant_id, charter.code, charter.name) is None:
        raise CannotStart(f"There is a district {charter.code} already; nothing was changed.")
    await connection.execute(tenant_statement(tenant_id))
    district_id = await _lay_out(connection, tenant_id, charter)
    admin_id = await _appoint(connection, tenant_id, charter, district_id)
    await _give_life_to_orders(connection, tenant_id)
    await _offer_kinds(connection, tenant_id)
    await _promise(connection, tenant_id, admin_id)
    await _set_first_rules(connection, tenant_id)
    return tenant_id


async def _lay_out(connection: Any, tenant_id: UUID, charter: Charter) -> UUID:
    """The levels and the area tree; the id of the district's own area."""
    await connection.executemany(
        "INSERT INTO area_levels (tenant_id, level, name, depth) VALUES ($1, $2, $3, $4)",
        [(tenant_id, level, name, depth) for depth, (level, name) in enumerate(charter.levels.items())],
    )
    await connection.execute("INSERT INTO area_tree_versions (tenant_id, version) VALUES ($1, 1)", tenant_id)
    today = clock.now().astimezone(SHANGHAI).date()
    paths: dict[str, list[UUID]] = {"": []}
    communities: dict[str, UUID | None] = {"": None}
    rows: list[tuple[Any, ...]] = []
    for area in charter.areas:
        area_id, above = new_id(), paths[area.parent_code]
        paths[area.code] = [*above, area_id]
        communities[area.code] = area_id if area.is_community else communities[area.parent_code]
        parent_id = above[-1] if above else None
        place = (area.level, area.code, area.name, paths[area.code], communities[area.code], today)
        rows.append((tenant_id, area_id, parent_id, *place))
    await connection.executemany(
        "INSERT INTO areas (tenant_id, id, parent_id, level, code, name, ancestor_ids, community_id, valid_from)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        rows,
    )
    return paths[charter.code][0]


async def _appoint(connection: Any, tenant_id: UUID, charter: Charter, district_id: UUID) -> UUID:
    """The administrator's account."""
    account_id = new_id()
    await connection.execute("INSERT INTO accounts (id, name) VALUES ($1, $2)", account_id, charter.admin_name)
    credential = await connection.fetchval(
        "INSERT INTO password_credentials (account_id, username, password_hash) VALUES ($1, $2, $3)"
        " ON CONFLICT (username) DO NOTHING RETURNING account_id",
        account_id, charter.admin_username, charter.password_hash,
    )  # fmt: skip
    if credential is None:
        raise CannotStart(f"Somebody has the user name {charter.admin_username} already; nothing was changed.")
    await connection.execute("INSERT INTO memberships (tenant_id, account_id) VALUES ($1, $2)", tenant_id, account_id)
    await connection.execute(
        "INSERT INTO grants (tenant_id, id, account_id, role, area_id) VALUES ($1, $2, $3, $4, $5)",
        tenant_id, new_id(), account_id, Role.DISTRICT_ADMIN.value, district_id,
    )  # fmt: skip
    return account_id


async def _give_life_to_orders(connection: Any, tenant_id: UUID) -> None:
    """The standard lifecycle as version 1: every kind has it until the district loads another."""
    definition, compiled = json.dumps(STANDARD.model_dump(mode="json")), json.dumps(STANDARD.compiled())
    await connection.execute(
        "INSERT INTO order_lifecycles (tenant_id, version, definition, compiled, note, recorded_at)"
        " VALUES ($1, 1, $2, $3, '标准流程', $4)",
        tenant_id, definition, compiled, clock.now(),
    )  # fmt: skip


async def _offer_kinds(connection: Any, tenant_id: UUID) -> None:
    """The standard kinds, each with the first version of its form."""
    names = ", ".join(STANDARD_KINDS[0].columns())
    places = ", ".join(f"${number}" for number in range(2, 2 + len(STANDARD_KINDS[0].columns())))
    await connection.executemany(
        f"INSERT INTO order_kinds (tenant_id, {names}) VALUES ($1, {places})",  # noqa: S608 (names out of the product)
        [(tenant_id, *kind.columns().values()) for kind in STANDARD_KINDS],
    )
    await connection.executemany(
        "INSERT INTO order_kind_forms (tenant_id, kind, version, questions, recorded_at) VALUES ($1, $2, 1, $3, $4)",
        [(tenant_id, kind.id, json.dumps(kind.form(), ensure_ascii=False), clock.now()) for kind in STANDARD_KINDS],
    )


async def _promise(connection: Any, tenant_id: UUID, admin_id: UUID) -> None:
    """The standard times, in force from now on; the administrator answers for them, and may decide others."""
    moment = clock.now()
    await connection.executemany(
        "INSERT INTO clock_policies (tenant_id, version, order_kind, targets, note, active_from, recorded_by,"
        " recorded_at) VALUES ($1, $2, $3, $4, '设区初始时限', $5, $6, $5)",
        [
            (tenant_id, version, kind, json.dumps(targets), moment, admin_id)
            for version, (kind, targets) in enumerate(standard_policies(), start=1)
        ],
    )


async def _set_first_rules(connection: Any, tenant_id: UUID) -> None:
    """In force from now on, drafted by nobody: there are no two people yet who could decide on them."""
    moment = clock.now() - timedelta(seconds=1)
    await connection.execute(
        "INSERT INTO earning_rule_versions (tenant_id, version, state, terms, note, drafted_at, active_from,"
        " activated_at) VALUES ($1, 1, 'active', $2, '设区初始规则', $3, $3, $3)",
        tenant_id, json.dumps(FIRST_TERMS.model_dump(mode="json")), moment,
    )  # fmt: skip


# What is asked ----------------------------------------------------------------------------------------------------


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="found-district",
        description="Make a district that can work: levels, areas, kinds of order, rules of earning, administrator.",
        epilog=f"The administrator's password is asked for, or taken from {PASSWORD_VARIABLE}.",
    )
    parser.add_argument("--code", required=True, help="six-digit division code, e.g. 340111")
    parser.add_argument("--name", required=True, help="what the district is called, e.g. 包河区")
    parser.add_argument("--admin-name", required=True, help="the first administrator, as people call them")
    parser.add_argument("--admin-username", required=True, help="what the administrator signs in with")
    parser.add_argument("--levels", default=DEFAULT_LEVELS, help="from the top down (default: %(default)s)")
    parser.add_argument(
        "--areas",
        type=Path,
        help="CSV with the columns code, parent_code, level, name: the areas below the district; rows of other"
        " districts are left out",
    )
    return parser.parse_args(arguments)


def _charter(options: argparse.Namespace) -> Charter:
    """Everything that can be judged without the database. Raises CannotStart."""
    code = _fitting(TenantCode, options.code, "--code must be a division code of six digits")
    name = _fitting(Name, options.name, "--name must be a name of 1 to 60 characters")
    admin_name = _fitting(Name, options.admin_name, "--admin-name must be a name of 1 to 60 characters")
    username = _fitting(
        NewUsername,
        options.admin_username,
        "--admin-username takes 3 to 64 of a-z, 0-9, . _ - and begins with a letter",
    )
    try:
        refuse_demo_username(username)
        levels = read_levels(options.levels)
        divisions = read_divisions(options.areas, code, levels) if options.areas else []
        password = _first_password()
        refuse_weak(password, username=username)
    except DivisionsRefused as error:
        raise CannotStart(str(error)) from None
    except Problem as problem:
        raise CannotStart(problem.detail(english=True)) from None
    district = Division(code, "", next(iter(levels)), name)
    return Charter(code, name, levels, [district, *divisions], admin_name, username, hash_password(password))


def _fitting(kind: Any, text: str, sentence: str) -> str:
    try:
        return str(TypeAdapter(kind).validate_python(text.strip()))
    except ValidationError:
        raise CannotStart(f"{sentence}, and it is '{text}'.") from None


def _first_password() -> str:
    """Never from the command line: other users of the machine can read that."""
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    if not sys.stdin.isatty():
        raise CannotStart(f"Nobody can be asked for the password here: set {PASSWORD_VARIABLE}.")
    password = getpass.getpass("Password of the administrator: ")
    if getpass.getpass("Once more: ") != password:
        raise CannotStart("These were two different passwords; nothing was changed.")
    return password
