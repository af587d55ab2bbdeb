"""Web hooks of parcels: each change is told once, in one shape, in order; what changes nothing tells nothing."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR
from hub.kernel.errors import RuleSaysNo
from hub.kernel.sealing import SecretKey
from hub.outbox import webhooks
from hub.sdk.tracking import MoneyStatus, NotTracked, Problem, RelatedNumber, RelationKind, Status
from hub.shipments import joining, questions, telling
from hub.shipments.store import ShipmentRow
from tests.unit.shipments.post import Post

S, M = Status, MoneyStatus
KEY = SecretKey.of("k" * 40)
ALL = tuple(event for event in webhooks.EVENTS if event.startswith("shipment."))
LATER, LATEST = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)


@pytest.fixture
def post(world):
    made = Post(world)
    world.write(webhooks.add, "test", "https://shop.example/hub", "s" * 16, ALL, key=KEY)
    return made


def told(post, since=0):
    """Every call that waits, oldest first, with its order key."""
    rows = post.world.rows(t.outbox, t.outbox.c.lane == "webhook")[since:]
    return [(row.order_key, json.loads(json.loads(row.payload)["body"])) for row in rows]


def events(post, since=0):
    return [body["event"].removeprefix("shipment.") for _, body in told(post, since)]


def test_every_kind_of_change_is_told_and_a_repeated_answer_tells_nothing(post):
    row = post.parcel("1111", cod=True)
    post.says("1111", S.IN_TRANSIT, money=M.EXPECTED, cod_expected=125_000, estimated_at=LATER)
    post.poll()
    first = events(post)
    assert first == ["attached", "status", "place", "estimated", "money"]
    post.poll(HOUR)
    assert len(told(post)) == len(first)
    post.says("1111", S.ARRIVED, 9, money=M.EXPECTED, estimated_at=LATEST, paid_storage_from=LATEST)
    post.poll(HOUR)
    assert events(post, 5) == ["status", "estimated", "storage"]
    post.says("1111", S.ARRIVED, 10, code="again", money=M.EXPECTED, cod_expected=125_100)
    post.poll(HOUR)
    assert events(post, 8) == ["money"]
    (_, last) = told(post)[-1]
    assert (last["version"], last["data"]["changed"]) == (1, ["cod_expected_minor"])
    assert (last["data"]["cod_expected_minor"], last["data"]["paid_storage_at"]) == (
        125_100,
        "2026-03-09T00:00:00.000Z",
    )
    keys = {key.partition(":")[2] for key, _ in told(post)}
    assert keys == {f"shipment:{row.id}"}


def test_the_same_status_in_another_city_is_news_of_the_place(post):
    post.parcel("1111")
    post.says("1111", S.IN_TRANSIT)
    post.poll()
    since = len(told(post))
    before = post.carrier.says["1111"]
    post.carrier.says["1111"] = replace(before, raw_code="further", place="Київ", clock=LATER)
    post.poll(HOUR)
    assert events(post, since) == ["place"]
    assert told(post)[-1][1]["data"]["place"] == "Київ"


def test_every_event_is_one_shape_and_names_nobody(post):
    row = post.parcel("1111", cod=True)
    post.says(
        "1111", S.REFUSED, money=M.EXPECTED, related=(RelatedNumber(number="2222", kind=RelationKind.RETURN),)
    )
    post.poll()
    post.world.write(joining.detach, post.seller.actor, row.id)
    found = told(post)
    assert {"attached", "status", "linked", "detached"} <= set(events(post))
    assert len({tuple(body["data"]) for _, body in found}) == 1
    assert len({tuple(body) for _, body in found}) == 1
    linked = next(body["data"] for _, body in found if body["event"] == "shipment.linked")
    assert linked["related"] == [{"number": "2222", "kind": "return"}]
    assert "380671234567" not in json.dumps(found)


@pytest.mark.parametrize(
    ("says", "later", "name"),
    [(NotTracked(number="1111", problem=Problem.BAD_NUMBER), 0, "bad_number"),
     (NotTracked(number="1111", problem=Problem.NOT_FOUND), 6 * DAY, "never_found")],
)  # fmt: skip
def test_what_a_seller_is_asked_is_told_too(post, says, later, name):
    post.parcel("1111")
    post.carrier.says["1111"] = says
    post.poll(later)
    (asked,) = [body["data"] for _, body in told(post) if body["event"] == "shipment.question"]
    assert (asked["question"], asked["number"]) == (name, "1111")


def test_every_question_has_a_name_and_every_event_its_words():
    assert len(set(questions.NAMES.values())) == len(questions.QUESTIONS)
    own = {value for name, value in vars(telling).items() if name.isupper() and isinstance(value, str)}
    assert own == set(ALL)


def test_a_hook_is_told_only_what_it_wants_and_no_hook_nothing(world):
    post = Post(world)
    post.parcel("0000")
    assert told(post) == []
    world.write(webhooks.add, "test", "https://shop.example/", "s" * 16, ["shipment.place"], key=KEY)
    post.parcel("1111")
    post.says("1111", S.IN_TRANSIT)
    post.poll()
    assert events(post) == ["place"]


ROW = ShipmentRow(
    1, "1", "np", "np", None, None, "outbound", None, "unknown", None, None, None, None, None, "none", False,
    "UAH", None, None, None, "{}", None, None, False, "created", None, None, None, 0, None, None, 0, 0, "t", 1, 1,
)  # fmt: skip
WATCHED = {name for _, names in telling.WATCHED for name in names if name != "related"}


@given(st.sampled_from(ShipmentRow._fields), st.sampled_from([None, 5, "x"]))
def test_only_what_is_watched_makes_an_event(name, value):
    if name == "facts":
        return
    after = ROW._replace(**{name: value})
    found = telling.changed(ROW, after)
    assert bool(found) == (name in WATCHED and getattr(ROW, name) != value)
    assert telling.changed(after, after) == {}


# --- off the order -----------------------------------------------------------------------------------------


def test_a_parcel_of_the_wrong_order_leaves_it_and_joins_the_right_one(post):
    row = post.parcel("1111", cod=True)
    order_id = row.order_id
    post.says("1111", S.IN_TRANSIT, related=(RelatedNumber(number="2222", kind=RelationKind.REDIRECT),))
    post.poll()
    loose = post.world.write(joining.detach, post.seller.actor, row.id)
    assert (loose.order_id, loose.phone, loose.cod, loose.money_status) == (None, None, False, "none")
    leg = next(one for one in post.world.rows(t.shipment) if one.number == "2222")
    assert leg.order_id is None
    detached = [body["data"] for _, body in told(post) if body["event"] == "shipment.detached"]
    assert [(one["number"], one["order_id"], one["left_order_id"]) for one in detached] == [
        ("1111", None, str(order_id)),
        ("2222", None, str(order_id)),
    ]
    assert post.journal(row)[-1] == ("shipment_detached", "shipped")
    right = post.world.order(post.seller)
    joined = post.world.write(joining.join, post.seller.actor, row.id, right.id)
    assert joined.order_id == right.id
    assert post.order(joined).stage == "shipped"
    assert post.world.findings() == []


def test_what_cannot_leave_is_refused_in_words(post):
    row = post.parcel("1111")
    post.says("1111", S.IN_TRANSIT, related=(RelatedNumber(number="2222", kind=RelationKind.RETURN),))
    post.poll()
    leg = next(one for one in post.world.rows(t.shipment) if one.number == "2222")
    with pytest.raises(RuleSaysNo, match="goes with 1111"):
        post.world.write(joining.detach, post.seller.actor, leg.id)
    post.world.write(joining.detach, post.seller.actor, row.id)
    with pytest.raises(RuleSaysNo, match="belongs to no order"):
        post.world.write(joining.detach, post.seller.actor, row.id)
