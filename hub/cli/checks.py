"""`hub check`: each thing tried, one row each: what it is, how it went, and what to do where it is wrong.

Every account is tried live, all at once, each within its time limit. `--json` keeps the English words, for scripts; the
table speaks the hub's language.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.engine import Connection

from hub.accounts import secrets
from hub.accounts import store as accounts
from hub.app import blob_store
from hub.cli.integrity import counters
from hub.db import schema
from hub.db.engine import open_engine, sqlite_file
from hub.db.errors import describe
from hub.intake.blobs import BlobsAway
from hub.kernel.clock import SystemClock
from hub.kernel.errors import SettingsRejected
from hub.kernel.sealing import ENVIRONMENT, SecretKey, SecretKeyUnusable
from hub.loader import Plugins, load_plugins
from hub.opening import database_url
from hub.orders import routes
from hub.orders import store as orders
from hub.orders.stages import parse
from hub.outbox import webhooks
from hub.runtime.building import Accounts, AccountSettings, read_accounts, read_kept, secret_key
from hub.runtime.roster import try_out
from hub.settings import Loaded, settings_file
from hub.staff import store as staff
from hub.web.workspace.account_words import DETAIL, RESULT, RESULTS, WHAT
from hub.web.workspace.words import Words

OPEN_AGAIN = "put the old secret key back (HUB_SECRET_KEY_OLD), or enter them anew"
Row = dict[str, Any]


def row(what: str, result: str, detail: str, uk: str = "") -> Row:
    """result: ok, wrong, or note. `uk`: the detail in Ukrainian, where a plugin says it itself."""
    return {"what": what, "result": result, "detail": detail, "uk": uk}


def in_language(rows: Sequence[Row], language: str) -> list[Row]:
    """The rows for people: their words translated."""
    words = Words(language, ZoneInfo("UTC"), 0)
    return [
        {
            words.t(WHAT): words.plain(one["what"]),
            words.t(RESULT): words.t(RESULTS[one["result"]]),
            words.t(DETAIL): one["uk"] if language == "uk" and one["uk"] else words.plain(one["detail"]),
        }
        for one in rows
    ]


def as_json(rows: Sequence[Row]) -> list[Row]:
    """The rows for scripts."""
    return [{"what": one["what"], "result": one["result"], "detail": one["detail"]} for one in rows]


def run_checks(loaded: Loaded) -> list[Row]:
    """Settings were read already; the rest is tried here."""
    plugins, clock = load_plugins(folder=loaded.plugins_folder()), SystemClock()
    found = read_accounts(loaded, plugins, clock)
    database = _database(loaded)
    try:
        key, key_row = secret_key(loaded), None
    except SecretKeyUnusable as error:
        key, key_row = None, row("secret key", "wrong", str(error))
    paused: set[str] = set()
    stored: list[Row] = []
    seeds: list[Row] = []
    if database["result"] == "ok":
        with _reading(loaded) as connection:
            read_kept(connection, found, plugins, clock, key)
            seeds = [*_routes(connection), *_teams(connection, loaded), *_counters(connection)]
            stored = [] if key_row is not None else list(_stored_secrets(connection, key))
            paused = {
                one.name for one in accounts.everything(connection) if one.state == accounts.State.PAUSED
            }
    return [
        row("settings", "ok", str(loaded.file)),
        database,
        _blobs(loaded),
        *seeds,
        key_row or _secret_key(loaded, key),
        *stored,
        *_plugins(plugins),
        *(row(problem.path, "wrong", problem.message, problem.uk) for problem in found.problems),
        *asyncio.run(_try_all(found, paused)),
        *_proxies(loaded),
    ]


def problems(error: SettingsRejected, config: str | None) -> list[str]:
    """What is wrong with the file, in the language that it names: English where it names none that we speak."""
    language = "en"
    with suppress(OSError, ValueError, AttributeError):
        table = tomllib.loads(settings_file(config).read_text(encoding="utf-8"))
        language = "uk" if table.get("hub", {}).get("language", "uk") == "uk" else "en"
    words = Words(language, ZoneInfo("UTC"), 0)
    return [
        f"{p.path}: {p.uk if language == 'uk' and p.uk else words.plain(p.message)}" for p in error.problems
    ]


@contextmanager
def _reading(loaded: Loaded) -> Iterator[Connection]:
    engine = open_engine(database_url(loaded), writes=False, pool_size=1)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _database(loaded: Loaded) -> Row:
    url = database_url(loaded)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return row("database", "note", f"{file} does not exist yet; `hub serve` makes it")
    engine = open_engine(url, writes=False, pool_size=1)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            present = schema.revision(connection)
    except Exception as error:  # noqa: BLE001 - a boundary, see below
        # Whatever the driver raises is the finding.
        return row("database", "wrong", f"cannot be reached: {describe(error)}")
    finally:
        engine.dispose()
    if present != schema.HEAD:
        return row(
            "database", "wrong", f"schema {present or 'none'}, needed {schema.HEAD}: run `hub db upgrade`"
        )
    return row("database", "ok", url.get_backend_name())


def _blobs(loaded: Loaded) -> Row:
    """The store of large bodies and files: written, read, removed."""
    try:
        return row("blobs", "ok", blob_store(loaded).probe())
    except BlobsAway as away:
        return row("blobs", "wrong", away.message)
    except SettingsRejected as rejected:
        return row("blobs", "wrong", rejected.problems[0].message)


def _routes(connection: Connection) -> Iterator[Row]:
    for name, body in routes.seeds().items():
        version = orders.newest_version(connection, name)
        if version is None:
            continue  # the next start seeds it
        present = orders.load_route(connection, name, version)
        for difference in routes.differences(parse(name, 1, body), present):
            yield row(f"route {name}", "note", f"version {version} differs from the seed: {difference}")


def _teams(connection: Connection, loaded: Loaded) -> Iterator[Row]:
    present = {team.name: team for team in staff.teams(connection)}
    for name, section in loaded.settings.teams.items():
        team = present.get(name)
        if team is None:
            continue
        wanted = section.model_dump(include=section.model_fields_set)
        for key, value in wanted.items():
            kept = team.title if key == "title" else team.settings.get(key)
            if kept != value:
                detail = f"{kept!r} in the database, which rules; {value!r} in the file"
                yield row(f"teams.{name}.{key}", "note", detail)


def _counters(connection: Connection) -> Iterator[Row]:
    """offered = stored + repeated + rejected, by account."""
    for found in counters(connection):
        yield row("counters", "wrong", f"{found['detail']}: run `hub db check`")


def _secret_key(loaded: Loaded, key: SecretKey | None) -> Row:
    """Is there a key for stored secrets?"""
    if key is None:
        file = loaded.path(loaded.settings.hub.secret_key_file)
        return row(
            "secret key", "note", f"no {file} and no {ENVIRONMENT}: tokens are kept in memory; run `hub init`"
        )
    return row("secret key", "ok", f"key {key.id}")


def _stored_secrets(connection: Connection, key: SecretKey | None) -> Iterator[Row]:
    """Can what is stored be opened, does anything still wait for the old key, does a secret stand in the clear?"""
    if (plain := webhooks.in_plain_text(connection)) > 0:
        todo = "run `hub init` and restart the hub" if key is None else "restart the hub, it seals them"
        yield row("web hooks", "wrong", f"secrets of web hooks stand in plain text ({plain}): {todo}")
    for url in webhooks.unreadable(connection, key):
        yield row(f"web hook {url}", "wrong", f"its secret cannot be opened: {OPEN_AGAIN}")
    if key is None:
        return
    for name in secrets.unreadable(connection, key):
        yield row(f"account {name}", "wrong", f"its stored secrets cannot be opened: {OPEN_AGAIN}")
    if key.older:
        waiting = secrets.sealed_before(connection, key) + webhooks.sealed_before(connection, key)
        if waiting:
            yield row(
                "old secret key",
                "note",
                f"stored secrets that wait for it: {waiting}; the next start seals them",
            )
        else:
            yield row("old secret key", "note", "nothing needs it any more: take it away")


def _plugins(plugins: Plugins) -> list[Row]:
    return [
        row(f"plugin {found.name}", "wrong" if found.problem else "ok", found.problem or found.origin)
        for found in plugins.found
    ]


async def _try_all(found: Accounts, paused: set[str]) -> list[Row]:
    """Every account at once; what one does touches no other."""
    try:
        return list(await asyncio.gather(*(_try(one, found, paused) for one in found.settings)))
    finally:
        await found.close()


async def _try(one: AccountSettings, found: Accounts, paused: set[str]) -> Row:
    what = f"{one.kind}s.{one.name}"
    if one.name in paused:
        return row(what, "note", "it is switched off: resume it on the page Accounts")
    made = found.channels.get(one.name) or found.carriers.get(one.name)
    ok, said = await try_out(made, found.off.get(one.name))
    return row(what, "ok" if ok else "wrong", said)


def _proxies(loaded: Loaded) -> list[Row]:
    host = loaded.settings.web.host
    if host in {"127.0.0.1", "localhost", "::1"} and not loaded.settings.web.trusted_proxies:
        return [
            row(
                "web.trusted_proxies",
                "note",
                'behind a proxy on this machine set it to ["127.0.0.1"], or all customers share one address',
            )
        ]
    return []
