"""Look-ups go by their index on a fresh PostgreSQL, before anything was analysed (core-prototype, pitfall 2)."""

import pytest
from sqlalchemy import make_url

from hub.db.engine import open_engine
from hub.db.rows import DeliveryRow, IdentityRow, MessageRow, RequestRow
from hub.db.tables import delivery, identity, message, request
from hub.intake import commit, snapshot

ROWS = 10_000
KEYS = 64


LOOKUPS = {
    "delivery": (snapshot._DELIVERIES, "key:{}"),
    "message": (snapshot._MESSAGES, "m:{}"),
    "identity": (snapshot._IDENTITIES, "+{}"),
    "open_request": (snapshot._OPEN, "{}"),
    "outcome_by_key": (commit._BY_KEY, "key:{}"),
    "outcome_by_id": (commit._BY_ID, "{}"),
}
WANTED = [n * 150 for n in range(1, KEYS + 1)]


def call(name):
    lookup, key = LOOKUPS[name]
    kind = "bigint[]" if "bigint" in lookup._postgresql else "text[]"
    values = ",".join(f"'{key.format(n)}'" for n in WANTED)
    return f"EXECUTE {name}(ARRAY[{values}]::{kind})"


@pytest.fixture(params=["prepared while empty", "prepared when full"])
def full(request, postgres_url, open_database):
    """10,000 deliveries of one account, autovacuum kept away; a connection such as the writer's.

    A new installation prepares its look-ups on empty tables, and PostgreSQL keeps the plan of that moment.
    """
    engine = open_engine(make_url(postgres_url), writes=True, pool_size=1)
    with engine.connect() as pooled:
        connection = pooled.connection.driver_connection
        assert connection is not None
        connection.autocommit = True
        for table in ("delivery", "identity", "message", "request"):
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        if request.param == "prepared while empty":
            prepare(connection)
        db = open_database(postgres_url)
        for at in range(0, ROWS, 1_000):
            db.write_now(lambda tx, at=at: fill(tx, at))
        if request.param == "prepared when full":
            prepare(connection)
        yield connection
        connection.autocommit = False
    engine.dispose()


def prepare(connection):
    for name, (lookup, _key) in LOOKUPS.items():
        statement = lookup._postgresql.replace("%s", "$1")
        connection.execute(f"PREPARE {name} AS {statement}")
        for _ in range(7):  # from the sixth on PostgreSQL may take the generic plan
            connection.execute(call(name))


def fill(tx, first):
    numbers = range(first, first + 1_000)
    tx.insert(
        {
            delivery: [
                DeliveryRow(n + 1, f"key:{n}", "form", "d", "stored", n + 1, None, None, 1, 0, 0, None, 1)
                for n in numbers
            ],
            identity: [IdentityRow(value=f"+{n}", kind="phone", contact_id=n + 1, created_at=0) for n in numbers],
            message: [
                MessageRow(n + 1, f"m:{n}", "form", n + 1, n + 1, n + 1, "in", None, "", "{}", None, 0, "received")
                for n in numbers
            ],
            request: [
                RequestRow(
                    n + 1, 1, n + 1, "form", "open", True, "s", "{}", None, "k", 0, 0, 0, None, None, None, None,
                    None, None, None, None, "intake", 1, 0,
                )
                for n in numbers
            ],
        }
    )  # fmt: skip


def test_lookups_read_their_index_only(full):
    for name in LOOKUPS:
        assert len(full.execute(call(name)).fetchall()) == KEYS
        [(plans,)] = full.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {call(name)}").fetchall()
        plan = plans[0]["Plan"]
        assert scans(plan) <= {"Index Scan", "Bitmap Heap Scan", "Bitmap Index Scan"}, (name, plan)
        assert removed(plan) == 0, (name, plan)
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < KEYS * 8, (name, plan)


def nodes(plan):
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def scans(plan):
    return {node["Node Type"] for node in nodes(plan) if "Scan" in node["Node Type"]}


def removed(plan):
    return sum(node.get("Rows Removed by Filter", 0) for node in nodes(plan))
