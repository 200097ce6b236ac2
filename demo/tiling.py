"""A made-up map without gaps: rectangles that share their corners, bent a little so that it looks like land.

Every area starts as a rectangle. Wherever a corner of one lies on the edge of another, the other gets that corner too,
and each corner is moved by an amount that depends on nothing but where it is: so neighbours stay neighbours.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from math import hypot
from typing import NamedTuple, TypeAlias

Position: TypeAlias = tuple[float, float]
"""(longitude, latitude) in degrees, WGS-84."""

DECIMALS = 7
LARGEST_BEND_DEGREES = 0.0012
BEND_PER_DISTANCE = 0.13
"""No corner moves farther than this share of the way to its nearest neighbour: edges cannot cross."""


class Rectangle(NamedTuple):
    """In degrees of longitude and latitude."""

    west: float
    south: float
    east: float
    north: float

    @property
    def width(self) -> float:
        return self.east - self.west

    @property
    def height(self) -> float:
        return self.north - self.south

    def shrunk(self, share: float) -> "Rectangle":
        """The rectangle with this share of its width and height taken off on each side."""
        dx, dy = self.width * share, self.height * share
        return Rectangle(self.west + dx, self.south + dy, self.east - dx, self.north - dy)

    def ring(self) -> list[Position]:
        """The four corners, anticlockwise, closed."""
        corners = [(self.west, self.south), (self.east, self.south), (self.east, self.north), (self.west, self.north)]
        return _rounded([*corners, corners[0]])


def split(whole: Rectangle, weights: Sequence[float]) -> list[Rectangle]:
    """Cut a rectangle into one for each weight, in order from south-west to north-east, none much longer than wide."""
    if len(weights) == 1:
        return [whole]
    middle = _fairest_cut(weights)
    share = sum(weights[:middle]) / sum(weights)
    first, second = _halves(whole, share)
    return [*split(first, weights[:middle]), *split(second, weights[middle:])]


def bend(rectangles: Iterable[Rectangle]) -> dict[Rectangle, list[Position]]:
    """The closed ring of each rectangle, anticlockwise, sharing every vertex with whatever it touches."""
    rectangles = list(rectangles)
    corners = {corner for rectangle in rectangles for corner in _corners_and_middles(rectangle)}
    moved = {corner: _moved(corner, corners) for corner in corners}
    return {rectangle: _bent_ring(rectangle, moved) for rectangle in rectangles}


def _fairest_cut(weights: Sequence[float]) -> int:
    half = sum(weights) / 2
    return min(range(1, len(weights)), key=lambda count: abs(sum(weights[:count]) - half))


def _halves(whole: Rectangle, share: float) -> tuple[Rectangle, Rectangle]:
    if whole.width >= whole.height:
        cut = _snapped(whole.west + whole.width * share)
        return whole._replace(east=cut), whole._replace(west=cut)
    cut = _snapped(whole.south + whole.height * share)
    return whole._replace(north=cut), whole._replace(south=cut)


def _corners_and_middles(rectangle: Rectangle) -> list[Position]:
    west, south, east, north = rectangle
    middle_x, middle_y = _snapped((west + east) / 2), _snapped((south + north) / 2)
    middles = [(middle_x, south), (east, middle_y), (middle_x, north), (west, middle_y)]
    return [(west, south), (east, south), (east, north), (west, north), *middles]


def _moved(corner: Position, corners: Iterable[Position]) -> Position:
    nearest = min(hypot(corner[0] - x, corner[1] - y) for x, y in corners if (x, y) != corner)
    reach = min(LARGEST_BEND_DEGREES, nearest * BEND_PER_DISTANCE)
    draw = sha256(f"{corner[0]:.9f} {corner[1]:.9f}".encode()).digest()
    return corner[0] + reach * (draw[0] / 127.5 - 1), corner[1] + reach * (draw[1] / 127.5 - 1)


def _bent_ring(rectangle: Rectangle, moved: dict[Position, Position]) -> list[Position]:
    west, south, east, north = rectangle
    on_south = sorted(p for p in moved if p[1] == south and west <= p[0] < east)
    on_east = sorted((p for p in moved if p[0] == east and south <= p[1] < north), key=lambda p: p[1])
    on_north = sorted((p for p in moved if p[1] == north and west < p[0] <= east), reverse=True)
    on_west = sorted((p for p in moved if p[0] == west and south < p[1] <= north), key=lambda p: p[1], reverse=True)
    ring = [moved[corner] for corner in (*on_south, *on_east, *on_north, *on_west)]
    return _rounded([*ring, ring[0]])


def _snapped(degrees: float) -> float:
    """To a lattice, so that the same line reached on two ways is the same number."""
    return round(degrees, DECIMALS)


def _rounded(ring: Iterable[Position]) -> list[Position]:
    return [(round(lng, DECIMALS), round(lat, DECIMALS)) for lng, lat in ring]
