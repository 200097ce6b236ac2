"""Log lines tell operators what happened, never who it was: no names, phones, bodies, no texts of exceptions."""

import ast
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.folders import PROJECT
from services.chassis.logging import JsonLines
from services.chassis.request_context import request_id

DATA = "张德明 13800138000"


def line_of(error: BaseException | None = None, message: str = "unforeseen error in %s", *arguments: Any) -> str:
    exc_info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("linli", logging.ERROR, "x.py", 1, message, arguments or ("GET",), exc_info)
    return JsonLines().format(record)


def raised(error: Exception) -> Exception:
    """With a traceback, and another exception behind it."""
    try:
        try:
            raise KeyError(DATA)
        except KeyError as cause:
            raise error from cause
    except type(error) as caught:
        return caught


class TestLines:
    def test_are_one_json_object_each(self) -> None:
        line = line_of(None, "stored\nforged line %s", "a\nb")
        assert "\n" not in line
        assert json.loads(line).keys() == {"time", "level", "logger", "message"}

    def test_carry_the_request_id(self) -> None:
        token = request_id.set("abc")
        try:
            assert json.loads(line_of())["request_id"] == "abc"
        finally:
            request_id.reset(token)
        assert "request_id" not in json.loads(line_of())

    def test_show_an_exception_without_its_text(self) -> None:
        """Its type and the functions it passed through are enough to find it."""
        line = json.loads(line_of(raised(ValueError(DATA))))
        assert DATA not in json.dumps(line, ensure_ascii=False)
        assert line["error"] == "ValueError"
        assert line["at"].startswith("raised:")

    def test_show_only_the_first_line_of_a_message(self) -> None:
        """asyncio adds what a task ended with: `exception=ValueError('…')`."""
        line = line_of(None, "Task exception was never retrieved\nfuture: <Task exception=ValueError(%r)>", DATA)
        assert json.loads(line)["message"] == "Task exception was never retrieved"
        assert DATA not in line

    def test_survive_half_a_character(self) -> None:
        line = line_of(None, "odd %s", json.loads(r'"\ud800"'))
        assert json.loads(line)["message"].startswith("odd ")


PROGRAM = f"""
import asyncio, gc, logging
from services.chassis.logging import configure_logging

configure_logging()

async def fail():
    raise ValueError("{DATA}")

async def main():
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()

asyncio.run(main())
try:
    raise ValueError("{DATA}")
except ValueError:
    logging.getLogger("services.orders").exception("it broke")
logging.getLogger("uvicorn.access").warning("GET /v1/orders?phone=13800138000")
logging.getLogger("httpx2").info("GET https://api.weixin.qq.com/?secret=13800138000")
"""


def test_a_process_logs_no_data() -> None:
    """All of it together, as it comes out of a real process: JSON lines on standard error, nothing on the other."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [(line["logger"], line["error"]) for line in lines] == [
        ("asyncio", "ValueError"),
        ("services.orders", "ValueError"),
    ]
    assert ended.stdout == ""
    assert "张德明" not in ended.stderr
    assert "13800138000" not in ended.stderr


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Every `logger.warning(...)` of the services and the gateway."""
    for folder in ("api", "services"):
        for path in sorted(Path(PROJECT, folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
                    yield f"{path.relative_to(PROJECT)}:{node.lineno}", node


def test_no_line_is_given_an_exception_to_print() -> None:
    """`%s` of an exception prints its text; `type(error).__name__` does not."""
    calls = list(log_calls())
    assert len(calls) > 5
    offenders = [
        place
        for place, call in calls
        for argument in call.args
        if isinstance(argument, ast.Name) and argument.id in {"error", "exception", "exc", "e"}
    ]
    assert offenders == []


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_levels_are_lower_case_words(level: str) -> None:
    record = logging.LogRecord("linli", getattr(logging, level), "x.py", 1, "x", (), None)
    assert json.loads(JsonLines().format(record))["level"] == level.lower()
