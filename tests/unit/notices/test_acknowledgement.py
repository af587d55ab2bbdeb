"""An account answers a new request by itself: once, in the right words, and never in a loop."""

from datetime import date

import orjson
import pytest
from sqlalchemy import update

from hub.access.model import Role
from hub.assignment import schedules
from hub.db.rows import IdentityRow, MessageRow
from hub.db.tables import account, identity, message, outbox, request
from hub.intake.acknowledgement import ask_active, rows_for
from hub.kernel.clock import DAY, HOUR, parse_rfc3339
from hub.kernel.errors import InputRejected, NotFound
from hub.notices import acknowledgement
from hub.notices.acknowledgement import nobody_reads, pick

TEXTS = {"uk": "Вітаємо, {{ contact.name }}! «{{ request.subject }}»", "en": "Hello, {{ contact.name }}!"}


@pytest.fixture
def asked(room, world):
    """A function: a customer with an address at an account asks; his request's id."""
    for name in ("chat", "mail"):
        world.write(
            lambda tx, one=name: tx.execute(
                account.insert().values(
                    name=one,
                    kind="channel",
                    plugin="x",
                    state="active",
                    created_at=tx.now,
                    stored=0,
                    repeated=0,
                )
            )
        )

    def ask(name="chat", *, address="c1", contact=None, deliver=True, **task):
        contact = contact or world.customer()
        kind = "email" if name == "mail" else f"channel:{name}"

        def reach(tx):
            known = {
                row.value for row in tx.execute(identity.select().where(identity.c.contact_id == contact))
            }
            if address not in known:
                tx.insert({identity: [IdentityRow(address, kind, contact, tx.now)]})

        world.write(reach)
        made = world.task(contact=contact, **task)

        def put(tx):
            active = {row[0] for row in ask_active(tx).fetchall()}
            tx.insert({outbox: rows_for(tx, [(name, made.request_id, contact, 7)], active)})

        world.write(put)
        if deliver:
            room.deliver()
        return made.request_id, contact

    return ask


def switch_on(world, name="chat", **values):
    head = world.worker("Head", role=Role.HEAD, member=False)
    texts = {"texts": TEXTS, "away_texts": {}, **values}
    world.write(acknowledgement.keep, head.actor, name, active=True, **texts)


def said(world):
    return [MessageRow(*row).body for row in world.rows(message, message.c.direction == "out")]


def test_off_unless_somebody_switched_it_on(room, world, asked):
    asked()
    assert room.rows("acknowledgement") == []
    assert said(world) == []


def test_a_new_request_is_acknowledged_once_in_the_customers_language(room, world, asked):
    switch_on(world)
    request_id, contact = asked(text="ціна?")
    assert said(world) == ["Вітаємо, Ірина! «ціна?»"]
    row = world.rows(outbox, outbox.c.lane == "reply")[0]
    assert (row.kind, orjson.loads(row.payload)) == ("acknowledgement", {"message_id": str(row.id)})
    asked(text="інше", contact=contact)
    assert len(said(world)) == 1, "one a day to one customer"
    world.clock.move(DAY)
    asked(text="ще інше", contact=contact)
    assert len(said(world)) == 2
    assert [e.event for e in world.journal(request_id)].count("written") == 1


def test_an_english_customer_is_answered_in_english(room, world, asked):
    switch_on(world)
    contact = world.customer(name="John")
    made, _ = asked(contact=contact, text="price?", deliver=False)
    world.write(lambda tx: tx.execute(update(request).where(request.c.id == made).values(language="en")))
    room.deliver()
    assert said(world) == ["Hello, John!"]


def test_outside_the_teams_hours_its_own_text_says_when_somebody_is_there(room, world, asked):
    olena = world.worker("Olena")
    days = {"mon": [["09:00", "18:00"]], "tue": [["10:00", "18:00"]]}
    world.write(schedules.set_weekly, world.admin, olena.id, days, since=date(2026, 1, 1))
    switch_on(world, away_texts={"uk": "Ми будемо {{ opens_at }}"})
    asked()
    assert said(world) == ["Вітаємо, Ірина! «ціна?»"]
    world.clock.move(parse_rfc3339("2026-03-02T20:00:00+02:00") - world.clock.now())
    asked(address="c2")
    assert said(world)[1] == "Ми будемо 3 бер., 10:00"


@pytest.mark.parametrize(
    "address",
    [
        "no-reply@shop.ua",
        "noreply@x.com",
        "do_not_reply@x.com",
        "MAILER-DAEMON@x.com",
        "bounces+12@x.com",
        "postmaster@x.com",
    ],
)
def test_e_nobody_answers_an_address_that_nobody_reads(room, world, asked, address):
    switch_on(world, "mail")
    asked("mail", address=address.lower())
    assert nobody_reads(address)
    assert said(world) == []


@pytest.mark.parametrize(
    "address", ["olena@example.com", "reply.me@x.com", "nora@x.com", "norbert.reply@x.com"]
)
def test_people_are_not_taken_for_programs(address):
    assert not nobody_reads(address)


def test_whoever_was_quicker_makes_it_unnecessary(room, world, asked):
    switch_on(world)
    request_id, _ = asked(deliver=False)
    from hub.requests import replies
    from hub.requests.replies import Letter
    from tests.unit.notices.staffroom import WRITERS

    world.write(replies.reply, world.admin, request_id, Letter(text="Так, є"), WRITERS)
    room.deliver()
    assert said(world) == ["Так, є"]


def test_only_the_account_he_wrote_to_answers(room, world, asked):
    switch_on(world, "mail")
    asked("chat")
    assert said(world) == []


def test_what_is_wrong_with_it_is_told(world, asked):
    keep = acknowledgement.keep
    with pytest.raises(InputRejected):
        world.write(keep, world.admin, "chat", active=True, texts={}, away_texts={})
    with pytest.raises(InputRejected) as refused:
        world.write(keep, world.admin, "chat", active=False, texts={"uk": "{{ secret }}"}, away_texts={})
    assert [p.path for p in refused.value.problems] == ["text_uk"]
    with pytest.raises(NotFound):
        world.write(keep, world.admin, "nowhere", active=False, texts={}, away_texts={})


def test_a_language_without_a_text_takes_another_one():
    assert pick({"uk": "так"}, ["ru", "en"]) == "так"
    assert pick({"uk": "так", "en": "yes"}, ["", "en"]) == "yes"
    assert pick({}, ["uk"]) == ""


def test_hours_of_a_team_without_anybody_are_open(world):
    assert world.read(acknowledgement.hours, world.team, world.clock.now()) == (True, None)
    assert HOUR
