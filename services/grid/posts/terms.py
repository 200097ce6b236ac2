"""Terms of office, in days of China's calendar."""

from datetime import date

from models.grid import Post
from services.chassis import clock


def today() -> date:
    """The current day in China."""
    return clock.now().astimezone(clock.SHANGHAI).date()


def is_in_office(post: Post, day: date) -> bool:
    return post.valid_from <= day and (post.valid_to is None or day < post.valid_to)
