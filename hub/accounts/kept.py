"""Accounts that people make in the workspace: added, changed, taken away. They stand in the database, their secrets
encrypted (`hub.accounts.secrets`); accounts of the settings file belong to the file and are not touched here.

An account is its name: counters, cursor and conversations hang on it. So a name that was retired can come back with
the same plugin, and goes on where it stopped; with another plugin it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from hub.accounts import fields, secrets, store
from hub.accounts.store import FILE, WORKSPACE, AccountRecord, State
from hub.db.tables import account, team
from hub.db.tx import Tx
from hub.kernel.errors import FieldProblem, InputRejected, RuleSaysNo, VersionConflict
from hub.kernel.sealing import SecretKey
from hub.loader import Plugins
from hub.settings import ACCOUNT_NAME

NAME_RULE = "a name has lower-case letters, digits, - and _ only, at most 63"
NAME_OF_FILE = "this name belongs to an account of the settings file: choose another one"
NAME_TAKEN = "this name is taken by another account: choose another one"
NAME_OF_OTHER = "this name belonged to an account of the plugin %(plugin)s: choose another one"
NO_PLUGIN = "no such plugin is loaded"
NO_TEAM = "there is no such team"
SHORT_TEXT = "is a short text, such as uk or wholesale"
SHORT = 40


class OfTheFile(RuleSaysNo):
    """This account stands in the settings file: change it there, and restart the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an account is to be. `settings`: the plugin's own keys, secret ones too."""

    kind: str
    name: str
    plugin: str
    team: str | None = None
    customer_language: str = ""
    skill: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What of an account is to be another; None leaves it. In `settings` a key with None goes back to its default."""

    team: str | None = None
    customer_language: str | None = None
    skill: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of an account's settings may be seen: the plain ones, and which secret ones there are."""

    settings: Mapping[str, Any]
    secrets: frozenset[str]
    customer_language: str
    skill: str


def model_of(plugins: Plugins, kind: str, plugin: str) -> type[BaseModel]:
    """The settings model of a plugin. Raises InputRejected."""
    kinds: Mapping[str, Any] = plugins.channels if kind == "channel" else plugins.carriers
    if plugin not in kinds:
        raise InputRejected(fields.NOT_VALID, [FieldProblem("plugin", NO_PLUGIN)])
    found: type[BaseModel] = kinds[plugin].settings
    return found


def add(tx: Tx, plugins: Plugins, key: SecretKey | None, wanted: Wanted) -> AccountRecord:
    """A new account. Raises InputRejected with every problem, SecretKeyMissing."""
    problems = [*_name_problems(tx, wanted), *_head_problems(tx, wanted)]
    try:
        plain, secret = fields.checked(model_of(plugins, wanted.kind, wanted.plugin), wanted.settings)
    except InputRejected as error:
        problems += error.problems
    if problems:
        raise InputRejected(fields.NOT_VALID, problems)
    values = {
        "kind": wanted.kind, "plugin": wanted.plugin, "team": wanted.team, "state": State.ACTIVE, "reason": None,
        "origin": WORKSPACE, "keys": _written(plain, wanted.customer_language, wanted.skill),
    }  # fmt: skip
    before = store.find(tx.conn, wanted.name)
    if before is None:
        tx.execute(insert(account).values(name=wanted.name, created_at=tx.now, **values))
    else:
        tx.execute(
            update(account).where(account.c.name == wanted.name).values(version=before.version + 1, **values)
        )
    secrets.keep_settings(tx, key, wanted.name, secret)
    return store.get(tx.conn, wanted.kind, wanted.name)


def change(
    tx: Tx, plugins: Plugins, key: SecretKey | None, kind: str, name: str, wanted: Change
) -> AccountRecord:
    """Change an account of the workspace; secrets that are not named stay. Raises NotFound, OfTheFile,
    VersionConflict, InputRejected with every problem, SecretKeyMissing, SecretKeyWrong.
    """
    record = _own(tx, kind, name)
    if wanted.expected_version is not None and wanted.expected_version != record.version:
        raise VersionConflict(f"account {name} was changed by somebody else", version=record.version)
    model = model_of(plugins, kind, record.plugin)
    before = shown(tx.conn, record)
    present = {**before.settings, **_secrets_to_keep(tx, key, record, wanted)}
    settings = {k: v for k, v in {**present, **wanted.settings}.items() if v is not None}
    whole = Wanted(
        kind=kind,
        name=name,
        plugin=record.plugin,
        team=record.team if wanted.team is None else wanted.team,
        customer_language=before.customer_language
        if wanted.customer_language is None
        else wanted.customer_language,
        skill=before.skill if wanted.skill is None else wanted.skill,
        settings=settings,
    )
    problems = _head_problems(tx, whole)
    try:
        plain, secret = fields.checked(model, settings)
    except InputRejected as error:
        problems += error.problems
    if problems:
        raise InputRejected(fields.NOT_VALID, problems)
    values: dict[str, Any] = {
        "team": whole.team,
        "keys": _written(plain, whole.customer_language, whole.skill),
        "version": record.version + 1,
    }
    if record.state in {State.OFF, State.STOPPED}:  # what stood in its way was its settings: tried again
        values |= {"state": State.ACTIVE, "reason": None}
    tx.execute(update(account).where(account.c.name == name).values(**values))
    secrets.keep_settings(tx, key, name, secret)
    return store.get(tx.conn, kind, name)


def _secrets_to_keep(tx: Tx, key: SecretKey | None, record: AccountRecord, wanted: Change) -> dict[str, Any]:
    """The present secrets, unless all of them are given anew: then it does not matter whether they can be read."""
    names = secrets.names_of_settings(tx.conn, record.name)
    if names <= wanted.settings.keys():
        return {}
    return secrets.settings_of(tx.conn, key, record.name)


def retire(tx: Tx, kind: str, name: str) -> AccountRecord:
    """Take an account of the workspace away: its secrets are forgotten, its counters and cursor kept."""
    record = _own(tx, kind, name)
    tx.execute(
        update(account)
        .where(account.c.name == name)
        .values(state=State.RETIRED, reason=None, version=record.version + 1)
    )
    secrets.forget(tx, name)
    return store.get(tx.conn, kind, name)


def shown(conn: Connection, record: AccountRecord) -> Shown:
    """Settings of an account of the workspace, for people."""
    written = orjson.loads(record.keys)
    return Shown(
        settings={k: v for k, v in written.items() if k not in {"customer_language", "skill"}},
        secrets=secrets.names_of_settings(conn, record.name),
        customer_language=written.get("customer_language", ""),
        skill=written.get("skill", ""),
    )


def _own(tx: Tx, kind: str, name: str) -> AccountRecord:
    record = store.get(tx.conn, kind, name)
    if record.origin == FILE:
        raise OfTheFile
    if record.state == State.RETIRED:
        raise store.AccountOff("this account was taken away")
    return record


def _written(plain: Mapping[str, Any], language: str, skill: str) -> str:
    head = {k: v for k, v in (("customer_language", language), ("skill", skill)) if v}
    return orjson.dumps({**plain, **head}).decode()


def _name_problems(tx: Tx, wanted: Wanted) -> list[FieldProblem]:
    if not ACCOUNT_NAME.fullmatch(wanted.name):
        return [FieldProblem("name", NAME_RULE)]
    known = store.find(tx.conn, wanted.name)
    if known is None:
        return []
    if known.state != State.RETIRED:
        return [FieldProblem("name", NAME_OF_FILE if known.origin == FILE else NAME_TAKEN)]
    if (known.kind, known.plugin) != (wanted.kind, wanted.plugin):
        return [FieldProblem("name", NAME_OF_OTHER % {"plugin": known.plugin})]
    return []


def _head_problems(tx: Tx, wanted: Wanted) -> list[FieldProblem]:
    problems = [
        FieldProblem(path, SHORT_TEXT)
        for path, text in (("customer_language", wanted.customer_language), ("skill", wanted.skill))
        if len(text) > SHORT
    ]
    if wanted.kind == "channel":
        known = tx.execute(select(team.c.name).where(team.c.name == (wanted.team or ""))).first()
        if known is None:
            problems.append(FieldProblem("team", NO_TEAM))
    return problems
