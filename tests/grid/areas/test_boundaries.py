"""Boundaries: what is taken, what is refused and why, and what is made of it."""

from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.grid import Crs
from services.grid.areas import boundaries
from services.grid.areas.boundaries import (
    BoundaryCrossesItself,
    BoundaryHoleOutside,
    BoundaryNotPolygon,
    BoundaryPartsOverlap,
    BoundaryPositionInvalid,
    BoundaryRefused,
    BoundaryRingNotClosed,
    BoundaryRingsCross,
    BoundaryTooDetailed,
    read_boundary,
    stored_boundary,
    write_boundary,
)
from services.grid.areas.topology import Corner, Ring, find_forbidden_meeting
from tests.grid.areas.shapes import block, rectangle, star

SQUARE = [[114.0, 23.0], [114.1, 23.0], [114.1, 23.1], [114.0, 23.1], [114.0, 23.0]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [_listed(ring) for ring in rings]}


def multi_polygon(*polygons: Any) -> dict[str, Any]:
    return {"type": "MultiPolygon", "coordinates": [[_listed(ring) for ring in rings] for rings in polygons]}


def _listed(ring: Any) -> Any:
    return [list(position) if isinstance(position, tuple) else position for position in ring]


def drawn(text: str) -> list[list[float]]:
    """A ring through the named points `xy` of a lattice of hundredths of a degree, closed: `00 40 44 04`."""
    corners = [[round(114 + int(name[0]) / 100, 2), round(23 + int(name[1]) / 100, 2)] for name in text.split()]
    return [*corners, corners[0]]


class TestTaken:
    def test_a_polygon_comes_back_as_it_was_sent(self) -> None:
        assert write_boundary(read_boundary(polygon(SQUARE), Crs.WGS84)) == polygon(SQUARE)

    def test_rings_are_wound_as_geojson_asks(self) -> None:
        hole = drawn("11 31 33 13")
        boundary = read_boundary(polygon(SQUARE[::-1], hole), Crs.WGS84)
        assert write_boundary(boundary) == polygon(SQUARE, hole[::-1])

    def test_altitudes_and_repeated_points_are_dropped(self) -> None:
        sent = [[*position, 12.5] for position in SQUARE for _ in range(2)]
        assert write_boundary(read_boundary(polygon(sent), Crs.WGS84)) == polygon(SQUARE)

    def test_whole_numbers_are_numbers(self) -> None:
        sent = [[114, 23], [115, 23], [115, 24], [114, 23]]
        assert write_boundary(read_boundary(polygon(sent), Crs.WGS84)) == polygon(sent)

    @pytest.mark.parametrize(
        "rings",
        [
            pytest.param(
                [drawn("00 90 99 09"), drawn("11 31 33 13"), drawn("33 53 55 35")], id="holes touch in a corner"
            ),
            pytest.param([drawn("00 90 99 09"), drawn("00 31 13")], id="a hole touches the outer ring in a corner"),
            pytest.param([drawn("00 40 44 34 31 21 24 04")], id="a deep bay"),
        ],
    )
    def test_tight_but_simple_shapes(self, rings: list[Any]) -> None:
        boundary = read_boundary(polygon(*rings), Crs.WGS84)
        assert sum(map(len, boundary.rings)) == sum(map(len, rings))

    @pytest.mark.parametrize(
        "polygons",
        [
            pytest.param([[drawn("00 20 22 02")], [drawn("50 70 72 52")]], id="apart"),
            pytest.param([[drawn("00 20 22 02")], [drawn("22 42 44 24")]], id="touching in a corner"),
            pytest.param([[drawn("00 90 99 09"), drawn("22 72 77 27")], [drawn("33 63 66 36")]], id="island in a lake"),
            pytest.param(
                [[drawn("00 90 99 09"), drawn("22 72 77 27")], [drawn("22 63 66 36")]], id="island touching the shore"
            ),
        ],
    )
    def test_several_parts(self, polygons: list[Any]) -> None:
        sent = multi_polygon(*polygons)
        assert write_boundary(read_boundary(sent, Crs.WGS84))["type"] == "MultiPolygon"

    def test_a_boundary_of_the_size_limit_is_taken(self) -> None:
        ring = star((114.5, 23.5), [0.2 + 0.1 * (number % 7) / 7 for number in range(boundaries.MAX_POINTS - 1)])
        assert len(next(read_boundary(polygon(ring), Crs.GCJ02).rings)) == boundaries.MAX_POINTS

    def test_what_was_written_is_read_again_without_checks(self) -> None:
        boundary = read_boundary(
            multi_polygon([drawn("00 90 99 09"), drawn("22 72 77 27")], [drawn("33 63 66 36")]), Crs.WGS84
        )
        assert stored_boundary(write_boundary(boundary)) == boundary


class TestCoordinateSystems:
    def test_gcj02_is_stored_as_wgs84(self) -> None:
        # A square about the point of 源城区 in tests/grid/areas/test_coordinates.py.
        lng, lat = 114.70720304261307, 23.731255497455862
        sent = rectangle(lng, lat, lng + 0.01, lat + 0.01)
        stored = write_boundary(read_boundary(polygon(sent), Crs.GCJ02))
        assert stored["coordinates"][0][0] == pytest.approx([114.7025, 23.7339], abs=1e-8)

    @pytest.mark.parametrize("crs", list(Crs))
    def test_what_was_sent_can_be_read_back_in_its_own_system(self, crs: Crs) -> None:
        assert write_boundary(read_boundary(polygon(SQUARE), crs), crs) == polygon(SQUARE)

    def test_siblings_still_share_their_corners_exactly(self) -> None:
        left, right = (read_boundary(polygon(block(west, 0, west + 1, 1)), Crs.BD09) for west in (0, 1))
        sent_in_common = set(block(0, 0, 1, 1)) & set(block(1, 0, 2, 1))
        assert len(set(left.polygons[0][0]) & set(right.polygons[0][0])) == len(sent_in_common) == 7


class TestArea:
    def test_square_kilometres(self) -> None:
        # One hundredth of a degree is 1.1119 km north; at 60° north half of that east.
        boundary = read_boundary(polygon(rectangle(100.0, 59.995, 100.01, 60.005)), Crs.WGS84)
        assert boundary.square_kilometres == pytest.approx(1.1119**2 / 2, rel=1e-3)

    def test_a_hole_counts_for_nothing(self) -> None:
        whole = read_boundary(polygon(drawn("00 40 44 04")), Crs.WGS84)
        pierced = read_boundary(polygon(drawn("00 40 44 04"), drawn("11 31 33 13")), Crs.WGS84)
        assert pierced.square_kilometres == pytest.approx(whole.square_kilometres * 3 / 4, rel=1e-4)


class TestRefused:
    @pytest.mark.parametrize(
        "sent",
        [
            None,
            [],
            "Polygon",
            {},
            {"type": "Point", "coordinates": [114.0, 23.0]},
            {"type": "Feature", "geometry": polygon(SQUARE)},
            {"type": ["Polygon"], "coordinates": [SQUARE]},
            {"type": "Polygon"},
            {"type": "Polygon", "coordinates": []},
            {"type": "Polygon", "coordinates": {}},
            {"type": "Polygon", "coordinates": [[]]},
            {"type": "Polygon", "coordinates": ["ring"]},
            {"type": "MultiPolygon", "coordinates": []},
            {"type": "MultiPolygon", "coordinates": [[]]},
            {"type": "MultiPolygon", "coordinates": [SQUARE[0]]},
        ],
    )
    def test_what_is_not_a_polygon(self, sent: Any) -> None:
        with pytest.raises(BoundaryNotPolygon):
            read_boundary(sent, Crs.WGS84)

    @pytest.mark.parametrize(
        "position",
        [
            114.0,
            None,
            [],
            [114.0],
            [114.0, 23.0, 1.0, 1.0],
            ["114.0", "23.0"],
            ["１１４", 23.0],
            [None, 23.0],
            [True, False],
            [[114.0], [23.0]],
            {"lng": 114.0, "lat": 23.0},
            [float("nan"), 23.0],
            [114.0, float("inf")],
            [114.0, float("-inf")],
            [1e308, 23.0],
            [10**400, 23.0],
            [-180.1, 23.0],
            [23.0, 114.0],
        ],
    )
    def test_a_position_that_is_none(self, position: Any) -> None:
        with pytest.raises(BoundaryPositionInvalid) as caught:
            read_boundary(polygon(SQUARE, [SQUARE[0], SQUARE[1], position, SQUARE[0]]), Crs.WGS84)
        assert caught.value.members == {"ring": 2, "position": 3}

    @pytest.mark.parametrize(
        "ring",
        [
            pytest.param(SQUARE[:-1], id="open"),
            pytest.param([SQUARE[0]], id="a point"),
            pytest.param([SQUARE[0]] * 5, id="one point again and again"),
            pytest.param([SQUARE[0], SQUARE[1], SQUARE[0]], id="there and back"),
            pytest.param([SQUARE[0], SQUARE[1], SQUARE[1], SQUARE[0]], id="there, a rest, and back"),
        ],
    )
    def test_a_ring_that_encloses_nothing(self, ring: list[list[float]]) -> None:
        with pytest.raises(BoundaryRingNotClosed):
            read_boundary(polygon(ring), Crs.WGS84)

    @pytest.mark.parametrize(
        ("ring", "place"),
        [
            pytest.param("00 22 20 02", (114.01, 23.01), id="a bow tie"),
            pytest.param("00 20 22 11 02", None, id="none: a notch"),
            pytest.param("00 40 42 20 02", (114.02, 23.0), id="a corner on an edge"),
            pytest.param("00 20 11 22 02 11", (114.01, 23.01), id="two corners in one place"),
            pytest.param("00 40 20 22 02", (114.02, 23.0), id="folding back on itself"),
            pytest.param("00 20 40", (114.01, 23.0), id="all on a line"),
            pytest.param("00 40 44 24 20 10 04", (114.01, 23.0), id="running along itself"),
        ],
    )
    def test_a_ring_that_crosses_itself(self, ring: str, place: tuple[float, float] | None) -> None:
        if place is None:
            read_boundary(polygon(drawn(ring)), Crs.WGS84)
            return
        with pytest.raises(BoundaryCrossesItself) as caught:
            read_boundary(polygon(drawn(ring)), Crs.WGS84)
        assert (caught.value.members["lng"], caught.value.members["lat"]) == pytest.approx(place, abs=0.011)

    @pytest.mark.parametrize(
        "hole",
        [
            pytest.param("33 63 66 36", id="over the rim"),
            pytest.param("01 03 33 31", id="along the rim"),
            pytest.param("00 40 44 04", id="the ring itself"),
            pytest.param("02 22 24", id="a corner on the rim"),
        ],
    )
    def test_a_hole_that_crosses_the_outer_ring(self, hole: str) -> None:
        with pytest.raises(BoundaryRingsCross):
            read_boundary(polygon(drawn("00 40 44 04"), drawn(hole)), Crs.WGS84)

    @pytest.mark.parametrize(
        "holes",
        [
            pytest.param(["55 75 77 57"], id="outside"),
            pytest.param(["44 64 66 46"], id="outside, touching in a corner"),
            pytest.param(["11 31 33 13", "12 21 32 23"], id="one hole within another, touching"),
        ],
    )
    def test_a_hole_in_the_wrong_place(self, holes: list[str]) -> None:
        with pytest.raises((BoundaryHoleOutside, BoundaryRingsCross)):
            read_boundary(polygon(drawn("00 40 44 04"), *map(drawn, holes)), Crs.WGS84)

    def test_a_hole_within_a_hole(self) -> None:
        with pytest.raises(BoundaryHoleOutside):
            read_boundary(polygon(drawn("00 90 99 09"), drawn("11 81 88 18"), drawn("33 53 55 35")), Crs.WGS84)

    @pytest.mark.parametrize(
        "polygons",
        [
            pytest.param([["00 40 44 04"], ["11 31 33 13"]], id="one inside the other"),
            pytest.param([["11 31 33 13"], ["00 40 44 04"]], id="the other way round"),
            pytest.param([["00 40 44 04"], ["00 21 12"]], id="inside, touching in a corner"),
            # A cross of two bars whose outlines meet only in corners they share: each lies partly in the other.
            pytest.param([["02 22 42 62 64 44 24 04"], ["20 40 42 44 46 26 24 22"]], id="crossing in shared corners"),
        ],
    )
    def test_parts_that_overlap(self, polygons: list[list[str]]) -> None:
        with pytest.raises(BoundaryPartsOverlap):
            read_boundary(multi_polygon(*([drawn(ring) for ring in rings] for rings in polygons)), Crs.WGS84)

    def test_parts_that_share_an_edge(self) -> None:
        with pytest.raises(BoundaryRingsCross):
            read_boundary(multi_polygon([drawn("00 20 22 02")], [drawn("20 40 42 22")]), Crs.WGS84)

    def test_too_many_points_or_rings(self) -> None:
        too_long = star((114.5, 23.5), [0.2] * boundaries.MAX_POINTS)
        with pytest.raises(BoundaryTooDetailed):
            read_boundary(polygon(too_long), Crs.WGS84)
        with pytest.raises(BoundaryTooDetailed):
            read_boundary(polygon(*[SQUARE] * (boundaries.MAX_RINGS + 1)), Crs.WGS84)

    def test_every_refusal_speaks_both_languages(self) -> None:
        for problem in BoundaryRefused.__subclasses__():
            members = {"ring": 1, "position": 2, "lng": 114.0, "lat": 23.0, "max_points": 5, "max_rings": 2}
            chinese = problem(**members).detail(english=False)
            english = problem(**members).detail(english=True)
            assert chinese != english
            assert english.isprintable()
            assert "{" not in chinese + english


lattice_rings = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=9, unique=True).map(
    lambda corners: (*corners, corners[0])
)


@settings(max_examples=400, deadline=None)
@given(rings=st.lists(lattice_rings, min_size=1, max_size=2))
def test_meetings_are_found_like_by_comparing_all_edges_exactly(rings: list[Ring]) -> None:
    found = find_forbidden_meeting([(ring,) for ring in rings])
    assert (found is not None) == any_forbidden_meeting(rings)


def any_forbidden_meeting(rings: list[Ring]) -> bool:
    """All pairs of edges, one by one."""
    edges = [
        (number, place, len(ring) - 1, start, end)
        for number, ring in enumerate(rings)
        for place, (start, end) in enumerate(pairwise(ring))
    ]
    return any(_is_forbidden(one, other) for one, other in combinations(edges, 2))


_NumberedEdge = tuple[int, int, int, Corner, Corner]


def _is_forbidden(one: _NumberedEdge, other: _NumberedEdge) -> bool:
    common = _common_points(one[3:], other[3:])
    if one[0] != other[0]:
        return bool(common) and (len(common) > 1 or not common <= {one[3], one[4]} & {other[3], other[4]})
    if abs(one[1] - other[1]) in (1, one[2] - 1):
        return len(common) > 1
    return bool(common)


def _common_points(one: tuple[Corner, Corner], other: tuple[Corner, Corner]) -> set[Corner]:
    """Ends of either edge that lie on the other, and a stand-in for a crossing between them."""
    on_the_other = {end for end in one if _lies_on(other, end)} | {end for end in other if _lies_on(one, end)}
    crosses = _turn(*one, other[0]) * _turn(*one, other[1]) < 0 and _turn(*other, one[0]) * _turn(*other, one[1]) < 0
    return on_the_other | ({(-1, -1)} if crosses else set())


def _lies_on(edge: tuple[Corner, Corner], point: Corner) -> bool:
    (ax, ay), (bx, by) = edge
    within = min(ax, bx) <= point[0] <= max(ax, bx) and min(ay, by) <= point[1] <= max(ay, by)
    return within and _turn(*edge, point) == 0


def _turn(a: Corner, b: Corner, c: Corner) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
