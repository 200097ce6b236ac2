"""Bodies of the area routes."""

from datetime import date
from typing import Annotated, Any, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from models.grid import Crs
from services.chassis.pagination import Page
from services.chassis.schemas import Answer, Body, Name

People = Annotated[int, Field(ge=0, le=100_000_000)]
CodeSuffix = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}$")]
SentBoundary = Annotated[
    dict[str, Any],
    Field(
        description="GeoJSON Polygon or MultiPolygon, longitude first, at most 5,000 points; it must not cross itself.",
        examples=[
            {
                "type": "Polygon",
                "coordinates": [
                    [[114.6901, 23.7401], [114.6941, 23.7401], [114.6941, 23.7431], [114.6901, 23.7401]],
                ],
            }
        ],
    ),
]


class AreaLine(Answer):
    """An area as a line of a chain."""

    id: UUID
    code: Annotated[str, Field(examples=["441602004010"])]
    """Official division code; below communities the code of the parent and a suffix. Never reused."""
    name: Annotated[str, Field(examples=["康乐路南社区"])]
    level: Annotated[str, Field(examples=["community"])]
    level_name: Annotated[str, Field(examples=["社区"])]
    """What this tenant calls the level."""


class AreaItem(AreaLine):
    """An area as an item of a list."""

    parent_id: UUID | None
    community_id: UUID | None
    has_boundary: bool
    valid_from: date
    valid_to: date | None


AreaPage: TypeAlias = Page[AreaItem]


class AreaCounts(Answer):
    """What lies in an area and everything below it."""

    children: int
    """Areas directly below."""
    households: int
    residents: int


class GeoJsonBoundary(Answer):
    """GeoJSON (RFC 7946), longitude first, in the coordinate system that stands beside it."""

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: list[Any]


class AreaRead(AreaItem):
    """Everything about one area."""

    ancestors: list[AreaLine]
    """From the district down to the parent."""
    counts: AreaCounts
    registered_population: int | None
    resident_population: int | None
    crs: Crs
    """Coordinate system of `boundary` in this answer."""
    boundary: GeoJsonBoundary | None
    square_kilometres: float | None


class AreaHere(Answer):
    """The deepest area a point lies in."""

    area: AreaLine
    community: AreaLine | None
    """The community the point lies in, none where the tree has only higher areas."""
    chain: list[AreaLine]
    """From the area itself up to the district."""


class AreaPlacement(Body):
    """A new area below another. Its code is the code of its parent and the suffix."""

    parent_id: UUID
    level: Annotated[str, StringConstraints(min_length=1, max_length=40), Field(examples=["building"])]
    name: Name
    code_suffix: CodeSuffix | None = None
    """Digits to add to the parent's code; without it the next free three."""
    registered_population: People | None = None
    resident_population: People | None = None
    crs: Crs | None = None
    boundary: SentBoundary | None = None

    @model_validator(mode="after")
    def _name_the_crs(self) -> Self:
        if (self.crs is None) != (self.boundary is None):
            raise ValueError("boundary and crs go together")
        return self


class BoundaryChange(Body):
    """A boundary that replaces the one before."""

    crs: Crs
    boundary: SentBoundary


class BoundaryRead(Answer):
    """A boundary as it is stored, in the coordinate system it was sent in."""

    area_id: UUID
    crs: Crs
    boundary: GeoJsonBoundary
    square_kilometres: float
