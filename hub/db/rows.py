"""Rows of the tables that the group commit fills, as tuples in column order.

A tuple a row, no dictionary: the bulk insert hands them to the driver as they are. Field names and order
are those of `hub.db.tables`; a test compares them.
"""

from __future__ import annotations

from typing import NamedTuple


class ContactRow(NamedTuple):
    id: int
    kind: str
    name: str
    organisation: str
    language: str | None
    note: str
    created_at: int
    updated_at: int
    version: int = 1
    erased_at: int | None = None
    merged_into_id: int | None = None
    organisation_id: int | None = None
    position: str = ""


class IdentityRow(NamedTuple):
    value: str
    kind: str
    contact_id: int
    created_at: int
    home_id: int | None = None


class ContactDoubtRow(NamedTuple):
    id: int
    request_id: int
    contact_id: int
    other_contact_id: int
    reason: str
    created_at: int
    settled_at: int | None = None
    settled_by: str | None = None
    decision: str | None = None


class DeliveryRow(NamedTuple):
    id: int
    external_id: str | None
    account: str
    digest: str
    state: str
    request_id: int | None
    task_id: int | None
    reason: str | None
    attempts: int
    repeats: int
    received_at: int
    next_try_at: int | None
    correlation_id: int


class DeliveryBodyRow(NamedTuple):
    delivery_id: int
    method: str
    path: str
    headers: str
    query: str
    address: str
    body: bytes | None
    blob: str | None
    size: int


class RequestRow(NamedTuple):
    id: int
    team_id: int
    contact_id: int
    account: str | None
    state: str
    joining: bool
    subject: str
    source: str
    language: str | None
    text_key: str
    sent_again: int
    priority: int
    opened_at: int
    next_contact_at: int | None
    closed_at: int | None
    outcome: str | None
    reason: str | None
    asked_product: str | None
    asked_quantity_milli: int | None
    asked_value_minor: int | None
    asked_currency: str | None
    actor: str
    correlation_id: int
    updated_at: int
    version: int = 1
    home_id: int | None = None


class MessageRow(NamedTuple):
    id: int
    message_key: str | None
    account: str
    request_id: int
    contact_id: int
    delivery_id: int | None
    direction: str
    staff_id: int | None
    body: str
    fields: str
    sent_at: int | None
    created_at: int
    state: str


class MessageExtraRow(NamedTuple):
    message_id: int
    kind: str
    subject: str
    full_text: str
    html: str
    group_key: str
    edits: str = "[]"
    changed_at: int | None = None
    problem: str | None = None


class AttachmentRow(NamedTuple):
    id: int
    message_id: int
    name: str
    media_type: str
    size: int
    blob: str | None
    ref: str | None
    inline: str
    state: str
    reason: str | None
    attempts: int
    next_try_at: int | None
    created_at: int


class TaskRow(NamedTuple):
    id: int
    team_id: int
    request_id: int | None
    kind: str
    state: str
    membership_id: int | None
    assignee_id: int | None
    title: str
    entry_seq: int | None
    paid_units: int
    held_by: str
    created_at: int
    assigned_at: int | None
    accepted_at: int | None
    due_at: int | None
    snoozed_until_at: int | None
    done_at: int | None
    outcome: str | None
    reason: str | None
    subject_id: int | None
    actor: str
    correlation_id: int
    updated_at: int
    version: int = 1
    needs: str = "{}"
    react_by_at: int | None = None
    reaction_ms: int | None = None


class LedgerRow(NamedTuple):
    team_id: int
    seq: int
    task_id: int | None
    event: str
    set_id: int | None
    taker_id: int | None
    giver_id: int | None
    units: int
    taker_credit: int
    credits: str
    actor: str
    reason: str | None
    at: int
    correlation_id: int
    hash: str


class EligibleSetRow(NamedTuple):
    id: int
    hash: str
    team_id: int
    body: str
    created_at: int


class EligibilityFactRow(NamedTuple):
    id: int
    team_id: int
    membership_id: int
    kind: str
    value: str
    valid_from_at: int
    recorded_at: int
    actor: str
    seq: int
    number: int = 0
    hash: str = ""


class JournalRow(NamedTuple):
    id: int
    entity: str
    entity_id: int
    event: str
    actor: str
    reason: str | None
    body: str
    at: int
    correlation_id: int


class OutboxRow(NamedTuple):
    id: int
    lane: str
    kind: str
    order_key: str
    payload: str
    state: str
    attempts: int
    created_at: int
    next_try_at: int | None
    lease_until_at: int | None
    lease_owner: str | None
    done_at: int | None
    last_error: str | None
    provider_id: str | None
    correlation_id: int


class ObservationRow(NamedTuple):
    id: int
    shipment_id: int
    identity: str
    event: str
    status: str
    raw_code: str
    raw_text: str
    clock_at: int | None
    happened_at: int | None
    place: str
    facts: str
    first_seen_at: int


class RawDocumentRow(NamedTuple):
    id: int
    shipment_id: int
    digest: str
    body: bytes | None
    first_seen_at: int


class ScheduleEntryRow(NamedTuple):
    id: int
    staff_id: int
    kind: str
    body: str
    from_at: int | None
    until_at: int | None
    actor: str
    recorded_at: int
    replaced_at: int | None = None
    replaced_by: str | None = None
