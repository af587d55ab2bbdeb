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
