"""Use cases of people that touch no credit; joining and leaving teams stand in `hub.assignment.service`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from hub.db.tables import staff
from hub.db.tx import Tx
from hub.kernel import text
from hub.kernel.errors import FieldProblem, InputRejected
from hub.staff import store
from hub.staff.model import LOGIN, login_from


def add_person(tx: Tx, name: str, roles: Sequence[str], login: str = "", language: str | None = None) -> int:
    """A new person. Without a login one is made from the name, numbered where it is taken."""
    name = text.one_line(name, text.NAME)
    if not name:
        raise InputRejected("a person needs a name", [FieldProblem("name", "say who it is")])
    if login and not LOGIN.fullmatch(login):
        raise InputRejected(
            "this is no login",
            [FieldProblem("login", "use lower-case letters, digits, dot, - and _, up to 40")],
        )
    return store.add(tx, name, login or _free_login(tx, login_from(name)), roles, language)


def _free_login(tx: Tx, wanted: str) -> str:
    taken = {row.login for row in tx.execute(select(staff.c.login).where(staff.c.login.startswith(wanted)))}
    if wanted not in taken:
        return wanted
    return next(f"{wanted}{n}" for n in range(2, 10_000) if f"{wanted}{n}" not in taken)
