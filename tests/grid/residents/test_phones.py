"""Masked phone numbers."""

import pytest

from services.grid.residents.phones import masked


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("13800138000", "138****8000"),
        ("0762-3388001", "076*****8001"),
        ("+8613800138000", "+86*******8000"),
        ("123456789", "123**6789"),
        ("12345678", "1******8"),
        ("12345", "1***5"),
        (None, None),
    ],
)
def test_masked(phone: str | None, shown: str | None) -> None:
    assert masked(phone) == shown
