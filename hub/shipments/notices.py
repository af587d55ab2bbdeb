"""What customers are told about their parcels by themselves: which steps, in which words, when.

Off until a head of sales switches steps on, team by team. A step is told once and never backward: the hub
announces only what goes further than anything before (`hub.shipments.events`), and of several steps at once the
furthest. The text is the template of the step's name in the customer's language, else the one below; a line of
it whose variables are all empty is left out. It leaves through the channel the customer wrote from, as an
ordinary message of the outbox, at once or when the quiet hours end. A later step takes the place of an earlier
one that still waits for the morning, and news older than `STALE` are no news: nobody is told of a parcel that
was delivered before its number was typed in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update

from hub.access.model import Actor, May
from hub.contacts import store as contacts
from hub.db.tables import outbox, team
from hub.db.tx import Tx
from hub.kernel.clock import DAY, Instant, instant, moment
from hub.kernel.errors import FieldProblem, InputRejected
from hub.kernel.money import Money
from hub.orders import outgoing, templates
from hub.orders import store as orders
from hub.orders.model import OrderRow
from hub.requests.service import note
from hub.sdk.tracking import RANK, MoneyStatus, RelationKind, Status
from hub.shipments import events, links, store
from hub.shipments.events import ShipmentChange
from hub.shipments.service import OUTBOUND, TRACKING
from hub.shipments.store import ShipmentRow

KEY = "customer_notices"
STALE = 2 * DAY
_HOUR = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)

_SETTINGS = select(team.c.id, team.c.settings)

STEPS = ("shipped", "arrived", "courier", "missed", "delivered", "returning")
_EXACT = {
    Status.ARRIVED: "arrived",
    Status.OUT_FOR_DELIVERY: "courier",
    Status.DELIVERY_ATTEMPTED: "missed",
    Status.DELIVERED: "delivered",
}
_BACK = frozenset({Status.REFUSED, Status.RETURNING, Status.RETURNED})

TEXTS: Mapping[str, Mapping[str, str]] = {
    "shipped": {
        "uk": "Вітаємо! Замовлення № {{ order.number }} відправлено: {{ parcel.carrier }}, {{ parcel.number }}.\n"
        "Стежити за посилкою: {{ parcel.link }}",
        "en": "Hello! Your order № {{ order.number }} is on its way: {{ parcel.carrier }}, {{ parcel.number }}.\n"
        "Follow the parcel: {{ parcel.link }}",
    },
    "arrived": {
        "uk": "Посилка {{ parcel.number }} чекає на вас.\n{{ parcel.place }}\n"
        "Безкоштовне зберігання до {{ parcel.storage }}.\nДо сплати: {{ parcel.pay }}",
        "en": "Your parcel {{ parcel.number }} is waiting for you.\n{{ parcel.place }}\n"
        "Free storage until {{ parcel.storage }}.\nTo pay: {{ parcel.pay }}",
    },
    "courier": {
        "uk": "Посилка {{ parcel.number }} сьогодні у кур'єра.\nДо сплати: {{ parcel.pay }}",
        "en": "Your parcel {{ parcel.number }} is with the courier today.\nTo pay: {{ parcel.pay }}",
    },
    "missed": {
        "uk": "Кур'єр не зміг вручити посилку {{ parcel.number }}. Напишіть нам, коли вам зручно.",
        "en": "The courier could not hand over parcel {{ parcel.number }}. Write to us when it suits you.",
    },
    "delivered": {
        "uk": "Дякуємо! Посилку {{ parcel.number }} отримано. Якщо щось не так, напишіть нам.",
        "en": "Thank you! Parcel {{ parcel.number }} is delivered. If anything is wrong, write to us.",
    },
    "returning": {
        "uk": "Посилка {{ parcel.number }} повертається до нас. Якщо це помилка, напишіть нам.",
        "en": "Parcel {{ parcel.number }} is on its way back to us. If that is a mistake, write to us.",
    },
}


def template_of(step: str) -> str:
    """The name of the template that is used instead of the built-in text."""
    return f"parcel-{step}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a team's customers are told. Quiet hours as HH:MM of the wall clock; the same twice: none."""

    steps: frozenset[str] = frozenset()
    quiet_from: str = "21:00"
    quiet_to: str = "09:00"

    def body(self) -> dict[str, object]:
        """As the team keeps it."""
        return {"steps": sorted(self.steps), "quiet_from": self.quiet_from, "quiet_to": self.quiet_to}


def choice_of(settings: Mapping[str, object]) -> Choice:
    """Out of a team's settings; nothing is switched on until somebody does."""
    told = settings.get(KEY)
    if not isinstance(told, dict):
        return Choice()
    return Choice(
        frozenset(told.get("steps", ())) & frozenset(STEPS),
        str(told.get("quiet_from", "21:00")),
        str(told.get("quiet_to", "09:00")),
    )


def choose(
    tx: Tx, actor: Actor, team_id: int, steps: Sequence[str], quiet_from: str, quiet_to: str
) -> Choice:
    """What a team's customers are told from now on. Raises InputRejected naming every fault."""
    actor.require(May.LEAD)
    problems = [
        FieldProblem(name, "a time of day such as 21:00")
        for name, value in (("quiet_from", quiet_from), ("quiet_to", quiet_to))
        if not _HOUR.fullmatch(value)
    ]
    unknown = [one for one in steps if one not in STEPS]
    if unknown:
        problems.append(FieldProblem("steps", f"some of {', '.join(STEPS)}"))
    if problems:
        raise InputRejected("these notices cannot be kept", problems)
    kept = Choice(frozenset(steps), quiet_from, quiet_to)
    query = select(team.c.settings).where(team.c.id == team_id).with_for_update()
    settings = {**json.loads(tx.execute(query).scalar_one()), KEY: kept.body()}
    tx.execute(update(team).where(team.c.id == team_id).values(settings=json.dumps(settings)))
    note(tx, actor, "team", team_id, "changed", body={KEY: kept.body()})
    return kept


# --- deciding (pure) -----------------------------------------------------------------------------------------


def step_of(status: str, before: str) -> str | None:
    """What a customer may be told when `status` comes after everything up to `before` was announced."""
    now, rank = Status(status), RANK[Status(before)] if before else 0
    if now in {Status.ACCEPTED, Status.IN_TRANSIT}:
        return "shipped" if rank < RANK[Status.ACCEPTED] else None
    if now in _BACK:
        return "returning" if rank < RANK[Status.REFUSED] else None
    return _EXACT.get(now)


def leaves_at(now: Instant, choice: Choice, zone: ZoneInfo) -> Instant:
    """When a text may leave: now, or as the quiet hours end."""
    begin, end = time.fromisoformat(choice.quiet_from), time.fromisoformat(choice.quiet_to)
    local = moment(now).astimezone(zone)
    at = local.time()
    overnight = begin > end
    quiet = (at >= begin or at < end) if overnight else begin <= at < end
    if not quiet:
        return now
    day = local.date() + timedelta(days=1 if overnight and at >= begin else 0)
    return instant(datetime.combine(day, end, zone))


def filled(body: str, values: Mapping[str, str]) -> str:
    """The text; a line is left out where it has variables and none of them a value."""
    lines = []
    for line in body.splitlines():
        named = templates.variables_of(line)
        if not named or any(values.get(name) for name in named):
            lines.append(templates.fill(line, values))
    return "\n".join(lines).strip()


# --- telling -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CustomerNotices:
    """Hears of every step of a parcel, in the transaction that brought it.

    titles  what people call the carriers, by language and account
    """

    zone: ZoneInfo
    base_url: str = ""
    shop: str = ""
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __call__(self, tx: Tx, change: ShipmentChange) -> None:
        """Tell the customer, if his team wants that."""
        row: ShipmentRow = change.row
        if change.event != events.STATUS or row.relation != OUTBOUND or row.order_id is None:
            return
        step = step_of(row.status, change.before)
        happened_at = row.happened_at or row.clock_at
        if step is None or (happened_at is not None and tx.now - happened_at > STALE):
            return
        choices = {one.id: choice_of(json.loads(one.settings)) for one in tx.execute(_SETTINGS)}
        if not any(step in choice.steps for choice in choices.values()):
            return
        order = orders.get(tx.conn, row.order_id)
        choice = choices[orders.team_of(tx.conn, order)]
        if order.archived_at is None and step in choice.steps:
            self._put(tx, row, order, step, choice)

    def _put(self, tx: Tx, row: ShipmentRow, order: OrderRow, step: str, choice: Choice) -> None:
        language = contacts.get(tx.conn, order.contact_id).row.language or "uk"
        own = orders.template_named(tx.conn, template_of(step), [language])
        body = own or TEXTS[step].get(language) or TEXTS[step]["uk"]
        text = filled(body, self._values(tx, row, order, language, body))
        key = f"parcel:{row.id}"
        waits = (outbox.c.next_try_at.is_not(None), outbox.c.state == "ready", outbox.c.attempts == 0)
        tx.execute(delete(outbox).where(outbox.c.lane == outgoing.LANE, outbox.c.order_key == key, *waits))
        outgoing.put_message(
            tx, TRACKING, contact_id=order.contact_id, request_id=order.request_id, text=text, order_id=order.id,
            order_key=key, leaves_at=leaves_at(tx.now, choice, self.zone), event="notice",
        )  # fmt: skip

    def _values(self, tx: Tx, row: ShipmentRow, order: OrderRow, language: str, body: str) -> dict[str, str]:
        route = orders.load_route(tx.conn, order.route, order.route_version)
        linked = self.base_url and "parcel.link" in templates.variables_of(body)
        pay = row.cod_expected_minor if row.money_status == MoneyStatus.EXPECTED else None
        storage = row.paid_storage_at
        return {
            **outgoing.values_of(tx.conn, order, route, language),
            "parcel.number": _number_of(tx, row),
            "parcel.carrier": self.titles.get(language, {}).get(row.account, row.account),
            "parcel.place": row.place or "",
            "parcel.storage": f"{moment(storage).astimezone(self.zone):%d.%m.%Y}" if storage else "",
            "parcel.pay": f"{Money(pay, row.currency).as_decimal():f} {row.currency}" if pay else "",
            "parcel.link": f"{self.base_url}{links.PATH}{links.ensure_link(tx, order.id)}" if linked else "",
            "shop.name": self.shop,
        }


def _number_of(tx: Tx, row: ShipmentRow) -> str:
    """Under which number the customer finds his parcel: a redirected one goes on under another."""
    further = [
        one.number
        for one in store.children(tx.conn, [row.id])
        if one.relation == RelationKind.REDIRECT and one.status != Status.CANCELLED
    ]
    return further[-1] if further else row.number
