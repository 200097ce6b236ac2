"""`found-district`: whole or not at all, and then the administrator can go to work."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.all_in_one import create_app
from demo.personas import DEMO_PASSWORD, PERSONAS
from launcher.founding import PASSWORD_VARIABLE, found_district
from launcher.terminal import CannotStart
from services.orders.kinds.standard import STANDARD_KINDS
from services.orders.lifecycles.definition import Lifecycle
from services.orders.lifecycles.standard import STANDARD
from tests.conftest import TestServer, make_settings, running_app
from tests.migrations.catalog import connected

PASSWORD = "Bao-He-Qu-2026"
DIVISIONS = """code,parent_code,level,name
340111,,district,安徽省/合肥市/包河区
340111001008,340111001,community,官塘社区
340111001,340111,subdistrict,骆岗街道
340111001009,340111001,community,骆岗社区
340303,,district,安徽省/蚌埠市/蚌山区
340303001,340303,subdistrict,天桥街道
"""

Run = Callable[..., None]


def in_a_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """Outside of the loop the tests run in."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture
def url(postgres: TestServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database, which is the product's."""
    url = postgres.clone()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    return url


@pytest.fixture
def divisions(tmp_path: Path) -> Path:
    path = tmp_path / "divisions.csv"
    path.write_text(DIVISIONS, "utf-8")
    return path


def found(**changes: str) -> None:
    options = {
        "code": "340111", "name": "包河区", "admin-name": "周文", "admin-username": "zhou.wen", **changes
    }  # fmt: skip
    found_district([word for name, value in options.items() for word in (f"--{name}", value)])


def count(url: str, table: str) -> int:
    async def ask() -> int:
        async with connected(url) as owner:
            return int(await owner.fetchval(f"SELECT count(*) FROM {table}"))

    return int(in_a_thread(ask()))


class TestFounding:
    def test_the_administrator_signs_in_adds_an_area_and_gives_a_role(
        self, url: str, divisions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found(areas=str(divisions))
        assert "Founded 包河区 (340111): 4 areas" in capsys.readouterr().out

        async def work() -> None:
            settings = make_settings(url, tmp_path)
            async with (
                running_app(create_app(settings)) as app,
                httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://linli.test") as client,
            ):
                body = {"username": "zhou.wen", "password": PASSWORD}
                signed_in = (await client.post("/v1/sign-in/password", json=body)).json()
                client.headers["Authorization"] = f"Bearer {signed_in['access_token']}"

                async def post(path: str, **body: Any) -> Any:
                    answer = await client.post(path, json=body, headers={"Idempotency-Key": str(uuid4())})
                    assert answer.status_code == 201, answer.text
                    return answer.json()

                me = (await client.get("/v1/me")).json()
                assert [(role["role"], role["area"]["name"]) for role in me["roles"]] == [("district_admin", "包河区")]
                areas = (await client.get("/v1/areas", params={"level": "community"})).json()["items"]
                assert {area["name"] for area in areas} == {"官塘社区", "骆岗社区"}
                assert all(area["community_id"] == area["id"] for area in areas)
                compound = await post("/v1/areas", parent_id=areas[0]["id"], level="compound", name="望湖小区")
                gift = {"account_id": me["account"]["id"], "role": "dispatcher", "area_id": compound["id"]}
                assert (await post("/v1/grants", **gift))["area"]["name"] == "望湖小区"
                kinds = (await client.get("/v1/order-kinds")).json()["items"]
                assert {kind["id"] for kind in kinds} == {kind.id for kind in STANDARD_KINDS}
                assert all(kind["form"]["version"] == 1 and kind["form"]["questions"] for kind in kinds)
                promise = "/v1/clock-policies/in-force"
                urgent = (await client.get(promise, params={"order_kind": "private_wiring"})).json()
                assert urgent["targets"]["finish"]["amount"] == 24
                general = (await client.get(promise, params={"order_kind": "stairwell_clutter"})).json()
                assert (general["order_kind"], general["targets"]["finish"]["amount"]) == (None, 168)
                rules = (await client.get("/v1/points/earning-rules")).json()["items"]
                assert [(rule["version"], rule["state"]) for rule in rules] == [(1, "active")]

        in_a_thread(work())

    def test_orders_have_the_standard_life(self, url: str) -> None:
        found()

        async def ask() -> Any:
            async with connected(url) as owner:
                return await owner.fetchrow("SELECT * FROM order_lifecycles")

        row = in_a_thread(ask())
        assert (row["version"], row["order_kind"], row["recorded_by"]) == (1, None, None)
        assert Lifecycle.model_validate_json(row["definition"]) == STANDARD
        assert json.loads(row["compiled"]) == json.loads(json.dumps(STANDARD.compiled()))

    def test_migrates_an_empty_database_first(self, postgres: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
        url = postgres._create(f"linli_test_{uuid4().hex}")
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)

        found()

        assert count(url, "tenants") == 1

    def test_twice_is_refused_and_changes_nothing(self, url: str) -> None:
        found()
        with pytest.raises(CannotStart, match="There is a district 340111 already"):
            found(**{"admin-username": "somebody.else"})

        assert (count(url, "tenants"), count(url, "accounts")) == (1, 1)

    def test_a_second_district_stands_beside_the_first(self, url: str) -> None:
        found()
        found(code="340303", name="蚌山区", **{"admin-username": "li.na"})

        assert (count(url, "tenants"), count(url, "password_credentials")) == (2, 2)

    def test_what_fails_half_way_leaves_nothing(self, url: str) -> None:
        """The tenant, its levels and its areas are written before the user name turns out to be taken."""
        found()
        with pytest.raises(CannotStart, match="Somebody has the user name zhou"):
            found(code="340303", name="蚌山区")

        assert (count(url, "tenants"), count(url, "areas"), count(url, "accounts")) == (1, 1, 1)

    def test_levels_are_the_districts_own(self, url: str) -> None:
        found(levels="district=区, community=社区,section=片区, grid=网格")

        async def levels() -> list[tuple[Any, ...]]:
            async with connected(url) as owner:
                return [
                    tuple(row) for row in await owner.fetch("SELECT depth, level, name FROM area_levels ORDER BY 1")
                ]

        assert in_a_thread(levels()) == [
            (0, "district", "区"), (1, "community", "社区"), (2, "section", "片区"), (3, "grid", "网格")
        ]  # fmt: skip

    def test_a_table_as_excel_saves_it_in_china_is_read(self, url: str, divisions: Path) -> None:
        divisions.write_bytes(DIVISIONS.replace("\n", "\r\n").encode("gb18030"))

        found(areas=str(divisions))

        assert count(url, "areas") == 4


class TestBadInput:
    """Refused before the database is asked: there is none."""

    @pytest.fixture(autouse=True)
    def _without_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
        monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"code": "34011"}, "six digits"),
            ({"code": "３４０１１１"}, "six digits"),
            ({"name": "  "}, "--name"),
            ({"admin-name": "周" * 61}, "--admin-name"),
            ({"admin-username": "Zhou Wen"}, "--admin-username"),
            ({"admin-username": PERSONAS[-1].username}, "those of the demo"),
            ({"levels": "区,街道"}, "A level is written like"),
            ({"levels": "district=区,district=街道"}, "same identifier"),
            ({"areas": "nowhere.csv"}, "nowhere.csv cannot be read"),
        ],
    )
    def test_is_told_in_a_sentence(self, changes: dict[str, str], sentence: str) -> None:
        with pytest.raises(CannotStart, match=sentence):
            found(**changes)

    @pytest.mark.parametrize("password", [DEMO_PASSWORD, "short", "aaaaaaaaaaaa", "my-Zhou.Wen-2026"])
    def test_a_published_or_weak_password_is_refused(self, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
        monkeypatch.setenv(PASSWORD_VARIABLE, password)
        with pytest.raises(CannotStart, match="A password needs at least 10 characters"):
            found()

    def test_a_password_is_never_an_argument(self) -> None:
        with pytest.raises(SystemExit):
            found(password=PASSWORD)

    def test_without_a_terminal_the_variable_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(PASSWORD_VARIABLE)
        with pytest.raises(CannotStart, match=PASSWORD_VARIABLE):
            found()

    @pytest.mark.parametrize(("second", "sentence"), [(PASSWORD, "refuses"), ("Bao-He-Qu-2027", "two different")])
    def test_at_a_terminal_it_is_asked_for_twice(
        self, monkeypatch: pytest.MonkeyPatch, second: str, sentence: str
    ) -> None:
        """With two equal ones it gets as far as the database, which is not there."""
        monkeypatch.delenv(PASSWORD_VARIABLE)
        typed = iter([PASSWORD, second])
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
        with pytest.raises(CannotStart, match=sentence):
            found()

    @pytest.mark.parametrize(
        ("row", "sentence"),
        [
            ("34011100x,340111,subdistrict,骆岗街道", "line 2: a code has 7 to 24 digits"),
            ("340111001,340112,subdistrict,骆岗街道", "line 2: 340111001 lies in '340112', which is not there"),
            ("340111001,340111,suburb,骆岗街道", "line 2: there is no level 'suburb'"),
            ("340111001,340111,district,骆岗街道", "line 2: level district does not lie below"),
            ("340111001,340111,subdistrict,", "line 2: a name has 1 to 60 characters"),
            (
                "340111001,340111,subdistrict,一\n340111001,340111,subdistrict,二",
                "line 3: 340111001 stands there twice",
            ),
            ("340111001,340111,subdistrict,一\n340111002001,340111001,community,二", "line 3: .* does not begin with"),
            ("340303001,340303,subdistrict,天桥街道", "has no area below 340111"),
            ("340111001,340111", "there is no level ''"),
        ],
    )
    def test_a_table_is_refused_with_the_line(self, divisions: Path, row: str, sentence: str) -> None:
        divisions.write_text(f"code,parent_code,level,name\n{row}\n", "utf-8")
        with pytest.raises(CannotStart, match=sentence):
            found(areas=str(divisions))

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"code,name\n340111001,x\n", "lacks the columns level, parent_code"),
            (b"", "lacks the columns"),
            (b"\xff\xff\xff", "neither UTF-8 nor GB 18030"),
        ],
    )
    def test_what_is_no_table_is_refused(self, divisions: Path, content: bytes, sentence: str) -> None:
        divisions.write_bytes(content)
        with pytest.raises(CannotStart, match=sentence):
            found(areas=str(divisions))
