"""Requests by hand, putting off, next contacts, the board, people's pages, evenness; live updates."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.access.model import Role
from hub.db.tables import request as requests
from hub.staff import store as staff

CUSTOMER = {"name": "Ivan Franko", "phone": "+380671234567", "message": "Is it in stock?"}


async def test_a_call_noted_by_hand_is_dealt_with_its_notes_and_date(web_hub):
    me = web_hub.add("Olena")
    person = await web_hub.signed_in(me)
    shown = await person.submit(
        "/requests/new", "/requests/new", name="Ivan Franko", phone="067 123 45 67", subject="Boots, size 42",
        text="Wants a pair by Friday", source="visit", priority="2", next_contact="2030-01-02T10:30",
    )  # fmt: skip
    assert shown.path.startswith("/requests/")
    for told in ("Boots, size 42", "Wants a pair by Friday", "Visit", "High", "+380 67 123 45 67"):
        assert told in shown.words, told
    row = web_hub.hub.db.read_now(lambda conn: conn.execute(requests.select()).one())
    assert row.next_contact_at == int(datetime(2030, 1, 2, 8, 30, tzinfo=UTC).timestamp() * 1000)
    assert web_hub.task_of(str(row.id)).assignee_id == me


async def test_a_request_by_hand_without_a_contact_says_what_is_missing(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    refused = await person.submit(
        "/requests/new", "/requests/new", subject="Boots", source="phone", priority="0"
    )
    assert refused.status == 422
    assert "Give a name, a telephone or an e-mail" in refused.words
    assert 'value="Boots"' in refused.text


async def test_every_open_request_has_a_date_of_next_contact(web_hub):
    web_hub.add("Olena")
    await web_hub.send_form(**CUSTOMER)
    rows = web_hub.hub.db.read_now(lambda conn: conn.execute(requests.select()).all())
    assert all(row.next_contact_at is not None for row in rows)


async def test_the_next_contact_is_changed_on_the_request(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**CUSTOMER)
    page = f"/requests/{request_id}"
    done = await person.submit(page, f"{page}/next-contact", at="2030-01-02T10:30")
    assert "The next contact is set." in done.words
    assert "Jan 2, 2030" in done.words
    assert (await person.submit(page, f"{page}/next-contact", at="tomorrow")).status == 422


async def test_a_task_is_put_off_and_stands_apart(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    task = web_hub.task_of(await web_hub.send_form(**CUSTOMER))
    await person.submit("/", f"/tasks/{task.id}/snooze", **{"for": "3h"})
    home = await person.get("/")
    assert "For you, by urgency" not in home.words
    assert re.search(r"Put off 1 .*Is it in stock\?", home.words)


async def test_the_urgent_stands_first_with_its_reason(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    old = web_hub.task_of(await web_hub.send_form(**{**CUSTOMER, "message": "The old one"}))
    await person.submit(f"/requests/{old.request_id}", f"/tasks/{old.id}/accept")
    await web_hub.send_form(name="Lesia", phone="+380502223344", message="The new one")
    home = await person.get("/")
    assert home.words.index("The new one") < home.words.index("The old one")
    assert "React by" in home.words


async def test_of_two_who_take_a_task_one_is_told_who_has_it(web_hub):
    one, two = web_hub.add("Olena"), web_hub.add("Taras")
    first, second = await web_hub.signed_in(one), await web_hub.signed_in(two)
    task = web_hub.task_of(await web_hub.send_form(**CUSTOMER))
    holder, other = (first, second) if task.assignee_id == one else (second, first)
    page = f"/requests/{task.request_id}"
    stale = (await other.get(page)).form(f"/tasks/{task.id}/claim")
    await holder.submit(page, f"/tasks/{task.id}/accept")
    refused = await other.post(f"/tasks/{task.id}/claim", stale)
    assert refused.status == 409
    name = "Olena" if task.assignee_id == one else "Taras"
    assert f"{name} has this task now." in refused.words


async def test_the_board_shows_each_task_in_the_column_of_its_state(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    task = web_hub.task_of(await web_hub.send_form(**CUSTOMER))
    board = await person.get("/tasks?view=board")
    assert re.search(r"Not accepted yet 1 Is it in stock\?", board.words)
    await person.submit(f"/requests/{task.request_id}", f"/tasks/{task.id}/accept")
    assert re.search(r"In work 1 Is it in stock\?", (await person.get("/tasks?view=board")).words)


async def test_a_pause_takes_one_out_and_back(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    paused = await person.submit("/", "/people/pause")
    assert "Paused: you are dealt no new tasks" in paused.words
    await web_hub.send_form(**CUSTOMER)
    assert "Queue 1" in (await person.get("/")).words
    back = await person.submit("/", "/people/resume")
    assert "You are dealt tasks" in back.words
    assert "Queue 0" in back.words


async def test_the_head_sets_shifts_and_the_week_shows_them(web_hub):
    seller = web_hub.add("Olena")
    head = await web_hub.signed_in(web_hub.add("Head", Role.HEAD))
    hours = {
        f"{day}_{end}": time for day in ("mon", "tue") for end, time in (("from", "09:00"), ("to", "17:30"))
    }
    page = f"/people/{seller}"
    done = await head.submit(page, f"{page}/shifts", since="2026-01-01", holidays="1", **hours)
    assert "The shifts are set." in done.words
    week = await head.get("/people")
    assert week.words.count("09:00–17:30") == 2
    half = await head.submit(page, f"{page}/shifts", since="2026-01-01", mon_from="09:00")
    assert half.status == 422
    assert "Give both times" in half.words


async def test_an_absence_is_recorded_shown_and_ended(web_hub):
    seller = web_hub.add("Olena")
    person = await web_hub.signed_in(seller)
    page = f"/people/{seller}"
    done = await person.submit(page, f"{page}/absence", reason="sick", start="", end="")
    assert "The absence is recorded." in done.words
    assert "You are recorded as absent" in (await person.get("/")).words
    assert "absent" in (await person.get("/people")).words
    target = re.search(rf'action="({page}/absence/\d+/end)"', done.text)
    assert target is not None
    back = await person.submit(page, target[1])
    assert "The absence has ended." in back.words
    assert "You are dealt tasks" in (await person.get("/")).words


async def test_share_and_limit_are_changed_by_the_head_only(web_hub):
    seller = web_hub.add("Olena")
    head = await web_hub.signed_in(web_hub.add("Head", Role.HEAD))
    page = f"/people/{seller}"
    done = await head.submit(page, f"{page}/member", share="3", limit="5", languages="uk, en")
    assert "Changed from now on." in done.words
    member = web_hub.hub.db.read_now(lambda conn: staff.get(conn, seller)).memberships[0]
    assert (member.share, member.limit) == (3, 5)
    refused = await head.submit(page, f"{page}/member", share="0", limit="")
    assert refused.status == 422
    assert "A share is a whole number from 1 to 1000" in refused.words
    other = await web_hub.signed_in(seller)
    assert f'action="{page}/member"' not in (await other.get(page)).text


async def test_evenness_shows_everybody_and_what_a_change_would_have_done(web_hub):
    for name in ("Olena", "Taras"):
        web_hub.add(name)
    head = await web_hub.signed_in(web_hub.add("Head", Role.HEAD))
    for number in range(6):
        await web_hub.send_form(name="Ivan", phone=f"+38067123450{number}", message=f"Number {number}")
    shown = await head.get("/evenness")
    assert "Even." in shown.words
    assert shown.text.count('class="received"') >= 4  # three rows and the legend
    member = re.search(r'<option value="(\d+)">Olena</option>', shown.text)
    assert member is not None
    tried = await head.get(f"/evenness?period=30&member={member[1]}&share=4")
    assert "would have gone to somebody else" in tried.words
    row = re.search(r"Olena 2\.0 (\d\.\d) \+(\d\.\d\d)", tried.words)
    assert row is not None
    assert float(row[1]) >= 3
    wrong = await head.get(f"/evenness?period=30&member={member[1]}&share=none")
    assert "A share is a whole number" in wrong.words
    seller = await web_hub.signed_in(web_hub.add("Petro"))
    assert "What if?" not in (await seller.get(f"/evenness?member={member[1]}&share=4")).words


# --- live --------------------------------------------------------------------------------------------------


async def next_event(stream: Any) -> str:
    async with asyncio.timeout(5):
        while True:
            line = (await stream.content.readline()).decode().strip()
            if line.startswith("data: "):
                return line.removeprefix("data: ")


async def test_an_open_page_is_told_of_a_new_task_within_a_second(web_hub):
    person = await web_hub.signed_in(web_hub.add("Olena"))
    async with person.client.get("/live", headers=person.headers) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert (await stream.content.readline()) == b"retry: 2000\n"
        started = datetime.now(UTC)
        request_id = await web_hub.send_form(**CUSTOMER)
        told = await next_event(stream)
        assert datetime.now(UTC) - started < timedelta(seconds=1)
        assert f"task:{web_hub.task_of(request_id).id}" in told.split()
        assert "Ivan" not in told


async def test_boards_that_come_again_share_one_reading_until_something_changes(web_hub, monkeypatch):
    from hub.web.workspace import queries

    read, real = [], queries.board

    def counted(*given, **how):
        read.append(1)
        return real(*given, **how)

    monkeypatch.setattr(queries, "board", counted)
    people = [await web_hub.signed_in(web_hub.add(name)) for name in ("Olena", "Taras", "Ivan")]
    path = "/tasks?view=board"

    async def renew():
        for person in people:
            person.headers["HX-Request"] = "true"
        return [await person.get(path) for person in people]

    await web_hub.send_form(name="Ivan", phone="+380671234501", message="The first")
    assert all("The first" in one.text for one in await renew())
    assert len(read) == 3  # no page is open here: nobody would tell, nothing is shared
    async with people[0].client.get("/live") as stream:
        await stream.content.readuntil(b"\n\n")
        read.clear()
        shown = await renew()
        assert len(read) == 1
        assert len({one.text for one in shown}) == 1
        assert shown[0].text.count('id="live"') == 1
        assert "<html" not in shown[0].text
        assert "Olena" in shown[0].text  # who has it
        assert "csrf" not in shown[0].text
        await web_hub.send_form(name="Ivan", phone="+380671234502", message="The second")
        while b"changed" not in await stream.content.readuntil(b"\n\n"):
            pass
        assert all("The second" in one.text for one in await renew())
        assert len(read) == 2
        ukrainian = await web_hub.signed_in(web_hub.add("Lesia"), "uk")
        ukrainian.headers["HX-Request"] = "true"
        assert (await ukrainian.get(path)).text not in {one.text for one in await renew()}


async def test_the_stream_ends_with_the_hub(web_hub):
    from hub.web.workspace.live import BOARDS

    person = await web_hub.signed_in(web_hub.add("Olena"))
    async with person.client.get("/live", headers=person.headers) as stream:
        assert stream.status == 200
        await web_hub.server.app[BOARDS].close()
        async with asyncio.timeout(5):
            assert b"retry" in await stream.read()


async def test_a_person_opens_no_more_streams_than_he_can_look_at(web_hub):
    from hub.web.workspace.live import A_PERSON

    person = await web_hub.signed_in(web_hub.add("Olena"))
    opened = [await person.client.get("/live", headers=person.headers) for _ in range(A_PERSON)]
    assert {one.status for one in opened} == {200}
    async with person.client.get("/live", headers=person.headers) as refused:
        assert refused.status == 429
    for one in opened:
        one.close()
