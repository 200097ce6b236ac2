"""One clock for the whole process, which tests can move."""

from datetime import UTC, timedelta

import pytest

from services.chassis import clock


def test_now_is_in_utc() -> None:
    assert clock.now().tzinfo is UTC


def test_shifts_add_up_and_end() -> None:
    before = clock.now()
    with clock.shifted(timedelta(hours=1)):
        with clock.shifted(timedelta(hours=-3)):
            assert timedelta(hours=-3) < clock.now() - before < timedelta(hours=-1)
        assert timedelta(hours=1) <= clock.now() - before < timedelta(hours=2)
    assert timedelta() <= clock.now() - before < timedelta(hours=1)


def test_a_shift_ends_when_something_goes_wrong_inside() -> None:
    """Else every later test of the process would live in another time."""

    def fail() -> None:
        with clock.shifted(timedelta(hours=1)):
            raise ZeroDivisionError

    before = clock.now()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert clock.now() - before < timedelta(hours=1)
