"""Which steps of their parcels the customers of each team are told, and when they are left in peace."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.kernel.errors import InputRejected
from hub.orders import store as orders
from hub.shipments import notices
from hub.staff import store as staff
from hub.web.workspace.forms import take_problems
from hub.web.workspace.visit import Visit


async def page(visit: Visit) -> web.Response:
    """GET /customer-notices"""
    return await _page(visit)


async def _page(visit: Visit, status: int = 200) -> web.Response:
    def find(conn: Connection) -> dict[str, Any]:
        teams = [(one, notices.choice_of(one.settings)) for one in staff.teams(conn)]
        texts = {}
        for step in notices.STEPS:
            own = orders.template_named(conn, notices.template_of(step), [visit.language])
            texts[step] = (own or notices.TEXTS[step][visit.language], own is not None)
        return {"teams": teams, "texts": texts}

    return visit.render(
        "customer_notices.html", status, template_of=notices.template_of,
        linked=bool(visit.services.loaded.settings.hub.base_url), **await visit.read(find),
    )  # fmt: skip


async def keep(visit: Visit) -> web.Response:
    """POST /customer-notices/<team>"""
    form, team_id = visit.form, visit.id()
    form.name = f"team_{team_id}"
    steps = [step for step in notices.STEPS if form.line(step) == "1"]
    begin, end = form.line("quiet_from", 5), form.line("quiet_to", 5)
    try:
        await visit.write(lambda tx: notices.choose(tx, visit.actor, team_id, steps, begin, end))
    except InputRejected as error:
        take_problems(form, error, visit.words)
        return await _page(visit, 422)
    return visit.redirect("/customer-notices", "notices_kept")
