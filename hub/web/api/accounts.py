"""/api/v1/channels, /api/v1/carriers, /api/v1/stats"""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from hub.access import store as access
from hub.access.model import May
from hub.accounts import store
from hub.accounts.store import AccountRecord
from hub.db.tables import orders, request, shipment, task
from hub.db.tx import Tx
from hub.web.api import schemas as s
from hub.web.api.paging import list_of
from hub.web.api.registry import Call, Operation
from hub.web.api.schemas import time_of


class AccountOut(s.Out):
    """An account and its health. offered = stored + repeated + the sum of rejected, for channels."""

    name: str
    plugin: str
    team: str | None
    state: str
    reason: str | None
    last_ok_at: s.Time | None
    last_error_at: s.Time | None
    last_error: str | None
    offered: int
    stored: int
    repeated: int
    rejected: dict[str, int]


class StatsOut(s.Out):
    """How much there is, by state."""

    requests: dict[str, int]
    tasks: dict[str, int]
    orders: dict[str, int]
    shipments: dict[str, int]


def show(record: AccountRecord) -> AccountOut:
    """An account."""
    return AccountOut(
        name=record.name,
        plugin=record.plugin,
        team=record.team,
        state=record.state,
        reason=record.reason,
        last_ok_at=time_of(record.last_ok_at),
        last_error_at=time_of(record.last_error_at),
        last_error=record.last_error,
        offered=record.offered,
        stored=record.stored,
        repeated=record.repeated,
        rejected=dict(record.rejected),
    )


def list_channels(conn: Connection, _call: Call) -> BaseModel:
    """By name."""
    return list_of(AccountOut)(items=[show(a) for a in store.all_accounts(conn, "channel")])


def list_carriers(conn: Connection, _call: Call) -> BaseModel:
    """By name."""
    return list_of(AccountOut)(items=[show(a) for a in store.all_accounts(conn, "carrier")])


def get_channel(conn: Connection, call: Call) -> AccountOut:
    """One channel account."""
    return show(store.get(conn, "channel", call.params["name"]))


def get_carrier(conn: Connection, call: Call) -> AccountOut:
    """One carrier account."""
    return show(store.get(conn, "carrier", call.params["name"]))


def resume_channel(tx: Tx, call: Call) -> AccountOut:
    """Switch a channel account on again that had stopped."""
    return resume(tx, call, "channel")


def resume_carrier(tx: Tx, call: Call) -> AccountOut:
    """Switch a carrier account on again that had stopped."""
    return resume(tx, call, "carrier")


def resume(tx: Tx, call: Call, kind: str) -> AccountOut:
    """One click back; who did it stands in the audit."""
    name = call.params["name"]
    store.resume(tx, kind, name)
    access.write_audit(tx, call.actor, "account_resumed", name)
    return show(store.get(tx.conn, kind, name))


async def trust_again(call: Call, resumed: BaseModel) -> BaseModel:
    """This process calls the plugin of a channel again at once, whatever it had done before."""
    account = call.services.door.accounts.get(call.params["name"])
    if account is not None:
        account.trust_again()
    return resumed


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


OPERATIONS = (
    Operation(
        method="GET", path="/channels", summary="Channel accounts and their health", tag="accounts",
        may=May.SEE, result=list_of(AccountOut), reads=list_channels,
    ),
    Operation(
        method="GET", path="/channels/{name}", summary="One channel account", tag="accounts", may=May.SEE,
        result=AccountOut, reads=get_channel, errors=(404,),
    ),
    Operation(
        method="POST", path="/channels/{name}/resume", summary="Switch a stopped channel account on again",
        tag="accounts", may=May.OPERATE, body=s.ActingBody, result=AccountOut, writes=resume_channel,
        afterwards=trust_again, errors=(404, 409),
    ),
    Operation(
        method="POST", path="/carriers/{name}/resume", summary="Switch a stopped carrier account on again",
        tag="accounts", may=May.OPERATE, body=s.ActingBody, result=AccountOut, writes=resume_carrier,
        errors=(404, 409),
    ),
    Operation(
        method="GET", path="/carriers", summary="Carrier accounts and their health", tag="accounts",
        may=May.SEE, result=list_of(AccountOut), reads=list_carriers,
    ),
    Operation(
        method="GET", path="/carriers/{name}", summary="One carrier account", tag="accounts", may=May.SEE,
        result=AccountOut, reads=get_carrier, errors=(404,),
    ),
    Operation(
        method="GET", path="/stats", summary="How much there is, by state", tag="accounts", may=May.SEE,
        result=StatsOut, reads=stats,
    ),
)  # fmt: skip
