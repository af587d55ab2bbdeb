"""One read form -> the event of the hub and the id of its delivery.

Which delivery is it? An Idempotency-Key names it, else the form builder's own id, else the proof of a signed one, else
the nonce of our hosted page. A key must come with the same body again (the digest says so). Builders may repeat with
another body, so theirs have no digest. The nonce's id includes the body: a page left open sends one nonce with the
texts of many people, and none of them may be lost; the same click twice is still one delivery. A multipart body
counts by its parts, because a browser draws a new boundary for the same form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from hub.sdk import Attachment, DeliveryRejected, Event, EventKind, RawDelivery, Sender, Verified, parse_phone
from plugins.web_form import nonce
from plugins.web_form.builders import builder_of, tilda_campaign
from plugins.web_form.fields import Keys, Sorted, add_source_of_page, add_source_of_query, sort_fields
from plugins.web_form.files import attachments
from plugins.web_form.form import URLENCODED, Form, read_form
from plugins.web_form.kinds import PLAIN, Kind
from plugins.web_form.multipart import MULTIPART, digest_of

# Bounds in characters.
NAME = 200
PHONE = 100
EMAIL = 320
SUBJECT = 300
TEXT = 200_000
KEY = 200

BROWSER_TYPES = frozenset({URLENCODED, MULTIPART})
UNVERIFIED = "not verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the settings of an account say about reading its forms.

    key  checks nonces; None where the hub has no secret key
    """

    keys: Keys
    region: str
    kinds: Mapping[str, Kind]
    kind: str
    task_language: str
    max_files: int
    max_file_bytes: int
    file_types: frozenset[str]
    key: bytes | None


class Reading(NamedTuple):
    """All that one delivery says."""

    verified: Verified
    event: Event


def read(raw: RawDelivery, reader: Reader, proof: str = "", *, unverified: bool = False) -> Reading:
    """Read one delivery.

    proof       the signature that was found right; "" where nothing is signed
    unverified  nobody could be asked whether its sender is a person: the request says so
    raises      DeliveryRejected 400 `unreadable`, `idempotency_key`; 413 `file_too_large`;
                415 `media_type`, `file_type`; 422 `fields`, `contact`, `files`, `nonce`
    """
    media_type = raw.media_type
    form = read_form(raw.body, media_type, raw.headers.get("content-type", ""))
    sorted_fields = sort_fields(form, reader.keys, reader.region)
    found = sorted_fields.found
    event_kind = _event_kind(sorted_fields)
    if "nonce" in found:
        nonce.check(reader.key, found["nonce"], raw.received_at)
    verified = _verified(raw, form, media_type, found, proof)
    kind = reader.kinds.get(found.get("kind", "") or raw.query.get("kind", "")) or reader.kinds[reader.kind]
    _add_source(sorted_fields, raw, form, media_type, kind)
    if unverified:
        sorted_fields.source["turnstile"] = UNVERIFIED
    sender = _sender(found, reader.region, raw.query.get("lang", ""))
    text = found.get("message", "")[:TEXT] or _lines(sorted_fields)
    event = Event(
        kind=event_kind,
        sender=sender,
        text=text,
        subject=found.get("subject", "")[:SUBJECT],
        sent_at=_moment(found["sent_at"]) if "sent_at" in found else None,
        fields=sorted_fields.fields,
        source=sorted_fields.source,
        joins_open=False,
        attachments=_files(form, reader) if form.parts else (),
        task_title=kind.named(reader.task_language, sender.name or sender.phone or sender.email, text),
        reaction_s=kind.reaction_s,
    )
    return Reading(verified, event)


def _files(form: Form, reader: Reader) -> tuple[Attachment, ...]:
    return attachments(form.parts, reader.max_files, reader.max_file_bytes, reader.file_types)


def _add_source(form_fields: Sorted, raw: RawDelivery, form: Form, media_type: str, kind: Kind) -> None:
    """Where it came from: the body, the page it stands on, the cookie of Tilda; and by which builder."""
    source = form_fields.source
    page = raw.headers.get("referer", "") if media_type in BROWSER_TYPES else ""
    add_source_of_page(source, raw.query, page)
    cookies = form_fields.found.get("cookies", "")
    if cookies:
        add_source_of_query(source, tilda_campaign(cookies))
    builder = builder_of(form, raw.headers)
    if builder:
        source["builder"] = builder
    if kind.name != PLAIN:
        source["kind"] = kind.name


def _event_kind(form: Sorted) -> EventKind:
    if "honeypot" in form.found:
        return EventKind.SPAM
    if form.has_contact:
        return EventKind.MESSAGE
    found = form.found
    if found.get("test") == "test":  # Tilda tries the address when it is connected
        return EventKind.PROBE
    if "ping" in found and len(found) == 1 and not form.fields:  # WooCommerce tries it when the hook is saved
        return EventKind.PROBE
    raise DeliveryRejected(
        "contact",
        "the form has neither a name nor a telephone nor an e-mail: send one of the fields "
        "name, phone, email, or say under `fields` of this account which of yours they are",
        status=422,
    )


def _sender(found: dict[str, str], region: str, language: str) -> Sender:
    return Sender(
        name=found.get("name", "")[:NAME],
        phone=_phone(found.get("phone", ""), region),
        email=found.get("email", "")[:EMAIL],
        organisation=found.get("organisation", "")[:NAME],
        language=language if language in {"uk", "en"} else "",
    )


def _phone(typed: str, region: str) -> str:
    """As typed; in E.164 where the account's region is not the one the hub assumes."""
    if region != "UA" and typed:
        typed = parse_phone(typed, region) or typed
    return typed[:PHONE]


def _lines(form: Sorted) -> str:
    """The further fields as "Label: value" lines: what the form says when it has no message."""
    return "\n".join(f"{' '.join(label.split())}: {value}" for label, value in form.fields.items())[:TEXT]


def _moment(text: str) -> datetime | None:
    """An aware time in UTC, or None: a form's own clock is a remark, not a reason to refuse."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _verified(raw: RawDelivery, form: Form, media_type: str, found: dict[str, str], proof: str) -> Verified:
    key = raw.headers.get("idempotency-key")
    if key is not None:
        if not (0 < len(key) <= KEY and _is_printable(key)):
            raise DeliveryRejected(
                "idempotency_key", f"Idempotency-Key takes 1 to {KEY} printable ASCII characters", status=400
            )
        return Verified(external_id="key:" + key, digest=_digest(raw, form, media_type))
    for kind in ("tranid", "gforms"):
        if kind in found:
            return Verified(external_id=f"{kind}:{_bounded(found[kind])}")
    if proof:  # the same time and the same bytes: a replay of what somebody has overheard
        return Verified(external_id="proof:" + proof)
    if "nonce" in found:
        digest = _digest(raw, form, media_type)
        return Verified(external_id=f"nonce:{_bounded(found['nonce'])}:{digest[:32]}", digest=digest)
    return Verified(external_id=None)


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _bounded(identifier: str) -> str:
    """A provider's id as it is; its digest where it is too long or not plain."""
    if len(identifier) <= KEY and _is_printable(identifier):
        return identifier
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()


def _digest(raw: RawDelivery, form: Form, media_type: str) -> str:
    said = digest_of(form.parts) if form.parts else raw.body
    return hashlib.sha256(media_type.encode("utf-8", "surrogatepass") + b"\n" + said).hexdigest()
