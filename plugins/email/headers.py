"""The header block of a message or a part: tolerant of everything, raising on nothing, bounded everywhere.

The standard library's `policy.default` raises on hostile headers, and loses raw 8-bit ones, so this reads them itself:
raw bytes are kept, and each value is decoded when it is asked for.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from hub.sdk import parse_email
from plugins.email import charsets

MAX_BLOCK = 256 * 1024
MAX_HEADERS = 1_000
MAX_VALUE = 16 * 1024
MAX_ADDRESSES = 100
MAX_IDS = 100
MAX_ID = 200

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_ID = re.compile(r"<([^<>]{1,990})>")
_FIRST = itemgetter(slice(0, 1))
_SPACES = re.compile(r"\s+")
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)


@dataclass(slots=True)
class Headers:
    """Names in lower case with their raw values, in order; `charset` is the hint for raw 8-bit values."""

    items: list[tuple[str, bytes]]
    charset: str = ""
    _by_name: dict[str, list[bytes]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name, value in self.items:
            self._by_name.setdefault(name, []).append(value)

    def values(self, name: str) -> Sequence[bytes]:
        """Every value, unfolded."""
        return self._by_name.get(name, ())

    def raw(self, name: str) -> bytes:
        """The first value, unfolded; b"" where there is none."""
        return next(iter(self.values(name)), b"")

    def all(self, name: str) -> list[str]:
        """Every value, decoded."""
        return [self._text(value) for value in self.values(name)]

    def text(self, name: str) -> str:
        """The first value that says something, as text on one line."""
        return next((text for text in self.all(name) if text), "")

    def structured(self, name: str) -> str:
        """As it stands, 8-bit bytes decoded but encoded words left alone: for what is split before it is decoded."""
        return charsets.decode(self.raw(name)[:MAX_VALUE], self.charset)

    def has(self, name: str) -> bool:
        """Is there such a header, empty or not?"""
        return name in self._by_name

    def _text(self, value: bytes) -> str:
        return decode_words(charsets.decode(value[:MAX_VALUE], self.charset))


def unix_lines(data: bytes) -> bytes:
    """With \\n for each \\r\\n; what stands alone stays.

    Looks for a single byte and joins what lies between, in a third of the time of bytes.replace, which looks for two.
    """
    first, *more = data.split(b"\r")
    if set(map(_FIRST, more)) <= {b"\n"}:
        return b"".join([first, *more])
    return data.replace(b"\r\n", b"\n")


def split(data: bytes, start: int, end: int) -> tuple[Headers, int]:
    """The headers that begin at `start`, and where the body begins."""
    block, body = _block(data, start, end)
    if b"\r" in block:
        block = unix_lines(block).replace(b"\r", b"\n")
    items: list[tuple[str, list[bytes]]] = []
    for number, line in enumerate(block.split(b"\n", MAX_HEADERS * 8)[: MAX_HEADERS * 8]):
        if line[:1] in {b" ", b"\t"}:
            if items and len(items[-1][1]) < 500:
                items[-1][1].append(line.strip())
            continue
        name, colon, value = line.partition(b":")
        if colon and name and len(items) < MAX_HEADERS:
            items.append((name[:100].strip().lower().decode("latin-1"), [value.strip()]))
        elif line and not colon and number == 0 and not line.startswith(b"From "):
            return Headers([]), start  # no headers at all: everything is text
    return Headers([(name, b" ".join(parts)) for name, parts in items]), body


def _block(data: bytes, start: int, end: int) -> tuple[bytes, int]:
    if data.startswith((b"\r\n", b"\n"), start):
        return b"", start + (2 if data.startswith(b"\r\n", start) else 1)
    limit = min(end, start + MAX_BLOCK)
    at, length = limit, 0
    for mark in (b"\r\n\r\n", b"\n\n", b"\r\r"):  # each is looked for only before where the last one stands
        found = data.find(mark, start, at + length)
        if 0 <= found < at:
            at, length = found, len(mark)
    return data[start:at], at + length


# --- words ---------------------------------------------------------------------------------------------------


def decode_words(text: str) -> str:
    """RFC 2047, with what is really sent: words cut inside a letter, words inside words, spaces inside words."""
    for _ in range(2):
        if "=?" not in text:
            break
        text = _decoded_once(text)
    return _SPACES.sub(" ", text).strip()


def _decoded_once(text: str) -> str:
    out: list[str] = []
    run: list[bytes] = []  # bytes of neighbouring words of one charset, joined before they are decoded
    charset, at = "", 0

    def flush() -> None:
        if run:
            out.append(charsets.decode(b"".join(run), charset))
            run.clear()

    for word in _WORD.finditer(text):
        between = text[at : word.start()]
        label = word[1].partition("*")[0].lower()
        if between.strip() or not run or label != charset:
            flush()
            if between.strip() or not out or at == 0:
                out.append(between)
        run.append(_word_bytes(word[2], word[3]))
        charset, at = label, word.end()
    flush()
    return "".join([*out, text[at:]]) if at else text


def _word_bytes(kind: str, payload: str) -> bytes:
    data = payload.encode("utf-8", "replace")
    return base64(data) if kind in "bB" else binascii.a2b_qp(data, header=True)


def base64(data: bytes) -> bytes:
    """As much as can be decoded, whatever stands between and at the end."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        kept = data.translate(None, _NOT_BASE64)
        kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


# --- parameters -----------------------------------------------------------------------------------------------


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """`text/plain; charset="x"; name*0*=...` as its first word in lower case and its parameters (RFC 2231)."""
    pieces = _pieces(value[:MAX_VALUE])
    plain: dict[str, str] = {}
    parts: dict[str, dict[int, tuple[str, bool]]] = {}
    for piece in pieces[1:100]:
        name, equals, given = piece.partition("=")
        name = name.strip().lower()
        if not equals or not name:
            continue
        given = _unquoted(given.strip())
        base, star, number = name.partition("*")
        if not star:
            plain.setdefault(base, decode_words(given))
            continue
        encoded = name.endswith("*")
        digits = number.rstrip("*")
        index = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else 0
        parts.setdefault(base, {}).setdefault(index, (given, encoded))
    for base, found in parts.items():
        plain[base] = _joined(found)
    return pieces[0].strip().lower() if pieces else "", plain


def _pieces(value: str) -> list[str]:
    """Split at semicolons outside quotation marks."""
    if '"' not in value:
        return value.split(";")
    pieces, quoted = [""], False
    for index, run in enumerate(value.replace('\\"', "\x00").split('"')):
        quoted = index % 2 == 1
        if quoted:
            pieces[-1] += f'"{run}"'
        else:
            first, *more = run.split(";")
            pieces[-1] += first
            pieces += more
    return [piece.replace("\x00", '\\"') for piece in pieces]


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
        return value.replace('\\"', '"').replace("\\\\", "\\") if "\\" in value else value
    return value.strip('"')


def _joined(found: dict[int, tuple[str, bool]]) -> str:
    label, data = "", b""
    for index in sorted(found):
        text, encoded = found[index]
        if encoded and index == min(found) and text.count("'") >= 2:
            label, _, text = text.split("'", 2)
        raw = text.encode("utf-8", "replace")
        data += unquote_to_bytes(raw) if encoded else raw
    return decode_words(charsets.decode(data, label))


# --- addresses, ids, dates -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name and an address in lower case; the address is one that can be written to."""

    name: str
    address: str

    @property
    def local(self) -> str:
        """What stands before the @."""
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2]


def mailboxes(headers: Headers, *names: str) -> list[Mailbox]:
    """All usable addresses of these headers, in order; broken ones are left out."""
    found: list[Mailbox] = []
    for name in names:
        for value in headers.values(name):
            if value:
                found += read_mailboxes(charsets.decode(value[:MAX_VALUE], headers.charset))
    return found[:MAX_ADDRESSES]


def read_mailboxes(text: str) -> list[Mailbox]:
    """`Name <a@b>, "Other, name" <c@d>; e@f (name)` and what broken programs make of it."""
    found: list[Mailbox] = []
    for piece in _address_pieces(text):
        if len(found) >= MAX_ADDRESSES:
            break
        before, angle, rest = piece.rpartition("<")
        if angle:
            name, address = before, rest.partition(">")[0]
        else:
            address, _, name = piece.partition("(")
            name = name.rpartition(")")[0]
        usable = parse_email(decode_words(address).strip(" \t\"'<>").removeprefix("mailto:"))
        if usable is not None:
            found.append(Mailbox(_name(name), usable))
    return found


def _address_pieces(text: str) -> list[str]:
    pieces: list[str] = [""]
    for index, run in enumerate(text.replace('\\"', "'").split('"')):
        if index % 2:
            pieces[-1] += f'"{run}"'
            continue
        first, *more = run.replace(";", ",").split(",")
        pieces[-1] += first
        pieces += more
    return pieces[: MAX_ADDRESSES * 4]


def _name(text: str) -> str:
    name = decode_words(text.replace('"', " ").strip()).strip("'\" ,")
    return "" if "@" in name and parse_email(name) else name[:200]


def message_ids(headers: Headers, name: str) -> list[str]:
    """Ids of a header without their brackets, in order; a lone word without brackets counts where it has an @."""
    text = charsets.decode(headers.raw(name)[:MAX_VALUE])
    found = [_id(inner) for inner in _ID.findall(text)[:MAX_IDS]]
    if not found and "@" in text:
        found = [_id(word) for word in text.split()[:1]]
    return [one for one in found if one]


def _id(text: str) -> str:
    """As a key: no spaces, at most MAX_ID characters; longer or unprintable ones are kept as their digest."""
    text = "".join(text.split()).strip("<>")
    if len(text) <= MAX_ID and text.isprintable():
        return text
    return "digest:" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def date(headers: Headers) -> datetime | None:
    """The Date header, aware; None where it cannot be read."""
    text = charsets.decode(headers.raw("date")[:100]).strip()
    try:
        found = parsedate_to_datetime(text)
        found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        return found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None
