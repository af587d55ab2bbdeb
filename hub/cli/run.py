"""`hub serve`: one process from opening the database to the last commit."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click
import structlog
from aiohttp import web

from hub.access.store import make_link
from hub.app import Hub, begin_scribe, build_process, fork_scribe, open_hub, refuse_role
from hub.cli.frame import fail
from hub.db.locks import FURNISH, alone
from hub.intake.scribe import Scribe
from hub.kernel.collector import calm_collector
from hub.opening import link_address
from hub.runtime.process import Role
from hub.staff import store as staff

if TYPE_CHECKING:
    from hub.db.tx import Tx
    from hub.settings import Loaded

log = structlog.get_logger("hub.serve")

STOP_WITHIN_S = 12.0
FIRST_ADMIN = "admin"
Beside = Callable[[str], Coroutine[Any, Any, None]]


def serve_forever(
    loaded: Loaded,
    host: str | None,
    port: int | None,
    *,
    demo: bool = False,
    speed: float = 1.0,
    extra: Any = (),
    beside: Beside | None = None,
    role: Role = Role.ALL,
    listening: int | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `beside` runs next to it with the address (the demo's emulators).

    `listening`: descriptor of a socket that listens already (`--reload-plugins`); then host and port mean nothing.
    """
    refuse_role(loaded, role)
    takes = not demo and role is not Role.WORKER  # a worker takes no deliveries at /in
    scribe = fork_scribe(loaded, extra) if takes else None  # before the database is open
    hub = open_hub(loaded, serve=True, extra=extra)
    if scribe is not None:
        begin_scribe(hub, scribe)
    web_settings = loaded.settings.web
    try:
        asyncio.run(
            _serve(
                hub,
                host or web_settings.host,
                web_settings.port if port is None else port,
                demo=demo,
                speed=speed,
                beside=beside,
                scribe=scribe,
                role=role,
                listening=listening,
            )
        )
    finally:
        hub.close()


async def _serve(
    hub: Hub,
    host: str,
    port: int,
    *,
    demo: bool,
    speed: float,
    beside: Beside | None,
    scribe: Scribe | None,
    role: Role,
    listening: int | None = None,
) -> None:
    process, app = build_process(hub, demo=demo, speed=speed, scribe=scribe, role=role)
    if scribe is not None:
        await scribe.start()
    runner = web.AppRunner(app, access_log=None, handle_signals=False, keepalive_timeout=75)
    await runner.setup()
    site: web.BaseSite
    if listening is None:
        site = web.TCPSite(runner, host, port, backlog=1024)
    else:
        site = web.SockSite(runner, socket.socket(fileno=listening), backlog=1024)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        fail(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port or [web] port")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    process.start()
    calm_collector()
    address = _address(runner, host)
    if role is Role.WORKER:
        click.echo(f"The worker is at {address}")
    else:
        await asyncio.to_thread(_greet, hub, address, demo=demo)
    company = asyncio.create_task(beside(address)) if beside is not None else None
    await stopping.wait()
    log.info("stopping")
    if company is not None:
        company.cancel()
    # Answers first: what came in is still understood and stored while connections end.
    process.begin_stop()
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await runner.cleanup()
    except TimeoutError:
        log.warning("connections_cut")
    await process.stop()
    await hub.accounts.close()


def _address(runner: web.AppRunner, host: str) -> str:
    port = runner.addresses[0][1]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - only compared
    return f"http://{shown}:{port}"


def _greet(hub: Hub, address: str, *, demo: bool) -> None:
    """Say where the hub is, and, while nobody has a password, how to sign in the first time."""
    click.echo(f"The hub is at {address}")
    if demo:
        click.echo(f"Choose whose workspace to see: {address}/sign-in")
        return
    if any(person.has_password for person in hub.db.read_now(staff.all_staff)):
        return

    def first(tx: Tx) -> str:
        alone(tx, FURNISH)  # another process may be greeting too
        people = staff.all_staff(tx.conn)
        admins = [p for p in people if "admin" in p.roles and p.state == "active"]
        admin_id = admins[0].id if admins else staff.add(tx, "Admin", FIRST_ADMIN, ["admin"])
        return make_link(tx, admin_id, "first")

    secret = hub.db.write_now(first)
    click.echo(f"Sign in the first time (once, two days): {link_address(hub.loaded, secret, address)}")
