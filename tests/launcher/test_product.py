"""`run` and `separate` as processes: started, started twice, stopped, killed, and there again."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.accounts import make_folder, server_account, temporary_root
from launcher.product import load_demo_people
from tests.conftest import TestServer, _run_outside_of_any_loop
from tests.launcher.conftest import Eventually
from tests.launcher.running import Started, are_gone

Start = Callable[..., Started]


@pytest.fixture(scope="module")
def homes() -> Iterator[Path]:
    """Where data folders of products may be."""
    root = temporary_root(server_account())
    if not root.exists():
        make_folder(root, 0o755)
    folder = Path(tempfile.mkdtemp(prefix="linli-test-", dir=root))
    folder.chmod(0o711)
    yield folder
    while folder.exists():  # what was killed may still be tidying up
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def running(homes: Path) -> Iterator[Started]:
    """A product in one process, for tests that leave it running."""
    product = Started("run", homes / "running")
    yield product.until_ready()
    product.kill()


@pytest.fixture(scope="module")
def separate(homes: Path) -> Iterator[Started]:
    """A product in separate processes, for tests that leave it running."""
    product = Started("separate", homes / "separate")
    yield product.until_ready()
    product.kill()


@pytest.fixture
def start(homes: Path) -> Iterator[Start]:
    """Starts a command, by default always on the same data; whatever still runs is killed when the test ends."""
    started: list[Started] = []

    def start_command(command: str, data: Path = homes / "started", **settings: str) -> Started:
        started.append(Started(command, data, **settings))
        return started[-1]

    yield start_command
    for product in started:
        product.kill()


class TestRun:
    def test_says_where_it_is_whom_to_sign_in_as_and_what_to_try(self, running: Started) -> None:
        assert running.is_ready()
        for expected in (running.url, "zhang", "张德明", "居民", f"PORT={running.port} make demo"):
            assert expected in running.output

    def test_the_story_is_told_against_it(self, running: Started, start: Start) -> None:
        story = start("demo", running.data, PORT=str(running.port))

        assert story.ends() == 0, story.output

    def test_a_second_start_says_so(self, running: Started, start: Start) -> None:
        second = start("run", running.data)

        assert second.ends() == 1
        assert second.output == f"Linli is already running here (pid {running.process.pid}, {running.url}).\n"
        assert running.is_ready()

    def test_survives_the_death_of_its_database(self, running: Started, eventually: Eventually) -> None:
        token = running.sign_in("zhang")
        postmaster = process_id(running, "postgres -D")
        os.kill(postmaster, signal.SIGKILL)

        eventually(lambda: are_gone([postmaster]) and running.is_ready())
        eventually(lambda: running.is_signed_in(token))

    def test_stops_is_killed_and_has_kept_everything(self, start: Start) -> None:
        first = start("run").until_ready()
        token, children = first.sign_in("zhang"), first.children()
        assert first.stop(signal.SIGINT) == 0
        assert first.output.endswith("Stopped.\n")
        assert are_gone(children)

        second = start("run").until_ready()
        assert second.is_signed_in(token)
        second.kill()

        third = start("run").until_ready()
        assert third.is_signed_in(token)
        assert third.stop(signal.SIGTERM) == 0

    def test_stops_while_it_prepares(self, start: Start, eventually: Eventually) -> None:
        product = start("run")
        eventually(lambda: "Migrating" in product.output)

        assert product.stop(signal.SIGHUP) == 0

    def test_a_taken_port_says_so(self, start: Start) -> None:
        with socket.socket() as somebody:
            somebody.bind(("127.0.0.1", 0))
            somebody.listen()
            port = somebody.getsockname()[1]
            product = start("run", PORT=str(port))

            assert product.ends() == 1
        sentence = f"Port {port} is taken by another program; choose one with PORT={port + 1} make run.\n"
        assert product.output == sentence

    def test_is_not_for_production(self, start: Start) -> None:
        product = start("run", LINLI_MODE="production")

        assert product.ends() == 1
        assert "in production start the processes one by one" in product.output


class TestDatabaseOfSomebodyElses:
    def test_the_demo_stays_out_of_it_unless_told(self, start: Start) -> None:
        """Its people's password is published: it is refused before the database is asked, which is not even there."""
        product = start("run", DATABASE_URL="postgresql://nobody@127.0.0.1:1/real")

        assert product.ends() == 1
        assert "If it is there for the demo, say so: LINLI_MODE=demo" in product.output

    def test_told_so_it_is_used(self, start: Start) -> None:
        product = start("run", DATABASE_URL="postgresql://nobody@127.0.0.1:1/demo", LINLI_MODE="demo")

        assert product.ends() == 1
        assert "The database of DATABASE_URL (postgresql://127.0.0.1:1/demo) refuses" in product.output


class TestDemoPeople:
    @pytest.fixture
    def url(self, postgres: TestServer) -> str:
        return postgres.clone()

    def test_are_loaded_where_nobody_is(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LINLI_MODE", raising=False)

        assert load_demo_people(url)
        assert load_demo_people(url)

    def test_are_not_loaded_beside_others_unless_told(
        self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Also where somebody founded the very district that the demo is about."""
        monkeypatch.delenv("LINLI_MODE", raising=False)
        self._add_district(url, "441602")

        assert not load_demo_people(url)
        assert "Here is another district already (441602)" in capsys.readouterr().out
        monkeypatch.setenv("LINLI_MODE", "demo")
        assert not load_demo_people(url)

    def test_told_so_they_stand_beside_others(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._add_district(url, "340111")
        monkeypatch.setenv("LINLI_MODE", "demo")

        assert load_demo_people(url)

    def _add_district(self, url: str, code: str) -> None:
        add = f"INSERT INTO tenants (id, code, name) VALUES (gen_random_uuid(), '{code}', '某区')"
        _run_outside_of_any_loop(url, add)


class TestSeparate:
    def test_every_service_is_a_process_behind_the_gateway(self, separate: Started) -> None:
        for name in ("gateway", "identity", "grid", "orders", "points"):
            assert process_id(separate, f"launcher serve {name} ")
        assert separate.is_signed_in(separate.sign_in("zhang"))

    def test_the_story_is_told_against_it(self, separate: Started, start: Start) -> None:
        story = start("demo", separate.data, PORT=str(separate.port))

        assert story.ends() == 0, story.output

    @pytest.mark.parametrize("name", ["identity", "gateway"])
    def test_a_process_that_dies_is_started_again(self, separate: Started, eventually: Eventually, name: str) -> None:
        token = separate.sign_in("zhang")
        killed = process_id(separate, f"launcher serve {name} ")
        os.kill(killed, signal.SIGKILL)

        eventually(lambda: are_gone([killed]) and separate.is_ready())
        assert f"{name} has ended unasked" in separate.output
        assert separate.is_signed_in(token)

    def test_is_killed_with_its_children_recovers_and_stops(self, start: Start, eventually: Eventually) -> None:
        killed = start("separate").until_ready()
        token, children = killed.sign_in("zhang"), killed.children()
        killed.kill()
        eventually(lambda: are_gone(children))

        again = start("separate", PORT=str(killed.port)).until_ready()
        assert again.is_signed_in(token)
        children = again.children()
        assert again.stop() == 0
        assert are_gone(children)
        assert "ended unasked" not in again.output


def process_id(product: Started, part: str) -> int:
    """The id of the only child whose command has this part."""
    [found] = [number for number, command in product.children().items() if part in command]
    return found
