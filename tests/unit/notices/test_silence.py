"""Who neither works nor fails is told of once, after his own limit."""

import asyncio

from hub.accounts import store as accounts
from hub.db.tables import account
from hub.kernel.clock import HOUR, SECOND
from hub.runtime.silence import Silence
from hub.sdk import ChannelCapabilities
from tests.unit.notices.staffroom import Kept, payload


def test_silence_is_an_alarm_once_and_ends_once(room, world):
    from hub.access.model import Role

    world.worker("Admin", role=Role.ADMIN, member=False)
    for name in ("chat", "form"):
        world.write(
            lambda tx, one=name: tx.execute(
                account.insert().values(
                    name=one, kind="channel", plugin="x", state="active", created_at=tx.now
                )
            )
        )
    chat, form = Kept(), Kept()
    chat.capabilities = ChannelCapabilities(pulls=True, silence_s=5)
    form.capabilities = ChannelCapabilities()
    silence = Silence(world.db, {"chat": chat, "form": form}, {"form": 2.0})

    def tick(milliseconds=0):
        world.clock.move(milliseconds)
        asyncio.run(silence.tick())
        return [(row.kind, payload(row)["account"]) for row in room.rows("notice")]

    assert tick() == [], "the hub has just started"
    assert tick(2 * SECOND) == []
    assert tick(4 * SECOND) == tick(6 * SECOND) == [("account_silent", "chat")]
    world.write(accounts.note_ok, "chat")
    assert tick() == tick() == [("account_silent", "chat"), ("account_well", "chat")]
    world.clock.move(3 * HOUR)
    world.write(accounts.note_error, "chat", "it fails, and has said so")
    assert tick()[2:] == [("account_silent", "form")], "two hours without a form; the chat has told of itself"
