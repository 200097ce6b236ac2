"""Who answers for a household."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.grid import Post, PostKind
from services.grid.areas.schemas import AreaLine
from services.grid.households.responsibility import TITLES, responsibility_chain
from tests.world import World

DAY = date(2026, 3, 16)
BUILDING, COMPOUND, COMMUNITY = (
    AreaLine(id=uuid4(), code=code, name=name, level=level, level_name=level)
    for code, name, level in (
        ("441602004010001003", "3栋", "building"),
        ("441602004010001", "万隆一品小区", "compound"),
        ("441602004010", "康乐路南社区", "community"),
    )
)


def post(kind: PostKind, area: AreaLine, holder: str, since: str = "2025-01-01", until: str | None = None) -> Post:
    return Post(
        id=uuid4(),
        area_id=area.id,
        kind=kind,
        holder_name=holder,
        valid_from=date.fromisoformat(since),
        valid_to=date.fromisoformat(until) if until else None,
    )


def chain(*posts: Post) -> list[tuple[PostKind, str | None, str | None]]:
    """(kind, area, holder) of the chain; a vacancy has no holder."""
    links = list(responsibility_chain([BUILDING, COMPOUND, COMMUNITY], posts, DAY))
    assert all(link.is_vacant == (link.holder_name is None) for link in links)
    return [(link.kind, link.area.name if link.area else None, link.holder_name) for link in links]


def of_kind(kind: PostKind, *posts: Post) -> list[tuple[str | None, str | None]]:
    return [(area, holder) for found, area, holder in chain(*posts) if found == kind]


class TestChain:
    def test_first_to_last_in_the_order_of_the_posts(self) -> None:
        posts = [
            post(PostKind.GUARANTOR_LEADER, COMMUNITY, "六"),
            post(PostKind.GUARANTOR_CADRE, COMMUNITY, "五"),
            post(PostKind.RESPONSIBLE_PERSON, COMPOUND, "四"),
            post(PostKind.PARTY_GROUP_LEADER, COMPOUND, "三"),
            post(PostKind.GRID_LEADER, COMPOUND, "二"),
            post(PostKind.BUILDING_LEADER, BUILDING, "一"),
        ]
        assert [holder for _, _, holder in chain(*posts)] == ["一", "二", "三", "四", "五", "六"]

    def test_without_any_post_everything_is_vacant(self) -> None:
        assert chain() == [(kind, None, None) for kind in PostKind]

    def test_the_nearest_answers(self) -> None:
        near, far = (post(PostKind.GRID_LEADER, area, area.name) for area in (BUILDING, COMMUNITY))
        assert of_kind(PostKind.GRID_LEADER, far, near) == [("3栋", "3栋")]
        assert of_kind(PostKind.GRID_LEADER, far) == [("康乐路南社区", "康乐路南社区")]

    def test_several_may_share_a_post(self) -> None:
        shared = [post(PostKind.RESPONSIBLE_PERSON, COMPOUND, name) for name in ("甲", "乙")]
        assert of_kind(PostKind.RESPONSIBLE_PERSON, *shared) == [("万隆一品小区", "甲"), ("万隆一品小区", "乙")]

    def test_a_vacancy_is_listed_before_who_answers_instead(self) -> None:
        posts = [
            post(PostKind.GRID_LEADER, BUILDING, "前任", until="2026-03-16"),
            post(PostKind.GRID_LEADER, COMMUNITY, "代管"),
        ]
        assert of_kind(PostKind.GRID_LEADER, *posts) == [("3栋", None), ("康乐路南社区", "代管")]

    def test_a_vacancy_with_nobody_above_is_listed_where_it_is(self) -> None:
        former = post(PostKind.BUILDING_LEADER, BUILDING, "前任", until="2026-01-01")
        assert of_kind(PostKind.BUILDING_LEADER, former) == [("3栋", None)]

    @pytest.mark.parametrize(
        ("since", "until", "holder"),
        [
            ("2026-03-16", None, "他"),
            ("2026-03-17", None, None),
            ("2025-01-01", "2026-03-17", "他"),
            ("2025-01-01", "2026-03-16", None),
        ],
    )
    def test_terms_begin_and_end_with_their_days(self, since: str, until: str | None, holder: str | None) -> None:
        assert of_kind(PostKind.GRID_LEADER, post(PostKind.GRID_LEADER, BUILDING, "他", since, until)) == [
            ("3栋", holder)
        ]

    def test_every_kind_has_a_title(self) -> None:
        assert set(TITLES) == set(PostKind)


class TestReadResponsible:
    async def fill(self, world: World, area: str, kind: PostKind, name: str, **body: Any) -> None:
        draft = {"area_id": str(world.areas[area]), "kind": kind, "holder_name": name, **body}
        assert (await world.district_admin.post("/v1/posts", draft)).status_code == 201

    async def test_mr_zhang_learns_whom_to_ask(self, world: World) -> None:
        await self.fill(world, "building", PostKind.BUILDING_LEADER, "王秀英", duty_phone="0762-3388001")
        await self.fill(world, "compound", PostKind.GRID_LEADER, "刘伟民", account_id=str(world.grid_worker.account_id))
        await self.fill(world, "subdistrict", PostKind.GUARANTOR_LEADER, "罗志远")
        await self.fill(world, "district", PostKind.GUARANTOR_CADRE, "not asked: beyond the subdistrict")
        await self.fill(world, "other_community", PostKind.PARTY_GROUP_LEADER, "not asked: elsewhere")
        answer = await world.zhang.get(f"/v1/households/{world.households['2单元502']}/responsible")
        assert answer.status_code == 200
        assert answer.json()["household_id"] == str(world.households["2单元502"])
        links = answer.json()["chain"]
        assert [(link["title"], link["holder_name"], link["is_vacant"]) for link in links] == [
            ("楼栋长", "王秀英", False),
            ("网格长", "刘伟民", False),
            ("党小组长", None, True),
            ("责任人", None, True),
            ("包保干部", None, True),
            ("包保领导", "罗志远", False),
        ]
        assert links[0]["duty_phone"] == "0762-3388001"
        assert links[0]["area"]["name"] == "3栋"
        assert UUID(links[1]["account_id"]) == world.grid_worker.account_id
        assert links[2]["area"] is None
