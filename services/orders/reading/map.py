"""The open orders of an area on a map: one by one where they are few, else counted by the cells of a grid."""

from dataclasses import dataclass
from math import log2
from typing import Any
from uuid import UUID

import msgspec

from models.grid import Crs
from models.orders import OPEN_STAGES, OrderStage
from services.chassis.coordinates import from_wgs84, to_wgs84
from services.chassis.database import Database
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.orders.orders.queries import OrderView, answered, areas_of_view

MOST_POINTS = 200
"""More are shown as cells."""
MOST_ORDERS = 100_000
LEAST_CELLS = 12
"""In the longer direction of the box; at most twice as many and one."""
FINEST = 24
"""The finest grid has 2**24 cells around the globe, about 2 m each."""


class BoxInvalid(Problem):
    status = 422
    code = "box_invalid"
    zh = "bbox 应为“西经,南纬,东经,北纬”，西小于东、南小于北，且不跨越 180° 经线。"
    en = "bbox is west,south,east,north in degrees, west < east and south < north; it cannot cross the antimeridian."


@dataclass(frozen=True, slots=True)
class Box:
    """Degrees. West lies before east: none crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def parse(cls, text: str) -> "Box":
        """From `west,south,east,north`; raises BoxInvalid."""
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError:
            raise BoxInvalid from None
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):  # NaN fits nowhere
            raise BoxInvalid
        return cls(west, south, east, north)

    def in_wgs84(self, crs: Crs) -> "Box":
        """The box around the same corners: maps of China are shifted, hardly turned."""
        corners = [
            to_wgs84(lng, lat, crs)
            for lng, lat in (
                (self.west, self.south),
                (self.west, self.north),
                (self.east, self.south),
                (self.east, self.north),
            )
        ]
        lngs, lats = [lng for lng, _ in corners], [lat for _, lat in corners]
        return Box(min(lngs), min(lats), max(lngs), max(lats))

    @property
    def cell_degrees(self) -> float:
        """The side of a cell: 360° halved as often as it takes to have enough of them in the box."""
        longer = max(self.east - self.west, self.north - self.south, 360 / 2**FINEST)  # too narrow a box has no cells
        halvings = 0 if longer >= 360 else max(0, int(log2(360 * LEAST_CELLS / longer)) + 1)
        return 360.0 / float(1 << min(halvings, FINEST))


async def read_map(
    database: Database,
    caller: Identity,
    *,
    bbox: str,
    crs: Crs,
    area_id: UUID | None,
    stages: list[OrderStage] | None,
    kind: str | None,
) -> bytes:
    """Points or clusters as JSON, in `crs` like the box. Raises BoxInvalid, Forbidden, NotFound for an area outside."""
    box = Box.parse(bbox).in_wgs84(crs)
    query = {
        "areas": await areas_of_view(database, caller, OrderView.AREA, area_id),
        "stages": stages or OPEN_STAGES,
        "kind": kind,
        "west": box.west,
        "south": box.south,
        "east": box.east,
        "north": box.north,
        "cell": box.cell_degrees,
        "most_points": MOST_POINTS,
        "most_orders": MOST_ORDERS,
    }
    body: dict[str, Any] = msgspec.json.decode(await answered(database, caller, "order_map", query))
    for place in (*body["points"], *body["clusters"]):
        place["lng"], place["lat"] = from_wgs84(place["lng"], place["lat"], crs)
    return msgspec.json.encode({"crs": crs, **body})
