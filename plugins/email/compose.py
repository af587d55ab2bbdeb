"""From what the business writes to the bytes of a mail. Pure; the same message gives the same Message-ID at every try.

Our Message-ID is `hub.<id>.<token>@<domain>`: whoever answers brings the token back in In-Reply-To and References, with
no address or subject spoilt. A relay that rewrites the id (Exchange, Amazon SES) loses it; the settings can put the
token into the address (shop+token@) or the subject instead.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from hub.sdk import Outgoing, OutgoingKind, Refused, parse_email
from plugins.email.settings import EmailSettings

MAX_REFERENCES = 20
OURS = re.compile(r"hub\.([A-Za-z0-9_\-]{1,60})\.([A-Za-z0-9_\-]{0,40})@[A-Za-z0-9.\-]{1,253}")
_TOKEN = re.compile(r"[A-Za-z0-9_\-]{1,40}")
_NOT_KEY = re.compile(r"[^A-Za-z0-9_\-]")
_ANSWERS = re.compile(
    r"\s{0,8}(?:re|відп|ответ|на|aw|sv)\s{0,4}(?:\[\d{1,3}\]|\^\d{1,3})?\s{0,4}:", re.IGNORECASE
)
_ID = re.compile(r"[^\s<>]{1,200}@[^\s<>]{1,200}")
_POLICY = SMTP.clone(max_line_length=200)  # references stay whole ids; RFC 5322 allows 998
_SUBJECTS = {"uk": "Ваше звернення", "en": "Your request"}
_AUTOMATIC = {
    OutgoingKind.ACKNOWLEDGEMENT: "auto-replied",
    OutgoingKind.NOTICE: "auto-generated",
    OutgoingKind.STAFF: "auto-generated",
}


def message_id(message: Outgoing, settings: EmailSettings) -> str:
    """The id of this message of ours, without brackets."""
    key = _NOT_KEY.sub("-", message.id)[:60] or "0"
    return f"hub.{key}.{_token(message)}@{_ascii_domain(settings.address)}"


def compose(message: Outgoing, settings: EmailSettings, now: datetime) -> EmailMessage | Refused:
    """The mail, or why it can never be sent."""
    recipient = parse_email(message.to.email)
    if recipient is None:
        return Refused("this person has no usable e-mail address: write one into the card")
    if not message.text.strip() and not message.files:
        return Refused("the message is empty")
    mail = EmailMessage(policy=_POLICY)
    mail["Message-ID"] = f"<{message_id(message, settings)}>"
    mail["Date"] = format_datetime(now)
    mail["From"] = _address(settings.from_name, settings.address)
    mail["To"] = _address(message.to.name, recipient)
    mail["Subject"] = _subject(message, settings)
    _thread(mail, message, settings)
    _mark_automatic(mail, message.kind)
    mail.set_content(_text(message), charset="utf-8", cte="base64" if not message.text.isascii() else None)
    for file in message.files:
        main, _, sub = file.media_type.partition("/")
        if not sub or not (main + sub).isascii() or main in {"multipart", "message", "text"}:
            main, sub = "application", "octet-stream"
        mail.add_attachment(
            file.body, maintype=main, subtype=sub, filename=_one_line(file.name)[:150] or "file"
        )
    return mail


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _ascii_domain(address: str) -> str:
    domain = address.rpartition("@")[2]
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return "hub.invalid"


def envelope_address(address: str) -> str:
    """The address as SMTP takes it: the domain in its ASCII form."""
    return f"{address.rpartition('@')[0]}@{_ascii_domain(address)}"


def _address(name: str, address: str) -> Address:
    plain = _one_line(name)[:100].replace('"', "'")
    local, _, domain = envelope_address(address).rpartition("@")
    return Address(display_name=plain, username=local, domain=domain)


def _token(message: Outgoing) -> str:
    return message.thread_token if _TOKEN.fullmatch(message.thread_token) else ""


def _subject(message: Outgoing, settings: EmailSettings) -> str:
    subject = _one_line(message.subject)[:300] or _SUBJECTS.get(message.language, _SUBJECTS["uk"])
    if message.replies_to and not _ANSWERS.match(subject):
        subject = f"Re: {subject}"
    mark = f"[#{_token(message)}]"
    where = settings.thread_token_in
    if where == "subject" and _token(message) and mark not in subject:
        subject = f"{subject} {mark}"
    return subject


def _thread(mail: EmailMessage, message: Outgoing, settings: EmailSettings) -> None:
    """In-Reply-To is the nearest one; References go from the oldest to the nearest, the middle left out beyond 20."""
    known = [one for one in message.replies_to if _ID.fullmatch(one) and one.isascii()]
    if known:
        mail["In-Reply-To"] = f"<{known[0]}>"
        chain = known[::-1]
        if len(chain) > MAX_REFERENCES:
            chain = [chain[0], *chain[-(MAX_REFERENCES - 1) :]]
        mail["References"] = " ".join(f"<{one}>" for one in chain)
    where = settings.thread_token_in
    if where == "plus_address" and _token(message):
        local, _, domain = settings.address.rpartition("@")
        mail["Reply-To"] = _address(settings.from_name, f"{local}+{_token(message)}@{domain}")


def _mark_automatic(mail: EmailMessage, kind: OutgoingKind) -> None:
    """RFC 3834: no program answers what says that a program wrote it."""
    word = _AUTOMATIC.get(kind)
    if word is not None:
        mail["Auto-Submitted"] = word
        mail["X-Auto-Response-Suppress"] = "All"


def _text(message: Outgoing) -> str:
    """The text, and under it the addresses of buttons that lead somewhere."""
    links = [f"{b.label}: {b.url}" for row in message.buttons for b in row if b.url]
    text = "".join(
        c if c.isprintable() or c in "\n\t" else "\ufffd" for c in message.text.replace("\r\n", "\n")
    )
    return "\n".join([text.rstrip(), *(["", *links] if links else []), ""])
