"""The values that pass between the hub and a channel. All are frozen and picklable.

RawDelivery  what came in, byte for byte         hub -> plugin
Pulled       what a pull channel fetched         plugin -> hub
Verified     authentic; names the delivery       plugin -> hub
Parsed       what it says                        plugin -> hub
Outcome      what the hub made of it             hub -> plugin
HttpAnswer   what the sender gets                plugin -> hub
Outgoing     what the business writes            hub -> plugin
SendResult   what became of it                   plugin -> hub
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hub.kernel.frozen import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RawDelivery:
    """One web hook call or one fetched mail, before anybody has understood it.

    account      name of the channel account it came to
    method       HTTP method in capitals, or "PULL" for fetched ones
    path         what stands behind /in/<account>, "" or "/form"
    headers      names in lower case; a repeated header stands joined by ", "
    query        first value of each query key
    body         the bytes as received, at most `ChannelLimits.max_body_bytes`
    address      the sender's network address as far as trusted proxies tell it; "" for pulled ones
    received_at  aware, UTC
    """

    account: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    address: str
    received_at: datetime

    @property
    def media_type(self) -> str:
        """`application/json`, without parameters, lower case; "" where none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A delivery that is authentic.

    external_id  the provider's own id of this delivery: the same bytes again give the same id;
                 None where the provider has none and each delivery counts as new
    digest       what a repeat under the same external_id must agree with; "" where the provider
                 may repeat with another body (then a difference is only counted)
    """

    external_id: str | None
    digest: str = ""


class EventKind(StrEnum):
    """What a delivery means for the business."""

    MESSAGE = "message"  # a person asks something: opens or joins a request
    PROBE = "probe"  # the provider tests the connection: answered, no task
    SPAM = "spam"  # a trap was hit: stored, counted, no task, can be released
    IGNORED = "ignored"  # an auto-reply, a list mail, an event of no interest: stored, counted, no task
    EDIT = "edit"  # a person changed what he wrote: updates the message `about`, opens nothing
    RECEIPT = "receipt"  # our message `about` was delivered, seen or failed: `mark` says which
    ECHO = "echo"  # we wrote it elsewhere (the provider's own app): shown in the conversation, no task
    JOINED = "joined"  # a person opened the conversation or came back: known, no task
    LEFT = "left"  # a person blocked us or left: he cannot be written to any more


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who writes, as far as the message tells. At least one of phone, email, channel_id for a MESSAGE.

    name          as typed
    phone, email  as typed; the hub normalises them (E.164, lower case) and drops what is none
    channel_id    the provider's id of this person, unique within the account
    organisation  name of the firm, where the sender is one
    language      BCP 47, as far as the provider tells
    """

    name: str = ""
    phone: str = ""
    email: str = ""
    channel_id: str = ""
    organisation: str = ""
    language: str = ""


class Mark(StrEnum):
    """How far a message of ours has come."""

    DELIVERED = "delivered"
    SEEN = "seen"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message.

    name, media_type  as told; the hub trusts neither
    size              bytes, 0 where not told
    body              the bytes where the delivery holds them (mail, multipart); None where they must be fetched
    ref               handle for `Channel.fetch`: what names the file at the provider; never an address with a secret
    inline            content id of a picture that stands inside the text; "" for a file beside it
    """

    name: str = ""
    media_type: str = "application/octet-stream"
    size: int = 0
    body: bytes | None = field(default=None, repr=False)
    ref: str = ""
    inline: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that a delivery says.

    text         what the person wrote, plain text
    subject      the line that names it in a list; "" lets the hub take the first line of the text
    message_id   the provider's id of the message, where it has one apart from the delivery's
    sent_at      when the person wrote it, aware; None where not told
    fields       everything else that came with it, in the order it came, normalised or not: shown as it is
    source       where the person came from: utm_source, page, referrer, form, ...
    joins_open   True where another text of the same person continues the open request (chat, mail);
                 False where it is a request of its own (forms)
    full_text    the whole text where `text` is only its visible part (mail without quotes); "" = the same
    html         the text as HTML, as it came; the hub sanitises it before it is shown; "" where there is none
    attachments  files, at most 50
    replies_to   the provider's ids of the messages that this one answers, nearest first: it joins their request
    thread_token what the hub put into its own message (`Outgoing.thread_token`) and this one brought back
    about        EDIT, RECEIPT: the provider's id of the message meant
    mark         RECEIPT: what happened; `text` may say why it failed
    group        messages of one group are one message to a person (an album): same sender, same `group`
    task_title   what the task is called in lists; "" = the subject
    reaction_s   within how many seconds of working time somebody has to react; None = as its team says
    group_name   where it was written, if not in private (a group chat, a channel's discussion); "" in private
    automatic    a program wrote it, or nobody reads what is sent back: it is never acknowledged
    shared_id    different messages may bear this `message_id` (mail): another text under it is another message
    """

    kind: EventKind
    sender: Sender = field(default_factory=Sender)
    text: str = ""
    subject: str = ""
    message_id: str = ""
    sent_at: datetime | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
    joins_open: bool = True
    full_text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    attachments: tuple[Attachment, ...] = ()
    replies_to: tuple[str, ...] = ()
    thread_token: str = ""
    about: str = ""
    mark: Mark | None = None
    group: str = ""
    group_name: str = ""
    task_title: str = ""
    reaction_s: int | None = None
    automatic: bool = False
    shared_id: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a delivery says; usually one event."""

    events: tuple[Event, ...]


class OutcomeKind(StrEnum):
    """What became of a delivery."""

    ACCEPTED = "accepted"  # stored; a request exists
    PENDING = "pending"  # stored; it will be understood later
    NOTED = "noted"  # stored; nothing to do (probe, spam, receipt)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The committed result of a delivery; a repeat gets the one of the first."""

    kind: OutcomeKind
    request_id: str = ""
    repeated: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An HTTP answer: status 200..599, body bytes with their media type, further headers."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


# --- pulled ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledDelivery:
    """One fetched delivery and the position that is reached once it is stored.

    body      the provider's bytes: one mail (RFC 5322), one update (JSON)
    headers   what the provider tells beside the bytes (folder, uid, internal date), names in lower case
    position  opaque to the hub, at most 4 KiB; stored in the transaction of the delivery
    """

    body: bytes = field(repr=False)
    position: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What one `pull` brought, oldest first.

    position  where the account stands when all of it is stored (a new UIDVALIDITY moves it without any
              delivery); None: where the last delivery says, or unchanged
    more      there is more to fetch at once
    """

    deliveries: tuple[PulledDelivery, ...] = ()
    position: str | None = None
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file of the provider."""

    body: bytes = field(repr=False)
    name: str = ""
    media_type: str = ""


# --- outgoing ----------------------------------------------------------------------------------------------


class OutgoingKind(StrEnum):
    """Why the business writes."""

    REPLY = "reply"  # a person of the staff answers
    ACKNOWLEDGEMENT = "acknowledgement"  # we have got it; never in answer to an automatic message
    NOTICE = "notice"  # the customer's order or parcel has news
    STAFF = "staff"  # to one of the staff (staff bot, notice by mail)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingFile:
    """A file that goes along.

    url  a public https address of the same bytes, hard to guess and good for days, ending in the name: for channels
         that say `files_by_url`; "" elsewhere, and where the hub has no public address
    """

    name: str
    media_type: str
    body: bytes = field(repr=False)
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A choice under a message: `action` comes back as the text of a MESSAGE or in `fields["action"]`.

    share_phone  the button hands over the person's own number (Telegram, Viber)
    url          opens a page instead
    """

    label: str
    action: str = ""
    url: str = ""
    share_phone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to one person.

    id            the hub's id of the message: the same at every try; a provider that takes an idempotency key gets it
    to            the person, with the address of this channel (channel_id, email or phone)
    text          plain text, at most 20,000 characters; the plugin splits what its provider does not take at once
    replies_to    provider's ids of the messages that it answers, nearest first (In-Reply-To, References)
    thread_token  short token that the person's answer may bring back (`Event.thread_token`)
    """

    id: str
    kind: OutgoingKind
    to: Sender
    text: str = field(repr=False)
    subject: str = field(default="", repr=False)
    files: tuple[OutgoingFile, ...] = ()
    buttons: tuple[tuple[Button, ...], ...] = ()
    replies_to: tuple[str, ...] = ()
    thread_token: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """It left; the provider's id where there is one."""

    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never be taken: blocked, no such address, too large. `reason` is a sentence for the seller."""

    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """Try again, not before so many seconds (0: as the back-off says). Nothing has left."""

    seconds: float = 0


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The connection went during the call: it may or may not have left. A person decides."""

    reason: str = ""


SendResult = Sent | Refused | Later | Uncertain
