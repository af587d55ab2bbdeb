"""A small hub for tests: a real database, a clock that stands still, people with memberships, customers.

Everything goes through the same use cases as in production; nothing here writes a row by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event

from hub.access.model import Actor, Role, system
from hub.app import seed
from hub.assignment import members
from hub.assignment.ledger import peek
from hub.assignment.policy import Roster
from hub.cli import integrity
from hub.contacts.model import PHONE, IdentityKey, Person
from hub.contacts.store import find_or_add
from hub.db import tables
from hub.db.database import Database
from hub.db.engine import parse_url
from hub.db.rows import JournalRow, LedgerRow, TaskRow
from hub.db.tx import Tx
from hub.intake.byhand import ByHand, open_by_hand
from hub.kernel.clock import Instant, ManualClock, parse_rfc3339
from hub.kernel.ids import IdSource
from hub.orders import service as orders
from hub.orders.model import NewOrder, OrderRow, Payment
from hub.runtime.building import Accounts
from hub.settings import build
from hub.staff import service as staff
from hub.staff import store as staff_store
from hub.tasks import store as tasks

NOON = parse_rfc3339("2026-03-02T12:00:00+02:00")
T = TypeVar("T")


def open_database(url: str, clock: ManualClock, node: int = 0) -> Database:
    """A migrated database of the test's own."""
    db = Database(parse_url(url, Path("/")), IdSource(node, clock.now), clock)
    if db.is_sqlite:  # a unit test outlives no power cut; waiting for the disk is half of its time
        event.listen(
            db._writes, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=off")
        )
    return db


@dataclass(frozen=True)
class Worker:
    """A person who works: who he is, and his membership of the team `sales` (0 without one)."""

    id: int
    actor: Actor
    membership: int


class World:
    """One opened hub."""

    def __init__(self, db: Database, clock: ManualClock) -> None:
        self.db = db
        self.clock = clock
        self.admin = system("test")
        self._customers = itertools.count(1)
        loaded = build({"teams": {"sales": {}, "strict": {"intercept": False}}}, Path("/"))
        self.write(seed, loaded, Accounts())
        self.team = self.db.read_now(lambda c: staff_store.team_by_name(c, "sales")).id
        self.strict = self.db.read_now(lambda c: staff_store.team_by_name(c, "strict")).id

    def write(self, run: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Run one use case in a transaction of its own, a second after the one before."""
        self.clock.move(1_000)
        return self.db.write_now(lambda tx: run(tx, *args, **kwargs))

    def read(self, run: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Run one reading function."""
        return self.db.read_now(lambda conn: run(conn, *args, **kwargs))

    def rows(self, table: Any, *conditions: Any) -> list[Any]:
        """Rows of a table in order of its first column."""
        query = table.select().where(*conditions).order_by(table.c[0])
        return self.db.read_now(lambda c: list(c.execute(query)))

    # --- people ---------------------------------------------------------------------------------------

    def worker(
        self,
        name: str,
        *,
        role: Role = Role.SELLER,
        team: int | None = None,
        share: int = 1,
        limit: int | None = None,
        member: bool = True,
    ) -> Worker:
        """A new person; a member of `sales` unless told otherwise."""

        def make(tx: Tx) -> Worker:
            staff_id = staff.add_person(tx, name, [role])
            membership = (
                members.join_team(tx, self.admin, team or self.team, staff_id, share, limit) if member else 0
            )
            return Worker(staff_id, Actor(f"staff:{staff_id}", frozenset({role}), staff_id), membership)

        return self.write(make)

    # --- work -----------------------------------------------------------------------------------------

    def customer(self, phone: str | None = None, name: str = "Ірина") -> int:
        """A contact; a new telephone each time unless one is given."""
        number = phone or f"+38067{next(self._customers):07d}"
        person = Person(name, "", None, (IdentityKey(PHONE, number),))
        return self.write(find_or_add, person)

    def task(self, *, team: int | None = None, contact: int | None = None, text: str = "ціна?") -> TaskRow:
        """A request with its task, dealt at once if anybody can take it."""
        contact = contact or self.customer()
        taken = ByHand(contact, team or self.team, text, "", "phone")
        request = self.write(open_by_hand, self.admin, taken)
        return TaskRow(*self.rows(tables.task, tables.task.c.request_id == request.id)[0])

    def again(self, task: TaskRow) -> TaskRow:
        """The task as it stands now."""
        return self.read(tasks.get, task.id)

    def order(self, worker: Worker, *, payment: Payment = Payment.OTHER, **values: Any) -> OrderRow:
        """An order of a new customer, or of `contact_id`, or out of `request_id`."""
        if not {"contact_id", "request_id"} & values.keys():
            values["contact_id"] = self.customer()
        given = {"contact_id": None, "request_id": None, "responsible_id": worker.id, **values}
        return self.write(orders.create, worker.actor, NewOrder(payment=payment, **given))

    # --- what must hold -------------------------------------------------------------------------------

    def roster(self, team: int | None = None) -> Roster:
        """The team's state as stored."""
        return self.db.read_now(lambda conn: peek(conn, team or self.team))

    def credit(self, worker: Worker) -> int:
        """Stored credit of a member of `sales`."""
        return self.roster().members[worker.membership].credit

    def entries(self, team: int | None = None) -> list[LedgerRow]:
        """The ledger of a team."""
        found = self.rows(tables.ledger, tables.ledger.c.team_id == (team or self.team))
        return sorted((LedgerRow(*row) for row in found), key=lambda e: e.seq)

    def journal(self, entity_id: int) -> list[JournalRow]:
        """What the journal says about one thing."""
        return [
            JournalRow(*row) for row in self.rows(tables.journal, tables.journal.c.entity_id == entity_id)
        ]

    def findings(self) -> list[dict[str, Any]]:
        """What `hub db check` finds; [] when all is well."""
        return self.db.read_now(integrity.findings)


def manual_clock(at: Instant = NOON) -> ManualClock:
    """A clock that stands at noon of a Monday in Kyiv."""
    return ManualClock(at)
