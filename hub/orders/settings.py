"""Use cases of what an office sets up for its orders: routes and templates. By the head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, update

from hub.access.model import Actor, May
from hub.db.tables import template
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, InputRejected, RuleSaysNo, VersionConflict
from hub.orders import store, templates
from hub.orders.actions import Do
from hub.orders.routes import as_text, body_of, check_body, rules_that_lead
from hub.orders.rules import BEFORE
from hub.orders.stages import Route
from hub.requests.service import note


def edit_route(
    tx: Tx, actor: Actor, name: str, body: Mapping[str, Any], expected_version: int | None = None
) -> Route:
    """Keep a new version of a route, or a new route. Running orders stay with the version they began with.

    `expected_version` is the version that was edited. A body without `rules` (None) keeps those of the version
    before as far as their stages are still there. Raises InputRejected naming every fault.
    """
    actor.require(May.LEAD)
    present = store.newest_version(tx.conn, name) or 0
    if expected_version is not None and expected_version != present:
        raise VersionConflict(f"route {name} was changed by somebody else", version=present)
    if body.get("rules") is None:
        before = store.load_route(tx.conn, name, present).rules if present else BEFORE
        keys = {str(stage.get("key")) for stage in body.get("stages", ())}
        body = {**body, "rules": rules_that_lead(before, keys)}
    route = check_body(name, body)
    known = {one.name for one in store.templates(tx.conn)}
    problems = [
        FieldProblem(f"stages.{stage.place}.actions", f"there is no template {action.what}: write it first")
        for stage in route.stages.values()
        for action in stage.actions
        if action.do is Do.SEND and action.what not in known
    ]
    if problems:
        raise InputRejected("this route cannot be kept", problems)
    kept = as_text(body_of(route))
    if present and kept == as_text(body_of(store.load_route(tx.conn, name, present))):
        return store.load_route(tx.conn, name, present)
    store.add_route(tx, name, present + 1, kept)
    note(tx, actor, "route", 0, "changed", body={"name": name, "version": present + 1})
    return store.load_route(tx.conn, name, present + 1)


def save_template(
    tx: Tx,
    actor: Actor,
    template_id: int | None,
    name: str,
    language: str,
    text: str,
    expected_version: int | None = None,
) -> int:
    """Keep a template, new or changed. Raises InputRejected naming every unknown variable."""
    actor.require(May.LEAD)
    body = templates.check(name, language, text)
    taken = [one.id for one in store.templates(tx.conn) if (one.name, one.language) == (name, language)]
    if taken and taken != [template_id]:
        raise InputRejected(
            "this template is there already",
            [FieldProblem("name", "there is a template with this name and language: change that one")],
        )
    values = {"name": name, "language": language, "body": body, "actor": actor.label, "updated_at": tx.now}
    if template_id is None:
        made = tx.new_id()
        tx.execute(insert(template).values(id=made, created_at=tx.now, **values))
        return made
    row = store.get_template(tx.conn, template_id)
    if expected_version is not None and expected_version != row.version:
        raise VersionConflict(f"template {template_id} was changed by somebody else", version=row.version)
    if name != row.name:
        _require_unused(tx, row.name)
    tx.execute(update(template).where(template.c.id == template_id).values(version=row.version + 1, **values))
    return template_id


def remove_template(tx: Tx, actor: Actor, template_id: int) -> None:
    """Take a template away; refused while a route sends it and no other language of it is there."""
    actor.require(May.LEAD)
    row = store.get_template(tx.conn, template_id)
    if sum(one.name == row.name for one in store.templates(tx.conn)) == 1:
        _require_unused(tx, row.name)
    tx.execute(delete(template).where(template.c.id == template_id))


def _require_unused(tx: Tx, name: str) -> None:
    for route_name in store.route_names(tx.conn):
        route = store.newest_route(tx.conn, route_name)
        for stage in route.stages.values():
            if any(a.do is Do.SEND and a.what == name for a in stage.actions):
                raise RuleSaysNo(
                    f"the route {route_name} sends this template at {stage.key}: change that first"
                )
