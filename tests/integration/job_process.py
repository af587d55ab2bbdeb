"""A process that takes one kind of work and never ends it: to be killed.

Usage: URL embedded|distributed LEASE_MS DEAD_AFTER_S MARK
"""

import asyncio
import sys
from pathlib import Path

from sqlalchemy import make_url

from hub.coordination.nodes import acquire_node
from hub.db.database import Database
from hub.db.engine import open_engine
from hub.kernel.clock import SystemClock
from hub.outbox.jobs.embedded import Embedded
from hub.outbox.jobs.port import Runner


async def main(address, kind, lease, dead_after_s, mark):
    url, clock = make_url(address), SystemClock()
    _, ids = acquire_node(open_engine(url, writes=True, pool_size=1), clock)
    db = Database(url, ids, clock)

    async def hang(job):
        await asyncio.to_thread(Path(mark).write_text, str(job.id), encoding="ascii")
        await asyncio.sleep(3_600)

    if kind == "embedded":
        runner: Runner = Embedded(db, {"work": hang}, lease=lease)
    else:
        from hub.outbox.jobs.distributed import Distributed

        runner = Distributed(db, {"work": hang}, lease=lease, dead_after_s=dead_after_s)
    runner.start()
    while True:
        await runner.tick()
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    address, kind, lease, dead, mark = sys.argv[1:]
    asyncio.run(main(address, kind, int(lease), float(dead), mark))
