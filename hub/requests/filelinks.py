"""Public addresses of files that a provider fetches itself: hard to guess, good for a week, for one file each.

The database keeps the hash of the secret only. A link is made when a message leaves, for files of our own
messages alone: what customers sent is never public.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from hub.access.secrets import new_token, token_hash
from hub.db.rows import AttachmentRow
from hub.db.tables import attachment, file_link, message
from hub.db.tx import Tx
from hub.kernel.clock import DAY, Instant

LASTS = 7 * DAY


def make(tx: Tx, attachment_ids: list[int]) -> dict[int, str]:
    """A fresh secret for each file; what has run out is forgotten."""
    tx.execute(delete(file_link).where(file_link.c.expires_at <= tx.now))
    made = {one: new_token() for one in attachment_ids}
    for attachment_id, secret in made.items():
        tx.execute(
            insert(file_link).values(
                token_hash=token_hash(secret), attachment_id=attachment_id, created_at=tx.now,
                expires_at=tx.now + LASTS,
            )
        )  # fmt: skip
    return made


def find(conn: Connection, secret: str, now: Instant) -> AttachmentRow | None:
    """The file that a living link opens."""
    query = (
        select(attachment)
        .join(file_link, file_link.c.attachment_id == attachment.c.id)
        .join(message, message.c.id == attachment.c.message_id)
        .where(
            file_link.c.token_hash == token_hash(secret),
            file_link.c.expires_at > now,
            message.c.direction == "out",
        )
    )
    row = conn.execute(query).one_or_none()
    return AttachmentRow._make(row) if row is not None else None
