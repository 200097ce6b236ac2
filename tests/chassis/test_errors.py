"""Every refusal is a problem document: a stable code, a sentence in the reader's language, nothing of what was sent."""

import importlib
import json
import pkgutil
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from string import Formatter
from typing import Any

import httpx2
import pytest

import api
import services
from services.chassis.errors import (
    Forbidden,
    Problem,
    invalid_request,
    prefers_english,
    problem_body,
)
from services.chassis.request_context import request_id
from services.chassis.settings import Settings
from tests.chassis.probe import create_probe
from tests.world import World

PROBLEM_JSON = "application/problem+json"
SECRET = "S3CRET-13800138000"
BODY = "/v1/hot/everything"


@pytest.fixture
async def client(probe_settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Of a probe without a database: these requests are refused before one is needed."""
    app = create_probe(probe_settings.model_copy(update={"max_upload_bytes": 100_000}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://linli.test") as opened:
        yield opened


def all_problems() -> list[type[Problem]]:
    """Every refusal of the product."""
    for package in (api, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return [kind for kind in _descendants(Problem) if kind.__module__.startswith(("api.", "services."))]


def _descendants(kind: type[Problem]) -> Iterator[type[Problem]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


class TestVocabulary:
    def test_a_code_means_one_thing(self) -> None:
        """Two services may have the same refusal, then it reads the same in both."""
        meanings = defaultdict(set)
        for kind in all_problems():
            meanings[kind.code].add((kind.status, kind.zh, kind.en))
        assert {code: found for code, found in meanings.items() if len(found) > 1} == {}

    def test_codes_are_stable_words(self) -> None:
        assert [
            kind.code for kind in all_problems() if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", kind.code)
        ] == []

    def test_every_refusal_speaks_both_languages(self) -> None:
        """Chinese in `zh`, none in `en`, both about the same members, both a sentence."""
        for kind in all_problems():
            assert re.search(r"[\u4e00-\u9fff].*。$", kind.zh), kind
            assert re.fullmatch(r"[^\u3000-\u9fff\uff00-\uffef]+\.", kind.en), kind
            assert _members(kind.zh) == _members(kind.en), kind

    def test_every_refusal_is_an_error(self) -> None:
        assert [kind for kind in all_problems() if not 400 <= kind.status <= 599] == []

    def test_a_second_meaning_is_refused_where_it_is_written(self) -> None:
        with pytest.raises(TypeError, match="share the code forbidden"):
            type("Prohibited", (Problem,), {"code": "forbidden"})
        assert type(Problem.of_code("forbidden", {})) is Forbidden

    def test_a_refusal_needs_a_code_of_its_own(self) -> None:
        """A subclass that says nothing would answer in its parent's name."""
        with pytest.raises(TypeError, match="share the code"):
            type("Silent", (Forbidden,), {})


def _members(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


class TestLanguage:
    @pytest.mark.parametrize(
        "accepted",
        [
            "",
            "zh-CN",
            "zh-CN,zh;q=0.9,en;q=0.8",
            "zh;q=0.5,en;q=0.5",
            "en;q=0,zh;q=0.1",
            "en;q=0",
            "fr, de;q=0.9",
            "*",
            "english",
            "en;q=abc",
            "en;q=nan",
            "en;q=-1",
            ";;;,,,=",
            "\N{SNOWMAN}",
        ],
    )
    def test_chinese_unless_asked_otherwise(self, accepted: str) -> None:
        assert not prefers_english(accepted)

    @pytest.mark.parametrize(
        "accepted",
        [
            "en",
            "EN-gb",
            "en-US,en;q=0.9",
            "en;q=0.9,zh;q=0.8",
            "zh;q=0.1, en-GB;q=0.2",
            "fr,en;q=0.5",
            "zh;q=0,en;q=0.001",
        ],
    )
    def test_english_when_it_weighs_more(self, accepted: str) -> None:
        assert prefers_english(accepted)

    async def test_of_the_answer(self, client: httpx2.AsyncClient) -> None:
        chinese = await client.get("/nowhere")
        english = await client.get("/nowhere", headers={"Accept-Language": "en"})
        assert (chinese.json()["detail"], english.json()["detail"]) == ("未找到。", "Not found.")


class TestDocument:
    async def test_says_all_that_rfc_9457_asks(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/nowhere", headers={"X-Request-Id": "abc"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM_JSON)
        assert answer.json() == {
            "type": "urn:linli:problem:not_found",
            "title": "not found",
            "status": 404,
            "code": "not_found",
            "detail": "未找到。",
            "instance": "/nowhere",
            "request_id": "abc",
        }

    def test_carries_the_members_of_its_kind(self) -> None:
        """What a client needs to react comes as data, not only in the sentence."""
        token = request_id.set("abc")
        body = json.loads(problem_body(invalid_request([]), accept_language="en", instance="/x"))
        request_id.reset(token)
        assert (body["errors"], body["request_id"]) == ([], "abc")

    async def test_401_says_how_to_sign_in(self, world: World) -> None:
        async with world.stranger() as stranger:
            nobody = await stranger.get("/v1/cold")
            forger = await stranger.get("/v1/cold", headers={"Authorization": "Bearer forged"})
        assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated")
        assert nobody.headers["WWW-Authenticate"] == "Bearer"
        assert (forger.status_code, forger.json()["code"]) == (401, "invalid_token")
        assert forger.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

    @pytest.mark.parametrize(
        ("method", "path", "content", "status", "code"),
        [
            ("GET", "/nowhere", "", 404, "not_found"),
            ("GET", "/v1/cold/", "", 404, "not_found"),
            ("PATCH", "/v1/cold", "", 405, "method_not_allowed"),
            ("POST", BODY, "", 422, "invalid_request"),
            ("POST", BODY, "[]", 422, "invalid_request"),
            ("POST", BODY, "null", 422, "invalid_request"),
            ("POST", BODY, "{", 400, "unreadable_body"),
            ("POST", BODY, b"\xff\xfe", 400, "unreadable_body"),
            ("POST", BODY, "[" * 50_000, 400, "unreadable_body"),
            ("POST", BODY, '{"count":' + "9" * 5_000 + "}", 400, "unreadable_body"),
            ("POST", BODY, " " * 300_000, 413, "body_too_large"),
        ],
        ids=lambda value: str(value)[:20],
    )
    async def test_whatever_is_sent(
        self, client: httpx2.AsyncClient, method: str, path: str, content: str | bytes, status: int, code: str
    ) -> None:
        """The framework's own refusals look like ours."""
        answer = await client.request(method, path, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == PROBLEM_JSON

    async def test_a_body_is_limited_without_its_length(self, client: httpx2.AsyncClient) -> None:
        """Sent in pieces, it is refused as soon as it is too large."""

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(300):
                yield b" " * 1_000

        answer = await client.post(BODY, content=pieces(), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert answer.json()["limit_bytes"] == 100_000

    async def test_a_body_without_its_content_type_is_refused(self, client: httpx2.AsyncClient) -> None:
        """A form of another site cannot send JSON in disguise."""
        answer = await client.post(BODY, content="{}", headers={"Content-Type": "text/plain"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


class TestValidation:
    @pytest.mark.parametrize(
        "body",
        [
            {"name": SECRET * 10},
            {"name": [SECRET]},
            {"name": {SECRET: SECRET}},
            {"phone": SECRET},
            {"moment": SECRET},
            {"moment": f"2026-02-30T00:00:00Z{SECRET}"},
            {"lng": SECRET},
            {"lat": [SECRET]},
            {"count": SECRET},
            {"count": 13800138000_13800138000},
            {"unknown": SECRET},
            SECRET,
            [SECRET],
        ],
        ids=str,
    )
    async def test_never_repeats_what_was_sent(self, client: httpx2.AsyncClient, body: Any) -> None:
        """Answers end up in logs and bug reports; the sender knows what it sent."""
        answer = await client.post(BODY, json=body)
        assert answer.status_code == 422
        assert "S3CRET" not in answer.text
        assert "13800138000" not in answer.text
        assert answer.json()["errors"]

    async def test_never_repeats_a_parameter(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get(f"/v1/hot/{'0' * 36}/things", params={"limit": SECRET, "since": SECRET})
        assert {error["field"] for error in answer.json()["errors"]} == {"path.id", "query.limit", "query.since"}
        assert "S3CRET" not in answer.text

    async def test_names_every_field_once(self, client: httpx2.AsyncClient) -> None:
        answer = await client.post(BODY, json={"name": "", "phone": "x", "wings": 2})
        assert [error["field"] for error in answer.json()["errors"]] == ["body.name", "body.phone", "body.wings"]
        assert answer.json()["fields"] == "body.name, body.phone, body.wings"
        assert answer.json()["detail"] == "请求内容不符合要求，请检查：body.name, body.phone, body.wings。"

    async def test_stays_short(self, client: httpx2.AsyncClient) -> None:
        """Ten thousand unknown fields do not make an answer larger than the request."""
        answer = await client.post(BODY, json={f"f{number}": 1 for number in range(8_000)})
        assert answer.status_code == 422
        assert len(answer.content) < 20_000

    @pytest.mark.parametrize(
        "content",
        [
            r'{"\ud800": 1}',
            r'{"name": "\ud800"}',
            r'{"name": {"\udfff": 1}}',
            r'{"phone": "\ud800"}',
            r'{"moment": "\ud800"}',
        ],
    )
    async def test_half_a_character_is_no_crash(self, client: httpx2.AsyncClient, content: str) -> None:
        r"""JSON can spell a lone surrogate; nothing can store or print one, as a value or as a field's name."""
        answer = await client.post(BODY, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

    async def test_a_long_unknown_name_is_cut(self, client: httpx2.AsyncClient) -> None:
        """The name of a field that nobody knows is the sender's text too."""
        answer = await client.post(BODY, json={"x" * 50_000: 1})
        assert (answer.status_code, len(answer.content) < 2_000) == (422, True)
