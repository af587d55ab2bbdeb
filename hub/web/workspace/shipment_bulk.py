"""Many numbers at once: paste or send a file, look at every line, then add. And the list as a file."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.kernel import sheets
from hub.kernel.errors import InputRejected, NotFound, RuleSaysNo
from hub.kernel.money import Money
from hub.kernel.sheets import Cell
from hub.shipments import bulk, listing
from hub.shipments.bulk import Heard, Line, Looked, Shelf, Verdict
from hub.shipments.listing import Item, Wanted
from hub.web.i18n import N_
from hub.web.workspace import queries
from hub.web.workspace.forms import LONG_TEXT
from hub.web.workspace.orders import carrier_titles
from hub.web.workspace.render import SECURITY_HEADERS
from hub.web.workspace.shipments import wanted_of
from hub.web.workspace.visit import Visit
from hub.web.workspace.words import Words

MAX_FILE = 5 * 1024 * 1024
MAX_EXPORT = 50_000
EXPORT_PAGE = 1_000
PART = 15_000
TOO_LONG = N_("this is too long: send it as a file")
GOES_ON = N_(
    "only the first %(number)s parcels stand here: choose a filter, or ask for `hub export shipments`"
)
NOTHING = N_("paste numbers, one a line, or choose a file")


async def form_page(visit: Visit) -> web.Response:
    """GET /shipments/add"""
    return _page(visit, [], [])


def _page(visit: Visit, lines: Sequence[Line], looked: Sequence[Looked], status: int = 200) -> web.Response:
    counts = {verdict: sum(one.verdict is verdict for one in looked) for verdict in Verdict}
    return visit.render(
        "shipments_add.html", status, looked=looked, counts=counts, carriers=carrier_titles(visit),
        parts=list(_parts(lines)), most=bulk.MAX_LINES,
        adds=counts[Verdict.READY] + counts[Verdict.WARNING],
    )  # fmt: skip


def _parts(lines: Sequence[Line]) -> Iterator[str]:
    """The lines as fields of a form, each short enough for one."""
    part = ""
    for line in lines:
        part += line.pasted() + "\n"
        if len(part) >= PART:
            yield part
            part = ""
    if part:
        yield part


async def add(visit: Visit) -> web.Response:
    """POST /shipments/add: first a preview of every line, then the same lines for good."""
    form = visit.form
    form.name = "bulk"
    shelf = Shelf(visit.services.carriers, visit.services.account_plugins, carrier_titles(visit))
    lines: Sequence[Line] = []
    heard: Heard | None = None
    default = form.line("carrier")
    default = default if default in visit.services.carriers else ""
    try:
        lines = await _lines_of(visit)
        heard = await asyncio.to_thread(shelf.hear, lines)  # plugins: before anything is locked
        if form.line("confirm") != "1":
            return await _preview(visit, lines, heard, default)
        skip = form.line("skip") == "1"
        looked = await visit.write(
            lambda tx: bulk.add(tx, visit.actor, lines, heard, default=default, skip_problems=skip)
        )
    except InputRejected as error:
        form.message = visit.words.sentence(error.message)
        if heard is None:
            return _page(visit, [], [], 422)
        return await _preview(visit, lines, heard, default, 422)
    except RuleSaysNo as error:  # somebody added one of them meanwhile: the preview says which
        form.message = visit.words.error(error, {})
        assert heard is not None
        return await _preview(visit, lines, heard, default, 409)
    orders = {one.order_id for one in looked if one.is_added}
    alone = len(orders) == 1 and None not in orders
    return visit.redirect(f"/orders/{orders.pop()}#parcels" if alone else "/shipments", "bulk_added")


async def _lines_of(visit: Visit) -> list[Line]:
    form = visit.form
    parts = [form.body(name) for name in form.values if name.startswith("lines_")]
    if parts:
        return bulk.read_pasted("\n".join(parts))
    if visit.uploads:
        body = visit.uploads[0].body
        rows = await asyncio.to_thread(sheets.read_rows, body)
        lines = bulk.read_table(rows)
    else:
        if len(form.values.get("pasted", "")) >= LONG_TEXT:
            raise InputRejected(TOO_LONG)
        lines = bulk.read_pasted(form.body("pasted"))
    if not lines:
        raise InputRejected(NOTHING)
    return lines


async def _preview(
    visit: Visit, lines: Sequence[Line], heard: Heard, default: str, status: int = 200
) -> web.Response:
    now = visit.services.clock.now()
    looked = await visit.read(lambda conn: bulk.look(conn, lines, heard, now, default))
    return _page(visit, lines, looked, status)


# --- the list as a file ------------------------------------------------------------------------------------

HEAD = (
    N_("Number"), N_("Carrier"), N_("Order"), N_("Contact"), N_("Status"), N_("Since"), N_("Place"),
    N_("The carrier's words"), N_("Paid storage from"), N_("Money"), N_("expected"), N_("collected"), N_("paid out"),
    N_("Currency"), N_("Responsible"), N_("Attached"),
)  # fmt: skip


async def export(visit: Visit) -> web.Response:
    """GET /shipments/export: what the list shows with its filters, as CSV or XLSX, in the reader's language."""
    form = visit.query("format") or "csv"
    if form not in {"csv", "xlsx"}:
        raise NotFound
    wanted = replace(wanted_of(visit), cursor="", limit=EXPORT_PAGE)
    now, titles, words = visit.services.clock.now(), carrier_titles(visit), visit.words

    def write(conn: Connection) -> bytes:
        target = io.BytesIO()
        people = queries.names(conn)
        more = [words.t(GOES_ON, number=MAX_EXPORT)]
        rows = (_row(item, words, titles, people) if item else more for item in _all(conn, wanted, now))
        sheets.WRITERS[form](target, [words.t(one) for one in HEAD], rows)
        return target.getvalue()

    body = await visit.read(write)
    name = f"{words.t(N_('Parcels'))} {words.day_field(now)}.{form}"
    answer = web.Response(body=body, content_type=sheets.MEDIA_TYPE[form], headers=SECURITY_HEADERS)
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{_quoted(name)}"
    return answer


def _quoted(name: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - only here

    return quote(name, safe="")


def _all(conn: Connection, wanted: Wanted, now: Any) -> Iterator[Item | None]:
    """Page after page, up to what a spreadsheet is good for; None at the end where there are more."""
    count = 0
    while True:
        found = listing.find(conn, wanted, now)
        yield from listing.items(conn, found.items)
        count += len(found.items)
        if found.further is None:
            return
        if count >= MAX_EXPORT:
            yield None
            return
        wanted = replace(wanted, cursor=found.further)


def _row(item: Item, words: Words, titles: dict[str, str], people: dict[int, str]) -> list[Cell]:
    row = item.row
    since = row.happened_at or row.clock_at

    def day(at: int | None) -> str:
        return words.moment_field(at).replace("T", " ")

    def total(minor: int | None) -> Decimal | None:
        return Money(minor, row.currency).as_decimal() if minor is not None else None

    return [
        row.number, titles.get(row.account, row.account), item.order_number or "",
        words.contact(item.contact) if item.contact is not None else "", words.status(row.status).text, day(since),
        row.place or "", row.raw_text or "", day(row.paid_storage_at), words.money_status(row.money_status).text,
        total(row.cod_expected_minor), total(row.cod_collected_minor), total(row.cod_paid_out_minor), row.currency,
        people.get(item.responsible_id or 0, ""), day(row.created_at),
    ]  # fmt: skip
