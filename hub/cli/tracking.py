"""hub track: needs no settings and no database."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from hub.cli.frame import FINDING, config_option, fail, guarded, json_option

if TYPE_CHECKING:
    from hub.app import Accounts
    from hub.sdk.carrier import Carrier


@click.command()
@click.argument("number")
@click.option(
    "--carrier", "wanted", help="Account of the settings, else a plugin (default: who knows the number)."
)
@config_option
@json_option
@guarded
def track(number: str, wanted: str | None, config: str | None, as_json: bool) -> None:
    """Where is this parcel? Asks the carrier once, by its public API where it has one."""
    from hub.cli.logs import set_up_logs  # noqa: PLC0415
    from hub.shipments.service import check_number  # noqa: PLC0415

    set_up_logs(quiet=True)
    number = check_number(number)
    name, carrier, accounts = _carrier(wanted, number, config)

    async def ask() -> dict[str, Any]:
        try:
            return await _ask(name, carrier, number)
        finally:
            await accounts.close()

    result = asyncio.run(ask())
    click.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else _words(result))
    if result["problem"]:
        sys.exit(FINDING)


def _carrier(wanted: str | None, number: str, config: str | None) -> tuple[str, Carrier, Accounts]:
    from hub.app import read_accounts  # noqa: PLC0415
    from hub.kernel.clock import SystemClock  # noqa: PLC0415
    from hub.loader import load_plugins  # noqa: PLC0415
    from hub.sdk.tracking import Likeness  # noqa: PLC0415
    from hub.settings import build, load, settings_file  # noqa: PLC0415

    file = settings_file(config)
    loaded = load(file) if file.exists() or config else build({}, file.parent)
    plugins = load_plugins()
    accounts = read_accounts(loaded, plugins, SystemClock())
    carriers = dict(accounts.carriers)
    for name in plugins.carriers:
        carrier = _public(name, plugins, accounts)
        if carrier is not None:
            carriers.setdefault(name, carrier)
    if wanted is not None:
        if wanted not in carriers:
            fail(f"no carrier {wanted}: there are {', '.join(sorted(carriers)) or 'none'}")
        return wanted, carriers[wanted], accounts
    ranked = [(carriers[name].looks_like(number).likeness, name) for name in carriers]
    sure = [n for likeness, n in ranked if likeness is Likeness.SURE] or [
        n for likeness, n in ranked if likeness is Likeness.PERHAPS
    ]
    if not sure:
        fail(
            f"{number} looks like no known carrier's: name one with --carrier ({', '.join(sorted(carriers))})"
        )
    return sure[0], carriers[sure[0]], accounts


def _public(name: str, plugins: Any, accounts: Accounts) -> Carrier | None:
    """A carrier without credentials, where it works so."""
    from pydantic import ValidationError  # noqa: PLC0415

    from hub.accounts.host import AccountHost  # noqa: PLC0415
    from hub.kernel.clock import SystemClock  # noqa: PLC0415
    from hub.sdk.errors import SettingsRejected  # noqa: PLC0415

    kind = plugins.carriers[name]
    host = AccountHost(name, SystemClock())
    accounts.hosts.append(host)
    try:
        carrier: Carrier = kind.create(name, kind.settings(), host)
    except (ValidationError, SettingsRejected):
        return None
    return carrier if carrier.capabilities.tracks_without_key else None


async def _ask(name: str, carrier: Carrier, number: str) -> dict[str, Any]:
    from hub.kernel.clock import SystemClock, rfc3339  # noqa: PLC0415
    from hub.sdk.errors import PluginError  # noqa: PLC0415
    from hub.sdk.tracking import TrackingNumber  # noqa: PLC0415
    from hub.shipments.model import merge, seen_of  # noqa: PLC0415

    written = carrier.looks_like(number).number or number
    result: dict[str, Any] = {"carrier": name, "number": written, "status": "unknown", "problem": None}
    try:
        answer = await carrier.track([TrackingNumber(number=written)])
    except PluginError as error:
        return {**result, "problem": error.message}
    if answer.problems:
        problem = answer.problems[0]
        return {**result, "problem": problem.message or problem.problem.value}
    now = SystemClock().now()
    state = merge([seen_of(o, now) for o in answer.tracked[0].observations], cod=False)
    return {
        **result,
        "status": state.status,
        "money_status": state.money,
        "raw_code": state.raw_code,
        "raw_text": state.raw_text,
        "place": state.place,
        "status_at": rfc3339(state.clock_at) if state.clock_at is not None else None,
        "facts": dict(state.facts),
    }


def _words(result: dict[str, Any]) -> str:
    if result["problem"]:
        return f"{result['carrier']} {result['number']}: {result['problem']}"
    parts = [f"{result['carrier']} {result['number']}: {result['status']}"]
    if result["raw_text"]:
        parts.append(f"  {result['raw_text']} (code {result['raw_code']})")
    if result["place"]:
        parts.append(f"  at: {result['place']}")
    if result["status_at"]:
        parts.append(f"  since: {result['status_at']}")
    if result["money_status"] != "none":
        parts.append(f"  cash on delivery: {result['money_status']}")
    return "\n".join(parts)


COMMANDS = (track,)
