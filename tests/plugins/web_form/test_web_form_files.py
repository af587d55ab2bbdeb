"""files.py: what a file is stands in its bytes; limits of number, size and kind."""

import pytest

from hub.sdk import DeliveryRejected
from plugins.web_form.files import attachments, sniff
from plugins.web_form.multipart import Part
from tests.plugins.web_form.made import JPEG, PDF, PNG, PROGRAM, zipped

TYPES = frozenset({"picture", "document", "text"})
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500


@pytest.mark.parametrize(
    ("body", "kind", "media_type"),
    [
        (PNG, "picture", "image/png"),
        (JPEG, "picture", "image/jpeg"),
        (b"GIF89a" + b"\x00" * 10, "picture", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "picture", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic\x00", "picture", "image/heic"),
        (PDF, "document", "application/pdf"),
        (zipped("[Content_Types].xml", "word/document.xml"), "document",
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "document",
         "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (OLE + "Workbook".encode("utf-16-le"), "document", "application/vnd.ms-excel"),
        ("Прайс: чоботи 42, дві пари\r\n".encode(), "text", "text/plain"),
        ("Прайс".encode("cp1251"), "text", "text/plain"),
        (zipped("photo.jpg"), "archive", "application/zip"),
        (b"\x00\x00\x00\x18ftypisom\x00", "video", "video/mp4"),
        (b"OggS\x00", "audio", "audio/ogg"),
    ],
)  # fmt: skip
def test_files_are_told_by_their_content(body, kind, media_type):
    found = sniff(body)
    assert found is not None
    assert (found.type, found.media_type) == (kind, media_type)


@pytest.mark.parametrize(
    "body",
    [
        PROGRAM,
        b"\x7fELF\x02\x01",
        b"#!/bin/sh\nrm -rf /",
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"  <svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"\xef\xbb\xbf<?xml version='1.0'?>",
        b"@echo off\r\n",
        OLE,  # an installer
        zipped("META-INF/MANIFEST.MF", "Main.class"),
        zipped("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
        b"\x00\x01\x02",
        b"text with a bell \x07",
    ],
)
def test_programs_markup_and_macros_are_nothing_that_is_taken(body):
    assert sniff(body) is None


def files(*bodies: bytes, name: str = "a.png"):
    return [Part("files", name, body) for body in bodies]


def refused(parts, count: int = 5, size: int = 1_000, types: frozenset[str] = TYPES) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as caught:
        attachments(parts, count, size, types)
    return caught.value


def test_limits_of_number_size_and_kind_are_clear_4xx():
    many = refused(files(PNG, PNG, PNG), count=2)
    assert (many.reason, many.status, many.message) == ("files", 422, "at most 2 files are taken at once")
    assert refused(files(PNG), count=0).message == "this form takes no files"
    large = refused(files(PNG), size=20)
    assert (large.reason, large.status) == ("file_too_large", 413)
    wrong = refused(files(PROGRAM))
    assert (wrong.reason, wrong.status) == ("file_type", 415)
    assert "document, picture, text" in wrong.message
    assert refused(files(zipped("a.jpg"), name="a.docx")).reason == "file_type"


def test_a_file_keeps_its_name_and_gets_its_true_type():
    (file,) = attachments(files(PDF, name="рахунок.exe"), 5, 1_000, TYPES)
    assert (file.name, file.media_type, file.size, file.body) == (
        "рахунок.exe",
        "application/pdf",
        len(PDF),
        PDF,
    )


def test_names_are_bounded_and_hide_nothing():
    (file,) = attachments(files(PNG, name="фото\u202egpj." + "x" * 300 + ".png"), 5, 1_000, TYPES)
    assert "\u202e" not in file.name
    assert len(file.name) <= 150
    assert file.name.endswith(".png")
    (nameless,) = attachments(files(PNG, name="  "), 5, 1_000, TYPES)
    assert nameless.name == "file.png"


def test_inputs_in_which_nothing_was_chosen_are_no_files():
    assert (
        attachments(
            [Part("files", "", b""), Part("files", "empty.txt", b""), Part("name", None, b"I")], 0, 1, TYPES
        )
        == ()
    )
