"""Who acts, and what a role allows. A person may have several roles; a token has one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.kernel.errors import AccessDenied


class Role(StrEnum):
    """A set of permissions with a name."""

    SELLER = "seller"
    HEAD = "head"
    ADMIN = "admin"


class May(StrEnum):
    """What a route or a use case asks for."""

    SEE = "see"  # requests, tasks, contacts, orders, shipments
    WORK = "work"  # claim, accept, complete, release own tasks; make and move orders
    LEAD = "lead"  # other people's tasks; people, shares, limits
    OPERATE = "operate"  # accounts, tokens, settings


PERMISSIONS: dict[Role, frozenset[May]] = {
    Role.SELLER: frozenset({May.SEE, May.WORK}),
    Role.HEAD: frozenset({May.SEE, May.WORK, May.LEAD}),
    Role.ADMIN: frozenset(May),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something.

    label     what stands in journals: "staff:12", "token:shop", "cli", "intake"
    staff_id  the person, where it is one (or a token acts for one)
    """

    label: str
    roles: frozenset[Role]
    staff_id: int | None = None

    def may(self, permission: May) -> bool:
        """Is it allowed by any of the roles?"""
        return any(permission in PERMISSIONS[role] for role in self.roles)

    def require(self, permission: May) -> None:
        """Raise AccessDenied unless it is allowed."""
        if not self.may(permission):
            raise AccessDenied(f"your role does not allow this: it needs the right to {permission}")


def system(label: str) -> Actor:
    """The hub itself, or the command line of its machine."""
    return Actor(label, frozenset({Role.ADMIN}))
