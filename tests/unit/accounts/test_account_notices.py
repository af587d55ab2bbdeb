"""What a carrier's plugin wants people to know becomes one alarm of its account, and no more."""

import asyncio

from hub.access.model import Role
from hub.accounts import store as accounts
from hub.accounts.store import Configured
from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR
from hub.runtime.account_notices import AccountNotices
from hub.sdk import Carrier, CarrierCapabilities, Notice, Recognition
from hub.sdk.tracking import Likeness

ENDS = Notice(key="key_expires", text={"en": "the key ends", "uk": "ключ спливає"})
GONE = Notice(key="gone", text={"en": "a method is gone"})


class Speaking(Carrier):
    """Says what `says` holds; raises what it is told to raise."""

    capabilities = CarrierCapabilities()

    def __init__(self):
        self.says: tuple[Notice, ...] = ()
        self.fails: Exception | None = None

    def looks_like(self, text: str) -> Recognition:
        return Recognition(likeness=Likeness.NO)

    async def track(self, numbers):
        raise AssertionError("nobody asks for parcels here")

    async def notices(self):
        if self.fails is not None:
            raise self.fails
        return self.says


class Desk:
    """One carrier account, an administrator, and the process that asks for notices."""

    def __init__(self, world, language="uk"):
        self.world = world
        self.carrier = Speaking()
        configured = [Configured(name="np", kind="carrier", plugin="nova_poshta", team=None, off=None)]
        world.write(accounts.sync, configured)
        world.worker("Олена", role=Role.ADMIN, member=False)
        self.language = language
        self.notices = self.process()

    def process(self):
        return AccountNotices(self.world.db, {"np": self.carrier}, self.language)

    def look(self, notices=None, after=HOUR):
        self.world.clock.move(after)
        asyncio.run((notices or self.notices).tick())

    @property
    def alarms(self):
        return [row.kind for row in self.world.rows(t.outbox, t.outbox.c.lane == "notice")]

    @property
    def last_error(self):
        return self.world.read(accounts.get, "carrier", "np").last_error


def test_a_notice_is_one_alarm_however_long_it_lasts(world):
    desk = Desk(world)
    desk.look()
    assert (desk.alarms, desk.last_error) == ([], None)
    desk.carrier.says = (ENDS,)
    for _ in range(5):
        desk.look()
    assert (desk.alarms, desk.last_error) == (["account_notice"], "ключ спливає")
    assert world.read(accounts.get, "carrier", "np").state == "active"


def test_a_notice_that_was_gone_is_told_again(world):
    desk = Desk(world)
    for says in ((ENDS,), (), (ENDS,)):
        desk.carrier.says = says
        desk.look(after=2 * DAY)
    assert desk.alarms == ["account_notice"] * 2


def test_a_second_notice_is_told_beside_the_first_in_the_language_there_is(world):
    desk = Desk(world)
    desk.carrier.says = (ENDS,)
    desk.look()
    desk.carrier.says = (ENDS, GONE)
    desk.look()
    assert (desk.alarms, desk.last_error) == (["account_notice"] * 2, "a method is gone")


def test_the_next_process_does_not_repeat_it_within_a_day(world):
    desk = Desk(world, language="en")
    desk.carrier.says = (ENDS,)
    desk.look()
    asyncio.run(desk.notices.release())
    desk.look(desk.process())
    assert desk.alarms == ["account_notice"]


def test_one_process_asks_at_a_time(world):
    desk = Desk(world)
    desk.look()
    desk.carrier.says = (ENDS,)
    desk.look(desk.process())
    assert desk.alarms == []


def test_a_plugin_that_raises_or_says_nonsense_harms_nobody(world):
    desk = Desk(world)
    desk.carrier.fails = RuntimeError("a customer's name")
    desk.look()
    desk.carrier.fails, desk.carrier.says = None, "nonsense"  # type: ignore[assignment]
    desk.look()
    assert (desk.alarms, desk.last_error) == ([], None)


def test_a_stopped_account_says_nothing_more(world):
    desk = Desk(world)
    world.db.write_now(lambda tx: accounts.note_error(tx, "np", "refused", stop=True))
    desk.carrier.says = (ENDS,)
    desk.look()
    assert (desk.alarms, desk.last_error) == ([], "refused")
