"""Received against due, by person and period: numbers, two plots, and what a change would have done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.engine import Connection

from hub.assignment.report import Balance, Report, report
from hub.assignment.whatif import NOTHING, Outcome, change_of, whatif_of
from hub.kernel.clock import Instant
from hub.kernel.errors import InputRejected
from hub.kernel.ids import parse_id
from hub.staff.calendar import at_wall, local_date
from hub.web.i18n import N_
from hub.web.workspace import queries
from hub.web.workspace.forms import take_problems
from hub.web.workspace.visit import Visit

PERIODS = {
    "7": N_("Last 7 days"),
    "30": N_("Last 30 days"),
    "90": N_("Last 90 days"),
    "all": N_("From the beginning"),
}
WIDTH, HEIGHT = 600, 150
BAND = 1.25
LONGEST_LINE = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """One person's row of the plot, in per cent of the widest."""

    balance: Balance
    received: float
    due: float


@dataclass(frozen=True, slots=True)
class Line:
    """One person's way through the period: points of a polyline, and the colour it has."""

    name: str
    points: str
    tone: int


@dataclass(frozen=True, slots=True)
class Plot:
    """Distances day by day. `zero`, `above`, `below`: heights of the middle and of the band around it."""

    lines: Sequence[Line]
    first: date
    last: date
    scale: float
    zero: float
    above: float
    below: float


async def page(visit: Visit) -> web.Response:
    """GET /evenness?team=&period=, and for heads the change that is tried out"""
    wanted = visit.query_id("team")
    period = visit.query("period") or "30"
    period = period if period in PERIODS else "30"
    asked = _asked(visit)

    def find(conn: Connection) -> dict[str, Any]:
        teams = queries.teams(conn)
        team_id = wanted if wanted in teams else min(teams)
        start = _start(visit, period)
        found = report(conn, team_id, start)
        outcome = None
        if asked is not None:
            outcome = whatif_of(conn, team_id, asked, start, None)
        return {
            "teams": teams,
            "team": team_id,
            "found": found,
            "outcome": outcome,
            "members": [(b.membership_id, b.name) for b in found.balances if b.open],
        }

    status = 200
    try:
        shown = await visit.read(find)
    except InputRejected as error:
        take_problems(visit.form, error, visit.words)
        asked, status = None, 422
        shown = await visit.read(find)
    found: Report = shown["found"]
    words = visit.words
    return visit.render(
        "evenness.html", status, period=period, bars=_bars(found), plot=_plot(found), band=BAND,
        periods=[(key, words.t(title)) for key, title in PERIODS.items()], compared=_compared(shown["outcome"], found),
        **shown,
    )  # fmt: skip


def _asked(visit: Visit) -> Any:
    """The change that a head tries out; None where none is asked for, or it cannot be read."""
    member = visit.query("member")
    if not (visit.leads and member):
        return None
    visit.form.name = "whatif"
    visit.form.values = dict(visit.request.query)
    try:
        return change_of(
            parse_id(member),
            share=visit.query("share"),
            limit=visit.query("limit"),
            shift=visit.query("shift"),
        )
    except ValueError:
        return None
    except InputRejected as error:
        take_problems(visit.form, error, visit.words)
        return None


def _start(visit: Visit, period: str) -> Instant | None:
    if period == "all":
        return None
    today = local_date(Instant(visit.words.now), visit.zone)
    return at_wall(today - timedelta(days=int(period) - 1), 0, ZoneInfo(str(visit.zone)))


def _bars(found: Report) -> list[Bar]:
    widest = max((max(b.received_tasks, b.due_tasks) for b in found.balances), default=0.0) or 1.0
    return [
        Bar(b, round(max(0.0, b.received_tasks) * 100 / widest, 2), round(b.due_tasks * 100 / widest, 2))
        for b in found.balances
    ]


def _plot(found: Report) -> Plot | None:
    days = found.days[-LONGEST_LINE:]
    if len(days) < 2:
        return None
    scale = max(2.0, *(abs(d) for _, distances in days for d in distances.values())) * 1.05
    step = WIDTH / (len(days) - 1)

    def height(distance: float) -> float:
        return round(HEIGHT / 2 - distance * HEIGHT / 2 / scale, 1)

    lines = []
    for tone, balance in enumerate(found.balances):
        points = [
            f"{round(number * step, 1)},{height(distances[balance.membership_id])}"
            for number, (_, distances) in enumerate(days)
            if balance.membership_id in distances
        ]
        lines.append(Line(balance.name, " ".join(points), tone % 8))
    return Plot(lines, days[0][0], days[-1][0], scale, height(0), height(BAND), height(-BAND))


def _compared(outcome: Outcome | None, found: Report) -> list[dict[str, Any]]:
    """Person by person: as it was, and as it would have been."""
    if outcome is None:
        return []
    names = {b.membership_id: b.name for b in found.balances}
    rows = []
    for member_id in sorted(outcome.would, key=lambda one: names.get(one, "")):
        was, would = outcome.was.get(member_id, NOTHING), outcome.would[member_id]
        if member_id in names and (was.tasks or would.tasks or would.due):
            rows.append({"name": names[member_id], "was": was, "would": would})
    return rows
