"""Where the areas of a test's district lie, how a test draws them, and how it reads whole lists."""

from typing import Any
from uuid import UUID

import httpx2

from tests.world import World

BUILDING = (114.7001, 23.7301)
"""A point inside `building` once `draw_district` has drawn it (WGS-84)."""
COMPOUND_YARD = (114.7009, 23.7309)
OUTSIDE = (110.0, 20.0)


def square(west: float, south: float, side: float) -> dict[str, Any]:
    """A GeoJSON square, sides in degrees."""
    east, north = round(west + side, 9), round(south + side, 9)
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }


async def draw(
    world: World, area: str | UUID, boundary: Any, *, crs: str = "wgs84", by: str = "district_admin"
) -> httpx2.Response:
    area_id = world.areas[area] if isinstance(area, str) else area
    return await world.people[by].client.put(f"/v1/areas/{area_id}/boundary", json={"crs": crs, "boundary": boundary})


async def draw_district(world: World) -> None:
    """Squares within squares: the district around the community around the compound around the building."""
    for key, boundary in {
        "district": square(114.6, 23.6, 0.3),
        "community": square(114.69, 23.72, 0.03),
        "compound": square(114.7, 23.73, 0.001),
        "building": square(114.7, 23.73, 0.0002),
    }.items():
        answer = await draw(world, key, boundary)
        assert answer.status_code == 200, answer.text


async def locate(
    world: World, position: tuple[float, float], *, by: str = "zhang", crs: str = "wgs84"
) -> httpx2.Response:
    return await world.people[by].get("/v1/areas/locate", lng=position[0], lat=position[1], crs=crs)


async def pages_of(world: World, path: str, by: str = "zhang", **query: Any) -> list[list[dict[str, Any]]]:
    """All pages of a list, by following `next_cursor`."""
    pages: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await world.people[by].get(path, **query, **cursor)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        pages.append(body["items"])
        if body["next_cursor"] is None:
            return pages
        cursor = {"cursor": body["next_cursor"]}


async def items_of(world: World, path: str, by: str = "zhang", **query: Any) -> list[dict[str, Any]]:
    """All items of a list, page after page."""
    return [item for page in await pages_of(world, path, by, **query) for item in page]
