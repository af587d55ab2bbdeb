"""A conversation as it is read: messages with what only some of them have, oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.db.rows import AttachmentRow, MessageExtraRow, MessageRow
from hub.db.tables import attachment, message_extra
from hub.kernel.errors import NotFound

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a browser may show in place; everything else is only ever downloaded."""

_NOTHING = MessageExtraRow(0, "message", "", "", "", "")


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `earlier`: its texts before it was edited."""

    row: MessageRow
    fields: Mapping[str, str]
    extra: MessageExtraRow
    files: Sequence[AttachmentRow]
    earlier: Sequence[str]


def said(conn: Connection, rows: Sequence[MessageRow]) -> list[Said]:
    """Messages with their extras, two look-ups for all of them."""
    ids = [row.id for row in rows]
    if not ids:
        return []
    extras = {
        found.message_id: MessageExtraRow._make(found)
        for found in conn.execute(select(message_extra).where(message_extra.c.message_id.in_(ids)))
    }
    files: dict[int, list[AttachmentRow]] = {}
    query = select(attachment).where(attachment.c.message_id.in_(ids)).order_by(attachment.c.id)
    for found in conn.execute(query):
        files.setdefault(found.message_id, []).append(AttachmentRow._make(found))
    return [_one(row, extras.get(row.id, _NOTHING), files.get(row.id, ())) for row in rows]


def _one(row: MessageRow, extra: MessageExtraRow, files: Sequence[AttachmentRow]) -> Said:
    earlier = [str(edit["text"]) for edit in orjson.loads(extra.edits)]
    return Said(row, orjson.loads(row.fields), extra, files, earlier)


def albums(conversation: Sequence[Said]) -> list[list[Said]]:
    """Messages of one album stand together: a person has sent them as one."""
    groups: list[list[Said]] = []
    for one in conversation:
        key = one.extra.group_key
        if key and groups and groups[-1][-1].extra.group_key == key:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def file(conn: Connection, attachment_id: int) -> AttachmentRow:
    """One file. Raises NotFound."""
    row = conn.execute(select(attachment).where(attachment.c.id == attachment_id)).one_or_none()
    if row is None:
        raise NotFound(f"no file {attachment_id}")
    return AttachmentRow._make(row)


def html_of(conn: Connection, message_id: int) -> str:
    """The HTML of a message as it came, not yet sanitised. Raises NotFound where it has none."""
    found = conn.execute(
        select(message_extra.c.html).where(message_extra.c.message_id == message_id)
    ).scalar_one_or_none()
    if not found:
        raise NotFound(f"message {message_id} has no HTML")
    return str(found)
