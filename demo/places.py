"""The places of the demo district: 源城区 as it is, and below 康乐路南社区 ten made-up compounds and their buildings.

Codes and names down to communities are the statistical division codes of 2023-06-30; boundaries are made up.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from demo.ids import fixed_id
from demo.tiling import Position, Rectangle, bend, split
from models.grid import Crs
from services.chassis.coordinates import from_wgs84

TENANT_CODE = "441602"
TENANT_ID = fixed_id("tenant", TENANT_CODE)
TENANT_NAME = "河源市源城区"
COMMUNITY_CODE = "441602004010"

LEVEL_NAMES = {"district": "区", "subdistrict": "街道", "community": "社区", "compound": "小区", "building": "楼栋"}
"""The tenant's levels, from the district down. A compound is what this place calls a grid."""

DIVISIONS_FILE = Path(__file__).parent / "data" / "divisions.csv"

_SUBDISTRICT_SHAPES = {
    "441602001": Rectangle(114.692, 23.725, 114.706, 23.750),  # 上城街道, between the two rivers
    "441602002": Rectangle(114.678, 23.725, 114.692, 23.750),  # 新江街道
    "441602003": Rectangle(114.678, 23.750, 114.706, 23.800),  # 东埔街道
    "441602004": Rectangle(114.585, 23.725, 114.678, 23.800),  # 源西街道
    "441602005": Rectangle(114.585, 23.680, 114.660, 23.725),  # 高埔岗街道
    "441602006": Rectangle(114.706, 23.725, 114.765, 23.800),  # 城东街道, east of the Dong river
    "441602100": Rectangle(114.660, 23.680, 114.765, 23.725),  # 源南镇
    "441602101": Rectangle(114.585, 23.590, 114.765, 23.680),  # 埔前镇
}
_DISTRICT_SHAPE = Rectangle(114.585, 23.590, 114.765, 23.800)
_VILLAGE_WEIGHT = 18
"""A village covers about this many times the land of an urban community."""


_STAIRWELL_WIDTH = 0.00022
"""About 22 m of longitude."""
_BUILDING_DEPTH = 0.00013
"""About 14 m of latitude."""


@dataclass(frozen=True, slots=True)
class CompoundPlan:
    """What stands in a compound: how many households live in buildings of so many stairwells and floors."""

    name: str
    households: int
    stairwells: int
    floors: int
    built: int

    @property
    def per_building(self) -> int:
        return self.stairwells * self.floors * 2

    @property
    def buildings(self) -> int:
        return -(-self.households // self.per_building)


COMPOUND_PLANS = [
    CompoundPlan("万隆一品小区", 238, 2, 11, 2009),
    CompoundPlan("康乐花园", 204, 2, 7, 2001),
    CompoundPlan("翠园新村", 186, 3, 6, 1994),
    CompoundPlan("福源居", 160, 2, 8, 2004),
    CompoundPlan("建设小区", 172, 3, 6, 1992),
    CompoundPlan("锦绣苑", 221, 2, 9, 2006),
    CompoundPlan("槎城新苑", 255, 2, 15, 2014),
    CompoundPlan("永安花园", 210, 2, 7, 1999),
    CompoundPlan("粮食局宿舍", 168, 3, 5, 1988),
    CompoundPlan("文昌苑", 196, 2, 8, 2003),
]
ROADS_AND_SHOPS_WEIGHT = 140
"""The part of the community that is no compound."""


@dataclass(frozen=True)
class Place:
    """One area. `ring` is its outer boundary in WGS-84, closed; `crs` is the system its boundary was handed in with."""

    level: str
    code: str
    name: str
    parent: "Place | None"
    shape: Rectangle
    ring: list[Position]
    crs: Crs
    plan: CompoundPlan | None = None

    @cached_property
    def id(self) -> UUID:
        return fixed_id("area", self.code)

    @cached_property
    def path(self) -> list["Place"]:
        """From the district down to this place itself."""
        return [*(self.parent.path if self.parent else []), self]

    @property
    def community(self) -> "Place | None":
        return next((place for place in self.path if place.level == "community"), None)

    @property
    def is_village(self) -> bool:
        """Whether it is a community with a villagers' committee (codes 200 and up)."""
        return self.level == "community" and _is_village(self.code)

    @property
    def address(self) -> str:
        """Compound and building as people say it, e.g. 万隆一品小区3栋."""
        return "".join(place.name for place in self.path if place.level in {"compound", "building"})

    @property
    def centre(self) -> Position:
        corners = self.ring[:-1]
        return sum(lng for lng, _ in corners) / len(corners), sum(lat for _, lat in corners) / len(corners)

    def boundary(self) -> dict[str, Any]:
        return _polygon(self.ring)

    def boundary_original(self) -> dict[str, Any]:
        return _polygon([from_wgs84(lng, lat, self.crs) for lng, lat in self.ring])


@dataclass(frozen=True)
class Places:
    """All areas, parents before children."""

    all: list[Place]

    @cached_property
    def by_code(self) -> dict[str, Place]:
        return {place.code: place for place in self.all}

    @property
    def district(self) -> Place:
        return self.all[0]

    @property
    def community(self) -> Place:
        """康乐路南社区, where everything of the demo happens."""
        return self.by_code[COMMUNITY_CODE]

    @cached_property
    def compounds(self) -> list[Place]:
        return [place for place in self.all if place.level == "compound"]

    @cached_property
    def buildings(self) -> list[Place]:
        return [place for place in self.all if place.level == "building"]

    def buildings_of(self, compound: Place) -> list[Place]:
        return [building for building in self.buildings if building.parent is compound]

    def named(self, name: str) -> Place:
        """The compound of this name."""
        return next(compound for compound in self.compounds if compound.name == name)


def build_places() -> Places:
    """The area tree, the same every time."""
    divisions = _read_divisions()
    shapes = _shapes_of(divisions)
    compound_shapes = _compound_shapes(shapes[COMMUNITY_CODE])
    rings = bend([*shapes.values(), *compound_shapes])

    places: dict[str, Place] = {}
    for division in divisions:
        shape = shapes[division.code]
        parent = places.get(division.parent_code)
        place = Place(division.level, division.code, division.name, parent, shape, rings[shape], Crs.CGCS2000)
        places[division.code] = place
    compounds = _compounds(places[COMMUNITY_CODE], compound_shapes, rings)
    return Places([*places.values(), *compounds, *(b for compound in compounds for b in _buildings(compound))])


@dataclass(frozen=True, slots=True)
class _Division:
    code: str
    parent_code: str
    level: str
    name: str

    @property
    def weight(self) -> float:
        return _VILLAGE_WEIGHT if _is_village(self.code) else 1


def _is_village(community_code: str) -> bool:
    return community_code[9:] >= "200"


def _read_divisions() -> list[_Division]:
    with DIVISIONS_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    subdistricts = {row["code"]: row["name"] for row in rows if row["level"] == "subdistrict"}
    rows.sort(key=lambda row: (len(row["code"]), row["code"]))
    return [
        _Division(code, row["parent_code"], row["level"], _short_name(row["name"], subdistricts.get(code[:9])))
        for row in rows
        for code in [row["code"]]
    ]


def _short_name(official: str, subdistrict: str | None) -> str:
    """源城区源西街道康乐路南社区居民委员会 → 康乐路南社区; 广东省/河源市/源城区 → 源城区."""
    name = official.rsplit("/", 1)[-1]
    if subdistrict and name != subdistrict:
        name = name.removeprefix("源城区").removeprefix(subdistrict)
    return name.removesuffix("居民委员会").removesuffix("村民委员会")


def _shapes_of(divisions: list[_Division]) -> dict[str, Rectangle]:
    shapes = {TENANT_CODE: _DISTRICT_SHAPE, **_SUBDISTRICT_SHAPES}
    for code, shape in _SUBDISTRICT_SHAPES.items():
        communities = [division for division in divisions if division.parent_code == code]
        communities.sort(key=lambda division: (-division.weight, division.code))  # villages lie farthest from town
        parts = split(shape, [community.weight for community in communities])
        shapes |= {community.code: part for community, part in zip(communities, parts, strict=True)}
    return shapes


def _compound_shapes(community: Rectangle) -> list[Rectangle]:
    """One for each plan, and at the end the land that is no compound."""
    return split(community, [*(float(plan.households) for plan in COMPOUND_PLANS), ROADS_AND_SHOPS_WEIGHT])


def _compounds(community: Place, shapes: list[Rectangle], rings: dict[Rectangle, list[Position]]) -> list[Place]:
    return [
        Place("compound", f"{community.code}{number:03}", plan.name, community, shape, rings[shape], Crs.GCJ02, plan)
        for number, (plan, shape) in enumerate(zip(COMPOUND_PLANS, shapes, strict=False), start=1)
    ]


def _buildings(compound: Place) -> Iterator[Place]:
    plan = compound.plan
    assert plan is not None
    shapes = _building_shapes(compound.shape, plan, Random(f"linli-demo:buildings:{compound.code}"))
    for number, shape in enumerate(shapes, start=1):
        yield Place("building", f"{compound.code}{number:03}", f"{number}栋", compound, shape, shape.ring(), Crs.GCJ02)


def _building_shapes(compound: Rectangle, plan: CompoundPlan, random: Random) -> list[Rectangle]:
    """Rows of slabs facing south, well inside the compound however its corners were bent."""
    columns = 2 if plan.buildings <= 6 else 3
    rows = -(-plan.buildings // columns)
    ground = compound.shrunk(0.16)
    plot_width, plot_height = ground.width / columns, ground.height / rows
    width = min(plan.stairwells * _STAIRWELL_WIDTH, plot_width * 0.8)
    height = min(_BUILDING_DEPTH, plot_height * 0.6)
    return [
        Rectangle(
            west := ground.west + plot_width * (index % columns + random.uniform(0.05, 0.15)),
            south := ground.south + plot_height * (index // columns + random.uniform(0.1, 0.3)),
            west + width,
            south + height,
        )
        for index in range(plan.buildings)
    ]


def _polygon(ring: list[Position]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[[round(lng, 7), round(lat, 7)] for lng, lat in ring]]}
