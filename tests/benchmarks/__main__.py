"""`make bench`: the figures of the project, side by side in one run, medians with spread.

    python -m tests.benchmarks [intake|start|tracking ...] [--quick] [--json]

Absolute rates are those of the machine; the ratios are what counts. Exit code 1 where a must is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.benchmarks import intake, load, start, tracking


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="intake, start, tracking (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    names = given.names or ["tracking", "start", "intake"]
    results: dict[str, Any] = {}
    missed = []
    if "tracking" in names:
        results["tracking"] = tracking.measure(500 if given.quick else 5_000)
        all_carriers = results["tracking"]["all_carriers"]
        wrong = sum(all_carriers[key] for key in ("differing", "backward", "flaps"))
        missed += ["tracking"] if results["tracking"]["differing"] or wrong else []
    if "start" in names:
        results["start"] = start.measure(3 if given.quick else 7)
        slow = results["start"]["start_s"] > 2.0 or results["start"]["memory_mib"] > 150
        missed += ["start"] if slow else []
    if "intake" in names:
        if not load.available():
            sys.exit("the intake benchmark needs wrk (Debian: apt-get install wrk)")
        for connections in (16, 64, 256) if not given.quick else (64,):
            results[f"intake_{connections}"] = intake.measure(
                rounds=3 if given.quick else 5, seconds=2 if given.quick else 4, connections=connections
            )
        missed += ["intake"] if results["intake_64"]["ratio"] < intake.MUST else []
    show(results, as_json=given.json)
    if missed:
        print(f"below what must be: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


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
