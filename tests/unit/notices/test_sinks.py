"""Notices become lines and messages, once each, where and when their person wants them."""

from zoneinfo import ZoneInfo

import pytest

from hub.access.model import Role
from hub.assignment import members
from hub.kernel.clock import DAY, HOUR, MINUTE, parse_rfc3339
from hub.notices import store
from hub.notices.digest import write_digest
from hub.notices.model import Choice, Group, Place
from hub.notices.put import put_alarm
from hub.sdk import Later, OutgoingKind, Refused

KYIV = ZoneInfo("Europe/Kyiv")


def choose(world, worker, **values):
    world.write(store.keep_choice, worker.id, Choice(**values), KYIV)


def test_a_new_task_is_one_line_and_one_message_with_its_buttons(room, world):
    olena = world.worker("Olena")
    room.link(olena)
    task = world.task(text="Чи є чоботи?")
    room.deliver()
    assert room.kinds(olena) == ["task_assigned"]
    (message,) = room.crew.sent
    assert message.kind is OutgoingKind.STAFF
    assert "New task: Чи є чоботи?" in message.text
    assert f"https://hub.example/tasks/{task.id}" in message.text
    assert [b.action for row in message.buttons for b in row] == [
        f"accept:{task.id}", f"later:{task.id}", f"pass:{task.id}",
    ]  # fmt: skip
    room.deliver()
    assert len(room.crew.sent) == 1


def test_several_within_two_seconds_are_one_message_whose_buttons_are_told_apart(room, world):
    olena = world.worker("Olena")
    room.link(olena)
    tasks = [world.task(text=f"питання {n}") for n in (1, 2)]
    room.deliver()
    (message,) = room.crew.sent
    assert "1. New task: питання 1" in message.text
    assert [row[0].label for row in message.buttons] == ["Accept 1", "Accept 2"]
    assert {b.action.partition(":")[2] for row in message.buttons for b in row} == {str(t.id) for t in tasks}


def test_quiet_hours_hold_everything_back_and_what_waited_is_one_message(room, world):
    olena = world.worker("Olena")
    room.link(olena)
    choose(world, olena, quiet=(12 * 60, 14 * 60))  # it is noon
    for n in (1, 2):
        world.task(text=f"питання {n}")
        room.deliver(MINUTE // 1000)
    assert room.crew.sent == []
    assert room.kinds(olena) == ["task_assigned"] * 2, "the list has them at once"
    room.deliver(2 * HOUR // 1000)
    assert len(room.crew.sent) == 1


def test_an_alarm_does_not_wait_for_the_morning_and_holds_back_nothing_that_does(room, world):
    boss = world.worker("Boss", role=Role.ADMIN)
    room.link(boss)
    choose(world, boss, quiet=(12 * 60, 14 * 60))
    world.task()
    world.write(put_alarm, "account_ill", account="mail", reason="the login is refused")
    room.deliver()
    (told,) = room.crew.sent
    assert "The account mail does not work" in told.text
    room.deliver(2 * HOUR // 1000)
    assert len(room.crew.sent) == 2
    assert "New task" in room.crew.sent[1].text


def test_who_wants_to_sleep_through_alarms_too_does(room, world):
    boss = world.worker("Boss", role=Role.ADMIN)
    room.link(boss)
    choose(world, boss, quiet=(12 * 60, 14 * 60), alarms_in_quiet=False)
    world.write(put_alarm, "account_ill", account="mail", reason="the login is refused")
    room.deliver()
    assert room.crew.sent == []
    room.deliver(2 * HOUR // 1000)
    assert len(room.crew.sent) == 1


def test_what_somebody_else_has_by_the_morning_is_not_told(room, world):
    olena, taras = world.worker("Olena"), world.worker("Taras")
    room.link(olena)
    choose(world, olena, quiet=(12 * 60, 14 * 60))
    task = next(one for one in (world.task(), world.task()) if one.assignee_id == olena.id)
    room.deliver()
    from hub.assignment import service

    world.write(service.claim, taras.actor, task.id, intercept=True)
    room.deliver(3 * HOUR // 1000)
    assert room.crew.sent == []
    assert {row.state for row in room.rows("staff_message")} == {"done"}


def test_each_group_goes_where_it_was_chosen_to(room, world):
    olena = world.worker("Olena")
    room.link(olena)
    places = {Group.TASKS: frozenset({Place.EMAIL})}
    choose(world, olena, places=places, email="olena@example.com")
    world.task(text="Чи є чоботи?")
    room.deliver()
    assert room.crew.sent == []
    (mail,) = room.mail.sent
    assert (mail.to.email, mail.subject) == ("olena@example.com", "New task: Чи є чоботи?")
    assert mail.buttons == ()
    assert room.kinds(olena, unread=True) == [], "kept in the list, and as read"
    assert room.kinds(olena) == ["task_assigned"]


def test_without_a_messenger_nothing_is_tried(room, world):
    world.worker("Olena")
    world.task()
    room.deliver()
    assert room.rows("staff_message") == []


def test_a_failing_place_is_tried_again_later_and_holds_back_no_other(room, world):
    olena = world.worker("Olena")
    room.link(olena)
    both = frozenset({Place.MESSENGER, Place.EMAIL})
    choose(world, olena, places={Group.TASKS: both}, email="olena@example.com")
    room.crew.answers = [Later(), Later()]
    world.task()
    room.deliver()
    assert (len(room.mail.sent), len(room.crew.sent)) == (1, 1)
    room.deliver(3)
    assert len(room.crew.sent) == 1, "the next try has its time"
    room.deliver(30)
    room.deliver(60)
    assert len(room.crew.sent) == 3
    assert {row.state for row in room.rows("staff_message")} == {"done"}


def test_what_was_given_up_is_an_alarm_once_and_can_be_sent_again(room, world):
    boss, olena = world.worker("Boss", role=Role.ADMIN, member=False), world.worker("Olena")
    room.link(olena)
    room.crew.answers = [Refused("blocked")] * 3
    for _ in range(3):
        world.task()
        room.deliver()
    assert room.kinds(boss) == ["undelivered"], "once until it is read"
    dead = world.read(store.undelivered)
    assert [row.last_error for row in dead] == ["blocked"] * 3
    world.write(store.send_again, dead[0].id)
    world.write(store.drop, dead[1].id)
    room.deliver()
    assert len(world.read(store.undelivered)) == 1


def test_an_alarm_that_cannot_be_told_raises_no_alarm(room, world):
    boss = world.worker("Boss", role=Role.ADMIN)
    room.link(boss)
    room.crew.answers = [Refused("blocked")] * 9
    world.write(put_alarm, "account_ill", account="chat", reason="gone")
    for _ in range(4):
        room.deliver()
    assert room.kinds(boss) == ["undelivered", "account_ill"]
    assert len(room.crew.sent) == 2


def test_alarms_go_to_who_operates_the_hub(room, world):
    head, olena = world.worker("Head", role=Role.HEAD), world.worker("Olena")
    boss = world.worker("Boss", role=Role.ADMIN, member=False)
    world.write(put_alarm, "account_ill", account="chat", reason="the token is wrong")
    room.deliver()
    assert (room.kinds(boss), room.kinds(head), room.kinds(olena)) == (["account_ill"], [], [])
    world.write(members.close_staff, world.admin, boss.id)
    world.write(put_alarm, "account_ill", account="chat", reason="again")
    room.deliver()
    assert (len(room.kinds(boss)), room.kinds(head)) == (1, ["account_ill"])


def test_the_morning_comes_to_a_head_once_on_each_working_day(room, world):
    head, olena = world.worker("Head", role=Role.HEAD, member=False), world.worker("Olena")
    room.link(head)
    world.write(store.keep_choice, head.id, Choice(digest=9 * 60), KYIV)
    world.write(store.keep_choice, olena.id, Choice(digest=9 * 60), KYIV)
    order = world.order(olena)
    world.task(contact=order.contact_id)
    room.deliver()
    room.crew.sent.clear()
    assert world.read(store.due_digests, world.clock.now()) == []
    world.clock.move(parse_rfc3339("2026-03-03T09:00:01+02:00") - world.clock.now())
    due = world.read(store.due_digests, world.clock.now())
    assert set(due) == {head.id, olena.id}
    assert [world.write(write_digest, one, KYIV) for one in sorted(due)] == [True, False]
    assert world.write(write_digest, head.id, KYIV) is False, "another process was first"
    room.deliver()
    (text,) = room.texts()
    for line in ("The morning", "New requests: 1", "New orders: 1", "Olena: 1 open"):
        assert line in text, text
    assert room.kinds(head)[0] == "digest"
    assert "digest" not in room.kinds(olena), "who leads nobody gets none"
    world.clock.move(4 * DAY)
    assert set(world.read(store.due_digests, world.clock.now())) == {head.id, olena.id}


@pytest.mark.parametrize(
    "kind", ["account_ill", "account_well", "account_silent", "undelivered", "unheard_of"]
)
def test_every_alarm_has_words(room, world, kind):
    boss = world.worker("Boss", role=Role.ADMIN)
    room.link(boss)
    world.write(put_alarm, kind, account="chat", reason="why", lanes=["webhook"])
    room.deliver()
    (text,) = room.texts()
    assert text
    assert "%(" not in text
