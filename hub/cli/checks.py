"""`hub check`: each thing tried, one row each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from hub.accounts.secrets import ENVIRONMENT, SecretKeyUnusable, foreign, read_key
from hub.app import Accounts, database_url, read_accounts
from hub.db import schema
from hub.db.engine import open_engine, sqlite_file
from hub.db.errors import describe
from hub.kernel.clock import SystemClock
from hub.loader import Plugins, load_plugins
from hub.orders import routes
from hub.orders import store as orders
from hub.orders.stages import parse
from hub.sdk.carrier import Carrier
from hub.sdk.errors import PluginError
from hub.settings import Loaded
from hub.staff import store as staff

TRY_FOR_S = 30.0
Row = dict[str, Any]


def row(what: str, result: str, detail: str) -> Row:
    """result: ok, wrong, or note."""
    return {"what": what, "result": result, "detail": detail}


def run_checks(loaded: Loaded) -> list[Row]:
    """Settings were read already; the rest is tried here."""
    plugins = load_plugins(folder=loaded.plugins_folder())
    found = read_accounts(loaded, plugins, SystemClock())
    return [
        row("settings", "ok", str(loaded.file)),
        (database := _database(loaded)),
        *(_seeds(loaded) if database["result"] == "ok" else ()),
        _secret_key(loaded),
        *_plugins(plugins),
        *(row(problem.path, "wrong", problem.message) for problem in found.problems),
        *(row(f"account {name}", "wrong", reason) for name, reason in found.off.items()),
        *_accounts(found),
        *_proxies(loaded),
    ]


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


def _seeds(loaded: Loaded) -> list[Row]:
    """Where the database, which rules, differs from what the file or the program seeds."""
    engine = open_engine(database_url(loaded), writes=False, pool_size=1)
    try:
        with engine.connect() as connection:
            return [*_routes(connection), *_teams(connection, loaded)]
    finally:
        engine.dispose()


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


def _secret_key(loaded: Loaded) -> Row:
    """Is there a key for stored secrets, and is it the one they were written with?"""
    file = loaded.path(loaded.settings.hub.secret_key_file)
    try:
        key = read_key(file, os.environ)
    except SecretKeyUnusable as error:
        return row("secret key", "wrong", str(error))
    if key is None:
        return row(
            "secret key", "note", f"no {file} and no {ENVIRONMENT}: tokens are kept in memory; run `hub init`"
        )
    url = database_url(loaded)
    sqlite = sqlite_file(url)
    if sqlite is not None and not sqlite.exists():
        return row("secret key", "ok", f"key {key.id}")
    engine = open_engine(url, writes=False, pool_size=1)
    try:
        with engine.connect() as connection:
            others = foreign(connection, key)
    except SQLAlchemyError:
        return row("secret key", "note", "not compared: the database cannot be read")
    finally:
        engine.dispose()
    if others:
        return row(
            "secret key", "wrong", f"{others} stored secrets belong to another key: put the old key back"
        )
    return row("secret key", "ok", f"key {key.id}")


def _plugins(plugins: Plugins) -> list[Row]:
    return [
        row(f"plugin {found.name}", "wrong" if found.problem else "ok", found.problem or found.origin)
        for found in plugins.found
    ]


def _accounts(found: Accounts) -> list[Row]:
    rows = [row(f"channels.{name}", "ok", "set up; nothing to try from here") for name in found.channels]
    return rows + asyncio.run(_try_all(found))


async def _try_all(found: Accounts) -> list[Row]:
    try:
        return list(await asyncio.gather(*(_try(name, carrier) for name, carrier in found.carriers.items())))
    finally:
        await found.close()


async def _try(name: str, carrier: Carrier) -> Row:
    what = f"carriers.{name}"
    try:
        async with asyncio.timeout(TRY_FOR_S):
            return row(what, "ok", await carrier.check())
    except PluginError as error:
        return row(what, "wrong", error.message)
    except TimeoutError:
        return row(what, "wrong", f"no answer within {TRY_FOR_S:.0f} seconds")
    except Exception as error:  # noqa: BLE001 - a boundary, see below
        # The guard around a plugin.
        return row(what, "wrong", f"its plugin raised {type(error).__name__}")


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
