"""One of several processes that deal, claim, move and give back at random over one database.

python -m tests.integration.ledger_process URL FOLDER SECONDS SEED

Prints what it did as JSON. Refusals by rule are usual here; anything else ends it with a traceback.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from hub.access.model import Actor, Role
from hub.assignment import members, schedules, service, timer
from hub.contacts import store as contacts
from hub.contacts.model import Person, identities
from hub.customers import merging
from hub.db import tables as t
from hub.db.errors import describe
from hub.db.locks import lock_teams
from hub.intake.byhand import ByHand, open_by_hand
from hub.kernel.errors import HubError, Unavailable
from hub.orders import service as orders
from hub.orders.model import NewOrder
from hub.requests.model import Closing, Outcome
from hub.staff import store as staff
from hub.tasks.model import OPEN
from tests.integration.desk import Desk, raw
from tests.integration.hubs import phone
from tests.integration.parcel_verbs import Parcels

PEOPLE, KEYS, THREADS = 400, 3_000, 4
LONGER_S = 60.0
NEEDED = (
    "arrive", "claim", "complete", "reassign", "release", "void", "change", "leave_and_return", "merge_cards",
    "take_apart", "order", "attach", "carrier_says",
)  # fmt: skip
"""What each process has to have done: else the test says nothing of it."""


def somebody(chance: random.Random) -> int:
    """A person: one of many that are known, or one of a few that all processes meet for the first time now."""
    if chance.random() < 0.4:
        return chance.randrange(PEOPLE)
    return PEOPLE + int(time.time() * 4) * 12 + chance.randrange(12)


class Actors(Desk):
    """A desk whose people do everything that touches credit, load or eligibility."""

    def __init__(self, url: str, folder: Path, seed: int) -> None:
        super().__init__(url, folder, people=0)
        self.chance = random.Random(seed)
        self.teams = {team.name: team.id for team in self.db.read_now(staff.teams)}
        self.people = self.db.read_now(staff.all_staff)
        self.done: Counter[str] = Counter()
        self.parcels = Parcels(self.db, self.actor)

    def act(self, until: float, seed: int) -> None:
        """Work until then."""
        chance = random.Random(seed)
        verbs: list[tuple[int, Callable[[random.Random], None]]] = [
            (6, self.arrive), (4, self.claim), (3, self.accept), (4, self.complete), (3, self.reassign),
            (3, self.release), (2, self.void), (2, self.change), (2, self.leave_and_return), (2, self.by_hand),
            (3, self.snooze), (2, self.reopen), (2, self.undo_void), (1, self.to_team), (2, self.be_away),
            (1, self.change_shifts), (4, self.time_passes), (2, self.merge_cards), (2, self.take_apart),
            (2, self.order), *self.parcels.verbs(),
        ]  # fmt: skip
        names = [verb for weight, verb in verbs for _ in range(weight)]
        needed = [verb for verb in names if verb.__name__ in NEEDED]
        while time.monotonic() < until + LONGER_S:
            if time.monotonic() >= until:  # on a busy machine: what has not come off yet, until each has once
                names = [verb for verb in needed if not self.done[verb.__name__]]
            if not names:
                return
            verb = chance.choice(names)
            try:
                verb(chance)
                self.done[verb.__name__] += 1
            except Unavailable:
                raise
            except HubError as refused:
                self.done[f"refused {type(refused).__name__}"] += 1

    def actor(self, chance: random.Random) -> Actor:
        """A seller, or now and then a head."""
        person = chance.choice(self.people)
        role = Role.HEAD if chance.random() < 0.3 else Role.SELLER
        return Actor(f"staff:{person.id}", frozenset({role}), person.id)

    def some_task(self, chance: random.Random) -> int:
        """An open task, preferably a young one."""
        query = select(t.task.c.id).where(t.task.c.state.in_(OPEN)).order_by(t.task.c.id.desc()).limit(40)
        found = self.db.read_now(lambda conn: [row.id for row in conn.execute(query)])
        return chance.choice(found) if found else 0

    def arrive(self, chance: random.Random) -> None:
        """A few deliveries, for both teams at once, with keys and people that other processes use too."""
        items = []
        for _ in range(chance.randint(1, 12)):
            item = self.item(somebody(chance), f"text {chance.randrange(5)}", f"k{chance.randrange(KEYS)}")
            team = chance.choice(["sales", "support"])
            account = "form" if team == "sales" else "form2"
            from dataclasses import replace

            items.append(replace(item, team_id=self.teams[team], raw=raw(item.raw.body, account), digest=""))
        for future in self.put(items):
            future.result(30)

    def _on_task(self, chance: random.Random, run: Callable[[Any, Actor, int], Any]) -> None:
        actor, task_id = self.actor(chance), self.some_task(chance)
        self.db.write_now(lambda tx: run(tx, actor, task_id))

    def claim(self, chance: random.Random) -> None:
        intercept = chance.random() < 0.5
        self._on_task(chance, lambda tx, a, i: service.claim(tx, a, i, intercept=intercept))

    def accept(self, chance: random.Random) -> None:
        self._on_task(chance, service.accept)

    def complete(self, chance: random.Random) -> None:
        outcome = chance.choice([Outcome.ANSWERED, Outcome.ORDER, Outcome.SPAM])
        self._on_task(chance, lambda tx, a, i: service.complete(tx, a, i, Closing(outcome=outcome)))

    def reassign(self, chance: random.Random) -> None:
        to = chance.choice(self.people).id
        self._on_task(chance, lambda tx, a, i: service.reassign(tx, a, i, to, "why not"))

    def release(self, chance: random.Random) -> None:
        self._on_task(chance, lambda tx, a, i: service.release(tx, a, i, "no time"))

    def void(self, chance: random.Random) -> None:
        self._on_task(chance, lambda tx, a, i: service.void(tx, a, i, "spam"))

    def snooze(self, chance: random.Random) -> None:
        later = chance.choice([61_000, 3_600_000])
        self._on_task(chance, lambda tx, a, i: service.snooze(tx, a, i, tx.now + later))

    def _ended(self, chance: random.Random, state: str) -> int:
        query = select(t.task.c.id).where(t.task.c.state == state).order_by(t.task.c.id.desc()).limit(20)
        found = self.db.read_now(lambda conn: [row.id for row in conn.execute(query)])
        return chance.choice(found) if found else 0

    def reopen(self, chance: random.Random) -> None:
        task_id, actor = self._ended(chance, "done"), self.actor(chance)
        self.db.write_now(lambda tx: service.reopen(tx, actor, task_id))

    def undo_void(self, chance: random.Random) -> None:
        task_id, actor = self._ended(chance, "cancelled"), self.actor(chance)
        self.db.write_now(lambda tx: service.undo_void(tx, actor, task_id))

    def to_team(self, chance: random.Random) -> None:
        team = chance.choice(list(self.teams.values()))
        self._on_task(chance, lambda tx, a, i: service.to_team(tx, a, i, team, "theirs"))

    def be_away(self, chance: random.Random) -> None:
        """A pause, the end of one, an absence that is over soon."""
        person, what = chance.choice(self.people), chance.randrange(4)
        head = Actor("head", frozenset({Role.HEAD}))

        def change(tx: Any) -> None:
            if what == 0:
                members.pause(tx, head, person.id, tx.now + 500)
            elif what == 1:
                members.resume(tx, head, person.id)
            else:
                schedules.add_absence(tx, head, person.id, tx.now, tx.now + 300 * what, "sick")

        self.db.write_now(change)

    def change_shifts(self, chance: random.Random) -> None:
        """Shifts of a few hours a day, all of them, or none again."""
        person, head = chance.choice(self.people), Actor("head", frozenset({Role.HEAD}))
        start = chance.randrange(24)
        hours = [[f"{start:02d}:00", f"{(start + 12) % 24:02d}:00"]]
        if chance.random() < 0.5:
            self.db.write_now(lambda tx: schedules.clear_weekly(tx, head, person.id))
        else:
            days = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), hours)
            since = date(2026, 1, 1)
            self.db.write_now(lambda tx: schedules.set_weekly(tx, head, person.id, days, since))

    def time_passes(self, chance: random.Random) -> None:
        """The timer looks, in every process at once; now and then reactions are overdue."""
        if chance.random() < 0.3:
            overdue = update(t.task).where(t.task.c.id == self.some_task(chance)).values(react_by_at=1)
            self.db.write_now(lambda tx: tx.execute(overdue))
        now = self.db.clock.now()
        for team_id in self.db.read_now(lambda conn: timer.due_teams(conn, now)):
            self.db.write_now(partial(timer.run_team, team_id=team_id))

    def change(self, chance: random.Random) -> None:
        """Another share or limit."""
        team, person = chance.choice(list(self.teams.values())), chance.choice(self.people)
        share, limit = chance.choice([None, 1, 2, 3]), chance.choice([None, 3, 10, 40])
        head = Actor("head", frozenset({Role.HEAD}))
        self.db.write_now(
            lambda tx: members.change_member(
                tx, head, team, person.id, share=share, limit=limit, unlimited=chance.random() < 0.4
            )
        )

    def leave_and_return(self, chance: random.Random) -> None:
        """Somebody leaves a team, and joins it again later."""
        team, person = chance.choice(list(self.teams.values())), chance.choice(self.people)
        head = Actor("head", frozenset({Role.HEAD}))
        self.db.write_now(lambda tx: members.leave_team(tx, head, team, person.id))
        self.db.write_now(lambda tx: members.join_team(tx, head, team, person.id, chance.choice([1, 2])))

    def by_hand(self, chance: random.Random) -> None:
        """A call."""
        actor, number = self.actor(chance), phone(somebody(chance))
        team = chance.choice(list(self.teams.values()))
        person = Person("Caller", "", None, identities(number, "", "", "", "UA"))

        def note(tx: Any) -> None:
            lock_teams(tx, [team])
            open_by_hand(tx, actor, ByHand(contacts.find_or_add(tx, person), team, "called", "", "phone"))

        self.db.write_now(note)

    def some_cards(self, *which: Any) -> list[int]:
        """A few young cards."""
        query = select(t.contact.c.id).where(*which).order_by(t.contact.c.id.desc()).limit(30)
        return self.db.read_now(lambda conn: [row.id for row in conn.execute(query)])

    def merge_cards(self, chance: random.Random) -> None:
        """Two cards are one; now and then they are merged already."""
        found, actor = self.some_cards(), Actor("head", frozenset({Role.HEAD}))
        if len(found) > 1:
            one, other = chance.sample(found, 2)
            self.db.write_now(lambda tx: merging.merge(tx, actor, one, other))

    def take_apart(self, chance: random.Random) -> None:
        """A merge was a mistake."""
        found, actor = (
            self.some_cards(t.contact.c.merged_into_id.is_not(None)),
            Actor("h", frozenset({Role.HEAD})),
        )
        if found:
            card = chance.choice(found)
            self.db.write_now(lambda tx: merging.unmerge(tx, actor, card))

    def order(self, chance: random.Random) -> None:
        """An order of a card, of a caller, or out of a request."""
        actor, found = self.actor(chance), self.some_cards()
        asked = self.db.read_now(
            lambda conn: list(
                conn.execute(select(t.request.c.id).order_by(t.request.c.id.desc()).limit(20)).scalars()
            )
        )
        if not found or not asked:
            return
        person = Person("Caller", "", None, identities(phone(somebody(chance)), "", "", "", "UA"))
        way = chance.randrange(3)
        order = NewOrder(
            contact_id=chance.choice(found) if way == 0 else None,
            request_id=chance.choice(asked) if way == 1 else None,
            responsible_id=actor.staff_id or 0,
        )
        self.db.write_now(lambda tx: orders.create(tx, actor, order, person if way == 2 else None))


def main() -> None:
    url, folder, seconds, seed = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    actors = Actors(url, folder, seed)
    until = time.monotonic() + seconds
    failures: list[str] = []

    def run(number: int) -> None:
        try:
            actors.act(until, seed * 100 + number)
        except Exception as error:
            failures.append(describe(error))
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    actors.close()
    print(json.dumps({"done": actors.done, "failures": failures}))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
