"""Contacts by the API: cards, persons of an organisation, doubles, merging; and erasing what was merged."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.hubs import Running, phone
from tests.integration.test_personal import everything

MAIL = "oksana@example.com"
NAME, NOTE, REASON = "Оксана Прізвищенко", "живе на Рахівській", "це та сама Прізвищенко"


@pytest.fixture
async def hub(hub_url: str, start: Any) -> Running:
    return await start(hub_url)


@pytest.fixture
async def lite(sqlite_url: str, start: Any) -> Running:
    return await start(sqlite_url)


async def card(hub: Running, token: str, **values: Any) -> dict[str, Any]:
    status, made = await hub.api("POST", "/contacts", token, values)
    assert status == 201, made
    return made


async def test_cards_are_made_found_and_changed(lite: Running):
    seller = lite.token("seller")
    made = await card(lite, seller, name=NAME, phone="067 111 22 33", note=NOTE)
    assert made["identities"] == [{"kind": "phone", "value": "+380671112233"}]
    status, taken = await lite.api("POST", "/contacts", seller, {"name": "Інша", "phone": "+380671112233"})
    assert (status, taken["contact_id"], taken["detail"]) == (
        409,
        made["id"],
        "another contact has this phone",
    )
    assert (await lite.api("POST", "/contacts", seller, {}))[0] == 422
    for query in ("q=прізв", "q=2233", "phone=0671112233", "name=Оксана", "kind=person"):
        _, found = await lite.api("GET", f"/contacts?{query}", seller)
        assert [one["id"] for one in found["items"]] == [made["id"]], query
    path, version = f"/contacts/{made['id']}", made["version"]
    status, changed = await lite.api(
        "PATCH", path, seller, {"email": MAIL, "note": "інше"}, If_Match=f'"{version}"'
    )
    assert (status, changed["note"], len(changed["identities"])) == (200, "інше", 2)
    assert (await lite.api("PATCH", path, seller, {"name": "Х"}, If_Match=f'"{version}"'))[0] == 412
    assert (await lite.api("PATCH", path, seller, {"organisation_id": made["id"]}))[0] == 409


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"phone": "abc"}, ["phone"]),
        ({"name": "x", "email": "@", "phone": "1"}, ["phone", "email"]),
        ({}, ["name"]),
    ],
)
async def test_what_is_wrong_in_a_card_is_named_where_it_stands(lite: Running, given: Any, paths: Any):
    seller = lite.token("seller")
    status, answer = await lite.api("POST", "/contacts", seller, given)
    assert (status, [one["path"] for one in answer["errors"]]) == (422, paths)


async def test_persons_of_an_organisation(lite: Running):
    seller = lite.token("seller")
    firm = await card(lite, seller, kind="organisation", organisation="ТОВ Дім")
    made = [
        await card(lite, seller, name=f"N{n}", organisation_id=firm["id"], position="?") for n in range(3)
    ]
    path = f"/contacts/{firm['id']}/persons"
    _, first = await lite.api("GET", f"{path}?limit=2", seller)
    _, rest = await lite.api("GET", f"{path}?limit=2&cursor={first['next_cursor']}", seller)
    seen = [one["id"] for one in (*first["items"], *rest["items"])]
    assert seen == [one["id"] for one in reversed(made)]
    assert rest["next_cursor"] is None
    status, request = await lite.api(
        "POST", "/requests", seller, {"contact_id": made[0]["id"], "text": "ціна?"}
    )
    assert status == 201, request
    own = f"/requests?contact_id={firm['id']}"
    assert (await lite.api("GET", own, seller))[1]["items"] == []
    _, all_of_them = await lite.api("GET", f"{own}&persons=true", seller)
    assert [one["id"] for one in all_of_them["items"]] == [request["id"]]
    status, gone = await lite.api("PATCH", f"/contacts/{made[0]['id']}", seller, {"organisation_id": None})
    assert (status, gone["organisation_id"], gone["position"]) == (200, None, "")
    assert (await lite.api("GET", f"{own}&persons=true", seller))[1]["items"] == []


async def test_doubles_merge_and_undo(hub: Running):
    hub.person("Ann")
    head, seller = hub.token("head"), hub.token("seller", name="s")
    await hub.form({"name": NAME, "phone": phone(7), "message": "одне"}, key="a")
    await hub.form({"email": MAIL, "message": "друге"}, key="b")
    await hub.form({"phone": phone(7), "email": MAIL, "message": "це я"}, key="c")
    assert (await hub.api("GET", "/contacts/doubles", seller))[0] == 403
    _, listed = await hub.api("GET", "/contacts/doubles", head)
    [double] = listed["items"]
    one, other = double["contact"]["id"], double["other"]["id"]
    assert (double["reason"], double["times"]) == ("two contacts", 1)
    assert (await hub.api("GET", f"/contacts/{one}", seller))[1]["double_ids"] == [other]
    for verb in ("merge", "different", "unmerge"):
        body = {} if verb == "unmerge" else {"other_id": other}
        assert (await hub.api("POST", f"/contacts/{one}/{verb}", seller, body))[0] == 403

    old = '"99"'
    assert (await hub.api("POST", f"/contacts/{one}/merge", head, {"other_id": other}, If_Match=old))[
        0
    ] == 412
    body = {"other_id": other, "reason": REASON}
    status, merged = await hub.api("POST", f"/contacts/{one}/merge", head, body, Idempotency_Key="k")
    assert status == 200, merged
    assert {key["value"] for key in merged["identities"]} == {phone(7), MAIL}
    [told] = merged["merges"]
    assert (told["contact_id"], told["into_id"], told["reason"]) == (other, one, REASON)
    assert (await hub.api("GET", "/contacts/doubles", head))[1]["items"] == []
    _, asked = await hub.api("GET", f"/requests?contact_id={one}", seller)
    assert len(asked["items"]) == 3
    _, gone = await hub.api("GET", f"/contacts/{other}", seller)
    assert (gone["merged_into_id"], gone["identities"]) == (one, [])
    _, shown = await hub.api("GET", "/contacts", seller)
    assert other not in [each["id"] for each in shown["items"]]
    _, since = await hub.api("GET", "/contacts?updated_since=2026-01-01T00:00:00Z", seller)
    assert other in [each["id"] for each in since["items"]], "who keeps a copy learns of it"
    assert (await hub.api("PATCH", f"/contacts/{other}", seller, {"name": "Х"}))[0] == 409
    assert (await hub.api("POST", f"/contacts/{other}/erase", hub.token("admin", name="a")))[0] == 409

    status, apart = await hub.api("POST", f"/contacts/{other}/unmerge", head, {"reason": "помилка"})
    assert (status, apart["merged_into_id"]) == (200, None)
    assert (await hub.api("POST", f"/contacts/{other}/unmerge", head, {}))[0] == 409
    assert len((await hub.api("GET", "/contacts/doubles", head))[1]["items"]) == 1
    status, decided = await hub.api("POST", f"/contacts/{one}/different", head, {"other_id": other})
    assert (status, decided["double_ids"]) == (200, [])


async def test_erasing_reaches_the_merged_card_and_what_was_written_about_the_merge(hub: Running):
    seller, head, admin = hub.token("seller"), hub.token("head", name="h"), hub.token("admin", name="a")
    one = await card(hub, seller, name="Оксана", phone=phone(7))
    firm = await card(hub, seller, kind="organisation", organisation="ТОВ Дім")
    other = await card(
        hub, seller, name=NAME, email=MAIL, note=NOTE, position="кухарка", organisation_id=firm["id"]
    )
    undone = await card(hub, seller, name="Хтось інший", phone=phone(8))
    for card_id in (other["id"], undone["id"]):
        body = {"other_id": card_id, "reason": REASON}
        assert (await hub.api("POST", f"/contacts/{one['id']}/merge", head, body))[0] == 200
    assert (await hub.api("POST", f"/contacts/{undone['id']}/unmerge", head, {"reason": REASON}))[0] == 200
    await hub.form({"email": MAIL, "message": "слова з пошти"}, key="a")
    hub.hub.db.write_now(
        lambda tx: (
            tx.execute(
                text("UPDATE request SET state = 'closed', joining = :no, closed_at = opened_at"),
                {"no": False},
            )
            and None
        )
    )
    _, told = await hub.api("GET", f"/contacts/{other['id']}/export", admin)
    assert (told["contact"]["id"], told["merged"][0]["name"]) == (one["id"], NAME)
    assert told["requests"][0]["messages"][0]["text"] == "слова з пошти"

    status, gone = await hub.api("POST", f"/contacts/{one['id']}/erase", admin)
    assert (status, gone["name"]) == (200, "")
    left = everything(hub)
    for word in (NAME, NOTE, MAIL, REASON, phone(7), "кухарка", "слова з пошти"):
        assert word not in left, word
    assert hub.one("SELECT count(*) FROM contact WHERE erased_at IS NOT NULL") == 2
    status, problem = await hub.api("POST", f"/contacts/{other['id']}/unmerge", head, {})
    assert (status, problem["detail"]) == (409, "this card was erased: there is nothing left to take apart")
    assert (await hub.api("POST", f"/contacts/{undone['id']}/merge", head, {"other_id": one["id"]}))[0] == 409
    assert (await hub.api("PATCH", f"/contacts/{one['id']}", seller, {"name": "Х"}))[0] == 409
