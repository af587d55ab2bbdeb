"""Lists of tasks, what can be done with one, and why it is where it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.assignment import service
from hub.db.rows import TaskRow
from hub.db.tx import Tx
from hub.kernel.clock import HOUR, Instant
from hub.kernel.errors import AlreadyClaimed, HubError, InputRejected, NotFound, RuleSaysNo, VersionConflict
from hub.requests.model import NOTHING_SOLD, UNCHARGED, Closing, Outcome
from hub.staff.calendar import at_wall, local_date
from hub.tasks import store
from hub.tasks.model import TaskState
from hub.web.api.schemas import EntryOut, WhyOut
from hub.web.api.tasks import explain
from hub.web.i18n import N_
from hub.web.workspace import day, labels, live, queries, render
from hub.web.workspace.forms import CHOOSE, take_problems
from hub.web.workspace.requests import show_task_or_request
from hub.web.workspace.visit import Visit
from hub.web.workspace.words import Words

QUICK_HOURS = {"1h": 1, "3h": 3}
CLOSINGS = frozenset({Outcome.ANSWERED, *NOTHING_SOLD})
_CHANGED = N_("Somebody changed this meanwhile: look at what is new below, then repeat your step.")


# --- lists ---------------------------------------------------------------------------------------------


async def my_tasks(visit: Visit) -> web.Response:
    """GET /: what to do now."""

    def find(conn: Connection) -> dict[str, Any]:
        teams = queries.team_ids(conn, visit.staff_id)
        waiting, total = queries.queue(conn, None if visit.leads else teams)
        mine = queries.tasks_of(conn, visit.staff_id)
        awake = [item for item in mine if item.task.state != TaskState.SNOOZED]
        return {
            "mine": sorted((day.urgency(item, visit.words.now) for item in awake), key=lambda u: u.order),
            "snoozed": [item for item in mine if item.task.state == TaskState.SNOOZED],
            "away": queries.away(conn, visit.staff_id),
            "waiting": waiting,
            "waiting_total": total,
            "teams": queries.teams(conn),
            "my_teams": teams,
        }

    door = visit.services.door
    pages = [name for name, account in door.accounts.items() if account.channel.capabilities.has_page]
    return visit.render("my_tasks.html", pages=sorted(pages), **await visit.read(find))


async def all_tasks(visit: Visit) -> web.Response:
    """GET /tasks"""
    if visit.query("view") == "board":
        return await board(visit)
    state = visit.query("state") if "state" in visit.request.query else "open"
    if state not in labels.TASK_STATE and state != "open":
        state = ""
    assignee, team, before = (visit.query_id(name) for name in ("assignee", "team", "before"))

    def find(conn: Connection) -> dict[str, Any]:
        return {
            "found": queries.all_tasks(conn, state=state, assignee_id=assignee, team_id=team, before=before),
            "people": queries.names(conn),
            "choices": queries.active_people(conn),
            "teams": queries.teams(conn),
        }

    if visit.renews:
        return await _part(
            visit, "tasks_live.html", find, state=state, assignee=assignee, team=team, before=before
        )
    states = [(key, visit.words.task_state(key).text) for key in labels.TASK_STATE]
    return visit.render(
        "tasks.html", state=state, assignee=assignee, team=team, before=before, states=states,
        **await visit.read(find),
    )  # fmt: skip


async def board(visit: Visit) -> web.Response:
    """GET /tasks?view=board: a column a state; what is done since midnight."""
    assignee, team = visit.query_id("assignee"), visit.query_id("team")
    midnight = at_wall(local_date(Instant(visit.words.now), visit.zone), 0, visit.zone)

    def find(conn: Connection) -> dict[str, Any]:
        return {
            "columns": queries.board(conn, assignee_id=assignee, team_id=team, done_since=midnight),
            "people": queries.names(conn),
            "choices": queries.active_people(conn),
            "teams": queries.teams(conn),
        }

    if visit.renews:
        return await _part(visit, "board_live.html", find)
    return visit.render("board.html", assignee=assignee, team=team, **await visit.read(find))


async def _part(
    visit: Visit, template: str, find: Callable[[Connection], dict[str, Any]], **context: Any
) -> web.Response:
    """The live part alone, which everybody sees alike: made once for all who were told of the same change."""

    async def make() -> str:
        return visit.part(template, **context, **await visit.read(find))

    boards = visit.request.app[live.BOARDS]
    return render.page(await boards.shared(f"{visit.language} {visit.request.path_qs}", make))


# --- verbs ---------------------------------------------------------------------------------------------

Verb = Callable[[Tx, Visit, int], TaskRow]


def verb(name: str, done: str, act: Verb) -> Callable[[Visit], Awaitable[web.Response]]:
    """The target of one of a task's forms: act, or show the page again with what is wrong."""

    async def handle(visit: Visit) -> web.Response:
        visit.form.name = name
        task_id = visit.id()
        try:
            task = await visit.write(lambda tx: act(tx, visit, task_id))
        except (RuleSaysNo, VersionConflict, InputRejected) as error:
            return await _refused(visit, task_id, error)
        return visit.redirect(_after(visit, task), done)

    return handle


def _after(visit: Visit, task: TaskRow) -> str:
    """Where a person goes on: at the task while it is his, else at his list."""
    if task.assignee_id == visit.staff_id or visit.form.line("stay"):
        return f"/requests/{task.request_id}" if task.request_id is not None else f"/tasks/{task.id}"
    return "/"


async def _refused(visit: Visit, task_id: int, error: HubError) -> web.Response:
    task, people = await visit.read(lambda conn: (store.get(conn, task_id), queries.names(conn)))
    taken = task.assignee_id is not None and task.assignee_id != visit.staff_id
    if isinstance(error, VersionConflict):
        status = 412
        visit.form.message = visit.words.t(_CHANGED)
        if taken and visit.form.name in {"claim", "accept"}:
            status = 409
            visit.form.message = visit.words.error(AlreadyClaimed(assignee_id=str(task.assignee_id)), people)
    elif isinstance(error, InputRejected):
        status = 422
        take_problems(visit.form, error, visit.words)
    else:
        status = 409
        visit.form.message = visit.words.error(error, people)
    return await show_task_or_request(visit, task, status)


def claim(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """Take it: from the queue, or from a colleague where the page said so."""
    return service.claim(
        tx,
        visit.actor,
        task_id,
        intercept=visit.form.line("intercept") == "1",
        expected_version=visit.form.version(),
    )


def accept(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """I work on it."""
    return service.accept(tx, visit.actor, task_id, expected_version=visit.form.version())


def release(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """Back to the queue, with a reason."""
    reason = visit.form.line("reason")
    if not reason:
        visit.form.problem("reason", "say why")
    visit.form.check()
    return service.release(tx, visit.actor, task_id, reason, expected_version=visit.form.version())


def reassign(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """To a colleague."""
    assignee = visit.form.identifier("assignee")
    if assignee is None:
        visit.form.problem("assignee", CHOOSE)
    visit.form.check()
    assert assignee is not None
    return service.reassign(
        tx, visit.actor, task_id, assignee, visit.form.line("reason"), expected_version=visit.form.version()
    )


def complete(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """Close it with its outcome; a task without a request needs none."""
    form = visit.form
    task = store.get(tx.conn, task_id)
    if task.request_id is None:
        closing = Closing(outcome=Outcome.ANSWERED, reason=form.line("reason"))
        return service.complete(tx, visit.actor, task_id, closing, expected_version=form.version())
    currency = visit.services.loaded.settings.hub.currency
    outcome = form.choice("outcome", frozenset(CLOSINGS))
    quantity, value = form.quantity("quantity"), form.sum("value", currency)
    if outcome in NOTHING_SOLD:
        if not form.line("reason"):
            form.problem("reason", "say why nothing was sold")
        if not form.line("product"):
            form.problem("product", "say what was asked for")
    form.check()
    closing = Closing(
        outcome=Outcome(outcome),
        reason=form.line("reason"),
        product=form.line("product"),
        quantity_milli=quantity,
        value_minor=value,
        currency=currency,
    )
    return service.complete(tx, visit.actor, task_id, closing, expected_version=form.version())


def void(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """Spam or doubled."""
    outcome = visit.form.choice("outcome", frozenset(UNCHARGED))
    visit.form.check()
    return service.void(
        tx, visit.actor, task_id, visit.form.line("reason"), Outcome(outcome),
        expected_version=visit.form.version(),
    )  # fmt: skip


def snooze(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """Put it off: for some hours, to the next morning, or to a moment."""
    until = _until(visit, tx.now)
    if until is None:
        visit.form.problem("until", CHOOSE)
    visit.form.check()
    assert until is not None
    return service.snooze(tx, visit.actor, task_id, until, expected_version=visit.form.version())


def _until(visit: Visit, now: Instant) -> Instant | None:
    quick = visit.form.line("for")
    if quick in QUICK_HOURS:
        return Instant(now + QUICK_HOURS[quick] * HOUR)
    if quick == "morning":
        tomorrow = local_date(now, visit.zone) + timedelta(days=1)
        return at_wall(tomorrow, 9 * 60, visit.zone)
    return visit.form.moment("until", visit.zone)


def reopen(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """It was not done after all."""
    return service.reopen(tx, visit.actor, task_id, expected_version=visit.form.version())


def undo_void(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """It was no spam after all."""
    return service.undo_void(tx, visit.actor, task_id, expected_version=visit.form.version())


def to_team(tx: Tx, visit: Visit, task_id: int) -> TaskRow:
    """To another team."""
    team = visit.form.identifier("team")
    if team is None:
        visit.form.problem("team", CHOOSE)
    visit.form.check()
    assert team is not None
    reason = visit.form.line("reason")
    return service.to_team(tx, visit.actor, task_id, team, reason, expected_version=visit.form.version())


# --- why -----------------------------------------------------------------------------------------------


async def why_page(visit: Visit) -> web.Response:
    """GET /tasks/<id>/why"""

    def find(conn: Connection) -> tuple[TaskRow, WhyOut, dict[int, str]]:
        task = store.get(conn, visit.id())
        if task.team_id not in queries.teams(conn):
            raise NotFound
        return task, explain(conn, task), queries.names(conn)

    task, why, people = await visit.read(find)
    sentence = why_sentence(visit.words, task, why.entries, people)
    return visit.render("why.html", task=task, why=why, sentence=sentence, people=people)


def why_sentence(words: Words, task: TaskRow, entries: list[EntryOut], people: dict[int, str]) -> str:
    """The last entry in one sentence."""
    if not entries:
        return words.t(N_("Nobody could be dealt this task yet: it waits in the queue."))
    last = entries[-1]
    taker = people.get(int(last.taker_id), "?") if last.taker_id else ""
    if last.event in {"deal", "deal_again"} and taker:
        return words.count(
            "%(num)s person could take it.", "%(num)s people could take it.", len(last.eligible)
        ) + " " + words.t(N_("%(name)s had the most credit and got it."), name=taker)  # fmt: skip
    if last.event in labels.WHY:
        return words.t(labels.WHY[last.event], name=taker)
    if task.state == TaskState.WAITING:
        return words.t(N_("It came back to the queue and waits there."))
    return words.t(N_("It came back to the queue."))
