"""What a carrier told already is not read again; what its plugin has learned since is."""

import dataclasses
import hashlib
from zoneinfo import ZoneInfo

import pytest

from hub.db import tables as t
from hub.kernel.clock import DAY, HOUR
from hub.sdk.tracking import MoneyStatus, Status, TrackAnswer
from hub.shipments import taking
from hub.shipments.poller import Poller, wanted
from hub.shipments.service import Pace
from tests.unit.shipments.post import NP, Post, Scripted

S, M = Status, MoneyStatus


class Knowing(Scripted):
    """As a plugin with fingerprints; `table` is a part of them."""

    def __init__(self):
        super().__init__()
        self.table = "1"
        self.asked = []
        self.unchanged = []

    async def track(self, numbers):
        answer = await super().track(numbers)
        known = {one.number: one.known for one in numbers}
        self.asked.append(known)
        marked = [dataclasses.replace(one, fingerprint=self.mark(one)) for one in answer.tracked]
        unchanged = tuple(one.number for one in marked if one.fingerprint == known[one.number])
        self.unchanged.append(unchanged)
        told = tuple(one for one in marked if one.number not in unchanged)
        return TrackAnswer(tracked=told, problems=answer.problems, unchanged=unchanged)

    def mark(self, one):
        return hashlib.sha256(f"{self.table}{one.observations}".encode()).hexdigest()


@pytest.fixture
def post(world):
    post = Post(world)
    post.carrier = post.carriers[NP] = Knowing()
    post.poller = Poller(world.db, post.carriers, Pace(ZoneInfo("Europe/Kyiv")))
    yield post
    assert world.findings() == []


def seen(post, row):
    return post.world.rows(t.observation, t.observation.c.shipment_id == row.id)


def test_what_is_unchanged_is_neither_read_nor_merged(post, monkeypatch):
    row = post.parcel("1111", cod=True)
    post.says("1111", S.ARRIVED, money=M.EXPECTED, cod_expected=125_000)
    post.poll()
    before = post.again(row)
    assert before.fingerprint

    def merged(*_):
        raise AssertionError("merged again")

    with monkeypatch.context() as patch:
        patch.setattr(taking, "_observed", merged)
        post.poll(3 * HOUR)
    after = post.again(row)
    assert post.carrier.unchanged == [(), ("1111",)]
    assert after.polled_at == before.polled_at + 3 * HOUR
    assert after.next_poll_at > after.polled_at
    assert (after.status, after.money_status, after.version) == (S.ARRIVED, M.EXPECTED, before.version)


def test_news_after_an_unchanged_answer_are_taken_in(post):
    row = post.parcel("1111")
    post.says("1111", S.IN_TRANSIT, 1)
    post.poll()
    post.poll(3 * HOUR)
    post.says("1111", S.ARRIVED, 2)
    post.poll(3 * HOUR)
    assert post.carrier.unchanged == [(), ("1111",), ()]
    assert post.again(row).status == S.ARRIVED
    assert len(seen(post, row)) == 2


def test_a_parcel_with_a_problem_is_told_whole_again(post):
    """The problem stands in the place of the state: an unchanged answer could not take it away."""
    row = post.parcel("1111")
    post.says("1111", S.IN_TRANSIT)
    post.poll()
    post.carrier.leaves_out = {"1111"}
    post.poll(3 * HOUR)
    assert post.again(row).problem == "no_news"
    post.carrier.leaves_out = set()
    post.poll(3 * HOUR)
    assert post.carrier.asked[-1] == {"1111": ""}
    assert post.again(row).problem is None


def test_a_problem_that_came_up_while_it_was_asked_for_stays_until_all_is_told(post):
    row = post.parcel("1111")
    post.says("1111", S.IN_TRANSIT)
    post.poll()

    async def meanwhile(numbers):
        await post.world.db.write(
            lambda tx: tx.execute(t.shipment.update().values(problem="no_news", version=9))
        )
        return TrackAnswer(unchanged=tuple(one.number for one in numbers))

    post.carrier.track = meanwhile
    post.poll(3 * HOUR)
    after = post.again(row)
    assert (after.problem, after.next_poll_at) == ("no_news", post.world.clock.now())
    del post.carrier.track
    post.poll()
    assert post.again(row).problem is None


def test_an_unchanged_number_that_nobody_knew_is_no_news(post):
    """A plugin that calls unchanged what the hub has never heard of must not leave a parcel without a word."""
    row = post.parcel("1111")

    async def lying(numbers):
        return TrackAnswer(unchanged=tuple(one.number for one in numbers))

    post.carrier.track = lying
    post.poll()
    assert post.again(row).problem == "no_news"
    assert post.again(row).misses == 1


def test_two_parcels_of_one_number_are_asked_for_by_what_both_know(post):
    first = post.parcel("1111")
    one = post.again(first)
    same = one._replace(id=one.id + 1, fingerprint="a")
    assert [n.known for n in wanted([one._replace(fingerprint="a"), same])] == ["a"]
    assert [n.known for n in wanted([one._replace(fingerprint="b"), same])] == [""]
    assert [n.known for n in wanted([one, same])] == [""]
    assert [n.known for n in wanted([same, one._replace(fingerprint="b"), same])] == [""]


def test_a_code_that_the_plugin_has_learned_since_is_no_longer_unknown(post):
    row = post.parcel("1111")
    post.says("1111", S.UNKNOWN, code="777")
    post.poll()
    assert (post.again(row).status, post.again(row).problem) == (S.UNKNOWN, "unknown_code")
    said = post.carrier.says["1111"]
    post.carrier.says["1111"] = dataclasses.replace(said, status=S.ARRIVED)
    post.carrier.table = "2"
    post.poll(DAY)
    after = post.again(row)
    assert (after.status, after.problem, after.raw_code) == (S.ARRIVED, None, "777")
    assert [one.status for one in seen(post, row)] == [S.ARRIVED], (
        "the same observation, by the table of today"
    )
    assert post.order(row).stage == "arrived"


def test_a_table_that_forgets_a_code_takes_nothing_back(post):
    row = post.parcel("1111")
    post.says("1111", S.ARRIVED, code="7")
    post.poll()
    post.carrier.says["1111"] = dataclasses.replace(post.carrier.says["1111"], status=S.UNKNOWN)
    post.poll(DAY)
    assert post.again(row).status == S.ARRIVED
    assert [one.status for one in seen(post, row)] == [S.ARRIVED]
