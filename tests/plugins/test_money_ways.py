"""The ways of the money end to end: emulator over HTTP, plugin, poller, database, order.

For each carrier with cash on delivery: what is expected, collected, paid out, how much less that is, and what
becomes of money that nobody pays. Where a carrier does not tell, it ends as `unknown` and a person is asked.
"""

import shutil
from zoneinfo import ZoneInfo

import orjson
import pytest

from hub.accounts import store as accounts
from hub.db import tables as t
from hub.kernel.clock import DAY
from hub.orders import store as order_store
from hub.orders.model import Payment
from hub.sdk import MoneyStatus, Status
from hub.shipments import service, store
from hub.shipments.poller import Poller
from hub.shipments.service import Pace
from hub.testing.host import LoopbackHost
from tests.plugins.carriers import KINDS
from tests.unit.world import World, manual_clock, open_database

S, M = Status, MoneyStatus
STEP_S = 4 * 3600
"""Longer than any phase waits, so that each step is seen."""

COD = 125_000
ECOM = {"bearer_tracking": "t", "bearer_ecom": "e", "counterparty_token": "c"}


@pytest.fixture
def world(migrated_file, tmp_path):
    file = tmp_path / "hub.db"
    shutil.copy(migrated_file, file)
    clock = manual_clock()
    db = open_database(f"sqlite:///{file}", clock)
    yield World(db, clock)
    db.close()


class Shop:
    """A hub with one account of one carrier, whose emulator lives by the hub's clock."""

    def __init__(self, world, kind, emulator, carrier):
        self.world, self.kind, self.emulator = world, kind, emulator
        self.poller = Poller(world.db, {kind.name: carrier}, Pace(ZoneInfo("Europe/Kyiv")))
        self.seller = world.worker("Олена")

    def send(self, cod_minor=COD, route=None, number=None, payment=Payment.COD, **parcel):
        """An order with one parcel that the carrier knows."""
        number = number or self.kind.numbers[0]
        self.emulator.add_parcel(number, cod_minor, route, **parcel)
        order = self.world.order(self.seller, payment=payment)
        return self.world.write(
            service.attach, self.seller.actor, order.id, self.kind.name, self.kind.name, number, None
        )

    async def step(self, steps=1):
        for _ in range(steps):
            self.world.clock.move(STEP_S * 1000)
            await self.poller.run_due()

    async def see(self, row, steps=0):
        """The parcel after some steps, asked for by hand at the end: (status, money)."""
        await self.step(steps)
        await self.poller.refresh(row.id)
        now = self.again(row)
        return now.status, now.money_status

    def again(self, row):
        return self.world.read(store.get, row.id)

    def sums(self, row):
        now = self.again(row)
        return now.cod_expected_minor, now.cod_collected_minor, now.cod_paid_out_minor

    def stage(self, row):
        return self.world.read(order_store.get, row.order_id).stage

    def questions(self):
        found = self.world.rows(t.order_journal, t.order_journal.c.event == "question")
        return [orjson.loads(one.body)["question"] for one in found]


@pytest.fixture
async def shop(world, request):
    """By the name of the carrier, with settings beside: `@pytest.mark.shop("ukrposhta", ECOM)`."""
    name, more = request.param if isinstance(request.param, tuple) else (request.param, {})
    kind = next(one for one in KINDS if one.name == name)
    async with LoopbackHost() as host:
        host.clock = world.clock
        emulator = kind.emulator(world.clock, STEP_S)
        emulator.first_sight = "not_found"
        settings = {"base_url": await emulator.start()} | kind.settings | more
        carrier = kind.plugin.create(name, kind.plugin.settings.model_validate(settings), host)
        world.write(accounts.sync, [accounts.Configured(name, "carrier", name, None)])
        try:
            yield Shop(world, kind, emulator, carrier)
        finally:
            await carrier.close()
            await emulator.stop()
    assert world.findings() == []


def of(name, **settings):
    return pytest.mark.parametrize("shop", [(name, settings)], indirect=True, ids=[name])


nova_poshta = of("nova_poshta")
ukrposhta = of("ukrposhta", **ECOM)


# Nova Poshta -------------------------------------------------------------------------------------------


@nova_poshta
async def test_n14_money_back_is_expected_collected_and_paid_out_with_its_difference(shop):
    row = shop.send(fee_minor=2_500)
    assert await shop.see(row, 4) == (S.ARRIVED, M.EXPECTED)
    assert shop.sums(row) == (COD, None, None)
    assert await shop.see(row, 1) == (S.DELIVERED, M.COLLECTED)
    assert shop.sums(row) == (COD, COD, None)
    assert (shop.stage(row), shop.again(row).final) == ("delivered", False), (
        "not the end: the money is under way"
    )
    assert await shop.see(row, 1) == (S.DELIVERED, M.PAID_OUT)
    assert shop.sums(row) == (COD, COD, COD - 2_500)
    assert (shop.stage(row), shop.again(row).final) == ("paid", True)


@nova_poshta
async def test_n14_received_and_then_a_reverse_waybill_ends_paid_out(shop):
    row = shop.send(route="cod_papers")
    assert await shop.see(row, 5) == (S.DELIVERED, M.EXPECTED)
    assert await shop.see(row, 1) == (S.DELIVERED, M.COLLECTED)
    assert await shop.see(row, 1) == (S.DELIVERED, M.PAID_OUT)


@nova_poshta
async def test_n18_a_refused_parcel_comes_back_under_another_number_and_nobody_pays(shop):
    row = shop.send(route="refused")
    assert await shop.see(row, 5) == (S.REFUSED, M.EXPECTED)
    assert await shop.see(row, 1) == (S.RETURNING, M.NOT_COLLECTED)
    (leg,) = [one for one in shop.world.read(store.of_order, row.order_id) if one.parent_id == row.id]
    assert leg.relation == "return"
    assert await shop.see(row, 6) == (S.RETURNED, M.NOT_COLLECTED)
    assert shop.stage(row) == "returned"


@nova_poshta
async def test_a_deleted_waybill_is_not_collected(shop):
    row = shop.send(route="deleted")
    assert await shop.see(row, 2) == (S.CANCELLED, M.NOT_COLLECTED)


@nova_poshta
async def test_n15_payment_control_ends_unknown_and_a_person_is_asked(shop):
    row = shop.send(payment_control=True)
    assert await shop.see(row, 4) == (S.ARRIVED, M.EXPECTED)
    assert await shop.see(row, 2) == (S.DELIVERED, M.UNKNOWN)
    shop.world.clock.move(15 * DAY)
    await shop.step()
    assert any("money" in question for question in shop.questions())


@of("nova_poshta", api_key="")
async def test_n1_hidden_sums_are_unknown_and_never_none(shop):
    row = shop.send()
    assert await shop.see(row, 4) == (S.ARRIVED, M.UNKNOWN)
    assert shop.sums(row) == (None, None, None)
    assert orjson.loads(shop.again(row).facts)["hidden"] is True


@nova_poshta
async def test_n19_a_stub_overwrites_nothing(shop):
    row = shop.send()
    await shop.step(5)
    before = shop.again(row)
    shop.emulator.fail_next(1, "unknown_code")
    shop.world.clock.move(STEP_S * 1000 - 60_000)
    await shop.poller.refresh(row.id)
    after = shop.again(row)
    assert (after.status, after.money_status) == (before.status, before.money_status)
    assert [one.code for one in shop.world.rows(t.unknown_code)] == ["99991"]


@nova_poshta
async def test_n20_the_same_code_in_another_city_is_another_step(shop):
    row = shop.send(route=("1", "5", "5", "5", "7"))
    await shop.step(3)
    codes = [one.raw_code for one in shop.world.rows(t.observation, t.observation.c.shipment_id == row.id)]
    assert codes == ["5"] * 3


# Ukrposhta ---------------------------------------------------------------------------------------------


@ukrposhta
async def test_ukrposhtas_transfer_ends_paid_out_with_its_difference(shop):
    row = shop.send(fee_minor=1_000)
    await shop.poller.run_due()
    assert await shop.see(row) == (S.CREATED, M.EXPECTED)
    assert await shop.see(row, 4) == (S.ARRIVED, M.EXPECTED)
    assert await shop.see(row, 1) == (S.DELIVERED, M.EXPECTED)
    assert await shop.see(row, 1) == (S.DELIVERED, M.COLLECTED)
    assert await shop.see(row, 1) == (S.DELIVERED, M.PAID_OUT)
    assert shop.sums(row) == (COD, COD - 1_000, COD - 1_000)
    assert shop.stage(row) == "paid"


@ukrposhta
async def test_u1_ukrposhtas_returned_parcel_is_not_collected(shop):
    row = shop.send(route="returned")
    await shop.poller.run_due()
    assert await shop.see(row, 6) == (S.RETURNED, M.NOT_COLLECTED)
    assert shop.stage(row) == "returned"


# The others tell the sum, or nothing ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shop", "route", "arrived", "ended"),
    [
        ("delivery", "delivered", (S.ARRIVED, M.EXPECTED), (S.DELIVERED, M.UNKNOWN)),
        ("delivery", "sold", (S.ARRIVED, M.EXPECTED), (S.EXCEPTION, M.NOT_COLLECTED)),
        ("delivery", "cancelled", (S.CANCELLED, M.NOT_COLLECTED), (S.CANCELLED, M.NOT_COLLECTED)),
        ("rozetka_delivery", "delivered", (S.DELIVERED, M.UNKNOWN), (S.DELIVERED, M.UNKNOWN)),
        ("rozetka_delivery", "refused", (S.REFUSED, M.EXPECTED), (S.REFUSED, M.EXPECTED)),
        ("rozetka_delivery", "returned", (S.EXCEPTION, M.NOT_COLLECTED), (S.EXCEPTION, M.NOT_COLLECTED)),
        ("meest", "delivered", (S.DELIVERED, M.UNKNOWN), (S.DELIVERED, M.UNKNOWN)),
        ("meest", "returned", (S.REFUSED, M.UNKNOWN), (S.RETURNED, M.NOT_COLLECTED)),
    ],
    indirect=["shop"],
)
async def test_money_ends_where_it_should(shop, route, arrived, ended):
    row = shop.send(route=route)
    assert await shop.see(row, 4) == arrived
    assert await shop.see(row, 1) == ended
    expected, collected, paid_out = shop.sums(row)
    assert expected == (None if shop.kind.name == "meest" else COD)
    assert (collected, paid_out) == (None, None)


@pytest.mark.parametrize("shop", [kind.name for kind in KINDS], indirect=True)
async def test_a_parcel_without_cash_on_delivery_has_no_money(shop):
    row = shop.send(None, "delivered", payment=Payment.PREPAID)
    await shop.step(7)
    assert await shop.see(row) == (S.DELIVERED, M.NONE)
    assert shop.sums(row)[1:] == (None, None)
    assert shop.questions() == []
