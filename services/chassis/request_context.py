"""What log lines and problem answers know of the request at hand."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
