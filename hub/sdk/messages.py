"""The values that pass between the hub and a channel. All are frozen and picklable.

RawDelivery  what came in, byte for byte         hub -> plugin
Verified     authentic; names the delivery       plugin -> hub
Parsed       what it says                        plugin -> hub
Outcome      what the hub made of it             hub -> plugin
HttpAnswer   what the sender gets                plugin -> hub
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


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
    IGNORED = "ignored"  # a receipt, an echo, an auto-reply: stored, counted, no task


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a delivery says; usually one event."""

    events: tuple[Event, ...]


class OutcomeKind(StrEnum):
    """What became of a delivery."""

    ACCEPTED = "accepted"  # stored; a request exists
    PENDING = "pending"  # stored; it will be understood later
    NOTED = "noted"  # stored; nothing to do (probe, spam, receipt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The committed result of a delivery; a repeat gets the one of the first."""

    kind: OutcomeKind
    request_id: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An HTTP answer: status 200..599, body bytes with their media type, further headers."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
