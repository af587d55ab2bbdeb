"""hub track: needs no settings and no database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from pydantic import SecretStr

from hub.cli.frame import FINDING, config_option, fail, guarded, json_option

if TYPE_CHECKING:
    from hub.loader import Plugins
    from hub.runtime.building import Accounts
    from hub.sdk.carrier import Carrier
    from hub.sdk.tracking import Likeness, Recognition
    from hub.shipments.model import Seen


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
    found, accounts = _carrier(wanted, number, config)

    async def ask() -> dict[str, Any]:
        try:
            return await _ask(found, number)
        finally:
            await accounts.close()

    result = asyncio.run(ask())
    click.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else _words(result))
    if result["problem"]:
        sys.exit(FINDING)


@dataclass(frozen=True)
class Proposal:
    """An account that the number may belong to, and what its plugin makes of the number."""

    name: str
    plugin: str
    carrier: Carrier
    seen: Recognition

    def words(self) -> str:
        """As it is proposed."""
        said = f": {self.seen.warning}" if self.seen.warning else ""
        return f"{self.name} ({self.seen.number}{said})"


def _carrier(wanted: str | None, number: str, config: str | None) -> tuple[Proposal, Accounts]:
    from hub.kernel.clock import SystemClock  # noqa: PLC0415
    from hub.loader import load_plugins  # noqa: PLC0415
    from hub.runtime.building import read_accounts  # noqa: PLC0415
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
    missing = _missing(plugins, accounts, carriers)
    if wanted in missing:
        fail(_set_up(str(wanted), plugins))
    if wanted is not None and wanted not in carriers:
        fail(f"no carrier {wanted}: there are {', '.join(sorted(carriers)) or 'none'}")
    plugin_of = {one.name: one.plugin for one in accounts.settings}
    proposals = [
        Proposal(name, plugin_of.get(name, name), carrier, carrier.looks_like(number))
        for name, carrier in carriers.items()
        if wanted in (None, name)
    ]
    if wanted is not None:
        return proposals[0], accounts
    without = {name: carrier.looks_like(number).likeness for name, carrier in missing.items()}
    return _whose(number, proposals, without, plugins), accounts


def _whose(
    number: str, proposals: Sequence[Proposal], without: Mapping[str, Likeness], plugins: Plugins
) -> Proposal:
    """The only carrier that this can be; several accounts of one carrier are as good as each other.

    without  how much it looks like a number of carriers that are installed and have no account here
    """
    from hub.sdk.tracking import Likeness  # noqa: PLC0415

    found: list[Proposal] = []
    for likeness in (Likeness.SURE, Likeness.PERHAPS):
        found = found or [one for one in proposals if one.seen.likeness is likeness]
        alike = [name for name, looks in without.items() if looks is likeness]
        if alike and not found:
            fail(f"{number} looks like {_title(alike[0], plugins)}'s: {_set_up(alike[0], plugins)}")
    if not found:
        said = [one.seen.warning for one in proposals if one.seen.warning]
        names = ", ".join(sorted(one.name for one in proposals))
        fail(" ".join([f"{number} looks like no known carrier's: name one with --carrier ({names}).", *said]))
    if len({one.plugin for one in found}) > 1:
        fail(f"{number} could be of {' or '.join(one.words() for one in found)}: name one with --carrier")
    return found[0]


def _title(name: str, plugins: Plugins) -> str:
    return plugins.carriers[name].title.get("en", name)


def _set_up(name: str, plugins: Plugins) -> str:
    """What to add to the settings, so that this carrier can be asked."""
    fields = plugins.carriers[name].settings.model_fields
    keys = [key for key, field in fields.items() if field.is_required() or field.annotation is SecretStr]
    return f'add an account, [carriers.{name}] with plugin = "{name}" and {", ".join(keys) or "nothing else"}'


def _without_account(name: str, plugins: Plugins, accounts: Accounts) -> Carrier | None:
    """An installed carrier that has no account: it recognises its numbers, and is asked for nothing else."""
    from hub.accounts.host import AccountHost  # noqa: PLC0415
    from hub.kernel.clock import SystemClock  # noqa: PLC0415

    kind = plugins.carriers[name]
    host = AccountHost(name, SystemClock())
    accounts.hosts.append(host)
    required = {key: field for key, field in kind.settings.model_fields.items() if field.is_required()}
    filled: dict[str, Any] = {
        key: SecretStr("-") if f.annotation is SecretStr else "-" for key, f in required.items()
    }
    try:
        return kind.create(name, kind.settings.model_construct(**filled), host)
    except Exception:  # noqa: BLE001 - a plugin's boundary: one that cannot be built proposes nothing
        return None


def _missing(plugins: Plugins, accounts: Accounts, carriers: Mapping[str, Carrier]) -> dict[str, Carrier]:
    """Carriers that are installed and have no account here."""
    known = {account.plugin for account in accounts.settings if account.kind == "carrier"}
    names = [name for name in plugins.carriers if name not in carriers and name not in known]
    built = {name: _without_account(name, plugins, accounts) for name in names}
    return {name: carrier for name, carrier in built.items() if carrier is not None}


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


async def _ask(found: Proposal, number: str) -> dict[str, Any]:
    from hub.kernel.clock import SystemClock, rfc3339  # noqa: PLC0415
    from hub.sdk.errors import PluginError  # noqa: PLC0415
    from hub.sdk.tracking import TrackingNumber  # noqa: PLC0415
    from hub.shipments.model import merge, seen_of  # noqa: PLC0415
    from hub.shipments.pages import page_of  # noqa: PLC0415

    carrier = found.carrier
    written = found.seen.number or number
    result: dict[str, Any] = {"carrier": found.name, "number": written, "status": "unknown", "problem": None}
    result["page"] = page_of(carrier.capabilities.tracking_page, written) or None
    if found.seen.warning:
        result["warning"] = found.seen.warning
    try:
        answer = await carrier.track([TrackingNumber(number=written)])
    except PluginError as error:
        return {**result, "problem": error.message}
    if answer.problems:
        problem = answer.problems[0]
        return {**result, "problem": problem.message or problem.problem.value}
    now = SystemClock().now()
    steps = [seen_of(one, now) for one in answer.tracked[0].observations]
    state = merge(steps, cod=False)
    return {
        **result,
        "status": state.status,
        "money_status": state.money,
        "raw_code": state.raw_code,
        "raw_text": state.raw_text,
        "place": state.place,
        "status_at": rfc3339(state.clock_at) if state.clock_at is not None else None,
        "facts": dict(state.facts),
        "events": [_event(seen) for seen in steps],
    }


def _event(seen: Seen) -> dict[str, Any]:
    from hub.kernel.clock import Instant, rfc3339  # noqa: PLC0415

    at = seen.clock_at if seen.happened_at is None else seen.happened_at
    return {
        "at": rfc3339(Instant(at)) if at is not None else None,
        "status": seen.status,
        "raw_code": seen.raw_code,
        "raw_text": seen.raw_text,
        "place": seen.place,
    }


def _words(result: dict[str, Any]) -> str:
    parts = [f"{result['carrier']} {result['number']}: {result['problem'] or result['status']}"]
    if "warning" in result:
        parts.append(f"  {result['warning']}")
    page = [f"  the carrier's page: {result['page']}"] if result["page"] else []
    if result["problem"]:
        return "\n".join([*parts, *page])
    if result["raw_text"]:
        parts.append(f"  {result['raw_text']} (code {result['raw_code']})")
    if result["place"]:
        parts.append(f"  at: {result['place']}")
    if result["status_at"]:
        parts.append(f"  since: {result['status_at']}")
    if result["money_status"] != "none":
        parts.append(f"  cash on delivery: {result['money_status']}")
    parts += page
    if len(result["events"]) > 1:
        parts += ["", *map(_line, result["events"])]
    return "\n".join(parts)


def _line(event: dict[str, Any]) -> str:
    """One step of the way."""
    where = f", {event['place']}" if event["place"] else ""
    return f"  {event['at'] or '-':20}  {event['status']:18}  {event['raw_text'] or event['raw_code']}{where}"


COMMANDS = (track,)
