"""From rows to the values of the API."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hub.contacts.store import ContactRecord
from hub.customers.doubles import SAME_MAILBOX, Double
from hub.customers.moves import MergeRow
from hub.db.rows import AttachmentRow, RequestRow, TaskRow
from hub.kernel.money import show_quantity
from hub.orders.approval import ApprovalRow
from hub.orders.model import EntryRow, LineRow, OrderRow
from hub.orders.money import PaymentRow, balance
from hub.orders.moves import Step
from hub.requests.conversation import Said
from hub.shipments.model import Seen
from hub.shipments.store import ShipmentRow
from hub.web.api import schemas as s
from hub.web.api.schemas import id_of, money, quantity_of, time_of


def _time(at: int) -> str:
    found = time_of(at)
    assert found is not None
    return found


def contact(record: ContactRecord) -> s.ContactOut:
    """A contact."""
    row = record.row
    return s.ContactOut(
        id=str(row.id),
        kind="organisation" if row.kind == "organisation" else "person",
        name=row.name,
        organisation=row.organisation,
        language=row.language,
        note=row.note,
        position=row.position,
        organisation_id=id_of(row.organisation_id),
        merged_into_id=id_of(row.merged_into_id),
        identities=[s.IdentityOut(kind=i.kind, value=i.value) for i in record.identities],
        created_at=_time(row.created_at),
        updated_at=_time(row.updated_at),
        erased_at=time_of(row.erased_at),
        version=row.version,
    )


def contact_detail(
    record: ContactRecord, merges: Sequence[MergeRow], doubles: Sequence[Double]
) -> s.ContactDetail:
    """A contact with what was merged into it and what is probably the same."""
    others = {one.id for double in doubles for one in (double.one.own, double.other.own)} - {record.own.id}
    base = contact(record)
    return s.ContactDetail(
        **{name: getattr(base, name) for name in s.ContactOut.model_fields},
        merges=[
            s.MergeOut(
                contact_id=str(one.merged_id), into_id=str(one.survivor_id), at=_time(one.at), actor=one.actor,
                reason=one.reason,
            )
            for one in merges
        ],
        double_ids=[str(one) for one in sorted(others)],
    )  # fmt: skip


def double(found: Double) -> s.DoubleOut:
    """Two cards that are probably one."""
    return s.DoubleOut(
        contact=contact(found.one),
        other=contact(found.other),
        reason="same mailbox" if found.reason == SAME_MAILBOX else "two contacts",
        request_id=id_of(found.request_id or None),
        times=found.times,
    )


def request(row: RequestRow) -> s.RequestOut:
    """A request."""
    asked = None
    if (
        row.asked_product is not None
        or row.asked_value_minor is not None
        or row.asked_quantity_milli is not None
    ):
        asked = s.AskedOut(
            product=row.asked_product,
            quantity=quantity_of(row.asked_quantity_milli),
            value=money(row.asked_value_minor, row.asked_currency or "UAH"),
        )
    return s.RequestOut(
        id=str(row.id),
        team_id=str(row.team_id),
        contact_id=str(row.contact_id),
        channel=row.account,
        state="open" if row.state == "open" else "closed",
        subject=row.subject,
        source=json.loads(row.source),
        language=row.language,
        sent_again=row.sent_again,
        opened_at=_time(row.opened_at),
        next_contact_at=time_of(row.next_contact_at),
        closed_at=time_of(row.closed_at),
        outcome=row.outcome,
        reason=row.reason,
        asked=asked,
        updated_at=_time(row.updated_at),
        version=row.version,
    )


def request_detail(
    row: RequestRow,
    messages: Sequence[Said],
    task_id: int | None,
    order_ids: Sequence[int],
    other_contact_ids: Sequence[int],
) -> s.RequestDetail:
    """A request with its conversation."""
    return s.RequestDetail(
        **request(row).model_dump(exclude={"asked"}),
        asked=request(row).asked,
        messages=[message(m) for m in messages],
        task_id=id_of(task_id),
        order_ids=[str(i) for i in order_ids],
        other_contact_ids=[str(i) for i in other_contact_ids],
    )


def message(said: Said) -> s.MessageOut:
    """A message."""
    row, extra = said.row, said.extra
    return s.MessageOut(
        id=str(row.id),
        direction=row.direction,
        channel=row.account,
        staff_id=id_of(row.staff_id),
        text=row.body,
        fields=dict(said.fields),
        sent_at=time_of(row.sent_at),
        created_at=_time(row.created_at),
        state=row.state,
        kind=extra.kind,
        subject=extra.subject,
        full_text=extra.full_text,
        problem=extra.problem,
        edited_at=time_of(extra.changed_at) if said.earlier else None,
        files=[file(one) for one in said.files],
    )


def file(row: AttachmentRow) -> s.FileOut:
    """A file of a message."""
    return s.FileOut(
        id=str(row.id),
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        state=row.state,
        reason=row.reason,
    )


def task(row: TaskRow) -> s.TaskOut:
    """A task."""
    return s.TaskOut(
        id=str(row.id),
        team_id=str(row.team_id),
        request_id=id_of(row.request_id),
        kind=row.kind,
        state=row.state,
        title=row.title,
        assignee_id=id_of(row.assignee_id),
        created_at=_time(row.created_at),
        assigned_at=time_of(row.assigned_at),
        accepted_at=time_of(row.accepted_at),
        react_by=time_of(row.react_by_at),
        snoozed_until=time_of(row.snoozed_until_at),
        done_at=time_of(row.done_at),
        outcome=row.outcome,
        reason=row.reason,
        updated_at=_time(row.updated_at),
        version=row.version,
    )


def order(row: OrderRow) -> s.OrderOut:
    """An order."""
    total, paid = money(row.total_minor, row.currency), money(row.paid_minor, row.currency)
    due = money(row.due_minor, row.currency)
    assert total is not None and paid is not None and due is not None  # noqa: PT018 - never null
    return s.OrderOut(
        id=str(row.id),
        number=row.number,
        contact_id=str(row.contact_id),
        request_id=id_of(row.request_id),
        responsible_id=str(row.responsible_id),
        route=row.route,
        stage=row.stage,
        payment=row.payment,
        currency=row.currency,
        total=total,
        paid=paid,
        note=row.note,
        created_at=_time(row.created_at),
        updated_at=_time(row.updated_at),
        next_contact_at=time_of(row.next_contact_at),
        wanted_at=time_of(row.wanted_at),
        closed_at=time_of(row.closed_at),
        version=row.version,
        route_version=row.route_version,
        due=due,
        fields=json.loads(row.fields),
        archived=row.archived_at is not None,
    )


def line(row: LineRow, order_number: str, currency: str) -> s.LineOut:
    """A line."""
    price, total = money(row.price_minor, currency), money(row.total_minor, currency)
    assert price is not None and total is not None  # noqa: PT018 - both columns are never null
    return s.LineOut(
        id=str(row.id),
        order_number=order_number,
        position=row.position,
        kind=row.kind,
        sku=row.sku,
        name=row.name,
        quantity=show_quantity(row.quantity_milli),
        unit=row.unit,
        price=price,
        total=total,
        plan_cost=money(row.plan_cost_minor, currency),
        fact_cost=money(row.fact_cost_minor, currency),
        wanted_at=time_of(row.wanted_at),
    )


def order_detail(
    row: OrderRow,
    lines: Sequence[LineRow],
    shipments: Sequence[ShipmentRow],
    payments: Sequence[PaymentRow],
    approvals: Sequence[ApprovalRow],
    steps: Sequence[Step],
    now: int,
) -> s.OrderDetail:
    """An order with everything that belongs to it."""
    base = order(row)
    awaited = money(balance(row.total_minor, payments, now).awaited, row.currency)
    assert awaited is not None
    return s.OrderDetail(
        **{name: getattr(base, name) for name in s.OrderOut.model_fields},
        lines=[line(one, row.number, row.currency) for one in lines],
        shipments=[shipment(one) for one in shipments],
        payments=payment_list(payments, row.currency),
        awaited=awaited,
        approvals=[approval(one) for one in approvals],
        next_steps=[
            s.NextStepOut(
                stage=one.stage.key,
                title=dict(one.stage.title),
                needs_reason=one.backwards,
                lacking=[s.FieldError(path=p.path, message=p.message) for p in one.lacking],
                waits_for=list(one.waits_for),
            )
            for one in steps
        ],
    )


def payment_list(rows: Sequence[PaymentRow], currency: str) -> list[s.PaymentOut]:
    """Payments of one order, reversals too."""
    gone = {one.reverses_id for one in rows}
    found = []
    for row in rows:
        amount = money(row.amount_minor, currency)
        assert amount is not None
        found.append(
            s.PaymentOut(
                id=str(row.id),
                kind=row.kind,
                amount=amount,
                method=row.method,
                at=_time(row.paid_at),
                note=row.note,
                reverses_id=id_of(row.reverses_id),
                reversed=row.id in gone,
                actor=row.actor,
                created_at=_time(row.created_at),
            )
        )
    return found


def approval(row: ApprovalRow) -> s.ApprovalOut:
    """An approval."""
    return s.ApprovalOut(
        id=str(row.id),
        stage=row.stage,
        role=row.role,
        state=row.state,
        current=row.current,
        task_id=str(row.task_id),
        decided_by=row.decided_by,
        comment=row.comment,
        created_at=_time(row.created_at),
        decided_at=time_of(row.decided_at),
    )


def journal(row: EntryRow) -> s.JournalOut:
    """A journal entry."""
    return s.JournalOut(
        seq=row.seq,
        event=row.event,
        stage=row.stage,
        actor=row.actor,
        reason=row.reason,
        body=json.loads(row.body),
        at=_time(row.at),
        hash=row.hash,
    )


def shipment(row: ShipmentRow) -> s.ShipmentOut:
    """A parcel."""
    return s.ShipmentOut(
        id=str(row.id),
        number=row.number,
        carrier=row.account,
        order_id=id_of(row.order_id),
        parent_id=id_of(row.parent_id),
        relation=row.relation,
        status=row.status,
        money_status=row.money_status,
        raw_code=row.raw_code,
        raw_text=row.raw_text,
        place=row.place,
        status_at=time_of(row.clock_at),
        happened_at=time_of(row.happened_at),
        cod_expected=money(row.cod_expected_minor, row.currency),
        cod_collected=money(row.cod_collected_minor, row.currency),
        cod_paid_out=money(row.cod_paid_out_minor, row.currency),
        estimated_at=time_of(row.estimated_at),
        paid_storage_from=time_of(row.paid_storage_at),
        final=row.final,
        phase=row.phase,
        problem=row.problem,
        problem_text=row.problem_text,
        polled_at=time_of(row.polled_at),
        next_poll_at=time_of(row.next_poll_at),
        created_at=_time(row.created_at),
        updated_at=_time(row.updated_at),
        version=row.version,
    )


def shipment_detail(
    row: ShipmentRow, seen: Sequence[Seen], related: Sequence[ShipmentRow]
) -> s.ShipmentDetail:
    """A parcel with its timeline, each step once, oldest first."""
    base = shipment(row)
    steps = {one.event: one for one in sorted(seen, key=lambda o: o.order_key)}
    return s.ShipmentDetail(
        **{name: getattr(base, name) for name in s.ShipmentOut.model_fields},
        facts=json.loads(row.facts),
        events=[
            s.TrackingEventOut(
                status=one.status,
                raw_code=one.raw_code,
                raw_text=one.raw_text,
                place=one.place,
                status_at=time_of(one.clock_at),
                happened_at=time_of(one.happened_at),
                first_seen_at=_time(one.first_seen_at),
            )
            for one in steps.values()
        ],
        related=[
            s.RelatedOut(shipment_id=str(r.id), number=r.number, relation=r.relation, status=r.status)
            for r in related
        ],
    )
