"""Pages of accounts: how each channel and carrier does, try it, switch it off and on; make and change those of the
workspace. The forms are made of the plugins' own settings models (`hub.accounts.fields`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.accounts import fields, kept, store
from hub.accounts.fields import SettingField
from hub.accounts.kept import Change, Wanted
from hub.db.tx import Tx
from hub.kernel.errors import InputRejected, NotFound, RuleSaysNo, VersionConflict
from hub.kernel.sealing import SecretKeyWrong
from hub.staff import store as staff
from hub.web import accounts as desk
from hub.web.accounts import Standing
from hub.web.context import Tried
from hub.web.workspace import account_words
from hub.web.workspace.forms import take_problems
from hub.web.workspace.visit import Visit
from hub.web.workspace.words import Badge

NEW, CHANGE = "account", "settings"
_SETTING = re.compile(r"settings\.(\w+)")
_REFUSALS = (InputRejected, RuleSaysNo, VersionConflict, SecretKeyWrong)


async def account_list(visit: Visit) -> web.Response:
    """GET /accounts"""

    def find(conn: Connection) -> dict[str, list[Standing]]:
        return {kind: desk.standing(conn, visit.services, visit.origin, kind) for kind in account_words.KINDS}

    return visit.render(
        "accounts.html", found=await visit.read(find), kinds=account_words.KINDS, **_talk(visit)
    )


def _talk(visit: Visit) -> dict[str, Any]:
    """What templates ask about an account."""
    return {
        "badge_of": lambda one: badge(visit, one),
        "plugin_title": lambda record: _plugin_title(visit, record.kind, record.plugin),
        "rejected_words": account_words.REJECTED,
        "kind_words": account_words.KIND,
    }


def badge(visit: Visit, one: Standing) -> Badge:
    """How an account does, in a word."""
    record = one.record
    text, tone = account_words.STATE[record.state]
    if record.state == store.State.ACTIVE:
        failed = record.last_error_at is not None and record.last_error_at > (record.last_ok_at or 0)
        if one.silent:
            text, tone = account_words.SILENT
        elif failed:
            text, tone = account_words.FAILING
        elif record.last_ok_at is None and not one.address:
            text, tone = account_words.UNTRIED
    return Badge(visit.words.t(text), tone)


def _plugin_title(visit: Visit, kind: str, name: str) -> str:
    plugins = visit.services.plugins
    kinds: Mapping[str, Any] = plugins.channels if kind == "channel" else plugins.carriers
    if name not in kinds:
        return name
    titles: Mapping[str, str] = kinds[name].title
    return titles.get(visit.language) or titles.get("en") or name


# --- one account -----------------------------------------------------------------------------------------


async def account_page(visit: Visit) -> web.Response:
    """GET /accounts/<name>"""
    return await _account_page(visit)


async def _account_page(visit: Visit, status: int = 200, tried: Tried | None = None) -> web.Response:
    name = visit.request.match_info["name"]

    def find(conn: Connection) -> tuple[Standing, kept.Shown | None]:
        record = store.find(conn, name)
        if record is None:
            raise NotFound
        one = next(
            s for s in desk.standing(conn, visit.services, visit.origin, record.kind) if s.record.name == name
        )
        own = record.origin == store.WORKSPACE and record.state != store.State.RETIRED
        return one, kept.shown(conn, record) if own else None

    one, shown = await visit.read(find)
    form: dict[str, Any] = {}
    if shown is not None:
        form = await _form(visit, CHANGE, one.record.kind, one.record.plugin, shown, one.record.team)
    return visit.render("account.html", status, one=one, shown=shown, tried=tried, **form, **_talk(visit))


async def _form(
    visit: Visit, name: str, kind: str, plugin: str, shown: kept.Shown | None, team: str | None
) -> dict[str, Any]:
    """The fields of a plugin's settings with what stands in them: as posted, else as kept, else as by default."""
    try:
        found = fields.fields_of(kept.model_of(visit.services.plugins, kind, plugin))
    except InputRejected:
        found = ()
    teams = await visit.read(staff.teams)
    posted = visit.form.name == name
    return {
        "form_name": name,
        "fields": [_filled(visit, one, shown, posted=posted) for one in found],
        "team_choices": [(one.name, one.title or one.name) for one in teams],
        "team": visit.form.values.get("team", "") if posted else team or "sales",
        "for_channel": kind == "channel",
        "customer_language": _head(visit, "customer_language", shown, posted=posted),
        "skill": _head(visit, "skill", shown, posted=posted),
        "key_missing": visit.services.key is None,
    }


def _head(visit: Visit, name: str, shown: kept.Shown | None, *, posted: bool) -> str:
    if posted:
        return visit.form.values.get(name, "")
    return str(getattr(shown, name)) if shown is not None else ""


def _filled(visit: Visit, one: SettingField, shown: kept.Shown | None, *, posted: bool) -> dict[str, Any]:
    values = visit.form.values
    value = one.default if shown is None else shown.settings.get(one.name, one.default)
    key = f"set_{one.name}"
    return {
        "name": one.name,
        "key": key,
        "kind": str(one.kind),
        "required": one.required,
        "first": one.first,
        "label": one.label[visit.language],
        "help": one.help[visit.language] or one.help["en"],
        "choices": [(choice, texts[visit.language]) for choice, texts in one.choices.items()],
        "value": values.get(key, "")
        if posted and one.kind is not fields.FieldKind.SECRET
        else one.shown(value),
        "texts": [
            (language, values.get(f"{key}_{language}", "") if posted else one.in_language(value, language))
            for language in fields.LANGUAGES
        ],
        "has_secret": shown is not None and one.name in shown.secrets,
        "problem": visit.form.problems.get(key, "") if posted else "",
    }


def _refused(visit: Visit, name: str, error: Exception) -> int:
    """Put a refusal beside the fields it is about; the status of the page."""
    form = visit.form
    form.name = name
    if isinstance(error, InputRejected):
        general = [p for p in error.problems if p.path == "settings"]
        placed = [
            type(p)(_SETTING.sub(lambda found: f"set_{found[1]}", p.path).split(".")[0], p.message, p.uk)
            for p in error.problems
        ]
        take_problems(form, InputRejected(error.message, placed), visit.words)
        form.message = "; ".join([form.message, *(visit.words.problem(p) for p in general)])
        return 422
    message = getattr(error, "message", "")
    form.message = visit.words.sentence(message)
    return 412 if isinstance(error, VersionConflict) else 409


# --- making and changing -----------------------------------------------------------------------------------


async def new_page(visit: Visit) -> web.Response:
    """GET /new-account?kind=&plugin="""
    return await _new_page(visit, visit.query("kind"), visit.query("plugin"))


async def _new_page(visit: Visit, kind: str, plugin: str, status: int = 200) -> web.Response:
    plugins = visit.services.plugins
    offered = [
        (one, [(name, _plugin_title(visit, one, name)) for name in sorted(kinds)])
        for one, kinds in (("channel", plugins.channels), ("carrier", plugins.carriers))
    ]
    known = dict(offered).get(kind, [])
    form: dict[str, Any] = {}
    if plugin in dict(known):
        form = await _form(visit, NEW, kind, plugin, None, None)
    return visit.render(
        "account_new.html", status, offered=offered, kinds=account_words.KINDS, kind=kind, plugin=plugin,
        chosen=bool(form), title=_plugin_title(visit, kind, plugin), **form, **_talk(visit),
    )  # fmt: skip


def _typed(visit: Visit, kind: str, plugin: str) -> tuple[dict[str, Any], Sequence[str]]:
    model = kept.model_of(visit.services.plugins, kind, plugin)
    return fields.typed(fields.fields_of(model), visit.form.values)


async def add(visit: Visit) -> web.Response:
    """POST /new-account"""
    form = visit.form
    kind, plugin = form.line("kind", 20), form.line("plugin", 100)
    if kind not in account_words.KINDS:
        raise NotFound
    name = form.line("name", 100)
    try:
        settings, _ = _typed(visit, kind, plugin)
        wanted = Wanted(
            kind=kind,
            name=name,
            plugin=plugin,
            team=form.line("team") if kind == "channel" else None,
            customer_language=form.line("customer_language", 100),
            skill=form.line("skill", 100),
            settings=settings,
        )
        await visit.write(lambda tx: desk.add(tx, visit.services, visit.actor, wanted))
    except _REFUSALS as error:
        return await _new_page(visit, kind, plugin, _refused(visit, NEW, error))
    await desk.follow(visit.services, name)
    return visit.redirect(f"/accounts/{name}", "account_added")


async def change(visit: Visit) -> web.Response:
    """POST /accounts/<name>"""
    form, name = visit.form, visit.request.match_info["name"]
    record = await _record(visit)
    try:
        settings, forget = _typed(visit, record.kind, record.plugin)
        shown = await visit.read(lambda conn: kept.shown(conn, record))
        back = dict.fromkeys((*forget, *(shown.settings.keys() - settings.keys())))
        wanted = Change(
            team=form.line("team") if record.kind == "channel" else None,
            customer_language=form.line("customer_language", 100),
            skill=form.line("skill", 100),
            settings={**settings, **back},
            expected_version=form.version(),
        )
        await visit.write(lambda tx: desk.change(tx, visit.services, visit.actor, record.kind, name, wanted))
    except _REFUSALS as error:
        return await _account_page(visit, _refused(visit, CHANGE, error))
    await desk.follow(visit.services, name)
    return visit.redirect(f"/accounts/{name}", "account_changed")


async def _record(visit: Visit) -> store.AccountRecord:
    name = visit.request.match_info["name"]
    found = await visit.read(lambda conn: store.find(conn, name))
    if found is None:
        raise NotFound
    return found


# --- trying, switching ---------------------------------------------------------------------------------------


async def check(visit: Visit) -> web.Response:
    """POST /accounts/<name>/check: what the other side answers stands on the page"""
    record = await _record(visit)
    assert visit.services.roster is not None
    return await _account_page(visit, tried=await visit.services.roster.check(record.name))


async def pause(visit: Visit) -> web.Response:
    """POST /accounts/<name>/pause"""
    return await _switch(
        visit, lambda tx, one: desk.pause(tx, visit.actor, one.kind, one.name), "account_paused"
    )


async def resume(visit: Visit) -> web.Response:
    """POST /accounts/<name>/resume"""
    return await _switch(
        visit, lambda tx, one: desk.resume(tx, visit.actor, one.kind, one.name), "account_resumed"
    )


async def retire(visit: Visit) -> web.Response:
    """POST /accounts/<name>/retire"""
    return await _switch(
        visit, lambda tx, one: desk.retire(tx, visit.actor, one.kind, one.name), "account_retired"
    )


async def _switch(visit: Visit, act: Any, done: str) -> web.Response:
    record = await _record(visit)

    def write(tx: Tx) -> None:
        act(tx, record)

    try:
        await visit.write(write)
    except RuleSaysNo as error:
        return await _account_page(visit, _refused(visit, "switch", error))
    await desk.follow(visit.services, record.name)
    back = (
        "/accounts"
        if done == "account_retired" or visit.form.line("back") == "list"
        else f"/accounts/{record.name}"
    )
    return visit.redirect(back, done)
