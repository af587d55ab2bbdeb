"""What notices say, in the reader's language. Reads what a notice is about; changes nothing.

A notice keeps ids only, so its words are as true as the moment at which they are read: a task that somebody
else has by now says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.engine import Connection

from hub.contacts import store as contacts
from hub.contacts.store import ContactRecord
from hub.db.rows import AttachmentRow
from hub.db.tables import attachment, message, orders, request, staff, task
from hub.kernel.clock import MINUTE
from hub.kernel.text import one_line
from hub.notices.store import NoticeRow
from hub.orders import store as order_store
from hub.tasks.model import HELD

SHOWN_TEXT = 500
SHOWN_FILES = 10
FILES_OF = 10


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "mark, translate later"
    """Mark a text for the catalogue."""
    return text


class Badge(Protocol):
    """A word for a state."""

    @property
    def text(self) -> str: ...


class Speech(Protocol):
    """One reader's language, zone and moment (`hub.web.workspace.words.Words`)."""

    language: str
    zone: ZoneInfo

    def t(self, text: str, **values: object) -> str: ...

    def count(self, one: str, many: str, number: int) -> str: ...

    def sentence(self, message: str) -> str: ...

    def when(self, at: int) -> str: ...

    def money(self, minor: int, currency: str) -> str: ...

    def contact(self, record: ContactRecord | None) -> str: ...

    def task_title(self, kind: str, title: str) -> str: ...

    def status(self, status: str) -> Badge: ...


Speak = Callable[[str], Speech]
"""Makes the speech of a language, for now."""

_TASK_TEXTS = {
    "task_assigned": N_("New task: %(title)s"),
    "task_unanswered": N_("Nobody has reacted: %(title)s"),
    "task_passed_on": N_("Passed on, because nobody reacted: %(title)s"),
    "message_failed": N_("Your message did not reach the customer: %(title)s"),
    "approval": N_("Nobody can give this approval: %(title)s"),
}
_ACCOUNT_TEXTS = {
    "account_ill": N_("The account %(account)s does not work"),
    "account_notice": N_("Something has to be done about the account %(account)s"),
    "account_well": N_("The account %(account)s works again"),
    "account_silent": N_("Nothing has been heard from the account %(account)s since %(when)s"),
}
_LANES = {
    "notice": N_("notices"),
    "staff_message": N_("messages to the staff"),
    "staff_answer": N_("answers of the staff bot"),
    "staff_bot": N_("commands to the staff bot"),
    "acknowledgement": N_("acknowledgements"),
    "order_message": N_("messages about orders"),
    "webhook": N_("web hooks"),
}
_DIGEST = (
    ("requests", N_("New requests: %(n)s")),
    ("answered", N_("Closed: %(n)s")),
    ("waiting", N_("Waiting for somebody: %(n)s")),
    ("unaccepted", N_("Dealt and not accepted: %(n)s")),
    ("next_contacts", N_("Next contacts overdue: %(n)s")),
    ("orders", N_("New orders: %(n)s")),
    ("parcels", N_("Parcels with a problem: %(n)s")),
    ("accounts", N_("Accounts that do not work: %(n)s")),
    ("undelivered", N_("Could not be delivered: %(n)s")),
)


@dataclass(frozen=True, slots=True)
class Told:
    """One notice in words. `mine`: the task is his and open, so that he can do something with it."""

    id: int
    kind: str
    at: int
    read: bool
    title: str
    details: tuple[str, ...] = ()
    path: str = ""
    task_id: int | None = None
    mine: bool = False
    accepted: bool = False


def lane_title(speech: Speech, lane: str) -> str:
    """The name of a lane."""
    return speech.t(_LANES[lane]) if lane in _LANES else lane


def tell(conn: Connection, speech: Speech, rows: Sequence[NoticeRow]) -> list[Told]:
    """These notices in words, in their order."""
    known = _Known(conn, rows)
    return [_one(conn, speech, row, known) for row in rows]


class _Known:
    """What the notices of one page are about, one look-up a kind of thing."""

    def __init__(self, conn: Connection, rows: Sequence[NoticeRow]) -> None:
        task_ids = {int(row.body["task_id"]) for row in rows if row.body.get("task_id")}
        order_ids = {int(row.body["order_id"]) for row in rows if row.body.get("order_id")}
        query = (
            select(
                task.c.id, task.c.kind, task.c.title, task.c.state, task.c.assignee_id, task.c.request_id,
                request.c.contact_id, request.c.account, staff.c.name.label("holder"),
            )
            .select_from(task)
            .join(request, request.c.id == task.c.request_id, isouter=True)
            .join(staff, staff.c.id == task.c.assignee_id, isouter=True)
            .where(task.c.id.in_(task_ids))
        )  # fmt: skip
        self.tasks = {row.id: row for row in conn.execute(query)} if task_ids else {}
        self.contacts = contacts.many(conn, [t.contact_id for t in self.tasks.values() if t.contact_id])
        found = conn.execute(select(orders).where(orders.c.id.in_(order_ids))) if order_ids else ()
        self.orders = {row.id: row for row in found}


def _one(conn: Connection, speech: Speech, row: NoticeRow, known: _Known) -> Told:
    body = row.body
    read = row.read_at is not None
    usual: dict[str, Any] = {"id": row.id, "kind": row.kind, "at": row.created_at, "read": read}
    if body.get("task_id"):
        return _about_task(speech, row, known, usual)
    if row.kind in _ACCOUNT_TEXTS:
        since = int(body.get("since") or row.created_at)
        title = speech.t(_ACCOUNT_TEXTS[row.kind], account=body.get("account", "?"), when=speech.when(since))
        reason = str(body.get("reason") or "")
        return Told(title=title, details=(speech.sentence(reason),) if reason else (), **usual)
    if row.kind == "undelivered":
        lanes = ", ".join(lane_title(speech, lane) for lane in body.get("lanes", ()))
        title = speech.t(N_("Something could not be delivered: %(lanes)s"), lanes=lanes)
        return Told(title=title, path="/undelivered", **usual)
    if row.kind == "unknown_code":
        title = speech.t(
            N_("A carrier's code that no table lists: %(plugin)s %(code)s"), plugin=body.get("plugin", "?"),
            code=body.get("code", "?"),
        )  # fmt: skip
        line = str(body.get("line") or "")
        return Told(title=title, details=(line,) if line else (), path="/unknown-codes", **usual)
    if row.kind == "digest":
        return Told(title=speech.t(N_("The morning")), details=digest_lines(speech, body), path="/", **usual)
    if body.get("order_id"):
        return _about_order(conn, speech, row, known, usual)
    return Told(title=speech.t(N_("News")), **usual)


def _about_task(speech: Speech, row: NoticeRow, known: _Known, usual: dict[str, Any]) -> Told:
    task_id = int(row.body["task_id"])
    found = known.tasks.get(task_id)
    if found is None:
        return Told(title=speech.t(N_("A task that is not there any more")), **usual)
    title = speech.task_title(found.kind, found.title)
    details = []
    if found.contact_id is not None:
        details.append(
            f"{speech.contact(known.contacts.get(found.contact_id))} · {found.account or ''}".rstrip(" ·")
        )
    mine = found.assignee_id == row.staff_id and found.state in (*HELD, "snoozed")
    if row.kind == "task_assigned" and not mine:
        details.append(
            speech.t(N_("%(name)s has it now"), name=found.holder)
            if found.assignee_id not in (None, row.staff_id)
            else speech.t(N_("It is not yours any more"))
        )
    text = speech.t(_TASK_TEXTS.get(row.kind, N_("About the task: %(title)s")), title=title)
    return Told(
        title=text, details=tuple(details), path=f"/tasks/{task_id}", task_id=task_id, mine=mine,
        accepted=found.state == "accepted", **usual,
    )  # fmt: skip


def _about_order(
    conn: Connection, speech: Speech, row: NoticeRow, known: _Known, usual: dict[str, Any]
) -> Told:
    order_id = int(row.body["order_id"])
    order = known.orders.get(order_id)
    if order is None:
        return Told(title=speech.t(N_("An order that is not there any more")), **usual)
    path = f"/orders/{order_id}"
    key = str(row.body.get("stage") or "")
    stages = order_store.load_route(conn, order.route, order.route_version).stages
    if row.kind != "order_stage" or key not in stages:
        return Told(
            title=speech.t(N_("News of the order %(number)s"), number=order.number), path=path, **usual
        )
    titles = stages[key].title
    text = speech.t(
        N_("Order %(number)s has come to the stage “%(stage)s”"), number=order.number,
        stage=titles.get(speech.language) or titles.get("en") or key,
    )  # fmt: skip
    return Told(title=text, path=path, **usual)


def digest_lines(speech: Speech, body: Any) -> tuple[str, ...]:
    """The morning in lines: what is not zero, and always what came in."""
    lines = [
        speech.t(text, n=body.get(name, 0)) for name, text in _DIGEST if body.get(name) or name == "requests"
    ]
    sums = [speech.money(int(minor), currency) for currency, minor in sorted(body.get("sums", {}).items())]
    if sums:
        lines.append(speech.t(N_("Orders to the sum of %(sums)s"), sums=", ".join(sums)))
    lines += [
        speech.t(N_("%(name)s: %(n)s open"), name=name, n=number) for name, number in body.get("people", ())
    ]
    return tuple(lines)


def last_words(conn: Connection, task_id: int) -> str:
    """What the customer wrote last, cut; "" where there is nothing."""
    query = (
        select(message.c.body)
        .join(task, task.c.request_id == message.c.request_id)
        .where(task.c.id == task_id, message.c.direction == "in", message.c.body != "")
        .order_by(message.c.id.desc())
        .limit(1)
    )
    body = conn.execute(query).scalar_one_or_none() or ""
    return body if len(body) <= SHOWN_TEXT else body[: SHOWN_TEXT - 1] + "…"


def last_files(conn: Connection, task_id: int) -> list[AttachmentRow]:
    """The files of the customer's newest messages: an album is several of them."""
    query = (
        select(message.c.id)
        .join(task, task.c.request_id == message.c.request_id)
        .where(task.c.id == task_id, message.c.direction == "in")
        .order_by(message.c.id.desc())
        .limit(FILES_OF)
    )
    found = select(attachment).where(
        attachment.c.message_id.in_(query.scalar_subquery()),
        attachment.c.inline == "",
        attachment.c.state != "gone",
    )
    rows = conn.execute(found.order_by(attachment.c.id.desc()).limit(SHOWN_FILES)).all()
    return [AttachmentRow._make(row) for row in reversed(rows)]


def subject(told: Sequence[Told], speech: Speech) -> str:
    """One line for a mail about these."""
    if len(told) == 1:
        return one_line(told[0].title, 200)
    return speech.count("%(num)s notice from the hub", "%(num)s notices from the hub", len(told))


def minutes(milliseconds: int) -> int:
    """Whole minutes, at least one."""
    return max(1, milliseconds // MINUTE)
