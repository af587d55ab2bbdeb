"""The staff bot: only linked people, each with his own rights, each command once."""

import json

import pytest
from sqlalchemy import select

from hub.access.model import Role
from hub.assignment import members, service
from hub.db.rows import AttachmentRow, ContactRow, IdentityRow, MessageRow
from hub.db.tables import attachment, contact, identity, message, outbox, staff_link
from hub.kernel.clock import HOUR, MINUTE
from hub.notices import store
from hub.notices.put import row_of
from hub.sdk import PermanentFailure, TemporaryFailure
from tests.unit.notices.staffroom import file


def chatting(world):
    """A customer of the chat, who can be answered there."""

    def make(tx):
        contact_id = tx.new_id()
        tx.insert({contact: [ContactRow(contact_id, "person", "Ірина", "", None, "", tx.now, tx.now)]})
        tx.insert({identity: [IdentityRow("c1", "channel:chat", contact_id, tx.now)]})
        return contact_id

    return world.write(make)


def asked(room):
    """The bot's last answer."""
    said = {str(row.id) for row in room.rows("staff_answer")}
    return [one for one in room.crew.sent if one.id in said][-1]


def state(world, task):
    return world.again(task).state


def test_strangers_are_told_how_to_link_and_can_do_nothing(room, world):
    olena = world.worker("Olena")
    task = world.task()
    room.deliver()
    for said in (
        {"text": "/my"},
        {"action": f"accept:{task.id}"},
        {"start": "AAAAAAAAAAAA", "kind": "joined"},
    ):
        assert "This bot is for the staff" in room.say("666", **said)
    assert (task.assignee_id, state(world, task)) == (olena.id, "assigned")


def test_a_code_links_once_and_for_a_quarter_of_an_hour(room, world):
    olena = world.worker("Olena")
    code = world.write(store.make_code, olena.id)
    world.clock.move(16 * MINUTE)
    assert "This bot is for the staff" in room.say("500", code)
    code = world.write(store.make_code, olena.id)
    assert "Olena, this messenger is yours now." in room.say("500", f" {code.lower()} ")
    assert "This bot is for the staff" in room.say("501", code)
    assert "/my" in room.say("500", "привіт")


def test_the_code_is_kept_as_its_hash_only(room, world):
    code = world.write(store.make_code, world.worker("Olena").id)
    assert code not in str(world.rows(staff_link))


@pytest.mark.parametrize("times", [1, 2])
def test_accepting_twice_is_accepting_once(room, world, times):
    room.link(world.worker("Olena"))
    task = world.task(text="ціна?")
    for _ in range(times):
        assert room.say("500", action=f"accept:{task.id}") == "Accepted: ціна?"
    assert state(world, task) == "accepted"
    assert [e.event for e in world.journal(task.id)].count("accepted") == 1


def test_later_asks_until_when_and_puts_off(room, world):
    room.link(world.worker("Olena"))
    task = world.task()
    room.say("500", action=f"later:{task.id}")
    actions = [b.action for row in asked(room).buttons for b in row]
    assert actions == [f"snooze:{task.id}:{when}" for when in ("30", "120", "tomorrow")]
    assert "Put off until" in room.say("500", action=actions[1])
    changed = world.again(task)
    assert changed.state == "snoozed"
    assert abs(changed.snoozed_until_at - world.clock.now() - 2 * HOUR) < MINUTE
    room.say("500", action=actions[2])
    assert "tomorrow" not in world.again(task).state


def test_passing_on_gives_it_to_a_colleague_and_is_done_once(room, world):
    olena, taras = world.worker("Olena"), world.worker("Taras")
    room.link(olena)
    task = next(one for one in (world.task(), world.task()) if one.assignee_id == olena.id)
    assert "Passed on" in room.say("500", action=f"pass:{task.id}")
    assert world.again(task).assignee_id == taras.id
    assert "Passed on" not in room.say("500", action=f"pass:{task.id}"), "it is not his to pass on any more"
    assert world.again(task).assignee_id == taras.id
    assert world.findings() == []


def test_nobody_does_with_anothers_task_what_he_could_not_in_the_workspace(room, world):
    olena, taras = world.worker("Olena"), world.worker("Taras")
    room.link(olena)
    task = next(one for one in (world.task(), world.task()) if one.assignee_id == taras.id)
    before = world.again(task)
    for verb in ("accept:{}", "snooze:{}:30", "pass:{}"):
        assert room.say("500", action=verb.format(task.id))
    assert world.again(task) == before
    assert world.findings() == []


def test_an_answer_to_a_notice_goes_to_its_customer_and_accepts_the_task(room, world):
    olena = world.worker("Olena")
    room.link(olena)
    task = world.task(contact=chatting(world))
    room.deliver()
    about = [row.provider_id for row in room.rows("staff_message")]
    assert "On its way to the customer through chat" in room.say("500", "Так, є", replies_to=about)
    (written,) = [MessageRow(*row) for row in world.rows(message, message.c.direction == "out")]
    assert (written.body, written.staff_id, written.request_id) == ("Так, є", olena.id, task.request_id)
    assert state(world, task) == "accepted"


def test_an_answer_to_anothers_notice_or_to_one_about_several_things_goes_nowhere(room, world):
    olena, taras = world.worker("Olena"), world.worker("Taras")
    room.link(olena)
    room.link(taras, "700")
    for _ in range(4):
        world.task(contact=chatting_again(world))
    room.deliver()
    ids = {row.provider_id: json.loads(row.payload)["staff_id"] for row in room.rows("staff_message")}
    own = [one for one, whose in ids.items() if whose == str(olena.id)]
    foreign = [one for one, whose in ids.items() if whose == str(taras.id)]
    assert "several things" in room.say("500", "Так", replies_to=own)
    assert "/my" in room.say("500", "Так", replies_to=foreign)
    assert world.rows(message, message.c.direction == "out") == []


def chatting_again(world):
    return world.customer()


def test_a_customer_whom_nothing_leads_to_is_told_of(room, world):
    room.link(world.worker("Olena"))
    world.task()
    room.deliver()
    about = [row.provider_id for row in room.rows("staff_message")]
    assert "No channel leads to this customer" in room.say("500", "Так", replies_to=about)


def answered(room, world):
    """A seller with a task of a chatting customer, and the ids of the notice about it."""
    room.link(world.worker("Olena"))
    task = world.task(contact=chatting(world))
    room.deliver()
    return task, [row.provider_id for row in room.rows("staff_message")]


def test_a_photo_in_answer_to_a_notice_goes_to_its_customer(room, world):
    task, about = answered(room, world)
    room.crew.files["f1"] = b"JPG"
    assert "On its way" in room.say("500", "", replies_to=about, files=[file("f1")])
    (row,) = world.rows(message, message.c.direction == "out")
    (kept,) = world.rows(attachment)
    assert (kept.message_id, kept.name, kept.media_type, kept.size) == (row.id, "photo.jpg", "image/jpeg", 3)
    assert room.blobs.get(kept.blob) == b"JPG"
    assert state(world, task) == "accepted"


def test_a_file_of_a_provider_that_is_away_is_waited_for_and_sent_once(room, world):
    _, about = answered(room, world)
    room.crew.files["f1"] = TemporaryFailure("it does not answer")
    assert room.say("500", "ось", replies_to=about, files=[file("f1")]) == ""
    assert world.rows(message, message.c.direction == "out") == []
    room.crew.files["f1"] = b"JPG"
    for _ in range(3):
        room.deliver(120)
    assert len(world.rows(message, message.c.direction == "out")) == len(world.rows(attachment)) == 1


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (PermanentFailure("the file is larger than 20 MB"), "The file is larger than 20 MB"),
        (b"x" * 1_001, "hat takes files up to 0 KiB"),
    ],
)
def test_of_an_answer_whose_file_cannot_be_sent_nothing_leaves_and_he_is_told_why(room, world, found, words):
    task, about = answered(room, world)
    room.crew.files["f1"] = found
    assert words in room.say("500", "ось рахунок", replies_to=about, files=[file("f1")])
    assert (world.rows(message, message.c.direction == "out"), world.rows(attachment)) == ([], [])
    assert state(world, task) == "assigned"


def test_a_provider_that_stays_away_is_told_of_in_the_end(room, world):
    _, about = answered(room, world)
    room.crew.files["f1"] = TemporaryFailure("it does not answer")
    room.say("500", "ось", replies_to=about, files=[file("f1")])
    for _ in range(6):
        room.deliver(600)
    assert "Nothing was sent" in room.texts()[-1]
    assert world.rows(message, message.c.direction == "out") == []


def test_nobody_else_makes_the_hub_fetch_a_file(room, world):
    _, about = answered(room, world)
    room.say("666", "", replies_to=about, files=[file("f1")])
    room.say("500", "", replies_to=["bot:unknown"], files=[file("f1")])
    assert room.crew.fetches == []


def test_a_customers_file_stands_in_the_notice_with_its_address(room, world):
    room.link(world.worker("Olena"))
    task = world.task(text="Ось фото")

    def send(tx):
        said = tx.execute(select(message).where(message.c.request_id == task.request_id)).one()
        made = AttachmentRow(
            tx.new_id(),
            said.id,
            "chair.jpg",
            "image/jpeg",
            3,
            None,
            "f1",
            "",
            "pending",
            None,
            0,
            tx.now,
            tx.now,
        )
        tx.insert({attachment: [made]})
        return made.id

    file_id = world.write(send)
    room.deliver()
    (told,) = room.crew.sent
    assert f"📎 chair.jpg https://hub.example/files/{file_id}" in told.text


def test_my_tasks_my_parcels_and_the_morning(room, world):
    olena, head = world.worker("Olena"), world.worker("Head", role=Role.HEAD, member=False)
    room.link(olena)
    room.link(head, "700")
    assert room.say("500", "/my") == "Nothing is waiting for you."
    task = world.task(text="ціна?")
    assert "1. ціна? — to be accepted" in room.say("500", "/tasks@crew_bot")
    assert f"accept:{task.id}" in [b.action for row in asked(room).buttons for b in row]
    assert room.say("500", "/parcels") == "No parcels of yours are under way."
    assert "needs the right to lead" in room.say("500", "/digest")
    assert "New requests: 1" in room.say("700", "/digest")


def test_who_works_here_no_more_is_a_stranger_at_once(room, world):
    olena = world.worker("Olena")
    world.worker("Taras")
    room.link(olena)
    world.write(members.close_staff, world.admin, olena.id)
    assert "This bot is for the staff" in room.say("500", "/my")


@pytest.mark.parametrize("how", [{"text": "/stop"}, {"kind": "left"}])
def test_unlinking_ends_it(room, world, how):
    olena = world.worker("Olena")
    room.link(olena)
    room.say("500", **how)
    assert world.read(store.link_of, olena.id) is None
    room.crew.sent.clear()
    world.task()
    room.deliver()
    assert room.crew.sent == []


def test_another_messenger_takes_the_place_of_the_first(room, world):
    olena = world.worker("Olena")
    room.link(olena, "500")
    room.link(olena, "501")
    assert world.read(store.link_of, olena.id).channel_id == "501"
    assert "This bot is for the staff" in room.say("500", "/my")


@pytest.mark.parametrize(
    "action", ["accept:", "accept:x", "accept:99999999999999999999", "nonsense", "snooze:1:x", ":::"]
)
def test_odd_buttons_do_nothing(room, world, action):
    room.link(world.worker("Olena"))
    assert room.say("500", action=action)


def test_a_bug_with_one_message_holds_back_nobody(room, world, monkeypatch):
    room.link(world.worker("Olena"))
    task = world.task()
    monkeypatch.setattr(service, "accept", lambda *_: int("x"))
    assert "something is wrong on our side" in room.say("500", action=f"accept:{task.id}")
    assert "1." in room.say("500", "/my")


def test_what_the_bot_says_leaves_through_the_outbox_with_its_retries(room, world):
    from hub.sdk import Later

    room.link(world.worker("Olena"))
    room.crew.answers = [Later()]
    room.say("500", "/my")
    room.deliver(30)
    assert room.texts() == ["Nothing is waiting for you."] * 2
    assert {row.state for row in room.rows("staff_answer")} == {"done"}


def test_a_message_to_nobody_is_settled_and_sent_nowhere(room, world):
    def put(tx):
        told = {"staff_id": "1", "notice_id": "1", "place": "email"}
        tx.insert({outbox: [row_of(tx, "staff_message", "x", "k", told, tx.now)]})

    world.write(put)
    room.deliver()
    assert [row.state for row in room.rows("staff_message")] == ["done"], "nobody is there to be told"
