"""One read form -> the event of the hub and the id of its delivery.

Which delivery is it? An Idempotency-Key names it, else the form builder's own id, else the nonce of our
hosted page. A key must come with the same body again (the digest says so). Builders may repeat with
another body, so theirs have no digest. The nonce's id includes the body: a page left open or copied to
another site sends one nonce with the texts of many people, and none of them may be lost; the same click
twice is still one delivery.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import NamedTuple

from hub.sdk import DeliveryRejected, Event, EventKind, RawDelivery, Sender, Verified, parse_phone
from plugins.web_form.fields import Keys, Sorted, add_source_of_page, sort_fields
from plugins.web_form.form import URLENCODED, read_form

# Bounds in characters.
NAME = 200
PHONE = 100
EMAIL = 320
SUBJECT = 300
TEXT = 200_000
KEY = 200


class Reading(NamedTuple):
    """All that one delivery says."""

    verified: Verified
    event: Event


def read(raw: RawDelivery, keys: Keys, region: str) -> Reading:
    """Read one delivery.

    raises  DeliveryRejected 400 `unreadable`, `idempotency_key`; 415 `media_type`; 422 `fields`, `contact`
    """
    media_type = raw.media_type
    form = read_form(raw.body, media_type)
    sorted_fields = sort_fields(form, keys, region)
    found = sorted_fields.found
    kind = _kind(sorted_fields)
    verified = _verified(raw, media_type, found)
    page = raw.headers.get("referer", "") if media_type == URLENCODED else ""
    add_source_of_page(sorted_fields.source, raw.query, page)
    event = Event(
        kind=kind,
        sender=_sender(found, region, raw.query.get("lang", "")),
        text=found.get("message", "")[:TEXT] or _lines(sorted_fields),
        subject=found.get("subject", "")[:SUBJECT],
        sent_at=_moment(found["sent_at"]) if "sent_at" in found else None,
        fields=sorted_fields.fields,
        source=sorted_fields.source,
        joins_open=False,
    )
    return Reading(verified, event)


def _kind(form: Sorted) -> EventKind:
    if "honeypot" in form.found:
        return EventKind.SPAM
    if form.has_contact:
        return EventKind.MESSAGE
    if form.found.get("test") == "test":  # Tilda tries the address when it is connected
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


def _verified(raw: RawDelivery, media_type: str, found: dict[str, str]) -> Verified:
    key = raw.headers.get("idempotency-key")
    if key is not None:
        if not (0 < len(key) <= KEY and _is_printable(key)):
            raise DeliveryRejected(
                "idempotency_key", f"Idempotency-Key takes 1 to {KEY} printable ASCII characters", status=400
            )
        return Verified(external_id="key:" + key, digest=_digest(raw, media_type))
    for kind in ("tranid", "gforms"):
        if kind in found:
            return Verified(external_id=f"{kind}:{_bounded(found[kind])}")
    if "nonce" in found:
        digest = _digest(raw, media_type)
        return Verified(external_id=f"nonce:{_bounded(found['nonce'])}:{digest[:32]}", digest=digest)
    return Verified(external_id=None)


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _bounded(identifier: str) -> str:
    """A provider's id as it is; its digest where it is too long or not plain."""
    if len(identifier) <= KEY and _is_printable(identifier):
        return identifier
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()


def _digest(raw: RawDelivery, media_type: str) -> str:
    return hashlib.sha256(media_type.encode("utf-8", "surrogatepass") + b"\n" + raw.body).hexdigest()
