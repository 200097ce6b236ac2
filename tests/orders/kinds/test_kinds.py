"""What can be ordered, what it asks, and who decides that."""

import asyncio
from typing import Any

import httpx2
import pytest

from services.orders.kinds.standard import STANDARD_KIND, standard_policies
from services.orders.lifecycles.standard import STANDARD
from tests.world import World

FLOOR: dict[str, Any] = {"id": "floor", "label": "楼层", "type": "number", "required": True, "min": 1, "max": 40}
PLACE: dict[str, Any] = {
    "id": "place", "label": "位置", "type": "choice",
    "choices": [{"id": "hall", "label": "楼道"}, {"id": "yard", "label": "院子", "label_en": "Yard"}],
}  # fmt: skip
LIGHTS: dict[str, Any] = {
    "id": "corridor_light", "name": "楼道照明", "category": "公共设施", "default_visibility": "community",
    "default_priority": "high", "helpers_wanted": 2, "position": 3, "questions": [FLOOR],
}  # fmt: skip


async def add(world: World, by: str = "district_admin", **body: Any) -> httpx2.Response:
    return await world.people[by].post("/v1/order-kinds", {**LIGHTS, **body})


async def put(world: World, path: str, body: dict[str, Any], by: str = "district_admin") -> httpx2.Response:
    return await world.people[by].client.put(f"/v1/order-kinds/{path}", json=body)


def edited(kind: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The body of an edit that leaves all but `changes` as it is."""
    facts = {name: kind[name] for name in kind.keys() - {"id", "version", "form"}}
    return {**facts, "expected_version": kind["version"], **changes}


async def read(world: World, kind: str = "corridor_light", by: str = "zhang") -> dict[str, Any]:
    answer = await world.people[by].get(f"/v1/order-kinds/{kind}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_kinds_in_use_are_listed_for_everyone_of_the_district(world: World, other_world: World) -> None:
    await world.insert("order_kinds", id="withdrawn", name="已停办", category="care", is_active=False)
    await other_world.insert("order_kinds", id="only_there", name="他区业务", category="care")
    answer = await world.zhang.get("/v1/order-kinds")
    assert [kind["id"] for kind in answer.json()["items"]] == ["buy_medicine", "snow_clearing"]
    whole = await world.zhang.get("/v1/order-kinds", with_inactive=True)
    assert [kind["id"] for kind in whole.json()["items"]] == ["buy_medicine", "snow_clearing", "withdrawn"]


class TestAdding:
    async def test_a_new_kind_comes_with_all_a_client_needs_to_draw_it(self, world: World) -> None:
        added = await add(world, questions=[FLOOR, PLACE])
        assert added.status_code == 201, added.text
        kind = added.json()
        assert (kind["version"], kind["form"]["version"]) == (1, 1)
        assert [question["id"] for question in kind["form"]["questions"]] == ["floor", "place"]
        assert kind["form"]["questions"][1]["choices"][1] == {"id": "yard", "label": "院子", "label_en": "Yard"}
        listed = (await world.zhang.get("/v1/order-kinds")).json()["items"]
        assert kind == await read(world) == listed[-1]

    async def test_its_orders_live_as_the_districts_do(self, world: World) -> None:
        version = await world.add_lifecycle(STANDARD)
        await world.add_lifecycle(STANDARD, order_kind="buy_medicine")
        await add(world)
        found = await world.fetch_value("SELECT lifecycle_version FROM order_kinds WHERE id = 'corridor_light'")
        assert found == version

    async def test_its_id_is_taken_once(self, world: World) -> None:
        answers = await asyncio.gather(*(add(world, name=name) for name in ("甲", "乙", "丙")))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
        assert (await add(world)).json()["code"] == "order_kind_taken"

    @pytest.mark.parametrize("by", ["zhang", "member", "dispatcher", "community_admin"])
    async def test_only_for_who_rules_the_district(self, world: World, by: str) -> None:
        assert (await add(world, by)).json()["code"] == "forbidden"
        assert (await put(world, "buy_medicine", edited(await read(world, "buy_medicine")), by)).status_code == 403
        form = {"expected_version": 1, "questions": []}
        assert (await put(world, "buy_medicine/form", form, by)).status_code == 403
        assert (await world.people[by].get("/v1/order-kinds/buy_medicine/changes")).status_code == 403

    @pytest.mark.parametrize(
        "body",
        [
            {"id": "Corridor"}, {"id": "1light"}, {"id": "楼道"}, {"id": "a" * 41}, {"name": ""}, {"name": "\0"},
            {"helpers_wanted": 0}, {"helpers_wanted": 201}, {"helpers_wanted": "２"}, {"evidence_required": -1},
            {"evidence_required": 1.5}, {"default_priority": "asap"}, {"default_visibility": "all"},
            {"position": 2**63}, {"is_active": 1}, {"version": 7}, {"description": "长" * 501}, {"form_version": 3},
        ],
    )  # fmt: skip
    async def test_odd_kinds_are_refused(self, world: World, body: dict[str, Any]) -> None:
        assert (await add(world, **body)).json()["code"] == "invalid_request"


class TestEditing:
    async def test_an_edit_makes_the_next_version(self, world: World) -> None:
        kind = (await add(world)).json()
        answer = await put(world, "corridor_light", edited(kind, name="楼道灯", is_active=False))
        assert (answer.status_code, answer.json()) == (
            200,
            {**kind, "name": "楼道灯", "is_active": False, "version": 2},
        )

    async def test_a_repeated_edit_changes_nothing_more(self, world: World) -> None:
        body = edited((await add(world)).json(), name="楼道灯")
        first, again = await put(world, "corridor_light", body), await put(world, "corridor_light", body)
        assert first.json() == again.json() == await read(world)
        changes = (await world.district_admin.get("/v1/order-kinds/corridor_light/changes")).json()
        assert [change["version"] for change in changes["items"]] == [2, 1]

    async def test_who_edits_what_somebody_else_has_edited_is_told(self, world: World) -> None:
        kind = (await add(world)).json()
        names = ("甲", "乙", "丙", "丁")
        async with world.connection.transaction():
            await world.connection.execute("SELECT FROM order_kinds WHERE id = 'corridor_light' FOR UPDATE")
            edits = [
                asyncio.create_task(put(world, "corridor_light", edited(kind, name=name))) for name in names
            ]  # all of them read it before one may write
            await asyncio.sleep(0.5)
        answers = await asyncio.gather(*edits)
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        lost = next(answer for answer in answers if answer.status_code == 409)
        assert (lost.json()["code"], lost.json()["version"]) == ("order_kind_changed", 2)

    async def test_what_does_not_exist_is_not_found(self, world: World, other_world: World) -> None:
        await add(other_world)
        kind = await read(world, "buy_medicine")
        assert (await put(world, "corridor_light", edited(kind))).json()["code"] == "order_kind_not_found"
        form = {"expected_version": 1, "questions": []}
        assert (await put(world, "corridor_light/form", form)).json()["code"] == "order_kind_not_found"
        for path in ("corridor_light", "corridor_light/changes"):
            answer = await world.district_admin.get(f"/v1/order-kinds/{path}")
            assert answer.json()["code"] == "order_kind_not_found"
        answer = await world.zhang.get("/v1/order-kinds/corridor_light/forms/1")
        assert answer.json()["code"] == "order_kind_form_not_found"

    async def test_every_change_is_told_with_who_made_it(self, world: World) -> None:
        kind = (await add(world)).json()
        await put(world, "corridor_light", edited(kind, helpers_wanted=3))
        await put(world, "corridor_light/form", {"expected_version": 2, "questions": []})
        changes = await changes_of(world)
        assert [change["version"] for change in changes] == [3, 2, 1]
        assert {change["changed_by"] for change in changes} == {str(world.district_admin.account_id)}
        assert changes[2]["before"] is None
        assert [change["after"]["helpers_wanted"] for change in changes] == [3, 3, 2]
        assert (changes[0]["before"]["form_version"], changes[0]["after"]["form_version"]) == (1, 2)


async def changes_of(world: World) -> list[dict[str, Any]]:
    """All there are, read one by one."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 1}
    while True:
        page = (await world.district_admin.get("/v1/order-kinds/corridor_light/changes", **query)).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


class TestForms:
    async def test_another_form_is_another_version_and_the_old_one_stays(self, world: World) -> None:
        await add(world)
        answer = await put(world, "corridor_light/form", {"expected_version": 1, "questions": [PLACE]})
        assert (answer.status_code, answer.json()["version"], answer.json()["form"]["version"]) == (200, 2, 2)
        first = (await world.zhang.get("/v1/order-kinds/corridor_light/forms/1")).json()
        assert [question["id"] for question in first["questions"]] == ["floor"]
        second = (await world.zhang.get("/v1/order-kinds/corridor_light/forms/2")).json()
        assert second["questions"] == answer.json()["form"]["questions"]
        assert (await world.zhang.get("/v1/order-kinds/corridor_light/forms/3")).status_code == 404

    async def test_a_repeated_form_is_no_other_version(self, world: World) -> None:
        await add(world)
        body = {"expected_version": 1, "questions": [PLACE]}
        answers = [await put(world, "corridor_light/form", body) for _ in range(3)]
        assert [answer.json()["form"]["version"] for answer in answers] == [2, 2, 2]
        late = await put(world, "corridor_light/form", {"expected_version": 1, "questions": [FLOOR, PLACE]})
        assert (late.status_code, late.json()["code"]) == (409, "order_kind_changed")

    async def test_a_kind_that_never_asked_anything_gets_its_first(self, world: World) -> None:
        assert (await read(world, "buy_medicine"))["form"] == {"version": None, "questions": []}
        answer = await put(world, "buy_medicine/form", {"expected_version": 1, "questions": []})
        assert answer.json()["form"] == {"version": 1, "questions": []}

    @pytest.mark.parametrize(
        ("questions", "place", "said"),
        [
            ([FLOOR, PLACE, FLOOR], "body.questions", "question 2 has the id of question 0"),
            ([FLOOR, {**PLACE, "choices": []}], "body.questions.1", "need at least one"),
            ([{**FLOOR, "choices": PLACE["choices"]}], "body.questions.0", "belong to the types"),
            ([{**PLACE, "choices": [PLACE["choices"][0]] * 2}], "body.questions.0", "same id"),
            ([{**PLACE, "min": 1}], "body.questions.0", "number and text"),
            ([{**FLOOR, "min": 41}], "body.questions.0", "min is more than max"),
            ([{**FLOOR, "type": "text", "min": -1}], "body.questions.0", "0 to 2000"),
            ([{**FLOOR, "type": "text", "max": 2001}], "body.questions.0", "0 to 2000"),
            ([{**FLOOR, "max": 2**63}], "body.questions.0.max", ""),
            ([{**FLOOR, "max": 4.5}], "body.questions.0.max", ""),
            ([{**FLOOR, "type": "photo"}], "body.questions.0.type", ""),
            ([{**FLOOR, "id": "楼层"}], "body.questions.0.id", ""),
            ([{**FLOOR, "label": ""}], "body.questions.0.label", ""),
            ([{**FLOOR, "label": "\u200b\u3164\u2060"}], "body.questions.0.label", "nothing of it can be seen"),
            ([{**PLACE, "whole": True}], "body.questions.0", "whole belongs to the type number"),
            ([{**PLACE, "choices": [{"id": "hall"}]}], "body.questions.0.choices.0.label", ""),
            ([{**FLOOR, "id": f"q{number}"} for number in range(21)], "body.questions", ""),
        ],
    )
    async def test_a_form_that_does_not_hold_together_is_refused_with_the_place(
        self, world: World, questions: list[dict[str, Any]], place: str, said: str
    ) -> None:
        answer = await put(world, "buy_medicine/form", {"expected_version": 1, "questions": questions})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        errors = answer.json()["errors"]
        assert [error["field"] for error in errors] == [place]
        assert said in errors[0]["message"]


class TestAdoptingTheStandard:
    """A district that was there before forms and times gets them by one decision of its own."""

    async def test_forms_and_times_where_there_are_none(self, world: World) -> None:
        own = (await add(world, id="corridor_light", questions=[PLACE])).json()
        adopted = await world.district_admin.post("/v1/order-kinds/adopt-standard")
        assert adopted.status_code == 200, adopted.text
        kinds = {kind["id"]: kind for kind in adopted.json()["items"]}
        assert kinds["corridor_light"] == own
        for kind in ("buy_medicine", "snow_clearing"):
            assert kinds[kind]["form"] == {"version": 1, "questions": STANDARD_KIND[kind].form()}
            (change,) = (await world.district_admin.get(f"/v1/order-kinds/{kind}/changes")).json()["items"]
            assert change["changed_by"] == str(world.district_admin.account_id)
            assert (change["before"]["form_version"], change["after"]["form_version"]) == (None, 1)
        decided = await world.fetch("SELECT order_kind, recorded_by FROM clock_policies ORDER BY version")
        promised = {kind for kind, _ in standard_policies()} & {None, *kinds}
        assert {row["order_kind"] for row in decided} == promised > {None}
        assert {row["recorded_by"] for row in decided} == {world.district_admin.account_id}

    async def test_a_second_time_changes_nothing(self, world: World) -> None:
        answers = await asyncio.gather(*(world.district_admin.post("/v1/order-kinds/adopt-standard") for _ in range(3)))
        assert [answer.status_code for answer in answers] == [200] * 3
        assert answers[0].json() == answers[1].json() == answers[2].json()
        assert await world.fetch_value("SELECT count(*) FROM order_kind_changes") == 2
        assert await world.fetch_value("SELECT count(*) = count(DISTINCT order_kind) + 1 FROM clock_policies")

    async def test_times_of_its_own_stay(self, world: World) -> None:
        decided = await world.district_admin.post("/v1/clock-policies", {"targets": {}, "note": "本区暂不承诺"})
        assert decided.status_code == 201, decided.text
        await world.district_admin.post("/v1/order-kinds/adopt-standard")
        assert await world.fetch_value("SELECT count(*) FROM clock_policies") == 1

    @pytest.mark.parametrize("by", ["zhang", "dispatcher", "community_admin"])
    async def test_only_for_who_rules_the_district(self, world: World, by: str) -> None:
        assert (await world.people[by].post("/v1/order-kinds/adopt-standard")).json()["code"] == "forbidden"
