"""Shapes for tests: tiled planes with ragged shared edges, and stars."""

from collections.abc import Iterator
from itertools import pairwise
from math import cos, pi, sin
from random import Random

from services.chassis.coordinates import Position
from services.grid.areas.boundaries import Boundary, Ring

WEST, SOUTH = 114.66, 23.70
TILE_DEGREES = 0.004
EDGES_PER_SIDE = 6


def tiles(columns: int, rows: int) -> Iterator[tuple[str, Boundary]]:
    """A plane cut into tiles of 25 vertices whose neighbours share every ragged edge, named `column-row`."""
    for column in range(columns):
        for row in range(rows):
            yield f"{column}-{row}", Boundary(((block(column, row, column + 1, row + 1),),))


def block(west: int, south: int, east: int, north: int) -> Ring:
    """The outline of a block of tiles, counter-clockwise along their ragged edges."""
    k = EDGES_PER_SIDE
    outline = [(x, south * k) for x in range(west * k, east * k)]
    outline += [(east * k, y) for y in range(south * k, north * k)]
    outline += [(x, north * k) for x in range(east * k, west * k, -1)]
    outline += [(west * k, y) for y in range(north * k, south * k, -1)]
    return tuple(ragged_corner(x, y) for x, y in [*outline, outline[0]])


def ragged_corner(x: int, y: int) -> Position:
    """One point of the lattice under the tiles, always moved in the same way."""
    random = Random(x * 10_007 + y)
    step = TILE_DEGREES / EDGES_PER_SIDE
    shift_lng, shift_lat = (random.uniform(-0.4, 0.4) * step for _ in range(2))
    return round(WEST + x * step + shift_lng, 9), round(SOUTH + y * step + shift_lat, 9)


def star(centre: Position, radii: list[float]) -> Ring:
    """A ring around `centre` with one corner per radius (in degrees): simple, however ragged."""
    turns = [2 * pi * number / len(radii) for number in range(len(radii))]
    corners = [
        (round(centre[0] + radius * cos(turn), 9), round(centre[1] + radius * sin(turn), 9))
        for radius, turn in zip(radii, turns, strict=True)
    ]
    return (*corners, corners[0])


def rectangle(west: float, south: float, east: float, north: float) -> Ring:
    return ((west, south), (east, south), (east, north), (west, north), (west, south))


def contains(boundary: Boundary, position: Position) -> bool:
    """Whether a point lies in a boundary, by asking every edge."""
    lng, lat = position
    crossings = 0
    for ring in boundary.rings:
        for start, end in pairwise(ring):
            (ax, ay), (bx, by) = (start, end) if start[1] < end[1] else (end, start)
            if ay <= lat < by and lng < ax + (lat - ay) * ((bx - ax) / (by - ay)):
                crossings += 1
    return crossings % 2 == 1
