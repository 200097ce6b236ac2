"""Ids by arithmetic: the id of a row is its number in its family, so that a script of pgbench can name any row.

Person, home, resident and order of one number belong to the community of that number modulo COMMUNITIES.
"""

from enum import IntEnum
from uuid import UUID

COMMUNITIES = 20
BUILDINGS = 1_000
RESIDENTS = 20_000
PEOPLE = 200
"""The first residents have an account each, and are members (在册党员) of their community."""
FIRST_DISPATCHER = 1_000
FIRST_CLERK = 2_000
"""The accounts from these on: one dispatcher and one points clerk per community."""

FIRST_SUBDISTRICT, FIRST_COMMUNITY, FIRST_BUILDING = 2, 100, 1_000


class Family(IntEnum):
    """What an id is of."""

    TENANT = 1
    AREA = 2
    ACCOUNT = 3
    SESSION = 4
    GRANT = 5
    HOUSEHOLD = 6
    RESIDENT = 7
    PAST_ORDER = 8
    WAITING_ORDER = 9
    PLACED_ORDER = 10
    LEDGER_ACCOUNT = 11
    PAST_POSTING = 12
    NEW_POSTING = 13
    GRID = 14
    HOLD = 15


def numbered_id(family: Family, number: int) -> UUID:
    """The id of the row with this number."""
    return UUID(f"{family:08x}-0000-7000-8000-{number:012x}")


def numbered_sql(family: Family, number: str) -> str:
    """The same as a SQL text, of the SQL integer `number`."""
    return f"'{family:08x}-0000-7000-8000-' || lpad(to_hex({number}), 12, '0')"


DISTRICT = numbered_id(Family.TENANT, 1)
"""The tenant in which orders are placed and points posted."""
CITY = numbered_id(Family.TENANT, 2)
"""The tenant with 10,000 grids."""


def community_of(number: int) -> UUID:
    return numbered_id(Family.AREA, FIRST_COMMUNITY + number % COMMUNITIES)


COMMUNITY_SQL = numbered_sql(Family.AREA, f"{FIRST_COMMUNITY} + :n % {COMMUNITIES}")
PERSON_SQL = numbered_sql(Family.ACCOUNT, f":n % {PEOPLE}")
"""Ids for the scripts of pgbench, whose `:n` counts the calls."""
