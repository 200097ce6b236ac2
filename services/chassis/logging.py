"""Log lines as JSON on standard error: time, level, logger, message, request id. Never a name, a phone or a body."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from services.chassis.request_context import request_id


class JsonLines(logging.Formatter):
    """One JSON object a line. Exceptions show their type and where they passed, not their text: texts carry data.

    Of a message only the first line is kept: in the others asyncio shows what a task ended with.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().partition("\n")[0],
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__qualname__
            line["at"] = " < ".join(
                f"{f.name}:{f.lineno}" for f in reversed(traceback.extract_tb(error.__traceback__)[-6:])
            )
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: int = logging.INFO) -> None:
    """Once per process, before the server starts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx2").setLevel(logging.WARNING)
