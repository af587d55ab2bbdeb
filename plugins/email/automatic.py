"""Was this written by a person? By the headers alone (RFC 3834, RFC 3464, and what programs really send).

A bounce names the message of ours that failed; a reply of a machine, a list and a read receipt open no task. What a
site's form generates ("Auto-Submitted: auto-generated") is no answer of a machine: whether it is a request is decided
by `forms`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from plugins.email import charsets
from plugins.email.headers import Headers, Mailbox, message_ids, split
from plugins.email.mime import Part


class Author(StrEnum):
    """Who made the mail."""

    PERSON = "person"
    GENERATED = "generated"  # a program, of its own accord: a shop, a form
    AUTO_REPLY = "auto-reply"  # a program that answers: on leave, ticket systems
    BOUNCE = "bounce"  # a mail server about a message of ours
    READ_RECEIPT = "read receipt"
    ABUSE_REPORT = "abuse report"
    LIST = "mailing list"


_DAEMONS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon"})
_ANSWERING = frozenset({b"auto_reply", b"auto-reply", b"autoreply"})
_MASS = frozenset({b"bulk", b"list", b"junk"})
_AUTO_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply-from", "x-mail-autoreply")
_AUTO_SUBJECT = re.compile(
    r"(?:автоматична відповідь|автовідповідь|автоматический ответ|автоответ|automatic reply|auto(?:matic)?[ -]?reply"
    r"|out of office|поза офісом|немає на роботі|вне офиса)",
    re.IGNORECASE,
)
_REPORTS = {
    "delivery-status": Author.BOUNCE,
    "disposition-notification": Author.READ_RECEIPT,
    "feedback-report": Author.ABUSE_REPORT,
}


def author_of(root: Part, sender: Mailbox | None, *, answers_ours: bool) -> Author:
    """Who made it. `answers_ours`: it refers to a message that we sent; a weak sign of an auto-reply then suffices."""
    headers = root.headers
    if root.media_type == "multipart/report":
        kind = root.parameters.get("report-type", "").lower()
        if kind in _REPORTS or not kind:
            return _REPORTS.get(kind, Author.BOUNCE)
    if _is_bounce(headers, sender):
        return Author.BOUNCE
    submitted = headers.raw("auto-submitted").lower().partition(b";")[0].partition(b"(")[0].strip()
    if submitted.startswith((b"auto-replied", b"auto-notified")) or _answers_by_itself(headers, answers_ours):
        return Author.AUTO_REPLY
    if headers.has("list-id") or headers.has("list-unsubscribe") or _precedence(headers) in _MASS:
        return Author.LIST
    return Author.GENERATED if submitted not in {b"", b"no"} else Author.PERSON


def _is_bounce(headers: Headers, sender: Mailbox | None) -> bool:
    if headers.has("x-failed-recipients"):
        return True
    if sender is not None and sender.local in _DAEMONS:
        return True
    null_path = headers.has("return-path") and headers.raw("return-path").strip() == b"<>"
    return null_path and not headers.has("auto-submitted") and (sender is None or "daemon" in sender.local)


def _answers_by_itself(headers: Headers, answers_ours: bool) -> bool:
    if any(headers.raw(name).strip().lower() not in {b"", b"no"} for name in _AUTO_HEADERS):
        return True
    if _precedence(headers) in _ANSWERING:
        return True
    subject = _AUTO_SUBJECT.search(headers.text("subject")[:200]) is not None
    return subject and (answers_ours or headers.has("x-auto-response-suppress"))


def _precedence(headers: Headers) -> bytes:
    return headers.raw("precedence").strip().lower()


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a mail server says about a message of ours.

    about    our Message-ID; "" where the report does not hold it
    action   failed, delayed, delivered, relayed, expanded; "" where it is not told
    reason   a sentence with the address and the server's own words
    """

    about: str
    action: str
    reason: str


def read_bounce(root: Part, ours: re.Pattern[str]) -> Bounce:
    """Read a report (RFC 3464), or the text of a server that makes none."""
    action = reason = about = ""
    for part in root.walk():
        if part.media_type == "message/delivery-status":
            action, reason = _status(part)
        elif part.media_type in {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"}:
            about = about or _original_id(part, ours)
    if not about:
        found = ours.search(charsets.decode(root.data[root.start : root.start + 200_000], "utf-8"))
        about = found[0] if found else ""
    if not action and _says_failure(root.headers):
        action = "failed"
        reason = root.headers.text("x-failed-recipients")[:200] or root.headers.text("subject")[:200]
    return Bounce(about, action, reason)


def _status(part: Part) -> tuple[str, str]:
    """The worst action of all recipients, and what was said about that one."""
    body = part.body(200_000)
    at, found = 0, []
    for _ in range(50):
        if at >= len(body):
            break
        headers, at_next = split(body, at, len(body))
        action = headers.text("action").lower()
        if action:
            found.append((action, headers))
        at = max(at_next, at + 1)
    for wanted in ("failed", "delayed", "delivered", "relayed", "expanded"):
        for action, headers in found:
            if action.startswith(wanted):
                return wanted, _reason(headers)
    return "", ""


def _reason(headers: Headers) -> str:
    address = headers.text("final-recipient").partition(";")[2].strip() or headers.text("original-recipient")
    words = headers.text("diagnostic-code").partition(";")[2].strip() or headers.text("status")
    return ": ".join(one for one in (address[:200], words[:300]) if one)


def _original_id(part: Part, ours: re.Pattern[str]) -> str:
    headers = part.children[0].headers if part.children else split(part.body(100_000), 0, 100_000)[0]
    return next((one for one in message_ids(headers, "message-id") if ours.fullmatch(one)), "")


def _says_failure(headers: Headers) -> bool:
    if headers.has("x-failed-recipients"):
        return True
    subject = headers.text("subject").lower()
    words = (
        "fail",
        "undeliver",
        "returned",
        "rejected",
        "не доставлен",
        "недоставлен",
        "не вдалося",
        "не удалось",
    )
    return any(word in subject for word in words) and not any(
        w in subject for w in ("delay", "warning", "затрим")
    )
