"""Coordinate systems met in China, turned into WGS-84 and back.

Longitude comes first everywhere, in degrees. GCJ-02 is the obfuscated WGS-84 of Tencent, AMap and WeChat maps (about
600 m off); BD-09 is Baidu's second shift on top of it; CGCS2000 differs from WGS-84 by centimetres and is taken as
equal. The formula of GCJ-02 was never published: this is the one all open implementations agree on.
"""

from collections.abc import Callable
from math import atan2, cos, hypot, pi, radians, sin, sqrt
from typing import TypeAlias

from models.grid import Crs

Position: TypeAlias = tuple[float, float]
"""(longitude, latitude) in degrees."""

_SEMI_MAJOR_AXIS_METRES = 6378245.0
_ECCENTRICITY_SQUARED = 0.00669342162296594323
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_CLOSE_ENOUGH_DEGREES = 1e-9
_MOST_ROUNDS = 30


def to_wgs84(lng: float, lat: float, crs: Crs) -> Position:
    """The WGS-84 position of a point given in `crs`; exact to less than a centimetre.

    Points outside the box in which China shifts its maps are returned as they came. Expects finite numbers.
    """
    shift = _SHIFTS[crs]
    if shift is None or not _is_shifted_at(lng, lat):
        return lng, lat
    return _undo(shift, lng, lat)


def from_wgs84(lng: float, lat: float, crs: Crs) -> Position:
    """The position in `crs` of a WGS-84 point. Outside the box of shifted maps it is the same point."""
    shift = _SHIFTS[crs]
    if shift is None or not _is_shifted_at(lng, lat):
        return lng, lat
    return shift(lng, lat)


def _is_shifted_at(lng: float, lat: float) -> bool:
    return _WEST <= lng <= _EAST and _SOUTH <= lat <= _NORTH


def _shift_to_gcj02(lng: float, lat: float) -> Position:
    x, y = lng - 105.0, lat - 35.0
    ripple = 20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)
    east_metres = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    east_metres += (
        (ripple + 20 * sin(x * pi) + 40 * sin(x / 3 * pi) + 150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    )
    north_metres = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    north_metres += (
        (ripple + 20 * sin(y * pi) + 40 * sin(y / 3 * pi) + 160 * sin(y / 12 * pi) + 320 * sin(y / 30 * pi)) * 2 / 3
    )

    flattening = 1 - _ECCENTRICITY_SQUARED * sin(radians(lat)) ** 2
    metres_per_degree_east = radians(_SEMI_MAJOR_AXIS_METRES * cos(radians(lat)) / sqrt(flattening))
    metres_per_degree_north = radians(_SEMI_MAJOR_AXIS_METRES * (1 - _ECCENTRICITY_SQUARED) / flattening**1.5)
    return lng + east_metres / metres_per_degree_east, lat + north_metres / metres_per_degree_north


def _shift_to_bd09(lng: float, lat: float) -> Position:
    lng, lat = _shift_to_gcj02(lng, lat)
    radius = hypot(lng, lat) + 0.00002 * sin(radians(lat) * 3000)
    angle = atan2(lat, lng) + 0.000003 * cos(radians(lng) * 3000)
    return radius * cos(angle) + 0.0065, radius * sin(angle) + 0.006


def _undo(shift: Callable[[float, float], Position], lng: float, lat: float) -> Position:
    """The point that `shift` moves to (lng, lat). A shift varies slowly: every round leaves a fiftieth of the error."""
    guess_lng, guess_lat = lng, lat
    for _ in range(_MOST_ROUNDS):
        shifted_lng, shifted_lat = shift(guess_lng, guess_lat)
        error_lng, error_lat = shifted_lng - lng, shifted_lat - lat
        guess_lng, guess_lat = guess_lng - error_lng, guess_lat - error_lat
        if abs(error_lng) < _CLOSE_ENOUGH_DEGREES and abs(error_lat) < _CLOSE_ENOUGH_DEGREES:
            break
    return guess_lng, guess_lat


_SHIFTS: dict[Crs, Callable[[float, float], Position] | None] = {
    Crs.WGS84: None,
    Crs.CGCS2000: None,
    Crs.GCJ02: _shift_to_gcj02,
    Crs.BD09: _shift_to_bd09,
}
