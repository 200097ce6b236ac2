"""`verify-ledger` and `import-ledger`: what they say, and with which exit code."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from launcher import ledger
from launcher.terminal import CannotStart
from services.chassis.database import Database
from services.points.proof.heads import publish_head
from tests.conftest import TestServer, make_settings
from tests.migrations.catalog import connected
from tests.points.books import Books
from tests.points.proof.histories import export, live, sealed
from tests.world import make_world


@pytest.fixture(scope="module")
def filled(postgres: TestServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, list[str], Any]:
    """A database with one district: its URL, the district's code, the exported lines and a published head."""
    settings = make_settings(postgres.clone(), tmp_path_factory.mktemp("files"))

    async def fill() -> tuple[str, list[str], Any]:
        database = Database(settings.database_url, service="points", pool_size=3)
        await database.open()
        world = await make_world(settings, httpx2.MockTransport(lambda _request: httpx2.Response(404)))
        books = Books(world, database)
        await live(books)
        await sealed(books)
        await publish_head(database, world.tenant_id)
        lines = await export(books)
        code = await world.fetch_value("SELECT code FROM tenants WHERE id = $1", world.tenant_id)
        row = (await world.fetch("SELECT published_on, position, hash FROM ledger_published_heads"))[0]
        head = {"published_on": str(row["published_on"]), "position": row["position"], "hash": row["hash"].hex()}
        await world.close()
        await database.close()
        return code, lines, head

    code, lines, head = in_a_thread(fill())
    return settings.database_url, code, lines, head


def in_a_thread(work: Any) -> Any:
    """Outside of the loop the tests run in."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


class TestVerifyLedger:
    @pytest.fixture(autouse=True)
    def _database(self, filled: tuple[str, str, list[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", filled[0])

    def test_of_a_database_names_every_district(
        self, filled: tuple[str, str, list[str], Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert ledger.verify_ledger([]) == 0
        said = capsys.readouterr().out
        assert filled[1] in said
        assert "sound" in said

    def test_against_heads_somebody_kept(
        self, filled: tuple[str, str, list[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, code, _, head = filled
        (tmp_path / "heads.json").write_text(json.dumps([head]))
        assert ledger.verify_ledger(["--tenant", code, "--heads", str(tmp_path / "heads.json")]) == 0
        (tmp_path / "heads.json").write_text(json.dumps([{**head, "hash": "00" * 32}]))
        assert ledger.verify_ledger(["--tenant", code, "--heads", str(tmp_path / "heads.json")]) == 1
        assert "is not that of the chain" in capsys.readouterr().out

    def test_of_a_file(self, filled: tuple[str, str, list[str], Any], tmp_path: Path) -> None:
        (tmp_path / "ledger.jsonl").write_text("\n".join(filled[2]) + "\n", "utf-8")
        (tmp_path / "heads.json").write_text(json.dumps([filled[3]]))
        arguments = ["--export", str(tmp_path / "ledger.jsonl"), "--heads", str(tmp_path / "heads.json")]
        assert ledger.verify_ledger(arguments) == 0

    def test_heads_of_nobody_in_particular_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CannotStart, match="whose heads"):
            ledger.verify_ledger(["--heads", str(tmp_path / "heads.json")])

    def test_a_district_that_is_not_there_is_told(self) -> None:
        with pytest.raises(CannotStart, match="no district 999999"):
            ledger.verify_ledger(["--tenant", "999999"])

    def test_a_database_without_tables_is_told(self, postgres: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", postgres._create("linli_test_without_tables"))
        with pytest.raises(CannotStart, match="never migrated"):
            ledger.verify_ledger([])

    def test_a_broken_chain_is_told_with_its_place(
        self, filled: tuple[str, str, list[str], Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Last: it spoils the books."""

        async def tamper() -> None:
            async with connected(filled[0]) as owner, owner.transaction():
                await owner.execute("SET LOCAL session_replication_role = replica")
                await owner.execute("DELETE FROM ledger_chain WHERE position = 3")

        in_a_thread(tamper())
        assert ledger.verify_ledger([]) == 1
        said = capsys.readouterr().out
        assert "BROKEN" in said
        assert "The links of positions 3 to 3 are missing." in said


class Product:
    """Takes lines as the API does, as far as a client can tell."""

    def __init__(self, whole: int, damaged: int | None = None) -> None:
        self.whole, self.damaged, self.position = whole, damaged, 0
        self.pieces: list[int] = []

    def get(self, _path: str) -> Any:
        return Answer(200, self._progress())

    def post(self, _path: str, *, json: dict[str, Any], headers: dict[str, str]) -> Any:
        assert headers["Idempotency-Key"]
        _header, *lines = json["lines"]
        positions = [ledger._position_of(line) for line in lines]
        if self.damaged in positions:
            line = positions.index(self.damaged) + 2
            return Answer(422, {"code": "damaged_line", "line": line, "detail": f"Line {line} is damaged."})
        self.pieces.append(len(lines))
        self.position = int(max([self.position, *positions]))
        return Answer(200, self._progress())

    def _progress(self) -> dict[str, Any]:
        return {
            "position": self.position, "expected_position": self.whole, "complete": self.position == self.whole
        }  # fmt: skip


class Answer:
    def __init__(self, status_code: int, body: dict[str, Any]) -> None:
        self.status_code, self._body = status_code, body

    def json(self) -> dict[str, Any]:
        return self._body


class TestImportLedger:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        lines = ["{}", *(f'{{"position":{n},"hash":"","record":{{}}}}' for n in range(1, 1201))]
        (tmp_path / "ledger.jsonl").write_text("\n".join(lines) + "\n")
        return tmp_path / "ledger.jsonl"

    def test_sends_a_file_in_pieces(self, file: Path) -> None:
        product = Product(1200)
        assert ledger.send_file(product, file) == 0
        assert product.pieces == [500, 500, 200]

    def test_goes_on_where_the_books_stand(self, file: Path) -> None:
        product = Product(1200)
        product.position = 700
        assert ledger.send_file(product, file) == 0
        assert product.pieces == [500]

    def test_sends_what_comes_before_a_damaged_line_and_names_it(
        self, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        product = Product(1200, damaged=600)
        assert ledger.send_file(product, file) == 1
        assert product.position == 599
        assert "In ledger.jsonl it is line 601." in capsys.readouterr().err

    def test_a_file_that_ends_too_early_is_not_complete(self, file: Path) -> None:
        assert ledger.send_file(Product(1300), file) == 1

    def test_large_lines_make_small_pieces(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ledger, "BYTES_AT_ONCE", 10_000)
        product = Product(1200)
        assert ledger.send_file(product, file) == 0
        assert max(product.pieces) < 300

    def test_needs_a_token(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LINLI_TOKEN", raising=False)
        with pytest.raises(CannotStart, match="LINLI_TOKEN"):
            ledger.import_ledger([str(file)])
