"""What a password and a user name have to be before anybody can have them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from services.chassis.errors import Problem
from services.chassis.settings import DEMO_PREFIX

SHORTEST = 10
LEAST_DIFFERENT = 5
PRODUCT = "linli"
"""Nobody's password contains it: it is what anybody would try first, and the published one of the demo does too."""

NewUsername = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9._-]{2,63}$"),
    Field(description="Lower-case letters, digits, `.`, `_` and `-`; one of its own across all districts."),
]


class PasswordTooWeak(Problem):
    status = 422
    code = "password_too_weak"
    zh = "密码至少 10 个字符，其中至少 5 个不同字符，且不得包含用户名或“linli”。"
    en = "A password needs at least 10 characters, 5 different ones, and contains neither the user name nor `linli`."


class PasswordUnchanged(Problem):
    status = 422
    code = "password_unchanged"
    zh = "新密码不能与原密码相同。"
    en = "The new password has to differ from the old one."


class UsernameOfDemo(Problem):
    status = 422
    code = "username_of_demo"
    zh = "以“demo-”开头的用户名仅供演示使用。"
    en = "User names that begin with `demo-` are those of the demo."


def refuse_weak(password: str, *, username: str) -> None:
    """Raises PasswordTooWeak."""
    folded = password.casefold()
    is_guessable = username.casefold() in folded or PRODUCT in folded
    if len(password) < SHORTEST or len(set(password)) < LEAST_DIFFERENT or is_guessable:
        raise PasswordTooWeak


def refuse_demo_username(username: str) -> None:
    """Raises UsernameOfDemo."""
    if username.startswith(DEMO_PREFIX):
        raise UsernameOfDemo
