"""Many numbers at once: what each line means, every problem before anything is written, all or nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from hub.contacts.model import PHONE, IdentityKey, Person
from hub.db.tables import shipment
from hub.kernel.errors import InputRejected
from hub.orders import service as orders
from hub.orders.model import NewOrder, Payment
from hub.sdk.carrier import Carrier
from hub.sdk.tracking import Likeness, Recognition
from hub.shipments import bulk, joining, store
from hub.shipments.bulk import Line, Shelf, Verdict


class Digits(Carrier):
    """Knows numbers of a length; a number that ends with 0 has a bad check digit."""

    def __init__(self, length, likeness=Likeness.SURE):
        self.length, self.likeness = length, likeness

    async def track(self, numbers):
        raise NotImplementedError  # only looked at here

    def looks_like(self, text: str) -> Recognition:
        if not (text.isdigit() and len(text) == self.length):
            return Recognition(likeness=Likeness.NO)
        warning = "the check digit does not fit" if text.endswith("0") else ""
        return Recognition(likeness=self.likeness, number=text, warning=warning)


SHELF = Shelf(
    {"np": Digits(14), "ukr": Digits(13), "meest": Digits(13, Likeness.PERHAPS), "third": Digits(9, Likeness.PERHAPS),
     "fourth": Digits(9, Likeness.PERHAPS)},
    {"np": "nova_poshta", "ukr": "ukrposhta", "meest": "meest", "third": "x", "fourth": "y"},
    {"np": "Nova Poshta"},
)  # fmt: skip
N1, N2, N3 = "20450812345671", "20450812345672", "20450812345673"


@pytest.fixture
def order(world):
    """Makes orders; gives (id, number)."""

    worker = world.worker("Olena")

    def make():
        who = Person("Lesia", "", None, (IdentityKey(PHONE, "+380677654321"),))
        new = NewOrder(contact_id=None, request_id=None, responsible_id=worker.id, payment=Payment.COD)
        row = world.write(orders.create, world.admin, new, who)
        return row.id, row.number

    return make


def looked(world, pasted, default=""):
    lines = bulk.read_pasted(pasted)
    return world.db.read_now(
        lambda conn: bulk.look(conn, lines, SHELF.hear(lines), world.clock.now(), default)
    )


def numbers(world):
    query = select(shipment.c.number, shipment.c.order_id).order_by(shipment.c.id)
    return world.db.read_now(lambda conn: [tuple(row) for row in conn.execute(query)])


def test_what_a_pasted_line_may_look_like(world, order):
    order_id, number = order()
    told = looked(
        world, f"{N1}\n\n{number} {N2}\n№{number} 2045 0812 3456 73\n{number};Nova Poshta;20450812345674\n"
        f"{number}\t20450812345675\n2045 0812 345676"
    )  # fmt: skip
    assert [one.verdict for one in told] == [Verdict.READY] * 6
    assert [one.line.at for one in told] == [1, 3, 4, 5, 6, 7]
    assert [one.number[-1] for one in told] == ["1", "2", "3", "4", "5", "6"]
    assert [one.order_id for one in told] == [None, order_id, order_id, order_id, order_id, None]
    assert {one.account for one in told} == {"np"}


@pytest.mark.parametrize(
    ("line", "verdict", "message"),
    [
        ("20450812345670", Verdict.WARNING, "check digit"),
        ("777 20450812345671", Verdict.PROBLEM, "no order 777"),
        ("777;;20450812345671", Verdict.PROBLEM, "no order 777"),
        (";dhl;20450812345671", Verdict.PROBLEM, "which carrier"),
        ("123456789", Verdict.PROBLEM, "fourth, third"),
        ("zz", Verdict.PROBLEM, "no waybill number"),
        ("ABCDEFGH", Verdict.PROBLEM, "no carrier's"),
        ("2,04508E+13", Verdict.PROBLEM, "shortened"),
        (";np;123456", Verdict.WARNING, "does not look like"),
        ("0500100123451", Verdict.READY, ""),
    ],
)
def test_every_problem_is_named_on_its_line(world, line, verdict, message):
    (one,) = looked(world, line)
    assert (one.verdict, message in one.message) == (verdict, True), one


def test_a_default_carrier_decides_where_the_number_does_not(world):
    assert looked(world, "123456789", "third")[0].account == "third"
    assert looked(world, N1, "third")[0].account == "np"


def test_doubles_are_named_in_the_paste_and_in_the_hub(world, order):
    (first_id, first), (_, second) = order(), order()
    world.write(joining.attach, world.admin, first_id, "np", "nova_poshta", N3, None)
    told = looked(world, f"{first} {N1}\n{first} {N1}\n{second} {N1}\n{first} {N3}\n{second} {N3}\n{N3}")
    assert [one.verdict for one in told] == ["ready", "present", "problem", "present", "problem", "present"]
    assert told[1].message == told[2].message == "the same number as line 1"
    assert told[3].message == "it is followed already"
    (only,) = looked(world, f"{second} {N3}")
    assert (only.verdict, f"order {first} has" in only.message) == (Verdict.PROBLEM, True)


def test_nothing_is_written_while_a_line_has_a_problem(world, order):
    _, number = order()
    lines = bulk.read_pasted(f"{number} {N1}\n777 {N2}\nABCDEFGH")
    with pytest.raises(InputRejected) as refused:
        world.write(bulk.add, world.admin, lines, SHELF.hear(lines))
    assert [p.path for p in refused.value.problems] == ["lines.2", "lines.3"]
    assert numbers(world) == []
    world.write(bulk.add, world.admin, lines, SHELF.hear(lines), skip_problems=True)
    assert [one for one, _ in numbers(world)] == [N1]


def test_the_same_lines_again_make_no_doubles_and_loose_ones_join_later(world, order):
    order_id, number = order()
    lines = bulk.read_pasted(f"{number} {N1}\n{N2}")
    for _ in range(2):
        world.write(bulk.add, world.admin, lines, SHELF.hear(lines))
    assert numbers(world) == [(N1, order_id), (N2, None)]
    lines = bulk.read_pasted(f"{number} {N2}")
    world.write(bulk.add, world.admin, lines, SHELF.hear(lines))
    assert numbers(world) == [(N1, order_id), (N2, order_id)]
    joined = world.db.read_now(lambda conn: store.of_order(conn, order_id))[1]
    assert (joined.cod, joined.money_status, joined.phone) == (True, "unknown", "+380677654321")


def test_tables_with_and_without_a_head():
    headed = [["Замовлення", "Коментар", "ТТН"], ["1001", "x", N1], ["", "", ""], ["", "", N2]]
    assert bulk.read_table(headed) == [Line(2, N1, "1001"), Line(4, N2)]
    assert bulk.read_table([["1001", N1, ""], [N2]]) == [Line(1, N1, "1001"), Line(2, N2)]
    assert bulk.read_table([["1001", "np", N1]]) == [Line(1, N1, "1001", "np")]


def test_too_many_lines_are_refused_before_anything_is_read():
    with pytest.raises(InputRejected, match="at most 1000"):
        bulk.read_pasted("\n".join([N1] * 1001))


def test_a_line_reads_back_as_it_was_pasted():
    for line in (Line(1, N1, "1001", "np"), Line(1, N1, "1001"), Line(1, N1), Line(1, N1, "", "np")):
        assert bulk.read_pasted(line.pasted()) == [line]


PASTED = st.text(st.sampled_from("0123456789 №#;\tAя-"), max_size=60)


@given(st.lists(PASTED, max_size=6), st.sampled_from(["", "np", "third"]))
@example(["77 2045 0812 3456 73"], "")
@example(["№1 ¼"], "np")
def test_all_that_is_asked_about_a_line_was_heard_before(pasted, default):
    """Looking calls no plugin: whatever a line reads like, its carriers were asked before."""
    lines = bulk.read_pasted("\n".join(pasted))
    heard = SHELF.hear(lines)
    for line in lines:
        for order_first in (bulk.split(line, _every, heard), bulk.split(line, _no, heard)):
            bulk._placed(order_first, heard, default)


def _every(_word):
    return True


def _no(_word):
    return False
