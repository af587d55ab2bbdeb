"""Cards in the workspace: found, made, changed, attached; merged and taken apart by who leads, told beforehand."""

import pytest

from hub.access.model import Role
from hub.db.tables import contact, request
from tests.web.conftest import Person, WebHub

OLENA = {"name": "Олена", "phone": "+380671234567", "message": "Чи є в наявності?"}
BY_MAIL = {"name": "", "email": "olena@example.com", "message": "Ще одне питання"}
BOTH = {"phone": OLENA["phone"], "email": BY_MAIL["email"], "message": "це я"}


def card_of(web_hub: WebHub, request_id: int) -> int:
    query = request.select().where(request.c.id == request_id)
    return int(web_hub.hub.db.read_now(lambda conn: conn.execute(query).one()).contact_id)


@pytest.fixture
async def doubled(web_hub: WebHub) -> tuple[WebHub, Person, int, int]:
    """A head, and two cards of one customer that a message named together."""
    head = await web_hub.signed_in(web_hub.add("Nina", Role.HEAD))
    one = card_of(web_hub, int(await web_hub.send_form(**OLENA)))
    other = card_of(web_hub, int(await web_hub.send_form(**BY_MAIL)))
    await web_hub.send_form(**BOTH)
    assert one != other
    return web_hub, head, one, other


async def test_an_empty_hub_says_what_to_do(web_hub):
    head = await web_hub.signed_in(web_hub.add("Nina", Role.HEAD))
    assert "No contacts yet" in (await head.get("/contacts")).words
    assert "Nobody fits" in (await head.get("/contacts?q=0671234567")).words
    assert "No probable doubles" in (await head.get("/contacts/doubles")).words
    assert (await head.get("/contacts/404")).status == 404


async def test_a_card_is_found_and_shows_what_belongs_to_it(doubled):
    _, head, one, other = doubled
    for asked, found in (("олена", one), ("4567", one), ("olena@", other)):
        page = await head.get(f"/contacts?q={asked}")
        assert f'href="/contacts/{found}"' in page.text, asked
    shown = await head.get(f"/contacts/{one}")
    for words in (
        "Олена",
        "+380 67 123 45 67",
        "Чи є в наявності?",
        "Probably the same",
        "One message named details",
    ):
        assert words in shown.words, words
    made = await head.submit(
        f"/orders/new?contact={one}", "/orders/new", payment="cod", name_0="Чоботи", price_0="10"
    )
    assert made.path.startswith("/orders/"), made.words
    assert f'href="/contacts/{one}"' in made.text, "the order leads to its card"
    assert "№ 1001" in (await head.get(f"/contacts/{one}")).words


async def test_merging_is_told_first_then_done_then_undone(doubled):
    _, head, one, other = doubled
    listed = await head.get("/contacts/doubles")
    assert f"/contacts/{min(one, other)}/merge?with={max(one, other)}" in listed.text
    asked = f"/contacts/{one}/merge?with={other}"
    told = await head.get(asked)
    assert "1 telephone, e-mail or chat goes to the remaining card" in told.words
    assert "this one takes none" in told.words
    merged = await head.submit(asked, f"/contacts/{one}/merge", reason="та сама")
    assert "The cards are merged" in merged.words
    for words in ("olena@example.com", "Ще одне питання", "та сама", "Another card was merged into this one"):
        assert words in merged.words, words
    assert "Probably the same" not in merged.words
    assert "No probable doubles" in (await head.get("/contacts/doubles")).words
    gone = await head.get(f"/contacts/{other}")
    assert "This card was merged into another" in gone.words
    undo = f"/contacts/{other}/unmerge"
    told = await head.get(undo)
    assert "This open request takes further messages again" in told.words
    apart = await head.submit(undo, undo, reason="помилка")
    assert "The merge is undone" in apart.words
    assert "olena@example.com" in apart.words
    assert "Ще одне питання" not in (await head.get(f"/contacts/{one}")).words
    assert "Probably the same" in apart.words
    assert "nothing to undo" in (await head.get(undo)).words


async def test_two_different_people_leave_the_list(doubled):
    web_hub, head, one, other = doubled
    first = min(one, other)
    answer = await head.submit("/contacts/doubles", f"/contacts/{first}/different")
    assert "You are not asked again" in answer.words
    assert "No probable doubles" in answer.words
    await web_hub.send_form(**BOTH | {"message": "знову я"})
    assert "No probable doubles" in (await head.get("/contacts/doubles")).words


async def test_a_seller_sees_the_doubt_and_decides_nothing(doubled):
    web_hub, _, one, other = doubled
    seller = await web_hub.signed_in(web_hub.add("Olena"))
    shown = await seller.get(f"/contacts/{one}")
    assert "The head of sales decides" in shown.words
    assert "/merge" not in shown.text
    assert "/different" not in shown.text
    for path in ("/contacts/doubles", f"/contacts/{one}/merge", f"/contacts/{other}/unmerge"):
        assert (await seller.get(path)).status == 403, path


async def test_a_merge_that_somebody_else_overtook_is_refused_in_a_sentence(doubled):
    _, head, one, other = doubled
    asked = f"/contacts/{one}/merge?with={other}"
    form = (await head.get(asked)).form(f"/contacts/{one}/merge")
    await head.submit(f"/contacts/{one}", f"/contacts/{one}", name="Олена П.", note="VIP")
    late = await head.post(f"/contacts/{one}/merge", form)
    assert late.status == 412
    assert "The card was changed by somebody else" in late.words
    again = await head.submit(asked, f"/contacts/{one}/merge")
    assert "The cards are merged" in again.words
    assert "itself" in (await head.get(f"/contacts/{one}/merge?with={one}")).words


async def test_a_card_is_made_changed_and_attached(web_hub):
    seller = await web_hub.signed_in(web_hub.add("Olena"))
    new = "/contacts/new"
    firm = await seller.submit(new, new, kind="organisation", organisation="ТОВ Дім", phone="044 123 45 67")
    assert "The card is made" in firm.words
    person = await seller.submit(
        f"{new}?organisation={firm.path.rpartition('/')[2]}", new, name="Петро", position="директор"
    )
    assert "ТОВ Дім" in person.words
    assert "директор" in person.words
    assert "Петро" in (await seller.get(firm.path)).words
    wrong = await seller.submit(new, new, kind="person", name="Хтось", phone="12")
    assert wrong.status == 422
    assert "This is no telephone number" in wrong.words
    taken = await seller.submit(new, new, kind="person", name="Хтось", phone="0441234567")
    assert taken.status == 409
    assert "Another contact has this phone" in taken.words
    changed = await seller.submit(
        person.path, person.path, phone="0501234567", note="дзвонити зранку", name="Петро"
    )
    assert "+380 50 123 45 67" in changed.words
    assert "дзвонити зранку" in changed.words
    gone = await seller.submit(person.path, f"{person.path}/organisation", do="detach")
    assert "belongs to no organisation now" in gone.words
    nothing = await seller.submit(person.path, f"{person.path}/organisation", do="attach", organisation="")
    assert nothing.status == 422


async def test_a_request_leads_to_its_card(web_hub):
    seller = await web_hub.signed_in(web_hub.add("Olena"))
    request_id = await web_hub.send_form(**OLENA)
    [row] = web_hub.hub.db.read_now(lambda conn: conn.execute(contact.select()).all())
    assert f'href="/contacts/{row.id}"' in (await seller.get(f"/requests/{request_id}")).text
