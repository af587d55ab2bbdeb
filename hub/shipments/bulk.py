"""Many waybill numbers at once: read what was pasted or sent, say what would happen to each line, then do it.

A line is a number; or an order and a number; or `order;carrier;number`. Nothing is written before every line
was looked at, and then all that can be added is added in one transaction, or nothing. Reading is pure; `look`
asks the database for all lines together; what plugins say about the numbers was heard before (`Shelf.hear`), so
that no plugin's code runs while anything is locked.

    ready     is added
    warning   is added, and somebody should look: a check digit does not fit
    present   stands there already, or twice in what was pasted: nothing to do
    problem   cannot be added
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.access.model import Actor, May
from hub.contacts import store as contacts
from hub.db.locks import lock_orders
from hub.db.tables import orders, shipment
from hub.db.tx import Tx
from hub.kernel import sheets, text
from hub.kernel.errors import FieldProblem, InputRejected
from hub.orders import store as order_store
from hub.sdk.carrier import Carrier
from hub.sdk.tracking import Likeness, Recognition
from hub.shipments import found, joining
from hub.shipments.finding import FoundRow
from hub.shipments.service import USED_AGAIN_AFTER, check_number

MAX_LINES = 1_000
_CHUNK = 400
_HEADS = {
    "order": {"order", "order number", "order no", "замовлення", "номер замовлення", "№ замовлення"},
    "carrier": {"carrier", "перевізник", "служба доставки"},
    "number": {"number", "waybill", "waybill number", "tracking number", "ttn", "ттн", "накладна", "номер",
               "номер накладної", "номер ттн", "№ ттн", "трек-номер"},
}  # fmt: skip


class Verdict(StrEnum):
    """What happens to a line."""

    READY = "ready"
    WARNING = "warning"
    PRESENT = "present"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was given. `at` counts from 1, as people count."""

    at: int
    number: str
    order: str = ""
    carrier: str = ""

    def pasted(self) -> str:
        """The line so that it reads back the same."""
        if self.carrier:
            return f"{self.order};{self.carrier};{self.number}"
        return f"{self.order};{self.number}" if self.order else self.number


@dataclass(frozen=True, slots=True)
class Looked:
    """One line with what happens to it."""

    line: Line
    verdict: Verdict
    message: str = ""
    account: str = ""
    number: str = ""
    order_id: int | None = None
    order_number: str = ""

    @property
    def is_added(self) -> bool:
        """Will this line make a parcel?"""
        return self.verdict in {Verdict.READY, Verdict.WARNING}


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there is to choose from: carriers by account, the plugin of each, and what people call them."""

    carriers: Mapping[str, Carrier]
    plugins: Mapping[str, str]
    titles: Mapping[str, str] = field(default_factory=dict)

    def hear(self, lines: Sequence[Line]) -> Heard:
        """Ask every carrier about every number, before anything is locked: plugins may be slow. In a thread."""
        texts = {text for line in lines for text in _readings(line)}
        told = {
            (account, text): carrier.looks_like(text)
            for account, carrier in self.carriers.items()
            for text in texts
        }
        return Heard(tuple(self.carriers), dict(self.plugins), self.titles, told)


@dataclass(frozen=True, slots=True)
class Heard:
    """A shelf with what its carriers said about some lines; no plugin is called any more."""

    accounts: Sequence[str]
    plugins: Mapping[str, str]
    titles: Mapping[str, str]
    told: Mapping[tuple[str, str], Recognition]

    def account_of(self, typed: str) -> list[str]:
        """Accounts that a person may mean: by name, by plugin, by title."""
        wanted = typed.strip().casefold()
        for names in (
            {a: a for a in self.accounts},
            {a: self.titles.get(a, "") for a in self.accounts},
            {a: self.plugins.get(a, "") for a in self.accounts},
        ):
            hit = [account for account, name in names.items() if name.casefold() == wanted]
            if hit:
                return hit
        return []

    def likely(self, number: str) -> dict[str, Likeness]:
        """Whose number it looks like."""
        found = {account: self.told[account, number].likeness for account in self.accounts}
        return {account: likeness for account, likeness in found.items() if likeness is not Likeness.NO}


def _readings(line: Line) -> set[str]:
    """Everything that this line's number may be read as, raw and as it would be kept: what `look` may ask for."""
    words = line.number.split()
    raw = {line.number, "".join(words), "".join(words[1:])} if len(words) > 1 else {line.number}
    kept = set()
    for text_ in raw:
        with suppress(InputRejected):
            kept.add(check_number(text_))
    return raw | kept


# --- reading -----------------------------------------------------------------------------------------------


def read_pasted(pasted: str) -> list[Line]:
    """Lines of a text; empty ones are left out but counted. Raises InputRejected for too many."""
    lines = [
        _of_parts(at, [text.one_line(part, 100) for part in re.split(r"[;\t]", raw)])
        for at, raw in enumerate(pasted.splitlines(), 1)
        if raw.strip(" ;\t\r")
    ]
    return _bounded(lines)


def _of_parts(at: int, parts: Sequence[str]) -> Line:
    if len(parts) >= 3:
        return Line(at, parts[2], parts[0], parts[1])
    if len(parts) == 2:
        return Line(at, parts[1], parts[0])
    return Line(at, parts[0])


def read_table(rows: Sequence[Sequence[str]]) -> list[Line]:
    """Lines of a table; its first row may name the columns. Raises InputRejected for too many."""
    columns = _columns(rows[0]) if rows else {}
    lines = []
    for at, row in enumerate(rows, 1):
        if (at == 1 and columns) or not any(cell.strip() for cell in row):
            continue
        if columns:
            cells = {key: row[i] if i < len(row) else "" for key, i in columns.items()}
            lines.append(
                Line(at, *(text.one_line(cells.get(k, ""), 100) for k in ("number", "order", "carrier")))
            )
        else:
            told = [text.one_line(cell, 100) for cell in row]
            while len(told) > 1 and not told[-1]:
                told.pop()
            lines.append(_of_parts(at, told))
    return _bounded(lines)


def _columns(head: Sequence[str]) -> dict[str, int]:
    named = [" ".join(cell.casefold().split()) for cell in head]
    found = {key: i for key, names in _HEADS.items() for i, cell in enumerate(named) if cell in names}
    return found if "number" in found else {}


def _bounded(lines: list[Line]) -> list[Line]:
    if len(lines) > MAX_LINES:
        raise InputRejected(f"these are {len(lines)} lines: add at most {MAX_LINES} at once")
    return lines


def split(line: Line, is_order: Callable[[str], bool], heard: Heard) -> Line:
    """A line without separators: is its first word an order, or part of a number written in groups?"""
    words = line.number.split()
    if line.order or len(words) < 2:
        return line
    first, rest = words[0], "".join(words[1:])
    marked = first.startswith(("#", "№")) and len(first) > 1
    if marked or (is_order(first) and heard.likely(rest)) or not heard.likely("".join(words)):
        return Line(line.at, rest, first, line.carrier)
    return Line(line.at, "".join(words), "", line.carrier)


# --- looking -----------------------------------------------------------------------------------------------


def look(conn: Connection, lines: Sequence[Line], heard: Heard, now: int, default: str = "") -> list[Looked]:
    """What happens to each line. `default`: the account of numbers that do not tell whose they are."""
    named = {word for line in lines for word in (line.order, *line.number.split()[:1]) if word}
    known = _orders(conn, {_bare(word) for word in named})
    parted = [split(line, lambda word: _bare(word) in known, heard) for line in lines]
    placed = [_placed(line, heard, default) for line in parted]
    numbers = sorted({one.number for one in placed if one.number})
    owners = _owners(conn, numbers, now)
    proposals: dict[tuple[str, str], FoundRow] = {}
    for at in range(0, len(numbers), _CHUNK):
        proposals.update(found.proposed(conn, numbers[at : at + _CHUNK]))
    of_id = {order_id: number for number, order_id in known.items()}
    met = {row.order_id for row in proposals.values()} | {one for some in owners.values() for one in some}
    of_id |= _numbers(conn, {one for one in met if one is not None} - of_id.keys())
    seen: dict[tuple[str, str], Looked] = {}
    result = []
    for one in placed:
        ordered = one if one.verdict is Verdict.PROBLEM else _ordered(one, known, proposals, of_id)
        if ordered.verdict is not Verdict.PROBLEM:
            ordered = _compared(ordered, owners.get((one.number, one.account), ()), of_id, seen)
        result.append(ordered)
    return result


def _bare(order: str) -> str:
    return order.lstrip("#№ ").strip()


def _placed(line: Line, heard: Heard, default: str) -> Looked:
    """Whose number it is, and as its carrier writes it."""

    def wrong(message: str) -> Looked:
        return Looked(line, Verdict.PROBLEM, message, number=line.number[:40])

    if sheets.is_shortened(line.number):
        return wrong("a spreadsheet has shortened this number: make its column text and copy it again")
    try:
        number = check_number(line.number)
    except InputRejected:
        return wrong("this is no waybill number: 4 to 40 Latin letters and digits")
    if line.carrier:
        accounts = heard.account_of(line.carrier)
        if len(accounts) != 1:
            names = ", ".join(sorted(accounts or heard.accounts)) or "none is configured"
            return wrong(f"which carrier? accounts: {names}")
    else:
        likely = heard.likely(number)
        sure = [a for a, likeness in likely.items() if likeness is Likeness.SURE]
        accounts = sure or list(likely)
        if default and (default in accounts or not accounts):
            accounts = [default]
        if len(accounts) != 1:
            names = ", ".join(sorted(accounts)) or "no carrier's"
            return wrong(f"whose number is it? it looks like: {names}. Name the carrier")
    recognised = heard.told[accounts[0], number]
    written = recognised.number if recognised.likeness is not Likeness.NO and recognised.number else number
    warning = recognised.warning
    if recognised.likeness is Likeness.NO:
        warning = "it does not look like a number of this carrier: check it"
    verdict = Verdict.WARNING if warning else Verdict.READY
    return Looked(line, verdict, warning, accounts[0], written)


def _ordered(
    one: Looked,
    known: Mapping[str, int],
    proposals: Mapping[tuple[str, str], FoundRow],
    of_id: Mapping[int, str],
) -> Looked:
    order = _bare(one.line.order)
    if order and order not in known:
        return _changed(one, Verdict.PROBLEM, f"there is no order {order}")
    order_id = known.get(order)
    proposal = proposals.get((one.number, one.account))
    if order_id is None and proposal is not None:
        order_id = proposal.order_id
    if order_id is None:
        return one
    return Looked(
        one.line, one.verdict, one.message, one.account, one.number, order_id, of_id.get(order_id, order)
    )


def _compared(
    one: Looked,
    owners: Sequence[int | None],
    of_id: Mapping[int, str],
    seen: dict[tuple[str, str], Looked],
) -> Looked:
    """Against what stands there already, and against the lines before."""
    key = (one.number, one.account)
    before = seen.get(key)
    if before is not None:
        same = one.order_id in {before.order_id, None}
        verdict = Verdict.PRESENT if same else Verdict.PROBLEM
        return _changed(one, verdict, f"the same number as line {before.line.at}")
    seen[key] = one
    if one.order_id in owners or (one.order_id is None and owners):
        return _changed(one, Verdict.PRESENT, "it is followed already")
    others = [owner for owner in owners if owner is not None]
    if others:
        number = of_id.get(others[0], "?")
        return _changed(
            one, Verdict.PROBLEM, f"order {number} has this number already: one waybill, one order"
        )
    return one


def _changed(one: Looked, verdict: Verdict, message: str) -> Looked:
    return Looked(one.line, verdict, message, one.account, one.number, one.order_id, one.order_number)


def _orders(conn: Connection, numbers: set[str]) -> dict[str, int]:
    told: dict[str, int] = {}
    wanted = sorted(numbers)
    for at in range(0, len(wanted), _CHUNK):
        query = select(orders.c.number, orders.c.id).where(orders.c.number.in_(wanted[at : at + _CHUNK]))
        told |= {row.number: row.id for row in conn.execute(query)}
    return told


def _numbers(conn: Connection, ids: set[int]) -> dict[int, str]:
    told: dict[int, str] = {}
    wanted = sorted(ids)
    for at in range(0, len(wanted), _CHUNK):
        query = select(orders.c.id, orders.c.number).where(orders.c.id.in_(wanted[at : at + _CHUNK]))
        told |= {row.id: row.number for row in conn.execute(query)}
    return told


def _owners(conn: Connection, numbers: Sequence[str], now: int) -> dict[tuple[str, str], list[int | None]]:
    """Orders (None: no order) of the parcels with these numbers. What ended long ago does not count."""
    owners: dict[tuple[str, str], list[int | None]] = {}
    c = shipment.c
    for at in range(0, len(numbers), _CHUNK):
        query = select(c.number, c.account, c.order_id, c.final, c.happened_at, c.changed_at, c.created_at)
        for row in conn.execute(query.where(c.number.in_(numbers[at : at + _CHUNK]))):
            ended_at = row.happened_at or row.changed_at or row.created_at
            if not (row.final and now - ended_at >= USED_AGAIN_AFTER):
                owners.setdefault((row.number, row.account), []).append(row.order_id)
    return owners


# --- doing -------------------------------------------------------------------------------------------------


def add(
    tx: Tx,
    actor: Actor,
    lines: Sequence[Line],
    heard: Heard,
    *,
    default: str = "",
    skip_problems: bool = False,
) -> list[Looked]:
    """Look again, in the transaction, and add all that can be added. Raises InputRejected naming every problem."""
    actor.require(May.WORK)
    looked = look(tx.conn, lines, heard, tx.now, default)
    problems = [one for one in looked if one.verdict is Verdict.PROBLEM]
    if problems and not skip_problems:
        raise InputRejected(
            "some lines cannot be added",
            [FieldProblem(f"lines.{one.line.at}", one.message) for one in problems],
        )
    lock_orders(tx, {one.order_id for one in looked if one.is_added and one.order_id is not None})
    phones: dict[int, str | None] = {}
    for one in looked:
        if not one.is_added:
            continue
        plugin = heard.plugins[one.account]
        if one.order_id is None:
            joining.follow_loose(tx, actor, one.account, plugin, one.number)
            continue
        if one.order_id not in phones:
            contact_id = order_store.get(tx.conn, one.order_id).contact_id
            phones[one.order_id] = contacts.get(tx.conn, contact_id).first("phone") or None
        joining.attach(tx, actor, one.order_id, one.account, plugin, one.number, phones[one.order_id])
    return looked
