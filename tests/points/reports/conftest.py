"""Sealed books a test may tamper with."""

from tests.points.proof.conftest import sealed_books

__all__ = ["sealed_books"]
