"""Lists of a carrier: read from where they were read to, page by page, nothing lost and nothing doubled."""

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.accounts import store as accounts
from hub.contacts import store as contacts
from hub.contacts.model import PHONE, IdentityKey, Person
from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR, MINUTE, instant, moment, parse_rfc3339
from hub.orders.model import Payment
from hub.sdk.carrier import CarrierCapabilities
from hub.sdk.errors import AuthenticationFailed, PermanentFailure, TemporaryFailure, Throttled
from hub.sdk.tracking import (
    Changes,
    Document,
    Documents,
    Facts,
    MoneyStatus,
    Observation,
    Status,
    Tracked,
    Transfer,
    Transfers,
)
from hub.shipments import positions, service
from hub.shipments.lists import RHYTHM, Kind, offered, wait_of
from hub.shipments.planner import Hours
from tests.unit.shipments.post import NP, Post, Scripted

S, M = Status, MoneyStatus


class Listing(Scripted):
    """Answers lists from pages that the test wrote down; remembers what it was asked."""

    def __init__(self, *kinds):
        super().__init__()
        self.capabilities = CarrierCapabilities(
            batch_size=100, calls_per_minute=1_000,
            lists_changes=Kind.CHANGES in kinds, lists_documents=Kind.DOCUMENTS in kinds,
            lists_transfers=Kind.TRANSFERS in kinds,
        )  # fmt: skip
        self.pages = {}
        self.by_kind = {}
        self.asked = []

    async def changes(self, since, until, page):
        self.asked.append((since, until, page))
        return self._say(page, Changes)

    async def documents(self, since, page):
        self.asked.append((since, None, page))
        return self._say(page, Documents)

    async def transfers(self, since, page):
        self.asked.append((since, None, page))
        return self._say(page, Transfers)

    def _say(self, page, empty):
        said = self.pages.get(page) or self.by_kind.get(empty) or empty()
        if isinstance(said, Exception):
            raise said
        return said


class Listed(Post):
    def __init__(self, world, *kinds):
        super().__init__(world)
        self.listing = Listing(*kinds)
        self.carrier = self.carriers[NP] = self.listing

    def read(self, later=0):
        self.world.clock.move(later)
        return asyncio.run(self.poller.lists.run_due())

    def position(self):
        (row,) = self.world.rows(t.carrier_list)
        return row


def moved(number, status, minutes=0, **facts):
    at = moment(instant(moment(0))) + timedelta(minutes=minutes)
    seen = Observation(status=status, raw_code=f"{status}{minutes}", clock=at, facts=Facts(**facts))
    return Tracked(number=number, observations=(seen,))


@pytest.fixture
def changes(world):
    return Listed(world, Kind.CHANGES)


@pytest.fixture
def documents(world):
    return Listed(world, Kind.DOCUMENTS)


@pytest.fixture
def transfers(world):
    return Listed(world, Kind.TRANSFERS)


@pytest.fixture(autouse=True)
def all_is_well_in_the_end(world):
    yield
    assert world.findings() == []


# --- what changed --------------------------------------------------------------------------------------


def test_changes_move_the_parcels_that_are_followed_and_no_others(changes):
    row = changes.parcel("1111")
    changes.carrier.pages[""] = Changes(
        tracked=(moved("1111", S.CREATED, 1), moved("1111", S.IN_TRANSIT, 2), moved("9999", S.DELIVERED))
    )
    assert changes.read() == 1
    assert changes.again(row).status == "in_transit"
    assert [r.number for r in changes.world.rows(t.shipment)] == ["1111"]
    assert len(changes.world.rows(t.observation)) == 2
    assert changes.again(row).next_poll_at - changes.world.clock.now() > 10 * HOUR


def test_the_next_list_begins_a_little_before_the_end_of_the_last(changes):
    begun = changes.world.clock.now()
    changes.read()
    assert changes.position().reached_at == begun
    assert changes.read(MINUTE) == 0, "not due yet"
    changes.read(20 * MINUTE)
    (first, _, _), (second, until, _) = changes.carrier.asked
    assert instant(first) == begun - 2 * HOUR - 10 * MINUTE
    assert instant(second) == begun - 10 * MINUTE
    assert instant(until) == changes.world.clock.now()


@pytest.mark.parametrize(
    ("now", "wait"),
    [
        ("2026-03-02T12:00:00+02:00", 13), ("2026-03-02T23:00:00+02:00", 50), ("2026-03-03T06:20:00+02:00", 25),
        ("2026-03-03T06:44:50+02:00", 1), ("2026-03-03T06:45:00+02:00", 13),
    ],
)  # fmt: skip
def test_the_day_begins_with_a_fresh_list(now, wait):
    at = parse_rfc3339(now)
    assert wait_of(RHYTHM[Kind.CHANGES], at, Hours.at(at, ZoneInfo("Europe/Kyiv"))) == wait * MINUTE


def test_pages_are_read_to_the_end_and_the_position_moves_with_the_last_one(changes):
    row = changes.parcel("1111")
    changes.carrier.pages = {
        "": Changes(tracked=(moved("1111", S.CREATED, 1),), next_page="b"),
        "b": TemporaryFailure("HTTP 503"),
    }
    before = changes.world.clock.now()
    changes.read()
    assert changes.again(row).status == "created", "what was read is kept"
    stopped = changes.position()
    assert (stopped.reached_at, stopped.problem) == (before - 2 * HOUR, "HTTP 503")
    changes.carrier.pages["b"] = Changes(tracked=(moved("1111", S.ARRIVED, 2),))
    assert changes.read(11 * MINUTE) == 2
    assert changes.again(row).status == "arrived"
    assert len(changes.world.rows(t.observation)) == 2, "nothing is doubled"
    assert changes.position().problem is None


def test_a_span_that_the_carrier_cuts_is_read_on_at_once(changes):
    now = changes.world.clock.now()
    changes.carrier.pages[""] = Changes(until=moment(now - HOUR))
    changes.read()
    assert changes.position().reached_at == now - HOUR
    changes.carrier.pages[""] = Changes()
    assert changes.read() == 1
    assert changes.position().reached_at == now


def test_a_list_that_goes_nowhere_is_not_asked_for_again_at_once(changes):
    now = changes.world.clock.now()
    changes.carrier.pages[""] = Changes(until=moment(now - 5 * HOUR))
    changes.read()
    assert changes.position().reached_at == now - 2 * HOUR
    assert changes.read(MINUTE) == 0


def test_whoever_died_while_reading_leaves_the_list_to_the_next_one(changes):
    row = changes.parcel("1111")
    mine = changes.world.write(positions.take, NP, "changes", 2 * HOUR, 3 * MINUTE)
    assert changes.read() == 0
    changes.carrier.pages[""] = Changes(tracked=(moved("1111", S.ARRIVED),))
    assert changes.read(4 * MINUTE) == 1
    assert changes.again(row).status == "arrived"
    reached = changes.position().reached_at
    changes.world.write(positions.move, mine, 5, 5)
    assert changes.world.write(positions.renew, mine, MINUTE) is None
    assert changes.position().reached_at == reached, "the dead one's position counts no more"


# --- failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state", "again"),
    [
        (Throttled("slow", retry_after_s=30), "active", 90_000),
        (AuthenticationFailed("the key is refused"), "stopped", None),
        (PermanentFailure("this carrier lists no changes"), "active", 7 * HOUR),
        (RuntimeError("+380671234567"), "active", 11 * MINUTE),
    ],
)
def test_a_failing_list_is_a_matter_of_its_account(changes, error, state, again):
    changes.carrier.pages[""] = error
    changes.read()
    assert changes.world.read(accounts.get, "carrier", NP).state == state
    assert "380" not in (changes.position().problem or "")
    assert changes.read(1_000) == 0
    changes.carrier.pages = {}
    if again is None:
        assert changes.read(DAY) == 0
        changes.world.write(accounts.resume, "carrier", NP)
        again = 0
    assert changes.read(again) == 1


def test_lists_are_read_out_of_the_accounts_budget(changes):
    changes.carrier.capabilities = CarrierCapabilities(calls_per_minute=1, lists_changes=True)
    changes.parcel("1111")
    assert changes.poll() == 1
    assert changes.read() == 1, "it tried"
    assert changes.carrier.asked == []
    assert changes.read(62_000) == 1
    assert len(changes.carrier.asked) == 1


def test_a_carrier_without_lists_is_not_asked_for_any(world):
    post = Post(world)
    assert asyncio.run(post.poller.lists.run_due()) == 0
    assert offered(CarrierCapabilities(lists_documents=True)) == [Kind.DOCUMENTS]


# --- waybills ------------------------------------------------------------------------------------------


def document(number, **values):
    return Document(number=number, **values)


def test_a_found_waybill_is_proposed_for_the_order_that_it_names(documents):
    order = documents.world.order(documents.seller)
    pages = (document("5900", order_reference=f"№ {order.number}", cod_expected=50_000), document("5901"))
    documents.carrier.pages[""] = Documents(documents=pages)
    documents.read()
    assert [(r.number, r.order_id, r.why, r.cod_minor) for r in documents.world.rows(t.found_waybill)] == [
        ("5900", order.id, "reference", 50_000),
        ("5901", None, "", None),
    ]
    assert documents.world.rows(t.shipment) == [], "a proposal, nothing more"


def test_a_telephone_proposes_the_only_order_without_a_parcel(documents):
    world = documents.world
    person = Person("Ганна", "", None, (IdentityKey(PHONE, "+380671112233"),))
    customer = world.write(contacts.find_or_add, person)
    first = world.order(documents.seller, contact_id=customer)
    second = world.order(documents.seller, contact_id=customer)
    documents.carrier.pages[""] = Documents(documents=(document("5900", phone="0671112233"),))
    documents.read()
    assert world.rows(t.found_waybill)[0].order_id is None, "two orders wait: nobody guesses"
    documents.parcel("1111", order=first)
    documents.carrier.pages[""] = Documents(documents=(document("5902", phone="0671112233"),))
    documents.read(HOUR)
    assert [(r.number, r.order_id, r.why) for r in world.rows(t.found_waybill)][1:] == [
        ("5902", second.id, "phone")
    ]


def test_what_is_followed_decided_about_or_deleted_is_not_found_again(documents):
    documents.parcel("1111")
    pages = (document("1111"), document("2222"), document("3333", deleted=True), document("4444"))
    documents.carrier.pages[""] = Documents(documents=pages)
    documents.read()
    rows = {r.number: r for r in documents.world.rows(t.found_waybill)}
    assert set(rows) == {"2222", "4444"}
    decided = t.found_waybill.update().where(t.found_waybill.c.number == "2222").values(state="dismissed")
    documents.world.write(lambda tx: tx.execute(decided))
    documents.carrier.pages[""] = Documents(documents=(*pages[:3], document("4444", deleted=True)))
    documents.read(HOUR)
    assert [r.state for r in documents.world.rows(t.found_waybill)] == ["dismissed", "dismissed"]


# --- money ---------------------------------------------------------------------------------------------


def paid(number, amount, at=None):
    return Transfer(number=number, amount=amount, paid_out_at=at, transfer_id=f"t-{number}")


def test_n15_the_list_of_transfers_settles_the_money_line(transfers):
    row = transfers.parcel("1111", cod=True)
    transfers.says("1111", S.DELIVERED, money=M.UNKNOWN, hidden=True)
    transfers.poll()
    polled = transfers.again(row).polled_at
    transfers.carrier.pages[""] = Transfers(transfers=(paid("1111", 99_000), paid("7777", 1)))
    transfers.read(HOUR)
    now = transfers.again(row)
    assert (now.money_status, now.cod_collected_minor, now.final) == ("collected", 99_000, False)
    at = moment(transfers.world.clock.now())
    transfers.carrier.pages[""] = Transfers(transfers=(paid("1111", 99_000, at),))
    transfers.read(3 * HOUR)
    now = transfers.again(row)
    assert (now.status, now.money_status, now.cod_paid_out_minor) == ("delivered", "paid_out", 99_000)
    assert now.final
    assert now.raw_code == "delivered", "a transfer is no step of the parcel"
    assert now.polled_at == polled, "nobody asked where the parcel is"
    transfers.poll(DAY)
    assert transfers.again(row).money_status == "paid_out", (
        "the tracking, which knows less, takes nothing back"
    )
    assert transfers.world.rows(t.unknown_code) == []


def test_a_transfer_told_twice_is_one(transfers):
    transfers.parcel("1111", cod=True)
    at = moment(transfers.world.clock.now())
    transfers.carrier.pages[""] = Transfers(transfers=(paid("1111", 5, at), paid("1111", 5, at)))
    for _ in range(3):
        transfers.read(3 * HOUR)
    assert len(transfers.world.rows(t.observation)) == 1


def test_lists_behave_alike_on_both_databases(both_worlds):
    post = Listed(both_worlds, *Kind)
    order = both_worlds.order(post.seller, payment=Payment.COD)
    row = both_worlds.write(
        service.attach, post.seller.actor, order.id, NP, "scripted", "1111", "+380671234567"
    )
    post.listing.by_kind = {
        Changes: Changes(tracked=(moved("1111", S.DELIVERED),)),
        Documents: Documents(documents=(document("5900", order_reference=order.number, phone="0671112233"),)),
        Transfers: Transfers(transfers=(paid("1111", 7, moment(5_000)),)),
    }
    assert post.read() == 3
    assert (post.again(row).status, post.again(row).money_status) == ("delivered", "paid_out")
    assert [r.order_id for r in both_worlds.rows(t.found_waybill)] == [order.id]
    assert post.read(MINUTE) == 0
