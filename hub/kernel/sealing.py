"""Texts that must not stand readable in the database: AES-256-GCM under a key that is not in it.

The key comes from HUB_SECRET_KEY, else from the file that `hub init` makes; its short id stands in front of each
value, so that a value of another key is told from a damaged one. What a value belongs to is bound into the cipher:
a row copied to another account does not open there.

A key is changed by giving the old one beside the new one, as HUB_SECRET_KEY_OLD or in the key file's neighbour
`<file>.old`: the new one seals, both open, and the next start of `hub serve` seals everything anew. Two
names instead of a list in one, because a key is any text of 32 characters and so may hold any separator.
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

from hub.kernel.errors import HubError, RuleSaysNo

FORM = "v1"
MIN_KEY_CHARACTERS = 32
ENVIRONMENT = "HUB_SECRET_KEY"
OLD_ENVIRONMENT = "HUB_SECRET_KEY_OLD"
OLD_SUFFIX = ".old"
_NONCE_BYTES = 12


class SecretKeyWrong(HubError):
    """A stored secret was written with another key: put the old key back, or enter the account's secrets anew."""


class SecretKeyUnusable(HubError):
    """The secret key is too short: it has at least 32 characters; `hub init` makes one."""


class SecretKeyMissing(RuleSaysNo):
    """This hub has no secret key, so it can keep no secrets: run `hub init` or set HUB_SECRET_KEY, and restart it."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key, and the older ones that still open. `id` is safe to show: it says which key, and nothing about it."""

    id: str
    _cipher: AESGCM = field(repr=False)
    older: tuple[SecretKey, ...] = ()
    _key: bytes = field(repr=False, default=b"")

    @classmethod
    def of(cls, text: str, *older: str) -> SecretKey:
        """From what stands in the file or the environment. Raises SecretKeyUnusable."""
        text = text.strip()
        if len(text) < MIN_KEY_CHARACTERS:
            raise SecretKeyUnusable
        key = HKDF(SHA256(), 32, None, b"hub account secrets").derive(text.encode())
        found = hashlib.sha256(b"hub key id" + key).hexdigest()[:8]
        before = tuple(one for old in older if (one := cls.of(old)).id != found)
        return cls(found, AESGCM(key), before, key)

    def derived(self, account: str, purpose: str) -> bytes:
        """32 bytes that only this hub can know, for one account and purpose; a new key makes new ones."""
        return HKDF(SHA256(), 32, None, b"hub account key\x00" + _bound_to(account, purpose)).derive(
            self._key
        )

    def seal(self, owner: str, name: str, value: str) -> str:
        """Encrypt; twice the same value gives two different texts."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, value.encode(), _bound_to(owner, name))
        return f"{FORM}.{self.id}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, owner: str, name: str, sealed: str) -> str:
        """Decrypt, with whichever of the keys wrote it. Raises SecretKeyWrong, for a damaged value too."""
        form, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        if form == FORM and key_id != self.id:
            for key in self.older:
                if key.id == key_id:
                    return key.open(owner, name, sealed)
        if form != FORM or key_id != self.id:
            raise SecretKeyWrong
        try:
            raw = base64.b64decode(body, validate=True)
            opened = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(owner, name))
        except (ValueError, InvalidTag) as error:
            raise SecretKeyWrong from error
        return opened.decode()

    def opens(self, owner: str, name: str, sealed: str) -> bool:
        """Can this value be read?"""
        try:
            self.open(owner, name, sealed)
        except SecretKeyWrong:
            return False
        return True

    def wrote(self, sealed: str) -> bool:
        """Was it sealed with this key, and not with an older one?"""
        return sealed.startswith(f"{FORM}.{self.id}.")


def _bound_to(owner: str, name: str) -> bytes:
    return f"{owner}\x00{name}".encode()


def read_key(file: Path, environment: Mapping[str, str]) -> SecretKey | None:
    """The key of this hub, with the old one where there is one; None without a key. Raises SecretKeyUnusable."""
    text = environment.get(ENVIRONMENT, "") or _content(file)
    if not text.strip():
        return None
    old = environment.get(OLD_ENVIRONMENT, "") or _content(file.with_name(file.name + OLD_SUFFIX))
    return SecretKey.of(text, *([old] if old.strip() else []))


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""
