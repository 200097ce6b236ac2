"""The demo district keeps the rules the product keeps: what is shown could have happened."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher

from demo.district import District, build
from demo.kinds import KINDS
from demo.order_rows import FIRST_ORDER_NUMBER
from demo.past_orders import HISTORY_DAYS
from demo.personas import DEMO_PASSWORD, DEMO_PASSWORD_HASH, PERSONA, PERSONAS
from demo.places import COMPOUND_PLANS, TENANT_ID, Place
from demo.rows import Row
from demo.standing import Step
from models import Base
from models.grid import PostKind, Sex
from models.identity import Role
from models.orders import OPEN_STAGES, OrderAction, OrderState, UnitKind
from models.points import Asset
from services.chassis.clock import SHANGHAI
from services.events import EVENTS
from services.grid.areas.boundaries import read_boundary, stored_boundary
from services.orders.lifecycles.definition import Need
from services.orders.lifecycles.standard import STANDARD
from services.orders.orders.policy import Fact

TODAY = date(2026, 11, 22)
TODAY_BEGINS = datetime.combine(TODAY, time(), SHANGHAI)


@pytest.fixture(scope="module")
def district() -> District:
    return build(TODAY)


def rows_by(rows: list[Row], column: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups


class TestBuild:
    def test_the_same_day_gives_the_same_district(self, district: District) -> None:
        assert build(TODAY).tables == district.tables

    def test_people_and_places_do_not_move_with_the_calendar(self, district: District) -> None:
        later = build(TODAY + timedelta(days=400)).tables

        for table in ("areas", "accounts", "households", "residents", "household_members", "order_kinds", "posts"):
            assert later[table] == district.tables[table], table

    def test_is_as_large_as_it_says(self, district: District) -> None:
        counts = {table: len(rows) for table, rows in district.tables.items()}

        assert counts["areas"] == 1 + 8 + 78 + 10 + sum(plan.buildings for plan in COMPOUND_PLANS)
        assert 1_900 <= counts["households"] <= 2_010
        assert 4_800 <= counts["residents"] <= 5_300
        assert 400 <= counts["orders"] <= 460

    def test_every_row_fits_its_table(self, district: District) -> None:
        for table, rows in district.tables.items():
            columns = Base.metadata.tables[table].columns
            assert all(row.keys() <= set(columns.keys()) for row in rows), table
            assert all(row.get("tenant_id", TENANT_ID) == TENANT_ID for row in rows), table

    def test_tables_come_after_those_they_point_to(self, district: District) -> None:
        seen: set[str] = set()
        for table in district.tables:
            pointed_to = {key.column.table.name for key in Base.metadata.tables[table].foreign_keys}
            seen.add(table)
            assert pointed_to <= seen, table

    def test_ids_are_uuid_version_7(self, district: District) -> None:
        ids = [row["id"] for rows in district.tables.values() for row in rows if isinstance(row.get("id"), UUID)]

        assert {id_.version for id_ in ids} == {7}
        assert len(set(ids)) == len(ids)


def edges(ring: list[tuple[float, float]]) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    return pairwise(ring)


def outline(places: list[Place]) -> Counter[Any]:
    """The edges of all rings that no neighbour runs through the other way: what is left is the outer border."""
    directed = Counter(edge for place in places for edge in edges(place.ring))
    return Counter({edge: n for edge, n in directed.items() if not directed[edge[::-1]]})


def holds(ring: list[tuple[float, float]], point: tuple[float, float]) -> bool:
    lng, lat = point
    crossings = [
        (x1 + (lat - y1) * (x2 - x1) / (y2 - y1)) > lng
        for (x1, y1), (x2, y2) in edges(ring)
        if (y1 > lat) != (y2 > lat)
    ]
    return sum(crossings) % 2 == 1


class TestPlaces:
    def test_codes_are_official_codes_with_suffixes(self, district: District) -> None:
        lengths = {"district": 6, "subdistrict": 9, "community": 12, "compound": 15, "building": 18}
        for place in district.places.all:
            assert len(place.code) == lengths[place.level]
            assert place.parent is None or place.code.startswith(place.parent.code)

    def test_names_are_short(self, district: District) -> None:
        names = [place.name for place in district.places.all]

        assert not [name for name in names if "委员会" in name or ("源城区" in name and name != "源城区")]
        assert district.places.community.name == "康乐路南社区"

    @pytest.mark.parametrize("level", ["subdistrict", "community"])
    def test_areas_of_a_level_tile_their_parents(self, district: District, level: str) -> None:
        children: dict[str, list[Place]] = defaultdict(list)
        for place in district.places.all:
            if place.level == level:
                assert place.parent is not None
                children[place.parent.code].append(place)
        for code, siblings in children.items():
            assert outline(siblings) == Counter(edges(district.places.by_code[code].ring)), code

    def test_compounds_lie_side_by_side_in_most_of_the_community(self, district: District) -> None:
        compounds, community = district.places.compounds, district.places.community
        size = {place.code: stored_boundary(place.boundary()).square_kilometres for place in [community, *compounds]}

        assert len(compounds) == 10
        assert max(Counter(edge for place in compounds for edge in edges(place.ring)).values()) == 1
        assert 0.85 < sum(size[compound.code] for compound in compounds) / size[community.code] < 1

    def test_buildings_stand_in_their_compound_and_apart(self, district: District) -> None:
        for compound in district.places.compounds:
            buildings = district.places.buildings_of(compound)
            assert all(holds(compound.ring, corner) for building in buildings for corner in building.ring), (
                compound.name
            )
            assert not [
                (one.name, other.name)
                for one in buildings
                for other in buildings
                if one is not other and any(holds(other.ring, corner) for corner in one.ring)
            ]

    def test_boundaries_are_sound_in_the_system_they_were_given_in(self, district: District) -> None:
        for row in district.tables["areas"]:
            given = read_boundary(row["boundary_original"], row["boundary_crs"])
            stored = stored_boundary(row["boundary"])
            corners = zip(next(given.rings), next(stored.rings), strict=True)
            assert all(abs(a - b) < 1e-6 for one, other in corners for a, b in zip(one, other, strict=True))

    def test_populations_add_up(self, district: District) -> None:
        rows = district.tables["areas"]
        children = rows_by(rows, "parent_id")
        for row in rows:
            for column in ("registered_population", "resident_population"):
                if row["id"] in children:
                    assert row[column] == sum(child[column] for child in children[row["id"]])
        community = next(row for row in rows if row["id"] == district.places.community.id)
        assert community["resident_population"] == sum(
            row["lives_here"] for row in district.tables["household_members"]
        )


class TestPeople:
    def test_every_household_is_in_a_building_and_lived_in_by_somebody(self, district: District) -> None:
        buildings = {building.id for building in district.places.buildings}
        members = rows_by(district.tables["household_members"], "household_id")

        assert {row["area_id"] for row in district.tables["households"]} <= buildings
        assert all(members[row["id"]] for row in district.tables["households"])

    def test_a_dwelling_is_there_once(self, district: District) -> None:
        doors = [(row["area_id"], row["dwelling"]) for row in district.tables["households"]]

        assert len(set(doors)) == len(doors)
        assert all(re.fullmatch(r"[1-3]单元\d{1,2}0[12]", dwelling) for _, dwelling in doors)

    def test_nobody_lives_in_two_homes(self, district: District) -> None:
        lived_in = Counter(row["resident_id"] for row in district.tables["household_members"] if row["lives_here"])

        assert max(lived_in.values()) == 1

    def test_some_belong_to_two_households(self, district: District) -> None:
        belonging = Counter(row["resident_id"] for row in district.tables["household_members"])

        assert sum(count == 2 for count in belonging.values()) > 50

    def test_phones_have_the_form_of_a_mobile_number_nobody_has(self, district: District) -> None:
        phones = [row["phone"] for row in district.tables["residents"]]
        phones += [row["duty_phone"] for row in district.tables["posts"]]

        assert all(phone is None or re.fullmatch(r"1(60|61|63|64|68|69)\d{8}", phone) for phone in phones)

    def test_spouses_and_ages_are_plausible(self, district: District) -> None:
        for home in district.people.homes:
            ages = [member.person.age for member in home.members]
            assert max(ages) >= 18
            assert all(0 <= age <= 95 for age in ages)
        assert {person.sex for person in district.people.persons} == {Sex.MALE, Sex.FEMALE}

    def test_mr_zhang_lives_alone_and_has_a_daughter(self, district: District) -> None:
        home = district.people.home_of["zhang"]

        assert home.address == "万隆一品小区3栋2单元502"
        assert [person.name for person in home.residents] == ["张德明"]
        assert home.members[0].person.birth_date.year == 1946
        assert [member.person.key for member in home.members] == ["zhang", "daughter"]
        assert district.people.home_of["daughter"] is not home


class TestStaff:
    def test_every_persona_can_sign_in(self, district: District) -> None:
        openids = {row["openid"]: row["account_id"] for row in district.tables["wechat_identities"]}
        usernames = {row["username"]: row["account_id"] for row in district.tables["password_credentials"]}
        members = {row["account_id"] for row in district.tables["memberships"]}

        for persona in PERSONAS:
            assert openids[persona.openid] == persona.account_id
            assert persona.account_id in members
            assert persona.username is None or usernames[persona.username] == persona.account_id

    def test_the_password_is_the_one_that_is_published(self) -> None:
        assert PasswordHasher().verify(DEMO_PASSWORD_HASH, DEMO_PASSWORD)
        assert not PasswordHasher().check_needs_rehash(DEMO_PASSWORD_HASH)

    def test_personas_have_the_roles_they_are_known_by(self, district: District) -> None:
        held = {(grant.account.id, grant.role) for grant in district.staff.grants if in_force(grant.valid_to)}
        roles = {
            "dispatcher": Role.DISPATCHER,
            "member": Role.MEMBER,
            "second_member": Role.MEMBER,
            "grid_worker": Role.GRID_WORKER,
            "community_admin": Role.COMMUNITY_ADMIN,
            "points_clerk": Role.POINTS_CLERK,
            "district_admin": Role.DISTRICT_ADMIN,
        }
        for key, role in roles.items():
            assert (PERSONA[key].account_id, role) in held, key
        for key in ("zhang", "daughter", "neighbour"):
            assert not [role for account_id, role in held if account_id == PERSONA[key].account_id]

    def test_there_are_enough_of_every_role(self, district: District) -> None:
        holders = Counter(grant.role for grant in district.staff.grants)

        assert holders[Role.MEMBER] == 60
        assert holders[Role.GRID_WORKER] == 10
        assert holders[Role.VOLUNTEER] >= 30
        assert set(holders) == set(Role)

    def test_some_terms_are_over(self, district: District) -> None:
        assert any(not in_force(grant.valid_to) for grant in district.staff.grants)
        assert any(post.valid_to is not None and post.valid_to <= TODAY for post in district.staff.posts)

    def test_all_kinds_of_posts_are_held_and_some_are_vacant(self, district: District) -> None:
        posts = district.staff.posts
        held = Counter(post.kind for post in posts if post.valid_to is None)

        assert set(held) == set(PostKind)
        assert held[PostKind.GRID_LEADER] < 10
        assert held[PostKind.BUILDING_LEADER] < len(district.places.buildings)

    def test_the_chain_for_mr_zhangs_household_is_complete(self, district: District) -> None:
        path = {place.id for place in district.people.home_of["zhang"].building.path}

        assert {post.kind for post in district.staff.posts if post.area.id in path} == set(PostKind)


def in_force(valid_to: datetime | None) -> bool:
    return valid_to is None or valid_to > TODAY_BEGINS


class TestPastOrders:
    def test_every_state_is_there(self, district: District) -> None:
        states = Counter(order.state for order in district.orders)

        few = {OrderState.RETURNED, OrderState.SHELVED, OrderState.MERGED}
        assert all(states[state] >= (4 if state in few else 15) for state in OrderState), states
        assert states[OrderState.CLOSED] > len(district.orders) / 2
        pool = [order for order in district.orders if order.standing.is_in_pool]
        assert len(pool) >= 10

    def test_every_column_of_the_board_has_something_in_it(self, district: District) -> None:
        board = Counter(order.standing.stage for order in district.orders)

        assert all(15 <= board[stage] <= 80 for stage in OPEN_STAGES), board

    def test_every_kind_has_happened(self, district: District) -> None:
        ordered = Counter(order.kind.id for order in district.orders)

        assert ordered.keys() == {kind.id for kind in KINDS}
        assert ordered["snow_clearing"] == 2, "one icy morning, reported twice"

    def test_everything_happened_lately_and_before_today(self, district: District) -> None:
        moments = [step.at for order in district.orders for step in order.steps]

        assert max(moments) < TODAY_BEGINS
        assert min(moments) > TODAY_BEGINS - timedelta(days=HISTORY_DAYS + 25)

    def test_history_is_in_order_and_counts_to_the_version(self, district: District) -> None:
        histories = rows_by(district.tables["order_history"], "order_id")
        for row in district.tables["orders"]:
            history = histories[row["id"]]
            assert [entry["sequence"] for entry in history] == list(range(1, row["version"] + 1))
            assert all(
                one["at"] < other["at"] or (one["at"] == other["at"] and other["actor_id"] is None)
                for one, other in pairwise(history)
            )
            assert [entry["from_state"] for entry in history] == [None, *(e["to_state"] for e in history[:-1])]
            assert history[0]["at"] == row["placed_at"]
            assert history[-1]["to_state"] == row["state"]

    def test_numbers_grow_with_time(self, district: District) -> None:
        rows = district.tables["orders"]

        assert [row["number"] for row in rows] == list(range(FIRST_ORDER_NUMBER, FIRST_ORDER_NUMBER + len(rows)))
        assert all(one["placed_at"] <= other["placed_at"] for one, other in pairwise(rows))

    def test_the_lifecycle_has_every_step_with_what_it_needs(self, district: District) -> None:
        """That everybody was entitled to theirs, `order_step` itself says: test_past_orders.py."""
        for order in district.orders:
            for state, step in zip(order.states, order.steps[1:], strict=False):
                transition = STANDARD.step(step.action, state)
                assert transition is not None, (order.key, step)
                assert step.note or Need.REASON not in transition.needs, (order.key, step)
                assert step.actor_id or Fact.IS_SYSTEM in transition.who or is_redone_at_once(step), (order.key, step)

    def test_nobody_does_what_they_need_or_checks_what_they_did(self, district: District) -> None:
        for order in district.orders:
            at_work = {step.actor_id for step in order.steps if step.action in WORK}
            judging = {step.actor_id for step in order.steps if step.action in {OrderAction.VERIFY, OrderAction.RATE}}
            assert order.resident.account_id not in at_work, order.key
            assert not at_work & judging, order.key

    def test_people_are_awake(self, district: District) -> None:
        times = [step.at for order in district.orders for step in order.steps if step.actor_id is not None]

        assert all(time(6, 45) <= moment.astimezone(SHANGHAI).time() <= time(21, 30) for moment in times)

    def test_whoever_places_for_another_may(self, district: District) -> None:
        for order in district.orders:
            family = {member.person.account_id for member in order.home.members}
            worker = district.staff.grid_worker_of[order.home.compound.code]
            assert order.placed_by in family | {worker.id}, order.key

    def test_proxies_are_there(self, district: District) -> None:
        proxies = [order for order in district.orders if order.placed_by != order.resident.account_id]

        assert len(proxies) > 80

    def test_every_way_round_has_been_gone(self, district: District) -> None:
        gone = Counter(step.action for order in district.orders for step in order.steps)
        by_system = Counter(step.action for order in district.orders for step in order.steps if not step.actor_id)

        assert gone.keys() == set(OrderAction) - NEVER_TAKEN
        assert gone[OrderAction.DECLINE] >= 15
        assert all(gone[action] >= 5 for action in (OrderAction.HAND_BACK, OrderAction.TRANSFER, OrderAction.SHELVE))
        assert by_system.keys() == {OrderAction.CLOSE, OrderAction.LAPSE, OrderAction.REDO, OrderAction.FOLLOW}
        assert by_system[OrderAction.CLOSE] > gone[OrderAction.CLOSE] / 2

    def test_merged_orders_share_the_way_of_one_nearby(self, district: District) -> None:
        merged = [order for order in district.orders if order.main is not None]

        assert len(merged) == 6
        for order in merged:
            assert order.main is not None
            assert order.home.compound is order.main.home.compound
            assert order.kind is order.main.kind
            assert order.resident is not order.main.resident

    def test_what_is_shelved_waits_for_something(self, district: District) -> None:
        (water,) = [order for order in district.orders if order.key == "water"]

        assert water.standing.timer_action == OrderAction.RESUME
        assert water.standing.timer_at is not None
        assert water.standing.timer_at > TODAY_BEGINS
        assert len(district.tables["order_units"]) == 1

    def test_a_finished_order_has_the_evidence_its_kind_asks_for(self, district: District) -> None:
        for order in district.orders:
            completion = order.last(OrderAction.COMPLETE)
            assert completion is None or (completion.note is not None) >= order.kind.evidence_required

    def test_unsolved_and_badly_rated_orders_are_there(self, district: District) -> None:
        ratings = [step.details for order in district.orders for step in order.taken(OrderAction.RATE)]

        assert {rating["stars"] for rating in ratings} == {1, 2, 3, 4, 5}
        assert 10 < sum(not rating["solved"] for rating in ratings) < 60
        assert 10 < sum(row["redos"] > 0 for row in district.tables["orders"]) < 60

    def test_texts_are_filled_in_and_say_nothing_of_party_or_illness(self, district: District) -> None:
        columns = ("description", "completion_note", "rating_comment")
        texts = [row[column] for row in district.tables["orders"] for column in columns if row[column]]
        texts += [row["note"] for row in district.tables["order_history"] if row["note"]]

        assert not [text for text in texts if re.search(r"[{}]|党|病|血压|糖|患|残", text)]
        assert len(set(texts)) > 150

    def test_the_neighbour_has_ordered_nothing(self, district: District) -> None:
        neighbour = PERSONA["neighbour"].account_id

        assert not [order for order in district.orders if neighbour in {order.placed_by, order.assignee_id}]
        assert not [order for order in district.orders if order.resident.account_id == neighbour]

    def test_mr_zhang_has_had_his_medicine_every_week(self, district: District) -> None:
        mine = [order for order in district.orders if order.resident.key == "zhang"]

        assert len(mine) == 7
        assert {order.wanted_from.weekday() for order in mine if order.wanted_from} == {0}
        assert {order.assignee_id for order in mine} == {PERSONA["member"].account_id}
        assert {order.state for order in mine} <= {OrderState.RATED, OrderState.CLOSED}


WORK = {OrderAction.ACCEPT, OrderAction.START, OrderAction.COMPLETE, OrderAction.JOIN}
NEVER_TAKEN = {
    OrderAction.AMEND, OrderAction.TAKE_OVER, OrderAction.LEAVE, OrderAction.REOPEN, OrderAction.UNMERGE,
    OrderAction.ASK_EXTENSION, OrderAction.GRANT_EXTENSION, OrderAction.REFUSE_EXTENSION,
}  # fmt: skip


def is_redone_at_once(step: Step) -> bool:
    """What the resident calls unsolved, the product has done again."""
    return step.action is OrderAction.REDO


class TestUnits:
    def test_there_is_one_of_every_kind(self, district: District) -> None:
        assert {unit.kind for unit in district.staff.units} == set(UnitKind)

    def test_everyone_is_led_by_one_of_its_members(self, district: District) -> None:
        members = rows_by(district.tables["unit_members"], "unit_id")

        for row in district.tables["units"]:
            assert [member["is_leader"] for member in members[row["id"]]].count(True) == 1

    def test_companies_are_given_what_they_are_paid_for(self, district: District) -> None:
        companies = {unit.id: unit for unit in district.staff.units if unit.kind is UnitKind.ORGANIZATION}
        theirs = [order for order in district.orders if order.standing.unit_id in companies]

        assert len(theirs) > 40
        for order in theirs:
            unit_id = order.standing.unit_id
            assert unit_id is not None
            assert district.staff.company_of[order.home.compound.code].name == companies[unit_id].name


class TestPoints:
    def test_every_transaction_sums_to_zero(self, district: District) -> None:
        entries = rows_by(district.tables["ledger_entries"], "transaction_id")

        assert entries.keys() == {row["id"] for row in district.tables["ledger_transactions"]}
        assets = {row["id"]: row["asset"] for row in district.tables["ledger_accounts"]}
        for legs in entries.values():
            assert len(legs) >= 2
            for asset in set(assets.values()):
                assert sum(leg["amount"] for leg in legs if assets[leg["account_id"]] == asset) == 0

    def test_balances_are_the_sum_of_their_entries(self, district: District) -> None:
        entries = rows_by(district.tables["ledger_entries"], "account_id")
        for account in district.tables["ledger_accounts"]:
            own = sorted(entries[account["id"]], key=lambda entry: int(entry["sequence"]))
            assert [entry["sequence"] for entry in own] == list(range(1, account["version"] + 1))
            balance = 0
            for entry in own:
                balance += entry["amount"]
                assert entry["balance_after"] == balance
            assert balance == account["balance"]
            assert balance >= account["held"] >= 0 or account["kind"] == "issuing_community"
        for accounts in rows_by(district.tables["ledger_accounts"], "asset").values():
            assert sum(account["balance"] for account in accounts) == 0

    def test_lots_hold_what_members_have(self, district: District) -> None:
        lots = rows_by(district.tables["ledger_lots"], "account_id")
        for account in district.tables["ledger_accounts"]:
            own = lots[account["id"]]
            if account["kind"] == "member":
                assert sum(lot["remaining"] for lot in own) == account["balance"]
                assert sum(lot["held"] for lot in own) == account["held"]
            else:
                assert own == []

    def test_what_lots_gave_is_allocated_to_the_entry_that_took_it(self, district: District) -> None:
        taken = rows_by(district.tables["ledger_allocations"], "lot_sequence")
        for lot in district.tables["ledger_lots"]:
            own = [row for row in taken[lot["sequence"]] if row["account_id"] == lot["account_id"]]
            assert lot["amount"] + sum(row["amount"] for row in own) == lot["remaining"]
        assert len(district.tables["ledger_allocations"]) > 0

    def test_something_is_held_and_waits(self, district: District) -> None:
        (hold,) = district.tables["ledger_holds"]
        (reserved,) = district.tables["ledger_hold_lots"]
        (waiting,) = district.tables["ledger_open_holds"]
        assert hold["amount"] == reserved["amount"] > 0
        assert hold["id"] == reserved["hold_id"] == waiting["hold_id"]
        assert hold["recorded_at"] < TODAY_BEGINS < hold["expires_at"]

    def test_everything_waits_to_be_sealed(self, district: District) -> None:
        records = {(row["record_kind"], row["record_id"]) for row in district.tables["ledger_unsealed"]}
        assert records == {
            *(("transaction", row["id"]) for row in district.tables["ledger_transactions"]),
            *(("hold", row["id"]) for row in district.tables["ledger_holds"]),
        }

    def test_each_rated_order_was_credited_by_the_rule_in_force(self, district: District) -> None:
        records = rows_by(district.tables["service_records"], "source_id")
        rewarded = rows_by(district.tables["ledger_transactions"], "source_id")
        amounts = {
            row["transaction_id"]: row["amount"] for row in district.tables["ledger_entries"] if row["amount"] > 0
        }
        rewarding = {order.id: order.rewarding for order in district.orders}
        for row in district.tables["orders"]:
            rating = rewarding[row["id"]]
            expected = expected_points(row, rating, district.tables["earning_rule_versions"])
            transactions = rewarded.get(str(row["id"]), [])
            assert [amounts[transaction["id"]] for transaction in transactions] == ([expected] if expected else [])
            own = [record["points"] for record in records[row["id"]]]
            assert own == ([expected] if rating else [])

    def test_an_activity_was_certified_with_its_minutes(self, district: District) -> None:
        certified = [row for row in district.tables["service_records"] if row["source_kind"] == "service_certified"]
        assert len(certified) == 8
        assert {(row["points"], row["minutes_credited"]) for row in certified} == {(2, 120)}
        assert PERSONA["second_member"].account_id in {row["account_id"] for row in certified}

    def test_records_count_each_persons_services(self, district: District) -> None:
        for records in rows_by(district.tables["service_records"], "account_id").values():
            assert [record["sequence"] for record in records] == list(range(1, len(records) + 1))
            assert all(one["judged_at"] <= other["judged_at"] for one, other in pairwise(records))

    def test_rules_were_decided_by_two(self, district: District) -> None:
        for rule in district.tables["earning_rule_versions"]:
            assert rule["drafted_by"] != rule["activated_by"]
            assert rule["drafted_at"] <= rule["simulated_at"] <= rule["activated_at"] <= rule["active_from"]

    def test_every_judged_work_was_told_and_heard_once(self, district: District) -> None:
        """A merged order's work is its main order's; what is done again is told when it is judged again."""
        own = [row for row in district.tables["orders"] if row["merged_into"] is None]
        rated = {str(row["id"]) for row in own if row["rewarded_at"] is not None}
        events = {row["id"]: row for row in district.tables["outbox_events"]}
        deliveries = district.tables["outbox_deliveries"]

        assert sorted(row["payload"]["order_id"] for row in events.values()) == sorted(rated)
        assert all(EVENTS[row["kind"]].model_validate(row["payload"]) for row in events.values())
        assert {row["event_id"] for row in deliveries} == events.keys()
        assert all(row["delivered_at"] > row["due_at"] for row in deliveries)

    def test_the_member_has_points_to_show(self, district: District) -> None:
        member = PERSONA["member"].account_id
        (account,) = [
            row
            for row in district.tables["ledger_accounts"]
            if row["owner_id"] == member and row["asset"] == Asset.POINTS
        ]

        assert account["balance"] >= 7 * 10


def expected_points(order: Row, rating: Step | None, versions: list[Row]) -> int:
    """The points of an order, worked out from the rows alone."""
    if rating is None or not order["solved"]:
        return 0
    in_force = [version for version in versions if version["active_from"] <= order["rated_at"]]
    terms = max(in_force, key=lambda version: version["active_from"])["terms"]
    own = terms["orders"]["kinds"].get(order["kind"], terms["orders"]["general"])
    if order["stars"] < own["min_stars"]:
        return 0
    bonus = own["bonus"]["points"] if own["bonus"] and order["stars"] >= own["bonus"]["stars"] else 0
    return min(int(own["fixed_points"] + bonus), int(terms["caps"]["per_activity"]))
