"""From what is written about an account to the object that its plugin makes: for the file and the workspace alike.

Collects all problems, each with its path. A plugin that cannot be loaded or refuses an account keeps out that
account only: it is off with its reason, and the rest runs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import orjson
import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from hub.accounts import secrets
from hub.accounts import store as accounts
from hub.accounts.guard import PluginMisbehaved
from hub.accounts.guarded import Conduct, GuardedChannel, build_guarded
from hub.accounts.host import AccountHost
from hub.accounts.store import AccountRecord
from hub.intake.planned import PLAIN, Route
from hub.kernel.clock import Clock
from hub.kernel.errors import FieldProblem, HubError
from hub.kernel.sealing import SecretKey, SecretKeyUnusable, read_key
from hub.loader import Plugins
from hub.sdk.carrier import Carrier
from hub.sdk.channel import Channel
from hub.sdk.errors import PluginError
from hub.sdk.errors import SettingsRejected as PluginSettingsRejected
from hub.settings import DEFAULT_TEAM, Loaded, problems_of
from hub.staff import store as staff

log = structlog.get_logger("hub.accounts")

TAKEN = (
    "this name belongs to an account made in the workspace: choose another one, "
    "or take that account away on the page Accounts"
)
_SHORT = 40
CLOSE_WITHIN_S = 3.0
MAX_SILENCE_HOURS = 720


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """One account, read by its plugin's own model. `version` moves when an account of the workspace is changed."""

    name: str
    kind: str
    plugin: str
    team: str | None
    keys: BaseModel | None
    route: Route = PLAIN
    origin: str = accounts.FILE
    version: int = 1
    silence_hours: float = 0.0


@dataclass(slots=True)
class Accounts:
    """All accounts, and the objects that their plugins made.

    problems  what is wrong in the file: `hub serve` refuses to start
    off       accounts whose plugin cannot be loaded or made, with the reason: they stay off, the rest runs
    """

    settings: list[AccountSettings] = field(default_factory=list)
    channels: dict[str, Channel] = field(default_factory=dict)
    carriers: dict[str, Carrier] = field(default_factory=dict)
    problems: list[FieldProblem] = field(default_factory=list)
    off: dict[str, str] = field(default_factory=dict)
    hosts: list[AccountHost] = field(default_factory=list)
    conducts: list[Conduct] = field(default_factory=list)

    async def close(self) -> None:
        """Let every plugin's object go, then the connections to providers, in the loop that opened them."""
        objects: list[Channel | Carrier] = [*self.channels.values(), *self.carriers.values()]
        await asyncio.gather(*map(let_go, objects))
        for host in self.hosts:
            await host.http.close()


async def let_go(one: Channel | Carrier) -> None:
    """Call `close` within its time; a plugin that cannot close stands in nobody's way."""
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_WITHIN_S):
            await one.close()


def read_accounts(loaded: Loaded, plugins: Plugins, clock: Clock) -> Accounts:
    """Read every account of the file with its plugin's model, and build its object; collects all problems."""
    found = Accounts()
    names: set[str] = set()
    key = usable_key(loaded)
    teams = {*loaded.settings.teams, DEFAULT_TEAM}
    for section, configured in (
        ("channels", loaded.settings.channels),
        ("carriers", loaded.settings.carriers),
    ):
        for name, keys in configured.items():
            if name in names:
                found.problems.append(
                    FieldProblem(f"{section}.{name}", "this name is taken by another account")
                )
            names.add(name)
            one = read_account(section, name, dict(keys), plugins, teams, found)
            if one is not None:
                found.settings.append(one)
                build_account(one, plugins, AccountHost(one.name, clock, key), found)
    return found


def read_kept(
    conn: Connection, found: Accounts, plugins: Plugins, clock: Clock, key: SecretKey | None
) -> None:
    """Add the accounts of the workspace to those of the file; a name that both have is a problem of the file."""
    of_file = {one.name: one for one in found.settings}
    for kind in ("channel", "carrier"):
        for record in accounts.all_accounts(conn, kind):
            if record.origin != accounts.WORKSPACE or record.state == accounts.State.RETIRED:
                continue
            if record.name in of_file:
                found.problems.append(FieldProblem(f"{of_file[record.name].kind}s.{record.name}", TAKEN))
                continue
            one = of_record(conn, record, plugins, key, found)
            found.settings.append(one)
            build_account(one, plugins, AccountHost(one.name, clock, key), found)


def of_record(
    conn: Connection, record: AccountRecord, plugins: Plugins, key: SecretKey | None, found: Accounts
) -> AccountSettings:
    """Read one account of the workspace; what stands in its way is its reason to be off."""
    section = f"{record.kind}s"
    problems = Accounts()
    one = None
    try:
        written = orjson.loads(record.keys) | secrets.settings_of(conn, key, record.name)
    except HubError as error:
        problems.off[record.name] = error.message
    else:
        head = {"plugin": record.plugin, **({"team": record.team} if record.team else {})}
        teams = {team.name for team in staff.teams(conn)}
        one = read_account(section, record.name, head | written, plugins, teams, problems)
    if problems.problems:
        said = "; ".join(
            f"{p.path.removeprefix(f'{section}.{record.name}.')}: {p.message}" for p in problems.problems
        )
        problems.off[record.name] = f"its settings are not valid any more: {said}"
    found.off |= problems.off
    if one is None:
        one = AccountSettings(record.name, record.kind, record.plugin, record.team, None)
    return AccountSettings(
        one.name,
        one.kind,
        one.plugin,
        one.team,
        one.keys,
        one.route,
        record.origin,
        record.version,
        one.silence_hours,
    )


def read_account(
    section: str,
    name: str,
    keys: dict[str, Any],
    plugins: Plugins,
    teams: set[str],
    found: Accounts,
) -> AccountSettings | None:
    """One account as a table of the file writes it; None where `found.problems` says what is wrong."""
    kinds: Mapping[str, Any] = plugins.channels if section == "channels" else plugins.carriers
    broken = next((d.problem for d in plugins.found if d.name == keys.get("plugin") and d.problem), None)
    if broken is not None and keys["plugin"] not in kinds:
        found.off[name] = f"its plugin {keys['plugin']} {broken}"
        return _unread(section, name, keys)
    return _read(section, name, keys, kinds, teams, found.problems)


def secret_key(loaded: Loaded) -> SecretKey | None:
    """The key of this hub's secrets. Raises SecretKeyUnusable."""
    return read_key(loaded.path(loaded.settings.hub.secret_key_file), os.environ)


def usable_key(loaded: Loaded) -> SecretKey | None:
    """The hub's key, for what plugins sign; whoever opens the hub hears that it cannot be used."""
    try:
        return secret_key(loaded)
    except (SecretKeyUnusable, OSError):
        return None


def _unread(section: str, name: str, keys: Mapping[str, Any]) -> AccountSettings:
    """An account whose keys nobody can read while its plugin is missing."""
    team = str(keys.get("team", DEFAULT_TEAM)) if section == "channels" else None
    return AccountSettings(name, section.removesuffix("s"), keys["plugin"], team, None)


def _read(
    section: str,
    name: str,
    keys: dict[str, Any],
    kinds: Mapping[str, Any],
    teams: set[str],
    problems: list[FieldProblem],
) -> AccountSettings | None:
    where, before = f"{section}.{name}", len(problems)
    plugin = keys.pop("plugin", None)
    team = keys.pop("team", DEFAULT_TEAM) if section == "channels" else None
    route = _route(where, keys, problems) if section == "channels" else Route()
    silence_hours = _silence(where, keys, problems) if section == "channels" else 0.0
    if team is not None and team not in teams:
        problems.append(FieldProblem(f"{where}.team", f"there is no [teams.{team}] in the settings"))
    if plugin not in kinds:
        near = get_close_matches(str(plugin), kinds, n=1)
        hint = f", did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(kinds)) or 'none'}"
        problems.append(FieldProblem(f"{where}.plugin", f"no plugin {plugin!r} is loaded{hint}"))
        return None
    try:
        model = kinds[plugin].settings.model_validate(keys)
    except ValidationError as error:
        problems += problems_of(error, f"{where}.")
        return None
    if len(problems) > before:
        return None
    return AccountSettings(
        name, section.removesuffix("s"), plugin, team, model, route, silence_hours=silence_hours
    )


def _route(where: str, keys: dict[str, Any], problems: list[FieldProblem]) -> Route:
    """`customer_language`, `skill` and `staff`, which every channel account may have."""
    found = {}
    for key, name in (("customer_language", "language"), ("skill", "skill")):
        value = keys.pop(key, "")
        if not isinstance(value, str) or len(value) > _SHORT:
            problems.append(FieldProblem(f"{where}.{key}", "is a short text, such as uk or wholesale"))
        else:
            found[name] = value
    for_staff = keys.pop("staff", False)
    if not isinstance(for_staff, bool):
        problems.append(FieldProblem(f"{where}.staff", "is true for the bot of the staff, else false"))
        for_staff = False
    return Route(**found, staff=for_staff)


def _silence(where: str, keys: dict[str, Any], problems: list[FieldProblem]) -> float:
    """`silence_hours`: after so long without a delivery people are told; 0 never."""
    hours = keys.pop("silence_hours", 0)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 <= hours <= MAX_SILENCE_HOURS:
        problems.append(FieldProblem(f"{where}.silence_hours", f"is a number from 0 to {MAX_SILENCE_HOURS}"))
        return 0.0
    return float(hours)


def build_account(
    one: AccountSettings, plugins: Plugins, host: AccountHost, found: Accounts
) -> AccountHost | None:
    """Let the plugin make its object; under a guard, and what it says is the account's reason to be off."""
    if one.name in found.off or one.keys is None:
        return None
    kind: Any = (plugins.channels if one.kind == "channel" else plugins.carriers)[one.plugin]
    found.hosts.append(host)
    try:
        built = build_guarded(kind, one.name, one.keys, host, Channel if one.kind == "channel" else Carrier)
    except PluginSettingsRejected as rejected:
        found.off[one.name] = rejected.message
    except PluginError as error:
        log.error("plugin_raised", account=one.name, call="create", error=type(error).__name__)
        found.off[one.name] = f"its plugin raised {type(error).__name__}"
    except PluginMisbehaved as error:
        found.off[one.name] = error.message
    else:
        found.conducts.append(built.conduct)
        if isinstance(built, GuardedChannel):
            found.channels[one.name] = built
        else:
            found.carriers[one.name] = built
    return host
