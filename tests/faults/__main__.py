"""python -m tests.faults --database postgresql --faults 300 --kills 50 --seed 1"""

import argparse
import asyncio
import sys

from tests.faults.program import run


def main() -> None:
    """The long form: exit code 1 if anything was lost, doubled or wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hubs", type=int, default=3, help="processes on PostgreSQL")
    parser.add_argument("--only", default="", help="nothing but this fault and kills")
    asked = parser.parse_args()
    report = asyncio.run(
        run(
            asked.database,
            faults=asked.faults,
            kills=asked.kills,
            seed=asked.seed,
            hubs=asked.hubs,
            only=asked.only,
            loud=True,
        )
    )
    print("\n".join(report.lines()))
    sys.exit(not report.verdict.clean)


if __name__ == "__main__":
    main()
