"""/api/v1/channels, /api/v1/carriers, /api/v1/stats"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.accounts import kept, store
from hub.accounts.kept import Change, Wanted
from hub.db.tables import orders, request, shipment, task
from hub.db.tx import Tx
from hub.web import accounts
from hub.web.api import schemas as s
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation
from hub.web.api.schemas import time_of


class AccountOut(s.Out):
    """An account and its health. offered = stored + repeated + the sum of rejected, for channels.

    state    active | stopped (by the hub: its credentials are not taken) | paused (by a person) | off | retired
    origin   file | workspace: who may change it
    silent   it has not answered for longer than its own limit
    backlog  what waits: deliveries that are not understood yet, parcels that are due
    address  where its provider delivers, below `[hub] base_url`; null where it delivers nothing
    """

    name: str
    plugin: str
    team: str | None
    state: str
    reason: str | None
    origin: Literal["file", "workspace"]
    silent: bool
    backlog: int
    address: str | None
    last_ok_at: s.Time | None
    last_error_at: s.Time | None
    last_error: str | None
    offered: int
    stored: int
    repeated: int
    rejected: dict[str, int]
    version: int


class SettingsOut(s.Out):
    """Settings of an account of the workspace: the plain ones, and the names of the secret ones that it has."""

    plugin: str
    team: str | None
    customer_language: str
    skill: str
    settings: dict[str, Any]
    secrets: list[str]
    version: int


class AccountBody(s.In):
    """A new account. `settings` are the plugin's own keys, as in the settings file; secrets are encrypted."""

    name: s.Name
    plugin: s.Name
    settings: dict[str, Any] = Field(default_factory=dict, max_length=200)


class ChannelBody(AccountBody):
    """A new channel account."""

    team: s.Name = "sales"
    customer_language: s.Name = ""
    skill: s.Name = ""


class AccountChange(s.In):
    """Other settings. Keys that are not named stay, secrets too; null puts a key back to its default."""

    settings: dict[str, Any] = Field(default_factory=dict, max_length=200)


class ChannelChange(AccountChange):
    """Another team, language or skill, other settings."""

    team: s.Name | None = None
    customer_language: s.Name | None = None
    skill: s.Name | None = None


class CheckOut(s.Out):
    """What the other side answered just now."""

    ok: bool
    said: str
    took_ms: int


class StatsOut(s.Out):
    """How much there is, by state."""

    requests: dict[str, int]
    tasks: dict[str, int]
    orders: dict[str, int]
    shipments: dict[str, int]


def show(found: accounts.Standing) -> AccountOut:
    """An account."""
    record = found.record
    return AccountOut(
        name=record.name,
        plugin=record.plugin,
        team=record.team,
        state=record.state,
        reason=record.reason,
        origin="workspace" if record.origin == store.WORKSPACE else "file",
        silent=found.silent,
        backlog=found.backlog,
        address=found.address or None,
        last_ok_at=time_of(record.last_ok_at),
        last_error_at=time_of(record.last_error_at),
        last_error=record.last_error,
        offered=record.offered,
        stored=record.stored,
        repeated=record.repeated,
        rejected=dict(record.rejected),
        version=record.version,
    )


class OfKind:
    """The operations on channels, or those on carriers."""

    def __init__(self, kind: Literal["channel", "carrier"]) -> None:
        self.kind = kind

    def every(self, conn: Connection, call: Call) -> BaseModel:
        """By name, retired ones last."""
        return list_of(AccountOut)(items=[show(one) for one in self._all(conn, call)])

    def get(self, conn: Connection, call: Call) -> AccountOut:
        """One."""
        return self._one(conn, call, self._name(call))

    def settings(self, conn: Connection, call: Call) -> SettingsOut:
        """What may be seen of them."""
        record = store.get(conn, self.kind, self._name(call))
        if record.origin != store.WORKSPACE:
            raise kept.OfTheFile
        shown = kept.shown(conn, record)
        return SettingsOut(
            plugin=record.plugin,
            team=record.team,
            customer_language=shown.customer_language,
            skill=shown.skill,
            settings=dict(shown.settings),
            secrets=sorted(shown.secrets),
            version=record.version,
        )

    def add(self, tx: Tx, call: Call) -> AccountOut:
        """A new one."""
        body: AccountBody = call.body
        more = (
            {"team": body.team, "customer_language": body.customer_language, "skill": body.skill}
            if isinstance(body, ChannelBody)
            else {}
        )
        wanted = Wanted(
            kind=self.kind, name=body.name, plugin=body.plugin, settings=body.settings, **more
        )  # fmt: skip
        made = accounts.add(tx, call.services, call.actor, wanted)
        return self._one(tx.conn, call, made.name)

    def change(self, tx: Tx, call: Call) -> AccountOut:
        """Other settings."""
        body: AccountChange = call.body
        more = (
            {"team": body.team, "customer_language": body.customer_language, "skill": body.skill}
            if isinstance(body, ChannelChange)
            else {}
        )
        wanted = Change(settings=body.settings, expected_version=call.if_match, **more)
        accounts.change(tx, call.services, call.actor, self.kind, self._name(call), wanted)
        return self._one(tx.conn, call, self._name(call))

    def retire(self, tx: Tx, call: Call) -> AccountOut:
        """Take it away."""
        accounts.retire(tx, call.actor, self.kind, self._name(call))
        return self._one(tx.conn, call, self._name(call))

    def pause(self, tx: Tx, call: Call) -> AccountOut:
        """Switch it off."""
        accounts.pause(tx, call.actor, self.kind, self._name(call))
        return self._one(tx.conn, call, self._name(call))

    def resume(self, tx: Tx, call: Call) -> AccountOut:
        """One click back; who did it stands in the audit."""
        accounts.resume(tx, call.actor, self.kind, self._name(call))
        return self._one(tx.conn, call, self._name(call))

    async def follow(self, call: Call, written: BaseModel) -> BaseModel:
        """Act by it at once, and tell how the account stands then: its plugin may have refused it."""
        name = getattr(written, "name", "")
        await accounts.follow(call.services, name)
        return await call.services.db.read(lambda conn: self._one(conn, call, name))

    async def check(self, call: Call, found: BaseModel) -> CheckOut:
        """Try it live."""
        assert call.services.roster is not None
        tried = await call.services.roster.check(getattr(found, "name", ""))
        return CheckOut(ok=tried.ok, said=tried.said, took_ms=tried.took_ms)

    @staticmethod
    def _name(call: Call) -> str:
        return str(call.params["name"])

    def _all(self, conn: Connection, call: Call) -> list[accounts.Standing]:
        return accounts.standing(conn, call.services, "", self.kind)

    def _one(self, conn: Connection, call: Call, name: str) -> AccountOut:
        store.get(conn, self.kind, name)
        return next(show(one) for one in self._all(conn, call) if one.record.name == name)


def stats(conn: Connection, _call: Call) -> StatsOut:
    """Counted now."""
    columns = {
        "requests": request.c.state,
        "tasks": task.c.state,
        "orders": orders.c.stage,
        "shipments": shipment.c.status,
    }
    counted = {}
    for name, column in columns.items():
        rows = conn.execute(select(column, func.count()).group_by(column).order_by(column))
        counted[name] = {str(row[0]): int(row[1]) for row in rows}
    return StatsOut(**counted)


def _operations(kind: Literal["channel", "carrier"]) -> tuple[Operation, ...]:
    of, plural = OfKind(kind), f"{kind}s"
    one = f"/{plural}/{{name}}"
    body, other = (ChannelBody, ChannelChange) if kind == "channel" else (AccountBody, AccountChange)
    seen: dict[str, Any] = {"tag": "accounts", "may": May.SEE}
    run: dict[str, Any] = {
        "tag": "accounts",
        "may": May.OPERATE,
        "result": AccountOut,
        "afterwards": of.follow,
    }
    return (
        Operation(
            method="GET", path=f"/{plural}", summary=f"{kind.title()} accounts and their health",
            result=list_of(AccountOut), reads=of.every, **seen,
        ),
        Operation(
            method="POST", path=f"/{plural}", summary=f"Add a {kind} account", body=body, writes=of.add,
            status=201, errors=(409,), **run,
        ),
        Operation(
            method="GET", path=one, summary=f"One {kind} account", result=AccountOut, reads=of.get,
            errors=(404,), **seen,
        ),
        Operation(
            method="PATCH", path=one, summary=f"Change a {kind} account of the workspace", body=other,
            writes=of.change, versioned=True, errors=(404, 409, 412), **run,
        ),
        Operation(
            method="DELETE", path=one, summary=f"Retire a {kind} account of the workspace", writes=of.retire,
            errors=(404, 409), **run,
        ),
        Operation(
            method="GET", path=f"{one}/settings", summary=f"Settings of a {kind} account, without its secrets",
            tag="accounts", may=May.OPERATE, result=SettingsOut, reads=of.settings, errors=(404, 409),
        ),
        Operation(
            method="POST", path=f"{one}/check", summary=f"Try a {kind} account live", tag="accounts",
            may=May.OPERATE, body=s.ActingBody, result=CheckOut, reads=of.get, afterwards=of.check, errors=(404,),
        ),
        Operation(
            method="POST", path=f"{one}/pause", summary=f"Switch a {kind} account off", body=s.ActingBody,
            writes=of.pause, errors=(404, 409), **run,
        ),
        Operation(
            method="POST", path=f"{one}/resume", summary=f"Switch a stopped {kind} account on again",
            body=s.ActingBody, writes=of.resume, errors=(404, 409), **run,
        ),
    )  # fmt: skip


OPERATIONS = (
    *_operations("channel"),
    *_operations("carrier"),
    Operation(
        method="GET", path="/stats", summary="How much there is, by state", tag="accounts", may=May.SEE,
        result=StatsOut, reads=stats,
    ),
)  # fmt: skip
