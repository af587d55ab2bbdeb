"""hub replay, hub db ..."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.frame import (
    FINDING,
    config_option,
    ground_of,
    guarded,
    hub_of,
    json_option,
    load_settings,
    made,
    show,
)
from hub.kernel.errors import InputRejected

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from hub.settings import Loaded


@click.command()
@click.option("--account", help="Only deliveries of this account.")
@click.option("--since", help="Only those received at or after this moment, such as 2026-11-22T09:00:00Z.")
@click.option(
    "--state", type=click.Choice(["unreadable", "failed", "pending"]), help="Only those in this state."
)
@config_option
@json_option
@guarded
def replay(
    account: str | None, since: str | None, state: str | None, config: str | None, as_json: bool
) -> None:
    """Understand stored deliveries again, after a plugin was mended. Nothing is doubled by it."""
    from hub.app import build_process  # noqa: PLC0415
    from hub.intake.door import find_unfinished  # noqa: PLC0415
    from hub.kernel.clock import parse_rfc3339  # noqa: PLC0415
    from hub.sdk.messages import Outcome  # noqa: PLC0415

    try:
        since_at = parse_rfc3339(since) if since else None
    except ValueError as error:
        raise InputRejected(f"--since: {error}") from error
    states = [state] if state else ["unreadable", "failed", "pending"]
    with hub_of(config) as hub:
        process, _web = build_process(hub)
        door = process.door

        async def run() -> dict[str, int]:
            door.start()
            found = await hub.db.read(
                lambda conn: find_unfinished(
                    conn, account=account, states=states, since=since_at, limit=100_000
                )
            )
            counted = {"tried": 0, "understood": 0}
            for at in range(0, len(found), 100):
                part = found[at : at + 100]
                results = await door.replay(part)
                counted["tried"] += len(part)
                counted["understood"] += sum(isinstance(r, Outcome) and bool(r.request_id) for r in results)
                if not as_json:
                    click.echo(f"{counted['tried']} of {len(found)} tried", err=True)
            door.stop()
            return counted

        counted = asyncio.run(run())
    made(counted, as_json, f"tried {counted['tried']}, understood {counted['understood']}")


@click.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@config_option
@json_option
@guarded
def db_upgrade(config: str | None, as_json: bool) -> None:
    """Bring the schema to what this program needs (PostgreSQL; SQLite does it at start)."""
    from hub.db import schema  # noqa: PLC0415
    from hub.db.engine import open_engine  # noqa: PLC0415
    from hub.opening import database_url  # noqa: PLC0415

    engine = open_engine(database_url(load_settings(config)), writes=True, pool_size=1)
    try:
        schema.ensure(engine, migrate=True)
    finally:
        engine.dispose()
    made({"schema": schema.HEAD}, as_json, f"the schema is at {schema.HEAD}")


@db.command("check")
@config_option
@json_option
@guarded
def db_check(config: str | None, as_json: bool) -> None:
    """Look for what must not be: orphans, a ledger that does not add up, a changed entry."""
    from hub.cli.integrity import findings  # noqa: PLC0415

    with ground_of(config) as ground:
        rows: list[dict[str, Any]] = ground.db.read_now(findings)
    show(rows, as_json, "all is well")
    if rows:
        sys.exit(FINDING)


@db.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
@json_option
@guarded
def db_backup(file: Path, config: str | None, as_json: bool) -> None:
    """Write everything into one FILE while the hub runs: every row of one moment, and every blob."""
    from hub.app import blob_store  # noqa: PLC0415
    from hub.db import archive  # noqa: PLC0415
    from hub.db.engine import snapshot  # noqa: PLC0415
    from hub.kernel.clock import SystemClock, rfc3339  # noqa: PLC0415

    if file.exists():
        raise InputRejected(f"{file} is there already: choose another name")
    loaded, engine = _engine_of(config)
    try:
        with snapshot(engine) as conn:
            manifest = archive.write(
                conn, blob_store(loaded), file, rfc3339(SystemClock().now()), _progress(as_json)
            )
    finally:
        engine.dispose()
    rows = sum(one["rows"] for one in manifest["tables"].values())
    made(
        {"file": str(file), "rows": rows, "blobs": manifest["blobs"]}, as_json,
        f"wrote {rows} rows and {manifest['blobs']} blobs to {file}",
    )  # fmt: skip


@db.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@json_option
@guarded
def db_restore(file: Path, config: str | None, as_json: bool) -> None:
    """Read a backup into the empty database and the blob store of the settings, each of either kind."""
    from hub.app import blob_store  # noqa: PLC0415
    from hub.db import archive, schema  # noqa: PLC0415

    loaded, engine = _engine_of(config, alone=True)
    try:
        schema.ensure(engine, migrate=True)
        manifest = archive.read(engine, blob_store(loaded), file, _progress(as_json))
    finally:
        engine.dispose()
    rows = sum(one["rows"] for one in manifest["tables"].values())
    made(
        {"rows": rows, "blobs": manifest["blobs"], "made_at": manifest["made_at"]}, as_json,
        f"restored {rows} rows and {manifest['blobs']} blobs of {manifest['made_at']}",
    )  # fmt: skip


@db.command("copy")
@click.argument("target")
@config_option
@json_option
@guarded
def db_copy(target: str, config: str | None, as_json: bool) -> None:
    """Copy the database of the settings to TARGET, such as postgresql+psycopg://..., and compare every table.

    Stop the hub first. An interrupted copy goes on where it stopped.
    """
    from hub.db import schema, transfer  # noqa: PLC0415
    from hub.db.engine import open_engine, parse_url, snapshot  # noqa: PLC0415

    loaded, source = _engine_of(config, alone=True)
    there = open_engine(parse_url(target, loaded.base), writes=True, pool_size=2)
    try:
        schema.ensure(source, migrate=False)
        schema.ensure(there, migrate=True)
        with snapshot(source) as conn:
            sums = transfer.copy(conn, there, _progress(as_json))
    finally:
        source.dispose()
        there.dispose()
    rows = sum(one.rows for one in sums.values())
    made(
        {"tables": len(sums), "rows": rows}, as_json,
        f"copied {rows} rows of {len(sums)} tables, all checksums equal; set [database] url to the new address"
        "; blobs stay where they are: `hub db blobs` copies them",
    )  # fmt: skip


@db.command("blobs")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@config_option
@json_option
@guarded
def db_blobs(folder: Path, config: str | None, as_json: bool) -> None:
    """Copy the blobs of a FOLDER, such as var/blobs, into the store of [blobs] url. Again: nothing is doubled."""
    from hub.app import blob_store  # noqa: PLC0415
    from hub.intake.blobs import Folder  # noqa: PLC0415

    loaded = load_settings(config)
    if not loaded.settings.blobs.url:
        raise InputRejected("set [blobs] url first: it says where to")
    there, here, told = blob_store(loaded), Folder(folder), _progress(as_json)
    names = list(here.names())
    for number, name in enumerate(names, 1):
        body = here.get(name)
        if body is not None and there.put(body) != name:
            raise InputRejected(f"{name} is not what its name says: take it out of the folder, it is damaged")
        told("blobs", number, len(names))
    made({"blobs": len(names)}, as_json, f"copied {len(names)} blobs to {loaded.settings.blobs.url}")


def _engine_of(config: str | None, *, alone: bool = False) -> tuple[Loaded, Engine]:
    """The database of the settings; `alone`: refuse while a hub serves it."""
    from hub.app import refuse_while_served  # noqa: PLC0415
    from hub.db.engine import open_engine  # noqa: PLC0415
    from hub.opening import database_url  # noqa: PLC0415

    loaded = load_settings(config)
    url = database_url(loaded)
    if alone:
        refuse_while_served(url)
    return loaded, open_engine(url, writes=alone, pool_size=2)


def _progress(quiet: bool) -> Callable[[str, int, int], None]:
    """A line for each tenth part of a large table, on standard error."""
    told: dict[str, int] = {}

    def tell(table: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 10
        if not quiet and total >= 10_000 and told.get(table) != tenth:
            told[table] = tenth
            click.echo(f"{table}: {done} of {total}", err=True)

    return tell


COMMANDS = (replay, db)
