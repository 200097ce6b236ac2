"""The location index: against asking every edge of every boundary."""

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.coordinates import Position
from services.grid.areas.boundaries import Boundary
from services.grid.areas.location_index import LocatedArea, LocationIndex
from tests.grid.areas.shapes import SOUTH, TILE_DEGREES, WEST, block, contains, rectangle, star, tiles

COLUMNS, ROWS = 9, 7


def deepest(areas: list[LocatedArea], position: Position) -> str | None:
    found = [area for area in areas if contains(area.boundary, position)]
    return min(found, key=lambda area: (-area.depth, area.id)).id if found else None


def one_area(*polygons: tuple[tuple[Position, ...], ...]) -> LocationIndex:
    return LocationIndex([LocatedArea("area", 0, Boundary(polygons))])


class TestTiledPlane:
    areas = [LocatedArea(name, 3, boundary) for name, boundary in tiles(COLUMNS, ROWS)]  # noqa: RUF012 (never changed)
    index = LocationIndex(areas)

    def test_any_point_lies_in_exactly_one_tile(self) -> None:
        random = Random(11)
        for _ in range(1_000):
            position = (
                WEST + TILE_DEGREES * random.uniform(0.2, COLUMNS - 0.2),
                SOUTH + TILE_DEGREES * random.uniform(0.2, ROWS - 0.2),
            )
            holders = [area.id for area in self.areas if contains(area.boundary, position)]
            assert [self.index.locate(*position)] == holders

    def test_a_point_on_a_shared_edge_or_corner_lies_in_exactly_one_tile(self) -> None:
        inner = block(2, 2, COLUMNS - 2, ROWS - 2)
        shared = [ring for area in self.areas for ring in area.boundary.rings if set(ring) & set(inner)]
        on_edges = [
            ((ax + bx) / 2, (ay + by) / 2) for ring in (inner, *shared) for (ax, ay), (bx, by) in pairwise(ring)
        ]
        inside = [
            position
            for position in (*inner, *on_edges)
            if contains(Boundary(((block(0, 0, COLUMNS, ROWS),),)), position)
        ]
        assert len(inside) > 400
        for position in inside:
            holders = [area.id for area in self.areas if contains(area.boundary, position)]
            assert [self.index.locate(*position)] == holders, position

    def test_points_off_the_plane_lie_nowhere(self) -> None:
        outline = Boundary(((block(0, 0, COLUMNS, ROWS),),))
        random = Random(12)
        for _ in range(1_000):
            position = (
                WEST + TILE_DEGREES * random.uniform(-0.3, COLUMNS + 0.3),
                SOUTH + TILE_DEGREES * random.uniform(-0.3, ROWS + 0.3),
            )
            assert (self.index.locate(*position) is not None) == contains(outline, position)


class TestTree:
    def test_the_deepest_area_answers_and_its_parents_where_it_has_gaps(self) -> None:
        random = Random(13)
        leaves = [LocatedArea(name, 4, boundary) for name, boundary in tiles(COLUMNS, ROWS) if random.random() < 0.5]
        communities = [
            LocatedArea(f"community-{west}", 2, Boundary(((block(west, 0, west + 4, ROWS),),))) for west in (0, 4)
        ]
        areas = [
            *leaves,
            *communities,
            LocatedArea("district", 0, Boundary(((block(0, 0, COLUMNS, ROWS),),))),
        ]
        random.shuffle(areas)
        index = LocationIndex(areas)
        answers = set()
        for _ in range(3_000):
            position = (
                WEST + TILE_DEGREES * random.uniform(-0.1, COLUMNS + 0.1),
                SOUTH + TILE_DEGREES * random.uniform(-0.1, ROWS + 0.1),
            )
            answer = index.locate(*position)
            assert answer == deepest(areas, position)
            answers.add(answer)
        assert {None, "district", "community-0", "community-4"} < answers

    def test_siblings_that_overlap_are_asked_in_order_of_their_id(self) -> None:
        ring = rectangle(114.0, 23.0, 114.1, 23.1)
        areas = [LocatedArea(name, 3, Boundary(((ring,),))) for name in ("b", "a", "c")]
        assert LocationIndex(areas).locate(114.05, 23.05) == "a"

    def test_a_small_building_in_a_huge_district_is_found(self) -> None:
        building = rectangle(114.70001, 23.70001, 114.70021, 23.70016)
        areas = [
            LocatedArea("district", 0, Boundary(((rectangle(114.0, 23.0, 115.5, 24.5),),))),
            LocatedArea("building", 5, Boundary(((building,),))),
        ]
        index = LocationIndex(areas)
        assert index.locate(114.7001, 23.7001) == "building"
        assert index.locate(114.7003, 23.7001) == "district"


class TestHolesAndParts:
    lake = rectangle(114.02, 23.02, 114.08, 23.08)[::-1]
    island = rectangle(114.04, 23.04, 114.06, 23.06)
    mainland = rectangle(114.0, 23.0, 114.1, 23.1)

    def test_a_hole_does_not_belong_to_the_area(self) -> None:
        index = one_area((self.mainland, self.lake))
        assert index.locate(114.01, 23.05) == "area"
        assert index.locate(114.05, 23.05) is None

    def test_an_island_in_a_hole_does(self) -> None:
        index = one_area((self.mainland, self.lake), (self.island,))
        assert index.locate(114.05, 23.05) == "area"
        assert index.locate(114.03, 23.05) is None

    def test_what_fills_a_hole_shares_its_edge_with_the_mainland(self) -> None:
        index = LocationIndex(
            [
                LocatedArea("mainland", 1, Boundary(((self.mainland, self.lake),))),
                LocatedArea("lake", 1, Boundary(((self.lake[::-1],),))),
            ]
        )
        shore = [
            *self.lake,
            (114.05, 23.02),
            (114.02, 23.05),
            (114.08, 23.05),
            (114.05, 23.08),
        ]
        assert {index.locate(*position) for position in shore} == {"mainland", "lake"}

    def test_separate_parts_are_one_area(self) -> None:
        index = one_area((self.island,), (rectangle(114.5, 23.5, 114.6, 23.6),))
        assert index.locate(114.05, 23.05) == "area"
        assert index.locate(114.55, 23.55) == "area"
        assert index.locate(114.3, 23.3) is None


class TestEdgesOfTheQuestion:
    def test_an_index_without_areas_answers_nothing(self) -> None:
        assert LocationIndex([]).locate(114.7, 23.7) is None

    def test_what_is_not_a_place_lies_nowhere(self) -> None:
        index = one_area((rectangle(-180, -90, 180, 90),))
        assert index.locate(0.0, 0.0) == "area"
        for odd in (float("nan"), float("inf"), float("-inf"), 1e308):
            assert index.locate(odd, 0.0) is None
            assert index.locate(0.0, odd) is None

    def test_southern_and_western_rim_belong_to_the_area_the_others_do_not(self) -> None:
        index = one_area((rectangle(114.0, 23.0, 114.1, 23.1),))
        assert index.locate(114.0, 23.0) == "area"
        assert index.locate(114.1, 23.05) is None
        assert index.locate(114.05, 23.1) is None


centres = st.tuples(st.floats(114.0, 114.4), st.floats(23.0, 23.4))
stars = st.builds(star, centres, st.lists(st.floats(0.002, 0.25), min_size=3, max_size=30))
random_areas = st.lists(
    st.tuples(st.integers(0, 4), stars, st.floats(0.2, 0.8), st.booleans()), min_size=1, max_size=12
).map(
    lambda drafts: [
        LocatedArea(f"{number:02}", depth, Boundary(((ring, *([_shrunk(ring, share)[::-1]] if is_ring_road else [])),)))
        for number, (depth, ring, share, is_ring_road) in enumerate(drafts)
    ]
)


def _shrunk(ring: tuple[Position, ...], share: float) -> tuple[Position, ...]:
    """The same star, smaller, at its first corner: a second ring, of which even and odd crossings tell in from out."""
    lng, lat = ring[0]
    return tuple((lng + (x - lng) * share, lat + (y - lat) * share) for x, y in ring)


@settings(max_examples=150, deadline=None)
@given(areas=random_areas, positions=st.lists(centres, min_size=1, max_size=30))
def test_any_tree_answers_like_asking_every_edge(areas: list[LocatedArea], positions: list[Position]) -> None:
    index = LocationIndex(areas)
    corners = [corner for area in areas for ring in area.boundary.rings for corner in ring]
    for position in (*positions, *corners):
        assert index.locate(*position) == deepest(areas, position)
