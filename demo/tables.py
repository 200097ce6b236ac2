"""The demo district as rows: table by table, in the order in which they may be inserted."""

from dataclasses import asdict
from datetime import timedelta

from demo.books import Books
from demo.histories import PastOrder
from demo.ids import FOUNDED_AT, fixed_id
from demo.order_rows import order_rows
from demo.past_points import Ledger, Rule, delivered_at
from demo.people import Home, People, Person
from demo.personas import DEMO_PASSWORD_HASH, PERSONA, PERSONAS, WECHAT_APP_ID
from demo.places import LEVEL_NAMES, TENANT_CODE, TENANT_ID, TENANT_NAME, Place, Places
from demo.rows import Row, Tables, owned
from demo.staff import Staff
from models.earning import RuleState
from models.points import (
    AccountAction,
    Asset,
    ExpiryUnit,
    LedgerAccountKind,
    LedgerRecord,
    SpentEarning,
    TransactionKind,
)
from services.points.earning.records import Record


def tables_of(places: Places, staff: Staff, orders: list[PastOrder], ledger: Ledger) -> dict[str, list[Row]]:
    """Every row of the district by table, parents before children. `orders` are numbered as they come."""
    parts = (
        _tenant_rows(staff),
        _place_rows(places, staff.people),
        _staff_rows(staff),
        _people_rows(staff.people),
        _post_rows(staff),
        _unit_rows(staff),
        order_rows(places, orders),
        _earning_rows(ledger),
        _book_rule_rows(),
        _account_rows(ledger.books),
        _posting_rows(ledger.books),
        _lot_rows(ledger.books),
        _hold_rows(ledger.books),
        _unsealed_rows(ledger.books),
        _record_rows(ledger.records),
    )
    return {table: list(rows) for part in parts for table, rows in part.items()}


def _tenant_rows(staff: Staff) -> Tables:
    tenant = {"id": TENANT_ID, "code": TENANT_CODE, "name": TENANT_NAME, "created_at": FOUNDED_AT}
    companies = set(staff.company_of.values())
    credentials = (
        {"account_id": persona.account_id, "username": persona.username, "password_hash": DEMO_PASSWORD_HASH}
        for persona in PERSONAS
        if persona.username is not None
    )
    return {
        "tenants": iter([tenant]),
        "accounts": ({"id": account.id, "name": account.name, "created_at": FOUNDED_AT} for account in staff.accounts),
        "password_credentials": credentials,
        "wechat_identities": (
            {"app_id": WECHAT_APP_ID, "openid": f"demo-openid-{account.key}", "account_id": account.id}
            for account in staff.accounts
            if account not in companies
        ),
    }


def _place_rows(places: Places, people: People) -> Tables:
    populations = _populations(places, people)
    return {
        "area_levels": owned(
            {"level": level, "name": name, "depth": depth} for depth, (level, name) in enumerate(LEVEL_NAMES.items())
        ),
        "areas": owned(_area_row(place, *populations[place.code]) for place in places.all),
        "area_tree_versions": owned(iter([{"version": 1}])),
    }


def _area_row(place: Place, registered: int, resident: int) -> Row:
    return {
        "id": place.id,
        "parent_id": place.parent.id if place.parent else None,
        "level": place.level,
        "code": place.code,
        "name": place.name,
        "ancestor_ids": [ancestor.id for ancestor in place.path],
        "community_id": place.community.id if place.community else None,
        "boundary": place.boundary(),
        "boundary_original": place.boundary_original(),
        "boundary_crs": place.crs,
        "registered_population": registered,
        "resident_population": resident,
        "valid_from": FOUNDED_AT.date(),
    }


def _populations(places: Places, people: People) -> dict[str, tuple[int, int]]:
    """(registered, resident) of every area: counted where the register has people, made up elsewhere, then summed."""
    counted: dict[str, list[int]] = {place.code: [0, 0] for place in places.all}
    for home in people.homes:
        registered = sum(member.is_registered_here for member in home.members)
        _add(counted, home.building, registered, len(home.residents))
    for place in places.all:
        if place.level == "community" and place is not places.community:
            size = 1200 + int(fixed_id("population", place.code).int % 6800)
            _add(counted, place, size, int(size * (0.7 if place.is_village else 1.15)))
    return {code: (registered, resident) for code, (registered, resident) in counted.items()}


def _add(counted: dict[str, list[int]], place: Place, registered: int, resident: int) -> None:
    for ancestor in place.path:
        counted[ancestor.code][0] += registered
        counted[ancestor.code][1] += resident


def _staff_rows(staff: Staff) -> Tables:
    return {
        "memberships": owned({"account_id": account.id, "joined_at": FOUNDED_AT} for account in staff.accounts),
        "grants": owned(
            {
                "id": grant.id,
                "account_id": grant.account.id,
                "role": grant.role,
                "area_id": grant.area.id,
                "valid_from": grant.valid_from,
                "valid_to": grant.valid_to,
            }
            for grant in staff.grants
        ),
    }


def _people_rows(people: People) -> Tables:
    return {
        "households": owned(map(_household_row, people.homes)),
        "residents": owned(map(_resident_row, people.persons)),
        "household_members": owned(
            {
                "household_id": home.id,
                "resident_id": member.person.id,
                "relation": member.relation,
                "is_registered_here": member.is_registered_here,
                "lives_here": member.lives_here,
            }
            for home in people.homes
            for member in home.members
        ),
    }


def _household_row(home: Home) -> Row:
    return {"id": home.id, "area_id": home.building.id, "dwelling": home.dwelling, "created_at": FOUNDED_AT}


def _resident_row(person: Person) -> Row:
    return {
        "id": person.id,
        "name": person.name,
        "sex": person.sex,
        "birth_date": person.birth_date,
        "phone": person.phone,
        "account_id": person.account_id,
        "created_at": FOUNDED_AT,
    }


def _post_rows(staff: Staff) -> Tables:
    return {
        "posts": owned(
            {
                "id": post.id,
                "area_id": post.area.id,
                "kind": post.kind,
                "holder_name": post.holder_name,
                "duty_phone": post.duty_phone,
                "account_id": post.account_id,
                "valid_from": post.valid_from,
                "valid_to": post.valid_to,
            }
            for post in staff.posts
        )
    }


def _unit_rows(staff: Staff) -> Tables:
    return {
        "units": owned(
            {
                "id": unit.id,
                "kind": unit.kind,
                "name": unit.name,
                "area_id": unit.area.id,
                "phone": unit.phone,
                "created_at": FOUNDED_AT,
            }
            for unit in staff.units
        ),
        "unit_members": owned(
            {
                "unit_id": unit.id,
                "account_id": member.id,
                "is_leader": member is unit.leader,
                "since": FOUNDED_AT,
            }
            for unit in staff.units
            for member in unit.members
        ),
    }


def _earning_rows(ledger: Ledger) -> Tables:
    return {"earning_rule_versions": owned(map(_rule_row, ledger.rules))}


def _rule_row(rule: Rule) -> Row:
    """Drafted and simulated a week before it counted, and activated by a second person of the district."""
    decided_at = rule.active_from - timedelta(days=7)
    return {
        "version": rule.version,
        "state": RuleState.ACTIVE,
        "terms": rule.terms.model_dump(mode="json"),
        "note": rule.note,
        "drafted_by": PERSONA["district_admin"].account_id,
        "drafted_at": decided_at,
        "simulated_at": decided_at,
        "active_from": rule.active_from,
        "activated_by": PERSONA["deputy_admin"].account_id,
        "activated_at": decided_at,
    }


def _book_rule_rows() -> Tables:
    """Points live until the end of the next year, minutes for ever, fifteen hundred hours of them at most."""
    points = {"expiry_unit": ExpiryUnit.YEARS, "expiry_count": 1, "member_cap": None, "second_person_from": 200}
    minutes = {"expiry_unit": ExpiryUnit.NONE, "expiry_count": 0, "member_cap": 90_000, "second_person_from": 1440}
    rest = {
        "version": 1,
        "expired_return_days": 0,
        "spent_earning": SpentEarning.REFUSE,
        "hold_days": 7,
        "may_transfer": False,
        "minutes_per_point": None,
        "recorded_at": FOUNDED_AT,
        "recorded_by": PERSONA["district_admin"].account_id,
    }
    rows = ({"asset": Asset.POINTS, **points, **rest}, {"asset": Asset.MINUTES, **minutes, **rest})
    return {"ledger_settings": owned(iter(rows))}


def _account_rows(books: Books) -> Tables:
    return {
        "ledger_accounts": owned(
            {
                "id": account.id,
                "asset": account.asset,
                "kind": account.kind,
                "owner_id": account.owner_id,
                "balance": account.balance,
                "version": account.version,
                "held": account.held,
                "name": account.name,
                "community_id": account.community_id,
            }
            for account in books.accounts.values()
        ),
        "ledger_account_events": owned(
            {
                "account_id": account.id,
                "id": fixed_id("ledger-account-event", account.name),
                "action": AccountAction.OPEN,
                "reason": account.name,
                "recorded_at": FOUNDED_AT,
                "recorded_by": PERSONA["points_clerk"].account_id,
            }
            for account in books.accounts.values()
            if account.name is not None
        ),
    }


def _posting_rows(books: Books) -> Tables:
    return {
        "ledger_transactions": owned(
            {
                "id": posting.id,
                "kind": posting.kind,
                "source_kind": posting.source_kind,
                "source_id": posting.source_id,
                "reason": posting.reason,
                "effective_at": posting.effective_at,
                "recorded_at": delivered_at(posting.effective_at),
                "recorded_by": posting.recorded_by,
                "details": posting.details,
            }
            for posting in books.postings
        ),
        "ledger_entries": owned(
            {
                "account_id": entry.account_id,
                "sequence": entry.sequence,
                "transaction_id": posting.id,
                "amount": entry.amount,
                "balance_after": entry.balance_after,
            }
            for posting in books.postings
            for entry in posting.entries
        ),
    }


def _lot_rows(books: Books) -> Tables:
    return {
        "ledger_lots": owned(
            {
                "account_id": lot.account_id,
                "sequence": lot.sequence,
                "part": 1,
                "amount": lot.amount,
                "remaining": lot.remaining,
                "held": lot.held,
                "expires_at": lot.expires_at,
                "issuer_id": lot.issuer_id,
            }
            for lot in books.lots
        ),
        "ledger_allocations": owned(
            {
                "account_id": allocation.account_id,
                "sequence": allocation.sequence,
                "lot_sequence": allocation.lot_sequence,
                "lot_part": 1,
                "amount": allocation.amount,
            }
            for allocation in books.allocations
        ),
    }


def _hold_rows(books: Books) -> Tables:
    return {
        "ledger_holds": owned(
            {
                "id": hold.id,
                "account_id": hold.account_id,
                "amount": hold.amount,
                "kind": TransactionKind.REDEMPTION,
                "to_kind": LedgerAccountKind.MERCHANT,
                "to_owner_id": hold.to_owner_id,
                "source_kind": "hold",
                "source_id": str(hold.id),
                "reason": hold.reason,
                "expires_at": hold.expires_at,
                "recorded_at": hold.recorded_at,
                "recorded_by": PERSONA["points_clerk"].account_id,
            }
            for hold in books.holds
        ),
        "ledger_hold_lots": owned(
            {
                "hold_id": hold.id,
                "account_id": reserved.account_id,
                "lot_sequence": reserved.lot_sequence,
                "lot_part": 1,
                "amount": reserved.amount,
            }
            for hold, reserved in books.hold_lots
        ),
        "ledger_open_holds": owned(
            {"hold_id": hold.id, "account_id": hold.account_id, "expires_at": hold.expires_at} for hold in books.holds
        ),
    }


def _unsealed_rows(books: Books) -> Tables:
    """The hash chain begins when the product first runs."""
    records = [(LedgerRecord.TRANSACTION, posting.id) for posting in books.postings]
    records += [(LedgerRecord.HOLD, hold.id) for hold in books.holds]
    return {"ledger_unsealed": owned({"record_kind": kind, "record_id": id_} for kind, id_ in records)}


def _record_rows(records: list[Record]) -> Tables:
    return {
        "service_records": owned(
            {**asdict(record), "recorded_at": delivered_at(record.judged_at)} for record in records
        )
    }
