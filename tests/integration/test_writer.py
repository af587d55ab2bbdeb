"""The group commit: what one bad item, a conflict, a full queue and a full disk do to the others."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import insert, text

from hub.db import writer
from hub.db.tables import counter
from hub.intake.model import KeyReused
from hub.kernel.errors import Unavailable
from hub.sdk.messages import OutcomeKind
from tests.integration import ledger_audit
from tests.integration.desk import Desk


@pytest.fixture
def desk(hub_url, tmp_path):
    opened = Desk(hub_url, tmp_path)
    yield opened
    opened.close()


def test_batch_is_dealt_evenly_and_answered_in_order(desk):
    outcomes = [f.result(20) for f in desk.put_together([desk.item(n) for n in range(200)])]
    assert desk.db.writer.longest_wait_s < 20
    stored = desk.rows("SELECT d.external_id, d.request_id FROM delivery d ORDER BY d.id")
    assert [(f"key:{n}", int(o.request_id)) for n, o in enumerate(outcomes)] == stored
    counts = [row[0] for row in desk.rows("SELECT count(*) FROM task GROUP BY assignee_id")]
    assert sorted(counts) == [66, 67, 67]
    assert ledger_audit.problems(desk.url) == []


def test_one_correlation_id_leads_from_a_delivery_to_the_notice_about_it(desk):
    [future] = desk.put([desk.item(1)])
    request_id = int(future.result(20).request_id)
    [(correlation_id,)] = desk.rows("SELECT correlation_id FROM delivery")
    for table, key in (("request", "id"), ("task", "request_id")):
        assert desk.rows(f"SELECT {key}, correlation_id FROM {table}") == [(request_id, correlation_id)]
    [(task_id,)] = desk.rows("SELECT id FROM task")
    assert desk.rows(f"SELECT correlation_id FROM ledger WHERE task_id = {task_id}") == [(correlation_id,)]
    [(payload, noticed)] = desk.rows(
        "SELECT payload, correlation_id FROM outbox WHERE kind = 'task_assigned'"
    )
    assert str(task_id) in payload
    assert noticed == correlation_id


def test_rows_go_with_the_commit_and_what_refuses_them_there_is_found_alone(desk):
    """On PostgreSQL an insert is refused no sooner than with the COMMIT: nothing of it may be left behind."""
    desk.refuse("poison")
    [future] = desk.put([desk.item(1, "poison")])
    assert future.result(20).kind is OutcomeKind.PENDING
    [future] = desk.put([desk.item(2)])
    assert future.result(20).kind is OutcomeKind.ACCEPTED
    assert desk.rows("SELECT count(*) FROM delivery") == [(2,)]
    assert desk.rows("SELECT count(*) FROM contact") == [(1,)]
    assert ledger_audit.problems(desk.url) == []


def test_poisoned_item_fails_alone(desk):
    desk.refuse("poison")
    items = [desk.item(n, "poison" if n == 137 else "") for n in range(200)]
    outcomes = [f.result(30) for f in desk.put_together(items)]
    assert [n for n, o in enumerate(outcomes) if o.kind is not OutcomeKind.ACCEPTED] == [137]
    assert outcomes[137].kind is OutcomeKind.PENDING
    [(key, reason, next_try, body)] = desk.rows(
        "SELECT d.external_id, d.reason, d.next_try_at, b.body FROM delivery d JOIN delivery_body b "
        "ON b.delivery_id = d.id WHERE d.state = 'failed'"
    )
    assert (key, bytes(body)) == ("key:137", b"poison")
    assert next_try is not None
    assert "poison" not in reason.replace("refuse_poison", "")
    assert reason in {"23514 refuse_poison", "SQLITE_CONSTRAINT_TRIGGER"}
    assert desk.rows("SELECT count(*) FROM task") == [(199,)]
    assert desk.rows("SELECT stored, repeated FROM account WHERE name = 'form'") == [(200, 0)]
    assert ledger_audit.problems(desk.url) == []
    assert repr(desk.put([items[137]])[0].result(10)).count("PENDING") == 1  # a repeat hears the same


def test_halving_keeps_the_order_of_arrival(desk):
    """One person's texts, with a bad one between: the last good one is the joining request."""
    desk.refuse("poison")
    items = [desk.item(5, word, f"k{n}") for n, word in enumerate(["a", "b", "poison", "c", "d"])]
    outcomes = [f.result(20) for f in desk.put_together(items)]
    requests = desk.rows("SELECT id, subject, joining FROM request ORDER BY id")
    assert [row[1] for row in requests] == ["a", "b", "c", "d"]
    assert [bool(row[2]) for row in requests] == [False, False, False, True]
    assert [o.request_id for o in outcomes if o.request_id] == [str(row[0]) for row in requests]


def test_many_poisoned_items_harm_nobody_else(desk):
    desk.refuse("poison")
    bad = {0, 1, 50, 98, 99}
    items = [desk.item(n, "poison" if n in bad else "") for n in range(100)]
    outcomes = [f.result(30) for f in desk.put_together(items)]
    assert {n for n, o in enumerate(outcomes) if o.kind is OutcomeKind.PENDING} == bad
    assert desk.rows("SELECT state, count(*) FROM delivery GROUP BY state ORDER BY state") == [
        ("failed", 5), ("stored", 95),
    ]  # fmt: skip
    assert ledger_audit.problems(desk.url) == []


def test_half_a_batch_is_never_seen(desk):
    """Readers look all the time while batches with a bad item in them are written and halved."""
    desk.refuse("poison")
    stop, odd = threading.Event(), []

    def look():
        while not stop.is_set():
            [seen] = desk.rows(
                "SELECT (SELECT count(*) FROM delivery WHERE state = 'stored'), (SELECT count(*) FROM request), "
                "(SELECT count(*) FROM task), (SELECT count(*) FROM message), (SELECT max(seq) FROM ledger_head)"
            )
            if len(set(seen)) != 1:
                odd.append(seen)

    with ThreadPoolExecutor(2) as pool:
        looking = [pool.submit(look) for _ in range(2)]
        for batch in range(5):
            first = batch * 40
            items = [desk.item(n, "poison" if n == first + 17 else "") for n in range(first, first + 40)]
            for future in desk.put_together(items):
                future.result(20)
        stop.set()
        for one in looking:
            one.result(10)
    assert odd == []


def test_repeats_inside_a_batch_get_the_first_answer(desk):
    items = [desk.item(1) for _ in range(20)]
    outcomes = [f.result(10) for f in desk.put_together(items)]
    assert len({o.request_id for o in outcomes}) == 1
    assert [o.repeated for o in outcomes] == [False] + [True] * 19
    assert desk.rows("SELECT stored, repeated FROM account WHERE name = 'form'") == [(1, 19)]
    assert desk.rows("SELECT repeats FROM delivery") == [(19,)]


def test_same_key_with_another_body_is_told(desk):
    from dataclasses import replace

    first, second = desk.item(1), replace(desk.item(1), digest="another")
    results = [f.result(10) for f in desk.put_together([first, second])]
    assert isinstance(results[1], KeyReused)
    assert isinstance(desk.put([second])[0].result(10), KeyReused)
    assert desk.rows("SELECT count(*) FROM delivery") == [(1,)]


def conflicting(times):
    """A function that meets a unique violation so many times, then succeeds."""
    calls = []

    def run(tx):
        calls.append(tx.correlation_id)
        tx.execute(insert(counter).values(name="own", value=len(calls)))
        if len(calls) <= times:
            tx.execute(insert(counter).values(name="taken", value=1))
        return len(calls)

    return run, calls


def test_write_is_repeated_after_a_conflict(desk):
    desk.db.write_now(lambda tx: tx.execute(insert(counter).values(name="taken", value=0)) and None)
    run, calls = conflicting(2)
    assert desk.db.write_now(run) == 3
    assert len(set(calls)) == 3
    assert desk.rows("SELECT value FROM counter WHERE name = 'own'") == [(3,)]
    run, calls = conflicting(99)
    with pytest.raises(Exception, match=r"(?i)unique"):
        desk.db.write_now(run)
    assert len(calls) == writer.RETRIES + 1


def test_batch_is_repeated_whole_after_a_conflict(desk, monkeypatch):
    """Another process stores the same key between our look-up and our insert."""
    from hub.intake import snapshot

    sizes: list[int] = []
    clash: list[int] = []
    plain = snapshot.read

    def read(tx, items):
        sizes.append(len(items))
        known = plain(tx, items)
        if not clash:
            clash.append(1)
            other = known.deliveries  # what the look-up gave is stale by now
            tx.execute(
                text(
                    "INSERT INTO delivery (id, external_id, account, digest, state, attempts, repeats, received_at, "
                    "correlation_id) VALUES (1, 'key:3', 'form', 'd', 'stored', 1, 0, 0, 1)"
                )
            )
            assert not other
        return known

    monkeypatch.setattr(snapshot, "read", read)
    outcomes = [f.result(10) for f in desk.put_together([desk.item(n) for n in range(10)])]
    assert sizes == [10, 10]
    assert all(o.kind is OutcomeKind.ACCEPTED for o in outcomes)
    assert ledger_audit.problems(desk.url) == []


def test_item_that_collides_to_the_end_gets_the_stored_answer(desk, monkeypatch):
    [first] = [f.result(10) for f in desk.put([desk.item(1)])]
    from hub.intake import snapshot

    plain = snapshot.read

    def blind(tx, items):
        known = plain(tx, items)
        known.deliveries.clear()
        return known

    monkeypatch.setattr(snapshot, "read", blind)
    [again] = [f.result(20) for f in desk.put([desk.item(1)])]
    assert again.request_id == first.request_id
    assert desk.rows("SELECT count(*) FROM request") == [(1,)]


def test_queue_is_bounded_in_items(desk, monkeypatch):
    monkeypatch.setattr(writer, "MAX_QUEUED_ITEMS", 51)
    with desk.held():
        futures = desk.put([desk.item(n) for n in range(70)])
        refused = [f for f in futures if f.done()]
        assert len(refused) == 20
        assert all(isinstance(f.exception(), Unavailable) for f in refused)
    done = [f for f in futures if f not in refused]
    assert all(f.result(10).kind is OutcomeKind.ACCEPTED for f in done)
    assert desk.rows("SELECT count(*) FROM delivery") == [(50,)]
    assert desk.db.writer.queued == 0


def test_queue_is_bounded_in_bytes(desk, monkeypatch):
    monkeypatch.setattr(writer, "MAX_QUEUED_BYTES", 10_000)
    with desk.held():
        futures = desk.put([desk.item(n, "x" * 2_000) for n in range(10)])
        assert len([f for f in futures if f.done()]) == 6
    for future in futures:
        future.exception(10)
    assert desk.put([desk.item(99)])[0].result(10).kind is OutcomeKind.ACCEPTED


def test_stop_finishes_what_is_queued(hub_url, tmp_path):
    opened = Desk(hub_url, tmp_path)
    with opened.held():
        futures = opened.put([opened.item(n) for n in range(500)])
        closing = threading.Thread(target=opened.close)
        closing.start()
        time.sleep(0.05)
    closing.join(20)
    assert not closing.is_alive()
    assert all(f.result(0).kind is OutcomeKind.ACCEPTED for f in futures)
    late: Future[object] = opened.put([opened.item(1_000)])[0]
    assert isinstance(late.exception(1), Unavailable)


def limit_pages(desk, more):
    """The database file may grow by so many pages only, on every connection of the writer."""
    from sqlalchemy import event

    pages = desk.rows("PRAGMA page_count")[0][0] + more

    def limit(connection):
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def on_begin(connection):
        limit(connection.connection.driver_connection)

    event.listen(desk.db._writes, "begin", on_begin)

    def lift():
        event.remove(desk.db._writes, "begin", on_begin)
        event.listen(
            desk.db._writes,
            "begin",
            lambda connection: connection.connection.driver_connection.execute(
                "PRAGMA max_page_count = 1000000000"
            ),
        )

    return lift


def test_full_disk_acknowledges_nothing_and_heals(sqlite_url, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "PATIENCE_S", 0.6)
    desk = Desk(sqlite_url, tmp_path)
    lift = limit_pages(desk, 4)
    futures = desk.put_together([desk.item(n, f"{n} " * 2_000) for n in range(40)])
    errors = [f.exception(20) for f in futures]
    assert all(isinstance(error, Unavailable) for error in errors)
    assert desk.rows("SELECT count(*) FROM delivery") == [(0,)]
    assert desk.rows("SELECT count(*) FROM task") == [(0,)]
    lift()
    deadline = time.monotonic() + 10
    while desk.db.writer.down is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    again = [f.result(20) for f in desk.put_together([desk.item(n) for n in range(40)])]
    assert all(o.kind is OutcomeKind.ACCEPTED for o in again)
    assert desk.rows("SELECT count(*) FROM delivery") == [(40,)]
    assert ledger_audit.problems(desk.url) == []
    desk.close()
