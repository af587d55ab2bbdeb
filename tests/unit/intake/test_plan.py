"""What a batch of deliveries becomes, on a real database, one transaction a batch."""

import json
from dataclasses import replace

import pytest

from hub.assignment import service
from hub.assignment.policy import UNIT
from hub.db import tables as t
from hub.intake.commit import IntakeCommit
from hub.intake.model import DeliveryState, KeyReused, Prepared, retry_at
from hub.intake.prepare import prepare
from hub.kernel.clock import DAY, MINUTE, Instant, moment
from hub.requests.model import Closing, Outcome
from hub.sdk.messages import Event, EventKind, OutcomeKind, Parsed, RawDelivery, Sender, Verified

PHONE = "0671234567"


class Door:
    """Hands batches to the group commit without the network in front of it."""

    def __init__(self, world):
        self.world = world

    def raw(self, body=b"{}", account="form"):
        return RawDelivery(
            account=account, method="POST", path="", headers={"content-type": "application/json"}, query={},
            body=body, address="203.0.113.9", received_at=moment(self.world.clock.now()),
        )  # fmt: skip

    def item(self, *events, external_id=None, digest="", account="form", team=None):
        """A delivery that a plugin understood."""
        return prepare(
            self.raw(account=account),
            team or self.world.team,
            "UA",
            Verified(external_id=external_id, digest=digest),
            Parsed(events=events),
        )

    def unreadable(self, external_id=None, attempts=1, earlier=None, state=DeliveryState.UNREADABLE):
        return Prepared(
            self.raw(b"\xff"), self.world.team, external_id, "", state, (), "no sense", earlier, attempts
        )

    def take(self, *items):
        """One batch, one transaction."""
        return self.world.write(IntakeCommit().commit, items)


def says(text="Скільки коштує?", phone=PHONE, *, form=False, message_id="", **sender):
    return Event(
        kind=EventKind.MESSAGE,
        sender=Sender(phone=phone, **sender),
        text=text,
        message_id=message_id,
        joins_open=not form,
    )


@pytest.fixture
def door(world):
    return Door(world)


@pytest.fixture
def olena(world):
    return world.worker("Олена")


@pytest.fixture(autouse=True)
def all_is_well_in_the_end(world):
    yield
    assert world.findings() == []


def requests(world):
    return world.rows(t.request)


# --- one delivery -------------------------------------------------------------------------------------


def test_a_delivery_becomes_contact_request_message_and_dealt_task(world, door, olena):
    (result,) = door.take(door.item(says(name="Ірина  Бойко", email="I.Boyko@Example.com"), external_id="d1"))
    (request,) = requests(world)
    assert (result.kind, result.request_id, result.repeated) == (OutcomeKind.ACCEPTED, str(request.id), False)
    assert (request.state, request.joining, request.subject) == ("open", True, "Скільки коштує?")
    assert request.next_contact_at == request.opened_at + DAY
    (contact,) = world.rows(t.contact)
    assert contact.name == "Ірина Бойко"
    assert {(i.kind, i.value) for i in world.rows(t.identity)} == {
        ("phone", "+380671234567"),
        ("email", "i.boyko@example.com"),
    }
    (task,) = world.rows(t.task)
    assert (task.state, task.assignee_id, task.paid_units) == ("assigned", olena.id, UNIT)
    (message,) = world.rows(t.message)
    assert (message.body, message.direction, message.state) == ("Скільки коштує?", "in", "received")
    (notice,) = world.rows(t.outbox)
    assert json.loads(notice.payload)["staff_id"] == str(olena.id)
    assert str(task.id) in notice.payload
    assert [j.event for j in world.journal(request.id)] == ["opened"]
    (delivery,) = world.rows(t.delivery)
    (body,) = world.rows(t.delivery_body)
    assert (delivery.state, delivery.request_id, delivery.task_id) == ("stored", request.id, task.id)
    assert (body.delivery_id, body.body, body.address) == (delivery.id, b"{}", "203.0.113.9")


@pytest.mark.parametrize(
    ("kind", "state"),
    [(EventKind.PROBE, "noted"), (EventKind.IGNORED, "noted"), (EventKind.SPAM, "spam")],
)
def test_what_asks_for_nothing_is_stored_and_opens_no_task(world, door, olena, kind, state):
    (result,) = door.take(door.item(Event(kind=kind)))
    assert (result.kind, result.request_id) == (OutcomeKind.NOTED, "")
    assert [d.state for d in world.rows(t.delivery)] == [state]
    assert not requests(world)
    assert not world.rows(t.task)


def test_the_counters_of_the_account_move_with_what_is_stored(world, door, olena):
    world.write(lambda tx: tx.execute(t.account.insert().values(
        name="form", kind="channel", plugin="web_form", team="sales", state="active", created_at=tx.now
    )))  # fmt: skip
    one = door.item(says(), external_id="d1")
    door.take(one, one, door.item(says(text="інше"), external_id="d2"))
    door.take(one)
    (account,) = world.rows(t.account)
    assert (account.stored, account.repeated) == (2, 2)
    assert account.last_ok_at == world.clock.now()


# --- repeats ------------------------------------------------------------------------------------------


def test_repeats_inside_a_batch_and_after_it_get_the_first_outcome(world, door, olena):
    one = door.item(says(), external_id="d1", digest="aa")
    first, second = door.take(one, one)
    (third,) = door.take(one)
    assert [first.repeated, second.repeated, third.repeated] == [False, True, True]
    assert {r.request_id for r in (first, second, third)} == {str(requests(world)[0].id)}
    assert len(world.rows(t.task)) == 1
    assert world.rows(t.delivery)[0].repeats in {1, 2}


def test_the_same_key_with_another_body_is_refused_and_stores_nothing(world, door, olena):
    one = door.item(says(), external_id="d1", digest="aa")
    other = door.item(says(text="інше"), external_id="d1", digest="bb")
    assert [type(r) for r in door.take(one, other)][1] is KeyReused
    assert isinstance(door.take(other)[0], KeyReused)
    assert len(world.rows(t.delivery)) == 1


def test_a_provider_without_digest_may_repeat_with_another_body(world, door, olena):
    door.take(door.item(says(), external_id="d1"))
    (again,) = door.take(door.item(says(text="інше"), external_id="d1"))
    assert again.repeated
    assert len(requests(world)) == 1


def test_the_same_key_of_two_accounts_is_two_deliveries(world, door, olena):
    results = door.take(
        door.item(says(), external_id="d1"),
        door.item(says(phone="0501234567"), external_id="d1", account="viber"),
    )
    assert [r.repeated for r in results] == [False, False]
    assert len(world.rows(t.delivery)) == 2


def test_deliveries_without_a_key_are_each_new(world, door, olena):
    one = door.item(says(form=True))
    door.take(one, one)
    assert len(world.rows(t.delivery)) == 2


def test_a_known_message_under_another_delivery_joins_what_holds_it(world, door, olena):
    door.take(door.item(says(message_id="m1"), external_id="d1"))
    (again,) = door.take(door.item(says(message_id="m1"), external_id="d2"))
    assert again.request_id == str(requests(world)[0].id)
    assert len(world.rows(t.message)) == 1
    assert len(world.rows(t.task)) == 1


# --- joining ------------------------------------------------------------------------------------------


def test_another_text_in_a_chat_joins_the_open_request(world, door, olena):
    door.take(door.item(says("Добрий день"), account="viber"))
    door.take(door.item(says("Є в наявності?"), account="viber"))
    (request,) = requests(world)
    assert (request.sent_again, len(world.rows(t.message))) == (0, 2)


def test_another_text_on_a_form_opens_a_request_which_is_then_the_joining_one(world, door, olena):
    door.take(door.item(says("плитка", form=True)))
    door.take(door.item(says("цегла", form=True)))
    assert [(r.subject, r.joining) for r in requests(world)] == [("плитка", False), ("цегла", True)]
    door.take(door.item(says("а ще?")))
    assert [m.request_id for m in world.rows(t.message)][-1] == requests(world)[-1].id


def test_two_forms_of_one_person_in_one_batch_are_planned_in_order(world, door, olena):
    results = door.take(
        door.item(says("плитка", form=True)),
        door.item(says("цегла", form=True)),
        door.item(says("  ЦЕГЛА ", form=True)),
        door.item(says("плитка", form=True)),
    )
    assert [(r.subject, r.joining, r.sent_again) for r in requests(world)] == [
        ("плитка", False, 0),
        ("цегла", False, 1),
        ("плитка", True, 0),
    ]
    tile, brick, other = (str(r.id) for r in requests(world))
    assert [r.request_id for r in results] == [tile, brick, brick, other]


def test_the_same_text_within_ten_minutes_is_marked_sent_again(world, door, olena):
    first, second = door.take(door.item(says(form=True)), door.item(says(" скільки  КОШТУЄ? ", form=True)))
    world.clock.move(9 * MINUTE)
    (third,) = door.take(door.item(says(form=True)))
    assert first.request_id == second.request_id == third.request_id
    assert [r.sent_again for r in requests(world)] == [2]
    assert [m.state for m in world.rows(t.message)] == ["received", "repeat", "repeat"]
    assert len(world.rows(t.task)) == 1


def test_the_same_text_on_a_form_after_ten_minutes_is_a_new_request(world, door, olena):
    door.take(door.item(says(form=True)))
    world.clock.move(10 * MINUTE)
    door.take(door.item(says(form=True)))
    assert len(requests(world)) == 2


def test_after_closing_the_next_message_opens_a_new_request(world, door, olena):
    door.take(door.item(says()))
    task = world.rows(t.task)[0]
    world.write(service.complete, olena.actor, task.id, Closing(outcome=Outcome.ANSWERED))
    door.take(door.item(says()))
    assert [r.state for r in requests(world)] == ["closed", "open"]


def test_two_events_of_one_delivery_are_two_messages_of_one_request(world, door, olena):
    (result,) = door.take(door.item(says("раз"), says("два"), external_id="d1"))
    assert result.request_id == str(requests(world)[0].id)
    assert [m.body for m in world.rows(t.message)] == ["раз", "два"]


def test_one_person_in_two_teams_has_a_request_in_each(world, door, olena):
    other = world.worker("Стефанія", team=world.strict)
    door.take(door.item(says()), door.item(says(), team=world.strict))
    assert [r.team_id for r in requests(world)] == [world.team, world.strict]
    assert {task.assignee_id for task in world.rows(t.task)} == {olena.id, other.id}
    assert len(world.rows(t.contact)) == 1
    assert [len(world.entries(team)) for team in (world.team, world.strict)] == [1, 1]


# --- contacts -----------------------------------------------------------------------------------------


def test_a_person_is_known_by_any_identity_and_new_ones_are_added(world, door, olena):
    door.take(door.item(says(channel_id="u1"), account="viber"))
    door.take(door.item(says(phone="", channel_id="u1", email="a@b.ua"), account="viber"))
    assert len(world.rows(t.contact)) == 1
    assert {i.kind for i in world.rows(t.identity)} == {"phone", "channel:viber", "email"}


def test_the_telephone_wins_and_the_doubt_is_listed(world, door, olena):
    door.take(door.item(says(phone=PHONE)), door.item(says(phone="", email="a@b.ua", form=True)))
    by_phone, by_mail = (c.id for c in world.rows(t.contact))
    door.take(door.item(says("третє", phone=PHONE, email="A@B.ua", form=True)))
    (doubt,) = world.rows(t.contact_doubt)
    assert (doubt.contact_id, doubt.other_contact_id) == (by_phone, by_mail)
    assert doubt.request_id == requests(world)[-1].id
    assert requests(world)[-1].contact_id == by_phone
    assert len(world.rows(t.contact)) == 2


def test_the_same_channel_id_of_two_accounts_is_two_people(world, door, olena):
    door.take(
        door.item(says(phone="", channel_id="u1"), account="viber"),
        door.item(says(phone="", channel_id="u1"), account="telegram"),
    )
    assert len(world.rows(t.contact)) == 2


def test_identities_that_cannot_be_read_are_left_out_and_the_request_is_kept(world, door, olena):
    door.take(door.item(says(phone="нема", email="нема")))
    assert len(requests(world)) == 1
    assert not world.rows(t.identity)


# --- dealing ------------------------------------------------------------------------------------------


def test_a_batch_is_dealt_as_evenly_as_single_deliveries(world, door, olena):
    bohdan = world.worker("Богдан")
    door.take(*(door.item(says(phone=f"067123450{n}")) for n in range(6)))
    got = [task.assignee_id for task in world.rows(t.task)]
    assert got == [olena.id, bohdan.id] * 3
    assert [e.seq for e in world.entries()] == [1, 2, 3, 4, 5, 6]


def test_a_limit_reached_inside_a_batch_holds_for_the_rest_of_it(world, door):
    olena, bohdan = world.worker("Олена", limit=1), world.worker("Богдан", limit=2)
    door.take(*(door.item(says(phone=f"067123450{n}")) for n in range(5)))
    got = [task.assignee_id for task in world.rows(t.task)]
    assert got == [olena.id, bohdan.id, bohdan.id, None, None]
    sets = {s.id: json.loads(s.body) for s in world.rows(t.eligible_set)}
    third = sets[world.entries()[2].set_id]
    assert third["excluded"] == [[str(olena.membership), "limit"]]


def test_with_nobody_there_tasks_wait_and_the_first_to_come_gets_them(world, door):
    door.take(door.item(says()), door.item(says(phone="0501234567")))
    assert [task.state for task in world.rows(t.task)] == ["waiting", "waiting"]
    assert world.entries() == []
    olena = world.worker("Олена")
    assert {task.assignee_id for task in world.rows(t.task)} == {olena.id}


# --- what cannot be understood ------------------------------------------------------------------------


def test_an_unreadable_delivery_is_kept_and_read_by_hand_at_the_third_try(world, door, olena):
    (result,) = door.take(door.unreadable("d1"))
    assert (result.kind, result.request_id) == (OutcomeKind.PENDING, "")
    (stored,) = world.rows(t.delivery)
    assert (stored.state, stored.reason, stored.attempts) == ("unreadable", "no sense", 1)
    assert 0 < stored.next_try_at - world.clock.now() < 15_000
    door.take(door.unreadable("d1", attempts=2, earlier=stored.id))
    assert not world.rows(t.task)
    door.take(door.unreadable("d1", attempts=3, earlier=stored.id))
    (task,) = world.rows(t.task)
    assert (task.kind, task.subject_id, task.assignee_id) == ("read_by_hand", stored.id, olena.id)
    (stored,) = world.rows(t.delivery)
    assert (stored.attempts, stored.next_try_at, stored.task_id) == (3, None, task.id)
    assert len(world.rows(t.delivery_body)) == 1


def test_three_tries_fit_into_thirty_seconds():
    first = retry_at(1, Instant(0))
    assert first is not None
    second = retry_at(2, first)
    assert second is not None
    assert second < 30_000 - 5_000
    assert retry_at(3, second) is None


def test_a_delivery_understood_at_a_later_try_becomes_its_request(world, door, olena):
    door.take(door.unreadable("d1", state=DeliveryState.PENDING))
    (stored,) = world.rows(t.delivery)
    understood = prepare(door.raw(), world.team, "UA", Verified(external_id="d1"), Parsed(events=(says(),)))
    (result,) = door.take(replace(understood, earlier=stored.id, attempts=2))
    assert result.request_id == str(requests(world)[0].id)
    (now,) = world.rows(t.delivery)
    assert (now.id, now.state, now.next_try_at, now.request_id) == (
        stored.id, "stored", None, requests(world)[0].id,
    )  # fmt: skip
    assert now.received_at == stored.received_at


def test_a_batch_gives_the_same_on_both_databases(both_worlds):
    world = both_worlds
    door = Door(world)
    olena = world.worker("Олена")
    one = door.item(says("раз\x00\ud800", name="\x00", message_id="m\x001"), external_id="d\x001")
    results = door.take(one, one, door.item(says("два", form=True), external_id="d2"), door.unreadable("d3"))
    assert [getattr(r, "repeated", None) for r in results] == [False, True, False, False]
    (again,) = door.take(one)
    assert again.repeated
    assert again.request_id == results[0].request_id
    assert [m.body for m in world.rows(t.message)] == ["раз\ufffd\ufffd", "два"]
    assert {task.assignee_id for task in world.rows(t.task)} == {olena.id}
    assert sorted(d.state for d in world.rows(t.delivery)) == ["stored", "stored", "unreadable"]
    assert world.findings() == []
