"""Books to export: the fixtures of the points service."""

from tests.points.conftest import points_settings, quiet_books

__all__ = ["points_settings", "quiet_books"]
