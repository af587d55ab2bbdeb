"""hub channels rescan"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

from hub.cli.frame import config_option, guarded, hub_of, json_option, made
from hub.kernel.errors import InputRejected, NotFound

if TYPE_CHECKING:
    from hub.app import Hub

MAX_PAGES = 100_000
Tell = Callable[[int], None]


@click.group()
def channels() -> None:
    """The accounts that customers write to."""


@channels.command("rescan")
@click.argument("account")
@click.option(
    "--since", required=True, metavar="TIME",
    help="Read again what came at or after this moment, such as 2026-11-22T09:00:00Z.",
)  # fmt: skip
@config_option
@json_option
@guarded
def rescan(account: str, since: str, config: str | None, as_json: bool) -> None:
    """Read again what came to ACCOUNT since a moment; what is stored already is met by its keys.

    May run beside the hub. Where the hub has got to stays as it is.
    """
    from hub.kernel.clock import moment, parse_rfc3339  # noqa: PLC0415
    from hub.sdk.errors import PluginError  # noqa: PLC0415

    try:
        at = moment(parse_rfc3339(since))
    except ValueError as error:
        raise InputRejected(f"--since: {error}") from error

    def tell(looked_at: int) -> None:
        if not as_json:
            click.echo(f"{looked_at} looked at", err=True)

    with hub_of(config) as hub:
        try:
            counted = asyncio.run(run_rescan(hub, account, at, tell))
        except PluginError as error:
            raise InputRejected(f"{account}: {error.message}") from error
    made(
        counted, as_json,
        f"looked at {counted['looked_at']}: {counted['new']} new, {counted['known']} known, "
        f"{counted['rejected']} not accepted",
    )  # fmt: skip


async def run_rescan(hub: Hub, account: str, since: datetime, tell: Tell) -> dict[str, int]:
    """Page by page through the door, without a cursor. Raises NotFound, InputRejected, and what the plugin raises."""
    from hub.app import build_process  # noqa: PLC0415
    from hub.sdk.messages import Outcome  # noqa: PLC0415

    process, _web = build_process(hub)
    door = process.door
    found = door.accounts.get(account)
    if found is None:
        names = ", ".join(sorted(door.accounts)) or "none yet"
        raise NotFound(f"no channel account {account} that works; there are {names}")
    if not found.channel.capabilities.rescans:
        raise InputRejected(f"{account} cannot be read again: its provider keeps nothing that was delivered")
    counted = {"looked_at": 0, "new": 0, "known": 0, "rejected": 0}
    door.start()
    try:
        after = ""
        for _ in range(MAX_PAGES):
            page = await found.channel.rescan(since, after)
            results = await door.take_pulled(account, page.deliveries, None) if page.deliveries else []
            for result in results:
                known = isinstance(result, Outcome) and result.repeated
                counted["known" if known else "rejected" if result is None else "new"] += 1
            counted["looked_at"] += len(results)
            if results:
                tell(counted["looked_at"])
            if not page.more:
                break
            after = page.position or after
        await door.flush_rejections()
    finally:
        door.stop()
        await found.channel.close()
        await hub.accounts.close()
    return counted


COMMANDS = (channels,)
