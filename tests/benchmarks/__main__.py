"""`make bench`: the figures of the project, side by side in one run, medians with spread.

    python -m tests.benchmarks [intake|start|tracking|fairness|open_loop|processes|claims|freed|boards|
                                answers|parcels|week|growth|mail|viber ...]
                               [--database postgresql] [--histories N] [--quick] [--json]

Absolute rates are those of the machine; the ratios are what counts. Exit code 1 where a must is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.benchmarks import (
    answers,
    boards,
    claims,
    fairness,
    freed,
    intake,
    load,
    mail,
    open_loop,
    parcels,
    processes,
    start,
    tracking,
    viber,
    week,
)

NEED_WRK = frozenset({"intake", "open_loop", "processes", "growth", "viber"})


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="intake, start, tracking, fairness (these by default), open_loop, processes (PostgreSQL alone), "
        "claims, freed, boards, answers, parcels, week, growth, mail, viber",
    )  # fmt: skip
    parser.add_argument(
        "--database",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="where intake, viber, open_loop, claims, freed, boards, parcels and growth store",
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--histories",
        type=int,
        metavar="N",
        help="so many random histories for fairness (1,000; --quick 200)",
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    names = given.names or ["tracking", "fairness", "start", "intake"]
    if NEED_WRK & set(names) and not load.available():
        sys.exit("this benchmark needs wrk (Debian: apt-get install wrk)")
    results, missed = run(names, given.database, quick=given.quick, histories=given.histories)
    show(results, as_json=given.json)
    if missed:
        print(f"below what must be: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def run(
    names: list[str], database: str, *, quick: bool, histories: int | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Results by name, and the names of those that miss what must be."""
    results: dict[str, Any] = {}
    missed = []
    if "tracking" in names:
        results["tracking"] = tracking.measure(500 if quick else 5_000)
        all_carriers = results["tracking"]["all_carriers"]
        wrong = sum(all_carriers[key] for key in ("differing", "backward", "flaps", "announced_back"))
        missed += ["tracking"] if results["tracking"]["differing"] or wrong else []
    if "answers" in names:
        found = results["answers"] = answers.measure(15 if quick else 60)
        missed += ["answers"] if found["ratio"] > found["must"] else []
    if "parcels" in names:
        way = results["whole_way"] = parcels.whole_way(5 if quick else 20, 3 if quick else 7)
        missed += ["whole_way"] if way["usual"]["ratio"] > way["must"] else []
        kept = parcels.database(database, 50_000 if quick else 1_000_000, 3 if quick else 7)
        results["parcels_database"] = kept
        slow = max(kept["pick"]["ratio"], kept["write_back"]["ratio"]) > kept["must"]
        missed += ["parcels_database"] if slow else []
    if "week" in names:
        found = results["week"] = week.measure(20_000 if quick else 1_000_000, 1.0 if quick else 7.0, 10)
        bad = found["late"] or found["over_budget"] or found["fewer_calls"] < found["must"]
        missed += ["week"] if bad else []
    if "fairness" in names:
        found = results["fairness"] = fairness.measure(histories or (200 if quick else 1_000))
        uneven = found["largest"] > fairness.MUST_DISTANCE
        slow = found["dealings_per_s_among_50"] < fairness.MUST_PER_S
        missed += ["fairness"] if uneven or slow else []
    if "start" in names:
        results["start"] = start.measure(3 if quick else 7)
        slow = results["start"]["start_s"] > 2.0 or results["start"]["memory_mib"] > 150
        missed += ["start"] if slow else []
    if "intake" in names:
        for connections in (64,) if quick else (16, 64, 256):
            results[f"intake_{connections}"] = intake.measure(
                rounds=3 if quick else 5,
                seconds=2 if quick else 4,
                connections=connections,
                database=database,
            )
        missed += ["intake"] if results["intake_64"]["ratio"] < intake.MUST[database] else []
    if "open_loop" in names:
        results["open_loop"] = open_loop.measure(3 if quick else 6, database=database)
        missed += ["open_loop"] if results["open_loop"]["p99_ms"] > open_loop.MUST_MS else []
    if "processes" in names:
        results["processes"] = processes.measure(2 if quick else 4, 2 if quick else 4)
        missed += ["processes"] if results["processes"]["cpu_ratio"] > processes.MUST else []
    missed += run_channels(names, database, results, quick=quick)
    missed += run_people(names, database, results, quick=quick)
    return results, missed


def run_channels(names: list[str], database: str, results: dict[str, Any], *, quick: bool) -> list[str]:
    """What a channel costs; names of those that miss."""
    missed = []
    if "mail" in names:
        results["mail"] = mail.measure(5 if quick else 25)
        missed += ["mail"] if mail.missed(results["mail"]) else []
    if "viber" in names:
        results["viber"] = viber.measure(3 if quick else 5, 2 if quick else 4, database=database)
        missed += ["viber"] if results["viber"]["ratio"] < viber.MUST else []
    return missed


def run_people(names: list[str], database: str, results: dict[str, Any], *, quick: bool) -> list[str]:
    """What the people feel: claiming, places that become free, boards; names of those that miss."""
    missed = []
    if "claims" in names:
        results["claims"] = claims.measure(database, tasks=100 if quick else claims.TASKS)
        missed += [] if results["claims"]["right"] else ["claims"]
    if "freed" in names:
        results["freed"] = freed.measure(database, rounds=1 if quick else 4)
        missed += ["freed"] if results["freed"]["worst_p99_s"] > freed.MUST_S else []
    if "boards" in names:
        results["boards"] = boards.measure(database, changes=10 if quick else 50)
        late = results["boards"]["told_p99_s"] > boards.MUST_S or results["boards"]["missed"]
        missed += ["boards"] if late else []
    return missed


def show(results: dict[str, Any], *, as_json: bool) -> None:
    """Print what was measured."""
    if as_json:
        print(json.dumps(results, indent=2))
        return
    for name, values in results.items():
        print(name)
        for key, value in values.items():
            print(f"    {key:28} {value}")


if __name__ == "__main__":
    sys.exit(main())
