"""The copies that `python -m tests.benchmarks growth` measures on are whole: every row has what it refers to."""

import pytest
from sqlalchemy import text

from tests.benchmarks import crowd
from tests.integration.desk import Desk


@pytest.fixture
def desk(hub_url, tmp_path):
    opened = Desk(hub_url, tmp_path)
    yield opened
    opened.close()


def test_each_copy_is_whole_older_and_finished(desk):
    for future in desk.put_together([desk.item(n) for n in range(5)]):
        future.result(20)
    tables = ("delivery", "request", "contact", "message", "task", "journal")
    last = max(desk.rows(f"SELECT max(id) FROM {table}")[0][0] for table in tables)
    [future] = desk.put([desk.item(9)])  # came later: it is not copied
    future.result(20)

    def multiply(tx):  # with the foreign keys watching, which the benchmark itself switches off
        for table in crowd._COPIED:
            tx.execute(text(crowd.copy_of(table.name, last, 1, 4).replace(":", "\\:")))

    desk.db.write_now(multiply)
    for table in ("contact", "identity", "delivery", "delivery_body", "request", "message", "task"):
        assert desk.rows(f"SELECT count(*) FROM {table}") == [(21,)], table
    assert desk.rows("SELECT state, count(*) FROM task GROUP BY state ORDER BY state") == [
        ("assigned", 6),
        ("done", 15),
    ]
    assert desk.rows(
        "SELECT count(*) FROM task t JOIN request r ON r.id = t.request_id JOIN contact c ON c.id = r.contact_id "
        "JOIN identity i ON i.contact_id = c.id JOIN message m ON m.request_id = r.id "
        "JOIN delivery d ON d.id = m.delivery_id AND d.task_id = t.id JOIN delivery_body b ON b.delivery_id = d.id"
    ) == [(21,)]
    assert desk.rows(f"SELECT count(*) FROM request WHERE id > {last - crowd.SHIFT // 2}") == [(6,)]
