"""Web hooks out: whom to tell what happened, and how a call is signed. SQL and pure parts; no network.

An event becomes one outbox row a hook, in the transaction of its cause; calls about one thing keep their
order. What is signed is the time, the id of the event and the body, so that neither can be exchanged.
Secrets stand encrypted in the database (`hub.kernel.sealing`); those of before are sealed at the next start.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from hub.db.rows import OutboxRow
from hub.db.tables import outbox, webhook
from hub.db.tx import Tx
from hub.kernel.clock import rfc3339
from hub.kernel.errors import FieldProblem, InputRejected, NotFound, VersionConflict
from hub.kernel.sealing import SecretKey, SecretKeyMissing
from hub.outbox.model import OutboxState

LANE = "webhook"
EVENTS = {
    "order.created": "an order was made",
    "order.stage": "an order came to another stage",
    "order.paid": "a payment came, or was taken back",
    "shipment.attached": "a parcel joined an order",
    "shipment.detached": "a parcel was taken off its order",
    "shipment.status": "a parcel has another status",
    "shipment.place": "a parcel is at another place",
    "shipment.estimated": "a parcel is expected on another day",
    "shipment.storage": "paid storage of a parcel begins at another moment",
    "shipment.money": "the money of a parcel has another status, or a sum became known or another",
    "shipment.linked": "a return, redirect, money or papers waybill belongs to a parcel now",
    "shipment.question": "a seller has to look at a parcel: no news, not found, a bad number",
    "request.created": "a customer asks",
    "request.closed": "a request was closed with its outcome",
    "contact.merged": "a card was merged into another",
    "contact.unmerged": "a merged card stands on its own again",
}
VERSION = 1
"""Of the document of an event. It grows by keys; what is there keeps its name and meaning within a version."""
MAX_URL, MAX_SECRET, MIN_SECRET = 2_000, 200, 16
DEAD_SHOWN = 100


def sign(secret: str, timestamp: int, event_id: str, body: bytes) -> str:
    """The value of Hub-Signature: v1= and the HMAC-SHA256 of `<timestamp>.<event id>.<body>` in hex."""
    signed = f"{timestamp}.{event_id}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def check(url: str, secret: str, events: Sequence[str]) -> list[FieldProblem]:
    """What is wrong with a hook."""
    problems = []
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        odd = parts.username is not None or parts.fragment != "" or any(ord(c) <= 0x20 for c in url)
    except ValueError:
        usable, odd = False, True
    if not usable or odd or len(url) > MAX_URL:
        problems.append(FieldProblem("url", "an address such as https://shop.example/hub, without a login"))
    if not MIN_SECRET <= len(secret) <= MAX_SECRET or not secret.isascii():
        problems.append(FieldProblem("secret", f"{MIN_SECRET} to {MAX_SECRET} ASCII characters"))
    unknown = [one for one in events if one not in EVENTS]
    if unknown or not events:
        problems.append(FieldProblem("events", f"some of {', '.join(EVENTS)}"))
    return problems


# --- hooks -----------------------------------------------------------------------------------------------


def all_hooks(conn: Connection) -> list[Any]:
    """All hooks, oldest first."""
    return list(conn.execute(select(webhook).order_by(webhook.c.id)))


def get(conn: Connection, hook_id: int) -> Any:
    """One hook. Raises NotFound."""
    row = conn.execute(select(webhook).where(webhook.c.id == hook_id)).one_or_none()
    if row is None:
        raise NotFound(f"no webhook {hook_id}")
    return row


def add(tx: Tx, actor: str, url: str, secret: str, events: Sequence[str], *, key: SecretKey | None) -> int:
    """A new hook. Raises InputRejected naming every fault, SecretKeyMissing where its secret cannot be kept."""
    _require(check(url, secret, events))
    hook_id = tx.new_id()
    tx.execute(
        insert(webhook).values(
            id=hook_id, url=url, secret="", sealed=_sealed(key, hook_id, secret),
            events=json.dumps(sorted(set(events))), active=True, actor=actor, created_at=tx.now,
            updated_at=tx.now,
        )
    )  # fmt: skip
    return hook_id


def _sealed(key: SecretKey | None, hook_id: int, secret: str) -> str:
    if key is None:
        raise SecretKeyMissing
    return key.seal(_owner(hook_id), "secret", secret)


def _owner(hook_id: int) -> str:
    return f"webhook:{hook_id}"


def secret_of(hook: Any, key: SecretKey | None) -> str:
    """What the calls of a hook are signed with. Raises SecretKeyMissing, SecretKeyWrong."""
    if not hook.sealed:
        return str(hook.secret)
    if key is None:
        raise SecretKeyMissing
    return key.open(_owner(hook.id), "secret", hook.sealed)


def seal_secrets(tx: Tx, key: SecretKey) -> None:
    """Seal what stands in plain text, and what an older key has sealed."""
    for row in all_hooks(tx.conn):
        if row.sealed and (key.wrote(row.sealed) or not key.opens(_owner(row.id), "secret", row.sealed)):
            continue
        sealed = _sealed(key, row.id, secret_of(row, key))
        tx.execute(update(webhook).where(webhook.c.id == row.id).values(secret="", sealed=sealed))


def sealed_before(conn: Connection, key: SecretKey) -> int:
    """How many secrets still wait for the older key."""
    return sum(bool(row.sealed) and not key.wrote(row.sealed) for row in all_hooks(conn))


def in_plain_text(conn: Connection) -> int:
    """How many hooks have a secret that anybody reads who sees the database."""
    return sum(not row.sealed for row in all_hooks(conn))


def unreadable(conn: Connection, key: SecretKey | None) -> list[str]:
    """Where hooks lead whose secret cannot be opened."""
    sealed = [row for row in all_hooks(conn) if row.sealed]
    return [row.url for row in sealed if key is None or not key.opens(_owner(row.id), "secret", row.sealed)]


def change(
    tx: Tx,
    actor: str,
    hook_id: int,
    *,
    url: str | None = None,
    secret: str | None = None,
    events: Sequence[str] | None = None,
    active: bool | None = None,
    expected_version: int | None = None,
    key: SecretKey | None = None,
) -> None:
    """Change a hook; None leaves it. What waits is sent to where it leads now."""
    row = get(tx.conn, hook_id)
    if expected_version is not None and expected_version != row.version:
        raise VersionConflict(f"webhook {hook_id} was changed by somebody else", version=row.version)
    told = json.loads(row.events) if events is None else sorted(set(events))
    values: dict[str, Any] = {
        "url": row.url if url is None else url,
        "active": row.active if active is None else active,
    }
    _require(check(values["url"], "x" * MIN_SECRET if secret is None else secret, told))
    if secret is not None:
        values |= {"secret": "", "sealed": _sealed(key, hook_id, secret)}
    tx.execute(
        update(webhook)
        .where(webhook.c.id == hook_id)
        .values(events=json.dumps(told), actor=actor, updated_at=tx.now, version=row.version + 1, **values)
    )


def remove(tx: Tx, hook_id: int) -> None:
    """Take a hook away; what waits for it is dead."""
    get(tx.conn, hook_id)
    tx.execute(delete(webhook).where(webhook.c.id == hook_id))


def _require(problems: list[FieldProblem]) -> None:
    if problems:
        raise InputRejected("this web hook cannot be kept", problems)


# --- events ----------------------------------------------------------------------------------------------


def ask_any_active(tx: Tx) -> Any:
    """Is there any hook at all? A cursor, of the driver's own: the intake asks at each batch, in its pipeline."""
    driver: Any = tx.conn.connection.driver_connection
    return driver.execute("SELECT 1 FROM webhook WHERE active LIMIT 1")


def any_active(tx: Tx) -> bool:
    """The same, answered at once."""
    return bool(ask_any_active(tx).fetchall())


def emit(tx: Tx, event: str, thing: str, body: Mapping[str, object]) -> None:
    """Tell every hook that wants this event; `thing` (order:12) keeps what is about it in order."""
    emit_all(tx, event, [(thing, body)])


def emit_all(tx: Tx, event: str, told: Sequence[tuple[str, Mapping[str, object]]]) -> None:
    """Several things at once, with one look at the hooks."""
    emit_each(tx, [(event, thing, body) for thing, body in told])


def emit_each(tx: Tx, told: Sequence[tuple[str, str, Mapping[str, object]]]) -> None:
    """Several events (event, thing, body), in their order, with one look at the hooks."""
    if not told:
        return
    active = tx.execute(select(webhook.c.id, webhook.c.events).where(webhook.c.active))
    hooks = [(row.id, set(json.loads(row.events))) for row in active]
    rows = [
        _row(tx, event, thing, body, hook_id)
        for event, thing, body in told
        for hook_id, wanted in hooks
        if event in wanted
    ]
    if rows:
        tx.insert({outbox: rows})


def _row(tx: Tx, event: str, thing: str, body: Mapping[str, object], hook_id: int) -> OutboxRow:
    row_id = tx.new_id()
    told = {"event": event, "event_id": str(row_id), "version": VERSION, "at": rfc3339(tx.now), "data": body}
    payload = orjson.dumps({"webhook_id": str(hook_id), "body": orjson.dumps(told).decode()}).decode()
    return OutboxRow(
        row_id, LANE, event, f"{hook_id}:{thing}", payload, "ready", 0, tx.now, tx.now,
        None, None, None, None, None, tx.correlation_id,
    )  # fmt: skip


# --- what did not arrive ---------------------------------------------------------------------------------


def dead(conn: Connection, hook_id: int | None = None) -> list[OutboxRow]:
    """Calls that were given up, newest first."""
    query = select(outbox).where(outbox.c.lane == LANE, outbox.c.state == OutboxState.DEAD)
    if hook_id is not None:
        query = query.where(outbox.c.order_key.startswith(f"{hook_id}:", autoescape=True))
    query = query.order_by(outbox.c.id.desc()).limit(DEAD_SHOWN)
    return [OutboxRow._make(row) for row in conn.execute(query)]


def send_again(tx: Tx, row_id: int) -> None:
    """A call that was given up is tried once more, with its event id. Raises NotFound."""
    met = tx.changed(
        update(outbox)
        .where(outbox.c.id == row_id, outbox.c.lane == LANE, outbox.c.state == OutboxState.DEAD)
        .values(state=OutboxState.READY, attempts=0, next_try_at=tx.now, last_error=None)
    )
    if met != 1:
        raise NotFound(f"no call {row_id} that was given up")


def settled(tx: Tx, hook_id: int, error: str | None) -> None:
    """How the last call to a hook went."""
    values: dict[str, Any] = {"last_ok_at": tx.now} if error is None else {"last_failed_at": tx.now}
    tx.execute(
        update(webhook)
        .where(webhook.c.id == hook_id)
        .values(last_error=error[:500] if error else None, **values)
    )
