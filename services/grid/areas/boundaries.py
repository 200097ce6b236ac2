"""Boundaries of areas: GeoJSON from outside, checked and turned into WGS-84.

A boundary that gets past `read_boundary` is simple: its rings are closed, cross neither themselves nor each other,
holes lie inside their polygon and polygons of one boundary do not overlap. What reads it later (the location index,
maps) may rely on that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import cos, isfinite, radians
from typing import Any, TypeAlias

from models.grid import Crs
from services.chassis.coordinates import Position, from_wgs84, to_wgs84
from services.chassis.errors import Problem
from services.grid.areas import topology
from services.grid.areas.topology import UNITS_PER_DEGREE, find_forbidden_meeting, holes_are_in_place, polygons_overlap

MAX_POINTS = 5_000
MAX_RINGS = 200

Ring: TypeAlias = tuple[Position, ...]
"""Closed: the last position is the first."""
Polygon: TypeAlias = tuple[Ring, ...]
"""The outer ring counter-clockwise, then its holes clockwise (RFC 7946)."""


class BoundaryRefused(Problem):
    """Base of what can be wrong with a boundary."""

    status = 422
    code = "boundary_refused"
    zh = "边界无法使用。"
    en = "The boundary cannot be used."


class BoundaryNotPolygon(BoundaryRefused):
    code = "boundary_not_polygon"
    zh = "边界须为 GeoJSON 的 Polygon 或 MultiPolygon，且 coordinates 不能为空。"
    en = "The boundary must be a GeoJSON Polygon or MultiPolygon whose `coordinates` are not empty."


class BoundaryTooDetailed(BoundaryRefused):
    code = "boundary_too_detailed"
    zh = "边界过于复杂，最多 {max_points} 个点、{max_rings} 个环。"
    en = "The boundary is too detailed: at most {max_points} points in {max_rings} rings."


class BoundaryRingNotClosed(BoundaryRefused):
    code = "boundary_ring_not_closed"
    zh = "每个环至少要有 4 个点围成区域，且首尾两点相同。"
    en = "Each ring needs at least 4 positions that enclose something, and must end where it starts."


class BoundaryPositionInvalid(BoundaryRefused):
    code = "boundary_position_invalid"
    zh = "第 {ring} 个环的第 {position} 个坐标点有误：须为 [经度, 纬度]，单位为度，经度 −180 至 180，纬度 −90 至 90。"
    en = "Position {position} of ring {ring} is not [longitude, latitude] in degrees (−180..180, −90..90)."


class BoundaryCrossesItself(BoundaryRefused):
    code = "boundary_crosses_itself"
    zh = "边界自相交或自相接，位置约在经度 {lng}、纬度 {lat}。"
    en = "The boundary crosses or touches itself near longitude {lng}, latitude {lat}."


class BoundaryRingsCross(BoundaryRefused):
    code = "boundary_rings_cross"
    zh = "边界的两个环相交或有公共边，位置约在经度 {lng}、纬度 {lat}。"
    en = "Two rings of the boundary cross or share an edge near longitude {lng}, latitude {lat}."


class BoundaryHoleOutside(BoundaryRefused):
    code = "boundary_hole_outside"
    zh = "边界的洞不在外环之内，或与另一个洞重叠。"
    en = "A hole of the boundary lies outside of its outer ring or overlaps another hole."


class BoundaryPartsOverlap(BoundaryRefused):
    code = "boundary_parts_overlap"
    zh = "边界的两个多边形互相重叠。"
    en = "Two polygons of the boundary overlap."


@dataclass(frozen=True, slots=True)
class Boundary:
    """The polygons of one area in WGS-84."""

    polygons: tuple[Polygon, ...]

    @property
    def rings(self) -> Iterator[Ring]:
        """All rings: a point is inside when a ray from it crosses them an odd number of times."""
        return (ring for polygon in self.polygons for ring in polygon)

    @property
    def square_kilometres(self) -> float:
        """Area enclosed, good to half a per cent for anything up to the size of a county."""
        return sum(map(_signed_square_kilometres, self.rings))


def read_boundary(geojson: Any, crs: Crs) -> Boundary:
    """Check a GeoJSON Polygon or MultiPolygon given in `crs` and return it in WGS-84.

    Altitudes and repeated points are dropped, rings are wound as RFC 7946 asks. Raises a BoundaryRefused. The worst
    boundary within the limits keeps Python busy for some seconds: call it in a thread.
    """
    polygons = [
        tuple(_read_ring(ring, number) for number, ring in enumerate(rings, start=1)) for rings in _polygons_of(geojson)
    ]
    _refuse_what_is_not_simple(polygons)
    return Boundary(tuple(_wound(tuple(_in_wgs84(ring, crs) for ring in polygon)) for polygon in polygons))


def stored_boundary(geojson: dict[str, Any]) -> Boundary:
    """The boundary that `write_boundary` wrote in WGS-84, not checked again."""
    coordinates = geojson["coordinates"]
    polygons = coordinates if geojson["type"] == "MultiPolygon" else [coordinates]
    return Boundary(tuple(tuple(tuple((lng, lat) for lng, lat in ring) for ring in rings) for rings in polygons))


def write_boundary(boundary: Boundary, crs: Crs = Crs.WGS84) -> dict[str, Any]:
    """The boundary as GeoJSON in `crs`."""
    polygons = [
        [[_rounded(from_wgs84(*position, crs)) for position in ring] for ring in polygon]
        for polygon in boundary.polygons
    ]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _refuse_what_is_not_simple(polygons: list[topology.Polygon]) -> None:
    meeting = find_forbidden_meeting(polygons)
    if meeting is not None:
        problem = BoundaryCrossesItself if meeting.in_one_ring else BoundaryRingsCross
        raise problem(lng=round(meeting.lng, 6), lat=round(meeting.lat, 6))
    if not all(map(holes_are_in_place, polygons)):
        raise BoundaryHoleOutside
    if polygons_overlap(polygons):
        raise BoundaryPartsOverlap


def _polygons_of(geojson: Any) -> list[list[list[Any]]]:
    kind = geojson.get("type") if isinstance(geojson, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise BoundaryNotPolygon
    coordinates = geojson.get("coordinates")
    polygons = coordinates if kind == "MultiPolygon" else [coordinates]
    if not _is_filled_list(polygons) or not all(map(_is_filled_list, polygons)):
        raise BoundaryNotPolygon
    rings = [ring for polygon in polygons for ring in polygon]
    if not all(map(_is_filled_list, rings)):
        raise BoundaryNotPolygon
    if len(rings) > MAX_RINGS or sum(map(len, rings)) > MAX_POINTS:
        raise BoundaryTooDetailed(max_points=MAX_POINTS, max_rings=MAX_RINGS)
    return polygons


def _is_filled_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0


def _read_ring(ring: list[Any], number: int) -> topology.Ring:
    for place, position in enumerate(ring, start=1):
        if not _is_position(position):
            raise BoundaryPositionInvalid(ring=number, position=place)
    corners = [(round(lng * UNITS_PER_DEGREE), round(lat * UNITS_PER_DEGREE)) for lng, lat, *_ in ring]
    distinct = [corners[0], *(corner for before, corner in pairwise(corners) if corner != before)]
    if len(distinct) < 4 or distinct[0] != distinct[-1]:
        raise BoundaryRingNotClosed
    return tuple(distinct)


def _is_position(value: Any) -> bool:
    if not isinstance(value, list) or len(value) not in (2, 3) or not all(map(_is_number, value)):
        return False
    return bool(-180 <= value[0] <= 180 and -90 <= value[1] <= 90)


def _is_number(value: Any) -> bool:
    return (type(value) is int) or (type(value) is float and isfinite(value))


def _in_wgs84(ring: topology.Ring, crs: Crs) -> Ring:
    return tuple(to_wgs84(lng / UNITS_PER_DEGREE, lat / UNITS_PER_DEGREE, crs) for lng, lat in ring)


def _rounded(position: Position) -> list[float]:
    return [round(position[0], 9), round(position[1], 9)]


def _wound(polygon: Polygon) -> Polygon:
    """The outer ring counter-clockwise, holes clockwise."""
    outer, *holes = (ring if _signed_square_degrees(ring) > 0 else ring[::-1] for ring in polygon)
    return (outer, *(hole[::-1] for hole in holes))


def _signed_square_degrees(ring: Ring) -> float:
    """Positive when counter-clockwise. Measured from the first corner, so that small rings lose no digits."""
    west, south = ring[0]
    return sum((ax - west) * (by - south) - (bx - west) * (ay - south) for (ax, ay), (bx, by) in pairwise(ring)) / 2


def _signed_square_kilometres(ring: Ring) -> float:
    mean_latitude = sum(lat for _, lat in ring) / len(ring)
    return _signed_square_degrees(ring) * _KILOMETRES_PER_DEGREE**2 * cos(radians(mean_latitude))


_KILOMETRES_PER_DEGREE = 111.19
