"""The token of Meest's login, shared by all processes of the hub through the account's store.

The moment it ends is kept as such (not as a length), and it is renewed EARLY_S before; within a process one
renewal runs at a time, between processes compare-and-set decides and the slower one takes the quicker one's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from hub.sdk import AnswerUnreadable
from hub.sdk.reading import told_text
from plugins.meest.envelope import Envelope

STORE_KEY = "login"
EARLY_S = 300
SHORTEST_S = 60
LONGEST_S = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A token, what renews it, and when it ends (milliseconds since 1970)."""

    token: str
    refresh_token: str
    ends_at: int

    def good_at(self, now_ms: int) -> bool:
        """Still good, with time to spare."""
        return now_ms < self.ends_at - EARLY_S * 1000

    def written(self) -> str:
        """For the store."""
        return json.dumps(asdict(self))


def stored(value: str | None) -> Login | None:
    """What the store holds; None for nothing and for what another version wrote."""
    try:
        told = json.loads(value or "")
        return Login(
            token=str(told["token"]), refresh_token=str(told["refresh_token"]), ends_at=int(told["ends_at"])
        )
    except (ValueError, TypeError, KeyError):
        return None


def read_login(envelope: Envelope, now_ms: int) -> Login:
    """The answer of /auth and /refreshToken. Raises AnswerUnreadable where it holds no token."""
    result = envelope.result if isinstance(envelope.result, dict) else {}
    token = told_text(result.get("token"), 8000)
    if not token:
        raise AnswerUnreadable("the login's answer holds no token")
    lasts = result.get("expiresIn")
    if isinstance(lasts, str) and lasts.isascii() and lasts.isdigit():
        lasts = int(lasts[:12])
    if not isinstance(lasts, int) or isinstance(lasts, bool):
        lasts = SHORTEST_S + EARLY_S
    return Login(
        token=token,
        refresh_token=told_text(result.get("refreshToken"), 8000),
        ends_at=now_ms + min(max(lasts, SHORTEST_S), LONGEST_S) * 1000,
    )
