"""What request and response bodies have in common."""

import re
import unicodedata
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Body(BaseModel):
    """A request body: unknown fields are refused, NaN and Infinity too, texts are trimmed."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, str_strip_whitespace=True, use_attribute_docstrings=True
    )


class Answer(BaseModel):
    """A response body."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class ProblemAnswer(BaseModel):
    """RFC 9457 problem details. `code` is stable; `detail` is Chinese, or English by Accept-Language."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    request_id: str


def new_id() -> UUID:
    """A fresh UUIDv7: grows with time, so that rows of one time lie together."""
    return uuid_utils.compat.uuid7()


def is_storable(text: str) -> bool:
    """Postgres stores neither NUL nor lone surrogates; other control characters have no business in a text."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t" for character in text)


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("control characters are not allowed")
    return text


def text_of(length: int, *, least: int = 1) -> Any:
    """`Annotated` metadata of a text of `least`..`length` characters that Postgres can store."""
    return (StringConstraints(min_length=least, max_length=length, strip_whitespace=True), AfterValidator(_storable))


Name = Annotated[str, *text_of(60)]
Line = Annotated[str, *text_of(200)]
Paragraph = Annotated[str, *text_of(2000)]
Phone = Annotated[str, StringConstraints(pattern=r"^[0-9+][0-9-]{4,18}$")]


def _storable_moment(moment: datetime) -> datetime:
    if not 1900 <= moment.year <= 2200:
        raise ValueError("the year must lie between 1900 and 2200")
    return moment


def _spelled_out(moment: object) -> object:
    """Not a number of seconds, nor half a date: RFC 3339."""
    if isinstance(moment, datetime) or (isinstance(moment, str) and RFC_3339.fullmatch(moment)):
        return moment
    raise ValueError("must be an RFC 3339 time with an offset, e.g. 2026-03-16T09:00:00+08:00")


RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

Moment = Annotated[AwareDatetime, BeforeValidator(_spelled_out), AfterValidator(_storable_moment)]
"""RFC 3339 with an offset."""


def _spelled_out_day(day: object) -> object:
    """Not a number of seconds."""
    if isinstance(day, date) or (isinstance(day, str) and ISO_DAY.fullmatch(day)):
        return day
    raise ValueError("must be a day, e.g. 2026-03-16")


ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

CalendarDay = Annotated[date, BeforeValidator(_spelled_out_day, json_schema_input_type=date)]
"""As it is written: 2026-03-16."""

Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False, examples=[114.6904])]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False, examples=[23.7412])]
