"""A small district of its own for each test: tenancy keeps tests apart, so they share one database and one process."""

import itertools
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2

from models.identity import Role
from services.chassis import clock
from services.chassis.database import driver_url, tenant_statement
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from services.chassis.tokens import Claims, sign_token
from services.orders.lifecycles.definition import Lifecycle
from services.orders.lifecycles.standard import STANDARD

ARRANGER = "linli_test"
"""The role tests arrange and check under: may write every table, and row security binds it like everyone else."""

EARNING_TERMS: dict[str, Any] = {
    "orders": {"general": {"fixed_points": 5, "min_stars": 3, "bonus": {"points": 2, "stars": 5}}},
    "services": {"general": {"rate": {"points": 1}, "credits_minutes": True}},
}
"""What people earn in a test's district: 5 points an order, 2 more for five stars; a point an hour of other service."""

_district_codes = itertools.count(100_000)


@dataclass(frozen=True)
class Person:
    """Somebody who can call the API. `client` carries their token."""

    name: str
    account_id: UUID
    resident_id: UUID | None
    token: str
    client: httpx2.AsyncClient

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        return await self.client.get(path, params=query)

    async def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> httpx2.Response:
        """With a fresh Idempotency-Key unless one is given."""
        return await self.client.post(
            path, json=body or {}, headers={"Idempotency-Key": key or str(uuid4()), **headers}
        )

    async def upload(self, content: bytes, *, name: str = "photo.jpg", key: str | None = None) -> httpx2.Response:
        headers = {"Idempotency-Key": key or str(uuid4())}
        return await self.client.post("/v1/files", files={"file": (name, content, "image/jpeg")}, headers=headers)


@dataclass
class World:
    """One tenant: 街道 > 康乐路南 and 康乐路北 > 万隆一品小区 > 3栋, with the people of the main job.

    `connection` is for arranging and checking what no API shows (role ARRANGER, this tenant set for good).
    """

    tenant_id: UUID
    connection: asyncpg.Connection
    settings: Settings
    transport: httpx2.AsyncBaseTransport
    base_url: str = "http://linli.test"
    stay: timedelta = timedelta(hours=2)
    """How long people are signed in."""
    areas: dict[str, UUID] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    households: dict[str, UUID] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Person:
        """`world.zhang`."""
        people: dict[str, Person] = self.__dict__.get("people", {})
        if name in people:
            return people[name]
        raise AttributeError(name)

    async def insert(self, table: str, **values: Any) -> None:
        """One row, in this tenant."""
        columns = {"tenant_id": self.tenant_id, **values}
        places = ", ".join(f"${i}" for i in range(1, len(columns) + 1))
        await self.connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", *columns.values()
        )

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of this tenant."""
        return list(await self.connection.fetch(query, *arguments))

    async def fetch_value(self, query: str, *arguments: Any) -> Any:
        rows = await self.fetch(query, *arguments)
        return rows[0][0] if rows else None

    async def add_lifecycle(self, lifecycle: Lifecycle, *, order_kind: str | None = None) -> int:
        """A version of the life of orders that nobody checked; its number."""
        newest = await self.fetch_value(
            "SELECT max(version) FROM order_lifecycles WHERE tenant_id = $1", self.tenant_id
        )
        version = (newest or 0) + 1
        await self.insert(
            "order_lifecycles", version=version, order_kind=order_kind, note="标准流程", recorded_at=clock.now(),
            definition=lifecycle.model_dump_json(), compiled=json.dumps(lifecycle.compiled()),
        )  # fmt: skip
        return int(version)

    async def add_rules(self, terms: dict[str, Any], *, active_from: datetime) -> int:
        """A version of the earning rules that nobody drafted; its number."""
        newest = await self.fetch_value(
            "SELECT max(version) FROM earning_rule_versions WHERE tenant_id = $1", self.tenant_id
        )
        version = (newest or 0) + 1
        await self.insert(
            "earning_rule_versions", version=version, state="active", terms=json.dumps(terms), note="试行",
            drafted_at=active_from, active_from=active_from, activated_at=active_from,
        )  # fmt: skip
        return int(version)

    async def add_area(self, key: str, parent: str | None, level: str, code: str, name: str) -> UUID:
        area_id = new_id()
        ancestors: list[UUID] = []
        community_id = area_id if level == "community" else None
        if parent is not None:
            row = (await self.fetch("SELECT ancestor_ids, community_id FROM areas WHERE id = $1", self.areas[parent]))[
                0
            ]
            ancestors, community_id = list(row["ancestor_ids"]), community_id or row["community_id"]
        await self.insert(
            "areas", id=area_id, parent_id=self.areas.get(parent or ""), level=level, code=code, name=name,
            ancestor_ids=[*ancestors, area_id], community_id=community_id,
        )  # fmt: skip
        self.areas[key] = area_id
        return area_id

    async def add_person(
        self,
        key: str,
        name: str,
        *,
        roles: dict[Role, str] | None = None,
        home: str | None = None,
        phone: str = "13800138000",
    ) -> Person:
        """An account with a membership, grants (role → area key) and, with `home`, a resident of that household."""
        account_id = new_id()
        await self.connection.execute("INSERT INTO accounts (id, name) VALUES ($1, $2)", account_id, name)
        await self.insert("memberships", account_id=account_id)
        for role, area in (roles or {}).items():
            await self.insert(
                "grants", id=new_id(), account_id=account_id, role=role, area_id=self.areas[area],
                valid_from=clock.now(),
            )  # fmt: skip
        resident_id = await self.add_resident(name, home, account_id=account_id, phone=phone) if home else None
        self.people[key] = await self.new_session(Person(name, account_id, resident_id, "", self.stranger()))
        return self.people[key]

    async def new_session(self, person: Person) -> Person:
        """The same person, signed in anew: nothing is remembered of them."""
        session_id, expires_at = new_id(), clock.now() + self.stay
        await self.connection.execute(
            "INSERT INTO sessions (id, account_id, tenant_id, method, expires_at) VALUES ($1, $2, $3, 'demo', $4)",
            session_id, person.account_id, self.tenant_id, expires_at,
        )  # fmt: skip
        claims = Claims(person.account_id, self.tenant_id, session_id, expires_at.timestamp())
        token = sign_token(self.settings.signing_keys[0], claims, clock.now())
        client = self.stranger()
        client.headers["Authorization"] = f"Bearer {token}"
        return replace(person, token=token, client=client)

    async def add_resident(
        self, name: str, home: str, *, account_id: UUID | None = None, phone: str | None = "13800138000"
    ) -> UUID:
        """A resident who lives in the household `home`, which is made in 3栋 when it is new."""
        resident_id = new_id()
        if home not in self.households:
            self.households[home] = new_id()
            await self.insert("households", id=self.households[home], area_id=self.areas["building"], dwelling=home)
        await self.insert("residents", id=resident_id, name=name, account_id=account_id, phone=phone)
        await self.insert("household_members", household_id=self.households[home], resident_id=resident_id)
        return resident_id

    def stranger(self) -> httpx2.AsyncClient:
        """A client without a token."""
        return httpx2.AsyncClient(transport=self.transport, base_url=self.base_url, timeout=30)

    async def order(self, by: str = "zhang", **body: Any) -> dict[str, Any]:
        """Mr Zhang's order, placed; the answer's body."""
        answer = await self.people[by].post(
            "/v1/orders", {"kind": "buy_medicine", "description": "代购一周药品", **body}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def act(self, order_id: str, by: str, action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """An action that must succeed; the order afterwards."""
        answer = await self.people[by].post(f"/v1/orders/{order_id}/{action}", body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def completed_order(self) -> dict[str, Any]:
        """Placed by Mr Zhang, dispatched to the member, done with a note."""
        order = await self.order()
        await self.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(self.member.account_id)})
        await self.act(order["id"], "member", "accept")
        return await self.act(order["id"], "member", "complete", {"note": "药品已送到家中"})

    async def rated_order(self, stars: int = 5, *, solved: bool = True) -> dict[str, Any]:
        order = await self.completed_order()
        return await self.act(order["id"], "zhang", "rate", {"stars": stars, "solved": solved})

    async def close(self) -> None:
        for person in self.people.values():
            await person.client.aclose()
        await self.connection.close()


LEVELS = [
    ("district", "区"),
    ("subdistrict", "街道"),
    ("community", "社区"),
    ("compound", "小区"),
    ("building", "楼栋"),
]


async def make_world(
    settings: Settings,
    transport: httpx2.AsyncBaseTransport,
    *,
    base_url: str = "http://linli.test",
    stay: timedelta = timedelta(hours=2),
) -> World:
    """A fresh tenant with its tree, kinds, earning rules and the people of the main job."""
    connection = await asyncpg.connect(driver_url(settings.database_url), server_settings={"role": ARRANGER})
    world = World(new_id(), connection, settings, transport, base_url, stay)
    await connection.execute(tenant_statement(world.tenant_id).replace("LOCAL ", ""))
    code = await _free_code(connection)
    await connection.execute("INSERT INTO tenants (id, code, name) VALUES ($1, $2, '源城区')", world.tenant_id, code)
    for depth, (level, name) in enumerate(LEVELS):
        await world.insert("area_levels", level=level, name=name, depth=depth)
    await world.insert("area_tree_versions", version=1)
    await world.add_area("district", None, "district", code, "源城区")
    await world.add_area("subdistrict", "district", "subdistrict", f"{code}004", "源西街道")
    await world.add_area("community", "subdistrict", "community", f"{code}004010", "康乐路南社区")
    await world.add_area("other_community", "subdistrict", "community", f"{code}004011", "康乐路北社区")
    await world.add_area("compound", "community", "compound", f"{code}004010001", "万隆一品小区")
    await world.add_area("building", "compound", "building", f"{code}004010001003", "3栋")
    await world.add_lifecycle(STANDARD)
    await world.insert("order_kinds", id="buy_medicine", name="代购药品", category="care", evidence_required=1)
    await world.insert("order_kinds", id="snow_clearing", name="铲雪除冰", category="public", evidence_required=2)
    await world.add_rules(EARNING_TERMS, active_from=clock.now() - timedelta(days=30))
    await world.add_person("zhang", "张德明", home="2单元502")
    await world.add_person("daughter", "张丽华", home="2单元502", phone="13900139000")
    await world.add_person("neighbour", "赖桂英", home="2单元501")
    await world.add_person("dispatcher", "李晓燕", roles={Role.DISPATCHER: "community"})
    await world.add_person("member", "陈志强", roles={Role.MEMBER: "community"})
    await world.add_person("second_member", "黄秀芳", roles={Role.MEMBER: "community"})
    await world.add_person("grid_worker", "刘伟民", roles={Role.GRID_WORKER: "compound"})
    await world.add_person("community_admin", "曾国平", roles={Role.COMMUNITY_ADMIN: "community"})
    await world.add_person("points_clerk", "谢婷婷", roles={Role.POINTS_CLERK: "community"})
    await world.add_person("district_admin", "叶文峰", roles={Role.DISTRICT_ADMIN: "district"})
    await world.add_person("other_dispatcher", "邹小红", roles={Role.DISPATCHER: "other_community"})
    await world.add_person("other_member", "丘建华", roles={Role.MEMBER: "other_community"})
    return world


async def _free_code(connection: asyncpg.Connection) -> str:
    """A six-digit code no tenant of this database has yet."""
    while True:
        code = str(next(_district_codes))
        if not await connection.fetchval("SELECT true FROM tenants WHERE code = $1", code):
            return code
