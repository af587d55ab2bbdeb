"""Secrets that people and programs carry: passwords, session and API tokens, one-time links.

A token is 32 random bytes; the database keeps its SHA-256 only. Passwords are argon2id in the library's
default profile (64 MiB, some 300 ms): hash and check them off the event loop, two at a time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_PASSWORD = 10
MAX_PASSWORD = 200


def new_token(prefix: str = "") -> str:
    """A fresh secret; the prefix tells people what it is."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What the database keeps. Looking it up by hash leaks no timing of the secret itself."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same(left: str, right: str) -> bool:
    """Constant-time comparison of texts."""
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # noqa: PLC0415 - a command that signs nobody in does not need it

    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    """argon2id, about 300 ms and 64 MiB: call it in a thread."""
    return _hasher().hash(password)


def check_password(stored: str | None, password: str) -> bool:
    """Does it fit? As slow for an unknown person (`stored` None) as for a known one."""
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    try:
        _hasher().verify(stored or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None
