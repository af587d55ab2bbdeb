"""People and their tasks over the API: every verb, calendars, what-if, sessions."""

import pytest

from hub.access import store as access
from hub.kernel.clock import HOUR, rfc3339
from hub.kernel.ids import first_at
from tests.integration.hubs import phone


@pytest.fixture
async def hub(sqlite_url, start):
    """Ann and Bob; nothing runs in the background."""
    return await start(sqlite_url, people_named=["Ann", "Bob"], ticks=False)


@pytest.fixture
def head(hub):
    return hub.token("head")


def staff_id(hub, name):
    return hub.one("SELECT id FROM staff WHERE name = :n", n=name)


def own_token(hub, name, role="seller"):
    return hub.token(role, staff_id(hub, name), f"token of {name}")


async def task_of(hub, number=1):
    """A new task: (its path, its person's name)."""
    status, body = await hub.form({"name": "Ivan", "phone": phone(number)})
    assert status == 201
    [(task_id, name)] = hub.rows(
        "SELECT task.id, staff.name FROM task LEFT JOIN staff ON staff.id = task.assignee_id "
        "WHERE request_id = :r",
        r=int(body["request_id"]),
    )
    return f"/tasks/{task_id}", name


async def post(hub, path, token, body=None, status=200):
    answered, told = await hub.api("POST", path, token, body or {})
    assert answered == status, told
    return told


# --- verbs -----------------------------------------------------------------------------------------------


async def test_a_task_is_put_off_finished_and_opened_again(hub):
    path, name = await task_of(hub)
    own = own_token(hub, name)
    until = rfc3339(hub.hub.clock.now() + HOUR)
    snoozed = await post(hub, f"{path}/snooze", own, {"until": until})
    assert (snoozed["state"], snoozed["snoozed_until"]) == ("snoozed", until)
    assert (await post(hub, f"{path}/accept", own))["state"] == "accepted"
    done = await post(hub, f"{path}/complete", own, {"outcome": "answered"})
    assert (done["state"], done["outcome"]) == ("done", "answered")
    again = await post(hub, f"{path}/reopen", own)
    assert (again["state"], again["assignee_id"]) == ("assigned", done["assignee_id"])
    yesterday = {"until": rfc3339(hub.hub.clock.now() - HOUR)}
    told = await post(hub, f"{path}/snooze", own, yesterday, status=422)
    assert [one["path"] for one in told["errors"]] == ["until"]


async def test_spam_costs_nothing_and_the_head_takes_it_back(hub):
    path, name = await task_of(hub)
    own = own_token(hub, name)
    voided = await post(hub, f"{path}/void", own, {"reason": "advertising"})
    assert (voided["state"], voided["outcome"]) == ("cancelled", "spam")
    await post(hub, f"{path}/undo-void", own, status=403)
    undone = await post(hub, f"{path}/undo-void", own_token(hub, name, "head"))
    assert (undone["state"], undone["assignee_id"]) == ("assigned", voided["assignee_id"])
    assert [row[0] for row in hub.rows("SELECT event FROM ledger ORDER BY seq")] == [
        "deal", "void", "undo_void",
    ]  # fmt: skip


async def test_a_released_task_goes_to_a_colleague_and_a_reassigned_one_where_it_is_sent(hub):
    path, name = await task_of(hub)
    other = {"Ann": "Bob", "Bob": "Ann"}[name]
    released = await post(hub, f"{path}/release", own_token(hub, name), {"reason": "not my language"})
    assert (released["state"], released["assignee_id"]) == ("assigned", str(staff_id(hub, other)))
    sent = {"assignee_id": str(staff_id(hub, name)), "reason": "yours after all"}
    back = await post(hub, f"{path}/reassign", own_token(hub, other), sent)
    assert back["assignee_id"] == str(staff_id(hub, name))


async def test_intercept_is_open_to_the_team_unless_it_is_switched_off(hub, head):
    path, name = await task_of(hub)
    other = {"Ann": "Bob", "Bob": "Ann"}[name]
    await post(hub, f"{path}/accept", own_token(hub, name))
    refused = await post(hub, f"{path}/claim", own_token(hub, other), status=409)
    assert refused["assignee_id"] == str(staff_id(hub, name))
    taken = await post(hub, f"{path}/claim", own_token(hub, other), {"intercept": True})
    assert taken["assignee_id"] == str(staff_id(hub, other))
    assert (await hub.api("PATCH", "/teams/sales", head, {"intercept": False}))[0] == 200
    await post(hub, f"{path}/claim", own_token(hub, name), {"intercept": True}, status=403)


async def test_why_tells_who_was_out_and_for_what_reason(hub):
    await post(hub, f"/staff/{staff_id(hub, 'Bob')}/pause", own_token(hub, "Bob"))
    path, name = await task_of(hub)
    assert name == "Ann"
    _, why = await hub.api("GET", f"{path}/why", own_token(hub, "Ann"))
    [entry] = why["entries"]
    assert [one["name"] for one in entry["eligible"]] == ["Ann"]
    assert [(one["name"], one["reason"]) for one in entry["excluded"]] == [("Bob", "paused")]


# --- calendars -------------------------------------------------------------------------------------------


async def test_shifts_exceptions_absences_and_pauses_are_set_and_shown(hub, head):
    ann = f"/staff/{staff_id(hub, 'Ann')}"
    own, other = own_token(hub, "Ann"), own_token(hub, "Bob")
    weekly = {"days": {"mon": [["22:00", "06:00"]]}, "since": "2020-01-01", "holidays_off": True}
    await post(hub, f"{ann}/shifts", own, weekly, status=403)
    set_now = await post(hub, f"{ann}/shifts", head, weekly)
    assert [one["kind"] for one in set_now["entries"]] == ["weekly"]
    await post(hub, f"{ann}/exceptions", head, {"date": "2031-03-04", "intervals": [["10:00", "11:00"]]})
    _, shown = await hub.api(
        "GET", f"{ann}/schedule?start=2031-03-03T12:00:00Z&end=2031-03-05T00:00:00Z", own
    )
    assert shown["working"] == [
        {"start": "2031-03-03T20:00:00.000Z", "end": "2031-03-04T04:00:00.000Z"},  # 22:00 to 06:00 in Kyiv
        {"start": "2031-03-04T08:00:00.000Z", "end": "2031-03-04T09:00:00.000Z"},
    ]
    await post(hub, f"{ann}/shifts/clear", head)
    away = {"start": rfc3339(hub.hub.clock.now() - HOUR), "reason": "sick"}
    await post(hub, f"{ann}/absences", other, away, status=403)
    absent = await post(hub, f"{ann}/absences", own, away)
    assert absent["away"] == "absent"
    entry = absent["entries"][-1]["id"]
    assert (await post(hub, f"{ann}/absences/{entry}/end", own))["away"] == ""
    assert (await post(hub, f"{ann}/pause", own))["away"] == "paused"
    assert (await post(hub, f"{ann}/resume", own))["away"] == ""


# --- what if ---------------------------------------------------------------------------------------------


async def test_what_if_deals_the_past_again_and_changes_nothing(hub, head):
    for number in range(8):
        await task_of(hub, number)
    ann, entries = staff_id(hub, "Ann"), hub.rows("SELECT * FROM ledger")
    status, found = await hub.api("GET", f"/teams/sales/what-if?staff_id={ann}&share=3", head)
    assert status == 200, found
    by_name = {one["name"]: one for one in found["members"]}
    assert (found["dealt"], by_name["Ann"]["received"], by_name["Bob"]["received"]) == (8, 4, 4)
    assert (by_name["Ann"]["would_have_received"], by_name["Bob"]["would_have_received"]) == (6, 2)
    assert (by_name["Ann"]["would_have_been_due"], by_name["Bob"]["would_have_been_due"]) == (6, 2)
    status, limited = await hub.api("GET", f"/teams/sales/what-if?staff_id={ann}&limit=1", head)
    assert {one["name"]: one["would_have_received"] for one in limited["members"]} == {"Ann": 1, "Bob": 7}
    later = rfc3339(hub.hub.clock.now() + HOUR)
    _, nothing = await hub.api("GET", f"/teams/sales/what-if?staff_id={ann}&share=3&start={later}", head)
    assert nothing["dealt"] == 0
    assert hub.rows("SELECT * FROM ledger") == entries
    assert hub.rows("SELECT share FROM membership") == [(1,), (1,)]


@pytest.mark.parametrize(
    ("asked", "path"),
    [("share=0", "share"), ("share=many", "share"), ("limit=-1", "limit"), ("shift=mon+9-18", "shift"), ("", None)],
)  # fmt: skip
async def test_what_if_names_what_is_wrong(hub, head, asked, path):
    ann = staff_id(hub, "Ann")
    status, told = await hub.api("GET", f"/teams/sales/what-if?staff_id={ann}&{asked}".rstrip("&"), head)
    assert status == 422
    assert path in {None, *(one["path"] for one in told["errors"])}


async def test_what_if_is_the_heads_and_about_the_team(hub, head):
    ann = staff_id(hub, "Ann")
    path = f"/teams/sales/what-if?share=2&staff_id={ann}"
    assert (await hub.api("GET", path, own_token(hub, "Ann")))[0] == 403
    stranger = await post(hub, "/staff", head, {"name": "Zoe"}, status=201)
    status, told = await hub.api("GET", f"/teams/sales/what-if?share=2&staff_id={stranger['id']}", head)
    assert (status, told["errors"][0]["path"]) == (422, "staff_id")


# --- sessions --------------------------------------------------------------------------------------------


def sign_in(hub, name, browser="Firefox"):
    """A session; its secret."""
    person = staff_id(hub, name)
    return hub.hub.db.write_now(lambda tx: access.open_session(tx, person, browser))


def signed_in(hub, secret):
    now = hub.hub.clock.now()
    return hub.hub.db.read_now(lambda conn: access.find_session(conn, secret, now)) is not None


async def test_ones_own_sessions_are_listed_and_ended(hub):
    secrets = [sign_in(hub, "Ann", browser) for browser in ("Firefox", "Telephone", "Tablet")]
    sign_in(hub, "Bob")
    own, sessions = own_token(hub, "Ann"), f"/staff/{staff_id(hub, 'Ann')}/sessions"
    _, listed = await hub.api("GET", sessions, own)
    assert [one["user_agent"] for one in listed["items"]] == ["Tablet", "Telephone", "Firefox"]
    assert not any(secret in str(listed) for secret in secrets)
    one = listed["items"][0]["id"]
    assert await post(hub, f"{sessions}/{one}/end", own) == {"ended": 1}
    assert [signed_in(hub, secret) for secret in secrets] == [True, True, False]
    await post(hub, f"{sessions}/{one}/end", own, status=404)
    assert await post(hub, f"{sessions}/end", own) == {"ended": 2}
    assert (await hub.api("GET", sessions, own))[1]["items"] == []
    assert await post(hub, f"{sessions}/end", own) == {"ended": 0}
    assert [row[0] for row in hub.rows("SELECT action FROM audit ORDER BY id")] == [
        "session_ended", "signed_out_everywhere",
    ]  # fmt: skip


async def test_sessions_of_others_are_an_administrators(hub, head):
    secret, ann = sign_in(hub, "Ann"), staff_id(hub, "Ann")
    for token in (own_token(hub, "Bob"), head, own_token(hub, "Bob", "head")):
        assert (await hub.api("GET", f"/staff/{ann}/sessions", token))[0] == 403
        await post(hub, f"/staff/{ann}/sessions/end", token, status=403)
    assert signed_in(hub, secret)
    admin = hub.token("admin")
    _, listed = await hub.api("GET", f"/staff/{ann}/sessions", admin)
    await post(
        hub, f"/staff/{staff_id(hub, 'Bob')}/sessions/{listed['items'][0]['id']}/end", admin, status=404
    )
    assert await post(hub, f"/staff/{ann}/sessions/end", admin) == {"ended": 1}
    assert not signed_in(hub, secret)
    assert (await hub.api("GET", f"/staff/{first_at(1)}/sessions", admin))[0] == 404
    assert (await hub.api("GET", "/tasks", own_token(hub, "Ann")))[0] == 200  # programs go on
