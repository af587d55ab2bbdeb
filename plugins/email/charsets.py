"""Which letters are these bytes? Decides without ever raising; the label is a hint, not the truth.

Order: UTF-8 wherever the bytes are valid UTF-8 (no legacy Cyrillic text is, by accident); else the label, as long as
it fits the bytes; else Cyrillic by the frequency of letters; else charset-normalizer; else Latin with replacements.
koi8-r is read as koi8-u: they differ in the eight bytes that hold the Ukrainian letters.
"""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Sequence
from functools import lru_cache

_SAMPLE = 4_000
_OVERRIDES = {
    "koi8-r": "koi8-u",
    "koi8r": "koi8-u",
    "koi8": "koi8-u",
    "koi8-ru": "koi8-u",
    "cp-1251": "cp1251",
}
_CYRILLIC = ("cp1251", "koi8-u", "cp866", "iso8859-5")
# Labels that are written where nobody knew: mail programs put them over any bytes.
_UNPROVEN = frozenset({"ascii", "iso8859-1", "cp1252", "utf-8", ""})
_LETTERS = "".join(map(chr, range(0x410, 0x450))) + "ІіЇїЄєҐґЁё"
_FREQUENT = frozenset("оаиеніто" + "рвсл")
# What several of ours share: legacy text has at least one byte beyond ASCII.
_ESCAPES = b"\x1b"
_ASCII = bytes(range(0x80))


@lru_cache(maxsize=256)
def codec_of(label: str) -> str:
    """The codec that a label means, in Python's spelling; "" where there is none that gives text."""
    name = label.strip(" \t\r\n\"'").lower()[:60]
    name = _OVERRIDES.get(name, name)
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    text_codec = getattr(found, "_is_text_encoding", True)
    return found.name if text_codec and not found.name.startswith(("idna", "punycode", "unicode")) else ""


def is_wide(label: str) -> bool:
    """Has each letter of this charset two or four bytes?"""
    return codec_of(label).startswith(("utf-16", "utf-32"))


def decode(data: bytes, label: str = "") -> str:
    """Text of bytes; always gives one. Unreadable bytes become U+FFFD."""
    codec = codec_of(label) if label else ""
    if data.isascii() and _ESCAPES not in data and not codec.startswith(("utf-16", "utf-32", "utf-7", "hz")):
        return data.decode("ascii")
    if codec.startswith(("utf-16", "utf-32", "utf-7", "iso2022", "hz")):
        return _lenient(data, codec)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        pass
    if codec not in _UNPROVEN:
        return _as_labelled(data, codec)
    return guess(data, damaged=codec == "utf-8")


def _as_labelled(data: bytes, codec: str) -> str:
    try:
        text = data.decode(codec)
    except (UnicodeDecodeError, ValueError):
        if codec not in _CYRILLIC:  # a few broken bytes in a long text do not make the label wrong
            return guess(data)
        text = data.decode(codec, "replace")
    if codec in _CYRILLIC:
        sample = _sample(data)
        other = _cyrillic(sample, _CYRILLIC[:2])
        if other and other != codec and _score(sample, other) > 1.4 * _score(sample, codec):
            return data.decode(other, "replace")
    return text


def _lenient(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except (UnicodeError, ValueError):
        return guess(data)


def guess(data: bytes, *, damaged: bool = False) -> str:
    """Text of bytes whose label is missing, unknown or wrong. `damaged`: UTF-8 with a few broken bytes is likely."""
    if damaged:
        text = data.decode("utf-8", "replace")
        if text.count("\ufffd") * 20 < sum(1 for c in text[:_SAMPLE] if c > "\x7f"):
            return text
    found = _cyrillic(_sample(data), _CYRILLIC)
    if found:
        return data.decode(found, "replace")
    return data.decode(_asked(data[:_SAMPLE]) or "cp1252", "replace")


def _cyrillic(sample: bytes, among: Sequence[str]) -> str:
    """The best of these codecs, "" where the bytes are no Cyrillic text."""
    scores = {codec: _score(sample, codec) for codec in among}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > 0.45 else ""


@lru_cache(maxsize=8)
def _kinds(codec: str) -> tuple[bytes, bytes]:
    """For each byte what it is in that codec: f a frequent letter, s another; l a small letter, U a large one; or -.

    Counting in a translated sample costs a hundredth of what looking at each letter of its text would.
    """
    frequency, size = bytearray(b"-" * 256), bytearray(b"-" * 256)
    for letter in _LETTERS:
        with contextlib.suppress(UnicodeEncodeError):
            byte, small = letter.encode(codec)[0], letter.lower()
            frequency[byte] = ord("f" if small in _FREQUENT else "s")
            if small != "ё":
                size[byte] = ord("l" if letter == small else "U")
    return bytes(frequency), bytes(size)


def _score(sample: bytes, codec: str) -> float:
    """How much like Ukrainian or Russian it reads, about 0 to 0.75."""
    frequency, size = _kinds(codec)
    kinds = sample.translate(frequency)
    letters = len(kinds) - kinds.count(b"-")
    if not letters or letters < 0.7 * len(sample.translate(None, _ASCII)):
        return 0.0
    broken = sample.translate(size).count(b"lU")  # a large letter after a small one: no word is written so
    return kinds.count(b"f") / letters - 2 * broken / letters


def _sample(data: bytes) -> bytes:
    """A piece that has letters in it."""
    sample = data[:_SAMPLE]
    if len(data) > _SAMPLE and sample.isascii():
        return data[:200_000].translate(None, _ASCII)[:1_000]
    return sample


def _asked(sample: bytes) -> str:
    """What charset-normalizer thinks of a short sample."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 40 ms of import, for the rare wrong label

    found = from_bytes(sample, cp_exclusion=["utf_16", "utf_32", "utf_7"], enable_fallback=False).best()
    return codec_of(found.encoding) if found is not None else ""
