"""What outsiders write is shown as text on every page, wherever they write it.

The pages are read by a parser, not by patterns: a script of somebody else, an attribute that runs something, an address
that is one, or a base or frame that was not ours fails the test.
"""

from html.parser import HTMLParser

import pytest
from sqlalchemy import text

from hub.access.model import Role
from hub.web.workspace.routes import PAGES

MARK = "zzz"
ATTACKS = (
    f"<script>{MARK}()</script>",
    f'"><img src=x onerror={MARK}()>',
    f"' onmouseover='{MARK}()' x='",
    f"</textarea></title></style></script><svg onload={MARK}()>",
    f"javascript:{MARK}()",
    "{{ 7*191 }}{% raw %}${7*191}",
    f"<base href=//evil.example/><iframe srcdoc=<script>{MARK}()</script>>",
    f"\u202e<a href=data:text/html,{MARK}>x</a>",
)
EVERYTHING = " ".join(ATTACKS)
OWN_SCRIPTS = ("/static/htmx.min.js", "/static/hub.js")
ADDRESSES = {"href", "src", "action", "formaction", "srcdoc", "data", "hx-get", "hx-post", "poster"}


class Reader(HTMLParser):
    """Collects what would run or lead elsewhere."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.seen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.seen += 1
        if tag == "script" and not values.get("src", "").startswith(OWN_SCRIPTS):
            self.found.append(f"<script {values}>")
        if tag in {"base", "object", "embed"} or (tag == "iframe" and "srcdoc" in values):
            self.found.append(f"<{tag} {values}>")
        for name, value in values.items():
            if name.startswith("on") or (name == "style" and MARK in value):
                self.found.append(f"{tag} {name}={value}")
            leads = value.strip().lower()
            if name in ADDRESSES and leads.startswith(("javascript:", "data:", "vbscript:", "//evil")):
                self.found.append(f"{tag} {name}={value}")


def dangers(page: str) -> list[str]:
    """What a browser would run."""
    reader = Reader()
    reader.feed(page)
    assert reader.seen > 5
    return reader.found


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_reader_sees_what_would_run(attack):
    """The check itself can fail: each attack that is markup, put in unescaped, is found."""
    where = {
        f"javascript:{MARK}()": f'<a href="{attack}">',
        f"' onmouseover='{MARK}()' x='": f"<p title='{attack}'>",
    }
    page = "<p><p><p><p><p><p>" + where.get(attack, f'<input value="">{attack}')
    assert bool(dangers(page)) == ("7*191" not in attack)


async def attacked(web_hub):
    """A hub in which every field that an outsider or a colleague fills holds attacks; paths of all its pages."""
    head = web_hub.add("Head", Role.ADMIN)
    seller = web_hub.add(f"Olena {EVERYTHING}"[:100])
    phone = "+380671234567"
    request_id = await web_hub.send_form(
        name=EVERYTHING[:190], phone=phone, message=EVERYTHING, organisation=EVERYTHING[:190],
        page=f"https://shop.example/{EVERYTHING}", utm_source=EVERYTHING[:90], **{EVERYTHING[:60]: EVERYTHING},
    )  # fmt: skip
    person = await web_hub.signed_in(head)
    task = web_hub.task_of(request_id)
    await person.submit(f"/requests/{request_id}", f"/tasks/{task.id}/accept")
    new = f"/orders/new?request={request_id}"
    shown = await person.get(new)
    fields = shown.form("/orders/new")
    made = await person.post(
        "/orders/new",
        {
            **fields, "request_id": request_id, "responsible_id": str(seller), "payment": "cod", "note": EVERYTHING,
            "line_name": EVERYTHING[:190], "name": EVERYTHING[:190], "kind": "goods", "quantity": "1", "unit": "pcs",
            "price": "10", "wanted": "",
        },
    )  # fmt: skip
    assert made.path.startswith("/orders/"), made.words[:400]
    order_id = made.path.removeprefix("/orders/")
    web_hub.hub.db.write_now(lambda tx: spoil(tx, int(order_id), int(request_id)))
    contact = web_hub.hub.db.read_now(
        lambda conn: conn.execute(text("SELECT contact_id FROM request")).scalar_one()
    )
    return person, {
        "/tasks/{id}": task.id, "/tasks/{id}/why": task.id, "/requests/{id}": request_id, "/orders/{id}": order_id,
        "/people/{id}": seller, "/messages/{id}/html": None, "/files/{id}": None, "/contacts/{id}": contact,
        "/routes/{name}": "parcel", "/shipments/{id}": None,
    }  # fmt: skip


def spoil(tx, order_id, request_id):
    """What carriers and providers say, in columns that only they fill."""
    now = tx.now
    tx.execute(
        text(
            "INSERT INTO shipment (id, number, account, plugin, order_id, relation, status, raw_code, raw_text, place,"
            " money_status, cod, currency, facts, final, phase, created_at, updated_at, actor, correlation_id, problem,"
            " problem_text) VALUES (:id, :number, 'nova-poshta', 'nova_poshta', :order_id, 'outbound', 'unknown', :bad,"
            " :bad, :bad, 'expected', :yes, 'UAH', '{}', :no, 'moving', :now, :now, 'test', 1, 'bad_number', :bad)"
        ),
        {
            "id": tx.new_id(), "number": ATTACKS[1][:90], "order_id": order_id, "bad": EVERYTHING[:190], "yes": True,
            "no": False, "now": now,
        },
    )  # fmt: skip
    tx.execute(text("UPDATE account SET last_error = :bad"), {"bad": EVERYTHING})
    tx.execute(
        text("UPDATE request SET subject = :bad WHERE id = :id"), {"bad": EVERYTHING, "id": request_id}
    )


async def test_no_page_runs_what_an_outsider_wrote(web_hub):
    person, paths = await attacked(web_hub)
    looked = 0
    shown_anywhere = ""
    for page in PAGES:
        if page.method != "GET" or page.path.startswith(("/welcome", "/forgot", "/live", "/notices/bell")):
            continue
        path = page.path
        if "{" in path:
            value = paths.get(path)
            if value is None:
                continue
            path = path.replace("{id}", str(value)).replace("{name}", str(value))
        for query in ("", "?view=board", f"?q={MARK}"):
            answer = await person.get(path + query)
            if "text/html" not in answer.headers["Content-Type"]:
                break
            assert answer.status in {200, 422}, (path, answer.status)
            assert dangers(answer.text) == [], path + query
            assert "1337" not in answer.words, path  # 7*191: no template ran
            shown_anywhere += answer.text
            looked += 1
    assert looked > 25
    assert f"&lt;script&gt;{MARK}()" in shown_anywhere  # it was there to be seen
