"""hub staff and hub token."""

import re

import pytest


def names(shop):
    return [row["name"] for row in shop.hub("staff", "list", "--json").json]


def test_a_person_is_added_with_team_share_and_limit(shop):
    made = shop.hub(
        "staff", "add", "Олена Коваль", "--share", "2", "--limit", "5", "--role", "head", "--json"
    ).json
    assert made == {
        "id": made["id"],
        "name": "Олена Коваль",
        "login": "olena.koval",
        "role": "head",
        "team": "sales",
    }
    assert made["id"].isdigit()
    (row,) = shop.hub("staff", "list", "--json").json
    assert row == {
        "id": made["id"], "name": "Олена Коваль", "login": "olena.koval", "roles": ["head"],
        "teams": ["sales (share 2, limit 5)"], "state": "active",
    }  # fmt: skip


def test_without_json_people_read_a_table_and_a_next_step(shop):
    assert "hub staff add NAME" in shop.hub("staff", "list").out
    assert "hub staff invite olena" in shop.hub("staff", "add", "Олена").out
    table = shop.hub("staff", "list").out.splitlines()
    assert table[0].split() == ["ID", "NAME", "LOGIN", "ROLES", "TEAMS", "STATE"]
    assert "Олена" in table[1]


def test_a_person_without_a_team_is_possible(shop):
    assert (
        shop.hub("staff", "add", "Директор", "--team", "", "--role", "admin", "--json").json["team"] is None
    )
    assert shop.hub("staff", "list", "--json").json[0]["teams"] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("staff", "add", "Олена", "--team", "moon"), "no team moon; teams: sales"),
        (("staff", "add", " "), "name: say who it is"),
        (("staff", "add", "Олена", "--login", "Ол"), "login: use lower-case letters"),
        (("staff", "add", "Олена", "--share", "0"), "share"),
        (("staff", "add", "Олена", "--role", "boss"), "role"),
        (("staff", "add", "Олена", "--limit", "100001"), "limit"),
        (("staff", "add"), "NAME"),
        (("staff", "set", "nobody", "--share", "2"), "nobody is called nobody"),
        (("staff", "close", "nobody"), "nobody is called nobody"),
        (("staff", "invite", "nobody"), "nobody is called nobody"),
        (("staff", "fire", "nobody"), "fire"),
        (("token", "add", "shop"), "role"),
        (("token", "add", "shop", "--role", "seller", "--staff", "nobody"), "nobody is called nobody"),
        (("token", "revoke", "x"), "hub token list"),
        (("token", "revoke", "²"), "hub token list"),
        (("token", "revoke", "1"), "no living token 1"),
        (("token", "revoke", "9" * 30), "hub token list"),
    ],
)
def test_wrong_use_is_two_and_one_sentence(shop, words, says):
    assert says in shop.hub(*words, code=2).err
    assert names(shop) == []


def test_share_limit_and_roles_are_changed_and_a_team_is_joined(shop):
    shop.hub("staff", "add", "Олена", "--limit", "3")
    shop.hub("staff", "set", "olena", "--share", "4", "--no-limit", "--role", "head", "--role", "admin")
    (row,) = shop.hub("staff", "list", "--json").json
    assert (row["teams"], row["roles"]) == (["sales (share 4)"], ["admin", "head"])
    assert "say what to change" in shop.hub("staff", "set", "olena", code=2).err
    shop.hub("staff", "add", "Богдан", "--team", "")
    shop.hub("staff", "set", "Богдан", "--share", "2", "--json")
    rows = {r["login"]: r["teams"] for r in shop.hub("staff", "list", "--json").json}
    assert rows["bohdan"] == ["sales (share 2)"]


def test_who_is_closed_stays_in_the_list_and_gets_no_link_and_no_team(shop):
    shop.hub("staff", "add", "Олена")
    assert shop.hub("staff", "close", "olena", "--json").json == {"name": "Олена", "closed": True}
    (row,) = shop.hub("staff", "list", "--json").json
    assert (row["state"], row["teams"]) == ("closed", [])
    assert "no more" in shop.hub("staff", "invite", "olena", code=2).err
    assert "no more" in shop.hub("staff", "set", "olena", "--share", "2", code=2).err
    assert shop.hub("db", "check", "--json").json == []


def test_an_invitation_is_an_address_with_a_secret_that_ends_the_one_before(shop):
    shop.hub("staff", "add", "Олена")
    links = [shop.hub("staff", "invite", "olena", "--json").json["link"] for _ in range(2)]
    assert all(re.fullmatch(r"http://127\.0\.0\.1:8080/welcome/[\w-]{43}", link) for link in links)
    assert links[0] != links[1]
    shop.write(shop.settings.read_text().replace("[hub]", '[hub]\nbase_url = "https://hub.example.com/"', 1))
    assert (
        shop.hub("staff", "invite", "olena", "--json")
        .json["link"]
        .startswith("https://hub.example.com/welcome/")
    )


def test_a_token_is_shown_once_and_listed_without_its_secret(shop):
    made = shop.hub("token", "add", "shop", "--role", "seller", "--json").json
    assert made == {"id": made["id"], "name": "shop", "role": "seller", "token": made["token"]}
    assert made["token"].startswith("hub_")
    listed = shop.hub("token", "list", "--json")
    assert made["token"] not in listed.out
    (row,) = listed.json
    assert (row["id"], row["name"], row["role"], row["staff_id"], row["revoked"]) == (
        made["id"], "shop", "seller", None, None,
    )  # fmt: skip
    assert shop.hub("token", "revoke", made["id"], "--json").json == {"id": made["id"], "revoked": True}
    assert shop.hub("token", "list", "--json").json[0]["revoked"] is not None
    assert "no living token" in shop.hub("token", "revoke", made["id"], code=2).err


def test_a_token_may_act_for_a_person(shop):
    person = shop.hub("staff", "add", "Олена", "--json").json
    shop.hub("token", "add", "phone", "--role", "seller", "--staff", "olena")
    assert shop.hub("token", "list", "--json").json[0]["staff_id"] == person["id"]


def test_without_json_a_token_is_the_only_line(shop):
    assert re.fullmatch(r"hub_[\w-]{43}\n", shop.hub("token", "add", "shop", "--role", "admin").out)
