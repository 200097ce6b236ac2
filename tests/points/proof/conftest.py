"""Books with a history, sealed, in a database of their own."""

import pytest

from tests.points.books import Books
from tests.points.proof.histories import live, sealed


@pytest.fixture
async def sealed_books(spoilt_books: Books) -> Books:
    """Nobody works on them, and nobody asks whether they are sound in the end: a test may tamper with them."""
    await live(spoilt_books)
    assert await sealed(spoilt_books) > 10
    return spoilt_books
