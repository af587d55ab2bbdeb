"""/api/v1/contacts/{id}/export and /erase: what the law gives to the person whom the data concerns."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.contacts import store as contacts
from hub.db.tx import Tx
from hub.personal.erasure import erase
from hub.personal.export import export
from hub.web.api import schemas as s
from hub.web.api import views
from hub.web.api.registry import Call, Operation


class ContactExport(BaseModel):
    """Everything about one contact."""

    model_config = ConfigDict(frozen=True)

    contact: dict[str, Any]
    merged: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    orders: list[dict[str, Any]]


def export_contact(conn: Connection, call: Call) -> ContactExport:
    """Hand it out."""
    return ContactExport(**export(conn, call.id()))


def erase_contact(tx: Tx, call: Call) -> s.ContactOut:
    """Erase it; a second time changes nothing."""
    erase(tx, call.actor, call.id())
    return views.contact(contacts.get(tx.conn, call.id()))


OPERATIONS = (
    Operation(
        method="GET", path="/contacts/{id}/export", summary="Everything that is held about a contact",
        tag="contacts", may=May.OPERATE, result=ContactExport, reads=export_contact, errors=(404,),
    ),
    Operation(
        method="POST", path="/contacts/{id}/erase", summary="Erase a contact: words go, sums and keys stay",
        tag="contacts", may=May.OPERATE, result=s.ContactOut, writes=erase_contact, errors=(404, 409),
    ),
)  # fmt: skip
