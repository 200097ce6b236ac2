"""Which area a point lies in, answered from memory in microseconds.

A uniform grid of cells lies over all boundaries. Each cell knows the areas that reach into it, deepest first, and of
each only the edges that matter there; a ray to the east then tells inside from outside. An area that covers a whole
cell needs no edges, and nothing above it in the tree is asked any more.

Edges are half-open (a point on an edge or a corner shared by siblings lies in exactly one of them) and are always
computed from their southern end, so that both neighbours round alike.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import ceil, sqrt
from typing import NamedTuple, TypeAlias

from services.chassis.coordinates import Position
from services.grid.areas.boundaries import Boundary

CELLS_PER_AREA = 4
LEAST_CELLS, MOST_CELLS = 256, 120_000
_MARGIN = 1e-9
"""Degrees by which cells are taken wider than they are, so that no rounding puts a point beside its edge."""


class LocatedArea(NamedTuple):
    """An area of the index. `depth` grows away from the district; siblings that overlap are tried in order of `id`."""

    id: str
    depth: int
    boundary: Boundary


class _Edge(NamedTuple):
    """A slanted or upright edge, from its southern end."""

    south: float
    north: float
    lng: float
    slope: float


_Candidate: TypeAlias = tuple[str, bool, tuple[_Edge, ...]]
"""Area, whether a ray has already crossed its edges an odd number of times east of the cell, edges still to test."""


class LocationIndex:
    """The boundaries of one tree at one moment. Building it is plain work for the processor; `locate` never waits."""

    def __init__(self, areas: Iterable[LocatedArea]) -> None:
        deepest_first = sorted(areas, key=lambda area: (-area.depth, area.id))
        self._frame = _Frame.around([area.boundary for area in deepest_first])
        self._cells: list[list[_Candidate]] = [[] for _ in range(self._frame.columns * self._frame.rows)]
        for area in deepest_first:
            self._add(area)

    def locate(self, lng: float, lat: float) -> str | None:
        """Id of the deepest area that contains a WGS-84 point, None outside of all (and for NaN)."""
        west, east, south, north, columns, _, columns_per_degree, rows_per_degree = self._frame
        if not (west <= lng <= east and south <= lat <= north):
            return None
        cell = int((lat - south) * rows_per_degree) * columns + int((lng - west) * columns_per_degree)
        for area_id, inside, edges in self._cells[cell]:
            for low, high, start, slope in edges:
                if low <= lat < high and lng < start + (lat - low) * slope:
                    inside = not inside  # noqa: PLW2901 (the parity of the ray)
            if inside:
                return area_id
        return None

    def _add(self, area: LocatedArea) -> None:
        edges_by_row: defaultdict[int, list[_Edge]] = defaultdict(list)
        for edge in _edges_of(area.boundary):
            for row in self._frame.rows_between(edge.south, edge.north):
                edges_by_row[row].append(edge)
        for row, edges in edges_by_row.items():
            for column, inside, near in _candidates_in_row(self._frame, row, edges):
                cell = self._cells[row * self._frame.columns + column]
                if not cell or not _covers_cell(cell[-1]):
                    cell.append((area.id, inside, near))


class _Frame(NamedTuple):
    """The grid of cells: a box in degrees, cut into columns and rows."""

    west: float
    east: float
    south: float
    north: float
    columns: int
    rows: int
    columns_per_degree: float
    rows_per_degree: float

    @classmethod
    def around(cls, boundaries: list[Boundary]) -> "_Frame":
        corners = [corner for boundary in boundaries for ring in boundary.rings for corner in ring]
        if not corners:
            return cls(1, 0, 1, 0, 0, 0, 0, 0)
        lngs, lats = zip(*corners, strict=True)
        west, east = min(lngs) - 2 * _MARGIN, max(lngs) + 2 * _MARGIN
        south, north = min(lats) - 2 * _MARGIN, max(lats) + 2 * _MARGIN
        cells = min(max(CELLS_PER_AREA * len(boundaries), LEAST_CELLS), MOST_CELLS)
        side = ceil(sqrt(cells))
        # One column and row more than fit: the far rim itself then has a cell, whatever rounding does.
        return cls(west, east, south, north, side + 1, side + 1, side / (east - west), side / (north - south))

    def rows_between(self, south: float, north: float) -> range:
        first = int((south - _MARGIN - self.south) * self.rows_per_degree)
        return range(first, int((north + _MARGIN - self.south) * self.rows_per_degree) + 1)

    def columns_between(self, west: float, east: float) -> range:
        first = int((west - _MARGIN - self.west) * self.columns_per_degree)
        return range(first, int((east + _MARGIN - self.west) * self.columns_per_degree) + 1)

    def latitudes_of(self, row: int) -> tuple[float, float]:
        south = self.south + row / self.rows_per_degree
        return south - _MARGIN, south + 1 / self.rows_per_degree + _MARGIN


def _edges_of(boundary: Boundary) -> Iterator[_Edge]:
    """Edges that a ray to the east can cross: all but the level ones."""
    for ring in boundary.rings:
        for start, end in pairwise(ring):
            if start[1] < end[1]:
                yield _edge_between(start, end)
            elif start[1] > end[1]:
                yield _edge_between(end, start)


def _edge_between(south: Position, north: Position) -> _Edge:
    return _Edge(south[1], north[1], south[0], (north[0] - south[0]) / (north[1] - south[1]))


def _candidates_in_row(frame: _Frame, row: int, edges: list[_Edge]) -> Iterator[tuple[int, bool, tuple[_Edge, ...]]]:
    """What each cell of a row must know about one area: walks from east to west over what a ray would meet."""
    south, north = frame.latitudes_of(row)
    near: defaultdict[int, list[_Edge]] = defaultdict(list)
    westmost: defaultdict[int, list[_Edge]] = defaultdict(list)
    for edge in edges:
        columns = frame.columns_between(*_longitudes_within(edge, south, north))
        westmost[columns.start].append(edge)
        for column in columns:
            near[column].append(edge)

    east_of_cell: list[_Edge] = []
    switches: set[float] = set()
    for column in range(max(near), min(near) - 1, -1):
        is_odd, is_even = switches == {south, north}, not switches
        to_test = near.get(column, []) if is_odd or is_even else near.get(column, []) + east_of_cell
        if to_test or is_odd:
            yield column, is_odd, tuple(to_test)
        for edge in westmost.get(column, ()):
            east_of_cell.append(edge)
            switches ^= {max(edge.south, south)} ^ {min(edge.north, north)}


def _longitudes_within(edge: _Edge, south: float, north: float) -> tuple[float, float]:
    """The western and eastern end of the part of an edge between two latitudes."""
    at_south = edge.lng + (max(edge.south, south) - edge.south) * edge.slope
    at_north = edge.lng + (min(edge.north, north) - edge.south) * edge.slope
    return (at_south, at_north) if at_south <= at_north else (at_north, at_south)


def _covers_cell(candidate: _Candidate) -> bool:
    _, inside, edges = candidate
    return inside and not edges
