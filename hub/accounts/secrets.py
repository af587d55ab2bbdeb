"""What an account must not show anybody, at rest: AES-256-GCM under a key that is not in the database.

The key comes from HUB_SECRET_KEY, else from the file that `hub init` makes; its short id stands in front of each
value, so that a value of another key is told from a damaged one. Account and name of the value are bound
into the cipher: a row copied to another account does not open there. Without a key values live in the memory of
the process, as long as it runs, and `hub check` says so.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from hub.db.database import Database
from hub.db.tables import account_secret
from hub.db.tx import Tx
from hub.kernel.errors import HubError
from hub.sdk.errors import AuthenticationFailed

FORM = "v1"
MAX_VALUE_BYTES = 16 * 1024
MIN_KEY_CHARACTERS = 32
ENVIRONMENT = "HUB_SECRET_KEY"
_NONCE_BYTES = 12


class SecretKeyWrong(HubError):
    """A stored secret was written with another key: put the old key back, or enter the account's secrets anew."""


class SecretKeyUnusable(HubError):
    """The secret key is too short: it has at least 32 characters; `hub init` makes one."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key. `id` is safe to show: it says which key, and nothing about it."""

    id: str
    _cipher: AESGCM = field(repr=False)
    _key: bytes = field(repr=False, default=b"")

    @classmethod
    def of(cls, text: str) -> SecretKey:
        """From what stands in the file or the environment. Raises SecretKeyUnusable."""
        text = text.strip()
        if len(text) < MIN_KEY_CHARACTERS:
            raise SecretKeyUnusable
        key = HKDF(SHA256(), 32, None, b"hub account secrets").derive(text.encode())
        return cls(hashlib.sha256(b"hub key id" + key).hexdigest()[:8], AESGCM(key), key)

    def derived(self, account: str, purpose: str) -> bytes:
        """32 bytes that only this hub can know, for one account and purpose."""
        return HKDF(SHA256(), 32, None, b"hub account key\x00" + _bound_to(account, purpose)).derive(
            self._key
        )

    def seal(self, account: str, name: str, value: str) -> str:
        """Encrypt; twice the same value gives two different texts."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, value.encode(), _bound_to(account, name))
        return f"{FORM}.{self.id}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, account: str, name: str, sealed: str) -> str:
        """Decrypt. Raises SecretKeyWrong, for a damaged value too."""
        form, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        if form != FORM or key_id != self.id:
            raise SecretKeyWrong
        try:
            raw = base64.b64decode(body, validate=True)
            opened = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(account, name))
        except (ValueError, InvalidTag) as error:
            raise SecretKeyWrong from error
        return opened.decode()


def _bound_to(account: str, name: str) -> bytes:
    return f"{account}\x00{name}".encode()


def read_key(file: Path, environment: Mapping[str, str]) -> SecretKey | None:
    """The key of this hub; None where there is none. Raises SecretKeyUnusable."""
    text = environment.get(ENVIRONMENT, "")
    if not text and file.is_file():
        text = file.read_text(encoding="utf-8")
    return SecretKey.of(text) if text.strip() else None


def foreign(conn: Connection, key: SecretKey) -> int:
    """How many stored values were written with another key."""
    rows = conn.execute(select(account_secret.c.value)).scalars()
    return sum(not value.startswith(f"{FORM}.{key.id}.") for value in rows)


class AccountSecrets:
    """The store of one account (`hub.sdk.AccountStore`): in memory until `attach`, then in the database."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._memory: dict[str, str] = {}
        self._db: Database | None = None
        self._key: SecretKey | None = None

    def attach(self, db: Database, key: SecretKey | None) -> None:
        """From here on values are kept and shared by all processes; without a key they stay in memory."""
        if key is not None:
            self._db, self._key = db, key

    async def get(self, key: str) -> str | None:
        """The value, or None. Raises AuthenticationFailed where another key wrote it: the account stops."""
        if self._db is None or self._key is None:
            return self._memory.get(key)
        sealed = await self._db.read(lambda conn: _sealed(conn, self._account, key))
        try:
            return None if sealed is None else self._key.open(self._account, key, sealed)
        except SecretKeyWrong as error:
            raise AuthenticationFailed(error.message) from error

    async def put(self, key: str, value: str, *, expected: str | None) -> bool:
        """Compare and set. Raises ValueError beyond 16 KiB, AuthenticationFailed as `get`."""
        if len(value.encode()) > MAX_VALUE_BYTES or not 0 < len(key) <= 200:
            raise ValueError("a key of the store has 1 to 200 characters, a value at most 16 KiB")
        if self._db is None or self._key is None:
            return self._put_in_memory(key, value, expected)
        secret_key, sealed = self._key, self._key.seal(self._account, key, value)
        try:
            return await self._db.write(
                lambda tx: _put(tx, secret_key, self._account, key, sealed=sealed, expected=expected)
            )
        except SecretKeyWrong as error:
            raise AuthenticationFailed(error.message) from error

    def _put_in_memory(self, key: str, value: str, expected: str | None) -> bool:
        if self._memory.get(key) != expected:
            return False
        self._memory[key] = value
        return True


def _sealed(conn: Connection, account: str, key: str) -> str | None:
    query = select(account_secret.c.value).where(
        account_secret.c.account == account, account_secret.c.key == key
    )
    return conn.execute(query).scalar_one_or_none()


def _put(tx: Tx, secret_key: SecretKey, account: str, key: str, *, sealed: str, expected: str | None) -> bool:
    """The condition is the stored cipher text itself: whoever was quicker has changed it.

    Two first writers meet on the primary key; the second one's transaction runs again, and finds a value.
    """
    present = _sealed(tx.conn, account, key)
    opened = None if present is None else secret_key.open(account, key, present)
    if opened != expected:
        return False
    if present is None:
        tx.execute(insert(account_secret).values(account=account, key=key, value=sealed, updated_at=tx.now))
        return True
    met = tx.changed(
        update(account_secret)
        .where(
            account_secret.c.account == account,
            account_secret.c.key == key,
            account_secret.c.value == present,
        )
        .values(value=sealed, updated_at=tx.now)
    )
    return met == 1
