"""The SQL that makes the district: sets of rows by arithmetic, so that a million orders take a fraction of a minute."""

import json

from benchmarks.numbering import (
    BUILDINGS,
    COMMUNITIES,
    DISTRICT,
    FIRST_BUILDING,
    FIRST_CLERK,
    FIRST_COMMUNITY,
    FIRST_DISPATCHER,
    FIRST_SUBDISTRICT,
    PEOPLE,
    RESIDENTS,
    Family,
    numbered_sql,
)
from services.orders.lifecycles.standard import STANDARD

PAST_ANSWERS = 20_000
PAST_POSTINGS = 20_000
"""Remembered answers and postings from before: what is planned for as empty would be read in full."""
POINTS_OF_A_LOT = 5
MOST_HOLDS = PAST_POSTINGS * POINTS_OF_A_LOT
"""Of one point each."""
OPEN_ORDERS = 2_000
"""The newest of the past orders are in the middle of their way, however many there are; the others are over."""
WORD_BLOCK = 16_384
FREQUENT_WORD = "降压药"
RARE_WORD = "窨井盖"
AROUND = "114.58,23.68,114.72,23.82"
"""The box of the whole district."""


def _id(family: Family, number: str) -> str:
    return f"({numbered_sql(family, number)})::uuid"


_COMMUNITY = _id(Family.AREA, f"{FIRST_COMMUNITY} + n % {COMMUNITIES}")
_BUILDING = _id(Family.AREA, f"{FIRST_BUILDING} + n % {BUILDINGS}")
_TOP = _id(Family.AREA, "1")
_SUBDISTRICT = _id(Family.AREA, f"{FIRST_SUBDISTRICT} + n % 4")
_PERSON = _id(Family.ACCOUNT, f"n % {PEOPLE}")
_HELPER = _id(Family.ACCOUNT, f"(n + {COMMUNITIES}) % {PEOPLE}")
_RESIDENT = _id(Family.RESIDENT, f"n % {RESIDENTS}")
_HOUSEHOLD = _id(Family.HOUSEHOLD, f"n % {RESIDENTS}")
_DISPATCHER = _id(Family.ACCOUNT, f"{FIRST_DISPATCHER} + n % {COMMUNITIES}")
_NOBODYS_OWN = f"{PEOPLE} + n % {RESIDENTS - PEOPLE}"
"""The number of a resident without an account, of the same community."""

_ACCOUNTS = f"""(
    SELECT generate_series(0, {PEOPLE - 1}) AS n
    UNION ALL SELECT generate_series({FIRST_DISPATCHER}, {FIRST_DISPATCHER + COMMUNITIES - 1})
    UNION ALL SELECT generate_series({FIRST_CLERK}, {FIRST_CLERK + COMMUNITIES - 1})
) AS numbers"""
_LIFECYCLE = f"'{STANDARD.model_dump_json()}', '{json.dumps(STANDARD.compiled())}'"
_AREAS = "areas (tenant_id, id, parent_id, level, code, name, ancestor_ids, community_id)"

FOUNDATION = (
    f"INSERT INTO tenants (id, code, name) VALUES ('{DISTRICT}', '990001', '源城区')",
    f"""
    INSERT INTO area_levels (tenant_id, level, name, depth)
    SELECT '{DISTRICT}', level, name, depth
    FROM unnest(ARRAY['district', 'subdistrict', 'community', 'building'], ARRAY['区', '街道', '社区', '楼栋'])
        WITH ORDINALITY AS l (level, name, depth)
    """,
    f"INSERT INTO area_tree_versions (tenant_id, version) VALUES ('{DISTRICT}', 1)",
    f"INSERT INTO {_AREAS} VALUES ('{DISTRICT}', {_TOP}, NULL, 'district', '990001', '源城区', ARRAY[{_TOP}], NULL)",
    f"""
    INSERT INTO {_AREAS}
    SELECT '{DISTRICT}', {_SUBDISTRICT}, {_TOP}, 'subdistrict', '990001' || lpad((n + 1)::text, 3, '0'),
        '第' || n + 1 || '街道', ARRAY[{_TOP}, {_SUBDISTRICT}], NULL
    FROM generate_series(0, 3) AS n
    """,
    f"""
    INSERT INTO {_AREAS}
    SELECT '{DISTRICT}', {_COMMUNITY}, {_SUBDISTRICT}, 'community', '990001100' || lpad(n::text, 3, '0'),
        '第' || n + 1 || '社区', ARRAY[{_TOP}, {_SUBDISTRICT}, {_COMMUNITY}], {_COMMUNITY}
    FROM generate_series(0, {COMMUNITIES - 1}) AS n
    """,
    f"""
    INSERT INTO {_AREAS}
    SELECT '{DISTRICT}', {_BUILDING}, {_COMMUNITY}, 'building', '990001200' || lpad(n::text, 6, '0'),
        n / {COMMUNITIES} + 1 || '栋', ARRAY[{_TOP}, {_SUBDISTRICT}, {_COMMUNITY}, {_BUILDING}], {_COMMUNITY}
    FROM generate_series(0, {BUILDINGS - 1}) AS n
    """,
    f"INSERT INTO accounts (id, name) SELECT {_id(Family.ACCOUNT, 'n')}, '陈志' || n FROM {_ACCOUNTS}",
    f"INSERT INTO memberships (tenant_id, account_id) SELECT '{DISTRICT}', {_id(Family.ACCOUNT, 'n')} FROM {_ACCOUNTS}",
    f"""
    INSERT INTO sessions (id, account_id, tenant_id, method, expires_at)
    SELECT {_id(Family.SESSION, "n")}, {_id(Family.ACCOUNT, "n")}, '{DISTRICT}', 'demo', now() + interval '1 day'
    FROM {_ACCOUNTS}
    """,
    f"""
    INSERT INTO grants (tenant_id, id, account_id, role, area_id)
    SELECT '{DISTRICT}', {_id(Family.GRANT, "n")}, {_id(Family.ACCOUNT, "n")},
        CASE WHEN n < {FIRST_DISPATCHER} THEN 'member' WHEN n < {FIRST_CLERK} THEN 'dispatcher' ELSE 'points_clerk' END,
        {_COMMUNITY}
    FROM {_ACCOUNTS}
    """,
    f"""
    INSERT INTO households (tenant_id, id, area_id, dwelling)
    SELECT '{DISTRICT}', {_HOUSEHOLD}, {_BUILDING}, n / {BUILDINGS} + 1 || '单元502'
    FROM generate_series(0, {RESIDENTS - 1}) AS n
    """,
    f"""
    INSERT INTO residents (tenant_id, id, name, phone, account_id)
    SELECT '{DISTRICT}', {_RESIDENT}, '张德' || n, '138' || lpad(n::text, 8, '0'),
        CASE WHEN n < {PEOPLE} THEN {_PERSON} END
    FROM generate_series(0, {RESIDENTS - 1}) AS n
    """,
    f"""
    INSERT INTO household_members (tenant_id, household_id, resident_id)
    SELECT '{DISTRICT}', {_HOUSEHOLD}, {_RESIDENT} FROM generate_series(0, {RESIDENTS - 1}) AS n
    """,
    f"""
    INSERT INTO order_lifecycles (tenant_id, version, definition, compiled, note, recorded_at)
    VALUES ('{DISTRICT}', 1, {_LIFECYCLE}, '标准流程', now())
    """,
    f"""
    INSERT INTO order_kinds (tenant_id, id, name, category)
    VALUES ('{DISTRICT}', 'buy_medicine', '代购药品', 'care'), ('{DISTRICT}', 'home_repair', '家电维修', 'repair')
    """,
    f"""
    INSERT INTO idempotency_keys (tenant_id, service, account_id, key, request_hash, status, body)
    SELECT '{DISTRICT}', service, {_PERSON}, 'past-' || n, sha256(n::text::bytea), 200, '{{}}'
    FROM generate_series(1, {PAST_ANSWERS}) AS n, unnest(ARRAY['linli_orders', 'linli_points']) AS service
    """,
    f"""
    INSERT INTO ledger_accounts (tenant_id, id, asset, kind, owner_id)
    SELECT '{DISTRICT}'::uuid, {_id(Family.LEDGER_ACCOUNT, "n")}, 'points', 'member', {_PERSON}
    FROM generate_series(0, {PEOPLE - 1}) AS n
    UNION ALL
    SELECT '{DISTRICT}', {_id(Family.LEDGER_ACCOUNT, f"{PEOPLE} + n")}, 'points', 'issuing_community', {_COMMUNITY}
    FROM generate_series(0, {COMMUNITIES - 1}) AS n
    """,
    f"""
    INSERT INTO ledger_transactions
        (tenant_id, id, kind, source_kind, source_id, reason, effective_at, recorded_by)
    SELECT '{DISTRICT}', {_id(Family.PAST_POSTING, "n")}, 'award', 'award', {_id(Family.PAST_POSTING, "n")},
        '重阳节敬老志愿服务', now(), {_id(Family.ACCOUNT, f"{FIRST_CLERK} + n % {COMMUNITIES}")}
    FROM generate_series(0, {PAST_POSTINGS - 1}) AS n
    """,
    f"""
    INSERT INTO ledger_entries (tenant_id, account_id, sequence, transaction_id, amount, balance_after)
    SELECT '{DISTRICT}'::uuid, {_id(Family.LEDGER_ACCOUNT, f"n % {PEOPLE}")}, n / {PEOPLE} + 1,
        {_id(Family.PAST_POSTING, "n")}, 5, 5 * (n / {PEOPLE} + 1)
    FROM generate_series(0, {PAST_POSTINGS - 1}) AS n
    UNION ALL
    SELECT '{DISTRICT}', {_id(Family.LEDGER_ACCOUNT, f"{PEOPLE} + n % {COMMUNITIES}")}, n / {COMMUNITIES} + 1,
        {_id(Family.PAST_POSTING, "n")}, -5, -5 * (n / {COMMUNITIES} + 1)
    FROM generate_series(0, {PAST_POSTINGS - 1}) AS n
    """,
    f"""
    INSERT INTO ledger_lots (tenant_id, account_id, sequence, part, amount, remaining, expires_at, issuer_id)
    SELECT '{DISTRICT}'::uuid, {_id(Family.LEDGER_ACCOUNT, f"n % {PEOPLE}")}, n / {PEOPLE} + 1, 1,
        {POINTS_OF_A_LOT}, {POINTS_OF_A_LOT}, 'infinity', {_COMMUNITY}
    FROM generate_series(0, {PAST_POSTINGS - 1}) AS n
    """,
    f"""
    UPDATE ledger_accounts a SET balance = e.balance, version = e.version
    FROM (
        SELECT account_id, sum(amount) AS balance, count(*) AS version
        FROM ledger_entries WHERE tenant_id = '{DISTRICT}' GROUP BY account_id
    ) AS e
    WHERE a.tenant_id = '{DISTRICT}' AND a.id = e.account_id
    """,
)

SECONDARY_INDEXES = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i WHERE i.indrelid IN ('orders'::regclass, 'order_words'::regclass) AND NOT i.indisunique
"""

_ORDERS = """orders (
    tenant_id, id, kind, state, stage, lifecycle_version, version, area_id, community_id, household_id, resident_id,
    placed_by, assignee_id, is_in_pool, description, contact_name, contact_phone, address, visibility, lng, lat,
    placed_at, triaged_at, dispatched_at, accepted_at, started_at, completed_at, verified_at, rated_at, rewarded_at,
    closed_at, cancelled_at, timer_at, timer_action, completion_note, stars, solved
)"""

_STAGE = f"""CASE state {" ".join(f"WHEN '{state.id}' THEN '{state.stage}'" for state in STANDARD.states)} END"""
_WAYS = {
    "placed": "place",
    "triaged": "place triage",
    "dispatched": "place triage dispatch",
    "accepted": "place triage dispatch accept",
    "in_progress": "place triage dispatch accept start",
    "completed": "place triage dispatch accept start complete",
    "verified": "place triage dispatch accept start complete verify",
    "rated": "place triage dispatch accept start complete rate",
    "closed": "place triage dispatch accept start complete rate close",
    "cancelled": "place cancel",
}
"""The actions of past orders, by the state they ended in."""


def _states_of(way: str) -> list[str]:
    """The state after each action of a way."""
    states = [STANDARD.initial.id]
    for action in way.split()[1:]:
        step = STANDARD.step(action, states[-1])
        assert step is not None
        states.append(step.to_state or states[-1])
    return states


def _array(words: list[str]) -> str:
    return f"ARRAY[{', '.join(repr(word) for word in words)}]"


def _by_state(column: str, values: dict[str, str]) -> str:
    return f"CASE {column} {' '.join(f'WHEN {state!r} THEN {value}' for state, value in values.items())} END"


def _came_to(action: str, value: str) -> str:
    """The value, for orders on whose way the action was."""
    states = ", ".join(repr(state) for state, way in _WAYS.items() if action in way.split())
    return f"CASE WHEN state IN ({states}) THEN {value} END"


def _minutes_later(action: str, minutes: int) -> str:
    return _came_to(action, f"placed_at + interval '{minutes} minutes'")


_VERSION = _by_state("state", {state: str(len(way.split())) for state, way in _WAYS.items()})
_TIMER = _by_state(
    "state",
    {
        state: f"now() + interval '{step.after_minutes} minutes'"
        for state in _WAYS
        for step in STANDARD.steps_from(state)
        if step.after_minutes is not None
    },
)
"""Counted from now: nothing closes by itself while the benchmark runs."""

_DESCRIPTIONS = (
    f"代购一周{FREQUENT_WORD}，药单在药盒里，请周一上午送到",
    "厨房水龙头漏水，关不紧，地上都是水",
    "卫生间灯不亮，换了灯泡也没用",
    f"{FREQUENT_WORD}快吃完了，麻烦到社区卫生站代取",
    "楼道声控灯坏了，晚上看不清台阶",
    "高压锅密封圈老化，请帮忙看看能不能修",
    f"老人独自在家，{FREQUENT_WORD}和维生素请一起代购",
    "电视遥控器没反应，儿女都在外地",
    "暖气片不热，其他房间都热",
)
_DESCRIPTION = f"""CASE
    WHEN n / {COMMUNITIES} % 4999 = 7 THEN '楼下{RARE_WORD}松动，车一过就响，怕孩子踩空'
    ELSE ({_array(list(_DESCRIPTIONS))})[1 + n / {COMMUNITIES} % {len(_DESCRIPTIONS)}]
END"""
_HAS_POINT = "n % 5 < 4"
_PAST_STATE = f"""CASE
    WHEN n <= {{last}} - {OPEN_ORDERS} THEN CASE WHEN share < 95 THEN 'closed' ELSE 'cancelled' END
    WHEN share < 12 THEN 'placed' WHEN share < 24 THEN 'triaged' WHEN share < 42 THEN 'dispatched'
    WHEN share < 64 THEN 'accepted' WHEN share < 72 THEN 'in_progress' WHEN share < 86 THEN 'completed'
    WHEN share < 93 THEN 'verified' ELSE 'rated'
END"""

PAST_ORDERS = f"""
INSERT INTO {_ORDERS}
SELECT '{DISTRICT}', {_id(Family.PAST_ORDER, "n")}, kind, state, {_STAGE}, 1, {_VERSION},
    {_BUILDING}, {_COMMUNITY}, {_HOUSEHOLD}, {_RESIDENT},
    CASE WHEN n % {RESIDENTS} < {PEOPLE} THEN {_PERSON} ELSE {_DISPATCHER} END, {_came_to("accept", _HELPER)},
    state = 'dispatched', {_DESCRIPTION}, '张德' || n % {RESIDENTS},
    '138' || lpad((n % {RESIDENTS})::text, 8, '0'), '万隆一品小区' || n % {BUILDINGS} || '栋2单元502',
    CASE WHEN n / {COMMUNITIES} % 4 = 0 THEN 'community' ELSE 'private' END,
    CASE WHEN {_HAS_POINT} THEN 114.6 + n % 100 * 0.001 END,
    CASE WHEN {_HAS_POINT} THEN 23.7 + n / 100 % 100 * 0.001 END,
    placed_at, {_minutes_later("triage", 5)}, {_minutes_later("dispatch", 10)}, {_minutes_later("accept", 15)},
    {_minutes_later("start", 20)}, {_minutes_later("complete", 60)}, {_minutes_later("verify", 90)},
    {_minutes_later("rate", 120)}, {_minutes_later("rate", 120)},
    CASE state WHEN 'closed' THEN placed_at + interval '3 days' ELSE {_minutes_later("cancel", 5)} END,
    {_minutes_later("cancel", 5)}, {_TIMER}, CASE WHEN {_TIMER} IS NOT NULL THEN 'close' END,
    {_came_to("complete", "'药品已送到家中'")}, {_came_to("rate", "3 + n % 3")}, {_came_to("rate", "true")}
FROM (
    SELECT n, now() - interval '4 days' - ({{last}} - n) * interval '20 seconds' AS placed_at,
        CASE WHEN n / {COMMUNITIES} % 3 = 0 THEN 'home_repair' ELSE 'buy_medicine' END AS kind, {_PAST_STATE} AS state
    FROM (SELECT n, n / {COMMUNITIES} * 37 % 100 AS share FROM generate_series(1, {{last}}) AS n) AS mixed
) AS past
"""

PAST_HISTORY = f"""
INSERT INTO order_history (tenant_id, order_id, sequence, action, from_state, to_state, actor_id, at)
SELECT '{DISTRICT}', o.id, s, path.actions[s], path.states[s - 1], path.states[s],
    CASE WHEN path.actions[s] <> 'close' THEN o.placed_by END, o.placed_at + s * interval '5 minutes'
FROM orders o
CROSS JOIN LATERAL (
    SELECT {_by_state("o.state", {state: _array(way.split()) for state, way in _WAYS.items()})} AS actions,
        {_by_state("o.state", {state: _array(_states_of(way)) for state, way in _WAYS.items()})} AS states
) AS path
CROSS JOIN generate_series(1, o.version) AS s
WHERE o.tenant_id = '{DISTRICT}'
"""

CLOCKS = f"""
INSERT INTO order_clocks (
    tenant_id, order_id, target, round, community_id, area_id, assignee_id, state, unit, started_at, due_at, sorts_at,
    segments, why, computed_at
)
SELECT o.tenant_id, o.id, 'finish', 1, o.community_id, o.area_id, o.assignee_id,
    CASE WHEN o.number % 7 = 0 THEN 'missed' ELSE 'running' END, 'work_hours', o.placed_at, due.at, due.at,
    '[]', '{{}}', now()
FROM orders o, LATERAL (
    SELECT now() + CASE WHEN o.number % 7 = 0 THEN interval '-1 hour' ELSE interval '2 days' END AS at
) AS due
WHERE o.tenant_id = '{DISTRICT}' AND o.stage IN ('receive', 'dispatch', 'handle')
"""
"""Of the open orders; nothing is promised of new ones, so that no keeper works beside what is measured."""

WORDS = f"""
INSERT INTO order_word_blocks (tenant_id, first_number, last_number, orders)
SELECT '{DISTRICT}', CASE WHEN min(o.number) = start.number THEN 0 ELSE min(o.number) END, max(o.number), count(*)
FROM (SELECT min(number) AS number FROM orders) AS start, orders o
WHERE o.tenant_id = '{DISTRICT}' GROUP BY (o.number - start.number) / {WORD_BLOCK}, start.number;
INSERT INTO order_words (tenant_id, number, tokens)
SELECT o.tenant_id, o.number, order_word_tokens(o.tenant_id, b.first_number, g.grams)
    || order_word_tokens(o.community_id, b.first_number, g.grams)
FROM orders o
JOIN order_word_blocks b ON b.tenant_id = o.tenant_id AND o.number BETWEEN b.first_number AND b.last_number,
    LATERAL (SELECT order_grams(order_text(o)) AS grams OFFSET 0) AS g
WHERE o.tenant_id = '{DISTRICT}'
"""
"""As the keeper of words (order_words_keep) makes them, in one go."""


def waiting_orders(count: int, state: str, *, is_sent: bool) -> str:
    """Orders 0 to `count` - 1 of their family in this state, of residents without an account; `is_sent`: to the helper
    of the number who is to accept it.
    """
    way = _WAYS[state]
    actions, states = _array(way.split()), _array(_states_of(way))
    last = len(way.split())
    return f"""
    INSERT INTO orders (
        tenant_id, id, kind, state, stage, lifecycle_version, version, area_id, community_id, household_id, resident_id,
        placed_by, assignee_id, is_in_pool, description, contact_name, contact_phone, address, placed_at, triaged_at,
        dispatched_at
    )
    SELECT '{DISTRICT}', {_id(Family.WAITING_ORDER, "n")}, 'buy_medicine', state, {_STAGE}, 1, {last}, {_BUILDING},
        {_COMMUNITY}, {_id(Family.HOUSEHOLD, _NOBODYS_OWN)}, {_id(Family.RESIDENT, _NOBODYS_OWN)}, {_DISPATCHER},
        {_PERSON if is_sent else "NULL"}, state = 'dispatched' AND NOT {is_sent},
        '{_DESCRIPTIONS[0]}', '张德' || n, '13800138000', '万隆一品小区3栋2单元502', now(),
        {_came_to("triage", "now()")}, {_came_to("dispatch", "now()")}
    FROM (SELECT n, '{state}' AS state FROM generate_series(0, {count} - 1) AS n) AS waiting;
    INSERT INTO order_history (tenant_id, order_id, sequence, action, from_state, to_state, actor_id, at)
    SELECT '{DISTRICT}', {_id(Family.WAITING_ORDER, "n")}, s, ({actions})[s], ({states})[s - 1], ({states})[s],
        {_DISPATCHER}, now()
    FROM generate_series(0, {count} - 1) AS n, generate_series(1, {last}) AS s
    """


REMOVE_ORDERS = """
TRUNCATE orders RESTART IDENTITY CASCADE;
TRUNCATE order_words, order_word_blocks, order_word_work, order_clock_work
"""

BESIDE_ORDERS = ("order_history", "order_clocks", "order_files", "order_helpers", "due_follow_ups", "order_answers")
"""Tables with rows of orders by order_id, which a run may add to."""

FORGET_ORDERS = (
    "".join(
        f"""
DELETE FROM {table} t USING orders o
WHERE t.tenant_id = '{DISTRICT}' AND o.tenant_id = t.tenant_id AND o.id = t.order_id AND o.number > {{last}};"""
        for table in BESIDE_ORDERS
    )
    + f"""
DELETE FROM order_clock_work WHERE tenant_id = '{DISTRICT}';
DELETE FROM order_word_work WHERE tenant_id = '{DISTRICT}';
DELETE FROM order_words WHERE tenant_id = '{DISTRICT}' AND number > {{last}};
DELETE FROM order_word_blocks WHERE tenant_id = '{DISTRICT}' AND first_number > {{last}};
UPDATE order_word_blocks b SET last_number = {{last}}, orders = {{last}} - b.first_number
WHERE b.tenant_id = '{DISTRICT}' AND b.last_number > {{last}};
DELETE FROM orders WHERE tenant_id = '{DISTRICT}' AND number > {{last}};
DELETE FROM idempotency_keys WHERE tenant_id = '{DISTRICT}' AND key NOT LIKE 'past-%'
"""
)

_PAST_POSTINGS = f"{_id(Family.PAST_POSTING, '0')} AND {_id(Family.PAST_POSTING, str(PAST_POSTINGS))}"

FORGET_POSTINGS = f"""
LOCK TABLE ledger_chain_heads IN EXCLUSIVE MODE;
DELETE FROM ledger_unsealed WHERE tenant_id = '{DISTRICT}';
DELETE FROM ledger_chain WHERE tenant_id = '{DISTRICT}';
DELETE FROM ledger_chain_heads WHERE tenant_id = '{DISTRICT}';
DELETE FROM ledger_open_holds WHERE tenant_id = '{DISTRICT}';
DELETE FROM ledger_hold_ends WHERE tenant_id = '{DISTRICT}';
DELETE FROM ledger_hold_lots WHERE tenant_id = '{DISTRICT}';
DELETE FROM ledger_holds WHERE tenant_id = '{DISTRICT}';
DELETE FROM ledger_allocations WHERE tenant_id = '{DISTRICT}';
DELETE FROM ledger_lots l USING ledger_entries e
WHERE l.tenant_id = '{DISTRICT}' AND e.tenant_id = l.tenant_id AND e.account_id = l.account_id
    AND e.sequence = l.sequence AND e.transaction_id NOT BETWEEN {_PAST_POSTINGS};
UPDATE ledger_lots SET remaining = amount, held = 0
WHERE tenant_id = '{DISTRICT}' AND (remaining <> amount OR held <> 0);
DELETE FROM ledger_entries WHERE tenant_id = '{DISTRICT}' AND transaction_id NOT BETWEEN {_PAST_POSTINGS};
DELETE FROM ledger_transactions WHERE tenant_id = '{DISTRICT}' AND id NOT BETWEEN {_PAST_POSTINGS};
UPDATE ledger_accounts a SET balance = e.balance, version = e.version, held = 0
FROM (
    SELECT a.id, COALESCE(sum(e.amount), 0) AS balance, count(e.amount) AS version
    FROM ledger_accounts a
    LEFT JOIN ledger_entries e ON e.tenant_id = a.tenant_id AND e.account_id = a.id
    WHERE a.tenant_id = '{DISTRICT}' GROUP BY a.id
) AS e
WHERE a.tenant_id = '{DISTRICT}' AND a.id = e.id AND (a.version <> e.version OR a.held <> 0);
DELETE FROM idempotency_keys WHERE tenant_id = '{DISTRICT}' AND key NOT LIKE 'past-%'
"""

_HOLD = _id(Family.HOLD, "n")
_HOLDS_ACCOUNT = _id(Family.LEDGER_ACCOUNT, f"n % {PEOPLE}")
_HOLDS_LOT = f"n / {PEOPLE * POINTS_OF_A_LOT} + 1"

HOLDS = f"""
INSERT INTO ledger_holds (
    tenant_id, id, account_id, amount, kind, to_kind, to_owner_id, source_kind, source_id, reason, expires_at,
    recorded_at, recorded_by
)
SELECT '{DISTRICT}', {_HOLD}, {_HOLDS_ACCOUNT}, 1, 'redemption', 'issuing_community', {_COMMUNITY}, 'hold', {_HOLD},
    '预定纸巾一包', now() + interval '7 days', now(), {_PERSON}
FROM generate_series(0, {{count}} - 1) AS n;
INSERT INTO ledger_hold_lots (tenant_id, hold_id, account_id, lot_sequence, lot_part, amount)
SELECT '{DISTRICT}', {_HOLD}, {_HOLDS_ACCOUNT}, {_HOLDS_LOT}, 1, 1 FROM generate_series(0, {{count}} - 1) AS n;
INSERT INTO ledger_open_holds (tenant_id, hold_id, account_id, expires_at)
SELECT h.tenant_id, h.id, h.account_id, h.expires_at FROM ledger_holds h WHERE h.tenant_id = '{DISTRICT}';
UPDATE ledger_lots l SET held = h.held
FROM (
    SELECT account_id, lot_sequence, sum(amount) AS held FROM ledger_hold_lots
    WHERE tenant_id = '{DISTRICT}' GROUP BY account_id, lot_sequence
) AS h
WHERE l.tenant_id = '{DISTRICT}' AND l.account_id = h.account_id AND l.sequence = h.lot_sequence;
UPDATE ledger_accounts a SET held = h.held
FROM (
    SELECT account_id, sum(amount) AS held FROM ledger_holds WHERE tenant_id = '{DISTRICT}' GROUP BY account_id
) AS h
WHERE a.tenant_id = '{DISTRICT}' AND a.id = h.account_id
"""

NEW_ORDERS = """
SELECT count(*) FROM orders o
JOIN order_history h ON h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.sequence = 1
WHERE o.tenant_id = $1 AND o.number > $2
"""

NEW_POSTINGS = f"""
SELECT count(*) FROM ledger_transactions t
WHERE t.tenant_id = $1 AND t.id NOT BETWEEN {_PAST_POSTINGS}
    AND (SELECT count(*) FROM ledger_entries e WHERE e.tenant_id = t.tenant_id AND e.transaction_id = t.id) = 2
"""

NEW_HOLDS = "SELECT count(*) FROM ledger_open_holds WHERE tenant_id = $1"
