"""The documents say what the code says, and the gateway's says it for all services."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.routes import HOME
from openapi import export
from openapi.export import FOLDER, Conflict, documents, gateway_document, main, stale_files
from services.events import EVENTS


@pytest.fixture(scope="module")
def current() -> dict[str, dict[str, Any]]:
    return documents()


def document(*paths: str, operation_id: str = "", **schemas: Any) -> dict[str, Any]:
    """A service's document with one GET for each path."""

    def operation(path: str) -> dict[str, Any]:
        return {"get": {"operationId": operation_id or path, "responses": {"200": {"description": "ok"}}}}

    return {
        "paths": {path: operation(path) for path in ("/health", "/ready", *paths)},
        "components": {"schemas": {"ProblemAnswer": {"type": "object"}, **schemas}},
    }


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def found(node: Any, reference: str) -> Any:
    for name in reference.removeprefix("#/").split("/"):
        node = node[name]
    return node


class TestDocuments:
    def test_in_the_folder_are_current(self, current: dict[str, dict[str, Any]]) -> None:
        texts = {name: json.dumps(document, ensure_ascii=False, indent=2) + "\n" for name, document in current.items()}

        assert stale_files(FOLDER, texts) == []

    def test_are_one_per_service_and_two_for_all(self, current: dict[str, dict[str, Any]]) -> None:
        assert set(current) == {
            "events.json",
            "gateway.json",
            "grid.json",
            "identity.json",
            "orders.json",
            "points.json",
        }

    def test_come_out_the_same_again(self, current: dict[str, dict[str, Any]]) -> None:
        assert json.dumps(documents()) == json.dumps(current)

    def test_lead_nowhere_in_vain(self, current: dict[str, dict[str, Any]]) -> None:
        for content in current.values():
            for reference in references(content):
                assert found(content, reference) is not None

    def test_are_openapi_3_1(self, current: dict[str, dict[str, Any]]) -> None:
        assert {content["openapi"][:3] for name, content in current.items() if name != "events.json"} == {"3.1"}


class TestGatewayDocument:
    def test_has_every_public_path_once_and_sorted(self, current: dict[str, dict[str, Any]]) -> None:
        paths = list(current["gateway.json"]["paths"])

        public = [
            path for name in ("identity", "grid", "orders", "points") for path in current[f"{name}.json"]["paths"]
        ]
        assert set(paths) == {*public, HOME}, "what the gateway answers itself is the first screen"
        assert paths == sorted(paths)

    def test_tells_of_the_gateways_own_refusals(self) -> None:
        services = {"orders": document("/v1/orders")}
        services["orders"]["paths"]["/v1/orders"]["post"] = {
            "operationId": "place",
            "requestBody": {},
            "responses": {"413": {"description": "its own"}},
        }

        item = gateway_document(services)["paths"]["/v1/orders"]

        assert list(item["get"]["responses"]) == ["200", "400", "401", "500", "502", "503", "504"]
        assert list(item["post"]["responses"]) == ["400", "401", "408", "413", "500", "502", "503", "504"]
        assert item["post"]["responses"]["413"] == {"description": "its own"}

    def test_leaves_the_services_documents_alone(self) -> None:
        services = {"orders": document("/v1/orders")}
        before = json.dumps(services)

        gateway_document(services)

        assert json.dumps(services) == before

    def test_has_the_tags_in_the_order_of_the_services(self, current: dict[str, dict[str, Any]]) -> None:
        tags = [tag["name"] for tag in current["gateway.json"]["tags"]]

        assert tags[-1] == "health"
        assert tags.index("sign-in") < tags.index("areas") < tags.index("orders")
        assert len(tags) == len(set(tags))

    def test_describes_health_as_the_gateways(self, current: dict[str, dict[str, Any]]) -> None:
        assert "Every service" in current["gateway.json"]["paths"]["/ready"]["get"]["description"]

    def test_joins_equal_components(self) -> None:
        page = {"type": "object"}

        joined = gateway_document(
            {"grid": document("/v1/areas", Page=page), "orders": document("/v1/orders", Page=page)}
        )

        assert joined["components"]["schemas"]["Page"] == page

    def test_refuses_components_that_differ_and_names_both(self) -> None:
        services = {
            "grid": document("/v1/areas", Page={"type": "object"}),
            "orders": document("/v1/orders", Page={"type": "array"}),
        }

        with pytest.raises(Conflict, match=r"components\.schemas Page of orders is not that of grid"):
            gateway_document(services)

    def test_refuses_one_operation_id_for_two(self) -> None:
        services = {
            "grid": document("/v1/areas", operation_id="list"),
            "orders": document("/v1/orders", operation_id="list"),
        }

        with pytest.raises(Conflict, match="operationId list of orders is not that of grid"):
            gateway_document(services)

    @pytest.mark.parametrize(("path", "leads_to"), [("/v1/areas", "grid"), ("/v2/orders", "nowhere")])
    def test_refuses_a_path_that_the_gateway_takes_elsewhere(self, path: str, leads_to: str) -> None:
        with pytest.raises(Conflict, match=f"api.routes leads {path} of orders to {leads_to}"):
            gateway_document({"orders": document(path)})


class TestEventsDocument:
    def test_has_the_schema_of_every_fact_and_its_listeners(self, current: dict[str, dict[str, Any]]) -> None:
        schemas = current["events.json"]["$defs"]

        for kind, event in EVENTS.items():
            schema = schemas[event.__name__]
            assert schema["x-kind"] == kind
            assert schema["x-listeners"] == list(event.listeners)
            assert set(schema["properties"]) == set(event.model_fields)


class TestMain:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(export, "FOLDER", tmp_path)
        monkeypatch.setattr(export, "documents", lambda: {"a.json": {"中": 1}, "b.json": {}})
        return tmp_path

    def test_writes_what_the_check_wants(self, folder: Path) -> None:
        assert main(["--check"]) == 1
        assert main([]) == 0
        assert main(["--check"]) == 0
        assert (folder / "a.json").read_text("utf-8") == '{\n  "中": 1\n}\n'

    def test_the_check_names_what_is_stale_and_writes_nothing(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        main([])
        (folder / "b.json").write_text("{ }", "utf-8")
        (folder / "gone.json").write_text("{}", "utf-8")
        capsys.readouterr()

        assert main(["--check"]) == 1
        told = capsys.readouterr().err
        assert "openapi/b.json is stale" in told
        assert "openapi/gone.json is stale" in told
        assert "a.json" not in told
        assert (folder / "b.json").read_text("utf-8") == "{ }"

    def test_a_contradiction_is_told_in_one_line(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def contradict() -> dict[str, Any]:
            raise Conflict("path /v1/x of orders is not that of grid")

        monkeypatch.setattr(export, "documents", contradict)

        assert main([]) == 1
        assert capsys.readouterr().err == "path /v1/x of orders is not that of grid\n"
        assert not list(folder.iterdir())

    def test_removes_what_belongs_to_nothing(self, folder: Path) -> None:
        (folder / "gone.json").write_text("{}", "utf-8")

        main([])

        assert sorted(path.name for path in folder.iterdir()) == ["a.json", "b.json"]
