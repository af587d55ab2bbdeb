"""hub doctor: what a bug report needs, and nothing about anybody.

A file that its sender can read before he sends it: versions, the shape of the settings without one value of an account,
states and numbers out of the database. No names, numbers, texts, addresses or secrets, nor what providers and
databases said in words. It works with broken settings and without a database: what cannot be read says why.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from hub import __version__
from hub.cli.frame import config_option, guarded, json_option, made

PACKAGES = (
    "aiohttp", "sqlalchemy", "alembic", "psycopg", "procrastinate", "httpx", "pydantic", "pluggy", "apscheduler",
    "imapclient", "python-telegram-bot", "orjson", "cryptography",
)  # fmt: skip
COUNTED = {
    "account": "kind, plugin, state",
    "delivery": "state",
    "task": "state",
    "request": "state",
    "message": "direction, state",
    "attachment": "state",
    "outbox": "lane, state",
    "job": "kind, state",
    "shipment": "plugin, phase",
    "orders": "route, stage",
    "unknown_code": "plugin, code",
    "rejection": "reason",
}
Told = dict[str, Any]


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=Path("hub-doctor.json"))
@config_option
@json_option
@guarded
def doctor(file: Path, config: str | None, as_json: bool) -> None:
    """Write FILE for a bug report: versions, states and numbers, nothing about anybody. Read it, then send it."""
    from hub.cli.logs import set_up_logs  # noqa: PLC0415 - `hub --help` stays quick

    set_up_logs(quiet=True)
    told = examine(config)
    file.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    made({"file": str(file)}, as_json, f"wrote {file}: read it, then add it to your report")


def examine(config: str | None) -> Told:
    """All sections; one that raises is one sentence."""
    return {
        "hub": __version__,
        "machine": _machine(),
        "packages": {name: _version(name) for name in PACKAGES},
        "settings": _tried(lambda: _settings(config)),
        "plugins": _tried(_plugins),
        "database": _tried(lambda: _database(config)),
    }


def _tried(look: Callable[[], Any]) -> Any:
    from hub.db.errors import describe  # noqa: PLC0415
    from hub.kernel.errors import HubError, SettingsRejected  # noqa: PLC0415

    try:
        return look()
    except SettingsRejected as rejected:
        return {"problems": [problem.path for problem in rejected.problems]}
    except HubError as error:
        return {"problem": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - one section that cannot be read must not cost the others
        return {"problem": describe(error)}


def _machine() -> Told:
    import sqlite3  # noqa: PLC0415

    return {
        "python": sys.version.split()[0],
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "sqlite": sqlite3.sqlite_version,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _settings(config: str | None) -> Told:
    """Values of the hub's own switches; of texts and accounts only which are set."""
    from hub.cli.frame import load_settings  # noqa: PLC0415

    loaded = load_settings(config)
    settings = loaded.settings
    folder = loaded.path(settings.hub.data_dir)
    own = {
        name: {key: _switch(value) for key, value in getattr(settings, name).model_dump().items()}
        for name in ("hub", "web", "retention")
    }
    return {
        **own,
        "database": settings.database.url.split(":", 1)[0],
        "blobs": settings.blobs.url.split(":", 1)[0] or "folder",
        "teams": [
            {key: _switch(value) for key, value in team.model_dump().items()}
            for team in settings.teams.values()
        ],
        "channels": [_account(keys) for keys in settings.channels.values()],
        "carriers": [_account(keys) for keys in settings.carriers.values()],
        "free_gib": round(shutil.disk_usage(folder if folder.exists() else loaded.base).free / 2**30, 1),
    }


def _switch(value: Any) -> Any:
    """Numbers and yes or no as they are; of a text only its length, for it may name somebody."""
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return f"{len(value)} set" if value else "not set"


def _account(keys: Mapping[str, Any]) -> Told:
    return {"plugin": str(keys.get("plugin", "")), "keys": sorted(key for key in keys if key != "plugin")}


def _plugins() -> list[Told]:
    from hub.loader import load_plugins  # noqa: PLC0415

    return [
        {
            "channels": [kind.name for kind in one.channels],
            "carriers": [kind.name for kind in one.carriers],
            "problem": one.problem,
        }
        for one in load_plugins().found
    ]


def _database(config: str | None) -> Told:
    from sqlalchemy import text  # noqa: PLC0415

    from hub.cli.frame import load_settings  # noqa: PLC0415
    from hub.cli.integrity import findings  # noqa: PLC0415
    from hub.db import schema  # noqa: PLC0415
    from hub.db.engine import open_engine, sqlite_file  # noqa: PLC0415
    from hub.db.tables import metadata  # noqa: PLC0415
    from hub.opening import database_url  # noqa: PLC0415

    url = database_url(load_settings(config))
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return {"kind": "sqlite", "problem": "there is no file yet"}
    engine = open_engine(url, writes=False, pool_size=1)
    try:
        with engine.connect() as connection:
            present = schema.revision(connection)
            told: Told = {"kind": url.get_backend_name(), "schema": present, "needed": schema.HEAD}
            if file is not None:
                told["mib"] = round(file.stat().st_size / 2**20, 1)
            else:
                told["server"] = connection.execute(text("SHOW server_version")).scalar_one()
            if present != schema.HEAD:
                return told
            count = "SELECT count(*) FROM "
            told["rows"] = {
                table.name: connection.execute(text(f'{count}"{table.name}"')).scalar_one()
                for table in metadata.sorted_tables
            }
            for table, columns in COUNTED.items():
                query = f'SELECT {columns}, count(*) FROM "{table}" GROUP BY {columns} ORDER BY {columns}'  # noqa: S608 - our own names
                rows = connection.execute(text(query)).all()
                told[f"{table} by {columns}"] = {" ".join(map(str, row[:-1])): row[-1] for row in rows}
            told["findings"] = sorted({finding["finding"] for finding in findings(connection)})
            return told
    finally:
        engine.dispose()


COMMANDS = (doctor,)
