"""Texts for replies as the page of a request offers them: with everything filled in. Reads only.

With an order of the request its newest one gives the values; without one only the customer's and the seller's
names are known. A text that needs what is not there is offered too, and says what is missing: it could not be
sent with holes in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import Connection

from hub.contacts import store as contacts
from hub.orders import store, templates
from hub.orders.outgoing import values_of
from hub.requests import store as requests

USUAL = "uk"


@dataclass(frozen=True, slots=True)
class Offered:
    """One text. `missing`: variables that nothing stands for yet."""

    name: str
    language: str
    text: str
    missing: tuple[str, ...]


def offered(conn: Connection, request_id: int, staff_id: int | None) -> list[Offered]:
    """All texts, those in the customer's language first. Raises NotFound."""
    request = requests.get(conn, request_id)
    contact = contacts.get(conn, request.contact_id).row
    wanted = contact.language or request.language or USUAL
    found = [
        _one(row.name, row.language, row.body, _values(conn, request_id, staff_id, row.language))
        for row in store.templates(conn)
    ]
    return sorted(found, key=lambda one: (one.language != wanted, bool(one.missing), one.name))


def _values(conn: Connection, request_id: int, staff_id: int | None, language: str) -> dict[str, str]:
    made = store.of_request(conn, request_id)
    if made:
        newest = max(made, key=lambda row: row.id)
        return values_of(conn, newest, store.load_route(conn, newest.route, newest.route_version), language)
    contact = contacts.get(conn, requests.get(conn, request_id).contact_id).row
    values = {"contact.name": contact.name or contact.organisation}
    return values | ({"responsible.name": store.name_of(conn, staff_id)} if staff_id is not None else {})


def _one(name: str, language: str, body: str, values: dict[str, str]) -> Offered:
    needed = dict.fromkeys(templates.variables_of(body))
    missing = tuple(one for one in needed if not values.get(one))
    return Offered(name, language, templates.fill(body, values), missing)
