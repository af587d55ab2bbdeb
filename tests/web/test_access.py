"""People and their access: invitations, roles, sessions, the audit log, the calendar's address."""

from datetime import UTC, datetime
from typing import Any

import pytest
from icalendar import Calendar

from hub.access import store as access
from hub.access.model import Role
from hub.assignment import schedules
from hub.staff import store as staff
from tests.web.conftest import WebHub

ADDRESS = r"http://[\w.:]+(/welcome/[\w-]+)"
PASSWORD = {"password": "correct horse battery", "password2": "correct horse battery"}


def audited(web_hub: WebHub) -> list[tuple[str, str]]:
    rows = web_hub.hub.db.read_now(access.audit_log)
    return [(row.action, row.target) for row in reversed(rows)]


def link_in(text: str) -> str:
    import re

    found = re.search(ADDRESS, text)
    assert found is not None
    return found[1]


async def choose_password(browser: Any, link: str) -> Any:
    token = (await browser.get(link)).form("/language")["csrf"]
    return await browser.post(link, {"csrf": token, **PASSWORD})


async def test_a_head_invites_a_seller_who_then_signs_in(web_hub):
    head = await web_hub.signed_in(web_hub.add("Head", Role.HEAD))
    team = web_hub.hub.db.read_now(staff.teams)[0].id
    shown = await head.submit("/people/new", "/people/new", name="Taras Melnyk", team=str(team), share="2")
    assert shown.status == 200
    link = link_in(shown.text)
    again = await head.get("/people")
    assert link not in again.text
    newcomer = await web_hub.browser()
    welcomed = await choose_password(newcomer, link)
    assert welcomed.path == "/"
    assert "Taras Melnyk" in welcomed.words
    assert (await newcomer.get(link)).status == 404
    person = web_hub.hub.db.read_now(lambda conn: staff.find(conn, "Taras Melnyk"))
    assert person.roles == {Role.SELLER}
    assert person.memberships[0].share == 2
    told = audited(web_hub)
    for action in ("staff_added", "link_made", "password_set", "signed_in"):
        assert (action, str(person.id)) in told


async def test_a_head_makes_nobody_a_head(web_hub):
    head = await web_hub.signed_in(web_hub.add("Head", Role.HEAD))
    await head.submit("/people/new", "/people/new", name="Taras", share="1", admin="1", head="1")
    person = web_hub.hub.db.read_now(lambda conn: staff.find(conn, "Taras"))
    assert person.roles == {Role.SELLER}


async def test_a_head_makes_no_link_for_an_administrator(web_hub):
    """Else he could sign in as one."""
    admin = web_hub.add("Boss", Role.ADMIN)
    head = await web_hub.signed_in(web_hub.add("Head", Role.HEAD))
    token = (await head.get("/")).form("/language")["csrf"]
    for act in ("link", "close"):
        answer = await head.post(f"/people/{admin}/{act}", {"csrf": token})
        assert answer.status == 403, act
    assert ("link_made", str(admin)) not in audited(web_hub)


async def test_a_link_for_a_new_password_ends_the_other_sessions(web_hub):
    seller = web_hub.add("Olena")
    elsewhere = await web_hub.signed_in(seller)
    head = await web_hub.signed_in(web_hub.add("Head", Role.HEAD))
    link = link_in((await head.submit(f"/people/{seller}", f"/people/{seller}/link")).text)
    assert (await elsewhere.get("/")).path == "/"
    browser = await web_hub.browser()
    assert (await choose_password(browser, link)).path == "/"
    assert (await elsewhere.get("/")).path == "/sign-in"


async def test_an_administrator_gives_several_roles(web_hub):
    seller = web_hub.add("Olena")
    admin = await web_hub.signed_in(web_hub.add("Boss", Role.ADMIN))
    done = await admin.submit(f"/people/{seller}", f"/people/{seller}/roles", seller="1", head="1")
    assert "The roles are given." in done.words
    assert web_hub.hub.db.read_now(lambda conn: staff.get(conn, seller)).roles == {Role.SELLER, Role.HEAD}
    log = await admin.get("/audit")
    assert "gave roles" in log.words
    assert "before: seller; now: head, seller" in log.words
    none = await admin.submit(f"/people/{seller}", f"/people/{seller}/roles")
    assert none.status == 409
    assert "at least one role" in none.words


async def test_the_last_administrator_keeps_his_role(web_hub):
    me = web_hub.add("Boss", Role.ADMIN)
    admin = await web_hub.signed_in(me)
    refused = await admin.submit(f"/people/{me}", f"/people/{me}/roles", seller="1")
    assert refused.status == 409
    assert web_hub.hub.db.read_now(lambda conn: staff.get(conn, me)).roles == {Role.ADMIN}


async def test_ones_sessions_are_listed_and_ended(web_hub):
    seller = web_hub.add("Olena")
    one, other, third = [await web_hub.signed_in(seller) for _ in range(3)]
    stranger = web_hub.add("Taras")
    await web_hub.signed_in(stranger)
    shown = await one.get("/me")
    assert "Where you are signed in 3" in shown.words
    import re

    targets = re.findall(r'action="(/me/sessions/\d+/end)"', shown.text)
    assert len(targets) == 2
    ended = await one.submit("/me", targets[0])
    assert "The session has ended." in ended.words
    assert sorted([(await other.get("/")).path, (await third.get("/")).path]) == ["/", "/sign-in"]
    assert (await one.submit("/me", "/me/sessions/end")).status == 200
    assert (await other.get("/")).path == (await third.get("/")).path == "/sign-in"
    foreign = web_hub.hub.db.read_now(
        lambda conn: access.sessions_of(conn, stranger, web_hub.hub.clock.now())
    )
    token = shown.form("/me/calendar")["csrf"]
    assert (await one.post(f"/me/sessions/{foreign[0].id}/end", {"csrf": token})).status == 404


async def test_an_administrator_signs_somebody_out_everywhere(web_hub):
    seller, boss, head = web_hub.add("Olena"), web_hub.add("Boss", Role.ADMIN), web_hub.add("Head", Role.HEAD)
    browsers = [await web_hub.signed_in(seller) for _ in range(2)]
    admin, leads = await web_hub.signed_in(boss), await web_hub.signed_in(head)
    target = f"/people/{seller}/sessions/end"
    assert target not in (await leads.get(f"/people/{seller}")).text
    shown = await admin.submit(f"/people/{seller}", target)
    assert "Signed out everywhere." in shown.words
    assert {(await one.get("/")).path for one in browsers} == {"/sign-in"}
    assert target not in shown.text  # nothing is left to end
    assert "ended all sessions of a person" in (await admin.get("/audit")).words


async def test_a_failed_sign_in_is_in_the_audit_log_without_what_was_typed(web_hub):
    web_hub.add("Olena")
    browser = await web_hub.browser()
    await browser.submit("/sign-in", "/sign-in", login="olena", password="a wrong password")
    await browser.submit("/sign-in", "/sign-in", login="somebody-else", password="a wrong password")
    rows = [row for row in web_hub.hub.db.read_now(access.audit_log) if row.action == "sign_in_failed"]
    person = web_hub.hub.db.read_now(lambda conn: staff.find(conn, "olena"))
    assert [row.target for row in rows] == ["", str(person.id)]
    assert "somebody-else" not in repr(rows)


async def test_who_forgot_his_password_is_told_whom_to_ask(web_hub):
    browser = await web_hub.browser()
    shown = await browser.get("/sign-in")
    assert 'href="/forgot"' in shown.text
    assert "one-time link" in (await browser.get("/forgot")).words


# --- the calendar's address ------------------------------------------------------------------------------


async def calendar_of(browser: Any, address: str, etag: str = "") -> Any:
    headers = {"If-None-Match": etag} if etag else {}
    async with browser.client.get(address, headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


async def feed_of(web_hub: WebHub, staff_id: int) -> str:
    import re

    person = await web_hub.signed_in(staff_id)
    shown = await person.submit("/me", "/me/calendar")
    found = re.search(r"http://[\w.:]+(/calendar/[\w-]+\.ics)", shown.text)
    assert found is not None
    return found[1]


async def test_the_calendar_holds_tasks_next_contacts_and_shifts(web_hub):
    seller = web_hub.add("Olena")
    person = await web_hub.signed_in(seller)
    task = web_hub.task_of(
        await web_hub.send_form(name="Ivan Franko", phone="+380671234567", message="Is it in stock?")
    )
    await person.submit("/", f"/tasks/{task.id}/accept")  # what is accepted stays his, whatever the hour

    def shifts(tx: Any) -> None:
        from hub.access.model import system

        today = datetime.now(UTC).date()
        days = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
        schedules.set_weekly(tx, system("test"), seller, days, today)

    web_hub.hub.db.write_now(shifts)
    address = await feed_of(web_hub, seller)
    calendar = await web_hub.browser()
    status, headers, body = await calendar_of(calendar, address)
    assert status == 200
    assert headers["Content-Type"].startswith("text/calendar")
    read = Calendar.from_ical(body)
    titles = [str(event["summary"]) for event in read.walk("VEVENT")]
    assert any("Is it in stock?" in title and "Ivan Franko" in title for title in titles)
    assert titles.count("Shift") >= 27
    assert b"380671234567" not in body
    assert all(event.decoded("dtstart") < event.decoded("dtend") for event in read.walk("VEVENT"))


async def test_the_same_calendar_is_not_sent_twice(web_hub):
    seller = web_hub.add("Olena")
    address = await feed_of(web_hub, seller)
    calendar = await web_hub.browser()
    _, headers, _ = await calendar_of(calendar, address)
    status, _, body = await calendar_of(calendar, address, headers["ETag"])
    assert (status, body) == (304, b"")
    await web_hub.send_form(name="Ivan", phone="+380671234567", message="Hello")
    assert (await calendar_of(calendar, address, headers["ETag"]))[0] == 200


@pytest.mark.parametrize("how", ["revoked", "made anew", "left"])
async def test_an_ended_address_opens_nothing(web_hub, how):
    seller = web_hub.add("Olena")
    address = await feed_of(web_hub, seller)
    if how == "left":
        from hub.access.model import system
        from hub.assignment.members import close_staff

        web_hub.hub.db.write_now(lambda tx: close_staff(tx, system("test"), seller))
    else:
        person = await web_hub.signed_in(seller)
        await person.submit("/me", "/me/calendar/revoke" if how == "revoked" else "/me/calendar")
    assert (await calendar_of(await web_hub.browser(), address))[0] == 404
