"""Orders follow their parcels by rules of their route: what decides, what is refused, and that nothing changed."""

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.access.model import Role
from hub.kernel.errors import InputRejected, NotFound
from hub.orders import rules, service, settings, store
from hub.orders.model import Payment
from hub.orders.routes import CONTRACT_SALE, SERVICE, as_text, body_of, check_body, differences, seeds
from hub.orders.rules import ADVANCE, BEFORE, MONEY_ADVANCE, Rule, choose, of_body, of_line, standing_of
from hub.orders.stages import PARCEL, parse
from hub.sdk.tracking import MoneyStatus, Status

S, M = Status, MoneyStatus
PARCELS = st.lists(st.tuples(st.sampled_from(S), st.sampled_from(M)), max_size=5)


# --- as before -------------------------------------------------------------------------------------------
# What moved orders while it was code, word for word: the rules of all that is kept already have to agree with it.

_STAGE = {
    Status.ACCEPTED: "shipped",
    Status.IN_TRANSIT: "shipped",
    Status.EXCEPTION: "shipped",
    Status.OUT_FOR_DELIVERY: "arrived",
    Status.DELIVERY_ATTEMPTED: "arrived",
    Status.ARRIVED: "arrived",
    Status.REFUSED: "arrived",
    Status.RETURNING: "arrived",
    Status.DELIVERED: "delivered",
    Status.RETURNED: "returned",
}
_STEPS = ("shipped", "arrived", "delivered", "paid", "returned")


def stage_of(parcels, *, cod):
    active = [(s, m) for s, m in parcels if s is not Status.CANCELLED]
    stages = [_STAGE.get(status) for status, _ in active]
    if not stages or None in stages:
        return None
    least = min((s for s in stages if s is not None), key=_STEPS.index)
    if (
        least == "delivered"
        and cod
        and all(m is MoneyStatus.PAID_OUT for s, m in active if s is Status.DELIVERED)
    ):
        return "paid"
    return least


def chosen(some, parcels, payment):
    rule = choose(some, standing_of(parcels), payment)
    return rule.stage if rule is not None else None


def without_rules(name):
    """A route as it was stored before rules were data."""
    body = json.loads(seeds()[name])
    del body["rules"]
    return parse(name, 1, as_text(body))


@given(PARCELS, st.sampled_from(Payment))
@example([(S.DELIVERED, M.PAID_OUT), (S.RETURNED, M.NOT_COLLECTED)], Payment.COD)
@example([(S.EXCEPTION, M.NONE), (S.ARRIVED, M.NONE)], Payment.OTHER)
@example([(S.CANCELLED, M.NONE), (S.CANCELLED, M.NONE)], Payment.COD)
def test_orders_of_what_is_kept_already_move_exactly_as_before(parcels, payment):
    """Also on the routes that do not have every stage: there, what the code called for was no stage."""
    before = stage_of(parcels, cod=payment is Payment.COD)
    for name in (PARCEL, CONTRACT_SALE, SERVICE):
        assert chosen(without_rules(name).rules, parcels, payment) == before
    assert chosen(parse(PARCEL, 1, seeds()[PARCEL]).rules, parcels, payment) == before


@given(PARCELS, st.booleans())
def test_a_cancelled_waybill_never_changes_the_stage(parcels, cod):
    payment = "cod" if cod else "other"
    with_one_more = [*parcels, (S.CANCELLED, M.NOT_COLLECTED)]
    for name in seeds():
        some = parse(name, 1, seeds()[name]).rules
        assert chosen(some, with_one_more, payment) == chosen(some, parcels, payment)


@pytest.mark.parametrize(
    ("parcels", "cod", "stage"),
    [
        ([], False, None),
        ([(S.UNKNOWN, M.NONE)], False, None),
        ([(S.CREATED, M.NONE)], False, None),
        ([(S.ACCEPTED, M.NONE)], False, "shipped"),
        ([(S.IN_TRANSIT, M.NONE)], False, "shipped"),
        ([(S.ARRIVED, M.NONE)], False, "arrived"),
        ([(S.REFUSED, M.NONE)], False, "arrived"),
        ([(S.RETURNING, M.NONE)], False, "arrived"),
        ([(S.DELIVERED, M.NONE)], False, "delivered"),
        ([(S.DELIVERED, M.COLLECTED)], True, "delivered"),
        ([(S.DELIVERED, M.PAID_OUT)], True, "paid"),
        ([(S.DELIVERED, M.PAID_OUT)], False, "delivered"),
        ([(S.DELIVERED, M.PAID_OUT), (S.DELIVERED, M.COLLECTED)], True, "delivered"),
        ([(S.DELIVERED, M.PAID_OUT), (S.ARRIVED, M.EXPECTED)], True, "arrived"),
        ([(S.DELIVERED, M.PAID_OUT), (S.CREATED, M.EXPECTED)], True, None),
        ([(S.DELIVERED, M.PAID_OUT), (S.CANCELLED, M.NOT_COLLECTED)], True, "paid"),
        ([(S.CANCELLED, M.NONE)], False, None),
        ([(S.RETURNED, M.NOT_COLLECTED)], True, "returned"),
        ([(S.RETURNED, M.NOT_COLLECTED), (S.DELIVERED, M.PAID_OUT)], True, "paid"),
        ([(S.RETURNED, M.NOT_COLLECTED), (S.DELIVERED, M.COLLECTED)], True, "delivered"),
    ],
)
def test_an_order_follows_its_least_advanced_active_parcel(parcels, cod, stage):
    for order in itertools.permutations(parcels):
        assert chosen(BEFORE, order, "cod" if cod else "other") == stage


def test_every_active_status_and_every_money_has_its_place():
    assert set(ADVANCE) == set(S) - {S.CANCELLED}
    assert set(MONEY_ADVANCE) == set(M)
    assert set(rules.PAYMENTS) == set(Payment)


@pytest.mark.parametrize(
    ("name", "parcel", "money", "payment", "stage"),
    [
        (CONTRACT_SALE, S.ARRIVED, M.NONE, "other", "shipped"),
        (CONTRACT_SALE, S.DELIVERED, M.PAID_OUT, "cod", "delivered"),
        (CONTRACT_SALE, S.RETURNED, M.NONE, "other", "returned"),
        (SERVICE, S.IN_TRANSIT, M.NONE, "other", None),
        (SERVICE, S.DELIVERED, M.PAID_OUT, "cod", "paid"),
    ],
)
def test_new_orders_of_the_other_routes_follow_by_their_own_rules(name, parcel, money, payment, stage):
    route = parse(name, 1, seeds()[name])
    assert chosen(route.rules, [(parcel, money)], payment) == stage
    assert stage is None or stage in route.stages


# --- rules as text and as data ---------------------------------------------------------------------------

RULES = st.builds(
    Rule,
    stage=st.sampled_from(["shipped", "paid"]),
    parcel=st.lists(st.sampled_from([str(s) for s in ADVANCE]), min_size=1, unique=True).map(tuple),
    money=st.lists(st.sampled_from([str(m) for m in M]), unique=True).map(tuple),
    payment=st.lists(st.sampled_from(rules.PAYMENTS), unique=True).map(tuple),
)


@given(RULES, RULES, PARCELS, st.sampled_from(rules.PAYMENTS))
def test_a_rule_reads_back_the_same_and_what_covers_it_holds_whenever_it_does(one, other, parcels, payment):
    assert of_line(one.line()) == one
    assert of_body(json.loads(json.dumps(one.body()))) == one
    standing = standing_of(parcels)
    if standing is not None and other.covers(one) and one.holds(standing, payment):
        assert other.holds(standing, payment)


@given(st.text(max_size=60))
@example("parcel delivered; parcel arrived -> paid")
def test_any_text_is_a_rule_or_a_sentence_that_says_how(line):
    try:
        of_line(line)
    except ValueError as refused:
        assert "->" in str(refused) or "cannot be" in str(refused)  # noqa: PT017 - either outcome is right


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "path", "words"),
    [
        ([{"parcel": ["flying"], "stage": "paid"}], "rules.0", "parcel cannot be flying"),
        ([{"money": ["gold"], "stage": "paid"}], "rules.0", "money cannot be gold"),
        ([{"payment": ["cod"], "stage": "paid"}], "rules.0", "write such as"),
        ([{"parcel": ["arrived"], "stage": "moon"}], "rules.0", "there is no stage moon"),
        ([{"parcel": ["arrived"], "stage": "cancelled"}], "rules.0", "a rule cancels no order"),
        ([{"parcel": ["arrived"], "stage": "new"}], "rules.0", "an order begins at new"),
        (
            [
                {"parcel": ["delivered", "arrived"], "stage": "delivered"},
                {"parcel": ["delivered"], "money": ["paid_out"], "stage": "paid"},
            ],
            "rules.1",
            "rule 1 holds whenever it does",
        ),
    ],
)
def test_rules_that_cannot_work_are_refused_with_their_place(told, path, words):
    body = {**json.loads(seeds()[PARCEL]), "rules": told}
    with pytest.raises(InputRejected) as refused:
        check_body(PARCEL, body)
    assert [(p.path, words in p.message) for p in refused.value.problems] == [(path, True)]


# --- on a real database ----------------------------------------------------------------------------------

MONEY_CAME = {"parcel": ["delivered"], "money": ["collected"], "stage": "paid"}


@pytest.fixture
def olena(world):
    return world.worker("Олена")


@pytest.fixture
def head(world):
    return world.worker("Марія", role=Role.HEAD)


def follow(world, order, *parcels):
    return world.write(service.follow_parcels, world.admin, order.id, parcels)


def test_a_running_order_keeps_the_rules_it_began_with(world, olena, head):
    old = world.order(olena)
    body = body_of(world.read(store.newest_route, PARCEL))
    body["rules"] = [MONEY_CAME, *body["rules"]]
    assert world.write(settings.edit_route, head.actor, PARCEL, body).version == 2
    new = world.order(olena)
    assert follow(world, old, ("1", "delivered", "collected")).stage == "delivered"
    moved = follow(world, new, ("2", "delivered", "collected"))
    assert (moved.stage, moved.route_version) == ("paid", 2)
    told = json.loads(world.read(store.journal, new.id)[-1].body)
    assert told["rule"] == "parcel delivered; money collected -> paid"
    assert told["parcels"] == [["2", "delivered", "collected"]]
    assert world.findings() == []


def test_rules_move_forward_only_and_an_order_without_parcels_stands(world, olena):
    order = world.order(olena)
    assert follow(world, order) is None
    assert follow(world, order, ("1", "cancelled", "none")) is None
    assert follow(world, order, ("1", "created", "none")) is None
    assert follow(world, order, ("1", "delivered", "none")).stage == "delivered"
    assert follow(world, order, ("1", "in_transit", "none")) is None
    with pytest.raises(NotFound):
        follow(world, order._replace(id=1), ("1", "delivered", "none"))


def test_a_rule_carries_no_order_past_an_approval(world, olena):
    order = world.order(olena, route=CONTRACT_SALE)
    assert follow(world, order, ("1", "delivered", "none")) is None
    assert world.read(store.get, order.id).stage == "draft"


def test_a_body_that_tells_no_rules_keeps_those_whose_stage_is_there(world, olena, head):
    body = body_of(world.read(store.newest_route, PARCEL))
    del body["rules"]
    body["stages"] = [one for one in body["stages"] if one["key"] != "arrived"]
    body["moves"] = {
        key: [one for one in targets if one != "arrived"]
        for key, targets in body["moves"].items()
        if key != "arrived"
    }
    kept = world.write(settings.edit_route, head.actor, PARCEL, body)
    assert [rule.stage for rule in kept.rules] == ["paid", "delivered", "shipped", "returned"]
    none = world.write(settings.edit_route, head.actor, PARCEL, {**body, "rules": []})
    assert (none.rules, none.version) == ((), 3)
    assert "rules differ" in differences(parse(PARCEL, 1, seeds()[PARCEL]), none)


def test_what_was_kept_before_rules_were_data_does_not_differ_from_the_seed():
    for name in seeds():
        old = without_rules(name)
        assert differences(parse(name, 1, seeds()[name]), old) == []
        assert check_body(name, body_of(old)).stages == old.stages
