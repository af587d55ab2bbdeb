"""hub staff ..., hub token ..."""

from __future__ import annotations

import json
from typing import Any

import click

from hub.cli.frame import config_option, fail, ground_of, guarded, json_option, made, show

ROLES = click.Choice(["seller", "head", "admin"])


@click.group()
def staff() -> None:
    """People who work here."""


@staff.command("add")
@click.argument("name")
@click.option("--team", default="sales", show_default=True, help="Team to join; '' for none.")
@click.option("--role", type=ROLES, default="seller", show_default=True)
@click.option(
    "--share", type=click.IntRange(1, 1000), default=1, show_default=True, help="Share of the work."
)
@click.option("--limit", type=click.IntRange(0), help="Open tasks at most (default: no limit).")
@click.option("--login", default="", help="Login (default: made from the name).")
@config_option
@json_option
@guarded
def staff_add(
    name: str,
    team: str,
    role: str,
    share: int,
    limit: int | None,
    login: str,
    config: str | None,
    as_json: bool,
) -> None:
    """Add a person; `hub staff invite` then gives the link with which he signs in."""
    from hub.access.store import write_audit  # noqa: PLC0415
    from hub.assignment.members import join_team  # noqa: PLC0415
    from hub.opening import CLI  # noqa: PLC0415
    from hub.staff import service, store  # noqa: PLC0415

    with ground_of(config) as ground:

        def add(tx: Any) -> tuple[int, str]:
            staff_id = service.add_person(tx, name, [role], login)
            if team:
                join_team(tx, CLI, store.team_by_name(tx.conn, team).id, staff_id, share, limit)
            write_audit(tx, CLI, "staff_added", str(staff_id), json.dumps({"roles": [role]}))
            return staff_id, store.get(tx.conn, staff_id).login

        staff_id, made_login = ground.db.write_now(add)
    result = {"id": str(staff_id), "name": name, "login": made_login, "role": role, "team": team or None}
    made(result, as_json, f"added {name}, login {made_login}; invite with: hub staff invite {made_login}")


@staff.command("list")
@config_option
@json_option
@guarded
def staff_list(config: str | None, as_json: bool) -> None:
    """Everybody, with teams, shares and limits."""
    from hub.staff import store  # noqa: PLC0415

    with ground_of(config) as ground:
        records = ground.db.read_now(store.all_staff)
    rows = [
        {
            "id": str(r.id),
            "name": r.name,
            "login": r.login,
            "roles": sorted(r.roles),
            "teams": [
                f"{m.team} (share {m.share}{f', limit {m.limit}' if m.limit is not None else ''})"
                for m in r.memberships
            ],
            "state": r.state,
        }
        for r in records
    ]
    show(rows, as_json, "nobody yet: hub staff add NAME")


@staff.command("set")
@click.argument("person")
@click.option("--team", default="sales", show_default=True)
@click.option("--share", type=click.IntRange(1, 1000))
@click.option("--limit", type=click.IntRange(0))
@click.option("--no-limit", is_flag=True, help="Take the limit away.")
@click.option("--role", "roles", type=ROLES, multiple=True, help="Roles from now on; may be repeated.")
@config_option
@json_option
@guarded
def staff_set(
    person: str, team: str, share: int | None, limit: int | None, no_limit: bool, roles: tuple[str, ...],
    config: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Change share and limit in a team (joining it where needed), or the roles. PERSON is an id, login or name."""
    from hub.access.store import write_audit  # noqa: PLC0415
    from hub.assignment import members  # noqa: PLC0415
    from hub.opening import CLI  # noqa: PLC0415
    from hub.staff import store  # noqa: PLC0415

    if share is None and limit is None and not no_limit and not roles:
        fail("say what to change: --share, --limit, --no-limit or --role")
    with ground_of(config) as ground:

        def change(tx: Any) -> str:
            record = store.find(tx.conn, person)
            if roles:
                store.give_roles(tx, record.id, roles)
                write_audit(tx, CLI, "roles_given", str(record.id), json.dumps({"now": sorted(roles)}))
            if share is not None or limit is not None or no_limit:
                wanted = store.team_by_name(tx.conn, team)
                if any(m.team_id == wanted.id for m in record.memberships):
                    members.change_member(
                        tx, CLI, wanted.id, record.id, share=share, limit=limit, unlimited=no_limit
                    )
                else:
                    members.join_team(tx, CLI, wanted.id, record.id, share or 1, limit)
            return record.name

        name = ground.db.write_now(change)
    made({"name": name, "changed": True}, as_json, f"changed {name}")


@staff.command("close")
@click.argument("person")
@config_option
@json_option
@guarded
def staff_close(person: str, config: str | None, as_json: bool) -> None:
    """Somebody leaves: open work is handed over, sessions and tokens end, history keeps the name."""
    from hub.assignment.members import close_staff  # noqa: PLC0415
    from hub.opening import CLI  # noqa: PLC0415
    from hub.staff import store  # noqa: PLC0415

    with ground_of(config) as ground:

        def close(tx: Any) -> str:
            record = store.find(tx.conn, person)
            close_staff(tx, CLI, record.id)
            return record.name

        name = ground.db.write_now(close)
    made({"name": name, "closed": True}, as_json, f"{name} works here no more")


@staff.command("invite")
@click.argument("person")
@config_option
@json_option
@guarded
def staff_invite(person: str, config: str | None, as_json: bool) -> None:
    """A one-time link with which a person sets a password and signs in; earlier links end."""
    from hub.access.store import make_link, write_audit  # noqa: PLC0415
    from hub.kernel.errors import RuleSaysNo  # noqa: PLC0415
    from hub.opening import CLI, link_address  # noqa: PLC0415
    from hub.staff import store  # noqa: PLC0415

    with ground_of(config) as ground:

        def invite(tx: Any) -> tuple[str, str]:
            record = store.find(tx.conn, person)
            if record.state != "active":
                raise RuleSaysNo(f"{record.name} works here no more")
            write_audit(tx, CLI, "link_made", str(record.id))
            return record.name, make_link(tx, record.id, "reset" if record.has_password else "invite")

        name, secret = ground.db.write_now(invite)
        address = link_address(ground.loaded, secret)
    made(
        {"name": name, "link": address},
        as_json,
        f"{name} signs in the first time at {address} (two days, once)",
    )


@click.group()
def token() -> None:
    """Tokens for programs that use the API."""


@token.command("add")
@click.argument("name")
@click.option("--role", type=ROLES, required=True)
@click.option("--staff", "person", help="The token acts for this person.")
@config_option
@json_option
@guarded
def token_add(name: str, role: str, person: str | None, config: str | None, as_json: bool) -> None:
    """Make a token. It is shown once and not kept."""
    from hub.access.model import Role  # noqa: PLC0415
    from hub.access.store import add_token, write_audit  # noqa: PLC0415
    from hub.opening import CLI  # noqa: PLC0415
    from hub.staff import store  # noqa: PLC0415

    with ground_of(config) as ground:

        def add(tx: Any) -> tuple[int, str]:
            staff_id = store.find(tx.conn, person).id if person else None
            token_id, secret = add_token(tx, name, Role(role), staff_id)
            write_audit(tx, CLI, "token_added", str(token_id))
            return token_id, secret

        token_id, secret = ground.db.write_now(add)
    made({"id": str(token_id), "name": name, "role": role, "token": secret}, as_json, secret)


@token.command("list")
@config_option
@json_option
@guarded
def token_list(config: str | None, as_json: bool) -> None:
    """All tokens, without their secrets."""
    from hub.access.store import tokens  # noqa: PLC0415
    from hub.kernel.clock import rfc3339  # noqa: PLC0415

    with ground_of(config) as ground:
        records = ground.db.read_now(tokens)
    rows = [
        {
            "id": str(r.id),
            "name": r.name,
            "role": r.role,
            "staff_id": str(r.staff_id) if r.staff_id else None,
            "created": rfc3339(r.created_at),
            "revoked": rfc3339(r.revoked_at) if r.revoked_at else None,
        }
        for r in records
    ]
    show(rows, as_json, "no tokens yet: hub token add NAME --role ROLE")


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@config_option
@json_option
@guarded
def token_revoke(token_id: str, config: str | None, as_json: bool) -> None:
    """End a token at once. ID as in `hub token list`."""
    from hub.access.store import revoke_token, write_audit  # noqa: PLC0415
    from hub.kernel.ids import parse_id  # noqa: PLC0415
    from hub.opening import CLI  # noqa: PLC0415

    try:
        number = parse_id(token_id)
    except ValueError:
        fail("ID is the number in the first column of `hub token list`")
    with ground_of(config) as ground:

        def revoke(tx: Any) -> None:
            revoke_token(tx, number)
            write_audit(tx, CLI, "token_revoked", token_id)

        ground.db.write_now(revoke)
    made({"id": token_id, "revoked": True}, as_json, f"token {token_id} is revoked")


COMMANDS = (staff, token)
