"""Age of statuses beside its target, as /metrics and alerts see it."""

import asyncio

import pytest

from hub.db import tables as t
from hub.kernel.clock import HOUR, MINUTE
from hub.sdk.errors import Throttled
from hub.sdk.tracking import Status
from hub.shipments.freshness import asking, freshness, unlisted_codes
from tests.unit.shipments.post import NP, Post

S = Status


@pytest.fixture
def post(both_worlds):
    return Post(both_worlds, NP, "meest")


def seen(post):
    rows = post.world.read(freshness, post.world.clock.now(), post.poller._pace.zone)
    return {(r.account, r.phase): r for r in rows}


def test_age_target_and_late_parcels_by_account_and_phase(post):
    for n in range(3):
        post.parcel(f"{n:04d}")
        post.says(f"{n:04d}", S.IN_TRANSIT if n else S.CREATED)
    post.parcel("9999", account="meest")
    post.says("9999", S.ARRIVED, account="meest")
    post.poll()
    post.world.clock.move(20 * MINUTE)
    found = seen(post)
    assert set(found) == {(NP, "moving"), (NP, "created"), ("meest", "waiting")}
    moving = found[NP, "moving"]
    assert (moving.parcels, moving.age_s, moving.oldest_s, moving.target_s, moving.late) == (
        2, 1_200.0, 1_200.0, 900.0, 2,
    )  # fmt: skip
    assert (found[NP, "created"].target_s, found[NP, "created"].late) == (3_600.0, 0)
    post.poll()
    assert seen(post)[NP, "moving"].late == 0


def test_a_list_of_changes_keeps_the_statuses_of_its_account_fresh(post):
    post.parcel("9999", account="meest")
    post.says("9999", S.ARRIVED, account="meest")
    post.poll()
    post.world.clock.move(HOUR)
    now = post.world.clock.now()
    row = {"account": "meest", "kind": "changes", "reached_at": now - 5 * MINUTE, "next_at": now}
    post.world.write(lambda tx: tx.execute(t.carrier_list.insert().values(**row)))
    assert seen(post)["meest", "waiting"].age_s == 301.0


def test_calls_pace_and_unlisted_codes(post):
    post.parcel("1111")
    post.says("1111", S.UNKNOWN, code="777")
    post.poll()
    post.carrier.fails = [Throttled("slow")]
    post.poll(2 * HOUR)
    now, zone = post.world.clock.now(), post.poller._pace.zone
    (ours,) = post.world.read(asking, now, zone)
    assert (ours.account, ours.calls_today, ours.pace, ours.paused) == (NP, 2, 0.5, True)
    assert post.world.read(unlisted_codes) == [("scripted", 1)]
    post.world.clock.move(24 * HOUR)
    (ours,) = post.world.read(asking, post.world.clock.now(), zone)
    assert (ours.calls_today, ours.paused) == (0, False)
    asyncio.run(post.poller.stop())
