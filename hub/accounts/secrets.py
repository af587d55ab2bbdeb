"""What an account must not show anybody, encrypted at rest (`hub.kernel.sealing`): its secret settings, where it was
made in the workspace, and the tokens that its provider hands out.

Without a key a provider's tokens live in the memory of the process, as long as it runs, and `hub check` says so;
secret settings are not taken at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from hub.db.database import Database
from hub.db.tables import account_secret
from hub.db.tx import Tx
from hub.kernel.sealing import SecretKey, SecretKeyMissing, SecretKeyWrong
from hub.sdk.errors import AuthenticationFailed

MAX_VALUE_BYTES = 16 * 1024
SETTING = "setting:"  # begins the names of secret settings; a plugin's own values have no such name


def unreadable(conn: Connection, key: SecretKey) -> list[str]:
    """Accounts with a stored value that this key cannot open."""
    rows = conn.execute(select(account_secret).order_by(account_secret.c.account))
    return list(dict.fromkeys(row.account for row in rows if not key.opens(row.account, row.key, row.value)))


def sealed_before(conn: Connection, key: SecretKey) -> int:
    """How many stored values still wait for the older key: it must stay until there are none."""
    rows = conn.execute(select(account_secret.c.value)).scalars()
    return sum(not key.wrote(value) for value in rows)


def seal_anew(tx: Tx, key: SecretKey) -> int:
    """Seal with the present key what an older one has written; what neither opens is left as it is."""
    changed = 0
    for row in tx.execute(select(account_secret)).all():
        if key.wrote(row.value) or not key.opens(row.account, row.key, row.value):
            continue
        value = key.seal(row.account, row.key, key.open(row.account, row.key, row.value))
        changed += tx.changed(
            update(account_secret)
            .where(
                account_secret.c.account == row.account,
                account_secret.c.key == row.key,
                account_secret.c.value == row.value,
            )
            .values(value=value)
        )
    return changed


def settings_of(conn: Connection, key: SecretKey | None, account: str) -> dict[str, Any]:
    """The secret settings of an account. Raises SecretKeyWrong, SecretKeyMissing."""
    query = select(account_secret).where(
        account_secret.c.account == account, account_secret.c.key.startswith(SETTING, autoescape=True)
    )
    rows = conn.execute(query).all()
    if rows and key is None:
        raise SecretKeyMissing
    return {
        row.key.removeprefix(SETTING): orjson.loads(key.open(account, row.key, row.value))
        for row in rows
        if key
    }


def names_of_settings(conn: Connection, account: str) -> frozenset[str]:
    """Which secret settings an account has; their values are shown to nobody."""
    query = select(account_secret.c.key).where(
        account_secret.c.account == account, account_secret.c.key.startswith(SETTING, autoescape=True)
    )
    return frozenset(key.removeprefix(SETTING) for key in conn.execute(query).scalars())


def keep_settings(tx: Tx, key: SecretKey | None, account: str, values: Mapping[str, Any]) -> None:
    """Replace the secret settings of an account. Raises SecretKeyMissing where there are some, and no key."""
    if values and key is None:
        raise SecretKeyMissing
    tx.execute(
        delete(account_secret).where(
            account_secret.c.account == account, account_secret.c.key.startswith(SETTING, autoescape=True)
        )
    )
    for name, value in sorted(values.items()):
        assert key is not None
        sealed = key.seal(account, SETTING + name, orjson.dumps(value).decode())
        tx.execute(
            insert(account_secret).values(
                account=account, key=SETTING + name, value=sealed, updated_at=tx.now
            )
        )


def forget(tx: Tx, account: str) -> None:
    """The account is taken away: nothing secret of it stays."""
    tx.execute(delete(account_secret).where(account_secret.c.account == account))


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
        if key.startswith(SETTING):
            return None
        if self._db is None or self._key is None:
            return self._memory.get(key)
        sealed = await self._db.read(lambda conn: _sealed(conn, self._account, key))
        try:
            return None if sealed is None else self._key.open(self._account, key, sealed)
        except SecretKeyWrong as error:
            raise AuthenticationFailed(error.message) from error

    async def put(self, key: str, value: str, *, expected: str | None) -> bool:
        """Compare and set. Raises ValueError beyond 16 KiB, AuthenticationFailed as `get`."""
        if len(value.encode()) > MAX_VALUE_BYTES or not 0 < len(key) <= 200 or key.startswith(SETTING):
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
