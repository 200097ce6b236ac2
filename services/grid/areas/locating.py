"""HTTP of `locate`: answered from memory, past the solving of dependencies that would cost more than the rest."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from models.grid import Crs
from services.chassis.application import problems
from services.chassis.coordinates import to_wgs84
from services.chassis.errors import InvalidToken, Problem, Unauthenticated
from services.chassis.identity import Caller, Identity, identify
from services.chassis.schemas import Latitude, Longitude
from services.grid.areas.area_trees import AreaTrees
from services.grid.areas.schemas import AreaHere


class NoAreaHere(Problem):
    status = 404
    code = "no_area_here"
    zh = "该位置不在本区任何区域之内。"
    en = "No area of this tenant lies here."


class LocateRoute(APIRoute):
    """Answers a well-formed question at once. Any other takes the documented way, which says what is wrong with it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        documented = super().get_route_handler()

        async def handle(request: Request) -> Response:
            point = _point_of(request)
            if point is None:
                return await documented(request)
            return await _answer(request, await identify(request), *point)

        return handle


_POINT: TypeAdapter[tuple[float, float, Crs]] = TypeAdapter(tuple[Longitude, Latitude, Crs])


def _point_of(request: Request) -> tuple[float, float, Crs] | None:
    """The point asked for, None if it does not validate as it stands: percent-encoded, for one."""
    parts = request.scope["query_string"].decode("latin-1").split("&")
    asked = dict(part.partition("=")[::2] for part in parts)
    try:
        return _POINT.validate_python((asked.get("lng"), asked.get("lat"), asked.get("crs")))
    except ValidationError:
        return None


async def _answer(request: Request, caller: Identity, lng: float, lat: float, crs: Crs) -> Response:
    trees: AreaTrees = request.app.state.area_trees
    tree = await trees.of(caller.tenant_id)
    answer = tree.locate(*to_wgs84(lng, lat, crs))
    if answer is None:
        raise NoAreaHere
    return Response(answer, media_type="application/json")


router = APIRouter(tags=["areas"], route_class=LocateRoute)


@router.get("/v1/areas/locate", response_model=AreaHere, responses=problems(NoAreaHere, Unauthenticated, InvalidToken))
async def locate_area(
    lng: Annotated[Longitude, Query()],
    lat: Annotated[Latitude, Query()],
    crs: Annotated[Crs, Query(description="Coordinate system of the point; `wx.getLocation` gives wgs84 or gcj02.")],
    caller: Caller,
    request: Request,
) -> Response:
    """Which area a point lies in: the deepest one, its chain up to the district, and its community."""
    return await _answer(request, caller, lng, lat, crs)
