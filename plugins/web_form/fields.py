"""What each field of a form means: sender, message, where from, or simply something the form asked.

A key is compared by its letters and digits only, so `Ваше ім'я*`, `ваше_ім’я` and `ВАШЕ ІМЯ` are one.
Meanings are cached by the raw key: a form sends the same few keys for ever. Keys that no table lists
stay fields under their own label and are shown to the seller; nothing is guessed from values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote

from hub.sdk import parse_email, parse_phone
from plugins.web_form.form import Form, read_urlencoded
from plugins.web_form.synonyms import (
    BOXES,
    IDS,
    IGNORED,
    NO_PERSONS,
    PERSONS,
    SOURCES,
    normalised,
    synonym,
)

FIELD = 10_000  # characters of one further field
SOURCE = 2_000
CACHE = 2_048  # keys remembered


class Kind(Enum):
    """What to do with a field."""

    ROLE = 1  # part of the sender or the message
    SOURCE = 2  # where the person came from
    FIELD = 3  # shown as it is
    IGNORE = 4  # technical: stays in the raw body only


Meaning = tuple[Kind, str, str]
"""Kind, canonical name, label to show."""


class Keys:
    """Meanings of keys for one account, with its own synonyms and honeypot. Safe to share between threads."""

    def __init__(self, extra: Mapping[str, str], honeypot: str) -> None:
        self._extra = {normalised(key): role for key, role in extra.items()}
        self._honeypot = honeypot
        self._cache: dict[str, Meaning] = {}

    def meaning(self, path: str) -> Meaning:
        """What a field means. Remembered; the memory is emptied when strangers' keys have filled it."""
        known = self._cache.get(path)
        if known is None:
            if len(self._cache) >= CACHE:
                self._cache.clear()
            known = self._cache[path] = self._decide(path)
        return known

    def _decide(self, path: str) -> Meaning:
        label, key = _unboxed(path)
        if self._honeypot and self._honeypot in {path, label}:
            return (Kind.ROLE, "honeypot", label)
        for candidate in (normalised(path), normalised(label), normalised(key)):
            if candidate in self._extra:
                role = self._extra[candidate]
                return (Kind.IGNORE, "", label) if role == "ignore" else (Kind.ROLE, role, label)
        if path in IDS:
            return (Kind.ROLE, IDS[path], label)
        return _technical(label) or _role_of(key, label)

    def loosely(self, path: str) -> Meaning:
        """The same by the last part of the path, whoever's box it stands in; not for products and forms."""
        meaning = self.meaning(path)
        boxes, _, last = path.rpartition(".")
        if meaning[0] is not Kind.FIELD or any(normalised(box) in NO_PERSONS for box in boxes.split(".")):
            return meaning
        return _role_of(last, meaning[2])


def _unboxed(path: str) -> tuple[str, str]:
    """The label without boxes, and the key to look up, without the person's box too."""
    label = path
    while "." in label:
        box, _, rest = label.partition(".")
        if normalised(box) not in BOXES or not rest:
            break
        label = rest
    box, _, rest = label.partition(".")
    return label or "?", rest if rest and normalised(box) in PERSONS else label


def _technical(label: str) -> Meaning | None:
    plain = normalised(label)
    if plain in SOURCES:
        return (Kind.SOURCE, SOURCES[plain], label)
    if label[:4].casefold() == "utm_":
        return (Kind.SOURCE, label[:50].casefold(), label)
    if plain in IGNORED or label.startswith("_wpcf7"):
        return (Kind.IGNORE, "", label)
    return None


def _role_of(key: str, label: str) -> Meaning:
    role = synonym(normalised(key))
    return (Kind.ROLE, role, label) if role else (Kind.FIELD, "", label)


@dataclass(slots=True)
class Sorted:
    """The fields of one form by meaning. `found`: role -> value; the other two keep their order."""

    found: dict[str, str] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def has_contact(self) -> bool:
        found = self.found
        return "phone" in found or "name" in found or "email" in found


def sort_fields(form: Form, keys: Keys, region: str) -> Sorted:
    """Sort the fields of a form; boxes with unknown names are looked into only if no contact was found."""
    result = _sort(form, keys, region, loose=False)
    if not result.has_contact and any("." in path for path, _ in form.pairs):
        result = _sort(form, keys, region, loose=True)
    return result


def _sort(form: Form, keys: Keys, region: str, *, loose: bool) -> Sorted:
    result = Sorted()
    found, fields = result.found, result.fields
    meaning_of = keys.loosely if loose else keys.meaning
    doubtful: dict[str, str] = {}
    parts: dict[str, tuple[str, str]] = {}
    for path, typed in form.pairs:
        value = typed.strip()
        if not value:
            continue
        kind, name, label = meaning_of(path)
        if kind is Kind.FIELD and form.hints:
            kind, name = _hinted(form.hints.get(path, ()), keys)
        if kind is Kind.ROLE:
            if name in _NAME_PARTS and name not in parts:
                parts[name] = (label, value)
            elif name in _CHECKED and not _is_one(name, value, region):
                # No telephone after all: the seller must see it, and the hub drops it as an identity.
                add(fields, label, value, FIELD)
                doubtful.setdefault(name, value)
            elif name not in found:
                found[name] = value
            elif found[name] != value and name != "cookies":
                add(fields, label, value, FIELD)
        elif kind is Kind.SOURCE:
            add(result.source, name, value, SOURCE)
        elif kind is Kind.FIELD:
            add(fields, label, value, FIELD)
    for name, value in doubtful.items():
        found.setdefault(name, value)
    if parts:
        _join_name(parts, found, fields)
    return result


_NAME_PARTS = ("given", "middle", "family")
_CHECKED = frozenset({"phone", "email", "test"})


def _is_one(name: str, value: str, region: str) -> bool:
    """Is it what its name says? `test` means something only as Tilda sends it, test=test."""
    if name == "phone":
        return parse_phone(value, region) is not None
    return parse_email(value) is not None if name == "email" else value == "test"


def _hinted(hints: tuple[str, ...], keys: Keys) -> tuple[Kind, str]:
    for hint in hints:
        kind, name, _ = keys.meaning(hint)
        if kind is Kind.ROLE:
            return kind, name
    return Kind.FIELD, ""


def _join_name(parts: Mapping[str, tuple[str, str]], found: dict[str, str], fields: dict[str, str]) -> None:
    """One name from its parts; where a full name stands beside a first name, the parts stay fields."""
    if "name" in found and "given" in parts:
        for label, value in parts.values():
            add(fields, label, value, FIELD)
        return
    pieces = [found["name"]] if "name" in found else []
    found["name"] = " ".join(pieces + [parts[part][1] for part in _NAME_PARTS if part in parts])


def add(into: dict[str, str], label: str, value: str, limit: int) -> None:
    """Add a value; a repeated label keeps all its values, as "a, b"."""
    if label in into:
        value = f"{into[label]}, {value}"
    into[label] = value if len(value) <= limit else value[:limit]


def add_source_of_page(source: dict[str, str], query: Mapping[str, str], page: str) -> None:
    """Complete `source` from the address of the page, then from the delivery's own query; the body has won.

    page  what the Referer header says, where the body does not name the page
    """
    if page and "page" not in source:
        source["page"] = page[:SOURCE]
    address = source.get("page", "")
    if "?" in address:
        add_source_of_query(source, address.partition("?")[2].partition("#")[0].partition(", ")[0])
    if query:
        _add_missing(source, query.items())


def add_source_of_query(source: dict[str, str], query: str) -> None:
    """The same from the text of a query; it may be percent-encoded once more, as in a cookie."""
    plain = query if "=" in query else unquote(query)
    _add_missing(source, read_urlencoded(plain[:SOURCE].encode("utf-8", "surrogatepass")))


def _add_missing(source: dict[str, str], pairs: Iterable[tuple[str, str]]) -> None:
    for key, value in pairs:
        name = campaign_key(key)
        if name and value:
            source.setdefault(name, value[:SOURCE])


def campaign_key(key: str) -> str:
    """`utm_source`, `gclid`, ... in its canonical form; "" for any other key of a query."""
    meaning = _technical(key[:50])
    if meaning is None or meaning[0] is not Kind.SOURCE:
        return ""
    return meaning[1] if meaning[1].startswith("utm_") or meaning[1].endswith(("clid", "braid")) else ""
