"""What the database knows about a batch, read after the teams are locked: one look-up a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.assignment.bench import CALENDAR, Bench
from hub.assignment.ledger import load_roster, rosters_of
from hub.assignment.policy import Roster
from hub.contacts.model import IdentityKey
from hub.db.locks import ask_teams, heads_of
from hub.db.lookup import Lookup, rows_of
from hub.db.tables import (
    contact_owner,
    delivery,
    identity,
    message,
    request,
    start_source,
    task,
    thread_token,
)
from hub.db.tx import Tx
from hub.intake import acknowledgement
from hub.intake.extras import STARTS_KEPT
from hub.intake.model import Message, Prepared
from hub.kernel.text import same_text_key, text_digest
from hub.outbox import webhooks


@dataclass(slots=True)
class KnownDelivery:
    """The stored first outcome of a delivery key."""

    id: int
    digest: str
    state: str
    request_id: int | None


class OpenTask(NamedTuple):
    """The open task of an open request."""

    id: int
    state: str
    membership_id: int | None


@dataclass(slots=True)
class OpenRequest:
    """The joining open request of a contact in a team."""

    id: int
    text_key: str
    opened_at: int
    stored: bool = True  # False while it is a row of this very batch
    task: OpenTask | None = None


class Owner(NamedTuple):
    """Who finished a contact's last request in a team, and when."""

    membership_id: int
    closed_at: int


@dataclass(slots=True)
class Snapshot:
    """The state that a batch is decided on; the plan keeps it up to date as it goes."""

    rosters: dict[int, Roster]
    hooks: bool = False  # somebody wants to hear of new requests
    acknowledging: set[str] = field(default_factory=set)  # accounts
    deliveries: dict[tuple[str, str], KnownDelivery] = field(default_factory=dict)
    message_keys: dict[tuple[str, str], int] = field(default_factory=dict)
    contacts: dict[IdentityKey, int] = field(default_factory=dict)
    open_requests: dict[tuple[int, int], OpenRequest] = field(default_factory=dict)
    owners: dict[tuple[int, int], Owner] = field(default_factory=dict)
    threads: dict[tuple[str, str], OpenRequest] = field(default_factory=dict)  # (account, id); ("", token)
    texts: dict[tuple[str, str], str] = field(
        default_factory=dict
    )  # of known messages whose id may be shared
    starts: dict[tuple[str, str], str] = field(default_factory=dict)  # (channel id, account): how he came


_DELIVERIES = Lookup(
    (
        delivery.c.external_id,
        delivery.c.account,
        delivery.c.id,
        delivery.c.digest,
        delivery.c.state,
        delivery.c.request_id,
    ),
    delivery.c.external_id,
)
_MESSAGES = Lookup((message.c.message_key, message.c.account, message.c.request_id), message.c.message_key)
_IDENTITIES = Lookup((identity.c.value, identity.c.kind, identity.c.contact_id), identity.c.value)
_OPEN = Lookup(
    (request.c.contact_id, request.c.team_id, request.c.id, request.c.text_key, request.c.opened_at),
    request.c.contact_id,
    "joining",  # closing a request ends its joining; `state` here would lead PostgreSQL to the index of states
)
_OWNERS = Lookup(
    (
        contact_owner.c.card_id,
        contact_owner.c.team_id,
        contact_owner.c.membership_id,
        contact_owner.c.closed_at,
    ),
    contact_owner.c.card_id,
)
_HOLDERS = Lookup(
    (task.c.request_id, task.c.id, task.c.state, task.c.membership_id),
    task.c.request_id,
    "state NOT IN ('done', 'cancelled')",
)


_BODIES = Lookup((message.c.message_key, message.c.account, message.c.body), message.c.message_key)
_STARTS = Lookup(
    (start_source.c.channel_id, start_source.c.account, start_source.c.source, start_source.c.at),
    start_source.c.channel_id,
)
_TOKENS = Lookup((thread_token.c.token, thread_token.c.request_id), thread_token.c.token)
_THREADS = Lookup(
    (request.c.id, request.c.team_id, request.c.text_key, request.c.opened_at), request.c.id, "state = 'open'"
)


def read(tx: Tx, items: Sequence[Prepared]) -> Snapshot:
    """Lock the teams of the batch, then look everything up."""
    teams = {item.team_id for item in items}
    messages = [m for item in items for m in item.messages]
    wanted = {key for m in messages for key in m.person.identities}
    chats = {key.value for key in wanted if key.kind.startswith("channel:")}
    message_ids = {m.event.message_id for m in messages if m.event.message_id}
    shared = {m.event.message_id: m for m in messages if m.event.shared_id and m.event.message_id}
    message_ids |= {another_key(m) for m in messages if m.event.shared_id}
    with tx.pipelined():  # one round trip: each statement reads anew, and so after the lock before it
        heads = ask_teams(tx, teams)
        deliveries = _DELIVERIES.ask(tx.conn, {i.external_id for i in items if i.external_id is not None})
        known_messages = _MESSAGES.ask(tx.conn, message_ids)
        identities = _IDENTITIES.ask(tx.conn, {key.value for key in wanted})
        starts = _STARTS.ask(tx.conn, chats)
        hooks, acknowledging = webhooks.ask_any_active(tx), acknowledgement.ask_active(tx)
    locked = heads_of(heads)
    snapshot = Snapshot({}, bool(hooks.fetchall()), {row[0] for row in acknowledging.fetchall()})
    for external_id, account, *rest in rows_of(deliveries):
        snapshot.deliveries[external_id, account] = KnownDelivery(*rest)
    for key, account, request_id in rows_of(known_messages):
        snapshot.message_keys[key, account] = request_id
    for value, kind, contact_id in rows_of(identities):
        snapshot.contacts[IdentityKey(kind, value)] = contact_id
    for channel_id, account, source, at in rows_of(starts):
        if at >= tx.now - STARTS_KEPT:
            snapshot.starts[channel_id, account] = source
    snapshot.rosters = _settled(tx, rosters_of(locked, teams))
    known_ids = {key for key, _ in snapshot.message_keys if key in shared}
    for key, account, body in _BODIES.run(tx.conn, known_ids):
        snapshot.texts[key, account] = same_text_key(body)
    contacts = {snapshot.contacts[key] for key in wanted if key in snapshot.contacts}
    if contacts:
        _of_contacts(tx, snapshot, contacts)
    if known_ids or any(m.extra is not None for m in messages):
        _threads(tx, snapshot, items)
    by_request = {one.id: one for one in (*snapshot.open_requests.values(), *snapshot.threads.values())}
    for request_id, *rest in _HOLDERS.run(tx.conn, by_request.keys()):
        by_request[request_id].task = OpenTask(*rest)
    return snapshot


def _of_contacts(tx: Tx, snapshot: Snapshot, contacts: set[int]) -> None:
    """Open requests of known contacts, and who finished their last one."""
    with tx.pipelined():
        opened, owners = _OPEN.ask(tx.conn, contacts), _OWNERS.ask(tx.conn, contacts)
    for contact_id, team_id, *rest in rows_of(opened):
        snapshot.open_requests[contact_id, team_id] = OpenRequest(*rest)
    for contact_id, team_id, *rest in rows_of(owners):
        owner, known = Owner(*rest), snapshot.owners.get((contact_id, team_id))
        if known is None or owner.closed_at > known.closed_at:  # merged cards may have one each
            snapshot.owners[contact_id, team_id] = owner


def _threads(tx: Tx, snapshot: Snapshot, items: Sequence[Prepared]) -> None:
    """Open requests of the same team that a message answers, by the provider's ids or by our own token."""
    asked: dict[tuple[str, str], int] = {}  # what a message names -> the team it came to
    for item in items:
        if item.messages and item.messages[0].event.shared_id:
            asked |= {(item.raw.account, m.event.message_id): item.team_id for m in item.messages}
        for extra in (m.extra for m in item.messages if m.extra is not None):
            asked |= {(item.raw.account, one): item.team_id for one in extra.replies_to}
            if extra.thread_token:
                asked["", extra.thread_token] = item.team_id
    found: dict[tuple[str, str], int] = {}
    for key, account, request_id in _MESSAGES.run(tx.conn, {one for account, one in asked if account}):
        found[account, key] = request_id
    for token, request_id in _TOKENS.run(tx.conn, {one for account, one in asked if not account}):
        found["", token] = request_id
    known = {one.id: one for one in snapshot.open_requests.values()}
    opened = {row[0]: row for row in _THREADS.run(tx.conn, set(found.values()))}
    for name, request_id in found.items():
        row = opened.get(request_id)
        if row is not None and name in asked and row[1] == asked[name]:
            thread = known.setdefault(request_id, OpenRequest(request_id, row[2], row[3]))
            snapshot.threads[name] = thread


def another_key(message: Message) -> str:
    """The key of a message whose id was borne by another one before it."""
    return f"again:{text_digest((message.event.message_id, message.text_key))}"


def _settled(tx: Tx, rosters: dict[int, Roster]) -> dict[int, Roster]:
    """The locked teams; where somebody came or went meanwhile, that and the queue are settled first."""
    for team_id in sorted(rosters):
        if rosters[team_id].stale(tx.now):
            Bench(tx, CALENDAR, team_id).close()
            rosters[team_id] = load_roster(tx, team_id)
    return rosters
