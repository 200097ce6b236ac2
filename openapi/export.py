"""Writes what the code says of itself: gateway.json, one document per service, and events.json."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from api.exchange import BodyTooSlow, ServiceTimedOut
from api.forwarding import AnswerLost, ServiceUnreachable, UnreadableHeader
from api.home import HomeIsReadOnly
from api.routes import HOME, ROUTES, SERVICES, prefix_of
from services.chassis.application import VERSION, problems
from services.chassis.errors import BodyTooLarge, InternalError, InvalidToken, ServiceUnavailable, Unauthenticated
from services.chassis.settings import Settings
from services.events import EVENTS

Document = dict[str, Any]

FOLDER: Final = Path(__file__).parent

ANY_REQUEST: Final = problems(
    UnreadableHeader,
    InvalidToken,
    InternalError,
    ServiceUnreachable,
    AnswerLost,
    ServiceUnavailable,
    ServiceTimedOut,
)
"""What the gateway may answer to any request, and …"""
ANY_BODY: Final = problems(BodyTooSlow, BodyTooLarge)
"""… besides to one with a body."""

_DESCRIPTION = """\
Linli: one public origin in front of its services.

Errors are problem documents (RFC 9457) with a stable `code`; `detail` is Chinese, or English by Accept-Language.
Ids are strings, times are RFC 3339 with an offset, lists come in pages of `limit` and are continued by `cursor`.
Every POST that needs a sign-in takes an `Idempotency-Key`: the same key and body bring the same answer.
"""


class Conflict(ValueError):
    """Two services say different things under one name, or the gateway and a service do."""


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 1 if services contradict each other, or `--check` finds a document that is not what they say."""
    parser = argparse.ArgumentParser(prog="python -m openapi.export", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail and name what is stale")
    check = parser.parse_args(arguments).check
    try:
        texts = {name: _text(document) for name, document in documents().items()}
    except Conflict as conflict:
        print(conflict, file=sys.stderr)
        return 1
    if not check:
        _write(FOLDER, texts)
        return 0
    stale = stale_files(FOLDER, texts)
    for name in stale:
        print(f"openapi/{name} is stale: write it with `make openapi`", file=sys.stderr)
    return 1 if stale else 0


def documents() -> dict[str, Document]:
    """Every document by its file name."""
    services = service_documents()
    return {
        **{f"{name}.json": document for name, document in services.items()},
        "gateway.json": gateway_document(services),
        "events.json": events_document(),
    }


def service_documents() -> dict[str, Document]:
    """What each service says of itself, the demo sign-in included. The services are built and not started."""
    settings = Settings.model_validate(
        {"mode": "test", "database_url": "postgresql://nowhere/linli", "demo_sign_in": True}
    )
    return {name: import_module(f"services.{name}.main").create_app(settings).openapi() for name in SERVICES}


def gateway_document(services: Mapping[str, Document]) -> Document:
    """The services' documents as one.

    Raises Conflict if two of them disagree under one name, or if the gateway would look for a path elsewhere.
    """
    paths, operation_ids = _Union("path"), _Union("operationId")
    sections: dict[str, _Union] = {}
    for service, document in services.items():
        public = _public_paths(service, document)
        paths.add(service, public)
        operation_ids.add(service, {operation["operationId"]: place for place, operation in _operations(public)})
        for section, components in document.get("components", {}).items():
            sections.setdefault(section, _Union(f"components.{section}")).add(service, components)
    paths.add("the gateway", deepcopy(_HOME))
    for _, operation in _operations(paths.entries):
        _add_gateway_problems(operation)
    components = {section: union.entries for section, union in sections.items()}
    components["responses"] = components.get("responses", {}) | _GATEWAY_RESPONSES
    return {
        "openapi": "3.1.0",
        "info": {"title": "Linli", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in _tags(services)],
        "paths": dict(sorted({**paths.entries, **_OWN_PATHS}.items())),
        "components": {section: dict(sorted(entries.items())) for section, entries in sorted(components.items())},
    }


def events_document() -> Document:
    """JSON Schema of every fact, under the name of its class, with its kind and its listeners."""
    _, schema = models_json_schema(
        [(event, "serialization") for event in EVENTS.values()], ref_template="#/$defs/{model}"
    )
    facts = schema["$defs"]
    for kind, event in EVENTS.items():
        facts[event.__name__] |= {"x-kind": kind, "x-listeners": list(event.listeners)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The facts Linli's services tell each other",
        "oneOf": [{"$ref": f"#/$defs/{event.__name__}"} for _, event in sorted(EVENTS.items())],
        "$defs": dict(sorted(facts.items())),
    }


def stale_files(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """The files in `folder` that are missing, differ from `texts`, or belong to nothing any more."""
    present = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in present.keys() | texts.keys() if present.get(name) != texts.get(name))


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name in stale_files(folder, texts):
        if name in texts:
            (folder / name).write_text(texts[name], "utf-8", newline="\n")
        else:
            (folder / name).unlink()
        print(f"openapi/{name}")


def _text(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


class _Union:
    """Named things of several services. The same name may come twice only with the same content."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._services: dict[str, str] = {}
        self.entries: dict[str, Any] = {}

    def add(self, service: str, entries: Mapping[str, Any]) -> None:
        for name, content in entries.items():
            if self.entries.setdefault(name, content) != content:
                raise Conflict(f"{self._what} {name} of {service} is not that of {self._services[name]}")
            self._services.setdefault(name, service)


def _public_paths(service: str, document: Document) -> dict[str, Any]:
    """A copy, without what every process answers for itself."""
    paths = {path: deepcopy(item) for path, item in document["paths"].items() if path not in _OWN_PATHS}
    for path in paths:
        leads_to = ROUTES.get(prefix_of(path) or "", "nowhere")
        if leads_to != service:
            raise Conflict(f"api.routes leads {path} of {service} to {leads_to}")
    return paths


def _operations(paths: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for path, item in paths.items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def _tags(services: Mapping[str, Document]) -> list[str]:
    """In the order of the services and of their routes; health last."""
    operations = [operation for document in services.values() for _, operation in _operations(document["paths"])]
    tags = dict.fromkeys(tag for operation in operations for tag in operation.get("tags", ()))
    return [*(tag for tag in tags if tag != "health"), "health"]


def _add_gateway_problems(operation: Document) -> None:
    possible = {**ANY_REQUEST, **(ANY_BODY if "requestBody" in operation else {})}
    given = {str(status): {"$ref": f"#/components/responses/Gateway{status}"} for status in possible}
    operation["responses"] = dict(sorted((given | operation["responses"]).items()))


_GATEWAY_RESPONSES = {f"Gateway{status}": response for status, response in (ANY_REQUEST | ANY_BODY).items()}


def _own_path(name: str, description: str, answers: Mapping[str, str], model: str) -> Document:
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {
        "get": {
            "tags": ["health"],
            "summary": name.capitalize(),
            "description": description,
            "operationId": name,
            "responses": {
                status: {"description": meaning, "content": {"application/json": {"schema": schema}}}
                for status, meaning in answers.items()
            },
        }
    }


_OWN_PATHS: Final = {
    "/health": _own_path("health", "The gateway runs.", {"200": "It does."}, "Liveness"),
    "/ready": _own_path(
        "ready",
        "Every service behind the gateway can work; `checks` has one entry for each.",
        {"200": "All of them can.", "503": "Not all of them can; `checks` says which."},
        "Readiness",
    ),
}
"""What each process answers for itself."""

_HOME_PARTS: Final = {"grid": "GridHome", "identity": "Me", "orders": "OrdersHome", "points": "PointsHome"}
_HOME: Final = {
    HOME: {
        "get": {
            "tags": ["home"],
            "summary": "Read Home",
            "description": "My first screen in one request: the parts of `/v1/home/<service>`, asked for side by side."
            " A part that cannot be had is null and its service is named in `unavailable`.",
            "operationId": "read_home",
            "security": [{"AccessToken": []}],
            "responses": {
                "200": {
                    "description": "What there is.",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": [*_HOME_PARTS, "unavailable"],
                                "properties": {
                                    **{
                                        name: {"anyOf": [{"$ref": f"#/components/schemas/{part}"}, {"type": "null"}]}
                                        for name, part in _HOME_PARTS.items()
                                    },
                                    "unavailable": {"type": "array", "items": {"type": "string"}},
                                },
                            }
                        }
                    },
                },
                **{str(status): answer for status, answer in problems(Unauthenticated, HomeIsReadOnly).items()},
            },
        }
    }
}
"""What the gateway puts together."""


if __name__ == "__main__":
    sys.exit(main())
