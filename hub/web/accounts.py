"""What people do with accounts, for the API and the pages alike: the use case, and who did it in the audit."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.access.model import Actor
from hub.accounts import kept, store
from hub.accounts.kept import Change, Wanted
from hub.accounts.store import AccountRecord
from hub.db.tx import Tx
from hub.web.context import Services

SWITCHED_OFF = "a person switched it off"


@dataclass(frozen=True, slots=True)
class Standing:
    """An account with what is counted or computed about it.

    silent   it has not answered for longer than its own limit
    address  where its provider has to deliver; "" where it delivers nothing
    """

    record: AccountRecord
    backlog: int
    silent: bool
    address: str


def standing(conn: Connection, services: Services, origin: str, kind: str) -> list[Standing]:
    """All accounts of a kind."""
    now = services.clock.now()
    waiting = store.backlog(conn, now)
    return [
        Standing(
            one, waiting.of(one.name), is_silent(services, one, now), address_of(services, one.name, origin)
        )
        for one in store.all_accounts(conn, kind)
    ]


def is_silent(services: Services, record: AccountRecord, now: int) -> bool:
    """Only channels that the hub itself asks or watches must answer all the time; where nobody writes is no silence."""
    served = services.door.accounts.get(record.name)
    if served is None:
        return False
    able = served.channel.capabilities
    return (able.pulls or able.registers) and store.silent(record, able.silence_s, now)


def address_of(services: Services, name: str, origin: str) -> str:
    """Where deliveries of an account go to; `origin` where the settings do not say how the hub is reached."""
    served = services.door.accounts.get(name)
    if served is None or not served.channel.capabilities.receives:
        return ""
    base = services.loaded.settings.hub.base_url or origin
    return f"{base.rstrip('/')}/in/{name}"


def add(tx: Tx, services: Services, actor: Actor, wanted: Wanted) -> AccountRecord:
    """A new account of the workspace."""
    made = kept.add(tx, services.plugins, services.key, wanted)
    access.write_audit(tx, actor, "account_added", made.name, orjson.dumps({"plugin": made.plugin}).decode())
    return made


def change(tx: Tx, services: Services, actor: Actor, kind: str, name: str, wanted: Change) -> AccountRecord:
    """Other settings."""
    made = kept.change(tx, services.plugins, services.key, kind, name, wanted)
    touched = sorted(wanted.settings)  # their names: values may be secret
    access.write_audit(tx, actor, "account_changed", name, orjson.dumps({"settings": touched}).decode())
    return made


def retire(tx: Tx, actor: Actor, kind: str, name: str) -> AccountRecord:
    """Take it away."""
    made = kept.retire(tx, kind, name)
    access.write_audit(tx, actor, "account_retired", name)
    return made


def pause(tx: Tx, actor: Actor, kind: str, name: str) -> AccountRecord:
    """Switch it off until somebody switches it on again."""
    store.pause(tx, kind, name, SWITCHED_OFF)
    access.write_audit(tx, actor, "account_paused", name)
    return store.get(tx.conn, kind, name)


def resume(tx: Tx, actor: Actor, kind: str, name: str) -> AccountRecord:
    """One click back."""
    store.resume(tx, kind, name)
    access.write_audit(tx, actor, "account_resumed", name)
    return store.get(tx.conn, kind, name)


async def follow(services: Services, name: str) -> None:
    """This process acts by what was just written, before it answers; the others do within a second or two.

    What the account's plugin had done before is forgiven: its calls are made at once again.
    """
    served = services.door.accounts.get(name)
    if served is not None:
        served.trust_again()
    if services.roster is not None:
        await services.roster.apply()
