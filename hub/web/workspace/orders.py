"""The registry of orders, a new order, and the page of an order with its parcels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.orders import store
from hub.orders.model import EntryRow, LineRow, OrderRow
from hub.orders.stages import PARCEL, Route, Stage
from hub.shipments import store as shipments
from hub.shipments.model import Seen
from hub.shipments.store import ShipmentRow
from hub.web.i18n import SOURCE
from hub.web.workspace import queries
from hub.web.workspace.order_lines import MORE_ROWS, rows_of
from hub.web.workspace.visit import Visit


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel as the page of its order shows it: its steps newest first, its further waybills."""

    row: ShipmentRow
    steps: Sequence[Seen]
    related: Sequence[ShipmentRow]
    carrier: str

    @property
    def difference_minor(self) -> int | None:
        """What came against what was expected; None while one of the two is not told."""
        came = (
            self.row.cod_paid_out_minor
            if self.row.cod_paid_out_minor is not None
            else self.row.cod_collected_minor
        )
        if came is None or self.row.cod_expected_minor is None:
            return None
        return came - self.row.cod_expected_minor

    @property
    def has_money(self) -> bool:
        """Is there a money line to show?"""
        row = self.row
        told = (row.cod_expected_minor, row.cod_collected_minor, row.cod_paid_out_minor)
        return row.money_status != "none" or any(told)


@dataclass(frozen=True, slots=True)
class Chapter:
    """The journal of one stay in one stage."""

    stage: str
    entries: Sequence[tuple[EntryRow, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class OrderView:
    """Everything on the page of an order."""

    order: OrderRow
    contact: ContactRecord
    route: Route
    lines: Sequence[LineRow]
    parcels: Sequence[Parcel]
    chapters: Sequence[Chapter]
    people: dict[int, str]

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return self.route.stages[self.order.stage]

    @property
    def ahead(self) -> Stage | None:
        """The usual next step."""
        moves = [self.route.stages[m] for m in self.route.moves.get(self.order.stage, ())]
        further = [s for s in moves if s.place > self.stage.place and s.kind in {"open", "done"}]
        return min(further, key=lambda s: s.place) if further else None

    @property
    def moves(self) -> Sequence[tuple[Stage, bool]]:
        """All further moves; True where a reason is needed."""
        found = []
        for key in self.route.moves.get(self.order.stage, ()):
            stage = self.route.stages[key]
            back = stage.kind in {"lost", "back"} or not self.route.is_ahead(key, self.order.stage)
            found.append((stage, back))
        return found

    @property
    def plan_cost_minor(self) -> int | None:
        """Planned cost over the lines that have one."""
        return _sum(line.plan_cost_minor for line in self.lines)

    @property
    def fact_cost_minor(self) -> int | None:
        """Actual cost over the lines that have one."""
        return _sum(line.fact_cost_minor for line in self.lines)


def _sum(values: Any) -> int | None:
    told = [v for v in values if v is not None]
    return sum(told) if told else None


def title_of(stage: Stage, language: str) -> str:
    """A stage's name in a language."""
    return stage.title.get(language) or stage.title.get(SOURCE) or stage.key


def chapters_of(entries: Sequence[EntryRow]) -> list[Chapter]:
    """The journal cut where the stage changes, newest chapter first, its entries in their order."""
    found: list[Chapter] = []
    for entry in entries:
        body = json.loads(entry.body)
        if found and found[-1].stage == entry.stage:
            found[-1] = Chapter(entry.stage, [*found[-1].entries, (entry, body)])
        else:
            found.append(Chapter(entry.stage, [(entry, body)]))
    return found[::-1]


def carrier_titles(visit: Visit) -> dict[str, str]:
    """Accounts of carriers by name; the title of the plugin tells people whose it is."""
    services = visit.services
    found = {}
    for account in services.carriers:
        plugin = services.carrier_plugins.get(services.account_plugins.get(account, ""))
        title = plugin.title.get(visit.language) or plugin.title.get(SOURCE) if plugin is not None else None
        found[account] = title or account
    doubled = {title for title in found.values() if list(found.values()).count(title) > 1}
    return {a: f"{title} ({a})" if title in doubled else title for a, title in found.items()}


def view_of(conn: Connection, order_id: int, titles: Mapping[str, str]) -> OrderView:
    """Read the page of an order. Raises NotFound."""
    row = store.get(conn, order_id)
    rows = shipments.of_order(conn, order_id)
    seen = shipments.observations(conn, [r.id for r in rows])
    known = {r.id for r in rows}
    parcels = []
    for parcel in rows:
        if parcel.parent_id in known:
            continue
        steps = {one.event: one for one in sorted(seen[parcel.id], key=lambda o: o.order_key)}
        related = [r for r in rows if r.parent_id == parcel.id]
        carrier = titles.get(parcel.account, parcel.account)
        parcels.append(Parcel(parcel, list(steps.values())[::-1], related, carrier))
    return OrderView(
        row,
        contacts.get(conn, row.contact_id),
        store.load_route(conn, row.route, row.route_version),
        store.lines(conn, order_id),
        parcels,
        chapters_of(store.journal(conn, order_id)),
        queries.names(conn),
    )


async def show_order(visit: Visit, order_id: int, status: int = 200) -> web.Response:
    """The page of an order, after a refused form too."""
    titles = carrier_titles(visit)
    view = await visit.read(lambda conn: view_of(conn, order_id, titles))
    return visit.render(
        "order.html", status, v=view, carriers=titles, line_rows=rows_of(visit.form, MORE_ROWS),
        title_of=lambda s: title_of(s, visit.language),
    )  # fmt: skip


async def order_page(visit: Visit) -> web.Response:
    """GET /orders/<id>"""
    return await show_order(visit, visit.id())


async def order_list(visit: Visit) -> web.Response:
    """GET /orders"""
    stage, number = visit.query("stage"), visit.query("number")
    responsible, before = visit.query_id("responsible"), visit.query_id("before")

    def find(conn: Connection) -> dict[str, Any]:
        route = store.load_route(conn, PARCEL, store.newest_version(conn, PARCEL) or 1)
        found = queries.order_list(
            conn, stage=stage, number=number, responsible_id=responsible, before=before
        )
        return {
            "found": found,
            "stages": route.stages,
            "people": queries.names(conn),
            "choices": queries.active_people(conn),
        }

    return visit.render(
        "orders.html", stage=stage, number=number, responsible=responsible, before=before,
        title_of=lambda s: title_of(s, visit.language), **await visit.read(find),
    )  # fmt: skip
