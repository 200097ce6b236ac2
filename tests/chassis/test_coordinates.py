"""Coordinate systems: against published vectors, and there and back again."""

from math import cos, hypot, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.grid import Crs
from services.chassis.coordinates import Position, from_wgs84, to_wgs84

METRES_PER_DEGREE = 111_320.0

# WGS-84, GCJ-02 and BD-09 of the five seed districts as `prcoords` 1.0.2 gives them, an independent implementation.
SEED_DISTRICTS: list[tuple[str, Position, Position, Position]] = [
    ("包河区", (117.3097, 31.7933), (117.31527142887185, 31.791357156322405), (117.32182946247079, 31.797109567537635)),
    ("蚌山区", (117.3677, 32.9443), (117.37352066091202, 32.942592475758524), (117.37994297503862, 32.948859251334866)),
    ("长丰县", (117.1676, 32.4804), (117.17322566148948, 32.47841491099485), (117.17980119601737, 32.48408088436187)),
    ("源城区", (114.7025, 23.7339), (114.70720304261307, 23.731255497455862), (114.71362769822383, 23.737521174094866)),
    ("开福区", (112.9853, 28.2565), (112.99089253554956, 28.253104585330124), (112.99747073294593, 28.25882097833133)),
]

shifted_systems = st.sampled_from([Crs.GCJ02, Crs.BD09])
# Some kilometres inside the box of shifted maps: nearer to its rim a shifted point may lie outside of it.
inside_the_box = st.tuples(st.floats(72.03, 137.80), st.floats(0.85, 55.80))


def metres_between(one: Position, other: Position) -> float:
    east = (one[0] - other[0]) * cos(radians(one[1]))
    return hypot(east, one[1] - other[1]) * METRES_PER_DEGREE


@pytest.mark.parametrize(("name", "wgs84", "gcj02", "bd09"), SEED_DISTRICTS)
def test_shifts_agree_with_another_implementation(name: str, wgs84: Position, gcj02: Position, bd09: Position) -> None:
    assert metres_between(from_wgs84(*wgs84, Crs.GCJ02), gcj02) < 1e-6, name
    assert metres_between(from_wgs84(*wgs84, Crs.BD09), bd09) < 1e-6, name
    assert metres_between(to_wgs84(*gcj02, Crs.GCJ02), wgs84) < 1e-4, name
    assert metres_between(to_wgs84(*bd09, Crs.BD09), wgs84) < 1e-4, name


def test_the_shift_is_hundreds_of_metres_so_a_forgotten_conversion_would_show() -> None:
    shifts = [metres_between(wgs84, gcj02) for _, wgs84, gcj02, _ in SEED_DISTRICTS]
    assert [round(shift) for shift in shifts] == pytest.approx([569, 578, 566, 561, 664], abs=10)


@given(position=inside_the_box, crs=shifted_systems)
def test_there_and_back_is_within_a_centimetre(position: Position, crs: Crs) -> None:
    assert metres_between(to_wgs84(*from_wgs84(*position, crs), crs), position) < 0.01


@given(position=inside_the_box, crs=shifted_systems)
def test_back_and_there_is_within_a_centimetre(position: Position, crs: Crs) -> None:
    assert metres_between(from_wgs84(*to_wgs84(*position, crs), crs), position) < 0.01


@given(position=st.tuples(st.floats(-180, 180), st.floats(-90, 90)), crs=st.sampled_from(Crs))
def test_nothing_moves_outside_the_box(position: Position, crs: Crs) -> None:
    lng, lat = position
    if 72.004 <= lng <= 137.8347 and 0.8293 <= lat <= 55.8271:
        assert metres_between(from_wgs84(lng, lat, crs), position) < 2500
        return
    assert from_wgs84(lng, lat, crs) == position
    assert to_wgs84(lng, lat, crs) == position


@pytest.mark.parametrize("crs", [Crs.WGS84, Crs.CGCS2000])
def test_cgcs2000_is_taken_as_wgs84(crs: Crs) -> None:
    assert to_wgs84(114.7025, 23.7339, crs) == (114.7025, 23.7339)
    assert from_wgs84(114.7025, 23.7339, crs) == (114.7025, 23.7339)


@given(lat=st.floats(1, 55), offset=st.floats(-1e-9, 1e-9))
def test_the_kink_of_the_formula_at_105_degrees_converges(lat: float, offset: float) -> None:
    position = (105.0 + offset, lat)
    assert metres_between(to_wgs84(*from_wgs84(*position, Crs.GCJ02), Crs.GCJ02), position) < 0.01
