"""Where the story is played: people who call the public API, and a line on the screen for each call."""

import time
import unicodedata
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2

from demo.personas import Persona

_COLUMNS = {"#": 3, "who": 8, "does": 50, "ms": 6}
"""Widths on the screen; what comes back stands last and is as long as it is."""


class StoryBroken(Exception):
    """The product did something else than the story says. The message says what."""


class Stage:
    """Prints what happens, and counts it."""

    def __init__(self, http: httpx2.Client) -> None:
        self.http = http
        self._steps = 0

    def tell(self, who: str, does: str, milliseconds: float, answer: str) -> None:
        """One line of the table; the first one brings the headings."""
        if self._steps == 0:
            print(_line("#", "who", "does", "ms", "answer"))
        self._steps += 1
        print(_line(str(self._steps), who, does, f"{milliseconds:6.1f}", answer), flush=True)


class Actor:
    """A persona with their token. Every call is one step of the story."""

    def __init__(self, persona: Persona, stage: Stage) -> None:
        self.persona = persona
        self._stage = stage
        self._token = ""

    def sign_in(self, does: str, method: str, body: dict[str, Any]) -> None:
        """`method` is the last part of `/v1/sign-in/…`."""
        answer = self.post(does, f"/v1/sign-in/{method}", body, tells=_signed_in)
        self._token = answer.json()["access_token"]

    def get(self, does: str, path: str, *, expected: int = 200, tells: "Telling | None" = None) -> httpx2.Response:
        return self._step(does, "GET", path, expected, tells)

    def post(
        self,
        does: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        expected: int = 200,
        key: str | None = None,
        photo: bytes | None = None,
        tells: "Telling | None" = None,
    ) -> httpx2.Response:
        """With a fresh idempotency key unless one is given. `photo` goes the way `wx.uploadFile` sends it."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        if photo is not None:
            files = {"file": ("photo.jpg", photo, "image/jpeg")}
            return self._step(does, "POST", path, expected, tells, headers=headers, files=files)
        return self._step(does, "POST", path, expected, tells, headers=headers, json=body or {})

    def look(self, path: str) -> Any:
        """The body of a GET that is no step of the story."""
        answer = self._stage.http.get(path, headers=self._authorization())
        if answer.status_code != httpx2.codes.OK:
            raise StoryBroken(f"GET {path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def _step(
        self, does: str, method: str, path: str, expected: int, tells: "Telling | None", **request: Any
    ) -> httpx2.Response:
        headers = {**self._authorization(), **request.pop("headers", {})}
        started = time.perf_counter()
        answer = self._stage.http.request(method, path, headers=headers, **request)
        milliseconds = (time.perf_counter() - started) * 1000
        as_expected = answer.status_code == expected
        told = tells(answer) if tells and as_expected else _problem(answer)
        self._stage.tell(self.persona.name, does, milliseconds, f"{answer.status_code} {told}".rstrip())
        if not as_expected:
            raise StoryBroken(f"{method} {path} should have answered {expected}: {answer.text}")
        return answer

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}


Telling = Callable[[httpx2.Response], str]
"""What the screen shows of an answer."""


def width(text: str) -> int:
    """Columns on the screen: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _line(number: str, who: str, does: str, milliseconds: str, answer: str) -> str:
    cells = zip((number, who, does, milliseconds), _COLUMNS.values(), strict=True)
    return "  ".join([*(cell + " " * (columns - width(cell)) for cell, columns in cells), answer])


def _problem(answer: httpx2.Response) -> str:
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        problem = answer.json()
        return f"{problem['code']}: {problem['detail']}"
    return ""


def _signed_in(answer: httpx2.Response) -> str:
    body = answer.json()
    return f"{body['account']['name']} · {body['tenant']['name']}"
