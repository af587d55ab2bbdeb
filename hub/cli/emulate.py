"""`hub emulate`: one emulated provider on a port, for plugin authors and for trying things out."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from hub.cli.frame import fail, guarded, json_option, show
from hub.kernel.errors import InputRejected

if TYPE_CHECKING:
    from hub.testing.emulators.catalogue import Emulator


@click.command()
@click.argument("name", required=False)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port to listen on (0: any)."
)
@click.option(
    "--step", "step_s", type=click.FloatRange(0.01, 86_400), default=60.0, show_default=True,
    help="Carriers: seconds from one status of a parcel to the next.",
)  # fmt: skip
@click.option(
    "--every", "every_s", type=click.FloatRange(0.1, 86_400),
    help="Chats and forms: an emulated customer writes every so many seconds (default: only when told to).",
)  # fmt: skip
@click.option(
    "--to", "target", help="form_customer: address of the form, such as http://127.0.0.1:8080/in/site-form."
)
@json_option
@guarded
def emulate(
    name: str | None,
    host: str,
    port: int,
    step_s: float,
    every_s: float | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Play a provider: NAME answers as the service does, and says everywhere that it is an emulator.

    Without NAME: all emulators. Faults and customers are ordered over HTTP, see the page that it answers at /.
    """
    from hub.testing.emulators.catalogue import EMULATORS  # noqa: PLC0415

    if name is None:
        rows = [
            {"emulator": one.name, "plays": one.title, "for": one.plugin or None, "faults": one.faults()}
            for one in EMULATORS.values()
        ]
        show(rows, as_json, "there are none")
        return
    if name not in EMULATORS:
        raise InputRejected(f"no emulator {name}: there are {', '.join(EMULATORS)}")
    entry = EMULATORS[name]
    if target is not None and entry.name != "form_customer":
        raise InputRejected("--to is for form_customer: the plugin tells the others where the hub is")
    if target is None and entry.name == "form_customer":
        raise InputRejected("form_customer needs --to: the address of the form")
    asyncio.run(_play(entry, host, port, step_s, every_s, target, as_json))


async def _play(
    entry: Emulator,
    host: str,
    port: int,
    step_s: float,
    every_s: float | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Until SIGTERM or SIGINT."""
    from hub.kernel.clock import SystemClock  # noqa: PLC0415

    emulator = entry.make(SystemClock(), step_s)
    if target is not None:
        emulator.aim(target)
    try:
        base_url = await emulator.start(host, port)
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port")
    _tell(entry, base_url, as_json)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    living = asyncio.create_task(_live(emulator, every_s))
    await stopping.wait()
    living.cancel()
    with suppress(asyncio.CancelledError):
        await living
    await emulator.stop()


async def _live(emulator: Any, every_s: float | None) -> None:
    if every_s is None or not hasattr(emulator, "live"):
        return
    import aiohttp  # noqa: PLC0415

    while True:
        with suppress(aiohttp.ClientError):  # the hub is not there yet, or not any more
            await emulator.live(every_s)


def _tell(entry: Emulator, base_url: str, as_json: bool) -> None:
    if as_json:
        told = {"emulator": entry.name, "base_url": base_url, "settings": entry.settings(base_url)}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    click.echo(f"This is an emulator of {entry.title}, at {base_url}")
    if entry.section:
        click.echo(f"\n{entry.settings(base_url)}\n")


COMMANDS = (emulate,)
