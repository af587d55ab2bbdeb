"""Who a sender is: the identities that a message tells, normalised, strongest first.

The telephone is the strongest in this trade (the courier calls it), then the provider's own id, then
the e-mail. Where two of them belong to different contacts, the stronger wins, nothing is merged, and the
doubt is listed for a person to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hub.kernel import text
from hub.kernel.email import parse_email
from hub.kernel.phone import parse_phone

PHONE = "phone"
EMAIL = "email"


class IdentityKey(NamedTuple):
    """kind: phone (E.164), email (lower case), or channel:<account>; value as stored."""

    kind: str
    value: str


@dataclass(slots=True)  # not frozen: one is made for each delivery, and freezing costs twice the making
class Person:
    """A sender as the hub keeps him."""

    name: str
    organisation: str
    language: str | None
    identities: tuple[IdentityKey, ...]

    @property
    def kind(self) -> str:
        """person or organisation."""
        return "organisation" if self.organisation and not self.name else "person"


def identities(phone: str, email: str, channel_id: str, account: str, region: str) -> tuple[IdentityKey, ...]:
    """The identities of a sender, strongest first; what cannot be read is left out."""
    found: list[IdentityKey] = []
    if phone:
        number = parse_phone(phone, region)
        if number is not None:
            found.append(IdentityKey(PHONE, number))
    if channel_id:
        found.append(IdentityKey(f"channel:{account}", text.one_line(channel_id, 200)))
    if email:
        address = parse_email(email)
        if address is not None:
            found.append(IdentityKey(EMAIL, address))
    return tuple(found)
