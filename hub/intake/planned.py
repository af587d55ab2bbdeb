"""What one transaction of the intake writes, and what the settings of an account say about who writes there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import Table

from hub.assignment.ledger import Entries
from hub.db import rows as r
from hub.db import tables as t
from hub.intake import acknowledgement
from hub.intake.extras import Signal
from hub.intake.model import Result


class Route(NamedTuple):
    """What the settings of an account say about whoever writes there; "" says nothing."""

    language: str = ""
    skill: str = ""
    staff: bool = False  # the staff's own bot: nobody who writes there is a customer


NO_ROUTES: Mapping[str, Route] = MappingProxyType({})
PLAIN = Route()


@dataclass(slots=True)
class Plan:
    """What one transaction writes. `results` are in the order of the items."""

    results: list[Result] = field(default_factory=list)
    delivery_ids: list[int] = field(default_factory=list)
    contacts: list[r.ContactRow] = field(default_factory=list)
    identities: list[r.IdentityRow] = field(default_factory=list)
    doubts: list[r.ContactDoubtRow] = field(default_factory=list)
    deliveries: list[r.DeliveryRow] = field(default_factory=list)
    bodies: list[r.DeliveryBodyRow] = field(default_factory=list)
    requests: dict[int, r.RequestRow] = field(default_factory=dict)
    messages: list[r.MessageRow] = field(default_factory=list)
    extras: list[r.MessageExtraRow] = field(default_factory=list)
    attachments: list[r.AttachmentRow] = field(default_factory=list)
    signals: list[tuple[str, Sequence[Signal]]] = field(default_factory=list)
    tasks: list[r.TaskRow] = field(default_factory=list)
    journal: list[r.JournalRow] = field(default_factory=list)
    outbox: list[r.OutboxRow] = field(default_factory=list)
    demoted: list[int] = field(default_factory=list)
    woken: list[int] = field(default_factory=list)
    sent_again: list[int] = field(default_factory=list)
    replayed: list[r.DeliveryRow] = field(default_factory=list)
    repeated: dict[str, int] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    repeats_of: list[int] = field(default_factory=list)
    opened: list[acknowledgement.Opened] = field(default_factory=list)  # by people
    started: list[tuple[str, str]] = field(default_factory=list)  # sources of a start that a request has now

    @property
    def asks_more(self) -> bool:
        """Is there anything to write besides new rows and counters?"""
        return bool(self.signals or self.repeats_of or self.started)

    def rows(self, entries: Entries) -> dict[Table, Sequence[tuple[object, ...]]]:
        """Everything to insert, parents before children."""
        return {
            t.contact: self.contacts,
            t.identity: sorted(self.identities),  # by key: batches of two teams may bring the same people
            t.contact_doubt: self.doubts,
            t.delivery: self.deliveries,
            t.delivery_body: self.bodies,
            t.request: list(self.requests.values()),
            t.message: self.messages,
            t.message_extra: self.extras,
            t.attachment: self.attachments,
            t.task: self.tasks,
            t.eligible_set: entries.sets,
            t.ledger: entries.rows,
            t.outbox: self.outbox,
            t.journal: self.journal,
        }
