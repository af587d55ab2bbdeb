"""Merging cards and taking them apart: everything moves, and everything is where it was afterwards."""

from typing import Any

import pytest

from hub.assignment import service as assignment
from hub.contacts import store as contacts
from hub.contacts.model import EMAIL, PHONE, IdentityKey, Person
from hub.customers import cards, merging
from hub.customers.cards import CardChange
from hub.customers.merging import merge, unmerge
from hub.customers.moves import Joining
from hub.db import tables as t
from hub.intake.byhand import ByHand, open_by_hand
from hub.kernel.errors import AccessDenied, InputRejected, NotFound, RuleSaysNo, VersionConflict
from hub.kernel.sealing import SecretKey
from hub.orders.registry import Asked, find
from hub.outbox import webhooks
from hub.requests import service as requests
from hub.requests.model import Closing, Outcome
from tests.unit.world import World

WHERE = {
    t.identity: ("value", "kind", "contact_id", "home_id", "created_at"),
    t.request: ("id", "contact_id", "home_id", "team_id", "joining", "state"),
    t.message: ("id", "contact_id", "request_id"),
    t.orders: ("id", "contact_id", "home_id"),
    t.contact_owner: ("contact_id", "team_id", "card_id", "request_id"),
    t.contact: (
        "id", "name", "organisation", "note", "merged_into_id", "organisation_id", "position", "kind", "language",
    ),
    t.order_term: ("order_id", "term"),
    t.task: ("id", "request_id", "state", "membership_id", "assignee_id"),
    t.reachability: ("contact_id", "account", "state"),
    t.contact_doubt: ("id", "contact_id", "other_contact_id", "settled_at"),
    t.joined_before: ("request_id",),
}  # fmt: skip


def everything(world: World) -> dict[str, list[Any]]:
    """Where every row stands; what only tells when (updated_at, version) is left out."""
    return {
        table.name: sorted(
            [tuple(getattr(row, name) for name in names) for row in world.rows(table)], key=repr
        )
        for table, names in WHERE.items()
    }


def known(world: World, *keys: IdentityKey, name: str = "", organisation: str = "", note: str = "") -> int:
    card = world.write(contacts.find_or_add, Person(name, organisation, None, keys))
    if note:
        world.write(contacts.save, card, None, note=note)
    return card


def phone(number: int) -> IdentityKey:
    return IdentityKey(PHONE, f"+38050{number:07d}")


def ask(world: World, card: int, words: str = "ціна?", team: int | None = None) -> int:
    taken = ByHand(card, team or world.team, words, "", "phone")
    return world.write(open_by_hand, world.admin, taken).id


def contact_of(world: World, table: Any, row_id: int) -> int:
    return int(world.rows(table, table.c.id == row_id)[0].contact_id)


def joining(world: World) -> set[int]:
    return {row.id for row in world.rows(t.request, t.request.c.joining)}


@pytest.fixture
def two(both_worlds: World) -> tuple[World, int, int]:
    """Olena by telephone and a nameless chat, each with an open request; Olena has finished one, too."""
    world = both_worlds
    ann = world.worker("Ann")
    one = known(world, phone(1), name="Олена", note="VIP")
    chat = known(world, IdentityKey("channel:viber", "v1"), IdentityKey(EMAIL, "o@a.ua"))
    done = ask(world, one, "перше")
    [task] = world.rows(t.task, t.task.c.request_id == done)
    world.write(assignment.complete, ann.actor, task.id, Closing(outcome=Outcome.ANSWERED))
    ask(world, one)
    ask(world, chat, "і в чаті")
    world.order(ann, contact_id=one)
    world.order(ann, contact_id=chat)
    return world, one, chat


def test_everything_of_the_merged_card_belongs_to_the_survivor(two: tuple[World, int, int]):
    world, one, chat = two
    before = everything(world)
    ledger = world.entries()
    record = world.write(merge, world.admin, one, chat, "та сама людина")
    assert {key.kind for key in record.identities} == {PHONE, EMAIL, "channel:viber"}
    assert record.row.name == "Олена"
    assert {row.contact_id for row in world.rows(t.request)} == {one}
    assert {row.contact_id for row in world.rows(t.orders)} == {one}
    assert world.write(contacts.find_or_add, Person("", "", None, (IdentityKey(EMAIL, "o@a.ua"),))) == one
    assert world.entries() == ledger, "no credit moves"
    assert everything(world)["task"] == before["task"], "no task moves"
    assert world.findings() == []
    told = [(row.event, row.actor, row.reason) for row in world.journal(one) if row.event == "merged"]
    assert told == [("merged", "test", "та сама людина")]
    assert [row.event for row in world.journal(chat) if row.event.startswith("merged")] == ["merged_into"]


def test_after_an_undo_every_row_is_where_it_was(two: tuple[World, int, int]):
    world, one, chat = two
    before, ledger = everything(world), world.entries()
    world.write(merge, world.admin, one, chat)
    assert everything(world) != before
    record = world.write(unmerge, world.admin, chat, "помилка")
    assert record.own.merged_into_id is None
    assert everything(world) == before
    assert world.entries() == ledger
    assert world.findings() == []
    told = [(row.event, row.reason) for row in world.journal(one) if row.entity == "contact"]
    assert told == [("merged", None), ("unmerged", "помилка")]


def test_of_two_open_requests_the_newer_one_goes_on_taking_messages(two: tuple[World, int, int]):
    world, one, chat = two
    older, newer = sorted(joining(world))
    world.write(merge, world.admin, one, chat)
    assert joining(world) == {newer}
    assert {row.state for row in world.rows(t.request, t.request.c.id.in_([older, newer]))} == {"open"}
    world.write(unmerge, world.admin, chat)
    assert joining(world) == {older, newer}


def test_in_teams_of_their_own_both_requests_go_on(both_worlds: World):
    world = both_worlds
    one, other = known(world, phone(1)), known(world, phone(2))
    asked = {ask(world, one), ask(world, other, team=world.strict)}
    world.write(merge, world.admin, one, other)
    assert joining(world) == asked


def test_what_came_since_stays_with_the_survivor(two: tuple[World, int, int]):
    world, one, chat = two
    world.write(merge, world.admin, one, chat)
    world.write(contacts.find_or_add, Person("", "", None, (IdentityKey(EMAIL, "o@a.ua"), phone(9))))
    since = ask(world, one, "нове")
    order = world.order(world.worker("Bo"), contact_id=chat)
    assert order.contact_id == one, "who names the merged card means the one that stands for it"
    world.write(unmerge, world.admin, chat)
    assert contact_of(world, t.request, since) == one
    assert contact_of(world, t.orders, order.id) == one
    assert world.read(contacts.owners, [phone(9)]) == {phone(9): one}
    assert since in joining(world), "the survivor keeps the newer request as its joining one"
    assert len(joining(world)) == 2, "and the other card got its own back"
    assert world.findings() == []


def test_a_message_written_since_goes_with_its_request(two: tuple[World, int, int]):
    world, one, chat = two
    [asked] = world.rows(t.request, t.request.c.contact_id == chat)
    world.write(merge, world.admin, one, chat)

    def say(tx: Any) -> int:
        row_id = tx.new_id()
        tx.execute(
            t.message.insert().values(
                id=row_id, account="viber", request_id=asked.id, contact_id=one, direction="in", body="ще", fields="{}",
                created_at=tx.now, state="received",
            )
        )  # fmt: skip
        return int(row_id)

    said = world.write(say)
    world.write(unmerge, world.admin, chat)
    assert contact_of(world, t.message, said) == chat


def test_whose_customer_he_is_goes_along_and_comes_back(two: tuple[World, int, int]):
    world, one, chat = two
    before = world.rows(t.contact_owner)
    world.write(merge, world.admin, chat, one)
    assert [row.card_id for row in world.rows(t.contact_owner)] == [chat]
    [asked] = world.rows(t.request, t.request.c.home_id.is_(None), t.request.c.joining)
    [task] = world.rows(t.task, t.task.c.request_id == asked.id)
    world.write(assignment.complete, world.admin, task.id, Closing(outcome=Outcome.ANSWERED))
    owners = {row.contact_id: row.card_id for row in world.rows(t.contact_owner)}
    assert owners == {one: chat, chat: chat}
    world.write(unmerge, world.admin, one)
    after = world.rows(t.contact_owner)
    assert {row.contact_id: row.card_id for row in after} == {one: one, chat: chat}
    assert before[0] in after


def test_a_chain_is_taken_apart_in_any_order(both_worlds: World):
    world = both_worlds
    numbers = [known(world, phone(n), name=f"N{n}") for n in range(4)]
    for card in numbers:
        ask(world, card)
    a, b, c, d = numbers
    before = everything(world)
    for undone in ((a, b, d), (d, b, a), (b, a, d), (b, d, a)):
        world.write(merge, world.admin, b, a)
        world.write(merge, world.admin, c, b)
        world.write(merge, world.admin, c, d)
        assert {row.contact_id for row in world.rows(t.request)} == {c}
        assert len(joining(world)) == 1
        assert world.findings() == []
        for card in undone:
            world.write(unmerge, world.admin, card)
            assert world.findings() == []
        assert everything(world) == before, undone


def test_the_middle_of_a_chain_takes_along_what_was_merged_into_it(both_worlds: World):
    world = both_worlds
    a, b, c = (known(world, phone(n)) for n in range(3))
    world.write(merge, world.admin, b, a)
    world.write(merge, world.admin, c, b)
    world.write(unmerge, world.admin, b)
    assert world.read(contacts.owners, [phone(0), phone(1), phone(2)]) == {
        phone(0): b,
        phone(1): b,
        phone(2): c,
    }
    assert world.read(contacts.get, b).ids == (b, a)


def test_what_the_survivor_does_not_say_is_read_from_the_merged_card(both_worlds: World):
    world = both_worlds
    chat = known(world, IdentityKey("channel:viber", "v1"))
    named = known(world, phone(1), name="Олена", organisation="ТОВ Дім", note="VIP")
    seller = world.worker("Ann")
    order = world.order(seller, contact_id=chat)
    world.write(merge, world.admin, chat, named)
    record = world.read(contacts.get, chat)
    assert (record.row.name, record.row.organisation, record.row.note) == ("Олена", "ТОВ Дім", "VIP")
    assert (record.own.name, record.own.note) == ("", "")
    assert [o.id for o in world.read(find, Asked(text="олена"))[0]] == [order.id]
    world.write(cards.change, world.admin, chat, CardChange(name="Олена", note="дзвонити зранку"))
    assert world.read(contacts.get, chat).own.name == "", "a form that shows a name does not copy it"
    world.write(unmerge, world.admin, named)
    assert world.read(contacts.get, chat).row.name == ""
    assert world.read(contacts.get, chat).row.note == "дзвонити зранку"
    assert world.read(contacts.get, named).row.note == "VIP"
    assert world.read(find, Asked(text="олена"))[0] == []


def test_the_survivor_gets_the_older_request_back_when_the_newer_went_home(both_worlds: World):
    """The order of undos does not matter: each card has its own joining request in the end."""
    world = both_worlds
    a, b, c = (known(world, phone(n)) for n in range(3))
    first, second, third = (ask(world, card) for card in (a, b, c))
    world.write(merge, world.admin, a, b)
    world.write(merge, world.admin, a, c)
    assert joining(world) == {third}
    world.write(unmerge, world.admin, b)
    assert joining(world) == {second, third}
    world.write(unmerge, world.admin, c)
    assert joining(world) == {first, second, third}
    assert world.rows(t.joined_before) == []


def test_a_request_that_was_closed_meanwhile_takes_no_messages_after_an_undo(two: tuple[World, int, int]):
    world, one, chat = two
    older, newer = sorted(joining(world))
    world.write(merge, world.admin, one, chat)
    world.write(requests.close, world.admin, older, Closing(outcome=Outcome.ANSWERED))
    world.write(unmerge, world.admin, chat)
    assert joining(world) == {newer}


def test_merging_again_changes_nothing_and_what_makes_no_sense_is_refused(both_worlds: World):
    world = both_worlds
    a, b, c = (known(world, phone(n)) for n in range(3))
    firm = known(world, phone(5), organisation="ТОВ Дім")
    world.write(merge, world.admin, a, b)
    version = world.read(contacts.get, a).row.version
    world.write(merge, world.admin, a, b)
    assert world.read(contacts.get, a).row.version == version
    with pytest.raises(RuleSaysNo, match="merged into another") as refused:
        world.write(merge, world.admin, c, b)
    assert refused.value.facts == {"contact_id": str(a)}
    with pytest.raises(RuleSaysNo, match="merged into another"):
        world.write(merge, world.admin, b, c)
    with pytest.raises(InputRejected, match="itself"):
        world.write(merge, world.admin, a, a)
    with pytest.raises(RuleSaysNo, match="attach the person"):
        world.write(merge, world.admin, a, firm)
    with pytest.raises(NotFound):
        world.write(merge, world.admin, a, 404)
    with pytest.raises(VersionConflict):
        world.write(merge, world.admin, a, c, "", 1)
    with pytest.raises(RuleSaysNo, match="nothing to undo"):
        world.write(unmerge, world.admin, a)
    seller = world.worker("Ann")
    for use_case, ids in ((merge, (a, c)), (unmerge, (b,))):
        with pytest.raises(AccessDenied):
            world.write(use_case, seller.actor, *ids)
    with pytest.raises(RuleSaysNo, match="merged into another"):
        world.write(cards.change, world.admin, b, CardChange(name="Х"))


def test_what_would_happen_is_told_before_it_happens(two: tuple[World, int, int]):
    world, one, chat = two
    older, newer = sorted(joining(world))
    told = world.read(merging.foresee, one, chat)
    assert (told.identities, told.requests, told.open_requests, told.orders) == (2, 1, 1, 1)
    assert told.aside == [older]
    world.write(merge, world.admin, one, chat)
    told = world.read(merging.foresee_undo, chat)
    assert (told.identities, told.requests, told.open_requests, told.orders) == (2, 1, 1, 1)
    assert set(told.again) == {older}
    world.write(unmerge, world.admin, chat)
    assert joining(world) == {older, newer}
    with pytest.raises(RuleSaysNo):
        world.read(merging.foresee_undo, chat)


def test_the_pure_rules_choose_the_newest_of_each_team_and_card():
    rows = [Joining(1, 10, 1, 100), Joining(2, 20, 1, 200), Joining(3, 10, 2, 50)]
    assert merging.put_aside(rows) == [1]
    assert merging.put_aside([Joining(1, 10, 1, 100), Joining(2, 20, 1, 100)]) == [1]
    assert merging.given_back([Joining(1, 10, 1, 100)], [Joining(2, 10, 1, 50), Joining(3, 10, 2, 50)]) == [3]
    assert merging.given_back([], [Joining(2, 10, 1, 50), Joining(4, 10, 1, 60), Joining(3, 20, 1, 50)]) == [
        4,
        3,
    ]


def test_who_keeps_ids_elsewhere_is_told_of_both_without_any_words(both_worlds: World):
    world = both_worlds
    one, other = known(world, phone(1), name="Олена"), known(world, phone(2), name="Олена П.")
    secret = SecretKey.of("k" * 40)
    world.write(webhooks.add, "test", "https://shop.example/hub", "s" * 32, list(webhooks.EVENTS), key=secret)
    world.write(merge, world.admin, one, other, "одна Олена")
    world.write(unmerge, world.admin, other)
    told = [
        (row.kind, row.order_key, row.payload) for row in world.rows(t.outbox, t.outbox.c.lane == "webhook")
    ]
    assert [kind for kind, _, _ in told] == ["contact.merged", "contact.unmerged"]
    assert len({key for _, key, _ in told}) == 1, "in order"
    for _, _, payload in told:
        assert str(one) in payload
        assert str(other) in payload
        assert "Олен" not in payload
