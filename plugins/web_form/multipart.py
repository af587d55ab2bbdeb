"""multipart/form-data (RFC 7578) as browsers and form builders send it -> its parts.

Everything is bounded before it is looked at: parts, the head of a part, parameters of a header. The body is cut at
its delimiters in one pass; a body without its closing delimiter was cut off on the way and is refused, so that
nobody is told that a half of his files has arrived.

Kept in mind: browsers write a quote inside a name as %22 and do not escape backslashes; old ones send a whole path
as the file's name; hand-written clients end lines with a bare LF, or encode a part in base64.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

from hub.sdk import DeliveryRejected

MULTIPART = "multipart/form-data"
MAX_PARTS = 300
MAX_HEAD = 8_192  # bytes of one part's headers
MAX_PARAMETERS = 12
MAX_BOUNDARY = 200  # RFC 2046 says 70


class Part(NamedTuple):
    """One part. `filename` is None for a plain field, "" for a file input in which nothing was chosen."""

    name: str
    filename: str | None
    body: bytes


def read_multipart(body: bytes, content_type: str) -> list[Part]:
    """The parts in their order.

    content_type  the whole header, with its boundary
    raises        DeliveryRejected 400 `unreadable`, 422 `fields` (too many parts)
    """
    delimiter = b"--" + _boundary(content_type)
    start = body.find(delimiter)
    if start < 0:
        raise _broken("its boundary does not stand in the body")
    end = start + len(delimiter)
    newline = b"\n" if body[end : end + 1] == b"\n" else b"\r\n"
    pieces = (newline + body[start:]).split(newline + delimiter, MAX_PARTS + 2)
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        if len(parts) == MAX_PARTS:
            raise DeliveryRejected("fields", f"too many parts: at most {MAX_PARTS} are taken", status=422)
        parts.append(_part(piece, newline))
    raise _broken("it ends before its last boundary: send it again")


def digest_of(parts: Sequence[Part]) -> bytes:
    """What two posts of the same form have in common: a browser draws a new boundary each time."""
    whole = hashlib.sha256()
    for part in parts:
        for piece in (
            part.name.encode("utf-8", "surrogatepass"),
            (part.filename or "").encode("utf-8", "surrogatepass"),
        ):
            whole.update(len(piece).to_bytes(8, "big") + piece)
        whole.update(len(part.body).to_bytes(8, "big"))
        whole.update(part.body)
    return whole.digest()


def _broken(why: str) -> DeliveryRejected:
    return DeliveryRejected("unreadable", f"the multipart body cannot be read: {why}", status=400)


def _boundary(content_type: str) -> bytes:
    boundary = _parameters(content_type[:MAX_HEAD]).get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY or not boundary.isascii() or not boundary.isprintable():
        raise _broken("Content-Type names no boundary")
    return boundary.encode()


def _part(piece: bytes, newline: bytes) -> Part:
    head, blank, content = piece[:MAX_HEAD].partition(newline * 2)
    if not blank:
        raise _broken("a part has no end of its headers, or too many of them")
    if head.lstrip(b" \t")[: len(newline)] != newline:
        raise _broken("a boundary stands inside a line")
    content = piece[len(head) + len(newline) * 2 :]
    disposition, encoding = "", ""
    for line in head.split(newline):
        name, _, value = line.partition(b":")
        match name.strip().lower():
            case b"content-disposition":
                disposition = text_of(value)
            case b"content-transfer-encoding":
                encoding = text_of(value).strip().lower()
    if disposition.partition(";")[0].strip().lower() != "form-data":
        raise _broken("a part has no Content-Disposition: form-data")
    parameters = _parameters(disposition)
    if not parameters.get("name"):
        raise _broken("a part has no name")
    return Part(parameters["name"], _filename(parameters), _decoded(content, encoding))


def _decoded(content: bytes, encoding: str) -> bytes:
    if encoding in {"", "7bit", "8bit", "binary"}:
        return content
    if encoding != "base64":
        raise _broken("a part has an encoding that is not taken; send it as it is")
    try:
        return binascii.a2b_base64(content)
    except binascii.Error as error:
        raise _broken("a part is no base64") from error


def _filename(parameters: dict[str, str]) -> str | None:
    told = parameters.get("filename*")
    if told is not None and told.count("'") >= 2:
        charset, _, encoded = told.split("'", 2)
        name: str | None = unquote(
            encoded, "cp1251" if charset.lower() in {"windows-1251", "cp1251"} else "utf-8"
        )
    else:
        name = parameters.get("filename")
    return name.replace("\\", "/").rpartition("/")[2] if name is not None else None


def _parameters(header: str) -> dict[str, str]:
    """The parameters of a header by their names in lower case; quoted ones may hold any character."""
    found: dict[str, str] = {}
    rest = header.partition(";")[2]
    for _ in range(MAX_PARAMETERS):
        name, equals, rest = rest.partition("=")
        if not equals:
            break
        rest = rest.lstrip()
        if rest.startswith('"'):
            end = _closing_quote(rest)
            value = rest[1:end].replace('\\"', '"')
            rest = rest[end + 1 :].partition(";")[2]
        else:
            value, _, rest = rest.partition(";")
            value = value.strip()
        found.setdefault(name.strip().lower(), _unescaped(value))
    return found


def _closing_quote(text: str) -> int:
    end = text.find('"', 1)
    while end > 0 and text[end - 1] == "\\" and text.find('"', end + 1) > 0:
        end = text.find('"', end + 1)
    if end < 0:
        raise _broken("a quote is not closed")
    return end


def _unescaped(value: str) -> str:
    """Browsers escape a quote and line ends, and no other percent sign; some clients every letter beyond ASCII."""
    if "%" not in value:
        return value
    value = value.replace("%22", '"').replace("%0D%0A", " ").replace("%0D", " ").replace("%0A", " ")
    try:
        whole = unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value
    return value if whole.isascii() else whole


def text_of(content: bytes) -> str:
    """UTF-8, else windows-1251 of old sites; what the part says about its charset is not believed."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1251", "replace")
