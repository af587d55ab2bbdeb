"""The part of one's own page about notices: what is chosen, and what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from hub.access.model import May
from hub.notices import store
from hub.notices.model import Choice, Group, Place, Written, clock_of
from hub.web.i18n import N_
from hub.web.workspace.visit import Visit

GROUPS = {
    Group.TASKS: N_("My tasks"),
    Group.ORDERS: N_("Orders and approvals"),
    Group.ALARMS: N_("Alarms of the hub"),
    Group.DIGEST: N_("The morning in numbers"),
}
PLACES = {
    Place.WORKSPACE: N_("Workspace"),
    Place.MESSENGER: N_("Messenger"),
    Place.EMAIL: N_("E-mail"),
}


def choice_context(conn: Connection, visit: Visit) -> Mapping[str, Any]:
    """What the part of one's own page needs."""
    chosen = store.choice(conn, visit.staff_id)
    services = visit.services
    groups = [
        (str(group), visit.words.t(title))
        for group, title in GROUPS.items()
        if not (group is Group.ALARMS and not (visit.leads or visit.actor.may(May.OPERATE)))
        and not (group is Group.DIGEST and not visit.leads)
    ]
    return {
        "choice": chosen,
        "groups": groups,
        "places": [(str(place), visit.words.t(title)) for place, title in PLACES.items()],
        "wanted": _wanted(visit, chosen),
        "quiet": [clock_of(one) for one in chosen.quiet] if chosen.quiet else ["", ""],
        "digest": clock_of(chosen.digest),
        "alarms_in_quiet": _alarms_in_quiet(visit, chosen),
        "link": store.link_of(conn, visit.staff_id),
        "bot": services.staff_accounts.bot,
        "mail": services.staff_accounts.mail,
        "usual_zone": services.loaded.settings.hub.timezone,
    }


def _wanted(visit: Visit, chosen: Choice) -> set[str]:
    """The ticked boxes: as typed after a refusal, else as chosen."""
    form = visit.form
    return {
        f"{group}_{place}"
        for group in Group
        for place in Place
        if (form.values.get(f"{group}_{place}") if form.name == "notices" else chosen.wants(group, place))
    }


def _alarms_in_quiet(visit: Visit, chosen: Choice) -> bool:
    form = visit.form
    return bool(form.values.get("alarms_in_quiet")) if form.name == "notices" else chosen.alarms_in_quiet


def written(visit: Visit, before: Choice) -> Written:
    """The posted choice. Groups that his page does not show stay as they were."""
    form = visit.form
    shown = {group for group in Group if form.line(f"shown_{group}")}
    places = {
        str(group): frozenset(str(place) for place in Place if form.line(f"{group}_{place}"))
        for group in shown
    }
    kept = {str(group): frozenset(map(str, found)) for group, found in before.places.items()}
    return Written(
        places={**kept, **places},
        email=form.line("email", 254),
        quiet_from=form.line("quiet_from", 5),
        quiet_until=form.line("quiet_until", 5),
        timezone=form.line("timezone", 60),
        digest=form.line("digest", 5) if visit.leads else clock_of(before.digest),
        alarms_in_quiet=(
            bool(form.line("alarms_in_quiet")) if Group.ALARMS in shown else before.alarms_in_quiet
        ),
    )
