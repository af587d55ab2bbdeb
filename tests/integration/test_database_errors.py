"""What a database error means, tried with real ones; and that its words never carry a value."""

import sqlite3
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from hub.db.engine import open_engine
from hub.db.errors import Fault, classify, describe

SECRET = "+380671234567"
DRIVERS = (DBAPIError, sqlite3.Error, psycopg.Error)  # statements of the hot path reach the driver directly


@contextmanager
def engine_of(url):
    engine = open_engine(make_url(url), writes=True, pool_size=2)
    try:
        yield engine
    finally:
        engine.dispose()


def failing(engine, *statements, **parameters):
    def run():
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), parameters)

    with pytest.raises(DRIVERS) as refused:
        run()
    return refused.value


def expect(error, fault):
    assert classify(error) is fault, repr(error)
    words = describe(error)
    assert SECRET not in words
    assert "INSERT" not in words
    assert len(words) < 80
    return words


STAFF = (
    "INSERT INTO staff (id, name, login, state, created_at, version) VALUES (:id, '', :value, 'active', 0, 1)"
)


def test_unique_violation_is_a_conflict(hub_url):
    with engine_of(hub_url) as engine:
        with engine.begin() as connection:
            connection.execute(text(STAFF), {"id": 1, "value": SECRET})
        words = expect(failing(engine, STAFF, id=2, value=SECRET), Fault.CONFLICT)
        assert words in {"23505 uq_staff_login", "SQLITE_CONSTRAINT_UNIQUE"}
        expect(failing(engine, STAFF, id=1, value="other"), Fault.CONFLICT)


def test_check_and_null_and_trigger_are_faults_of_the_data(hub_url):
    member = "INSERT INTO membership (id, team_id, staff_id, share, opened_at) VALUES (1, 1, 1, 0, 0)"
    null = "INSERT INTO staff (id, login, state, created_at, version) VALUES (1, :value, 'active', 0, 1)"
    with engine_of(hub_url) as engine:
        assert "share_positive" in expect(failing(engine, member, value=SECRET), Fault.DATA) or (
            hub_url.startswith("sqlite")
        )
        expect(failing(engine, null, value=SECRET), Fault.DATA)


def test_too_long_and_wrong_encoding_are_faults_of_the_data(postgres_url):
    with engine_of(postgres_url) as engine:
        expect(failing(engine, STAFF, id=1, value=SECRET * 100), Fault.DATA)
        error = failing(engine, STAFF, id=1, value=SECRET + "\x00")
        assert classify(error) is Fault.DATA
        assert SECRET not in describe(error)


def test_a_mistake_of_ours_is_a_bug(hub_url):
    with engine_of(hub_url) as engine:
        expect(failing(engine, "SELECT 1 FROM nowhere WHERE '1' = :value", value=SECRET), Fault.BUG)
    assert classify(ValueError(SECRET)) is Fault.BUG
    assert describe(ValueError(SECRET)) == "ValueError"


def test_busy_is_a_conflict(sqlite_url):
    file = sqlite_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as other, engine_of(sqlite_url) as engine:
        other.execute("BEGIN IMMEDIATE")
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA busy_timeout = 20")
            with pytest.raises(DRIVERS) as refused:
                connection.execute(text("SELECT 1"))
        other.execute("ROLLBACK")
        assert expect(refused.value, Fault.CONFLICT) == "SQLITE_BUSY"


def test_full_disk_is_unavailable(sqlite_url):
    with engine_of(sqlite_url) as engine, engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count = {pages + 2}")
        rows = [{"id": n, "value": f"{SECRET}{n}"} for n in range(1, 3_000)]
        with pytest.raises(DRIVERS) as refused:
            connection.execute(text(STAFF), rows)
        assert expect(refused.value, Fault.UNAVAILABLE) == "SQLITE_FULL"


def test_read_only_is_unavailable(hub_url):
    with engine_of(hub_url) as engine, engine.connect() as connection:
        if hub_url.startswith("sqlite"):
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA query_only = on")
        else:
            connection.execute(text("SET default_transaction_read_only = on"))
            connection.commit()
        with pytest.raises(DRIVERS) as refused:
            connection.execute(text(STAFF), {"id": 1, "value": SECRET})
        assert expect(refused.value, Fault.UNAVAILABLE) in {"SQLITE_READONLY", "25006"}


def test_killed_connection_is_unavailable(postgres_url, postgres_cluster):
    with engine_of(postgres_url) as engine, engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with postgres_cluster.connect() as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with pytest.raises(DRIVERS) as refused:
            connection.execute(text(STAFF), {"id": 1, "value": SECRET})
        assert classify(refused.value) is Fault.UNAVAILABLE


def test_server_that_is_not_there_is_unavailable():
    with engine_of("postgresql+psycopg://hub@127.0.0.1:9/none") as engine:
        with pytest.raises(DRIVERS) as refused, engine.connect():
            pass
        assert classify(refused.value) is Fault.UNAVAILABLE


def test_deadlock_is_a_conflict(postgres_url):
    plain = postgres_url.replace("+psycopg", "")
    lock = "SELECT pg_advisory_xact_lock(%s)"
    with psycopg.connect(plain) as one, engine_of(postgres_url) as engine, engine.connect() as two:
        one.execute(lock, (1,))
        two.execute(text("SET deadlock_timeout = '20ms'"))
        two.execute(text("SELECT pg_advisory_xact_lock(2)"))
        pipelined = one.cursor()
        one.pgconn.send_query(b"SELECT pg_advisory_xact_lock(2)")
        with pytest.raises(DRIVERS) as refused:
            two.execute(text("SELECT pg_advisory_xact_lock(1)"))
        assert classify(refused.value) is Fault.CONFLICT
        assert describe(refused.value) == "40P01"
        two.rollback()
        pipelined.close()
        one.close()
