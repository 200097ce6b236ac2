"""Orders by words: Chinese without spaces, any order, newest first, and nobody finds what they may not read."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.identity import Role
from services.chassis.database import Database
from services.orders.reading.search import places, words_of
from tests.orders.reading.conftest import Index
from tests.world import World


async def found(world: World, by: str, q: str, **query: Any) -> list[str]:
    """The ids of all pages, read two by two."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await world.people[by].get("/v1/orders/search", q=q, limit=2, **query, **cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        ids += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return ids
        cursor = {"cursor": page["next_cursor"]}


async def placed(world: World, *descriptions: str, by: str = "zhang", **body: Any) -> list[str]:
    return [(await world.order(by, description=text, **body))["id"] for text in descriptions]


@pytest.mark.parametrize("is_indexed", [False, True])
async def test_words_in_any_order_newest_first(world: World, index: Index, is_indexed: bool) -> None:
    first, second, third = await placed(world, "三楼水压太低", "水管漏水，压坏了地板", "晚上水压又低了，三楼也一样")
    if is_indexed:
        await index()
    assert await found(world, "dispatcher", "水压") == [third, first]
    assert await found(world, "dispatcher", "三楼 水压") == [third, first]
    assert await found(world, "dispatcher", "又低，水压") == [third]
    assert await found(world, "dispatcher", "漏水") == [second]
    assert await found(world, "dispatcher", "水表") == []


@pytest.mark.parametrize("is_indexed", [False, True])
async def test_by_address_name_and_a_single_character(world: World, index: Index, is_indexed: bool) -> None:
    mine = await placed(world, "买药")
    theirs = await placed(world, "狗叫", by="neighbour")
    if is_indexed:
        await index()
    assert await found(world, "dispatcher", "2单元501") == theirs
    assert await found(world, "dispatcher", "张德明") == mine
    assert await found(world, "dispatcher", "狗") == theirs
    assert await found(world, "dispatcher", "药 张德明") == mine
    assert await found(world, "dispatcher", "万隆一品") == [*theirs, *mine]


async def test_the_number_read_out_finds_its_order(world: World) -> None:
    order = await world.order()
    for spoken in (order["number"], f"{order['number'][:4]}-{order['number'][4:]}"):
        assert await found(world, "dispatcher", spoken) == [order["id"]]
        assert await found(world, "zhang", spoken) == [order["id"]]
        assert await found(world, "neighbour", spoken) == []
        assert await found(world, "other_dispatcher", spoken) == []


async def test_the_places_of_the_words_are_told(world: World) -> None:
    await placed(world, "水压低，ＡＢＣ牌水表")
    items = (await world.dispatcher.get("/v1/orders/search", q="水压 abc")).json()["items"]
    assert items[0]["highlights"] == [
        {"field": "description", "from": 0, "to": 2},
        {"field": "description", "from": 4, "to": 7},
    ]


async def test_residents_find_their_own_and_helpers_their_tasks(world: World, index: Index) -> None:
    (mine,) = await placed(world, "厨房水压太低")
    await placed(world, "阳台水压太低", by="neighbour")
    await index()
    assert await found(world, "zhang", "水压") == [mine]
    assert await found(world, "member", "水压") == []
    await world.act(mine, "dispatcher", "triage", {})
    await world.act(mine, "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    assert await found(world, "member", "水压", view="tasks") == [mine]
    assert (await world.member.get("/v1/orders/search", q="水压", view="area")).status_code == 403


async def test_a_task_that_is_judged_is_not_found_by_its_words_any_more(world: World) -> None:
    order = await world.rated_order()
    assert await found(world, "member", "药品", view="tasks") == []
    assert await found(world, "zhang", "药品") == [order["id"]]


async def test_an_anonymous_order_is_not_found_by_its_name(world: World, index: Index) -> None:
    (order,) = await placed(world, "楼上深夜噪音")
    await world.connection.execute("UPDATE orders SET is_anonymous = true WHERE id = $1", order)
    await world.connection.execute(
        "INSERT INTO order_word_work SELECT tenant_id, number FROM orders ON CONFLICT DO NOTHING"
    )
    await index()
    assert await found(world, "dispatcher", "噪音") == [order]
    assert await found(world, "dispatcher", "张德明") == []


async def test_another_district_finds_nothing(world: World, other_world: World, index: Index) -> None:
    await placed(world, "水压太低")
    await index()
    assert await found(other_world, "district_admin", "水压") == []


async def test_districts_may_have_equal_numbers(
    world: World, other_world: World, orders_database: Database, index: Index
) -> None:
    async def indexed_with(district: World, number: int, words: str) -> str:
        (order,) = await placed(district, words)
        while await orders_database.pool.fetchval("SELECT order_words_keep($1, 200, 4)", district.tenant_id):
            pass
        await district.connection.execute("UPDATE orders SET number = $2 WHERE id = $1", order, number)
        await district.connection.execute(
            "INSERT INTO order_word_work (tenant_id, number) VALUES ($1, $2)", district.tenant_id, number
        )
        while await orders_database.pool.fetchval("SELECT order_words_keep($1, 200, 4)", district.tenant_id):
            pass
        return order

    mine = await indexed_with(world, 987654321, "三楼水压太低")
    theirs = await indexed_with(other_world, 987654321, "电梯水压异响")
    for person, words, expected in (("dispatcher", "水压", mine), ("district_admin", "三楼", mine)):
        assert await found(world, person, words) == [expected]
        assert await found(other_world, person, "水压") == [theirs]
    assert await found(world, "district_admin", "电梯") == []


async def test_words_that_are_changed_are_found_as_they_are(world: World, index: Index) -> None:
    (order,) = await placed(world, "水压太低")
    await index()
    await world.connection.execute("UPDATE orders SET description = '电梯异响' WHERE id = $1", order)
    assert await found(world, "dispatcher", "电梯") == [order]
    await index()
    assert await found(world, "dispatcher", "电梯") == [order]
    assert await found(world, "dispatcher", "水压") == []


@pytest.mark.parametrize("q", ["", "，。！", "一 二 三 四 五 六 七 八 九"])
async def test_something_has_to_be_asked_for(world: World, q: str) -> None:
    assert (await world.dispatcher.get("/v1/orders/search", q=q)).status_code == 422


async def test_a_foreign_area_is_not_found(world: World) -> None:
    answer = await world.dispatcher.get("/v1/orders/search", q="水压", area_id=str(world.areas["other_community"]))
    assert answer.status_code == 404


@pytest.mark.parametrize("seed", range(3))
async def test_random_words_and_areas_answer_like_a_naive_filter(world: World, index: Index, seed: int) -> None:
    """Whatever is indexed and whatever is not: a search finds exactly the orders below the granted areas that have
    every word, newest first.
    """
    chance = random.Random(seed)
    letters = "水压低电梯灯坏"
    areas = ["community", "other_community", "compound", "building"]
    for number in range(3):
        await world.add_area(f"more{number}", "subdistrict", "community", f"99{seed}{number}00000", f"社区{number}")
        areas.append(f"more{number}")
    for number in range(40):
        (order,) = await placed(world, "".join(chance.choices(letters, k=chance.randint(3, 9))))
        place = world.areas[chance.choice(areas)]
        await world.connection.execute(
            "UPDATE orders SET area_id = $2, community_id = (SELECT community_id FROM areas WHERE id = $2)"
            " WHERE id = $1",
            order, place,
        )  # fmt: skip
        if number == 25:
            await index()
    for number in range(6):
        granted = chance.sample([*areas, "district", "subdistrict"], chance.randint(1, 2))
        person = await world.add_person(f"worker{number}", "随机", roles={Role.DISPATCHER: granted[0]})
        for area in granted[1:]:
            await world.connection.execute(
                "INSERT INTO grants (tenant_id, id, account_id, role, area_id)"
                " VALUES ($1, gen_random_uuid(), $2, 'grid_worker', $3)",
                world.tenant_id, person.account_id, world.areas[area],
            )  # fmt: skip
        words = ["".join(chance.choices(letters, k=chance.randint(1, 2))) for _ in range(chance.randint(1, 2))]
        naive = await world.fetch(
            "SELECT o.id FROM orders o JOIN areas a ON a.id = o.area_id WHERE a.ancestor_ids && $1"
            " AND (SELECT bool_and(strpos(o.description, w) > 0) FROM unnest($2::text[]) AS w) ORDER BY o.number DESC",
            [world.areas[area] for area in granted], words,
        )  # fmt: skip
        assert await found(world, f"worker{number}", " ".join(words)) == [str(row["id"]) for row in naive], words


async def test_small_blocks_and_pages_do_not_change_the_answer(world: World) -> None:
    lock = "hashtextextended('words of ' || $1::uuid, 0)"  # the product's own keeper would make larger blocks
    await world.connection.execute(f"SELECT pg_advisory_lock({lock})", world.tenant_id)
    orders = await placed(world, *["水压太低"] * 11)
    while await world.connection.fetchval("SELECT order_words_keep($1, 3, 3)", world.tenant_id):
        pass
    await world.connection.execute(f"SELECT pg_advisory_unlock({lock})", world.tenant_id)
    assert await found(world, "district_admin", "水压") == orders[::-1]
    assert await world.fetch_value("SELECT count(*) FROM order_word_blocks") > 2


@given(st.text(max_size=30))
def test_every_word_of_a_text_stands_in_it(text: str) -> None:
    plain = [letter for word in words_of(text) for letter in word]
    assert " " not in plain


@given(
    st.text(alphabet="水压低ab，ＡＢ", max_size=20), st.lists(st.text("水压低ab", min_size=1, max_size=3), max_size=3)
)
def test_places_are_apart_and_cover_the_words(text: str, words: list[str]) -> None:
    marked = places(text, words)
    assert all(start < end for start, end in marked)
    assert all(end < start for (_, end), (start, _) in pairwise(marked))
    for start, end in marked:
        assert any(word[0] in "".join(words_of(text[start:end])) for word in words)


async def test_python_and_sql_part_words_alike(orders_database: Database) -> None:
    texts = [
        "水-压，太低！ＡＢＣ３栋（2单元）、“好”",
        "a\u200bb",
        "①号 ½ ﬁ",
        "ÉCOLE é",
        "·・",
        "　全角　空格",
        "～〜",
        "😀狗",
    ]
    for text in texts:
        words = await orders_database.pool.fetchval("SELECT string_to_array(order_searched($1), ' ')", text)
        assert [word for word in words if word] == words_of(text), text
