"""Pages of what an office sets up for its orders: routes, texts for replies, web hooks.

A route is edited stage by stage; lists are written with commas, actions one a line. Everything is checked as
by the API, and what is wrong stands above the form with its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access import secrets
from hub.kernel.errors import InputRejected, NotFound, RuleSaysNo, VersionConflict
from hub.orders import rules, settings, store
from hub.orders.actions import of_line
from hub.orders.routes import KINDS
from hub.orders.stages import Check, Route
from hub.orders.templates import LANGUAGES, MAX_TEMPLATE, NOTICE_VARIABLES, VARIABLES
from hub.outbox import webhooks
from hub.web.api.setup import failed_call
from hub.web.workspace import labels
from hub.web.workspace.forms import Form, take_problems
from hub.web.workspace.orders import text_in
from hub.web.workspace.visit import Visit

SPARE = 2
EXAMPLES = ("notify responsible", "notify heads", "task …", "send …", "next contact 3")
RULE_EXAMPLE = rules.PAID.line()
MAX_ROWS = 40
_PLACE = re.compile(r"stages\.(\d+)(?:\.(\w+))?")
_LISTS = ("requires", "checks", "approvals")
_REFUSALS = (InputRejected, RuleSaysNo, VersionConflict)


def _refused(visit: Visit, error: Exception) -> int:
    form = visit.form
    if isinstance(error, InputRejected):
        take_problems(form, error, visit.words)
        return 422
    assert isinstance(error, (RuleSaysNo, VersionConflict))
    form.message = visit.words.sentence(error.message)
    return 412 if isinstance(error, VersionConflict) else 409


# --- routes ----------------------------------------------------------------------------------------------


async def route_list(visit: Visit) -> web.Response:
    """GET /routes"""

    def find(conn: Connection) -> list[Route]:
        return [store.newest_route(conn, name) for name in store.route_names(conn)]

    return visit.render(
        "routes.html", routes=await visit.read(find), text_in=lambda t: text_in(t, visit.language)
    )


async def route_page(visit: Visit) -> web.Response:
    """GET /routes/<name>"""
    return await _route_page(visit)


async def _route_page(visit: Visit, status: int = 200) -> web.Response:
    name = visit.request.match_info["name"]
    route = await visit.read(lambda conn: store.newest_route(conn, name))
    values = dict(visit.form.values) if visit.form.name == "route" else values_of(route)
    rows = min(MAX_ROWS, _rows(values) + SPARE)
    return visit.render(
        "route.html", status, route=route, values=values, rows=rows, checks=list(Check), kinds=KINDS,
        stage_titles={key: text_in(stage.title, visit.language) for key, stage in route.stages.items()},
        followed=[rule for rule in route.rules if rule.stage in route.stages], rule_example=RULE_EXAMPLE,
        statuses=rules.ADVANCE, money_statuses=rules.MONEY_ADVANCE, payments=rules.PAYMENTS,
        text_in=lambda t: text_in(t, visit.language), kind_words=labels.KIND, actions=EXAMPLES,
    )  # fmt: skip


def values_of(route: Route) -> dict[str, str]:
    """A route as the fields of its form."""
    found = {
        "title_en": route.title.get("en", ""),
        "title_uk": route.title.get("uk", ""),
        "fields": "\n".join(
            f"{key}: {title.get('en', '')} / {title.get('uk', '')}" for key, title in route.fields.items()
        ),
        "rules": "\n".join(rule.line() for rule in route.rules if rule.stage in route.stages),
    }
    for at, stage in enumerate(route.stages.values()):
        found |= {
            f"key_{at}": stage.key,
            f"en_{at}": stage.title.get("en", ""),
            f"uk_{at}": stage.title.get("uk", ""),
            f"kind_{at}": stage.kind,
            f"moves_{at}": ", ".join(route.moves.get(stage.key, ())),
            f"asks_for_{at}": stage.asks_for,
            f"actions_{at}": "\n".join(action.line() for action in stage.actions),
            **{f"{name}_{at}": ", ".join(getattr(stage, name)) for name in _LISTS},
        }
    return found


def _rows(values: dict[str, str]) -> int:
    return sum(1 for key, value in values.items() if re.fullmatch(r"key_\d{1,2}", key) and value)


def body_of_form(form: Form) -> tuple[dict[str, Any], list[int]]:
    """A route out of its form, and which row each stage came from; empty rows are left out."""
    stages, rows, moves = [], [], {}
    for at in range(MAX_ROWS + SPARE):
        key = form.line(f"key_{at}", 40)
        if not key:
            continue
        stage: dict[str, Any] = {
            "key": key,
            "title": _titles(form.line(f"en_{at}"), form.line(f"uk_{at}")),
            "kind": form.line(f"kind_{at}"),
            "asks_for": form.line(f"asks_for_{at}", 40),
            "actions": list(_actions(form, at)),
            **{name: _listed(form.line(f"{name}_{at}", 400)) for name in _LISTS},
        }
        stages.append(stage)
        rows.append(at)
        moves[key] = _listed(form.line(f"moves_{at}", 1_000))
    fields = []
    for line in form.body("fields").splitlines():
        key, _, titles = line.partition(":")
        english, _, ukrainian = titles.partition("/")
        if line.strip():
            fields.append({"key": key.strip(), "title": _titles(english.strip(), ukrainian.strip())})
    title = _titles(form.line("title_en"), form.line("title_uk"))
    body = {"title": title, "fields": fields, "stages": stages, "moves": moves, "rules": _rules(form)}
    return body, rows


def _rules(form: Form) -> list[dict[str, Any]]:
    found = []
    for line in form.body("rules").splitlines():
        if not line.strip():
            continue
        try:
            found.append(rules.of_line(line).body())
        except ValueError as error:
            form.problem("rules", str(error))
    return found


def _titles(english: str, ukrainian: str) -> dict[str, str]:
    return {language: title for language, title in (("en", english), ("uk", ukrainian)) if title}


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _actions(form: Form, at: int) -> Sequence[dict[str, str]]:
    found = []
    for line in form.body(f"actions_{at}").splitlines():
        if not line.strip():
            continue
        try:
            found.append(of_line(line).body())
        except ValueError as error:
            form.problem(f"actions_{at}", str(error))
    return found


async def keep_route(visit: Visit) -> web.Response:
    """POST /routes/<name>"""
    form, name = visit.form, visit.request.match_info["name"]
    form.name = "route"
    rows: list[int] = []
    try:
        body, rows = body_of_form(form)
        form.check()
        await visit.write(
            lambda tx: settings.edit_route(tx, visit.actor, name, body, form.identifier("version"))
        )
    except _REFUSALS as error:
        if isinstance(error, InputRejected):
            _place(form, error, rows)
        return await _route_page(visit, _refused(visit, error))
    return visit.redirect(f"/routes/{name}", "route_kept")


def _place(form: Form, error: InputRejected, rows: list[int]) -> None:
    """Faults beside the fields of the row that they are about."""
    keys = {form.line(f"key_{row}", 40): row for row in rows}
    for problem in error.problems:
        found = _PLACE.fullmatch(problem.path)
        if found is not None and int(found.group(1)) < len(rows):
            column = {"title": "en", None: "key"}.get(found.group(2), found.group(2))
            form.problem(f"{column}_{rows[int(found.group(1))]}", problem.message)
        elif problem.path.startswith("moves.") and problem.path[6:] in keys:
            form.problem(f"moves_{keys[problem.path[6:]]}", problem.message)
        elif problem.path.startswith(("fields.", "rules.")):
            form.problem(problem.path.partition(".")[0], problem.message)


# --- templates -------------------------------------------------------------------------------------------


async def template_list(visit: Visit) -> web.Response:
    """GET /templates"""
    return await _template_list(visit)


async def _template_list(visit: Visit, status: int = 200) -> web.Response:
    found = await visit.read(store.templates)
    return visit.render(
        "templates.html", status, found=found, variables=(*VARIABLES, *NOTICE_VARIABLES), template_languages=LANGUAGES,
        longest=MAX_TEMPLATE,
    )  # fmt: skip


async def keep_template(visit: Visit) -> web.Response:
    """POST /templates, POST /templates/<id>"""
    form = visit.form
    template_id = visit.id() if "id" in visit.request.match_info else None
    form.name = f"template_{template_id or 'new'}"
    if template_id is not None:
        await visit.read(lambda conn: store.get_template(conn, template_id))
    try:
        if form.line("remove") == "1" and template_id is not None:
            await visit.write(lambda tx: settings.remove_template(tx, visit.actor, template_id))
            return visit.redirect("/templates", "template_removed")
        await visit.write(
            lambda tx: settings.save_template(
                tx, visit.actor, template_id, form.line("name"), form.line("language"), form.body("text"),
                form.version(),
            )
        )  # fmt: skip
    except _REFUSALS as error:
        return await _template_list(visit, _refused(visit, error))
    return visit.redirect("/templates", "template_kept")


# --- web hooks -------------------------------------------------------------------------------------------


async def hook_list(visit: Visit) -> web.Response:
    """GET /webhooks"""
    return await _hook_list(visit)


async def _hook_list(visit: Visit, status: int = 200, made: str = "") -> web.Response:
    def find(conn: Connection) -> list[Any]:
        return [
            (hook, json.loads(hook.events), [failed_call(row) for row in webhooks.dead(conn, hook.id)])
            for hook in webhooks.all_hooks(conn)
        ]

    return visit.render(
        "webhooks.html", status, hooks=await visit.read(find), made=made, events=labels.WEBHOOK_EVENT,
    )  # fmt: skip


async def add_hook(visit: Visit) -> web.Response:
    """POST /webhooks: the secret is shown on the page that follows, and never again."""
    form = visit.form
    form.name = "hook"
    events = [event for event in webhooks.EVENTS if form.line(f"event_{event}")]
    secret = form.line("secret") or secrets.new_token()
    try:
        await visit.write(
            lambda tx: webhooks.add(
                tx, visit.actor.label, form.line("url", 2_000), secret, events, key=visit.services.key
            )
        )
    except (InputRejected, RuleSaysNo) as error:
        return await _hook_list(visit, _refused(visit, error))
    visit.form = Form()
    return await _hook_list(visit, made=secret)


async def change_hook(visit: Visit) -> web.Response:
    """POST /webhooks/<id>: on, off, away."""
    do, hook_id = visit.form.line("do"), visit.id()
    if do == "remove":
        await visit.write(lambda tx: webhooks.remove(tx, hook_id))
        return visit.redirect("/webhooks", "hook_removed")
    if do not in {"on", "off"}:
        raise NotFound
    await visit.write(lambda tx: webhooks.change(tx, visit.actor.label, hook_id, active=do == "on"))
    return visit.redirect("/webhooks", "hook_changed")


async def again(visit: Visit) -> web.Response:
    """POST /webhooks/failed/<id>"""
    await visit.write(lambda tx: webhooks.send_again(tx, visit.id()))
    return visit.redirect("/webhooks", "sent_again")
