"""The staff bot: what a person of the staff can do from his messenger.

A channel account with `staff = true` takes no customers. What is written there is stored like every delivery
(its key is what makes a repeated one harmless) and lies in the outbox lane `staff_bot`; here it is carried out
in the transaction that settles its row, so exactly once, with the rights of the person whose messenger it is.
Strangers are told how to link, and nothing else. Files are fetched before that, outside of the transaction; after a
crash between the two they are fetched once more.

    the code of one's own page   links this messenger to the person
    accept, later, pass on       buttons under a new task
    an answer to a notice        goes to the customer of that task, with its files
    /my /parcels /digest /stop   my tasks, my parcels, the head's morning, unlink
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import orjson
import structlog
from sqlalchemy import select

from hub.access.model import Actor, May
from hub.access.store import actor_of
from hub.assignment import service as tasks_service
from hub.db.rows import OutboxRow, TaskRow
from hub.db.tables import orders, shipment, staff, task
from hub.db.tx import Tx
from hub.kernel.clock import MINUTE, Instant
from hub.kernel.errors import AlreadyClaimed, HubError, InputRejected, TransitionRefused
from hub.kernel.ids import MAX_ID
from hub.notices import digest, store
from hub.notices.put import Buttons, forget, put_answer
from hub.notices.store import CODE_LENGTH, CODE_LETTERS
from hub.notices.texts import N_, Speak, Speech, digest_lines
from hub.outbox.model import OutboxState
from hub.requests import replies
from hub.requests.replies import Letter, NewFile, Writer
from hub.sdk.errors import PermanentFailure, PluginError, TemporaryFailure
from hub.sdk.messages import Later, SendResult, Sent
from hub.staff.calendar import at_wall, local_date
from hub.tasks import store as tasks
from hub.tasks.model import HELD, TaskState

log = structlog.get_logger("hub.notices")

LISTED = 10
FILE_TRIES = 4
PARCELS_LISTED = 20
MORNING = 9 * 60
LATER_MINUTES = (30, 120)
_COMMANDS = {
    "/start": "help", "/help": "help", "/допомога": "help",
    "/my": "my", "/tasks": "my", "/задачі": "my", "/мої": "my",
    "/parcels": "parcels", "/посилки": "parcels",
    "/digest": "digest", "/ранок": "digest",
    "/stop": "stop", "/unlink": "stop", "/стоп": "stop",
}  # fmt: skip
_HELP = N_(
    "/my — my tasks\n/parcels — my parcels under way\n/digest — the morning of the head\n"
    "/stop — unlink this messenger\n"
    "Answer a message about a task to write to its customer."
)
_STRANGER = N_("This bot is for the staff. Open your own page in the hub, make a code and send it here.")
_UNSAYABLE = N_("That did not work: something is wrong on our side. Open the task in the workspace.")


class TakesFiles(Protocol):
    """Fetches the files of a message to the bot (`hub.runtime.staff_files`)."""

    async def take(self, told: Mapping[str, Any]) -> Sequence[NewFile]: ...


class BotSink:
    """Carries out what the staff writes to its bot."""

    def __init__(
        self,
        writers: Mapping[str, Writer],
        speak: Speak,
        zone: ZoneInfo,
        language: str,
        files: TakesFiles,
    ) -> None:
        self._files = files
        self._taken: dict[int, Sequence[NewFile] | PluginError] = {}
        self._writers = writers
        self._speak = speak
        self._zone = zone
        self._language = language

    async def send(self, rows: Sequence[OutboxRow]) -> SendResult:
        """Nothing leaves here: see `settled`. Files of a message are fetched; a provider that is away is waited for."""
        for row in rows:
            told = orjson.loads(row.payload)
            if not told["files"]:
                continue
            try:
                self._taken[row.id] = await self._files.take(told)
            except TemporaryFailure as failure:
                if row.attempts < FILE_TRIES:
                    return Later(failure.retry_after_s or 0)
                self._taken[row.id] = failure
            except PermanentFailure as failure:
                self._taken[row.id] = failure
        return Sent()

    def settled(self, tx: Tx, row: OutboxRow, state: OutboxState, result: SendResult) -> None:
        """Do what was asked; a refusal is told to whoever asked, and nothing of it stays."""
        del result
        files = self._taken.pop(row.id, ())
        if state is not OutboxState.DONE:
            return
        told = orjson.loads(row.payload)
        forget(tx, row)
        account, channel_id = told["account"], told["channel_id"]
        if told["kind"] == "left":
            store.unlink_address(tx, account, channel_id)
            return
        link = store.link_at(tx.conn, account, channel_id)
        actor = actor_of(tx.conn, link.staff_id) if link is not None else None
        speech = self._speak(self._language_of(tx, link.staff_id if link else None, told["language"]))
        if actor is None:
            self._stranger(tx, speech, told)
            return
        visit = _Visit(tx, actor, speech, told, files, self._writers, actor_zone(tx, actor, self._zone))
        try:
            with tx.conn.begin_nested():
                answer, buttons = visit.run()
        except HubError as error:
            answer, buttons = _refusal(tx, speech, error), ()
        except Exception as error:
            # A boundary: a bug of ours with one message must not hold back everybody's.
            log.exception("staff_bot_raised", error=type(error).__name__)
            answer, buttons = speech.t(_UNSAYABLE), ()
        put_answer(tx, account, channel_id, answer, buttons)

    def _language_of(self, tx: Tx, staff_id: int | None, hint: str) -> str:
        known = None
        if staff_id is not None:
            known = tx.execute(select(staff.c.language).where(staff.c.id == staff_id)).scalar_one_or_none()
        wanted = known or hint.partition("-")[0]
        return wanted if wanted in {"uk", "en"} else self._language

    def _stranger(self, tx: Tx, speech: Speech, told: Mapping[str, Any]) -> None:
        code = (told["start"] or told["text"]).strip().upper()
        staff_id = None
        if len(code) == CODE_LENGTH and not set(code) - set(CODE_LETTERS):
            staff_id = store.use_code(tx, code, told["account"], told["channel_id"])
        if staff_id is None:
            put_answer(tx, told["account"], told["channel_id"], speech.t(_STRANGER))
            return
        own = self._speak(self._language_of(tx, staff_id, told["language"]))
        name = tx.execute(select(staff.c.name).where(staff.c.id == staff_id)).scalar_one()
        text = own.t(N_("%(name)s, this messenger is yours now."), name=name) + "\n\n" + own.t(_HELP)
        put_answer(tx, told["account"], told["channel_id"], text)


def actor_zone(tx: Tx, actor: Actor, usual: ZoneInfo) -> ZoneInfo:
    """In which zone a person lives."""
    return store.choice(tx.conn, actor.staff_id or 0).zone(usual)


def _refusal(tx: Tx, speech: Speech, error: HubError) -> str:
    if isinstance(error, AlreadyClaimed):
        holder = str(error.facts.get("assignee_id") or "")
        if holder.isdigit():
            name = tx.execute(select(staff.c.name).where(staff.c.id == int(holder))).scalar_one_or_none()
            return speech.t(N_("%(name)s has this task now."), name=name or "?")
    if isinstance(error, TransitionRefused):
        return speech.t(N_("This is not possible any more: the task has gone on."))
    if isinstance(error, InputRejected) and error.problems:
        return speech.sentence(error.problems[0].message)
    return speech.sentence(error.message)


Said = tuple[str, Buttons]


class _Visit:
    """One message of one linked person."""

    def __init__(
        self,
        tx: Tx,
        actor: Actor,
        speech: Speech,
        told: Mapping[str, Any],
        files: Sequence[NewFile] | PluginError,
        writers: Mapping[str, Writer],
        zone: ZoneInfo,
    ) -> None:
        self._tx = tx
        self._files = files
        self._actor = actor
        self._speech = speech
        self._told = told
        self._writers = writers
        self._zone = zone

    def run(self) -> Said:
        """What he is answered."""
        self._actor.require(May.SEE)
        if self._told["action"]:
            return self._press(self._told["action"])
        ours, task_id = store.task_of_message(
            self._tx.conn, self._told["account"], self._told["replies_to"], self._staff_id
        )
        text = self._told["text"].strip()
        command = _COMMANDS.get(text.partition(" ")[0].partition("@")[0].casefold()) if text else None
        if self._told["kind"] == "joined" or command == "help":
            return self._speech.t(_HELP), ()
        if command is not None:
            return self._command(command)
        if ours:
            return self._reply(task_id, text)
        return self._speech.t(_HELP), ()

    @property
    def _staff_id(self) -> int:
        assert self._actor.staff_id is not None
        return self._actor.staff_id

    def _command(self, name: str) -> Said:
        known: dict[str, Callable[[], Said]] = {
            "my": self._my, "parcels": self._parcels, "digest": self._digest, "stop": self._stop,
        }  # fmt: skip
        return known[name]()

    # --- buttons --------------------------------------------------------------------------------------

    def _press(self, action: str) -> Said:
        """Pressing the same button again does no harm."""
        verb, _, rest = action.partition(":")
        number, _, when = rest.partition(":")
        if not (number.isascii() and number.isdigit() and len(number) <= 19 and int(number) <= MAX_ID):
            return self._speech.t(_HELP), ()
        task_id = int(number)
        row = tasks.get(self._tx.conn, task_id)
        title = self._speech.task_title(row.kind, row.title)
        t = self._speech.t
        match verb:
            case "accept":
                tasks_service.accept(self._tx, self._actor, task_id)
                return t(N_("Accepted: %(title)s"), title=title), ()
            case "later":
                return t(N_("Until when is it put off? %(title)s"), title=title), self._later(task_id)
            case "snooze":
                until = self._until(when)
                tasks_service.snooze(self._tx, self._actor, task_id, until)
                return (
                    t(N_("Put off until %(when)s: %(title)s"), when=self._speech.when(until), title=title), (),
                )  # fmt: skip
            case "pass":
                tasks_service.release(self._tx, self._actor, task_id, "passed on in the messenger")
                return t(N_("Passed on: %(title)s"), title=title), ()
        return t(_HELP), ()

    def _later(self, task_id: int) -> Buttons:
        titles = (N_("in 30 minutes"), N_("in 2 hours"))
        soon = [
            (self._speech.t(title), f"snooze:{task_id}:{number}")
            for title, number in zip(titles, LATER_MINUTES, strict=True)
        ]
        return (soon, [(self._speech.t(N_("tomorrow at 9")), f"snooze:{task_id}:tomorrow")])

    def _until(self, when: str) -> Instant:
        if when == "tomorrow":
            day = local_date(self._tx.now, self._zone) + timedelta(days=1)
            return at_wall(day, MORNING, self._zone)
        minutes = int(when) if when.isascii() and when.isdigit() and len(when) <= 4 else LATER_MINUTES[0]
        return Instant(self._tx.now + max(1, minutes) * MINUTE)

    # --- answers to customers ---------------------------------------------------------------------------

    def _reply(self, task_id: int | None, text: str) -> Said:
        t = self._speech.t
        if task_id is None:
            return t(
                N_("That message is about several things: answer one that is about a single task (/my).")
            ), ()
        row = tasks.get(self._tx.conn, task_id)
        if row.request_id is None:
            return t(N_("This task has no customer to write to: open it in the workspace.")), ()
        if isinstance(self._files, PluginError):
            reason = self._speech.sentence(self._files.message)
            return t(N_("Nothing was sent, because a file could not be taken: %(reason)s"), reason=reason), ()
        letter = Letter(text=text, files=self._files)
        made = replies.reply(self._tx, self._actor, row.request_id, letter, self._writers)
        if row.assignee_id == self._staff_id and row.state == TaskState.ASSIGNED:
            tasks_service.accept(self._tx, self._actor, task_id)
        return t(N_("On its way to the customer through %(account)s."), account=made.account), ()

    # --- lists ------------------------------------------------------------------------------------------

    def _my(self) -> Said:
        query = (
            select(task)
            .where(task.c.assignee_id == self._staff_id, task.c.state.in_((*HELD, TaskState.SNOOZED)))
            .order_by(task.c.state == TaskState.SNOOZED, task.c.id)
            .limit(LISTED + 1)
        )
        found = [TaskRow._make(row) for row in self._tx.execute(query)]
        if not found:
            return self._speech.t(N_("Nothing is waiting for you.")), ()
        lines, buttons = [], []
        for number, row in enumerate(found[:LISTED], 1):
            lines.append(f"{number}. {self._speech.task_title(row.kind, row.title)} — {self._state(row)}")
            if row.state == TaskState.ASSIGNED:
                buttons.append(task_buttons(self._speech, row.id, f" {number}"))
        if len(found) > LISTED:
            lines.append(self._speech.t(N_("… and more: see the workspace")))
        return "\n".join(lines), buttons

    def _state(self, row: TaskRow) -> str:
        if row.state == TaskState.SNOOZED and row.snoozed_until_at is not None:
            return self._speech.t(N_("put off until %(when)s"), when=self._speech.when(row.snoozed_until_at))
        known = {TaskState.ASSIGNED: N_("to be accepted"), TaskState.ACCEPTED: N_("in work")}
        return self._speech.t(known[TaskState(row.state)])

    def _parcels(self) -> Said:
        query = (
            select(shipment.c.number, shipment.c.status, shipment.c.place, orders.c.number.label("order"))
            .join(orders, orders.c.id == shipment.c.order_id)
            .where(orders.c.responsible_id == self._staff_id, shipment.c.final.is_(False))
            .order_by(shipment.c.id.desc())
            .limit(PARCELS_LISTED)
        )
        lines = [
            f"№ {row.order} · {row.number} — {self._speech.status(row.status).text}"
            + (f" ({row.place})" if row.place else "")
            for row in self._tx.execute(query)
        ]
        return ("\n".join(lines) or self._speech.t(N_("No parcels of yours are under way."))), ()

    def _digest(self) -> Said:
        self._actor.require(May.LEAD)
        return "\n".join(digest_lines(self._speech, digest.gather(self._tx.conn, self._tx.now))), ()

    def _stop(self) -> Said:
        store.unlink(self._tx, self._staff_id)
        return self._speech.t(N_("This messenger is not linked any more.")), ()


def task_buttons(
    speech: Speech, task_id: int, mark: str = "", *, accepted: bool = False
) -> list[tuple[str, str]]:
    """What can be done with a task at once; `mark` tells several apart."""
    buttons = [] if accepted else [(speech.t(N_("Accept")) + mark, f"accept:{task_id}")]
    return [
        *buttons,
        (speech.t(N_("Later")) + mark, f"later:{task_id}"),
        (speech.t(N_("Pass on")) + mark, f"pass:{task_id}"),
    ]
