"""A picture for races about evidence."""

import pytest

from tests.orders.conftest import draw


@pytest.fixture
def photo() -> bytes:
    return draw()
