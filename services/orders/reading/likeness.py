"""How much two orders look like one and the same thing: by words, place, time and kind, each told for itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from uuid import UUID

from services.orders.reading.search import words_of

WEIGHTS = {"text": 0.45, "place": 0.25, "time": 0.15, "kind": 0.15}
ALIKE = 0.45
"""What scores less is not shown."""
SAME_SPOT_METRES = 30.0
FAR_METRES = 500.0
SAME_AREA, SAME_COMMUNITY = 0.8, 0.2
"""The share of `place` when one of the two has no point."""
LONG_AGO = timedelta(days=14)
EARTH_METRES = 6_371_000.0


@dataclass(frozen=True, slots=True)
class Report:
    """What is compared of an order, or of what somebody is about to place."""

    kind: str | None
    text: str
    area_id: UUID | None
    point: tuple[float, float] | None
    """Longitude, latitude; WGS-84."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Likeness:
    """0 to 1, and what it is made of; `metres` where both have a point."""

    score: float
    text: float
    place: float
    time: float
    kind: float
    metres: float | None


def likeness(one: Report, other: Report) -> Likeness:
    """Of two reports of one community. The same whichever comes first."""
    metres = distance(one.point, other.point) if one.point and other.point else None
    parts = {
        "text": dice(one.text, other.text),
        "place": _nearness(metres, same_area=one.area_id is not None and one.area_id == other.area_id),
        "time": max(0.0, 1 - abs(one.at - other.at) / LONG_AGO),
        "kind": float(one.kind is not None and one.kind == other.kind),
    }
    score = sum(WEIGHTS[name] * part for name, part in parts.items())
    return Likeness(score=score, metres=metres, **parts)


def dice(one: str, other: str) -> float:
    """The share of pairs of neighbouring characters that two texts have in common (Sørensen–Dice)."""
    first, second = pairs(one), pairs(other)
    return 2 * len(first & second) / (len(first) + len(second)) if first and second else 0.0


def pairs(text: str) -> set[str]:
    """The pairs of neighbouring characters of the words of a text."""
    return {word[place : place + 2] for word in words_of(text) for place in range(len(word) - 1)}


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres along the ground."""
    (lng, lat), (other_lng, other_lat) = one, other
    half_north, half_east = radians(other_lat - lat) / 2, radians(other_lng - lng) / 2
    chord = sin(half_north) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(half_east) ** 2
    return 2 * EARTH_METRES * asin(sqrt(min(1.0, chord)))


def _nearness(metres: float | None, *, same_area: bool) -> float:
    if metres is None:
        return SAME_AREA if same_area else SAME_COMMUNITY
    return min(1.0, max(0.0, (FAR_METRES - metres) / (FAR_METRES - SAME_SPOT_METRES)))
