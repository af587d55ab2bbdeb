"""Tables as people exchange them: CSV and XLSX read into rows of text, rows written as CSV, XLSX and JSON lines.

What is read is text in the end: Excel keeps long numbers as floating point, so a whole number loses its ".0"
here, and a number that a program has shortened to 2.04508E+13 stays as it is for the caller to refuse. What is
written cannot become a formula: in CSV a text that a spreadsheet would run gets an apostrophe before it (and
loses it again when it is read), in XLSX texts are written as texts.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

from hub.kernel.errors import InputRejected

if TYPE_CHECKING:
    from _csv import Writer

MAX_BYTES = 20 * 1024 * 1024
MAX_UNPACKED = 300 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 60
MAX_CELL = 10_000
FORMATS = ("csv", "xlsx", "jsonl")
MEDIA_TYPE = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/jsonl",
}
_RUNS = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"-?\d{1,15}(?:[.,]\d{1,6})?", re.ASCII)
_SHORTENED = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE | re.ASCII)
_ZIP = b"PK\x03\x04"

Cell = str | int | float | Decimal | None


# --- reading -----------------------------------------------------------------------------------------------


def read_rows(body: bytes) -> list[list[str]]:
    """All rows of a CSV file or of the first sheet of an XLSX file, empty ones too. Raises InputRejected."""
    if len(body) > MAX_BYTES:
        raise InputRejected(f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB: cut it into parts")
    rows = _read_xlsx(body) if body.startswith(_ZIP) else _read_csv(body)
    if len(rows) > MAX_ROWS:
        raise InputRejected(f"the file has more than {MAX_ROWS} rows: cut it into parts")
    return rows


def is_shortened(text: str) -> bool:
    """Has a spreadsheet rounded this number (2.04508E+13)? Then nobody can tell which it was."""
    return _SHORTENED.fullmatch(text.strip()) is not None


def _read_csv(body: bytes) -> list[list[str]]:
    text = _decoded(body)
    head = text[:20_000]
    delimiter = max(";,\t", key=lambda one: (head.count(one), -";,\t".index(one)))
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows.append([_unguarded(cell.strip()[:MAX_CELL]) for cell in row[:MAX_COLUMNS]])
            if len(rows) > MAX_ROWS:
                break
    except csv.Error as error:
        raise InputRejected(
            "this is no CSV file: a cell is too long, or a quotation mark is not closed"
        ) from error
    return rows


def _decoded(body: bytes) -> str:
    """UTF-8 as programs write it, else the code page that Excel writes here."""
    for encoding in ("utf-8-sig", "cp1251"):
        try:
            return body.decode(encoding).replace("\x00", "")
        except UnicodeDecodeError:
            continue
    raise InputRejected("this file cannot be read: save it as CSV UTF-8 or as XLSX")


def _read_xlsx(body: bytes) -> list[list[str]]:
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 - few commands read tables

    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            if sum(one.file_size for one in packed.infolist()) > MAX_UNPACKED:
                raise InputRejected("this file unpacks to too much: save the sheet as CSV")
        book = CalamineWorkbook.from_filelike(io.BytesIO(body))
        sheet = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, zipfile.BadZipFile, ValueError, OSError) as error:
        raise InputRejected("this is no XLSX file that can be read: save it again, or as CSV") from error
    return [[_as_text(cell) for cell in row[:MAX_COLUMNS]] for row in sheet[: MAX_ROWS + 1]]


def _as_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime) and (cell.hour, cell.minute, cell.second) == (0, 0, 0):
        return cell.date().isoformat()
    if isinstance(cell, (date, datetime)):
        return cell.isoformat()
    return str(cell).strip()[:MAX_CELL].replace("\x00", "")


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:2] in _RUNS else cell


# --- writing -----------------------------------------------------------------------------------------------


def guarded(cell: Cell) -> Cell:
    """A cell of CSV that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(cell, str) or not cell.startswith(_RUNS) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def write_csv(target: IO[bytes], head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """UTF-8 with the mark that Excel asks for. The number of rows."""
    text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=True)
    writer: Writer = csv.writer(text)
    writer.writerow(head)
    count = 0
    for row in rows:
        writer.writerow([guarded(cell) for cell in row])
        count += 1
    text.flush()
    text.detach()
    return count


def write_xlsx(target: IO[bytes], head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """One sheet, the first row stays in sight; rows leave memory as they are written."""
    import xlsxwriter  # noqa: PLC0415 - few commands write tables

    book = xlsxwriter.Workbook(
        target, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True})
    for at, title in enumerate(head):
        sheet.write_string(0, at, title, bold)
        sheet.set_column(at, at, 18)
    sheet.freeze_panes(1, 0)
    count = 0
    for row in rows:
        count += 1
        for at, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(count, at, cell[:32_000])
            elif cell is not None:
                sheet.write_number(count, at, float(cell))
    book.close()
    return count


def write_jsonl(target: IO[bytes], head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """One object a line."""
    count = 0
    for row in rows:
        shown = {k: str(v) if isinstance(v, Decimal) else v for k, v in zip(head, row, strict=True)}
        target.write(json.dumps(shown, ensure_ascii=False).encode() + b"\n")
        count += 1
    return count


WRITERS = {"csv": write_csv, "xlsx": write_xlsx, "jsonl": write_jsonl}


def read_jsonl(body: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, object) of JSON lines, values as text. Raises InputRejected naming the line."""
    for number, line in enumerate(body.decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError as error:
            raise InputRejected(f"line {number} is no JSON object") from error
        if not isinstance(found, dict):
            raise InputRejected(f"line {number} is no JSON object")
        yield number, {str(k): "" if v is None else str(v) for k, v in found.items()}
