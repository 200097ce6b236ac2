"""Routes of hot commands: a well-formed request is answered at once, past the solving of dependencies.

What the endpoint declares stays the document and the law: any request that does not fit at first sight takes
FastAPI's own way, which says what is wrong with it.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, get_args, get_type_hints
from uuid import UUID

from fastapi import Request, Response
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

from services.chassis.idempotency import OnceKey, request_key
from services.chassis.identity import Caller, identify

Reader = Callable[[Request], Awaitable[Any]]


class NotAtFirstSight(Exception):
    """The request has to be read the documented way."""


class HotRoute(APIRoute):
    """For endpoints of `Caller`, `OnceKey`, one JSON body, UUIDs of the path, optional query parameters, and async
    dependencies on the request.

    They return a Response. An endpoint with other parameters is served the documented way always.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        documented = super().get_route_handler()
        endpoint: Callable[..., Awaitable[Response]] = self.endpoint
        readers = _readers(endpoint)
        if readers is None:
            return documented

        async def handle(request: Request) -> Response:
            try:
                arguments = {name: await read(request) for name, read in readers.items()}
            except NotAtFirstSight:
                return await documented(request)
            return await endpoint(**arguments)

        return handle


def _readers(endpoint: Callable[..., Any]) -> dict[str, Reader] | None:
    """How each parameter is read; None for an endpoint with one that is not of a known sort."""
    hints = get_type_hints(endpoint, include_extras=True)
    readers = {
        name: _reader(name, hints[name], parameter.default)
        for name, parameter in inspect.signature(endpoint).parameters.items()
    }
    if None in readers.values():
        return None
    # Who is calling comes first: a stranger learns nothing about what fits.
    ordered = sorted(readers, key=lambda name: readers[name] is not identify)
    return {name: reader for name in ordered if (reader := readers[name]) is not None}


def _reader(name: str, hint: Any, default: Any) -> Reader | None:
    if hint == Caller:
        return identify
    if hint == OnceKey:
        return request_key
    if hint is UUID:
        return _path_reader(name)
    if inspect.isclass(hint) and issubclass(hint, BaseModel):
        return _body_reader(hint)
    for mark in get_args(hint)[1:]:
        if isinstance(mark, Depends) and inspect.iscoroutinefunction(mark.dependency):
            return mark.dependency
    return None if default is inspect.Parameter.empty else _query_reader(name, hint, default)


def _path_reader(name: str) -> Reader:
    async def read(request: Request) -> UUID:
        try:
            return UUID(request.path_params[name])
        except ValueError:
            raise NotAtFirstSight from None

    return read


def _query_reader(name: str, hint: Any, default: Any) -> Reader:
    adapter = TypeAdapter[Any](hint)
    is_list = adapter.json_schema().get("type") == "array" or any(
        choice.get("type") == "array" for choice in adapter.json_schema().get("anyOf", ())
    )

    async def read(request: Request) -> Any:
        given = request.query_params.getlist(name)
        if not given:
            return default
        try:
            return adapter.validate_python(given if is_list else given[-1])
        except ValidationError:
            raise NotAtFirstSight from None

    return read


def _body_reader(model: type[BaseModel]) -> Reader:
    async def read(request: Request) -> BaseModel:
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise NotAtFirstSight
        try:
            return model.model_validate_json(await request.body())
        except ValidationError:
            raise NotAtFirstSight from None

    return read
