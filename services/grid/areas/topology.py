"""Whether the rings of a boundary are simple: exact geometry in whole billionths of a degree (0.1 mm)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from operator import itemgetter
from typing import NamedTuple, TypeAlias

UNITS_PER_DEGREE = 1_000_000_000

Corner: TypeAlias = tuple[int, int]
"""Longitude and latitude in units."""
Ring: TypeAlias = tuple[Corner, ...]
"""Closed: the last corner is the first. At least three different ones."""
Polygon: TypeAlias = tuple[Ring, ...]
"""The outer ring, then its holes."""


class Meeting(NamedTuple):
    """Two edges that touch where they may not, and about where (in degrees)."""

    lng: float
    lat: float
    in_one_ring: bool


def find_forbidden_meeting(polygons: list[Polygon]) -> Meeting | None:
    """Some place where a ring crosses or touches itself, or where two rings do more than touch in a corner."""
    rings = [ring for polygon in polygons for ring in polygon]
    edges = [
        _Edge(start, end, number, place, len(ring) - 1)
        for number, ring in enumerate(rings)
        for place, (start, end) in enumerate(pairwise(ring))
    ]
    for one, other in _neighbours(edges):
        if _is_conflict(one, other):
            lng, lat = _meeting_place(one, other)
            return Meeting(lng / UNITS_PER_DEGREE, lat / UNITS_PER_DEGREE, one.ring == other.ring)
    return None


def holes_are_in_place(polygon: Polygon) -> bool:
    """Whether every hole lies inside the outer ring and outside of the others, crossings being ruled out."""
    outer, *holes = polygon
    return all(_lies_inside(hole, outer) for hole in holes) and not polygons_overlap([(hole,) for hole in holes])


def polygons_overlap(polygons: list[Polygon]) -> bool:
    """Whether two of the polygons share ground, crossings being ruled out."""
    return any(_overlap(one, other) for one, other in combinations(polygons, 2))


@dataclass(frozen=True, slots=True)
class _Edge:
    start: Corner
    end: Corner
    ring: int
    place: int
    ring_length: int

    def adjoins(self, other: "_Edge") -> bool:
        """Whether the two follow each other in one ring, and so share a corner by right."""
        return self.ring == other.ring and (self.place - other.place) % self.ring_length in (1, self.ring_length - 1)


def _neighbours(edges: list[_Edge]) -> Iterator[tuple[_Edge, _Edge]]:
    """All pairs of edges whose bounding boxes meet, by a sweep along the axis on which the edges are shorter."""
    along = min((0, 1), key=lambda axis: _mean_share(edges, axis))
    across = 1 - along
    boxes = sorted((_box_of(edge, along, across) for edge in edges), key=itemgetter(0))
    for place, (_, far, low, high, edge) in enumerate(boxes, start=1):
        for index in range(place, len(boxes)):
            other_near, _, other_low, other_high, other = boxes[index]
            if other_near > far:
                break
            if other_low <= high and other_high >= low:
                yield edge, other


def _box_of(edge: _Edge, along: int, across: int) -> tuple[int, int, int, int, _Edge]:
    """(near, far) along one axis, (low, high) along the other, and the edge itself."""
    near, far = sorted((edge.start[along], edge.end[along]))
    low, high = sorted((edge.start[across], edge.end[across]))
    return near, far, low, high, edge


def _mean_share(edges: list[_Edge], axis: int) -> float:
    """How much of the whole extent along one axis an edge takes up on average."""
    places = [edge.start[axis] for edge in edges]
    extent = max(places) - min(places)
    return sum(abs(edge.end[axis] - edge.start[axis]) for edge in edges) / extent if extent else float("inf")


def _is_conflict(one: _Edge, other: _Edge) -> bool:
    """Whether two edges touch where they may not. Only neighbours in a ring and different rings may share a corner."""
    may_share_corner = one.ring != other.ring or one.adjoins(other)
    start_side, end_side = _side(one, other.start), _side(one, other.end)
    if start_side == end_side == 0:
        return _overlap_on_one_line(one, other, a_point_is_enough=not may_share_corner)
    if start_side * end_side > 0 or _side(other, one.start) * _side(other, one.end) > 0:
        return False
    return not (may_share_corner and {one.start, one.end} & {other.start, other.end})


def _side(edge: _Edge, corner: Corner) -> int:
    """-1, 0 or 1: on which side of the line through an edge a corner lies."""
    turn = _turn(edge.start, edge.end, corner)
    return (turn > 0) - (turn < 0)


def _turn(start: Corner, end: Corner, corner: Corner) -> int:
    """Positive when the way from start over end to corner turns left."""
    return (end[0] - start[0]) * (corner[1] - start[1]) - (end[1] - start[1]) * (corner[0] - start[0])


def _overlap_on_one_line(one: _Edge, other: _Edge, *, a_point_is_enough: bool) -> bool:
    start = max(min(one.start, one.end), min(other.start, other.end))
    end = min(max(one.start, one.end), max(other.start, other.end))
    return start <= end if a_point_is_enough else start < end


def _meeting_place(one: _Edge, other: _Edge) -> tuple[float, float]:
    """Where two edges that touch do so, or an end of the stretch they share."""
    (ax, ay), (bx, by) = one.start, one.end
    at_start, at_end = _turn(other.start, other.end, one.start), _turn(other.start, other.end, one.end)
    if at_start == at_end:
        return max(min(one.start, one.end), min(other.start, other.end))
    share = at_start / (at_start - at_end)
    return ax + share * (bx - ax), ay + share * (by - ay)


def _lies_inside(ring: Ring, other: Ring) -> bool:
    return all(_contains((other,), *middle) for middle in _telling_middles(ring, (other,)))


def _overlap(one: Polygon, other: Polygon) -> bool:
    if not _boxes_meet(one[0], other[0]):
        return False
    return any(_contains(other, *middle) for middle in _telling_middles(one[0], other)) or any(
        _contains(one, *middle) for middle in _telling_middles(other[0], one)
    )


def _telling_middles(ring: Ring, polygon: Polygon) -> Iterator[tuple[int, int]]:
    """Middles, in half units, of as many edges of `ring` as tell where it lies: one, unless corners touch."""
    touches = any(not set(ring).isdisjoint(other) for other in polygon)
    edges = pairwise(ring) if touches else [(ring[0], ring[1])]
    return ((start[0] + end[0], start[1] + end[1]) for start, end in edges)


def _boxes_meet(one: Ring, other: Ring) -> bool:
    return all(
        min(map(itemgetter(axis), one)) <= max(map(itemgetter(axis), other))
        and min(map(itemgetter(axis), other)) <= max(map(itemgetter(axis), one))
        for axis in (0, 1)
    )


def _contains(polygon: Polygon, lng_halves: int, lat_halves: int) -> bool:
    """Whether a ray to the east of a point (in half units) crosses the polygon's edges an odd number of times."""
    inside = False
    for ring in polygon:
        for (ax, ay), (bx, by) in pairwise(ring):
            if (2 * ay > lat_halves) != (2 * by > lat_halves):
                turn = (bx - ax) * (lat_halves - 2 * ay) - (by - ay) * (lng_halves - 2 * ax)
                inside ^= (turn > 0) == (by > ay)
    return inside
