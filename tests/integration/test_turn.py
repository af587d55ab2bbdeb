"""Two processes write to one SQLite file: each gets its turn, however busily the other writes."""

import subprocess
import sys
import time

from sqlalchemy import make_url, text

from hub.db.engine import sqlite_file

BUSY = """
import sys, time
from sqlalchemy import make_url, text
from hub.coordination.nodes import acquire_node
from hub.db.database import Database
from hub.db.engine import open_engine
from hub.kernel.clock import SystemClock

url, clock = make_url(sys.argv[1]), SystemClock()
engine = open_engine(url, writes=True, pool_size=1)
_, ids = acquire_node(engine, clock)
db = Database(url, ids, clock)


def slowly(tx):
    tx.execute(text("UPDATE counter SET value = value + 1 WHERE name = 'busy'"))
    time.sleep(0.02)


db.write_now(lambda tx: tx.execute(text("INSERT INTO counter (name, value) VALUES ('busy', 0)")))
print("busy", flush=True)
while True:
    db.write_now(slowly)
"""


def test_a_busy_neighbour_starves_nobody(sqlite_url, open_database):
    db = open_database(sqlite_url)
    with subprocess.Popen([sys.executable, "-c", BUSY, sqlite_url], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout is not None
            assert busy.stdout.readline() == b"busy\n"
            waited = []
            for _ in range(40):
                began = time.monotonic()
                db.write_now(lambda tx: tx.execute(text("UPDATE counter SET value = value WHERE name = ''")))
                waited.append(time.monotonic() - began)
        finally:
            busy.kill()
    waited.sort()
    assert waited[20] < 0.2, waited  # without turns: half of them wait for many of the neighbour's
    assert waited[-1] < 2, waited
    file = sqlite_file(make_url(sqlite_url))
    assert file is not None
    assert file.with_name(f"{file.name}.turn").exists()
