"""The tree of parts of a message: found with bytes.find, never line by line, so that it costs little.

Limits: MAX_DEPTH levels, MAX_PARTS parts, MAX_CANDIDATES lines that look like a boundary. What lies beyond them stays
text or an attachment of the part it stands in: nothing is refused.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field

from plugins.email import charsets
from plugins.email.headers import Headers, base64, decode_words, parameters, split, unix_lines

MAX_DEPTH = 20
MAX_PARTS = 300
MAX_MESSAGES = 2  # levels of attached messages that are looked into
MAX_CANDIDATES = 20_000
MAX_TEXT_BYTES = 1024 * 1024
MAX_FILE_NAME = 150


@dataclass(slots=True)
class Part:
    """One part; `data[start:end]` is its body, still in its transfer encoding."""

    data: bytes = field(repr=False)
    headers: Headers
    start: int
    end: int
    media_type: str
    parameters: dict[str, str]
    disposition: str
    file_name: str
    content_id: str
    children: list[Part] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        """Does it only hold other parts?"""
        return bool(self.children) and self.media_type != "message/rfc822"

    def body(self, limit: int | None = None) -> bytes:
        """Decoded; with a limit only so many bytes of the encoded form are looked at."""
        end = self.end if limit is None else min(self.end, self.start + limit)
        raw = self.data[self.start : end]
        encoding = self.headers.raw("content-transfer-encoding").strip().lower()
        if encoding == b"base64":
            return base64(raw)
        if encoding == b"quoted-printable":
            return binascii.a2b_qp(raw)
        if encoding in {b"x-uuencode", b"uuencode", b"x-uue", b"uue"}:
            return _uudecoded(raw)
        return raw

    def text(self) -> str:
        """Decoded text with \\n line ends; at most MAX_TEXT_BYTES of the encoded form."""
        charset = self.parameters.get("charset", "")
        body = self.body(MAX_TEXT_BYTES)
        text = charsets.decode(body if charsets.is_wide(charset) else unix_lines(body), charset)
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    def walk(self) -> Iterator[Part]:
        """This part and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def read(data: bytes) -> Part:
    """The tree of a message. Never raises."""
    return _Reader(data).part(0, len(data), depth=0, messages=0, default="text/plain")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parts = 0
        self._candidates = 0

    def part(self, start: int, end: int, *, depth: int, messages: int, default: str) -> Part:
        self._parts += 1
        headers, body = split(self._data, start, end)
        media_type, found = parameters(headers.structured("content-type"))
        if media_type.count("/") != 1 or " " in media_type:
            media_type = default if not media_type.startswith("multipart") else "multipart/mixed"
        headers.charset = found.get("charset", "")
        disposition, more = parameters(headers.structured("content-disposition"))
        part = Part(
            self._data, headers, body, end, media_type, found, disposition.partition(" ")[0],
            clean_name(more.get("filename") or found.get("name") or found.get("filename") or ""),
            decode_words(headers.structured("content-id")).strip("<> ")[:200],
        )  # fmt: skip
        if depth < MAX_DEPTH:
            self._descend(part, depth, messages)
        return part

    def _descend(self, part: Part, depth: int, messages: int) -> None:
        if part.media_type.startswith("multipart/"):
            boundary = part.parameters.get("boundary", "").strip().encode("utf-8", "replace")
            if boundary:
                inner = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
                for start, end in self._between(part, boundary):
                    part.children.append(
                        self.part(start, end, depth=depth + 1, messages=messages, default=inner)
                    )
            if not part.children:  # no boundary that can be found: what is there is shown as text
                part.media_type = "text/plain"
        elif part.media_type == "message/rfc822" and self._may_open(part, messages):
            part.children.append(
                self.part(part.start, part.end, depth=depth + 1, messages=messages + 1, default="text/plain")
            )

    def _may_open(self, part: Part, messages: int) -> bool:
        encoding = part.headers.raw("content-transfer-encoding").strip().lower()
        within = messages < MAX_MESSAGES and self._parts < MAX_PARTS
        return within and not encoding.startswith((b"base", b"quoted"))

    def _between(self, part: Part, boundary: bytes) -> Iterator[tuple[int, int]]:
        """Where the parts between the boundary lines begin and end."""
        data, mark = self._data, b"--" + boundary
        at, begun = part.start, -1
        while self._parts < MAX_PARTS and self._candidates < MAX_CANDIDATES:
            at = data.find(mark, at, part.end)
            if at < 0:
                break
            self._candidates += 1
            after = at + len(mark)
            if at > part.start and data[at - 1] not in b"\r\n":
                at = after
                continue
            line_end = data.find(b"\n", after, min(part.end, after + 200))
            line_end = part.end if line_end < 0 else line_end + 1
            rest = data[after:line_end].strip()
            if rest not in {b"", b"--"}:  # a longer boundary that begins alike
                at = after
                continue
            if begun >= 0:
                yield begun, max(begun, self._without_line_end(at))
            if rest == b"--":
                return
            at = begun = line_end
        if 0 <= begun < part.end:
            yield begun, part.end

    def _without_line_end(self, at: int) -> int:
        if at and self._data[at - 1] == 0x0A:
            at -= 1
        if at and self._data[at - 1] == 0x0D:
            at -= 1
        return at


def clean_name(name: str) -> str:
    """A file name without folders and control characters, at most MAX_FILE_NAME characters, its ending kept."""
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if c.isprintable()).strip(". ")
    if len(name) <= MAX_FILE_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    return stem[: MAX_FILE_NAME - 12] + dot + ending[:11] if dot else name[:MAX_FILE_NAME]


def _uudecoded(raw: bytes) -> bytes:
    out: list[bytes] = []
    for line in raw.splitlines()[:500_000]:
        if line.startswith(b"begin ") or not line:
            continue
        if line.strip() in {b"end", b"`"}:
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            continue
    return b"".join(out)
