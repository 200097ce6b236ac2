"""Who answers for a household: the posts on the way from its building up to the subdistrict (三长制, 包保责任链)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Post, PostKind
from services.chassis.identity import Identity
from services.grid.areas.queries import chain_of
from services.grid.areas.schemas import AreaLine
from services.grid.households.queries import find_household
from services.grid.households.schemas import ResponsibilityChain, ResponsiblePost
from services.grid.posts.terms import is_in_office, today

TITLES = {
    PostKind.BUILDING_LEADER: "楼栋长",
    PostKind.GRID_LEADER: "网格长",
    PostKind.PARTY_GROUP_LEADER: "党小组长",
    PostKind.RESPONSIBLE_PERSON: "责任人",
    PostKind.GUARANTOR_CADRE: "包保干部",
    PostKind.GUARANTOR_LEADER: "包保领导",
}


async def read_chain(transaction: AsyncSession, caller: Identity, household_id: UUID) -> ResponsibilityChain:
    """Raises HouseholdNotFound."""
    household, area = await find_household(transaction, caller, household_id)
    _district, *below_district = await chain_of(transaction, caller.tenant_id, area.ancestor_ids)
    posts = (
        await transaction.scalars(
            select(Post)
            .where(Post.tenant_id == caller.tenant_id, Post.area_id.in_([line.id for line in below_district]))
            .order_by(Post.valid_from, Post.id)
        )
    ).all()
    return ResponsibilityChain(
        household_id=household.id, chain=list(responsibility_chain(below_district[::-1], posts, today()))
    )


def responsibility_chain(upwards: Sequence[AreaLine], posts: Iterable[Post], day: date) -> Iterator[ResponsiblePost]:
    """The posts in the order of their kinds; of each kind the nearest that is filled, after the vacancies before it.

    `upwards` begins with the household's own area. A post is vacant where somebody held it before and nobody does now,
    and once where nobody ever did.
    """
    held: defaultdict[tuple[PostKind, UUID], list[Post]] = defaultdict(list)
    for post in posts:
        held[post.kind, post.area_id].append(post)
    for kind in PostKind:
        places = [(area, held[kind, area.id]) for area in upwards if held[kind, area.id]]
        yield from _of_kind(kind, places, day)


def _of_kind(kind: PostKind, places: list[tuple[AreaLine, list[Post]]], day: date) -> Iterator[ResponsiblePost]:
    for area, posts in places:
        in_office = [post for post in posts if is_in_office(post, day)]
        yield from (_filled(area, post) for post in in_office)
        if in_office:
            return
        yield _vacant(kind, area)
    if not places:
        yield _vacant(kind, None)


def _filled(area: AreaLine, post: Post) -> ResponsiblePost:
    return ResponsiblePost(
        kind=post.kind,
        title=TITLES[post.kind],
        area=area,
        is_vacant=False,
        post_id=post.id,
        holder_name=post.holder_name,
        duty_phone=post.duty_phone,
        account_id=post.account_id,
        since=post.valid_from,
    )


def _vacant(kind: PostKind, area: AreaLine | None) -> ResponsiblePost:
    return ResponsiblePost(
        kind=kind,
        title=TITLES[kind],
        area=area,
        is_vacant=True,
        post_id=None,
        holder_name=None,
        duty_phone=None,
        account_id=None,
        since=None,
    )
