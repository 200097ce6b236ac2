"""The time of day. Everything asks here, so that tests can move it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")

_shift = timedelta()


def now() -> datetime:
    """The current moment, in UTC."""
    return datetime.now(UTC) + _shift


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Tests only: let the clock of this process run ahead (or behind) by `by`."""
    global _shift  # noqa: PLW0603 (the one clock of the process)
    before, _shift = _shift, _shift + by
    try:
        yield
    finally:
        _shift = before
