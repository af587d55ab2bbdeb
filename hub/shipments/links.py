"""Public tracking pages: one secret address an order, for the customer, without signing in.

The secret is the right, so it is long and random, and kept readable: the seller sends it again and again. A
new one ends the old one. What the page shows is what the customer knows already: the shop, the number of his
order, where the parcel is, what he pays. No name, no telephone, no address, nothing of other orders.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from hub.access import secrets
from hub.access.model import Actor, May
from hub.db.tables import track_link
from hub.db.tx import Tx
from hub.orders import service as orders
from hub.orders import store as order_store

PATH = "/t/"


def link_of(conn: Connection, order_id: int) -> str | None:
    """The secret of an order's page; None where it has none."""
    query = select(track_link.c.secret).where(track_link.c.order_id == order_id)
    return conn.execute(query).scalar_one_or_none()


def order_of(conn: Connection, secret: str) -> int | None:
    """The order that a secret opens."""
    if not 20 <= len(secret) <= 60 or not secret.isascii():
        return None
    query = select(track_link.c.order_id).where(track_link.c.secret == secret)
    return conn.execute(query).scalar_one_or_none()


def ensure_link(tx: Tx, order_id: int) -> str:
    """The secret of an order's page, made where there is none."""
    return link_of(tx.conn, order_id) or _make(tx, order_id)


def renew(tx: Tx, actor: Actor, order_id: int) -> str:
    """A new address; the one before leads nowhere from now on."""
    actor.require(May.WORK)
    order_store.get(tx.conn, order_id)
    tx.execute(delete(track_link).where(track_link.c.order_id == order_id))
    secret = _make(tx, order_id)
    orders.remark(tx, actor, order_id, "track_link_made", {})
    return secret


def revoke(tx: Tx, actor: Actor, order_id: int) -> bool:
    """No public page any more. False: there was none."""
    actor.require(May.WORK)
    order_store.get(tx.conn, order_id)
    met = tx.changed(delete(track_link).where(track_link.c.order_id == order_id))
    if met:
        orders.remark(tx, actor, order_id, "track_link_ended", {})
    return bool(met)


def _make(tx: Tx, order_id: int) -> str:
    secret = secrets.new_token()
    tx.execute(insert(track_link).values(secret=secret, order_id=order_id, created_at=tx.now))
    return secret
