"""A report as a table, and the forms it leaves in: JSON Lines for programs, .xlsx with Chinese headings for people."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import IO, Any, NamedTuple

import msgspec
import xlsxwriter  # type: ignore[import-untyped]
from fastapi import Response

from services.chassis.clock import SHANGHAI
from services.chassis.snapshots import streamed

JSON_LINES = "application/jsonl"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHUNK_BYTES = 64 * 1024
MOST_ROWS = 1_048_575
"""What a sheet holds beside its headings; a longer table goes on in the next sheet."""
FORMULA_STARTS = ("=", "+", "-", "@")


class FileFormat(StrEnum):
    """How a whole report is sent."""

    JSONL = "jsonl"
    XLSX = "xlsx"


class ReportFormat(StrEnum):
    """A page or a summary as JSON, or the whole report as a file."""

    JSON = "json"
    JSONL = "jsonl"
    XLSX = "xlsx"


class Column(NamedTuple):
    key: str
    heading: str
    width: int = 14
    words: Mapping[str, str] = {}
    """What the sheet says for a code."""


@dataclass
class Table:
    """`rows` by the keys of the columns; more keys go into JSON Lines only. Numbers, texts, times and None."""

    name: str
    """Of the file, without its ending."""
    title: str
    columns: Sequence[Column]
    rows: AsyncIterator[Mapping[str, Any]]


async def as_file(table: Table, form: FileFormat | ReportFormat) -> Response:
    """The whole table. Memory stays bounded, however long it is, and its rows are read before the first byte is sent:
    a slow client holds nothing up.
    """
    if form == "xlsx":
        return await streamed(_spooled(table, _write_sheet), media_type=XLSX, filename=f"{table.name}.xlsx")
    return await streamed(_spooled(table, _write_lines), media_type=JSON_LINES, filename=f"{table.name}.jsonl")


async def _spooled(table: Table, write: Callable[[Table, IO[bytes]], Awaitable[None]]) -> AsyncIterator[bytes]:
    with tempfile.TemporaryFile() as file:
        await write(table, file)
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


async def _write_lines(table: Table, file: IO[bytes]) -> None:
    async with aclosing(table.rows) as rows:  # type: ignore[type-var]
        async for row in rows:
            file.write(msgspec.json.encode(dict(row), enc_hook=str) + b"\n")


async def _write_sheet(table: Table, file: IO[bytes]) -> None:
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as workbook:
        formats = _Formats(workbook)
        sheet = _begun_sheet(workbook, table, table.title, formats)
        number = 0
        async with aclosing(table.rows) as rows:  # type: ignore[type-var]
            async for row in rows:
                if number and number % MOST_ROWS == 0:
                    sheet = _begun_sheet(workbook, table, f"{table.title} {number // MOST_ROWS + 1}", formats)
                for place, column in enumerate(table.columns):
                    value = row[column.key]
                    _write_cell(sheet, number % MOST_ROWS + 1, place, column.words.get(value, value), formats)
                number += 1


def _begun_sheet(workbook: Any, table: Table, title: str, formats: "_Formats") -> Any:
    sheet = workbook.add_worksheet(title)
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.heading, formats.heading)
    return sheet


class _Formats:
    def __init__(self, workbook: Any) -> None:
        self.heading = workbook.add_format({"bold": True, "bottom": 1})
        self.moment = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self.day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self.text = workbook.add_format({"quote_prefix": True})


def _write_cell(sheet: Any, row: int, place: int, value: Any, formats: _Formats) -> None:
    """Texts stay texts, whatever they begin with: nothing a person typed becomes a formula or a link."""
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_string(row, place, "是" if value else "否")
    elif isinstance(value, int):
        sheet.write_number(row, place, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, place, value.astimezone(SHANGHAI).replace(tzinfo=None), formats.moment)
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, formats.day)
    else:
        text = str(value)
        sheet.write_string(row, place, text, formats.text if text.startswith(FORMULA_STARTS) else None)
