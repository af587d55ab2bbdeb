"""Files of a form: what they are is read from their bytes, never from their names or what the sender says of them.

Only listed kinds are taken, so that a program under the name of a picture is refused as what it is. Markup
(HTML, SVG, XML) and scripts are no "text" here: opened by a seller, they run. Office files are told from other
archives by the directory at their end, and those with macros are refused.

The first bytes of each kind are those of the public descriptions of the formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from hub.sdk import Attachment, DeliveryRejected
from plugins.web_form.multipart import Part

FileType = Literal["picture", "document", "text", "archive", "audio", "video"]

MAX_NAME = 150
_LOOKED_AT = 64 * 1024  # bytes of an archive's end, and of a text


class Sniffed(NamedTuple):
    """What a file is; `ending` is the usual one of its name."""

    type: FileType
    media_type: str
    ending: str


_STARTS: Final[tuple[tuple[bytes, Sniffed], ...]] = (
    (b"\xff\xd8\xff", Sniffed("picture", "image/jpeg", "jpg")),
    (b"\x89PNG\r\n\x1a\n", Sniffed("picture", "image/png", "png")),
    (b"GIF87a", Sniffed("picture", "image/gif", "gif")),
    (b"GIF89a", Sniffed("picture", "image/gif", "gif")),
    (b"II*\x00", Sniffed("picture", "image/tiff", "tif")),
    (b"MM\x00*", Sniffed("picture", "image/tiff", "tif")),
    (b"%PDF-", Sniffed("document", "application/pdf", "pdf")),
    (b"{\\rtf1", Sniffed("document", "application/rtf", "rtf")),
    (b"Rar!\x1a\x07", Sniffed("archive", "application/vnd.rar", "rar")),
    (b"7z\xbc\xaf\x27\x1c", Sniffed("archive", "application/x-7z-compressed", "7z")),
    (b"\x1f\x8b\x08", Sniffed("archive", "application/gzip", "gz")),
    (b"ID3", Sniffed("audio", "audio/mpeg", "mp3")),
    (b"\xff\xfb", Sniffed("audio", "audio/mpeg", "mp3")),
    (b"OggS", Sniffed("audio", "audio/ogg", "ogg")),
    (b"#!AMR", Sniffed("audio", "audio/amr", "amr")),
    (b"\x1a\x45\xdf\xa3", Sniffed("video", "video/webm", "webm")),
)
_RIFF: Final = {
    b"WEBP": Sniffed("picture", "image/webp", "webp"),
    b"WAVE": Sniffed("audio", "audio/wav", "wav"),
    b"AVI ": Sniffed("video", "video/x-msvideo", "avi"),
}
_BRANDS: Final = {
    **dict.fromkeys((b"heic", b"heix", b"mif1", b"msf1"), Sniffed("picture", "image/heic", "heic")),
    b"avif": Sniffed("picture", "image/avif", "avif"),
    b"M4A ": Sniffed("audio", "audio/mp4", "m4a"),
    b"qt  ": Sniffed("video", "video/quicktime", "mov"),
}
_OPEN_XML: Final = "application/vnd.openxmlformats-officedocument."
_ZIPPED: Final = (
    (b"word/document.xml", Sniffed("document", _OPEN_XML + "wordprocessingml.document", "docx")),
    (b"xl/workbook.xml", Sniffed("document", _OPEN_XML + "spreadsheetml.sheet", "xlsx")),
    (b"ppt/presentation.xml", Sniffed("document", _OPEN_XML + "presentationml.presentation", "pptx")),
)
_OPEN_DOCUMENT: Final = (
    (b"application/vnd.oasis.opendocument.text", "odt"),
    (b"application/vnd.oasis.opendocument.spreadsheet", "ods"),
    (b"application/vnd.oasis.opendocument.presentation", "odp"),
)
_COMPOUND: Final = (
    ("WordDocument", Sniffed("document", "application/msword", "doc")),
    ("Workbook", Sniffed("document", "application/vnd.ms-excel", "xls")),
    ("PowerPoint Document", Sniffed("document", "application/vnd.ms-powerpoint", "ppt")),
)
_RUNS: Final = (b"#!", b"MZ", b"@echo", b"<", b"\x7fELF")


def sniff(body: bytes) -> Sniffed | None:
    """What the bytes are; None for everything that is not listed, programs and markup among it."""
    for start, found in _STARTS:
        if body.startswith(start):
            return found
    if body.startswith(b"RIFF"):
        return _RIFF.get(body[8:12])
    if body[4:8] == b"ftyp":
        return _BRANDS.get(body[8:12], Sniffed("video", "video/mp4", "mp4"))
    if body.startswith(b"PK\x03\x04"):
        return _zip(body)
    if body.startswith(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    ):  # old Office; installers look the same from outside
        return next((found for name, found in _COMPOUND if name.encode("utf-16-le") in body), None)
    return _text(body)


def _zip(body: bytes) -> Sniffed | None:
    names = body[-_LOOKED_AT:]
    if b"vbaProject.bin" in names or b"META-INF/MANIFEST.MF" in names or b"AndroidManifest.xml" in names:
        return None
    for name, found in _ZIPPED:
        if name in names:
            return found
    for media_type, ending in _OPEN_DOCUMENT:
        if media_type in body[:200]:
            return Sniffed("document", media_type.decode(), ending)
    return Sniffed("archive", "application/zip", "zip")


def _text(body: bytes) -> Sniffed | None:
    start = body[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf")
    if b"\x00" in body or start.lstrip()[:8].lower().startswith(_RUNS_LOWER):
        return None
    if start.translate(None, _WRITTEN):
        return None
    return Sniffed("text", "text/plain", "txt")


_RUNS_LOWER = tuple(one.lower() for one in _RUNS)
_WRITTEN = bytes([9, 10, 12, 13, *range(32, 256)])


def attachments(
    parts: Sequence[Part], max_files: int, max_bytes: int, types: frozenset[str]
) -> tuple[Attachment, ...]:
    """The files of a form, each as what it is. A file of no bytes says nothing and is left out.

    raises  DeliveryRejected 422 `files` (too many), 413 `file_too_large`, 415 `file_type`
    """
    files = [part for part in parts if part.filename is not None and part.body]
    if len(files) > max_files:
        sentence = f"at most {max_files} files are taken at once" if max_files else "this form takes no files"
        raise DeliveryRejected("files", sentence, status=422)
    return tuple(_attachment(part, max_bytes, types) for part in files)


def _attachment(part: Part, max_bytes: int, types: frozenset[str]) -> Attachment:
    if len(part.body) > max_bytes:
        sentence = f"a file may have {max_bytes} bytes at most"
        raise DeliveryRejected("file_too_large", sentence, status=413)
    found = sniff(part.body)
    if found is None or found.type not in types:
        sentence = f"this kind of file is not taken, whatever its name says: send {', '.join(sorted(types))}"
        raise DeliveryRejected("file_type", sentence, status=415)
    name = (part.filename or "").strip() or f"file.{found.ending}"
    return Attachment(name=_shortened(name), media_type=found.media_type, size=len(part.body), body=part.body)


def _shortened(name: str) -> str:
    """The beginning and the ending, without characters that turn or hide a part of the name."""
    plain = "".join(c if c.isprintable() else "_" for c in name)
    if len(plain) <= MAX_NAME:
        return plain
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: MAX_NAME - 12]}.{ending[:10]}" if dot else plain[:MAX_NAME]
