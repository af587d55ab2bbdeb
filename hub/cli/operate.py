"""hub replay, hub db ..."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from hub.cli.frame import FINDING, config_option, guarded, hub_of, json_option, load_settings, made, show


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
    from hub.kernel.errors import InputRejected  # noqa: PLC0415
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
                    conn, door.blobs, account=account, states=states, since=since_at, limit=100_000
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
    from hub.app import database_url  # noqa: PLC0415
    from hub.db import schema  # noqa: PLC0415
    from hub.db.engine import open_engine  # noqa: PLC0415

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

    with hub_of(config) as hub:
        rows: list[dict[str, Any]] = hub.db.read_now(findings)
    show(rows, as_json, "all is well")
    if rows:
        sys.exit(FINDING)


COMMANDS = (replay, db)
