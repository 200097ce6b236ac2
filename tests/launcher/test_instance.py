"""One running product per data folder, one program per port."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.instance import only_instance, port_from_environment, reserved_port, running_instance
from launcher.terminal import CannotStart


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_second_start_says_who_runs_where(home: Path) -> None:
    with (
        only_instance(home, url="http://127.0.0.1:8000"),
        pytest.raises(CannotStart) as refused,
        only_instance(home, url="http://127.0.0.1:8001"),
    ):
        pass

    assert str(refused.value) == f"Linli is already running here (pid {os.getpid()}, http://127.0.0.1:8000)."


def test_others_learn_what_the_running_one_noted(home: Path) -> None:
    assert running_instance(home) == {}
    with only_instance(home, url="http://127.0.0.1:8000") as instance:
        instance.note(wechat_url="http://127.0.0.1:8001")
        noted = running_instance(home)

    assert noted == {
        "process_id": str(os.getpid()),
        "url": "http://127.0.0.1:8000",
        "wechat_url": "http://127.0.0.1:8001",
    }
    assert running_instance(home) == {}


def test_the_next_start_is_free_after_the_first_ended(home: Path) -> None:
    for _ in range(2):
        with only_instance(home, url="http://127.0.0.1:8000"):
            pass


def test_a_taken_port_is_said_in_one_sentence(taken_port: int) -> None:
    with pytest.raises(CannotStart) as refused, reserved_port("127.0.0.1", taken_port):
        pass

    expected = f"Port {taken_port} is taken by another program; choose one with PORT={taken_port + 1} make run."
    assert str(refused.value) == expected


def test_an_address_that_is_not_ours_is_said(taken_port: int) -> None:
    with pytest.raises(CannotStart, match=r"Cannot listen on 192\.0\.2\.1"), reserved_port("192.0.2.1", taken_port):
        pass


def test_a_reserved_port_does_not_listen_yet() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with reserved_port("127.0.0.1", port), pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


@pytest.mark.parametrize(("text", "port"), [("", 8000), ("1", 1), ("65535", 65535)])
def test_the_port_is_read(text: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", text)

    assert port_from_environment() == port


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8e3", "８０００", "abc"])
def test_a_port_that_makes_no_sense_is_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", text)

    with pytest.raises(CannotStart, match=f"PORT must be a number from 1 to 65535, and it is '{text}'"):
        port_from_environment()
