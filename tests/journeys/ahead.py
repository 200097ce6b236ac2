"""`python -m tests.journeys.ahead serve …`: a process of the product that lives by a clock of the tests.

The product itself has no such switch: its processes know no time but the real one.
"""

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from mmap import mmap
from pathlib import Path
from typing import Self
from unittest.mock import patch

from launcher.__main__ import main
from services.chassis import clock

PROGRAM = "tests.journeys.ahead"
CLOCK_FILE = "LINLI_TESTS_CLOCK"


class SharedClock:
    """One clock for several processes. How far it runs ahead stands in a file that all of them have mapped."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._seconds_ahead = mmap(file.fileno(), 8)

    @classmethod
    def made(cls, path: Path, moment: datetime) -> Self:
        path.write_bytes(bytes(8))
        made = cls(path)
        made.go_to(moment)
        return made

    def now(self) -> datetime:
        (seconds,) = struct.unpack("d", self._seconds_ahead)
        return datetime.now(UTC) + timedelta(seconds=seconds)

    def go_to(self, moment: datetime) -> None:
        """In every process at once."""
        self._seconds_ahead[:] = struct.pack("d", (moment - datetime.now(UTC)).total_seconds())

    @contextmanager
    def kept(self) -> Iterator[None]:
        """This process lives by it, too."""
        with patch.object(clock, "now", self.now):
            yield


if __name__ == "__main__":
    with SharedClock(Path(os.environ[CLOCK_FILE])).kept():
        sys.exit(main(sys.argv[1], sys.argv[2:]))
