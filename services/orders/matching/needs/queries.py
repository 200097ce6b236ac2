"""What is needed, what is offered: the lists of orders that wait, and of kinds with who could do them."""

from typing import Any
from uuid import UUID

import msgspec

from services.chassis import clock
from services.chassis.errors import Forbidden
from services.chassis.identity import Identity
from services.chassis.pagination import decode_cursor, encode_cursor
from services.orders.clocks.policy import rules_district
from services.orders.matching.needs.schemas import (
    KindSkill,
    KindSkills,
    NeedCount,
    NeedRead,
    NeedsPage,
    ServiceList,
    ServiceRead,
)
from services.orders.matching.policy import ALONG_THE_AREAS, OVERSEEING_ROLES, READING_ROLES, SERVING_ROLES, scope
from services.orders.orders.actions import UnknownOrderKind


async def needs_page(
    connection: Any, caller: Identity, *, area_id: UUID | None, kind: str | None, cursor: str | None, limit: int
) -> NeedsPage:
    """Orders nobody has yet. Raises Forbidden without a role that oversees, NotFound for a foreign area."""
    areas = await scope(connection, caller, OVERSEEING_ROLES, area_id)
    after = 0 if cursor is None else decode_cursor(cursor, tuple[int])[0]
    counts = await connection.fetch(_COUNTS, caller.tenant_id, areas, kind)
    rows = await connection.fetch(_NEEDS, caller.tenant_id, areas, kind, after, limit + 1)
    return NeedsPage(
        counts=[NeedCount.model_validate({**row}) for row in counts],
        items=[NeedRead.model_validate({**row}) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1]["key"]) if len(rows) > limit else None,
    )


async def services(connection: Any, caller: Identity, area_id: UUID | None) -> ServiceList:
    """Raises Forbidden for who neither serves nor oversees anywhere, NotFound for a foreign area."""
    areas = await scope(connection, caller, READING_ROLES, area_id)
    rows = await connection.fetch(_SERVICES, caller.tenant_id, areas, list(SERVING_ROLES), clock.now())
    return ServiceList(
        items=[ServiceRead.model_validate({**row, "skills": msgspec.json.decode(row["skills"])}) for row in rows]
    )


async def kind_skills(connection: Any, tenant_id: UUID, kind: str) -> KindSkills:
    """Raises UnknownOrderKind."""
    if not await connection.fetchval(_KIND, tenant_id, kind):
        raise UnknownOrderKind
    rows = await connection.fetch(_SKILLS, tenant_id, kind)
    return KindSkills(items=[KindSkill.model_validate({**row}) for row in rows])


async def decide_kind_skills(connection: Any, caller: Identity, kind: str, body: KindSkills) -> KindSkills:
    """In place of those before; the last one counts where a skill stands there twice. The route commits.

    Raises Forbidden, UnknownOrderKind.
    """
    if not await rules_district(connection, caller):
        raise Forbidden
    await kind_skills(connection, caller.tenant_id, kind)
    skills = {one.skill: one.is_needed for one in body.items}
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('skills of ' || $1::text, 0))", kind)
    await connection.execute(_FORGET_SKILLS, caller.tenant_id, kind)
    await connection.execute(_STORE_SKILLS, caller.tenant_id, kind, list(skills), list(skills.values()))
    return await kind_skills(connection, caller.tenant_id, kind)


_WAITING = """
FROM areas community
JOIN orders o ON o.tenant_id = $1 AND o.community_id = community.id
    AND (o.stage IN ('receive', 'dispatch') OR o.is_in_pool)
JOIN areas a ON a.tenant_id = $1 AND a.id = o.area_id
JOIN order_kinds k ON k.tenant_id = $1 AND k.id = o.kind
WHERE community.tenant_id = $1 AND community.id = ANY (
        SELECT c.community_id FROM areas c WHERE c.tenant_id = $1 AND c.ancestor_ids && $2
    )
    AND a.ancestor_ids && $2 AND ($3::text IS NULL OR o.kind = $3)
"""
_COUNTS = f"""
SELECT o.kind, k.name AS kind_name,
    count(*) FILTER (WHERE o.stage = 'receive') AS receive,
    count(*) FILTER (WHERE o.stage = 'dispatch') AS dispatch,
    count(*) FILTER (WHERE o.is_in_pool AND o.stage NOT IN ('receive', 'dispatch')) AS pool
{_WAITING}
GROUP BY o.kind, k.name ORDER BY o.kind
"""
_NEEDS = f"""
SELECT o.id AS order_id, o.number AS key, order_number(o.number) AS number, o.kind, k.name AS kind_name, o.stage,
    o.is_in_pool, o.priority, o.area_id, a.name AS area_name, o.community_id, o.helpers_wanted,
    o.wanted_from, o.wanted_until, o.placed_at
{_WAITING} AND o.number > $4
ORDER BY o.number LIMIT $5
"""
_SERVICES = f"""
WITH serving AS (
    SELECT DISTINCT g.account_id
    FROM grants g
    JOIN areas a ON a.tenant_id = g.tenant_id AND a.id = g.area_id
    JOIN memberships m ON m.tenant_id = g.tenant_id AND m.account_id = g.account_id AND m.ended_at IS NULL
    WHERE g.tenant_id = $1 AND g.role = ANY ($3)
        AND g.valid_from <= $4 AND (g.valid_to IS NULL OR g.valid_to > $4)
        AND {ALONG_THE_AREAS}
)
SELECT k.id AS kind, k.name, k.category,
    (
        SELECT COALESCE(
            jsonb_agg(jsonb_build_object('skill', s.skill, 'is_needed', s.is_needed) ORDER BY s.skill), '[]'
        )::text
        FROM order_kind_skills s WHERE s.tenant_id = $1 AND s.order_kind = k.id
    ) AS skills,
    (
        SELECT count(*) FROM serving h
        LEFT JOIN helper_profiles p ON p.tenant_id = $1 AND p.account_id = h.account_id
        WHERE ARRAY(
            SELECT s.skill FROM order_kind_skills s WHERE s.tenant_id = $1 AND s.order_kind = k.id AND s.is_needed
        ) <@ COALESCE(p.skills, '{{}}')
    ) AS helpers
FROM order_kinds k
WHERE k.tenant_id = $1 AND k.is_active
ORDER BY k.category, k.id
"""  # noqa: S608 (a constant)
_KIND = "SELECT true FROM order_kinds WHERE tenant_id = $1 AND id = $2"
_SKILLS = "SELECT skill, is_needed FROM order_kind_skills WHERE tenant_id = $1 AND order_kind = $2 ORDER BY skill"
_FORGET_SKILLS = "DELETE FROM order_kind_skills WHERE tenant_id = $1 AND order_kind = $2"
_STORE_SKILLS = """
INSERT INTO order_kind_skills (tenant_id, order_kind, skill, is_needed)
SELECT $1, $2, skill, is_needed FROM unnest($3::text[], $4::boolean[]) AS s (skill, is_needed)
"""
