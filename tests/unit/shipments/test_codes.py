"""The list of codes that no table lists: counted, bounded, page by page, off it when the table knows them."""

from dataclasses import replace

import pytest

from hub.access.model import Actor, Role
from hub.db import tables as t
from hub.kernel.clock import HOUR
from hub.kernel.errors import AccessDenied, InputRejected, NotFound
from hub.sdk.tracking import Status
from hub.shipments import codes
from tests.unit.shipments.post import Post

S = Status
ADMIN = Actor("staff:1", frozenset({Role.ADMIN}), 1)


@pytest.fixture
def post(both_worlds):
    return Post(both_worlds)


def listed(post, limit=50, cursor=""):
    return post.world.read(codes.unknown_codes, limit, cursor)


def test_a_code_stands_there_with_its_parcels_and_a_line_for_the_table(post):
    assert listed(post) == ([], None)
    for number in ("1111", "2222"):
        post.parcel(number)
        post.says(number, S.UNKNOWN, code="80")
    post.parcel("3333")
    post.says("3333", S.IN_TRANSIT, code="5")
    post.poll()
    post.world.clock.move(HOUR)
    post.parcel("4444")
    post.says("4444", S.UNKNOWN, 30, code="80")
    post.poll()
    ([one], further) = listed(post)
    assert (one.plugin, one.code, one.words, one.told, one.parcels, further) == (
        "scripted", "80", "текст unknown", 3, 3, None,
    )  # fmt: skip
    assert one.last_seen_at - one.first_seen_at >= HOUR
    assert one.line == '"80": Status.UNKNOWN,  # текст unknown; first seen 2026-03-02'


def test_what_a_carrier_writes_is_cut_and_stays_one_line(post):
    post.parcel("1111")
    post.says("1111", S.UNKNOWN, code='9"\n')
    said = post.carrier.says["1111"]
    post.carrier.says["1111"] = replace(said, raw_text="<b>x</b>\n\u202e" + "я" * 900)
    post.poll()
    ([one], _) = listed(post)
    assert len(one.words) <= codes.SHOWN_TEXT
    assert "\n" not in one.line
    assert one.line.startswith('"9\\""')


def test_pages_go_on_where_the_last_one_ended(post):
    for at in range(5):
        post.parcel(f"111{at}")
        post.says(f"111{at}", S.UNKNOWN, code=f"c{at}")
    post.poll()
    first, further = listed(post, 2)
    second, further = listed(post, 2, further)
    third, further = listed(post, 2, further)
    found = sorted(row.code for row in (*first, *second, *third))
    assert (found, further) == (["c0", "c1", "c2", "c3", "c4"], None)
    for nonsense in ("x", "-1", "999999999999"):
        with pytest.raises(InputRejected):
            listed(post, 2, nonsense)


def test_a_code_that_is_in_the_table_now_leaves_the_list_and_is_announced_anew(post):
    post.parcel("1111")
    post.says("1111", S.UNKNOWN, code="80")
    post.poll()
    with pytest.raises(AccessDenied):
        post.world.write(codes.listed, post.seller.actor, "scripted", "80")
    post.world.write(codes.listed, ADMIN, "scripted", "80")
    assert listed(post) == ([], None)
    with pytest.raises(NotFound):
        post.world.write(codes.listed, ADMIN, "scripted", "80")
    post.world.worker("Адмін", role=Role.ADMIN, member=False)
    post.parcel("2222")
    post.says("2222", S.UNKNOWN, 9, code="80")
    post.poll(HOUR)
    assert [row.code for row in listed(post)[0]] == ["80"]
    assert [row.kind for row in post.world.rows(t.outbox, t.outbox.c.lane == "notice")][-1] == "unknown_code"
