"""A database of these tests' own with two districts in it, every tenant table filled for both."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from migrations.row_security import ROLES
from models import Base
from models.base import GLOBAL_TABLES
from services.chassis import clock
from services.chassis.database import tenant_statement
from services.chassis.schemas import new_id
from tests.conftest import TestServer, make_settings
from tests.migrations.catalog import Connection, connected
from tests.world import World, make_world

TENANT_TABLES = sorted(set(Base.metadata.tables) - GLOBAL_TABLES)


@dataclass(frozen=True)
class Districts:
    """Ours and theirs: what a session of `ours` must never see or change is `theirs`."""

    url: str
    ours: World
    theirs: World


@pytest.fixture(scope="session")
async def districts(postgres: TestServer) -> AsyncIterator[Districts]:
    settings = make_settings(postgres.clone(), Path("unused"))
    nowhere = httpx2.MockTransport(lambda _request: httpx2.Response(404))
    ours, theirs = await make_world(settings, nowhere), await make_world(settings, nowhere)
    for world in (ours, theirs):
        await _fill(world)
        assert [table for table in TENANT_TABLES if not await _has_rows(world, table)] == []
    yield Districts(settings.database_url, ours, theirs)
    await ours.close()
    await theirs.close()


@pytest.fixture
async def owner(districts: Districts) -> AsyncIterator[Connection]:
    """The user migrations run as, in a transaction of our district that is rolled back."""
    async with connected(districts.url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(tenant_statement(districts.ours.tenant_id))
        yield connection
        await transaction.rollback()


async def _has_rows(world: World, table: str) -> bool:
    if table == "idempotency_keys":  # which show themselves to their service only
        return True
    return bool(await world.fetch_value(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", world.tenant_id))


async def _fill(world: World) -> None:
    """What make_world leaves empty: an order with its history and photo, its event, its points, a post."""
    now, account = clock.now(), world.zhang.account_id
    order, photo, event, transaction = new_id(), new_id(), new_id(), new_id()
    await world.insert(
        "orders", id=order, kind="buy_medicine", state="placed", stage="receive", lifecycle_version=1,
        area_id=world.areas["building"], community_id=world.areas["community"],
        resident_id=world.zhang.resident_id, placed_by=account, description="代购", contact_name="张德明",
        address="3栋", placed_at=now,
    )  # fmt: skip
    await world.insert(
        "order_history", order_id=order, sequence=1, action="place", to_state="placed", actor_id=account, at=now
    )
    await world.insert(
        "files", id=photo, uploaded_by=account, media_type="image/jpeg", size_bytes=1, sha256=b"", width=1, height=1
    )
    await world.insert("order_files", order_id=order, file_id=photo, purpose="request")
    unit = new_id()
    await world.insert("units", id=unit, kind="team", name="红马甲志愿服务队", area_id=world.areas["community"])
    await world.insert("unit_members", unit_id=unit, account_id=account)
    await world.insert("order_helpers", order_id=order, account_id=account, joined_at=now)
    await world.insert("order_units", order_id=order, unit_id=unit, added_at=now)
    await world.insert("outbox_events", id=event, kind="order_rated", payload="{}", occurred_at=now)
    for role in ROLES:
        listener = role.removeprefix("linli_")
        await world.insert("outbox_deliveries", event_id=event, listener=listener, due_at=now)
    await world.insert(
        "posts", id=new_id(), area_id=world.areas["building"], kind="building_leader", holder_name="刘伟民"
    )
    await world.insert(
        "ledger_transactions", id=transaction, kind="reward", source_kind="order_rated", source_id=str(order),
        reason="代购药品", effective_at=now,
    )  # fmt: skip
    ledger_accounts = {kind: new_id() for kind in ("member", "issuing_community")}
    for kind, owner, amount in [("member", account, 5), ("issuing_community", world.areas["community"], -5)]:
        await world.insert(
            "ledger_accounts", id=ledger_accounts[kind], asset="points", kind=kind, owner_id=owner, balance=amount,
            version=1,
        )  # fmt: skip
        await world.insert(
            "ledger_entries", account_id=ledger_accounts[kind], sequence=1, transaction_id=transaction, amount=amount,
            balance_after=amount,
        )  # fmt: skip
    await _fill_ledger(world, ledger_accounts["member"], transaction)
    await world.insert(
        "identity_events", id=new_id(), kind="account_opened", actor_id=account, account_id=account, recorded_at=now
    )
    await _fill_earning(world)
    await _fill_kinds(world)
    await _fill_clocks(world, order)
    await _fill_completion(world, order)
    await _fill_recurring(world)
    await _fill_matching(world, order)
    await _answer_once_in_every_service(world)


async def _fill_ledger(world: World, member: UUID, transaction: UUID) -> None:
    """What a district's ledger has besides postings: a lot, holds, rules, events, a chain with its published head."""
    now, account, community = clock.now(), world.zhang.account_id, world.areas["community"]
    lot = {"account_id": member, "lot_sequence": 1, "lot_part": 1}
    await world.insert(
        "ledger_lots", account_id=member, sequence=1, part=1, amount=5, remaining=5, expires_at=now, issuer_id=community
    )
    await world.insert("ledger_allocations", sequence=1, amount=-1, **lot)
    for is_open in (True, False):
        hold = new_id()
        await world.insert(
            "ledger_holds", id=hold, account_id=member, amount=1, kind="redemption", to_kind="issuing_community",
            to_owner_id=community, source_kind="hold", source_id=str(hold), reason="预定", expires_at=now,
            recorded_at=now,
        )  # fmt: skip
        await world.insert("ledger_hold_lots", hold_id=hold, amount=1, **lot)
        if is_open:
            await world.insert("ledger_open_holds", hold_id=hold, account_id=member, expires_at=now)
        else:
            await world.insert(
                "ledger_hold_ends", hold_id=hold, outcome="voided", amount=0, reason="缺货", recorded_at=now
            )
    await world.insert(
        "ledger_account_events", account_id=member, id=new_id(), action="freeze", reason="核实", recorded_at=now,
        recorded_by=account,
    )  # fmt: skip
    await world.insert(
        "ledger_settings", asset="points", version=1, expiry_unit="none", expiry_count=0, expired_return_days=0,
        spent_earning="refuse", hold_days=7, may_transfer=False, recorded_at=now, recorded_by=account,
    )  # fmt: skip
    record = {"record_kind": "transaction", "record_id": transaction}
    await world.insert("ledger_unsealed", **record)
    await world.insert("ledger_chain", position=1, hash=b"1", **record)
    await world.insert("ledger_chain_heads", position=1, hash=b"1", sealed_at=now)
    await world.insert("ledger_published_heads", published_on=now.date(), position=1, hash=b"1", published_at=now)
    await world.insert(
        "ledger_imports", source_code="441602", source_name="源城区", exported_at=now, position=1, head_position=1,
        head_hash=b"1", started_at=now, started_by=account,
    )  # fmt: skip


async def _fill_earning(world: World) -> None:
    """A simulation of the rules there are, a record of service, a proposal, and a look at an anomaly."""
    now, account, simulation = clock.now(), world.zhang.account_id, new_id()
    credited = {"points_before": 0, "points_after": 0, "minutes_before": 0, "minutes_after": 0}
    await world.insert(
        "earning_simulations", id=simulation, version=1, terms="{}", period_from=now - timedelta(days=1), period_to=now,
        records=1, kinds="[]", simulated_by=account, simulated_at=now, **credited,
    )  # fmt: skip
    await world.insert(
        "earning_simulation_lines", simulation_id=simulation, place=1, account_id=account, records=1, **credited
    )
    await world.insert(
        "service_records", id=new_id(), account_id=account, sequence=1, source_kind="order_rated", source_id=new_id(),
        service_kind="buy_medicine", community_id=world.areas["community"], served_on=now.date(), judged_at=now,
        recorded_at=now, points=0, minutes_credited=0, details="{}",
    )  # fmt: skip
    await world.insert(
        "credit_proposals", id=new_id(), kind="award", community_id=world.areas["community"], body="{}",
        proposed_by=account, proposed_at=now, expires_at=now + timedelta(days=30),
    )  # fmt: skip
    await world.insert(
        "anomaly_reviews", id=new_id(), anomaly_id=f"long_day.{account}.2026-03-16", verdict="explained", note="已核对",
        reviewed_by=account, reviewed_at=now,
    )  # fmt: skip


async def _fill_kinds(world: World) -> None:
    now, account = clock.now(), world.district_admin.account_id
    await world.insert("order_kind_forms", kind="buy_medicine", version=1, questions="[]", recorded_at=now)
    await world.insert(
        "order_kind_changes", kind="buy_medicine", version=2, after="{}", changed_by=account, changed_at=now
    )


async def _fill_clocks(world: World, order: UUID) -> None:
    """A calendar, hours and a policy of its own, a clock that is paused and extended, told of and to be computed."""
    now, account, extension = clock.now(), world.zhang.account_id, new_id()
    decided = {"note": "试行", "recorded_by": account, "recorded_at": now}
    of_order = {"order_id": order, "target": "finish", "round": 1}
    await world.insert("work_calendars", year=2026, version=1, days="[]", **decided)
    await world.insert("work_hours", version=1, valid_from=now.date(), periods='[["08:30", "12:00"]]', **decided)
    await world.insert("clock_policies", version=1, targets="{}", active_from=now, **decided)
    await world.insert(
        "order_clocks", **of_order, community_id=world.areas["community"], area_id=world.areas["building"],
        state="running", unit="work_days", started_at=now, due_at=now, sorts_at=now, segments="[]", why="{}",
        computed_at=now,
    )  # fmt: skip
    await world.insert(
        "order_clock_pauses", order_id=order, sequence=1, action="pause", reason="停水", actor_id=account, at=now
    )
    await world.insert(
        "clock_extensions", **of_order, id=extension, amount=1, unit="work_days", reason="缺件", asked_by=account,
        asked_at=now,
    )  # fmt: skip
    await world.insert(
        "clock_extension_decisions", extension_id=extension, is_granted=True, decided_by=account, decided_at=now
    )
    await world.insert(
        "order_clock_firings", **of_order, kind="missed", due_at=now, told_role="dispatcher",
        told_area_id=world.areas["community"], event_id=new_id(), fired_at=now,
    )  # fmt: skip
    await world.insert("order_clock_work", order_id=order, sequence=1)
    await world.insert("clock_recounts", id=new_id(), due_at=now)
    await world.insert("order_word_blocks", first_number=0, last_number=1, orders=1)
    await world.insert("order_exports", id=new_id(), account_id=account, exported_at=now, filters="{}", orders=1)


async def _fill_completion(world: World, order: UUID) -> None:
    """An answer to the order, a call-back, the next one that is due, and an exclusion that was approved."""
    now, account, exclusion = clock.now(), world.zhang.account_id, new_id()
    await world.insert(
        "order_answers", order_id=order, sequence=1, round=1, completed_at=now, source="resident", solved=False,
        stars=2, account_id=account, at=now,
    )  # fmt: skip
    await world.insert(
        "follow_ups", order_id=order, sequence=1, round=1, is_reached=False, unreachable_because="no_answer",
        called_by=account, called_at=now,
    )  # fmt: skip
    await world.insert(
        "due_follow_ups", order_id=order, community_id=world.areas["community"], area_id=world.areas["building"],
        cause="unsolved", completed_at=now, due_at=now,
    )  # fmt: skip
    await world.insert(
        "rate_exclusions", id=exclusion, order_id=order, reason_code="unreasonable", words="超出职责", asked_by=account,
        asked_at=now,
    )  # fmt: skip
    await world.insert(
        "rate_exclusion_steps", exclusion_id=exclusion, sequence=1, outcome="approved", reason="属实",
        decided_by=account, decided_at=now,
    )  # fmt: skip


async def _fill_recurring(world: World) -> None:
    """A recurring order with a change, an exception, an occurrence that failed, and something to be looked at."""
    now, account, recurring = clock.now(), world.zhang.account_id, new_id()
    one = {"recurring_order_id": recurring, "occurrence_on": date(2026, 3, 16)}
    await world.insert(
        "recurring_orders", id=recurring, kind="buy_medicine", description="代购", resident_id=world.zhang.resident_id,
        area_id=world.areas["building"], community_id=world.areas["community"], placed_by=account,
        rule="FREQ=WEEKLY;BYDAY=MO", first_on=date(2026, 1, 5), from_time=time(8, 30), until_time=time(10, 30),
        holiday_policy="after", cover_policy="familiar", horizon_days=14, holds_since=now, arranged_at=now,
    )  # fmt: skip
    await world.insert(
        "recurring_order_changes", recurring_order_id=recurring, sequence=1, action="arrange", actor_id=account, at=now
    )
    await world.insert("recurring_order_exceptions", **one)
    await world.insert(
        "recurring_order_occurrences", **one, planned_from=now, planned_until=now + timedelta(hours=2),
        outcome="failed", reason="unknown_order_kind", decided_at=now,
    )  # fmt: skip
    await world.insert("recurring_order_work", recurring_order_id=recurring, order_id=new_id(), order_version=2)


async def _fill_matching(world: World, order: UUID) -> None:
    """A helper who is away at times, a skill, a resource, a policy, a plan, and an order that was left to people."""
    now, account, plan = clock.now(), world.member.account_id, new_id()
    recorded = {"recorded_by": account, "recorded_at": now}
    await world.insert("helper_profiles", account_id=account, skills=["电工"], max_open=5, updated_at=now)
    await world.insert(
        "helper_absences", id=new_id(), account_id=account, starts_at=now, ends_at=now + timedelta(days=1),
        kind="leave", **recorded,
    )  # fmt: skip
    await world.insert("order_kind_skills", order_kind="buy_medicine", skill="药师", is_needed=False)
    await world.insert(
        "resources", id=new_id(), kind="venue", name="多功能厅", area_id=world.areas["community"],
        owner_account_id=account, valid_from=now.date(), version=1, updated_at=now, **recorded,
    )  # fmt: skip
    await world.insert(
        "dispatch_policies", version=1, mode="suggest", weights="{}", reach_metres=3000, note="试行", active_from=now,
        **recorded,
    )  # fmt: skip
    await world.insert(
        "dispatch_plans", id=plan, area_id=world.areas["community"], state="draft", asked="{}", left_over="[]",
        helpers=1, made_by=account, made_at=now, expires_at=now + timedelta(days=1),
    )  # fmt: skip
    await world.insert(
        "dispatch_plan_items", plan_id=plan, order_id=order, order_version=1, helper_id=account, points=5000, why="{}"
    )
    await world.insert(
        "automatic_dispatches", order_id=order, order_version=1, outcome="left", why="{}", policy_version=1,
        decided_at=now,
    )  # fmt: skip


async def _answer_once_in_every_service(world: World) -> None:
    for role in ROLES:
        async with connected(world.settings.database_url, role) as connection, connection.transaction():
            await connection.execute(tenant_statement(world.tenant_id))
            await connection.execute(
                "SELECT idempotency_store($1, $2, 'monday', '', 200::smallint, '{}')",
                world.tenant_id,
                world.zhang.account_id,
            )
