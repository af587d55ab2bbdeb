"""The list of parcels on both databases: concerns, order, pages, counters; and along which index SQLite walks."""

import pytest
from sqlalchemy import insert, text, update

from hub.db import tables as t
from hub.kernel.clock import DAY
from hub.kernel.errors import InputRejected
from hub.shipments import joining, listing
from hub.shipments.listing import Concern, Wanted

WALKS = {
    Concern.WAITING: "ix_shipment_waiting",
    Concern.STORAGE: "ix_shipment_storage",
    Concern.MONEY: "ix_shipment_money_due",
    Concern.RETURNING: "ix_shipment_status",
    Concern.SILENT: "ix_shipment_phase",
    Concern.UNKNOWN: "ix_observation_unknown",
    Concern.LOOSE: "ix_shipment_loose",
}


def parcel(world, order_id=None, number="", **values):
    def write(tx):
        made = joining.follow_loose(tx, world.admin, "np", "nova_poshta", number or f"2045{tx.new_id()}")
        tx.execute(update(t.shipment).where(t.shipment.c.id == made.id).values(order_id=order_id, **values))
        return made.id

    return world.write(write)


def found(world, **wanted):
    now = world.clock.now()
    pages, cursor = [], ""
    while True:
        page = world.db.read_now(lambda conn, at=cursor: listing.find(conn, Wanted(cursor=at, **wanted), now))
        pages += [row.id for row in page.items]
        if page.further is None:
            return pages
        cursor = page.further


def test_concerns_counters_and_pages_on_both_databases(both_worlds):
    world = both_worlds
    order, now = world.order(world.worker("Olena")), world.clock.now()
    days = [4, 9, 5, 9]
    waiting = [parcel(world, order.id, status="arrived", happened_at=now - d * DAY) for d in days]
    young = parcel(world, order.id, status="arrived", happened_at=now - 1 * DAY, paid_storage_at=now + DAY)
    paid = parcel(world, order.id, status="delivered", money_status="paid_out", final=True)
    due = parcel(world, order.id, status="delivered", money_status="collected")
    back = [parcel(world, order.id, status=one) for one in ("refused", "returning")]
    silent = parcel(world, order.id, status="in_transit", phase="silent")
    loose = parcel(world)
    odd = parcel(world, order.id, status="in_transit", raw_code="999")
    for shipment_id, code in ((odd, "999"), (silent, "998")):
        seen = {
            "shipment_id": shipment_id,
            "status": "unknown",
            "raw_code": code,
            "raw_text": "",
            "place": "",
        }
        world.write(
            lambda tx, told=seen: tx.execute(
                insert(t.observation).values(
                    id=tx.new_id(), identity=told["raw_code"], event="e", facts="{}", first_seen_at=1, **told
                )
            )
        )  # fmt: skip
    longest_first = [waiting[1], waiting[3], waiting[2], waiting[0]]
    assert found(world, concern=Concern.WAITING, limit=2) == longest_first
    assert found(world, concern=Concern.WAITING, days=8) == longest_first[:2]
    expected = {
        Concern.STORAGE: [young], Concern.MONEY: [due], Concern.RETURNING: back[::-1], Concern.SILENT: [silent],
        Concern.LOOSE: [loose], Concern.UNKNOWN: [odd],
    }  # fmt: skip
    for concern, ids in expected.items():
        assert found(world, concern=concern) == ids, concern
    counted = world.db.read_now(lambda conn: listing.counters(conn, now))
    assert counted == {Concern.WAITING: 4, **{concern: len(ids) for concern, ids in expected.items()}}
    mine = [*waiting, young, paid, due, *back, silent, odd]
    assert found(world, responsible_id=order.responsible_id, limit=3) == mine[::-1]
    assert found(world, text=f"#{order.number}") == mine[::-1]
    assert found(world, limit=4) == sorted([*mine, loose], reverse=True)
    assert found(world, concern=Concern.WAITING, responsible_id=1) == []


@pytest.mark.parametrize("concern", Concern)
def test_a_concern_walks_along_its_own_index(world, concern):
    now = world.clock.now()

    def plan(conn):
        query = listing.filtered(Wanted(concern=concern), now).limit(51)
        sql = query.compile(dialect=conn.dialect, compile_kwargs={"literal_binds": True})
        return " ".join(str(row.detail) for row in conn.execute(text(f"EXPLAIN QUERY PLAN {sql}")))

    walked = world.db.read_now(plan)
    assert WALKS[concern] in walked
    assert "SCAN shipment USING INDEX" in walked or "SCAN shipment" not in walked


@pytest.mark.parametrize(
    ("concern", "cursor"), [(None, "x"), (None, "1.2"), (Concern.WAITING, "5"), (None, "9" * 19)]
)
def test_a_cursor_of_another_list_is_refused(world, concern, cursor):
    with pytest.raises(InputRejected, match="no cursor"):
        world.db.read_now(
            lambda conn: listing.find(conn, Wanted(concern=concern, cursor=cursor), world.clock.now())
        )


def test_a_delivered_parcel_that_joins_takes_its_order_along(world):
    from hub.orders import store as orders

    order = world.order(world.worker("Olena"))
    made = parcel(world, status="delivered")
    world.write(joining.join, world.admin, made, order.id)
    assert world.read(orders.get, order.id).stage == "delivered"
