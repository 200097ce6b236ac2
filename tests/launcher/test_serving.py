"""What a process does with those who ask it to stop."""

import signal
import subprocess
import sys

import pytest

from launcher.folders import PROJECT

PROGRAM = """
import signal
from launcher.serving import stop_by_keyboard_interrupt, stopping_later
stop_by_keyboard_interrupt()
try:
    with stopping_later():
        signal.raise_signal(signal.{kind})
        signal.raise_signal(signal.{kind})
        print("done", flush=True)
    print("not heard")
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_must_not_be_interrupted_is_done_first(kind: str) -> None:
    """Then whoever asked is heard, once."""
    assert hasattr(signal, kind)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(kind=kind)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["done", "heard"]
