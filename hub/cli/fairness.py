"""hub fairness report | export | verify | what-if"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from hub.cli.frame import FINDING, config_option, fail, ground_of, guarded, json_option, made, show

if TYPE_CHECKING:
    from hub.assignment.report import Report
    from hub.assignment.whatif import Outcome
    from hub.kernel.clock import Instant

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def fairness() -> None:
    """Is the work shared evenly, and can it be proven?"""


@fairness.command("report")
@click.option("--team", default="sales", show_default=True, help="name of the team")
@click.option("--from", "since", type=DAY, help="first day, such as 2026-11-01; by default the beginning")
@click.option("--to", "until", type=DAY, help="last day; by default today")
@click.option("--csv", "as_csv", is_flag=True, help="comma-separated values")
@config_option
@json_option
@guarded
def fairness_report(
    team: str, since: Any, until: Any, as_csv: bool, config: str | None, as_json: bool
) -> None:
    """What everybody received against what he was due."""
    from hub.assignment.report import report  # noqa: PLC0415
    from hub.staff.store import team_by_name  # noqa: PLC0415

    with ground_of(config) as ground:
        zone = ZoneInfo(ground.loaded.settings.hub.timezone)
        start = _midnight(since.date(), zone) if since else None
        end = _midnight(until.date(), zone, days=1) if until else None
        found = ground.db.read_now(lambda conn: report(conn, team_by_name(conn, team).id, start, end))
    rows = list(_rows(found))
    if as_csv:
        _write_csv(rows)
    else:
        show(rows, as_json, f"nobody is in {team} yet: hub staff add NAME --team {team}")


def _midnight(day: date, zone: ZoneInfo, days: int = 0) -> Instant:
    from datetime import timedelta  # noqa: PLC0415

    from hub.staff.calendar import at_wall  # noqa: PLC0415

    return at_wall(day + timedelta(days=days), 0, zone)


def _rows(found: Report) -> Iterator[dict[str, Any]]:
    for one in found.balances:
        moves = one.moves
        yield {
            "name": one.name,
            "share": one.share,
            "received": one.received_tasks,
            "due": one.due_tasks,
            "difference": one.distance,
            "dealt": sum(moves.get(name, 0) for name in ("deal", "deal_again", "returning")),
            "taken": sum(moves.get(name, 0) for name in ("claim", "intercept")),
            "passed_on": moves.get("pass_on", 0),
            "given_back": sum(moves.get(name, 0) for name in ("release", "hand_over", "void")),
            "open": one.load,
        }


def _write_csv(rows: list[dict[str, Any]]) -> None:
    if rows:
        writer = csv.DictWriter(sys.stdout, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@fairness.command("export")
@click.option("--team", default="sales", show_default=True, help="name of the team")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@config_option
@guarded
def fairness_export(team: str, file: Path | None, config: str | None) -> None:
    """Write everything that proves the dealing as JSON Lines, to FILE or standard output."""
    from sqlalchemy import text  # noqa: PLC0415

    from hub.assignment.export import export_lines  # noqa: PLC0415
    from hub.staff.store import team_by_name  # noqa: PLC0415

    def write(conn: Any, out: Any) -> int:
        if conn.dialect.name == "postgresql":  # one snapshot: the end has to fit the beginning
            conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        count = 0
        for line in export_lines(conn, team_by_name(conn, team).id):
            out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
        return count

    with ground_of(config) as ground:
        if file is None:
            ground.db.read_now(lambda conn: write(conn, sys.stdout))
            return
        with file.open("w", encoding="utf-8") as out:
            count = ground.db.read_now(lambda conn: write(conn, out))
    click.echo(f"{count} lines in {file}: check them anywhere with `hub fairness verify {file}`")


@fairness.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@guarded
def fairness_verify(file: Path, as_json: bool) -> None:
    """Recompute an export without the database; exit code 1 names the first line that is wrong."""
    from hub.assignment.verify import Broken, Verifier, read_lines  # noqa: PLC0415

    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            verdict = Verifier().run(read_lines(_filled(lines)))
    except Broken as broken:
        fail(f"{file}: {broken}", FINDING)
    result = {
        "entries": verdict.entries,
        "facts": verdict.facts,
        "tasks": verdict.tasks,
        "members": verdict.members,
        "hash": verdict.last_hash,
    }
    made(
        result,
        as_json,
        f"{file}: all {verdict.entries} entries follow from the rule and the {verdict.facts} facts before them",
    )


@fairness.command("what-if")
@click.argument("person")
@click.option("--share", default="", help="another share")
@click.option("--limit", default="", help="another limit of open tasks; `none` takes it away")
@click.option("--shift", default="", help='other hours, such as "mon-fri 09:00-18:00, sat 10:00-14:00"')
@click.option("--team", default="sales", show_default=True, help="name of the team")
@click.option("--from", "since", type=DAY, help="first day dealt again; by default the beginning")
@click.option("--to", "until", type=DAY, help="last day; by default today")
@config_option
@json_option
@guarded
def fairness_what_if(
    person: str, team: str, since: Any, until: Any, config: str | None, as_json: bool, **tried: str
) -> None:
    """Deal a past period again with one change, and show what everybody would have received. Changes nothing."""
    from hub.assignment.ledger import peek  # noqa: PLC0415
    from hub.assignment.whatif import NOTHING, change_of, whatif_of  # noqa: PLC0415
    from hub.staff.store import all_staff, find, team_by_name  # noqa: PLC0415

    with ground_of(config) as ground:
        zone = ZoneInfo(ground.loaded.settings.hub.timezone)
        start = _midnight(since.date(), zone) if since else None
        end = _midnight(until.date(), zone, days=1) if until else None

        def look(conn: Any) -> tuple[Outcome, dict[int, str]]:
            team_id = team_by_name(conn, team).id
            roster, who = peek(conn, team_id), find(conn, person)
            member = roster.by_staff(who.id)
            if member is None:
                fail(f"{who.name} is not in {team}")
            names = {one.id: one.name for one in all_staff(conn)}
            change = change_of(member.id, **tried)
            shown = {m.id: names[m.staff_id] for m in roster.members.values()}
            return whatif_of(conn, team_id, change, start, end), shown

        found, names = ground.db.read_now(look)
    rows = [
        {
            "name": name,
            "received": was.tasks,
            "would_have_received": would.tasks,
            "due": was.due_tasks,
            "would_have_been_due": would.due_tasks,
            "most_open": would.most_open,
        }
        for member, name in sorted(names.items(), key=lambda one: one[1])
        for was, would in [(found.was.get(member, NOTHING), found.would.get(member, NOTHING))]
        if was.due or was.received or would.due or would.received
    ]
    show(rows, as_json, f"nothing was dealt in {team} in this time")


def _filled(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line.strip())


COMMANDS = (fairness,)
