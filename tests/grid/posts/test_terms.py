"""Days of office."""

from datetime import date, datetime

import pytest

from models.grid import Post
from services.chassis import clock
from services.grid.posts.terms import is_in_office, today


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-15T15:59:59+00:00", date(2026, 3, 15)),
        ("2026-03-15T16:00:00+00:00", date(2026, 3, 16)),
        ("2028-02-28T16:00:00+00:00", date(2028, 2, 29)),
    ],
)
def test_today_is_the_day_in_china(moment: str, day: date) -> None:
    with clock.shifted(datetime.fromisoformat(moment) - clock.now()):
        assert today() == day


@pytest.mark.parametrize(
    ("valid_to", "day", "is_in"),
    [
        (None, date(2026, 1, 1), True),
        (None, date(2025, 12, 31), False),
        (date(2026, 3, 1), date(2026, 2, 28), True),
        (date(2026, 3, 1), date(2026, 3, 1), False),
        (date(2026, 1, 1), date(2026, 1, 1), False),
    ],
)
def test_a_term_holds_from_its_first_day_to_the_day_before_its_end(
    valid_to: date | None, day: date, *, is_in: bool
) -> None:
    assert is_in_office(Post(valid_from=date(2026, 1, 1), valid_to=valid_to), day) is is_in
