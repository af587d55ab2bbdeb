"""Bytes of a form post -> its fields, in the order they came.

Form builders disagree about everything, so this file is tolerant in what it takes: JSON flat or nested,
urlencoded with `a[b][c]` and repeated keys, multipart with files, a wrong or missing charset, JSON under a form's
media type.
Nested keys become one path, `response.payload.Телефон`; lists become "a, b". What a key means is decided
in `fields.py`. Every loop is bounded before it starts: pairs, depth, length of keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import orjson

from hub.sdk import DeliveryRejected
from plugins.web_form.multipart import MULTIPART, Part, read_multipart, text_of

URLENCODED = "application/x-www-form-urlencoded"
JSON_TYPES = frozenset({"application/json", "text/plain"})  # text/plain: scripts that avoid a CORS preflight

MAX_FIELDS = 200
MAX_NODES = 2_000  # JSON values or urlencoded pairs looked at; Elementor sends six pairs a field
MAX_DEPTH = 12
MAX_BRACKETS = 50_000  # in a JSON body, counted before it is parsed: a megabyte of "[]," costs 0.3 s
KEY = 200  # characters of one key

Pair = tuple[str, str]


class Form(NamedTuple):
    """Fields as (path, value) in order; `hints` are further keys of a path, where a builder sends them.

    parts  of a multipart body, files among them; empty for any other
    """

    pairs: list[Pair]
    hints: Mapping[str, tuple[str, ...]]
    parts: list[Part] = []  # noqa: RUF012 - never changed


def read_form(body: bytes, media_type: str, content_type: str = "") -> Form:
    """The fields of a body.

    media_type    lower case, without parameters
    content_type  the whole header: multipart names its boundary there
    raises        DeliveryRejected 415 `media_type`, 400 `unreadable`, 422 `fields` (too many)
    """
    if media_type == MULTIPART:
        return _multipart(body, content_type)
    if media_type == URLENCODED:
        pairs, nested = _form_or_json(body)
    elif media_type in JSON_TYPES:
        pairs, nested = _json(body)
    else:
        raise _wrong_media_type()
    form = _elementor(pairs) if nested else Form(pairs, {})
    if len(form.pairs) > MAX_FIELDS:
        raise _too_many()
    return form


def _multipart(body: bytes, content_type: str) -> Form:
    parts = read_multipart(body, content_type)
    pairs = [(_path(part.name), text_of(part.body)) for part in parts if part.filename is None]
    form = _elementor(pairs) if any("." in path for path, _ in pairs) else Form(pairs, {})
    if len(form.pairs) > MAX_FIELDS:
        raise _too_many()
    return Form(form.pairs, form.hints, parts)


def _wrong_media_type() -> DeliveryRejected:
    sentence = (
        "send application/json, application/x-www-form-urlencoded or multipart/form-data, "
        "and say so in Content-Type"
    )
    return DeliveryRejected("media_type", sentence, status=415)


def _unreadable(sentence: str) -> DeliveryRejected:
    return DeliveryRejected("unreadable", sentence, status=400)


def _too_many() -> DeliveryRejected:
    return DeliveryRejected("fields", f"too many fields: at most {MAX_FIELDS} are taken", status=422)


def _json(body: bytes) -> tuple[list[Pair], bool]:
    document = _loads(body)
    if not isinstance(document, dict):
        raise _unreadable("the JSON must be an object with the form's fields")
    if len(document) > MAX_NODES:
        raise _too_many()
    flat = _Flattening()
    pairs = flat.pairs
    for key, value in document.items():
        if value.__class__ is str:  # nearly always
            pairs.append((key if len(key) <= KEY else key[:KEY], value))
        else:
            flat.add(key[:KEY], value, 1)
    return pairs, flat.left < MAX_NODES


def _loads(body: bytes) -> Any:
    """JSON, strictly (no NaN, UTF-8 only), but with lone surrogates: scripts cut texts inside an emoji."""
    if not body.strip():
        raise _unreadable("the body is empty")
    if len(body) > MAX_BRACKETS and body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
        raise _too_many()
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        if "surrogate" not in str(error):
            raise _unreadable("the body is not JSON in UTF-8") from error
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _unreadable("the body is not JSON in UTF-8") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class _Flattening:
    """Collects the leaves of a JSON value; `left` is how many more values may be looked at."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self.left = MAX_NODES

    def add(self, path: str, value: Any, depth: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise _too_many()
        if isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise _unreadable(f"the JSON is nested too deeply: at most {MAX_DEPTH} levels are taken")
            if isinstance(value, dict):
                for key, inner in value.items():
                    self.add(f"{path}.{key[:KEY]}", inner, depth + 1)
            else:
                self._add_list(path, value, depth)
        elif value is not None:
            self.pairs.append((path, _word(value)))

    def _add_list(self, path: str, values: list[Any], depth: int) -> None:
        self.left -= len(values)
        if self.left < 0:
            raise _too_many()
        words = [_word(value) for value in values if not isinstance(value, dict | list | None)]
        if words:
            self.pairs.append((path, ", ".join(words)))
        for index, value in enumerate(values):
            if isinstance(value, dict | list):
                self.add(f"{path}.{index}", value, depth + 1)


def _word(value: Any) -> str:
    """A scalar as a person would type it: a telephone sent as a number keeps its digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _form_or_json(body: bytes) -> tuple[list[Pair], bool]:
    """Urlencoded; or JSON that `curl -d` and PHP send under the form's media type."""
    if body[:1] in {b"{", b"["}:
        try:
            return _json(body)
        except DeliveryRejected as rejection:
            if rejection.reason != "unreadable" or b"=" not in body:
                raise
    if not body.strip():
        raise _unreadable("the body is empty")
    return read_urlencoded(body), b"[" in body or b"%5B" in body or b"%5b" in body


def read_urlencoded(body: bytes) -> list[Pair]:
    """Pairs of a urlencoded body or query. Raises DeliveryRejected 422 where there are too many."""
    if body.count(b"&") >= MAX_NODES:
        raise _too_many()
    pairs = []
    for piece in body.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_path(_decode(name)), _decode(value)))
    return pairs


def _path(name: str) -> str:
    """`a[b][c]` -> `a.b.c`, `a[]` -> `a`; a label such as "Вага [кг]" stays."""
    if name.endswith("]") and not name.startswith("[") and " [" not in name:
        parts = name[: KEY * 4].replace("]", "").split("[")
        return ".".join(part for part in parts if part)
    return name[:KEY]


def _decode(text: bytes) -> str:
    """Percent-decoded text: UTF-8, also when cut inside a character; else windows-1251 of old sites."""
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" in text:
        text = unquote_to_bytes(text)
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        whole = text[: error.start]
        if error.reason == "unexpected end of data" and not whole.isascii():
            return whole.decode()
        return text.decode("cp1251", "replace")


def _elementor(pairs: list[Pair]) -> Form:
    """Fold Elementor's "advanced data": fields[<id>][title|value|type|...] becomes title = value.

    Other nested forms pass unchanged. The shape is the documented one; not tried with a live site yet.
    """
    parts: dict[str, dict[str, str]] = {}
    for path, value in pairs:
        owner, _, attribute = path.rpartition(".")
        if attribute in _ATTRIBUTES and owner.startswith(("fields.", "meta.")):
            parts.setdefault(owner, {})[attribute] = value
    if not any("value" in part and "title" in part for part in parts.values()):
        return Form(pairs, {})
    folded: list[Pair] = []
    hints: dict[str, tuple[str, ...]] = {}
    for path, value in pairs:
        owner, _, attribute = path.rpartition(".")
        if owner not in parts:
            folded.append((path, value))
        elif attribute == "value":
            _fold(owner, parts[owner], folded, hints)
    return Form(folded, hints)


_ATTRIBUTES = frozenset({"id", "type", "title", "value", "raw_value", "required"})
_TELLING_TYPES = frozenset({"tel", "email", "textarea"})


def _fold(owner: str, part: Mapping[str, str], folded: list[Pair], hints: dict[str, tuple[str, ...]]) -> None:
    group, _, identifier = owner.partition(".")
    if group == "meta":
        # date, user agent, address and credit of the visitor's browser stay in the raw body only
        if identifier == "page_url":
            folded.append((identifier, part["value"]))
        return
    label = part.get("title") or identifier
    folded.append((label, part["value"]))
    kind = part.get("type", "")
    hints[label] = (identifier, kind) if kind in _TELLING_TYPES else (identifier,)
