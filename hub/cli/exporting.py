"""hub export: all requests, orders, shipments or contacts as CSV, XLSX or JSON lines.

Rows are read page by page in the order they were made, so that a million of them need no memory. Sums are in
major units with their currency beside them; times are RFC 3339 UTC; texts of CSV and XLSX cannot become formulas.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.frame import config_option, ground_of, guarded
from hub.kernel.errors import InputRejected

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from hub.kernel.sheets import Cell
    from hub.opening import Ground

PAGE = 1_000
Reader = Callable[..., "list[tuple[int, list[Cell]]]"]
"""Takes a connection and `after`, the last id that was read."""


@click.command("export")
@click.argument("what", type=click.Choice(["requests", "orders", "shipments", "contacts"]))
@click.option(
    "--format", "form", type=click.Choice(["csv", "xlsx", "jsonl"]), default="csv", show_default=True,
    help="How it is written.",
)  # fmt: skip
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write (default: standard output).",
)
@config_option
@guarded
def export(what: str, form: str, output: Path | None, config: str | None) -> None:
    """Write all requests, orders, shipments or contacts into a table. It holds personal data: keep it safe."""
    from hub.kernel.sheets import WRITERS  # noqa: PLC0415

    if output is None and form == "xlsx" and sys.stdout.isatty():
        raise InputRejected("--output: an XLSX file cannot be shown on a screen, name a file")
    if output is not None and output.exists():
        raise InputRejected(f"{output} is there already: choose another name")
    with ground_of(config) as ground:
        head, read = _TABLES[what]
        rows = _pages(ground, read, what)
        if output is None:
            WRITERS[form](sys.stdout.buffer, head, rows)
            sys.stdout.buffer.flush()
            return
        part = output.with_name(f".{output.name}.part")
        try:
            with part.open("wb") as target:
                count = WRITERS[form](target, head, rows)
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    click.echo(f"wrote {count} rows to {output}", err=True)


def _pages(ground: Ground, read: Reader, what: str) -> Iterator[list[Cell]]:
    after, done = 0, 0
    while True:
        page: list[tuple[int, list[Cell]]] = ground.db.read_now(partial(read, after=after))
        for _, row in page:
            yield row
        done += len(page)
        if len(page) < PAGE:
            return
        after = page[-1][0]
        if done % 10_000 == 0:
            click.echo(f"{what}: {done}", err=True)


def _time(at: int | None) -> str:
    from hub.kernel.clock import rfc3339  # noqa: PLC0415

    return rfc3339(at) if at is not None else ""


def _sum(minor: int | None, currency: str) -> Cell:
    from hub.kernel.money import Money  # noqa: PLC0415

    return Money(minor, currency).as_decimal() if minor is not None else None


def _people(conn: Connection) -> dict[int, str]:
    from sqlalchemy import select  # noqa: PLC0415

    from hub.db.tables import staff  # noqa: PLC0415

    return {row.id: row.name for row in conn.execute(select(staff.c.id, staff.c.name))}


def _contacts(conn: Connection, after: int) -> list[tuple[int, list[Cell]]]:
    from sqlalchemy import select  # noqa: PLC0415

    from hub.contacts import store  # noqa: PLC0415
    from hub.db.tables import contact  # noqa: PLC0415

    whole = select(contact.c.id).where(contact.c.merged_into_id.is_(None))
    ids = list(conn.execute(_page(whole, contact.c.id, after)).scalars())
    known = store.many(conn, ids)
    found: list[tuple[int, list[Cell]]] = []
    for one in ids:
        row, identities = known[one].row, known[one].identities
        phones = " ".join(i.value for i in identities if i.kind == "phone")
        emails = " ".join(i.value for i in identities if i.kind == "email")
        found.append((one, [
            str(one), row.name, row.organisation, phones, emails, row.language or "", row.note,
            _time(row.created_at), _time(row.updated_at),
        ]))  # fmt: skip
    return found


def _requests(conn: Connection, after: int) -> list[tuple[int, list[Cell]]]:
    from sqlalchemy import select  # noqa: PLC0415

    from hub.contacts import store  # noqa: PLC0415
    from hub.db.rows import RequestRow  # noqa: PLC0415
    from hub.db.tables import request, team  # noqa: PLC0415

    rows = [RequestRow._make(r) for r in conn.execute(_page(select(request), request.c.id, after))]
    known = store.many(conn, sorted({r.contact_id for r in rows}))
    teams = {r.id: r.name for r in conn.execute(select(team.c.id, team.c.name))}
    found: list[tuple[int, list[Cell]]] = []
    for r in rows:
        who = known.get(r.contact_id)
        found.append((r.id, [
            str(r.id), r.account or "", teams.get(r.team_id, ""), str(r.contact_id), who.row.name if who else "",
            who.first("phone") if who else "", r.subject, r.state, r.outcome or "", r.reason or "",
            _time(r.opened_at), _time(r.next_contact_at), _time(r.closed_at),
        ]))  # fmt: skip
    return found


def _orders(conn: Connection, after: int) -> list[tuple[int, list[Cell]]]:
    from sqlalchemy import select  # noqa: PLC0415

    from hub.contacts import store  # noqa: PLC0415
    from hub.db.tables import orders, shipment  # noqa: PLC0415
    from hub.orders.model import OrderRow  # noqa: PLC0415

    rows = [OrderRow._make(r) for r in conn.execute(_page(select(orders), orders.c.id, after))]
    known, people = store.many(conn, sorted({r.contact_id for r in rows})), _people(conn)
    waybills: dict[int, list[str]] = {}
    sent = select(shipment.c.order_id, shipment.c.number).where(
        shipment.c.order_id.in_([r.id for r in rows]), shipment.c.relation == "outbound"
    )
    for order_id, number in conn.execute(sent.order_by(shipment.c.id)):
        waybills.setdefault(order_id, []).append(number)
    found: list[tuple[int, list[Cell]]] = []
    for r in rows:
        who = known[r.contact_id]
        found.append((r.id, [
            str(r.id), r.number, str(r.contact_id), who.row.name or who.row.organisation, who.first("phone"),
            who.first("email"), people.get(r.responsible_id, ""), r.route, r.stage, r.payment,
            _sum(r.total_minor, r.currency), _sum(r.paid_minor, r.currency), r.currency, r.note,
            " ".join(waybills.get(r.id, ())), _time(r.created_at), _time(r.next_contact_at), _time(r.closed_at),
        ]))  # fmt: skip
    return found


def _shipments(conn: Connection, after: int) -> list[tuple[int, list[Cell]]]:
    from sqlalchemy import select  # noqa: PLC0415

    from hub.db.tables import orders, shipment  # noqa: PLC0415
    from hub.shipments.store import ShipmentRow  # noqa: PLC0415

    rows = [ShipmentRow._make(r) for r in conn.execute(_page(select(shipment), shipment.c.id, after))]
    ids = {r.order_id for r in rows if r.order_id is not None}
    query = select(orders.c.id, orders.c.number).where(orders.c.id.in_(ids))
    numbers = {r.id: r.number for r in conn.execute(query)}
    return [
        (r.id, [
            str(r.id), r.number, r.account, numbers.get(r.order_id or 0, ""), r.relation, r.status, r.raw_code or "",
            r.raw_text or "", r.place or "", _time(r.happened_at or r.clock_at), r.money_status,
            _sum(r.cod_expected_minor, r.currency), _sum(r.cod_collected_minor, r.currency),
            _sum(r.cod_paid_out_minor, r.currency), r.currency, _time(r.estimated_at), _time(r.paid_storage_at),
            "yes" if r.final else "no", r.problem or "", _time(r.created_at), _time(r.updated_at),
        ])
        for r in rows
    ]  # fmt: skip


def _page(query: Any, key: Any, after: int) -> Any:
    return query.where(key > after).order_by(key).limit(PAGE)


_TABLES: dict[str, tuple[Sequence[str], Reader]] = {
    "contacts": (
        ("id", "name", "organisation", "phone", "email", "language", "note", "created_at", "updated_at"),
        _contacts,
    ),
    "requests": (
        ("id", "channel", "team", "contact_id", "name", "phone", "subject", "state", "outcome", "reason",
         "opened_at", "next_contact_at", "closed_at"),
        _requests,
    ),
    "orders": (
        ("id", "number", "contact_id", "name", "phone", "email", "responsible", "route", "stage", "payment", "total",
         "paid", "currency", "note", "waybills", "created_at", "next_contact_at", "closed_at"),
        _orders,
    ),
    "shipments": (
        ("id", "number", "carrier", "order", "relation", "status", "raw_code", "raw_text", "place", "status_at",
         "money_status", "cod_expected", "cod_collected", "cod_paid_out", "currency", "estimated_at",
         "paid_storage_from", "final", "problem", "created_at", "updated_at"),
        _shipments,
    ),
}  # fmt: skip

COMMANDS = (export,)
