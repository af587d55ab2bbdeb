"""What does this mail say? From raw bytes to an event. Pure: no network, no clock.

The delivery's key is a digest of what the sender made (Message-ID, From, Date, Subject, the body's first MiB), not of
what servers added on the way: the same mail under a new UIDVALIDITY, in another folder or through an alias is known;
two mails under one Message-ID are two. The message's key is the Message-ID, by which answers find their conversation;
where it is missing, or looks as if a program gave the same one to all its mails, the digest stands beside it, so that
no request is taken for an earlier one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from html import escape

from hub.sdk import Attachment, Event, EventKind, Mark, PayloadUnreadable, RawDelivery, Sender
from plugins.email import automatic, forms, markup, mime, quotes
from plugins.email.automatic import Author
from plugins.email.compose import OURS
from plugins.email.headers import Headers, Mailbox, date, mailboxes, message_ids, split, unix_lines
from plugins.email.mime import Part
from plugins.email.settings import EmailSettings

MAX_FILES = 50
MAX_TEXT = 200_000
MAX_HTML = 400_000
DIGEST_BYTES = 1024 * 1024
_ANSWER = re.compile(r"\s{0,8}(?:re|відп|відповідь|ответ|aw)\s{0,4}(?:\[\d{1,3}\])?\s{0,4}:", re.IGNORECASE)
_SUBJECT_TOKEN = re.compile(r"\[#([A-Za-z0-9_\-]{1,40})\]")
_STUB = re.compile(r"html|не підтримує|не поддерживает|браузер|browser", re.IGNORECASE)


def digest(body: bytes) -> str:
    """The key of a mail: the same for the same mail, however it came."""
    headers, at = split(body, 0, len(body))
    state = blake2b(digest_size=20)
    for name in ("message-id", "from", "date", "subject"):
        state.update(b"%b\n" % b" ".join(headers.raw(name).split()))
    text = body[at : at + DIGEST_BYTES]
    state.update(unix_lines(text).rstrip())
    return state.hexdigest()


def read(raw: RawDelivery, settings: EmailSettings) -> Event:
    """The one event of a mail. Raises PayloadUnreadable where nobody can be told to have sent it."""
    if not raw.body.strip():
        raise PayloadUnreadable("the mail is empty")
    return _Reading(raw, settings).event()


class _Reading:
    """One mail while it is read."""

    def __init__(self, raw: RawDelivery, settings: EmailSettings) -> None:
        self._raw = raw
        self._settings = settings
        self._root = mime.read(raw.body)
        self._headers = self._root.headers
        if not self._headers.charset:
            self._headers.charset = _body_charset(self._root)
        self._senders = mailboxes(self._headers, "from") or mailboxes(self._headers, "sender")
        self._from = self._senders[0] if self._senders else None
        self._reply_to = mailboxes(self._headers, "reply-to")
        self._recipients = mailboxes(self._headers, "to", "cc", "delivered-to", "x-original-to")
        self._refs = _references(self._headers)
        self._subject = self._headers.text("subject")
        self._id = next(iter(message_ids(self._headers, "message-id")), "")

    def event(self) -> Event:
        answers_ours = any(OURS.fullmatch(one) for one in self._refs)
        author = automatic.author_of(self._root, self._from, answers_ours=answers_ours)
        if author is Author.BOUNCE:
            return self._bounce()
        if author in {Author.AUTO_REPLY, Author.READ_RECEIPT, Author.ABUSE_REPORT}:
            return self._ignored(author)
        if self._by_a_hub and self._from is not None and self._from.address in self._settings.own:
            return self._ignored("our own copy")
        person = self._person()
        if author is Author.LIST and not self._settings.take_lists and not self._through_group:
            return self._ignored(author)
        content = _Content(self._root)
        relay = self._relay(content, author)
        if relay is not None:
            return self._from_form(relay, content)
        if person is None:
            raise PayloadUnreadable("the mail names no sender's address")
        if person.address in self._settings.own:
            return self._own(content)
        by_a_program = author is not Author.PERSON or self._by_a_hub
        return self._message(person, content, by_a_program=by_a_program)

    @property
    def _by_a_hub(self) -> bool:
        """A hub sent it: ours, or another business's. The latter's people are customers like any others, but whether
        a person wrote it or it acknowledges something cannot be told once a relay has taken the headers out."""
        return OURS.fullmatch(self._id) is not None

    # --- who ----------------------------------------------------------------------------------------------

    @property
    def _through_group(self) -> bool:
        """A group address of ours passed it on and rewrote From."""
        return bool(self._original()) and self._from is not None and self._from.address in self._settings.own

    def _original(self) -> list[Mailbox]:
        return mailboxes(self._headers, "x-original-from", "x-original-sender")

    def _person(self) -> Mailbox | None:
        """Who is answered: a usable Reply-To, else From; for mail through a group the original sender."""
        if self._through_group:
            return self._original()[0]
        usable = [one for one in self._reply_to if one.address not in self._settings.own]
        if usable and self._from is not None:
            return Mailbox(usable[0].name or self._from.name, usable[0].address)
        return usable[0] if usable else self._from

    def _relay(self, content: _Content, author: Author) -> forms.Form | None:
        """What the form says, where a site's program sent this for a person."""
        if self._from is None or self._refs or self._through_group:
            return None
        mailer = self._headers.text("x-mailer")
        own = self._from.address in self._settings.own
        by_program = forms.is_program(self._from, self._settings.form_senders, mailer=mailer)
        if not own and not by_program and author is not Author.GENERATED:
            return None
        form = forms.read_form(content.text)
        if any(one.address not in {self._from.address, *self._settings.own} for one in self._reply_to):
            return form
        configured = (
            forms.is_program(self._from, self._settings.form_senders, mailer="")
            and self._settings.form_senders
        )
        return form if form.names_somebody or configured else None

    # --- what it becomes ----------------------------------------------------------------------------------

    def _message(self, person: Mailbox, content: _Content, *, by_a_program: bool) -> Event:
        is_answer = bool(self._refs) or _ANSWER.match(self._subject) is not None
        text = content.visible if is_answer and self._settings.trim_quotes else content.text
        return self._event(
            EventKind.MESSAGE,
            Sender(name=person.name, email=person.address, channel_id=""),
            content,
            text=text,
            message_id=self._key(),
            by_a_program=by_a_program,
            shared_id=True,
        )

    def _from_form(self, form: forms.Form, content: _Content) -> Event:
        sender = self._from
        assert sender is not None
        ours = {sender.address, *self._settings.own}
        told = next((one for one in self._reply_to if one.address not in ours), None)
        roles = form.roles
        address = told.address if told is not None else roles.get("email", "")
        phone = roles.get("phone", "")
        name = roles.get("name", "") or (told.name if told is not None else "")
        if not address and not phone:
            address = sender.address
        fields = {**form.fields, **self._fields(content)}
        return self._event(
            EventKind.MESSAGE,
            Sender(name=name[:200], phone=phone, email=address),
            content,
            text=roles.get("message") or content.text,
            message_id=self._key(certain=False),
            fields=fields,
            source={"form": sender.address},
            joins_open=False,
        )

    def _own(self, content: _Content) -> Event:
        """We wrote it ourselves, in another program: shown with the customer it went to."""
        to = next((one for one in self._recipients if one.address not in self._settings.own), None)
        if to is None or "fail" in self._authentication():
            return self._ignored("our own copy")
        return self._event(
            EventKind.ECHO,
            Sender(name=to.name, email=to.address),
            content,
            text=content.visible if self._refs and self._settings.trim_quotes else content.text,
            message_id=self._key(),
        )

    def _bounce(self) -> Event:
        bounce = automatic.read_bounce(self._root, OURS)
        fields = {"automatic": str(Author.BOUNCE), "action": bounce.action}
        mark = {"failed": Mark.FAILED, "delivered": Mark.DELIVERED}.get(bounce.action)
        if not bounce.about or mark is None:
            return Event(kind=EventKind.IGNORED, text=bounce.reason, fields=fields, sent_at=self._sent_at())
        return Event(
            kind=EventKind.RECEIPT,
            about=bounce.about,
            mark=mark,
            text=bounce.reason,
            fields=fields,
            sent_at=self._sent_at(),
        )

    def _ignored(self, why: str) -> Event:
        return Event(
            kind=EventKind.IGNORED,
            fields={"automatic": str(why)},
            subject=self._subject[:300],
            message_id=self._key(),
            replies_to=self._refs,
            thread_token=self._token(),
            sent_at=self._sent_at(),
        )

    def _event(
        self,
        kind: EventKind,
        sender: Sender,
        content: _Content,
        *,
        text: str,
        message_id: str,
        fields: Mapping[str, str] | None = None,
        source: Mapping[str, str] | None = None,
        joins_open: bool = True,
        by_a_program: bool = False,
        shared_id: bool = False,
    ) -> Event:
        text = text[:MAX_TEXT]
        full = content.text[:MAX_TEXT]
        return Event(
            kind=kind,
            sender=sender,
            text=text,
            subject=self._subject[:300],
            message_id=message_id,
            sent_at=self._sent_at(),
            fields=fields if fields is not None else self._fields(content),
            source=source or {},
            joins_open=joins_open,
            full_text="" if full == text else full,
            html=content.html[:MAX_HTML],
            attachments=content.attachments(),
            replies_to=self._refs,
            thread_token=self._token(),
            automatic=by_a_program,
            shared_id=shared_id,
        )

    # --- what stands beside the text ----------------------------------------------------------------------

    def _fields(self, content: _Content) -> dict[str, str]:
        fields: dict[str, str] = {}
        if self._from is not None and self._reply_to and self._reply_to[0].address != self._from.address:
            fields["From"] = self._from.address
        if len(self._recipients) > 1:
            copies = dict.fromkeys(
                one.address for one in self._recipients if one.address not in self._settings.own
            )
            fields |= {"Cc": ", ".join(copies)[:2_000]} if copies else {}
        authentication = self._authentication()
        if authentication:
            fields["Authentication-Results"] = authentication
        if self._raw.headers.get("truncated"):
            fields["truncated"] = (
                f"the mail has {self._raw.headers.get('size', '?')} bytes; its beginning is kept"
            )
        if content.left_out:
            fields["files left out"] = str(content.left_out)
        return fields

    def _authentication(self) -> str:
        """Only what our own mail server says counts: the topmost one, or the one under the settings' name."""
        for value in self._headers.all("authentication-results")[:10]:
            server = value.partition(";")[0].split()
            if not self._settings.authserv_id or server[:1] == [self._settings.authserv_id]:
                found = re.findall(r"\b(dkim|spf|dmarc)=([a-z]{1,20})\b", value[:4_000])
                return ", ".join(dict.fromkeys(f"{name}={result}" for name, result in found))[:300]
        return ""

    def _token(self) -> str:
        """The token of a message of ours that this one answers: in our id, in our address, or in the subject."""
        for one in self._refs:
            match = OURS.fullmatch(one)
            if match is not None and match[2]:
                return match[2]
        for mailbox in self._recipients:
            base, plus, token = mailbox.local.partition("+")
            if plus and f"{base}@{mailbox.domain}" in self._settings.own:
                return self._as_written(token)
        found = _SUBJECT_TOKEN.search(self._subject)
        return found[1] if found else ""

    def _as_written(self, token: str) -> str:
        """Addresses are compared in lower case, tokens are not."""
        everything = " ".join(
            self._headers.structured(name) for name in ("to", "cc", "delivered-to", "x-original-to")
        )
        at = everything.lower().find(f"+{token}@")
        return everything[at + 1 : at + 1 + len(token)][:40] if at >= 0 else token[:40]

    def _key(self, *, certain: bool = True) -> str:
        if self._id and certain and _is_strong(self._id):
            return self._id
        return f"{self._id[:150]}#{digest(self._raw.body)[:16]}"

    def _sent_at(self) -> datetime | None:
        """The Date header; the server's own date where it is missing, or lies in the future."""
        told, taken = date(self._headers), _moment(self._raw.headers.get("internal-date", ""))
        if told is None or told.year < 1990:
            return taken
        received = taken or self._raw.received_at
        return received if told - received > timedelta(days=1) else told


def _references(headers: Headers) -> tuple[str, ...]:
    """Ids that this mail answers, nearest first."""
    nearest = [*message_ids(headers, "in-reply-to"), *reversed(message_ids(headers, "references"))]
    return tuple(dict.fromkeys(nearest))[:20]


def _is_strong(message_id: str) -> bool:
    """Does it look as if it were made for one mail only?"""
    local, _, domain = message_id.rpartition("@")
    return len(local) >= 10 and any(c.isdigit() for c in local) and not domain.startswith("localhost")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def _body_charset(root: Part) -> str:
    """What the first text says of itself: raw 8-bit headers are mostly in the same letters."""
    return next((found for part in root.walk() if (found := part.parameters.get("charset", ""))), "")


class _Content:
    """The texts and files of a mail."""

    def __init__(self, root: Part) -> None:
        self._files: list[tuple[Part, bool]] = []
        self._visible_html: int | None = None
        pieces = self._pieces(root)
        if all(_is_blank(text) for text, _ in pieces):
            pieces = self._forwarded() or pieces
        said = [text for text, _ in pieces if not _is_blank(text)]
        self.text = (said[0] if len(said) == 1 else "\n".join(text.strip("\n") for text in said)).strip()
        self.html = ""
        if any(html for _, html in pieces):
            self.html = "\n".join(html or f"<pre>{escape(text)}</pre>" for text, html in pieces)
        self.left_out = max(0, len(self._files) - MAX_FILES)

    @property
    def visible(self) -> str:
        """Without quotes and signature."""
        own = self.text if self._visible_html is None else self.text[: self._visible_html]
        return quotes.visible(own) if own.strip() else quotes.visible(self.text)

    def attachments(self) -> tuple[Attachment, ...]:
        return tuple(_attachment(part, number, inline=inline) for number, (part, inline) in self._chosen())

    def _chosen(self) -> Iterable[tuple[int, tuple[Part, bool]]]:
        return enumerate(self._files[:MAX_FILES], 1)

    def _pieces(self, part: Part, *, related: bool = False) -> list[tuple[str, str]]:
        """Pairs of plain text and HTML that say the same; files are put aside."""
        kind = part.media_type
        if kind == "multipart/alternative" and part.children:
            return self._alternative(part)
        if part.is_multipart:
            inside = related or kind == "multipart/related"
            return [piece for child in part.children for piece in self._pieces(child, related=inside)]
        is_file = part.disposition == "attachment" or (bool(part.file_name) and kind.startswith("text/"))
        if kind == "text/plain" and not is_file:
            return [(part.text(), "")]
        if kind in {"text/html", "application/xhtml+xml"} and not is_file:
            html = part.text()
            return [(self._rendered(html), html)]
        if kind not in {"message/delivery-status", "text/rfc822-headers"}:
            self._files.append(
                (part, bool(part.content_id) and (related or part.disposition != "attachment"))
            )
        return []

    def _alternative(self, part: Part) -> list[tuple[str, str]]:
        plain, html = "", ""
        for child in part.children:
            if child.media_type == "text/plain" and child.disposition != "attachment" and not plain.strip():
                plain = child.text()
            elif child.media_type == "text/html" and child.disposition != "attachment":
                html = child.text()
            else:
                for text, markup_ in self._pieces(
                    child
                ):  # related below alternative; a calendar beside the text
                    html = markup_ or html
                    plain = plain or ("" if markup_ else text)
        if html and (not plain.strip() or (len(plain) < 200 and len(html) > 1_500 and _STUB.search(plain))):
            plain = self._rendered(html)
        return [(plain, html)]

    def _rendered(self, html: str) -> str:
        text, quote = markup.to_text(html)
        if self._visible_html is None and quote is not None:
            self._visible_html = quote
        return text

    def _forwarded(self) -> list[tuple[str, str]]:
        """The text of an attached message, where nothing is written around it."""
        for part, _ in list(self._files):
            if part.media_type == "message/rfc822" and part.children:
                pieces = self._pieces(part.children[0])
                if any(text.strip() for text, _ in pieces):
                    return pieces
        return []


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _attachment(part: Part, number: int, *, inline: bool) -> Attachment:
    name = part.file_name
    if not name and part.media_type == "message/rfc822" and part.children:
        name = mime.clean_name((part.children[0].headers.text("subject")[:100] or "message") + ".eml")
    body = part.body()
    return Attachment(
        name=name or f"file-{number}",
        media_type=part.media_type[:100],
        size=len(body),
        body=body,
        inline=part.content_id if inline else "",
    )
