"""An answer goes to the chat that its request came from, also after a merge, during one, and when it was undone."""

from typing import Any

import pytest

from hub.contacts import store as contacts
from hub.contacts.model import EMAIL, IdentityKey
from hub.customers.merging import merge, unmerge
from hub.db import tables as t
from hub.intake.extras import Signal, apply_signals
from hub.requests import replies
from hub.requests import store as requests
from hub.requests.replies import Letter, Way, Writer
from hub.runtime.replies import _read
from hub.sdk.messages import EventKind
from tests.unit.customers.test_merging import ask, known
from tests.unit.world import World

WRITERS = {"viber": Writer("viber", "channel_id", False, 0), "mail": Writer("mail", "email", True, 0)}
FIRST, SECOND = IdentityKey("channel:viber", "v1"), IdentityKey("channel:viber", "v2")


@pytest.fixture
def chats(both_worlds: World) -> tuple[World, int, int, int, int]:
    """Two chats on one channel, each with an open request."""
    one, other = known(both_worlds, FIRST), known(both_worlds, SECOND, IdentityKey(EMAIL, "o@a.ua"))
    return both_worlds, one, other, ask(both_worlds, one), ask(both_worlds, other)


def ways(world: World, request_id: int) -> list[Way]:
    def find(conn: Any) -> list[Way]:
        row = requests.get(conn, request_id)
        return replies.ways(conn, contacts.get(conn, row.contact_id), WRITERS, requests.home_of(row))

    return world.read(find)


def write(world: World, request_id: int, account: str = "viber") -> int:
    letter = Letter(text="120 грн", account=account)
    return world.write(replies.reply, world.admin, request_id, letter, WRITERS).id


def sent_to(world: World, message_id: int) -> str:
    """Where the outbox would send it now."""
    return str(world.read(_read, message_id)[1](()).to.channel_id)


def chat(world: World, request_id: int) -> str:
    return next(way.address for way in ways(world, request_id) if way.account == "viber")


def test_each_request_is_answered_where_it_came_from(chats: tuple[World, int, int, int, int]):
    world, one, other, first, second = chats
    before = write(world, second)
    world.write(merge, world.admin, one, other)
    assert (chat(world, first), chat(world, second)) == ("v1", "v2")
    assert {way.account for way in ways(world, first)} == {"viber", "mail"}, (
        "and the e-mail leads to him, too"
    )
    during = write(world, second)
    assert [sent_to(world, one) for one in (before, during, write(world, first))] == ["v2", "v2", "v1"]
    world.write(unmerge, world.admin, other)
    assert [sent_to(world, one) for one in (before, during, write(world, second))] == ["v2"] * 3


def test_who_left_with_one_chat_is_reached_in_the_other(chats: tuple[World, int, int, int, int]):
    world, one, other, first, second = chats
    world.write(merge, world.admin, one, other)

    def tell(kind: EventKind, channel_id: str) -> None:
        signal = Signal(kind, channel_id, "", "", "", None)
        world.write(apply_signals, "viber", [signal])

    tell(EventKind.LEFT, "v2")
    assert chat(world, second) == "v1"
    assert [way.closed for way in ways(world, second) if way.account == "viber"] == [""]
    tell(EventKind.LEFT, "v1")
    assert all(way.closed for way in ways(world, first) if way.account == "viber")
    tell(EventKind.JOINED, "v2")
    assert chat(world, first) == chat(world, second) == "v2"
    world.write(unmerge, world.admin, other)
    states = {(row.contact_id, row.state) for row in world.rows(t.reachability)}
    assert states == {(one, "left"), (other, "open")}, "each card keeps what happened to its own chat"
