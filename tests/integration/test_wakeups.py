"""What one process commits wakes the others, by PostgreSQL's own notifications."""

import threading

import pytest
from sqlalchemy import create_engine, text

from hub.coordination import leases
from hub.coordination.wakeups import Wakeups
from tests.integration.hubs import until

NOTHING = text("SELECT 1")


class Ear:
    """Counts the rings of a database's writer."""

    def __init__(self, db):
        self.rings = 0
        self.rang = threading.Event()
        db.writer.on_commit.add(self.ring)

    def ring(self):
        self.rings += 1
        self.rang.set()

    async def heard(self):
        await until(self.rang.is_set)
        self.rang.clear()


@pytest.fixture
def process(postgres_url, open_database):
    """A process's database, its wake-ups, and an ear at them."""
    made = []

    def make():
        db = open_database(postgres_url)
        wakeups = Wakeups(db)
        wakeups.start()
        assert wakeups.listening.wait(5)
        made.append(wakeups)
        return db, wakeups, Ear(db)

    yield make
    for wakeups in made:
        wakeups.stop()


def change(db):
    db.write_now(lambda tx: tx.execute(NOTHING) and None)


async def test_a_commit_wakes_the_others_once_and_nobody_answers(process):
    mine, my_wakeups, my_ear = process()
    _, other_wakeups, other_ear = process()
    _, third_wakeups, third_ear = process()
    for _ in range(20):
        change(mine)
    await other_ear.heard()
    await third_ear.heard()
    change(mine)
    await other_ear.heard()
    assert my_wakeups.heard == 0  # nobody told his own again, nor passed on what he was told
    assert my_ear.rings == 21
    assert other_ear.rings == other_wakeups.heard < 20  # what came close together became one
    assert third_wakeups.heard >= 2


async def test_what_changes_nothing_wakes_nobody(process):
    mine, _, my_ear = process()
    _, other_wakeups, other_ear = process()
    for _ in range(5):
        mine.write_now(lambda tx: leases.hold(tx, "clock", "me", 1_000))
    change(mine)
    await other_ear.heard()
    assert (my_ear.rings, other_wakeups.heard) == (1, 1)


async def test_a_cut_connection_is_made_anew_and_what_was_missed_is_looked_for(process, postgres_url):
    mine, _, _ = process()
    _, other_wakeups, other_ear = process()
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        cut = connection.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        ).scalar_one()
    engine.dispose()
    assert cut >= 1
    await other_ear.heard()  # by itself, as soon as it listens again
    assert other_wakeups.listening.wait(5)
    before = other_wakeups.heard
    change(mine)
    await until(lambda: other_wakeups.heard > before)
