"""`bulk_insert` gives back what was put in, and `bulk_update` what was changed, whatever the database."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hub.db.bulk import bulk_update
from hub.db.errors import Fault, classify
from hub.db.rows import ContactRow, DeliveryBodyRow, RequestRow
from hub.db.tables import contact, delivery_body, request
from hub.kernel import text

LARGEST = text.MAX_INT63
integers = st.integers(-LARGEST - 1, LARGEST)
any_text = st.text(st.characters(codec=None)) | st.sampled_from(
    [
        "\x00",
        "a\x00b",
        "\ud83d",
        "🧡\U0001f9ff",
        "\u0085\u2028",
        "\\u0000",
        "' -- ; $1 %s ?",
        '{"a":[1]}',
        "\r\n\x1f",
    ]
)
settled = st.builds(text.clean, any_text, st.just(200))
maybe = st.none() | integers


@st.composite
def contents(draw):
    body = DeliveryBodyRow(
        0, draw(settled), draw(settled), draw(settled), draw(settled), draw(settled),
        draw(st.none() | st.binary(max_size=2_000)), draw(st.none() | settled), draw(integers),
    )  # fmt: skip
    person = ContactRow(
        0, draw(settled), draw(settled), draw(settled), draw(st.none() | settled), draw(settled), draw(integers),
        draw(integers), draw(integers), draw(maybe),
    )  # fmt: skip
    asked = RequestRow(
        0, draw(integers), 0, draw(st.none() | settled), "open", draw(st.booleans()), draw(settled), "{}",
        None, draw(settled), draw(integers), 0, 0, draw(maybe), None, None, draw(st.none() | settled), None,
        draw(maybe), None, None, draw(settled), draw(integers), 0,
    )  # fmt: skip
    return body, person, asked


@given(drawn=st.lists(contents(), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_back_as_they_went_in(db, drawn):
    def write(tx):
        bodies, people, requests = [], [], []
        for body, person, asked in drawn:
            identifier = tx.new_id()
            bodies.append(body._replace(delivery_id=identifier))
            people.append(person._replace(id=identifier))
            requests.append(asked._replace(id=identifier, contact_id=identifier))
        tx.insert({contact: people, delivery_body: bodies, request: requests})
        return bodies, people, requests

    written = db.write_now(write)
    for table, rows in zip((delivery_body, contact, request), written, strict=True):
        key = next(iter(table.primary_key.columns))
        wanted = [row[0] for row in rows]
        query = select(table).where(key.in_(wanted)).order_by(key)
        assert [tuple(row) for row in db.read_now(lambda conn, q=query: conn.execute(q).all())] == sorted(
            tuple(row) for row in rows
        )


def test_tables_without_rows_cost_nothing(db):
    db.write_now(lambda tx: tx.insert({contact: [], request: []}))
    db.write_now(lambda tx: tx.insert({}))


@pytest.mark.parametrize("value", [1 << 63, "\ud83d"], ids=["64 bits", "half an emoji"])
def test_what_no_database_takes_is_a_fault_of_the_item(db, value):
    """Not of the connection: the batch is halved, nobody else waits."""
    row = ContactRow(1, "person", "", "", None, "", 0, 0)
    row = row._replace(created_at=value) if isinstance(value, int) else row._replace(name=value)
    with pytest.raises(Exception) as refused:  # noqa: PT011 - each driver has its own
        db.write_now(lambda tx: tx.insert({contact: [row]}))
    assert classify(refused.value) in {Fault.DATA, Fault.BUG}
    assert db.write_now(lambda tx: tx.insert({contact: [row._replace(created_at=0, name="x")]})) is None


def test_many_rows_are_updated_and_their_neighbours_left_alone(db):
    before = [ContactRow(n, "person", f"n{n}", "", None, "", n, n) for n in range(9_001, 9_201)]
    db.write_now(lambda tx: tx.insert({contact: before}))
    odd = ('it\'s "quoted", %s ? $1', None, LARGEST)
    changes = [(odd[0], odd[1], odd[2], n) for n in range(9_002, 9_201, 2)]
    db.write_now(lambda tx: bulk_update(tx.conn, contact, ("name", "language", "updated_at"), changes))
    db.write_now(lambda tx: bulk_update(tx.conn, contact, ("name",), []))
    query = select(contact.c.id, contact.c.name, contact.c.language, contact.c.updated_at)
    found = db.read_now(lambda c: list(c.execute(query.where(contact.c.id.between(9_001, 9_200)))))
    assert len(found) == 200
    for identifier, *values in found:
        untouched = [f"n{identifier}", None, identifier]
        assert values == (untouched if identifier % 2 else list(odd))


def test_true_and_false_are_updated(db):
    person = ContactRow(9_301, "person", "n", "", None, "", 0, 0)
    row = RequestRow(
        9_302, 0, 9_301, None, "open", False, "", "{}", None, "", 0, 0, 0, None, None, None, None, None, None,
        None, None, "test", 0, 0,
    )  # fmt: skip
    db.write_now(lambda tx: tx.insert({contact: [person], request: [row]}))
    query = select(request.c.joining).where(request.c.id == row.id)
    for value in (True, False):
        db.write_now(lambda tx, v=value: bulk_update(tx.conn, request, ("joining",), [(v, row.id)]))
        assert db.read_now(lambda c: c.execute(query).scalar()) is value
