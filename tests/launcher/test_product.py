"""`run` and `separate` as processes: started, started twice, stopped, killed, and there again."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.accounts import make_folder, server_account, temporary_root
from launcher.postmaster import is_running
from tests.launcher.conftest import Eventually
from tests.launcher.running import Started

Start = Callable[..., Started]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One data folder for all tests of this file: the demo district is loaded once."""
    root = temporary_root(server_account())
    if not root.exists():
        make_folder(root, 0o755)
    home = root / f"linli-test-product-{os.getpid()}"
    home.mkdir(0o711)
    home.chmod(0o711)
    yield home / "data"
    while home.exists():
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def start(data: Path) -> Iterator[Start]:
    """Starts a command; whatever still runs is killed when the test ends."""
    started: list[Started] = []

    def start_command(command: str, folder: Path = data, *, port: int | None = None, **settings: str) -> Started:
        started.append(Started(command, folder, port=port, **settings))
        return started[-1]

    yield start_command
    for product in started:
        product.kill()


def is_signed_in(product: Started, token: str) -> bool:
    return product.get("/v1/me", token=token).status_code == 200


class TestRun:
    def test_says_where_it_is_whom_to_sign_in_as_and_what_to_try(self, start: Start) -> None:
        product = start("run").until_ready()

        assert product.get("/ready").status_code == 200
        for expected in (product.url, "zhang", "张德明", "居民", "make demo"):
            assert expected in product.output

    @pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_stops_cleanly(self, start: Start, kind: signal.Signals) -> None:
        product = start("run").until_ready()
        children = product.children()
        assert any("postgres" in command for command in children.values())

        assert product.stop(kind) == 0
        assert product.output.endswith("Stopped.\n")
        assert not any(is_running(process_id) for process_id in children)

    def test_stops_while_it_prepares(self, start: Start, eventually: Eventually) -> None:
        product = start("run")
        eventually(lambda: "Migrating" in product.output)

        assert product.stop() == 0

    def test_a_second_start_says_so(self, start: Start) -> None:
        first = start("run").until_ready()
        second = start("run")

        assert second.ends() == 1
        assert second.output == f"Linli is already running here (pid {first.process.pid}, {first.url}).\n"
        assert first.get("/ready").status_code == 200

    def test_a_taken_port_says_so(self, start: Start, tmp_path: Path) -> None:
        with socket.socket() as somebody:
            somebody.bind(("127.0.0.1", 0))
            somebody.listen()
            port = somebody.getsockname()[1]
            product = start("run", tmp_path / "data", port=port)

            assert product.ends() == 1
        sentence = f"Port {port} is taken by another program; choose one with PORT={port + 1} make run.\n"
        assert product.output == sentence

    def test_recovers_from_kill_9_and_keeps_everything(self, start: Start) -> None:
        killed = start("run").until_ready()
        token = killed.sign_in("zhang")
        killed.kill()

        again = start("run").until_ready()
        assert is_signed_in(again, token)

    def test_survives_the_death_of_its_database(self, start: Start, eventually: Eventually) -> None:
        product = start("run").until_ready()
        token = product.sign_in("zhang")
        postmaster = _process(product, "postgres -D")
        os.kill(postmaster, signal.SIGKILL)

        eventually(lambda: not is_running(postmaster) and product.get("/ready").status_code == 200)
        assert is_signed_in(product, token)

    def test_is_not_for_production(self, start: Start, tmp_path: Path) -> None:
        product = start("run", tmp_path / "data", LINLI_MODE="production")

        assert product.ends() == 1
        assert "in production start the processes one by one" in product.output


class TestSeparate:
    def test_every_service_is_a_process_behind_the_gateway(self, start: Start) -> None:
        product = start("separate").until_ready()

        commands = " ".join(product.children().values())
        for name in ("gateway", "identity", "grid", "orders", "points"):
            assert f"launcher serve {name} " in commands
        assert is_signed_in(product, product.sign_in("zhang"))

    @pytest.mark.parametrize("name", ["identity", "gateway"])
    def test_a_process_that_dies_is_started_again(self, start: Start, eventually: Eventually, name: str) -> None:
        product = start("separate").until_ready()
        token = product.sign_in("zhang")
        killed = _process(product, f"launcher serve {name} ")
        os.kill(killed, signal.SIGKILL)

        eventually(lambda: f"{name} has ended" in product.output and product.get("/ready").status_code == 200)
        assert _process(product, f"launcher serve {name} ") != killed
        assert is_signed_in(product, token)

    def test_stops_cleanly(self, start: Start) -> None:
        product = start("separate").until_ready()
        children = product.children()

        assert product.stop() == 0
        assert not any(is_running(process_id) for process_id in children)
        assert "ended unasked" not in product.output

    def test_kill_9_takes_the_children_along_and_the_next_start_recovers(
        self, start: Start, eventually: Eventually
    ) -> None:
        killed = start("separate").until_ready()
        token, children = killed.sign_in("zhang"), killed.children()
        killed.kill()

        eventually(lambda: not any(is_running(process_id) for process_id in children))
        assert is_signed_in(start("separate", port=killed.port).until_ready(), token)


def _process(product: Started, part: str) -> int:
    """The id of the only child whose command has this part."""
    [process_id] = [number for number, command in product.children().items() if part in command]
    return process_id
