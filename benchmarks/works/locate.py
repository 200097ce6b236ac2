"""Locate: in which of 10,000 grids a point lies. Answered from memory, so the limit is the bare index."""

import math
import time
from collections.abc import Iterator
from itertools import cycle

import msgspec

from benchmarks.district import Caller, District
from benchmarks.limit import Limit, LimitProgram
from benchmarks.load import get
from benchmarks.numbering import CITY, DISTRICT, Family, numbered_id, numbered_sql
from services.chassis.coordinates import Position
from services.chassis.database import tenant_statement
from services.grid.areas.boundaries import stored_boundary
from services.grid.areas.location_index import LocatedArea, LocationIndex

SIDE = 100
"""The city has SIDE × SIDE grids."""
CORNERS_PER_EDGE = 6
WEST, SOUTH, STEP = 114.0, 23.0, 0.004
"""Degrees; a grid is about 400 m wide."""
POINTS = 2_000
CALLERS = range(10_000, 10_020)
_KEEP_INSIDE = 3
"""Grids left out along the rim: GCJ-02 lies up to 700 m beside WGS-84."""


class LocatePoint:
    """GET /v1/areas/locate, with points as `wx.getLocation` gives them."""

    name = "locate"
    service = "grid"
    is_command = False
    grows = False

    def __init__(self) -> None:
        self._callers: list[Caller] = []

    async def prepare(self, district: District, requests: int) -> None:
        del requests
        if not self._callers:
            self._callers = [district.caller(number, tenant_id=CITY) for number in CALLERS]
            await _found_city(district, self._callers)

    async def limit(self, program: LimitProgram, district: District, *, seconds: float) -> Limit:
        del program, district
        index = LocationIndex(
            LocatedArea(str(numbered_id(Family.GRID, number)), 1, stored_boundary(_boundary(number)))
            for number in range(SIDE * SIDE)
        )
        points, located, begun_at = _points(), 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begun_at) < seconds:
            for lng, lat in points:
                index.locate(lng, lat)
            located += len(points)
        return Limit("the index alone, without HTTP", located / elapsed, located)

    def requests(self, district: District) -> Iterator[bytes]:
        del district
        asked = [
            get(f"/v1/areas/locate?lng={lng:.6f}&lat={lat:.6f}&crs=gcj02", token=caller.token)
            for (lng, lat), caller in zip(_points(), cycle(self._callers), strict=False)
        ]
        return cycle(asked)

    async def done(self, district: District) -> None:
        del district


def _points() -> list[Position]:
    """Spread evenly and in no order, by the golden ratio and its square."""
    width = SIDE - 2 * _KEEP_INSIDE
    return [
        (
            WEST + STEP * (_KEEP_INSIDE + width * (n * 0.7548776662466927 % 1)),
            SOUTH + STEP * (_KEEP_INSIDE + width * (n * 0.5698402909980532 % 1)),
        )
        for n in range(POINTS)
    ]


def _boundary(number: int) -> dict[str, object]:
    """A wavy square of 24 corners; neighbours share those between them."""
    east, north = divmod(number, SIDE)[::-1]
    west, south = CORNERS_PER_EDGE * east, CORNERS_PER_EDGE * north
    steps = range(CORNERS_PER_EDGE)
    ring = [
        *(_corner(west + step, south) for step in steps),
        *(_corner(west + CORNERS_PER_EDGE, south + step) for step in steps),
        *(_corner(west + CORNERS_PER_EDGE - step, south + CORNERS_PER_EDGE) for step in steps),
        *(_corner(west, south + CORNERS_PER_EDGE - step) for step in steps),
    ]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def _corner(column: int, row: int) -> Position:
    x, y = column / CORNERS_PER_EDGE, row / CORNERS_PER_EDGE
    wave = 0.12 * math.sin(7 * x) * math.sin(5 * y)
    return WEST + STEP * (x + wave), SOUTH + STEP * (y - wave)


async def _found_city(district: District, callers: list[Caller]) -> None:
    connection = district.connection
    await connection.execute(tenant_statement(CITY).replace("LOCAL ", ""))
    for statement in _CITY:
        await connection.execute(statement)
    await connection.executemany(_PERSON, [(caller.account_id, caller.session_id, CITY) for caller in callers])
    city_id = numbered_id(Family.AREA, 2**31)
    await connection.copy_records_to_table(
        "areas",
        columns=["tenant_id", "id", "parent_id", "level", "code", "name", "ancestor_ids", "boundary", "boundary_crs"],
        records=[
            (
                CITY,
                grid_id,
                city_id,
                "grid",
                f"9900029{number:06}",
                f"第{number}网格",
                [city_id, grid_id],
                boundary,
                "wgs84",
            )
            for number in range(SIDE * SIDE)
            for grid_id, boundary in [
                (numbered_id(Family.GRID, number), msgspec.json.encode(_boundary(number)).decode())
            ]
        ],
    )
    await connection.execute("ANALYZE areas")
    await connection.execute(tenant_statement(DISTRICT).replace("LOCAL ", ""))


_CITY_AREA = f"({numbered_sql(Family.AREA, str(2**31))})::uuid"
_CITY = (
    f"INSERT INTO tenants (id, code, name) VALUES ('{CITY}', '990002', '河源市')",
    f"""
    INSERT INTO area_levels (tenant_id, level, name, depth)
    VALUES ('{CITY}', 'district', '市', 0), ('{CITY}', 'grid', '网格', 1)
    """,
    f"INSERT INTO area_tree_versions (tenant_id, version) VALUES ('{CITY}', 1)",
    f"""
    INSERT INTO areas (tenant_id, id, level, code, name, ancestor_ids)
    VALUES ('{CITY}', {_CITY_AREA}, 'district', '990002', '河源市', ARRAY[{_CITY_AREA}])
    """,
)
_PERSON = """
WITH person AS (INSERT INTO accounts (id, name) VALUES ($1, '刘伟民')),
    membership AS (INSERT INTO memberships (tenant_id, account_id) VALUES ($3, $1))
INSERT INTO sessions (id, account_id, tenant_id, method, expires_at)
VALUES ($2, $1, $3, 'demo', now() + interval '1 day')
"""
