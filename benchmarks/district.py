"""The district the benchmarks work in, made by a handful of SQL statements: a million orders in well under two minutes.

Everything is numbered, and an id is a number in its family, so that a script of pgbench can name any row by arithmetic.
Person, home, resident and order of one number belong to the community of that number modulo COMMUNITIES.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.chassis import clock
from services.chassis.database import driver_url, tenant_statement
from services.chassis.tokens import Claims, sign_token

COMMUNITIES = 20
BUILDINGS = 1_000
RESIDENTS = 2_000
PEOPLE = 200
"""Each is a resident with an account, and a member (在册党员) of their community."""
FIRST_DISPATCHER = 1_000
"""The accounts from here on: one dispatcher per community."""

PAST_KEYS = 20_000
"""Answers remembered from before: a table that is empty at first is planned for as empty, and read in full."""

TENANT, AREA, ACCOUNT, SESSION, GRANT, HOUSEHOLD, RESIDENT, ORDER, WAITING, PLACED = range(1, 11)
FIRST_SUBDISTRICT, FIRST_COMMUNITY, FIRST_BUILDING = 2, 100, 1_000


def numbered_id(family: int, number: int) -> UUID:
    """The id of the row with this number."""
    return UUID(f"{family:08x}-0000-7000-8000-{number:012x}")


def numbered_sql(family: int, number: str) -> str:
    """The same as a SQL text, of the SQL integer `number`."""
    return f"'{family:08x}-0000-7000-8000-' || lpad(to_hex({number}), 12, '0')"


TENANT_ID = numbered_id(TENANT, 1)


def community_of(number: int) -> UUID:
    return numbered_id(AREA, FIRST_COMMUNITY + number % COMMUNITIES)


@dataclass(frozen=True)
class Caller:
    """Somebody who is signed in."""

    account_id: UUID
    session_id: UUID
    token: str


class District:
    """The district in one database, on one connection of whoever may load it."""

    def __init__(self, connection: Any, signing_key: dict[str, Any]) -> None:
        self._connection = connection
        self.people = [_caller(number, signing_key) for number in range(PEOPLE)]
        self.dispatchers = [_caller(FIRST_DISPATCHER + number, signing_key) for number in range(COMMUNITIES)]
        self.orders = 0
        self._last_number = 0

    @classmethod
    async def found(cls, url: str, signing_key: dict[str, Any]) -> "District":
        """Its areas and people, in a migrated, empty database."""
        connection = await asyncpg.connect(driver_url(url), command_timeout=600)
        await connection.execute(tenant_statement(TENANT_ID).replace("LOCAL ", ""))
        # The rows refer to each other rightly by construction: checking each reference would take most of the time.
        await connection.execute("SET session_replication_role = replica")
        district = cls(connection, signing_key)
        for statement in _FOUNDATION:
            await connection.execute(statement)
        await connection.execute("ANALYZE")
        return district

    async def close(self) -> None:
        await self._connection.close()

    async def grow_to(self, orders: int) -> None:
        """As many past orders with their history, seven years' mix of states, newest last."""
        indexes = await self._connection.fetch(_SECONDARY_INDEXES)
        for index in indexes:
            await self._connection.execute(f"DROP INDEX {index['name']}")
        await self._connection.execute(_PAST_ORDERS.format(first=self.orders + 1, last=orders))
        await self._connection.execute(_PAST_HISTORY.format(after=self._last_number))
        for index in indexes:
            await self._connection.execute(index["definition"])
        await self._tidy_up()
        self.orders = orders
        self._last_number = await self._connection.fetchval("SELECT max(number) FROM orders")

    async def forget_later_orders(self) -> None:
        """Back to the past orders: what the last measurement has made is gone, and the tables are as before."""
        await self._connection.execute(_FORGET.format(last=self._last_number))
        await self._tidy_up()

    async def add_waiting_orders(self, count: int) -> None:
        """Orders 0 to `count` - 1 of the family WAITING, in the open pools."""
        await self._connection.execute(_WAITING_ORDERS.format(count=count))
        await self._tidy_up()

    async def count(self, query: str) -> int:
        return int(await self._connection.fetchval(query))

    async def _tidy_up(self) -> None:
        await self._connection.execute("VACUUM (ANALYZE) orders")
        await self._connection.execute("VACUUM (ANALYZE) order_history")
        await self._connection.execute("VACUUM (ANALYZE) idempotency_keys")


def _caller(number: int, signing_key: dict[str, Any]) -> Caller:
    account_id, session_id = numbered_id(ACCOUNT, number), numbered_id(SESSION, number)
    moment = clock.now()
    claims = Claims(account_id, TENANT_ID, session_id, (moment + timedelta(hours=2)).timestamp())
    return Caller(account_id, session_id, sign_token(signing_key, claims, moment))


def _id(family: int, number: str) -> str:
    return f"({numbered_sql(family, number)})::uuid"


_COMMUNITY = _id(AREA, f"{FIRST_COMMUNITY} + n % {COMMUNITIES}")
_BUILDING = _id(AREA, f"{FIRST_BUILDING} + n % {BUILDINGS}")
_DISTRICT_AREA = _id(AREA, "1")
_SUBDISTRICT = _id(AREA, f"{FIRST_SUBDISTRICT} + n % 4")

_ACCOUNTS = (
    f"(SELECT generate_series(0, {PEOPLE - 1}) AS n"
    f" UNION ALL SELECT generate_series({FIRST_DISPATCHER}, {FIRST_DISPATCHER + COMMUNITIES - 1})) AS numbers"
)
_AREA_COLUMNS = "areas (tenant_id, id, parent_id, level, code, name, ancestor_ids, community_id)"

_FOUNDATION = (
    f"INSERT INTO tenants (id, code, name) VALUES ('{TENANT_ID}', '990001', '源城区')",
    f"""
    INSERT INTO area_levels (tenant_id, level, name, depth)
    SELECT '{TENANT_ID}', level, name, depth
    FROM unnest(ARRAY['district', 'subdistrict', 'community', 'building'], ARRAY['区', '街道', '社区', '楼栋'])
        WITH ORDINALITY AS l (level, name, depth)
    """,
    f"INSERT INTO area_tree_versions (tenant_id, version) VALUES ('{TENANT_ID}', 1)",
    f"""
    INSERT INTO {_AREA_COLUMNS}
    VALUES ('{TENANT_ID}', {_DISTRICT_AREA}, NULL, 'district', '990001', '源城区', ARRAY[{_DISTRICT_AREA}], NULL)
    """,
    f"""
    INSERT INTO {_AREA_COLUMNS}
    SELECT '{TENANT_ID}', {_SUBDISTRICT}, {_DISTRICT_AREA}, 'subdistrict', '990001' || lpad((n + 1)::text, 3, '0'),
        '第' || n + 1 || '街道', ARRAY[{_DISTRICT_AREA}, {_SUBDISTRICT}], NULL
    FROM generate_series(0, 3) AS n
    """,
    f"""
    INSERT INTO {_AREA_COLUMNS}
    SELECT '{TENANT_ID}', {_COMMUNITY}, {_SUBDISTRICT}, 'community', '990001100' || lpad(n::text, 3, '0'),
        '第' || n + 1 || '社区', ARRAY[{_DISTRICT_AREA}, {_SUBDISTRICT}, {_COMMUNITY}], {_COMMUNITY}
    FROM generate_series(0, {COMMUNITIES - 1}) AS n
    """,
    f"""
    INSERT INTO {_AREA_COLUMNS}
    SELECT '{TENANT_ID}', {_BUILDING}, {_COMMUNITY}, 'building', '990001200' || lpad(n::text, 6, '0'),
        n / {COMMUNITIES} + 1 || '栋', ARRAY[{_DISTRICT_AREA}, {_SUBDISTRICT}, {_COMMUNITY}, {_BUILDING}], {_COMMUNITY}
    FROM generate_series(0, {BUILDINGS - 1}) AS n
    """,
    f"INSERT INTO accounts (id, name) SELECT {_id(ACCOUNT, 'n')}, '陈志' || n FROM {_ACCOUNTS}",
    f"INSERT INTO memberships (tenant_id, account_id) SELECT '{TENANT_ID}', {_id(ACCOUNT, 'n')} FROM {_ACCOUNTS}",
    f"""
    INSERT INTO sessions (id, account_id, tenant_id, method, expires_at)
    SELECT {_id(SESSION, "n")}, {_id(ACCOUNT, "n")}, '{TENANT_ID}', 'demo', now() + interval '1 day' FROM {_ACCOUNTS}
    """,
    f"""
    INSERT INTO grants (tenant_id, id, account_id, role, area_id)
    SELECT '{TENANT_ID}', {_id(GRANT, "n")}, {_id(ACCOUNT, "n")},
        CASE WHEN n < {FIRST_DISPATCHER} THEN 'member' ELSE 'dispatcher' END, {_COMMUNITY}
    FROM {_ACCOUNTS}
    """,
    f"""
    INSERT INTO households (tenant_id, id, area_id, dwelling)
    SELECT '{TENANT_ID}', {_id(HOUSEHOLD, "n")}, {_BUILDING}, n / {BUILDINGS} + 1 || '单元502'
    FROM generate_series(0, {RESIDENTS - 1}) AS n
    """,
    f"""
    INSERT INTO residents (tenant_id, id, name, phone, account_id)
    SELECT '{TENANT_ID}', {_id(RESIDENT, "n")}, '张德' || n, '138' || lpad(n::text, 8, '0'),
        CASE WHEN n < {PEOPLE} THEN {_id(ACCOUNT, "n")} END
    FROM generate_series(0, {RESIDENTS - 1}) AS n
    """,
    f"""
    INSERT INTO household_members (tenant_id, household_id, resident_id)
    SELECT '{TENANT_ID}', {_id(HOUSEHOLD, "n")}, {_id(RESIDENT, "n")} FROM generate_series(0, {RESIDENTS - 1}) AS n
    """,
    f"""
    INSERT INTO order_kinds (tenant_id, id, name, category)
    VALUES ('{TENANT_ID}', 'buy_medicine', '代购药品', 'care'), ('{TENANT_ID}', 'home_repair', '家电维修', 'repair')
    """,
    f"""
    INSERT INTO idempotency_keys (tenant_id, service, account_id, key, request_hash, status, body)
    SELECT '{TENANT_ID}', service, {_id(ACCOUNT, f"n % {PEOPLE}")}, 'past-' || n, sha256(n::text::bytea), 200, '{{}}'
    FROM generate_series(1, {PAST_KEYS}) AS n, unnest(ARRAY['linli_orders', 'linli_points']) AS service
    """,
)

_SECONDARY_INDEXES = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i WHERE i.indrelid = 'orders'::regclass AND NOT i.indisunique
"""

_ORDER_COLUMNS = """orders (
    tenant_id, id, kind, state, version, area_id, community_id, household_id, resident_id, placed_by, assignee_id,
    description, contact_name, contact_phone, address, placed_at, dispatched_at, accepted_at, started_at, completed_at,
    rated_at, cancelled_at, completion_note, stars, solved
)"""

_PAST_ORDERS = f"""
INSERT INTO {_ORDER_COLUMNS}
SELECT '{TENANT_ID}', {_id(ORDER, "n")}, kind, state,
    CASE state
        WHEN 'placed' THEN 1 WHEN 'dispatched' THEN 2 WHEN 'accepted' THEN 3 WHEN 'in_progress' THEN 4
        WHEN 'completed' THEN 4 WHEN 'rated' THEN 5 ELSE 2
    END,
    {_BUILDING}, {_COMMUNITY}, {_id(HOUSEHOLD, f"n % {RESIDENTS}")}, {_id(RESIDENT, f"n % {RESIDENTS}")},
    {_id(ACCOUNT, f"n % {PEOPLE}")},
    CASE WHEN state NOT IN ('placed', 'dispatched', 'cancelled')
        THEN {_id(ACCOUNT, f"(n + {COMMUNITIES}) % {PEOPLE}")} END,
    '代购一周降压药，药单在药盒里，请周一上午送到', '张德' || n % {RESIDENTS},
    '138' || lpad((n % {RESIDENTS})::text, 8, '0'), '万隆一品小区' || n % {BUILDINGS} || '栋2单元502',
    at,
    CASE WHEN state NOT IN ('placed', 'cancelled') THEN at + interval '5 minutes' END,
    CASE WHEN state IN ('accepted', 'in_progress', 'completed', 'rated') THEN at + interval '10 minutes' END,
    CASE WHEN state = 'in_progress' THEN at + interval '20 minutes' END,
    CASE WHEN state IN ('completed', 'rated') THEN at + interval '1 hour' END,
    CASE WHEN state = 'rated' THEN at + interval '2 hours' END,
    CASE WHEN state = 'cancelled' THEN at + interval '5 minutes' END,
    CASE WHEN state IN ('completed', 'rated') THEN '药品已送到家中' END,
    CASE WHEN state = 'rated' THEN 3 + n % 3 END, CASE WHEN state = 'rated' THEN true END
FROM (
    SELECT n, now() - interval '8 months' + n * interval '20 seconds' AS at,
        CASE WHEN n % 3 = 0 THEN 'home_repair' ELSE 'buy_medicine' END AS kind,
        CASE
            WHEN p < 4 THEN 'placed' WHEN p < 7 THEN 'dispatched' WHEN p < 12 THEN 'accepted'
            WHEN p < 14 THEN 'in_progress' WHEN p < 20 THEN 'completed' WHEN p < 95 THEN 'rated' ELSE 'cancelled'
        END AS state
    FROM (SELECT n, n / {COMMUNITIES} * 37 % 100 AS p FROM generate_series({{first}}, {{last}}) AS n) AS mixed
) AS past
"""

_PAST_HISTORY = f"""
INSERT INTO order_history (tenant_id, order_id, sequence, action, from_state, to_state, actor_id, at)
SELECT '{TENANT_ID}', o.id, s, path.actions[s], path.states[s - 1], path.states[s], o.placed_by,
    o.placed_at + s * interval '5 minutes'
FROM orders o
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN o.state = 'cancelled' THEN ARRAY['place', 'cancel']
            WHEN o.state = 'in_progress' THEN ARRAY['place', 'dispatch', 'accept', 'start']
            ELSE ARRAY['place', 'dispatch', 'accept', 'complete', 'rate'] END AS actions,
        CASE WHEN o.state = 'cancelled' THEN ARRAY['placed', 'cancelled']
            WHEN o.state = 'in_progress' THEN ARRAY['placed', 'dispatched', 'accepted', 'in_progress']
            ELSE ARRAY['placed', 'dispatched', 'accepted', 'completed', 'rated'] END AS states
) AS path
CROSS JOIN generate_series(1, o.version) AS s
WHERE o.tenant_id = '{TENANT_ID}' AND o.number > {{after}}
"""

_WAITING_ORDERS = f"""
INSERT INTO {_ORDER_COLUMNS}
SELECT '{TENANT_ID}', {_id(WAITING, "n")}, 'buy_medicine', 'dispatched', 2, {_BUILDING}, {_COMMUNITY},
    {_id(HOUSEHOLD, f"{PEOPLE} + n % {RESIDENTS - PEOPLE}")}, {_id(RESIDENT, f"{PEOPLE} + n % {RESIDENTS - PEOPLE}")},
    {_id(ACCOUNT, f"(n + {COMMUNITIES}) % {PEOPLE}")}, NULL,
    '代购一周降压药，药单在药盒里，请周一上午送到', '张德' || n, '13800138000', '万隆一品小区3栋2单元502',
    now(), now(), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM generate_series(0, {{count}} - 1) AS n;
INSERT INTO order_history (tenant_id, order_id, sequence, action, from_state, to_state, actor_id, at)
SELECT '{TENANT_ID}', {_id(WAITING, "n")}, s,
    CASE s WHEN 1 THEN 'place' ELSE 'dispatch' END, CASE s WHEN 2 THEN 'placed' END,
    CASE s WHEN 1 THEN 'placed' ELSE 'dispatched' END, {_id(ACCOUNT, f"n % {PEOPLE}")}, now()
FROM generate_series(0, {{count}} - 1) AS n, generate_series(1, 2) AS s
"""

_FORGET = f"""
DELETE FROM order_history h USING orders o
WHERE h.tenant_id = '{TENANT_ID}' AND o.tenant_id = h.tenant_id AND o.id = h.order_id AND o.number > {{last}};
DELETE FROM orders WHERE tenant_id = '{TENANT_ID}' AND number > {{last}};
DELETE FROM idempotency_keys WHERE key NOT LIKE 'past-%'
"""
