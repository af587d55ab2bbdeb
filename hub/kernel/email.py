"""E-mail addresses, far enough to be an identity: bounded, one @, lower case. No deliverability check."""

from __future__ import annotations

import re

# What nearly all look like; tried first, it is ten times quicker.
_COMMON = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
# Separators, and what no database stores (control characters, lone surrogates).
_NOT = r"\s@<>()\[\],;:\"\\\x00-\x1f\x7f\ud800-\udfff"
_ADDRESS = re.compile(rf"[^{_NOT}]{{1,64}}@[^{_NOT}.]{{1,63}}(?:\.[^{_NOT}.]{{1,63}}){{1,8}}")


def parse_email(text: str) -> str | None:
    """The address in lower case, or None where it is none."""
    text = text.strip()[:255].lower()
    if len(text) > 254 or not (_COMMON.fullmatch(text) or _ADDRESS.fullmatch(text)):
        return None
    return text


_ALSO = {"googlemail.com": "gmail.com"}


def mailbox(address: str) -> str:
    """The mailbox that an address of `parse_email` leads to.

    Beyond what every server may decide for itself, two things hold in practice: what stands after a plus sign is the
    receiver's own mark, and Gmail does not look at dots.
    """
    local, _, domain = address.rpartition("@")
    domain = _ALSO.get(domain, domain)
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '') if domain == 'gmail.com' else local}@{domain}"
