"""Reading an .xlsx file back with nothing but the standard library: sheet by sheet, cell by cell."""

import io
import zipfile
from xml.etree import ElementTree as Xml

SPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def rows_of(content: bytes, sheet_number: int = 1) -> list[list[str]]:
    """The texts and numbers of every row, as texts; formulas would be seen by `has_formulas`."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        sheet = Xml.fromstring(file.read(f"xl/worksheets/sheet{sheet_number}.xml"))
        shared = _shared(file)
    return [
        [_text(cell, shared) for cell in row.findall("m:c", SPACE)] for row in sheet.findall("m:sheetData/m:row", SPACE)
    ]


def has_formulas(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return b"<f>" in file.read("xl/worksheets/sheet1.xml")


def _shared(file: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in file.namelist():
        return []
    strings = Xml.fromstring(file.read("xl/sharedStrings.xml"))
    return ["".join(part.itertext()) for part in strings.findall("m:si", SPACE)]


def _text(cell: Xml.Element, shared: list[str]) -> str:
    value = "".join(part.text or "" for part in cell.iter() if part.tag.endswith(("}v", "}t")))
    return shared[int(value)] if cell.get("t") == "s" else value
