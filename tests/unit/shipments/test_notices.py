"""Customers are told each step once, never backward, in their language, not at night, and only where wanted."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from hub.access.model import Role
from hub.db import tables as t
from hub.kernel.clock import HOUR, MINUTE, instant, moment
from hub.kernel.errors import AccessDenied, InputRejected
from hub.orders import settings as office
from hub.orders import templates
from hub.orders.outgoing import LANE
from hub.sdk.tracking import RANK, Observation, Status, Tracked
from hub.shipments import joining, notices, taking
from hub.shipments.events import MONEY, STATUS, ShipmentChange
from hub.shipments.notices import STEPS, Choice, CustomerNotices, filled, leaves_at, step_of
from hub.shipments.service import Pace, Results

KYIV = ZoneInfo("Europe/Kyiv")


@pytest.mark.parametrize(
    ("before", "status", "step"),
    [
        ("", "created", None), ("", "accepted", "shipped"), ("created", "in_transit", "shipped"),
        ("accepted", "in_transit", None), ("in_transit", "arrived", "arrived"), ("", "arrived", "arrived"),
        ("arrived", "out_for_delivery", "courier"), ("arrived", "delivered", "delivered"),
        ("arrived", "refused", "returning"), ("refused", "returning", None), ("returning", "returned", None),
        ("arrived", "returned", "returning"), ("arrived", "cancelled", None), ("arrived", "exception", None),
    ],
)  # fmt: skip
def test_which_step_a_status_is(before, status, step):
    assert step_of(status, before) == step


def test_a_way_forward_tells_each_step_at_most_once():
    ranked = sorted(Status, key=lambda one: RANK[one])
    for start in range(len(ranked)):
        told, before = [], ""
        for status in ranked[start:]:
            step, before = step_of(status, before), status
            told += [step] if step else []
        assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("at", "leaves"),
    [("12:00", "12:00"), ("20:59", "20:59"), ("21:00", "+09:00"), ("23:30", "+09:00"), ("03:00", "09:00"),
     ("08:59", "09:00"), ("09:00", "09:00")],
)  # fmt: skip
def test_nobody_is_written_to_at_night(at, leaves):
    def on(text):
        day = 11 if text.startswith("+") else 10
        return instant(datetime.fromisoformat(f"2026-03-{day}T{text.lstrip('+')}:00").replace(tzinfo=KYIV))

    assert leaves_at(on(at), Choice(), KYIV) == on(leaves)
    assert leaves_at(on(at), Choice(quiet_from="00:00", quiet_to="00:00"), KYIV) == on(at)


def test_a_line_without_any_value_is_left_out():
    body = "Parcel {{ parcel.number }}\nTo pay: {{ parcel.pay }}\n\nBye"
    assert filled(body, {"parcel.number": "1"}) == "Parcel 1\n\nBye"


def test_every_step_has_its_words_in_both_languages():
    for step in STEPS:
        for language in ("uk", "en"):
            named = set(templates.variables_of(notices.TEXTS[step][language]))
            assert named <= {*templates.VARIABLES, *templates.NOTICE_VARIABLES}


class Shop:
    """An order with a parcel, and what would be sent."""

    def __init__(self, world):
        self.world = world
        self.head = world.worker("Iryna", role=Role.HEAD).actor
        self.order = world.order(world.worker("Olena"))
        self.row = world.write(
            joining.attach, world.admin, self.order.id, "np", "nova_poshta", "20450812345678", None
        )
        self.tell = CustomerNotices(KYIV, "https://hub.example", "Coffee & Co", {"uk": {"np": "Нова пошта"}})

    def switch(self, *steps, quiet=("00:00", "00:00")):
        self.world.write(notices.choose, self.head, self.world.team, list(steps), *quiet)

    def step(self, status, before="", **values):
        row = self.row._replace(status=status, happened_at=self.world.clock.now(), **values)
        self.world.write(self.tell, ShipmentChange(STATUS, row, before))

    def texts(self):
        rows = self.world.rows(t.outbox, t.outbox.c.lane == LANE)
        return [json.loads(row.payload)["text"] for row in rows]


@pytest.fixture
def shop(world):
    return Shop(world)


def test_nobody_is_told_anything_until_the_head_says_so(shop):
    shop.step("arrived")
    assert shop.texts() == []
    shop.switch("delivered")
    shop.step("arrived")
    assert shop.texts() == []


def test_the_text_holds_what_is_known_and_leaves_out_the_rest(shop):
    shop.switch("arrived", "shipped")
    shop.step("arrived", place="Київ, №12", money_status="expected", cod_expected_minor=125000)
    (text,) = shop.texts()
    assert text == "Посилка 20450812345678 чекає на вас.\nКиїв, №12\nДо сплати: 1250.00 UAH"


def test_the_first_notice_brings_the_tracking_page(shop):
    shop.switch("shipped")
    shop.step("accepted")
    (text,) = shop.texts()
    (link,) = shop.world.rows(t.track_link)
    assert f"https://hub.example/t/{link.secret}" in text
    assert "Нова пошта, 20450812345678" in text


def test_a_template_of_the_office_takes_the_place_of_the_built_in_text(shop):
    shop.switch("arrived")
    save = (office.save_template, shop.head, None)
    shop.world.write(*save, "parcel-arrived", "uk", "{{ shop.name }}: {{ parcel.number }}")
    with pytest.raises(InputRejected):
        shop.world.write(*save, "order-thanks", "uk", "{{ shop.name }}")
    shop.step("arrived")
    assert shop.texts() == ["Coffee & Co: 20450812345678"]


@pytest.mark.parametrize(
    "values", [{"relation": "return"}, {"order_id": None}, {"happened_at": 1}], ids=["leg", "loose", "old"]
)
def test_legs_loose_parcels_and_old_news_are_told_to_nobody(shop, values):
    shop.switch(*STEPS)
    row = shop.row._replace(status="arrived", happened_at=shop.world.clock.now())._replace(**values)
    shop.world.write(shop.tell, ShipmentChange(STATUS, row, ""))
    shop.world.write(shop.tell, ShipmentChange(MONEY, shop.row, ""))
    assert shop.texts() == []


def test_what_waits_for_the_morning_makes_room_for_what_came_later(shop):
    shop.switch("arrived", "delivered", quiet=("11:00", "18:00"))  # it is noon
    shop.step("arrived")
    shop.step("delivered", "arrived")
    (text,) = shop.texts()
    assert "отримано" in text
    (row,) = shop.world.rows(t.outbox, t.outbox.c.lane == LANE)
    assert abs(6 * HOUR - (row.next_try_at - shop.world.clock.now())) < MINUTE


def test_only_the_head_switches_and_every_fault_is_named(shop):
    seller = shop.world.worker("Taras").actor
    with pytest.raises(AccessDenied):
        shop.world.write(notices.choose, seller, shop.world.team, ["arrived"], "21:00", "09:00")
    with pytest.raises(InputRejected) as refused:
        shop.world.write(notices.choose, shop.head, shop.world.team, ["lost"], "25:00", "9")
    assert {p.path for p in refused.value.problems} == {"steps", "quiet_from", "quiet_to"}


def test_a_parcel_that_flaps_is_told_of_once_and_never_backward(shop):
    """Arrived, taken back, arrived again, repeated: one text. Then one for the delivery."""
    shop.switch(*STEPS)
    world, pace, clock = shop.world, Pace(KYIV), shop.world.clock
    start = clock.now()
    steps = ["accepted", "arrived", "in_transit", "arrived", "arrived", "delivered", "arrived", "delivered"]
    for at, status in enumerate(steps):
        seen = Observation(status=Status(status), raw_code=status, clock=moment(start + at * MINUTE))
        results = Results(tracked={shop.row.id: Tracked(number=shop.row.number, observations=(seen,))})
        for _ in range(2):
            world.write(lambda tx, told=results: taking.take_in(tx, [shop.row], told, pace, shop.tell))
            world.write(lambda tx: tx.execute(update(t.outbox).values(state="done", next_try_at=None)))
    texts = shop.texts()
    assert [sum(words in text for text in texts) for words in ("відправлено", "чекає", "отримано")] == [
        1,
        1,
        1,
    ]
