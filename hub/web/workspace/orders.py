"""The registry of orders, a new order, and the page of an order with its parcels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.kernel.errors import InputRejected
from hub.orders import registry, store
from hub.orders.approval import ApprovalRow
from hub.orders.model import EntryRow, LineRow, OrderRow
from hub.orders.money import Balance, PaymentRow, balance
from hub.orders.moves import Step, facts_of
from hub.orders.moves import steps as next_steps
from hub.orders.registry import Asked, Sort
from hub.orders.stages import PARCEL, Route, Stage
from hub.shipments import found
from hub.shipments import store as shipments
from hub.shipments.found import Proposal
from hub.shipments.links import link_of
from hub.shipments.pages import pages
from hub.web.i18n import SOURCE
from hub.web.workspace import queries
from hub.web.workspace.order_lines import MORE_ROWS, rows_of
from hub.web.workspace.parcels import Parcel, parcels_of
from hub.web.workspace.visit import Visit


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
    payments: Sequence[PaymentRow]
    balance: Balance
    approvals: Sequence[ApprovalRow]
    steps: Sequence[Step]
    holders: Mapping[int, int | None]
    choices: Sequence[tuple[int, str]]
    waybills: Sequence[Proposal]
    secret: str | None  # of the public tracking page

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return self.route.stages[self.order.stage]

    @property
    def fields(self) -> dict[str, str]:
        """What the route asks for, as far as it is filled in."""
        found: dict[str, str] = json.loads(self.order.fields)
        return found

    @property
    def reversed_ids(self) -> set[int | None]:
        """Payments that were taken back."""
        return {one.reverses_id for one in self.payments}

    @property
    def ahead(self) -> Step | None:
        """The usual next step."""
        further = [
            s for s in self.steps if s.stage.place > self.stage.place and s.stage.kind in {"open", "done"}
        ]
        return min(further, key=lambda s: s.stage.place) if further else None

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
    return text_in(stage.title, language) or stage.key


def text_in(titles: Mapping[str, str], language: str) -> str:
    """A title in a language, else in another one."""
    return titles.get(language) or titles.get(SOURCE) or next(iter(titles.values()), "")


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


def view_of(
    conn: Connection,
    order_id: int,
    titles: Mapping[str, str],
    now: int,
    addresses: Mapping[str, str] | None = None,
) -> OrderView:
    """Read the page of an order. Raises NotFound."""
    row = store.get(conn, order_id)
    parcels = parcels_of(conn, shipments.of_order(conn, order_id), titles, now, addresses)
    route = store.load_route(conn, row.route, row.route_version)
    payments, asked = store.payments(conn, order_id), store.approvals(conn, order_id)
    return OrderView(
        row,
        contacts.get(conn, row.contact_id),
        route,
        store.lines(conn, order_id),
        parcels,
        chapters_of(store.journal(conn, order_id)),
        queries.names(conn),
        payments,
        balance(row.total_minor, payments, now),
        asked,
        next_steps(route, row, facts_of(conn, row), asked),
        queries.holders(conn, [one.task_id for one in asked]),
        queries.active_people(conn),
        found.of_order(conn, order_id),
        link_of(conn, order_id),
    )


async def show_order(visit: Visit, order_id: int, status: int = 200) -> web.Response:
    """The page of an order, after a refused form too."""
    titles = carrier_titles(visit)
    addresses = pages(visit.services.carriers)
    view = await visit.read(lambda conn: view_of(conn, order_id, titles, visit.words.now, addresses))
    return visit.render(
        "order.html", status, v=view, base=visit.origin, carriers=titles, line_rows=rows_of(visit.form, MORE_ROWS),
        title_of=lambda s: title_of(s, visit.language), field_title=lambda t: text_in(t, visit.language),
        stage_titles={key: title_of(one, visit.language) for key, one in view.route.stages.items()},
    )  # fmt: skip


async def order_page(visit: Visit) -> web.Response:
    """GET /orders/<id>"""
    return await show_order(visit, visit.id())


def _asked(visit: Visit) -> Asked:
    """What the registry is asked for, out of its address; what makes no sense is left out."""
    sort = visit.query("sort")
    number = visit.query("number")
    descending = visit.query("direction") != "asc"
    before = visit.query_id("before")
    return Asked(
        text=visit.query("q") or number,
        route=visit.query("route"),
        stage=visit.query("stage"),
        responsible_id=visit.query_id("responsible"),
        contact_id=visit.query_id("contact"),
        unpaid=visit.query("unpaid") == "1",
        archived=visit.query("archive") == "1",
        sort=Sort(sort) if sort in set(Sort) else Sort.NUMBER,
        descending=descending,
        cursor=visit.query("cursor") or (str(before) if before is not None else ""),
        limit=queries.PAGE,
    )


async def order_list(visit: Visit) -> web.Response:
    """GET /orders: the registry, as a table or as a board of one route."""
    asked = _asked(visit)
    board = visit.query("view") == "board"

    def find(conn: Connection) -> dict[str, Any]:
        routes = {name: store.newest_route(conn, name) for name in store.route_names(conn)}
        shown = routes.get(asked.route) or routes[PARCEL]
        stages = {
            s.key: s
            for route in (routes.values() if not asked.route else [shown])
            for s in route.stages.values()
        }
        found: dict[str, Any] = {
            "routes": routes, "stages": stages, "people": queries.names(conn),
            "choices": queries.active_people(conn), "route": shown, "columns": (), "items": (), "further": None,
        }  # fmt: skip
        if board:
            open_stages = [s for s in shown.stages.values() if s.kind == "open"]
            columns = registry.board(
                conn, replace(asked, route=shown.name, limit=BOARD), [s.key for s in open_stages]
            )
            found["columns"] = [(stage, *_column(conn, shown, *columns[stage.key])) for stage in open_stages]
        else:
            rows, found["further"] = registry.find(conn, asked)
            found["items"] = queries.order_items(conn, rows)
        return found

    kept = {k: v for k, v in visit.request.query.items() if k in KEPT and v}
    try:
        found = await visit.read(find)
    except InputRejected:  # an address that somebody shortened: the first page
        return visit.redirect("/orders")
    return visit.render(
        "orders.html", asked=asked, board=board, kept=kept, sorts=list(Sort), unpaid=asked.unpaid,
        title_of=lambda s: title_of(s, visit.language), text_in=lambda t: text_in(t, visit.language), **found,
    )  # fmt: skip


KEPT = frozenset(
    {
        "q",
        "number",
        "route",
        "stage",
        "responsible",
        "contact",
        "unpaid",
        "archive",
        "sort",
        "direction",
        "view",
    }
)
BOARD = 20


def _column(conn: Connection, route: Route, rows: list[OrderRow], more: bool) -> tuple[list[Any], bool]:
    """Cards of one stage, each with the usual next step; what stands in its way is asked for when it is made."""
    cards = []
    for item in queries.order_items(conn, rows):
        moves = [route.stages[m] for m in route.moves.get(item.order.stage, ())]
        place = route.stages[item.order.stage].place
        ahead = [s for s in moves if s.place > place and s.kind in {"open", "done"}]
        cards.append((item, min(ahead, key=lambda s: s.place) if ahead else None))
    return cards, more
