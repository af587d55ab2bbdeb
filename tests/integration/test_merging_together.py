"""Merging while customers write: nothing is lost, nothing waits for ever, on both databases."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from hub.access.model import Actor, Role
from hub.assignment import service as assignment
from hub.cli.integrity import findings
from hub.contacts import store as contacts
from hub.contacts.model import Person
from hub.customers import merging
from hub.db import locks
from hub.db import tables as t
from hub.intake.model import Prepared
from hub.intake.prepare import prepare
from hub.kernel.errors import HubError
from hub.opening import CLI
from hub.orders import service as orders
from hub.orders.model import NewOrder
from hub.requests.model import Closing, Outcome
from hub.sdk.messages import Event, EventKind, Parsed, Sender, Verified
from tests.integration.desk import Desk, raw
from tests.integration.hubs import phone
from tests.integration.test_ledger_processes import deadlocks, make_two_teams

HEAD = Actor("head", frozenset({Role.HEAD}))
PEOPLE, MESSAGES, MERGES = 6, 120, 60


@pytest.fixture
def desks(hub_url: str, tmp_path: Path) -> Iterator[list[Desk]]:
    """Two hubs over one database."""
    make_two_teams(hub_url, tmp_path)
    opened = [Desk(hub_url, tmp_path, people=0) for _ in range(2)]
    yield opened
    for desk in opened:
        desk.close()


def mail(number: int) -> str:
    return f"n{number}@example.com"


def writes(desk: Desk, number: int, key: str, *, by_mail: bool, team: str = "sales") -> Prepared:
    """A message of one of the people, who is known by a telephone and, on a card of its own, by an e-mail."""
    sender = Sender(email=mail(number)) if by_mail else Sender(phone=phone(number))
    event = Event(kind=EventKind.MESSAGE, sender=sender, text=f"питання {key}", joins_open=number % 2 == 0)
    team_id = int(desk.rows(f"SELECT id FROM team WHERE name = '{team}'")[0][0])
    account = "form" if team == "sales" else "form2"
    verified = Verified(external_id=key, digest="d")
    return replace(
        prepare(raw(key.encode(), account), team_id, "UA", verified, Parsed(events=(event,))), digest=""
    )


def cards_of(desk: Desk) -> dict[tuple[str, str], int]:
    return {
        (kind, value): card for kind, value, card in desk.rows("SELECT kind, value, contact_id FROM identity")
    }


def arrive(desk: Desk, *items: Prepared) -> None:
    for future in desk.put(items):
        future.result(30)


def test_a_message_from_an_identity_of_the_merged_card_reaches_the_survivor(desks: list[Desk]):
    desk = desks[0]
    arrive(desk, writes(desk, 2, "a", by_mail=False), writes(desk, 2, "b", by_mail=True))
    cards = cards_of(desk)
    by_phone, by_mail = cards["phone", phone(2)], cards["email", mail(2)]
    assert by_phone != by_mail
    desk.db.write_now(partial(merging.merge, actor=HEAD, survivor_id=by_phone, other_id=by_mail))
    arrive(desk, writes(desk, 2, "c", by_mail=True), writes(desk, 2, "d", by_mail=False))
    asked = desk.rows("SELECT id, contact_id, joining FROM request ORDER BY id")
    assert [card for _, card, _ in asked] == [by_phone, by_phone], "no third request: both messages joined"
    [(newest, _, _)] = [one for one in asked if one[2]]
    said = desk.rows("SELECT request_id FROM message ORDER BY id")
    assert [one for (one,) in said[2:]] == [newest, newest]
    assert desk.db.read_now(findings) == []


def test_a_returning_customer_goes_to_whom_he_had_last_on_any_of_his_cards(desks: list[Desk]):
    desk = desks[0]
    holders = []
    for by_mail in (False, True):
        arrive(desk, writes(desk, 1, f"first{by_mail}", by_mail=by_mail))
        [(task, holder)] = desk.rows(
            "SELECT id, membership_id FROM task WHERE state NOT IN ('done', 'cancelled')"
        )
        done = partial(
            assignment.complete, actor=CLI, task_id=task, closing=Closing(outcome=Outcome.ANSWERED)
        )
        desk.db.write_now(done)
        holders.append(holder)
    assert holders[0] != holders[1]
    cards = cards_of(desk)
    by_phone, mail_card = cards["phone", phone(1)], cards["email", mail(1)]
    desk.db.write_now(partial(merging.merge, actor=HEAD, survivor_id=by_phone, other_id=mail_card))
    arrive(desk, writes(desk, 1, "again", by_mail=False))
    [(holder,)] = desk.rows("SELECT membership_id FROM task WHERE state NOT IN ('done', 'cancelled')")
    assert holder == holders[1]
    desk.db.write_now(partial(merging.unmerge, actor=HEAD, merged_id=mail_card))
    arrive(desk, writes(desk, 1, "and again", by_mail=False))
    newest = desk.rows("SELECT membership_id FROM task ORDER BY id DESC LIMIT 1")
    assert newest == [(holders[1],)], "he has the open request of this card; it stayed with it"


def test_merges_and_messages_at_the_same_time(desks: list[Desk], hub_url: str, postgres_cluster: Any):
    first, second = desks
    for n in range(PEOPLE):
        for by_mail in (False, True):
            arrive(first, writes(first, n, f"first{n}{by_mail}", by_mail=by_mail))
    card_ids = sorted(set(cards_of(first).values()))
    assert len(card_ids) == 2 * PEOPLE
    seller = first.db.read_now(lambda conn: conn.execute(select(t.staff.c.id)).scalars().first()) or 0
    made: list[int] = []
    failures: list[BaseException] = []

    def customers() -> None:
        chance = random.Random(1)
        for at in range(0, MESSAGES, 4):
            team = chance.choice(["sales", "support"])
            some = [
                writes(
                    first, chance.randrange(PEOPLE), f"m{at + k}", by_mail=chance.random() < 0.5, team=team
                )
                for k in range(4)
            ]
            arrive(first, *some)

    def head() -> None:
        chance = random.Random(2)
        for _ in range(MERGES):
            one, other = chance.sample(card_ids, 2)
            run = chance.choice([
                partial(merging.merge, actor=HEAD, survivor_id=one, other_id=other),
                partial(merging.unmerge, actor=HEAD, merged_id=one),
            ])  # fmt: skip
            try:
                second.db.write_now(run)
            except HubError:
                continue

    def sales() -> None:
        chance = random.Random(3)
        actor = Actor(f"staff:{seller}", frozenset({Role.SELLER}), seller)
        for _ in range(30):
            order = NewOrder(contact_id=chance.choice(card_ids), request_id=None, responsible_id=seller)
            made.append(second.db.write_now(partial(orders.create, actor=actor, order=order)).id)

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by the test itself
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (customers, head, sales)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert first.db.read_now(findings) == []
    assert first.rows("SELECT count(*) FROM message") == [(2 * PEOPLE + MESSAGES,)]
    assert {one for (one,) in first.rows("SELECT id FROM orders")} == set(made)
    merged = [one for (one,) in first.rows("SELECT id FROM contact WHERE merged_into_id IS NOT NULL")]
    for card in merged:
        first.db.write_now(partial(merging.unmerge, actor=HEAD, merged_id=card))
    assert sorted(set(cards_of(first).values())) == card_ids, "each has its own identity again"
    assert first.db.read_now(findings) == []
    if not hub_url.startswith("sqlite"):
        for desk in desks:
            desk.db.close()
        assert deadlocks(postgres_cluster, hub_url.rpartition("/")[2]) == 0


@pytest.mark.parametrize("guarded", [True, False])
def test_an_order_under_way_is_waited_for(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarded: bool
):
    """The order has looked up its card and is not committed; without the lock it would end on the merged card."""
    make_two_teams(postgres_url, tmp_path)
    desks = [Desk(postgres_url, tmp_path, people=0) for _ in range(2)]
    first, second = desks
    try:
        one, other = (
            first.db.write_now(partial(contacts.find_or_add, person=Person("", "", None, _keys(n))))
            for n in (1, 2)
        )
        seller = first.db.read_now(lambda conn: conn.execute(select(t.staff.c.id)).scalars().first()) or 0
        if not guarded:
            monkeypatch.setattr(contacts, "cards_stay", lambda tx: None)
        made, go_on = threading.Event(), threading.Event()

        def order(tx: Any) -> None:
            new = NewOrder(contact_id=other, request_id=None, responsible_id=seller)
            orders.create(tx, HEAD, new)
            made.set()
            go_on.wait(30)

        ordering = threading.Thread(target=first.db.write_now, args=(order,))
        ordering.start()
        assert made.wait(10)
        merge = partial(merging.merge, actor=HEAD, survivor_id=one, other_id=other)
        merger = threading.Thread(target=second.db.write_now, args=(merge,))
        merger.start()
        if guarded:
            _until_somebody_waits(second)
        else:
            merger.join(30)
        go_on.set()
        ordering.join(30)
        merger.join(30)
        [(card,)] = first.rows("SELECT contact_id FROM orders")
        assert card == (one if guarded else other)
        assert bool(first.db.read_now(findings)) is not guarded
    finally:
        for desk in desks:
            desk.close()


def _keys(number: int) -> Any:
    from hub.contacts.model import PHONE, IdentityKey

    return (IdentityKey(PHONE, phone(number)),)


def _until_somebody_waits(desk: Desk) -> None:
    waits = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = :what"
    )
    deadline = time.monotonic() + 20
    while not desk.db.read_now(lambda conn: conn.execute(waits, {"what": locks.MERGING}).scalar_one()):
        assert time.monotonic() < deadline, "the merge did not wait"
        time.sleep(0.02)
