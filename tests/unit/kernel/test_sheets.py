"""Tables read from CSV and XLSX, and written so that no cell becomes a formula."""

import io
import json
from decimal import Decimal

import pytest
import xlsxwriter

from hub.kernel import sheets
from hub.kernel.errors import InputRejected

EVIL = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


def xlsx(*rows):
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target)
    sheet = book.add_worksheet()
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            sheet.write(y, x, cell)
    book.close()
    return target.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_programs_here_write_it(encoding, delimiter):
    body = delimiter.join(["Замовлення", "ТТН"]) + "\r\n" + delimiter.join(["1001", "20450812345678"])
    assert sheets.read_rows(body.encode(encoding)) == [["Замовлення", "ТТН"], ["1001", "20450812345678"]]


def test_a_long_number_of_excel_keeps_all_its_digits():
    body = xlsx(["ТТН", "Сума"], [20450812345678, 12.5], ["0500100123456", None])
    assert sheets.read_rows(body) == [["ТТН", "Сума"], ["20450812345678", "12.5"], ["0500100123456", ""]]


@pytest.mark.parametrize("text", ["2.04508E+13", "2,04508E+13"])
def test_a_shortened_number_is_known(text):
    assert sheets.is_shortened(text)
    assert not sheets.is_shortened("20450812345678")


@pytest.mark.parametrize(
    "body", [b"PK\x03\x04 no archive", b'"never closed' + b"x" * 200_000, b"\x98" * 10 + b"\x00"]
)
def test_what_is_no_table_is_refused_in_words(body):
    with pytest.raises(InputRejected, match=r"save|CSV"):
        sheets.read_rows(body)


def test_too_large_a_file_is_refused():
    with pytest.raises(InputRejected, match="20 MiB"):
        sheets.read_rows(b"x" * (sheets.MAX_BYTES + 1))


@pytest.mark.parametrize("cell", EVIL)
def test_no_text_becomes_a_formula(cell):
    target = io.BytesIO()
    sheets.write_csv(target, ["name"], [[cell]])
    raw = target.getvalue().decode("utf-8-sig").split("\r\n", 1)[1].lstrip('"')
    assert raw.startswith("'")
    packed = io.BytesIO()
    sheets.write_xlsx(packed, ["name"], [[cell]])
    from zipfile import ZipFile

    sheet = ZipFile(io.BytesIO(packed.getvalue())).read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet


def test_numbers_stay_numbers_and_what_was_guarded_reads_back():
    target = io.BytesIO()
    rows: list[list[sheets.Cell]] = [["+380671234567", Decimal("-12.50"), "-5"], ["Olena", None, "=x"]]
    assert sheets.write_csv(target, ["a", "b", "c"], rows) == 2
    assert sheets.read_rows(target.getvalue())[1:] == [["+380671234567", "-12.50", "-5"], ["Olena", "", "=x"]]


def test_json_lines_hold_one_object_each():
    target = io.BytesIO()
    sheets.write_jsonl(target, ["name", "sum"], [["Олена", Decimal("1.50")], ["x", None]])
    assert [json.loads(line) for line in target.getvalue().splitlines()] == [
        {"name": "Олена", "sum": "1.50"},
        {"name": "x", "sum": None},
    ]
    assert list(sheets.read_jsonl(target.getvalue()))[1] == (2, {"name": "x", "sum": ""})
    with pytest.raises(InputRejected, match="line 1"):
        list(sheets.read_jsonl(b"[1]"))
