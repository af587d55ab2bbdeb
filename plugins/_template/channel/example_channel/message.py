"""What a delivery says: the service's JSON to the hub's events. Pure."""

from typing import Any

from hub.sdk import Event, EventKind, Parsed, PayloadUnreadable, Sender
from hub.sdk.reading import read_object, told_text, told_time


def load(body: bytes) -> dict[str, Any]:
    """The JSON object of a delivery. Raises PayloadUnreadable."""
    document = read_object(body)
    if document is None:
        raise PayloadUnreadable("the body is no JSON object")
    return document


def external_id(document: dict[str, Any]) -> str:
    """The service's own id of this delivery: the same again for a repeat. Raises PayloadUnreadable."""
    # FILL IN: the field with the id.
    told = told_text(document.get("id"), 200)
    if not told.isprintable() or not told:
        raise PayloadUnreadable("the delivery has no id")
    return told


def parse(document: dict[str, Any]) -> Parsed:
    """One event; a type that is not known is ignored, and kept."""
    # FILL IN: the type of a customer's message.
    if document.get("type") != "message":
        return Parsed(events=(Event(kind=EventKind.IGNORED),))
    # FILL IN: where the person, the text and the time stand.
    sender = Sender(
        channel_id=told_text(document.get("from"), 200),
        name=told_text(document.get("name"), 200),
    )
    if not sender.channel_id:
        raise PayloadUnreadable("nobody wrote this message")
    event = Event(
        kind=EventKind.MESSAGE,
        sender=sender,
        text=told_text(document.get("text"), 20_000),
        message_id=told_text(document.get("id"), 200),
        sent_at=told_time(document.get("sent_at"), "UTC"),
    )
    return Parsed(events=(event,))
