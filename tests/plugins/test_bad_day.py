"""A day on which everything goes wrong, for all carriers at once, through poller and database.

The same parcels live through a good day and a bad one. In the evening nothing differs: what came malformed, late or
not at all was asked for again, and one account's trouble was nobody else's.
"""

import contextlib
import shutil
from contextlib import AsyncExitStack
from zoneinfo import ZoneInfo

from hub.accounts import store as accounts
from hub.db import tables as t
from hub.kernel.clock import MINUTE
from hub.orders.model import Payment
from hub.sdk import Status
from hub.shipments import service, store
from hub.shipments.poller import Poller
from hub.shipments.service import Pace
from hub.testing.host import LoopbackHost
from tests.plugins.carriers import KINDS
from tests.unit.world import World, manual_clock, open_database

STEP_S = 2 * 3600
TICK = 40 * MINUTE
DAY_TICKS = 24
EVENING_TICKS = 14
"""After the faults are over: nine quiet hours, longer than any back-off or rhythm of a parcel under way."""

PARCELS = 2
NUMBERS = {
    "nova_poshta": [f"2045000000{n:04d}" for n in range(PARCELS)],
    "ukrposhta": ["0500300000013", "RA067022855UA"],
    "meest": [f"MYCV00000{n:04d}UA" for n in range(PARCELS)],
    "delivery": [f"083000{n:04d}" for n in range(PARCELS)],
    "rozetka_delivery": [f"UNK-40000{n:04d}" for n in range(PARCELS)],
}


class Hub:
    """All carriers, one database, one clock."""

    def __init__(self, world):
        self.world = world
        self.emulators = {}
        self.carriers = {}
        self.seller = world.worker("Олена")
        self.rows = {}

    @contextlib.asynccontextmanager
    async def opened(self):
        async with AsyncExitStack() as stack:
            for kind in KINDS:
                host = await stack.enter_async_context(LoopbackHost())
                host.clock = self.world.clock
                emulator = self.emulators[kind.name] = kind.emulator(self.world.clock, STEP_S)
                stack.push_async_callback(emulator.stop)
                keys = {"base_url": await emulator.start()} | kind.settings
                settings = kind.plugin.settings.model_validate(keys)
                self.carriers[kind.name] = kind.plugin.create(kind.name, settings, host)
            configured = [accounts.Configured(name, "carrier", name, None) for name in self.carriers]
            self.world.write(accounts.sync, configured)
            self.poller = Poller(self.world.db, self.carriers, Pace(ZoneInfo("Europe/Kyiv")))
            self.send()
            yield self

    def send(self):
        for name, numbers in NUMBERS.items():
            for place, number in enumerate(numbers):
                route = "returned" if place == 0 and "returned" in self.emulators[name].routes else None
                self.emulators[name].add_parcel(number, 125_000 if place % 2 else None, route)
                payment = Payment.COD if place % 2 else Payment.PREPAID
                order = self.world.order(self.seller, payment=payment)
                row = self.world.write(
                    service.attach, self.seller.actor, order.id, name, name, number, "+380671234567"
                )
                self.rows[number] = row.id

    async def live(self, ticks, trouble=None):
        for tick in range(ticks):
            if trouble is not None:
                trouble(self, tick)
            self.world.clock.move(TICK)
            await self.poller.run_due()

    def told(self, *only):
        """Everything that people see, by number."""
        found = {}
        for number, identifier in self.rows.items():
            row = self.world.read(store.get, identifier)
            if not only or row.account in only:
                sums = (row.cod_expected_minor, row.cod_collected_minor, row.cod_paid_out_minor)
                found[number] = (row.status, row.money_status, *sums)
        return found


def trouble(hub, tick):
    """Malformed answers all day; each carrier has an hour and more of its own."""
    emulators = hub.emulators
    if tick == 0:
        for emulator in emulators.values():
            emulator.chance = {"malformed": 0.05, "half_body": 0.05, "unknown_code": 0.05}
    emulators["nova_poshta"].is_down = 3 <= tick < 5
    emulators["delivery"].chance["http_429"] = 1.0 if 6 <= tick < 8 else 0.0
    emulators["meest"].chance["drop_numbers"] = 1.0 if 6 <= tick < 9 else 0.0
    emulators["ukrposhta"].key_revoked = 10 <= tick < 12
    if tick == 16:
        emulators["ukrposhta"].fail_next(4, "http_500")
        emulators["rozetka_delivery"].fail_next(6, "html")
    if tick == 12:  # somebody put the key right
        hub.world.write(accounts.resume, "carrier", "ukrposhta")
    if tick == DAY_TICKS - 1:
        for emulator in emulators.values():
            emulator.chance = {}


@contextlib.asynccontextmanager
async def a_hub(migrated_file, folder):
    folder.mkdir()
    file = folder / "hub.db"
    shutil.copy(migrated_file, file)
    clock = manual_clock()
    db = open_database(f"sqlite:///{file}", clock)
    try:
        async with Hub(World(db, clock)).opened() as hub:
            yield hub
        assert hub.world.findings() == []
    finally:
        db.close()


async def test_in_the_evening_of_a_bad_day_nothing_differs_from_a_good_one(migrated_file, tmp_path):
    async with a_hub(migrated_file, tmp_path / "good") as hub:
        await hub.live(DAY_TICKS + EVENING_TICKS)
        good = hub.told()
    assert {Status.DELIVERED, Status.RETURNED} <= {told[0] for told in good.values()}
    async with a_hub(migrated_file, tmp_path / "bad") as hub:
        await hub.live(DAY_TICKS, trouble)
        await hub.live(EVENING_TICKS)
        assert hub.told() == good
        states = {one.name: one.state for one in hub.world.read(accounts.all_accounts, "carrier")}
        assert set(states.values()) == {"active"}
        codes = {one.raw_code for one in hub.world.rows(t.observation)}
        assert "" not in codes


async def test_one_carriers_trouble_is_no_other_carriers(migrated_file, tmp_path):
    """Nova Poshta is down and Delivery throttled all day: the others are where they would be anyway."""

    def dark(hub, tick):
        hub.emulators["nova_poshta"].is_down = True
        hub.emulators["delivery"].chance = {"http_429": 1.0}

    others = ("ukrposhta", "meest", "rozetka_delivery")
    told = []
    for name, makes in (("good", None), ("dark", dark)):
        async with a_hub(migrated_file, tmp_path / name) as hub:
            seen = []
            for _ in range(3):
                await hub.live(3, makes)
                seen.append(hub.told(*others))
            asked = {one: len(hub.emulators[one].calls) for one in others}
            told.append((seen, asked))
            if makes is not None:
                assert {told[0] for told in hub.told("nova_poshta", "delivery").values()} == {Status.UNKNOWN}
                assert len(hub.emulators["delivery"].calls) <= 9, "one call a look, and not one a parcel"
    (good, dark_day) = told
    assert good[0] == dark_day[0]
