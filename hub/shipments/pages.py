"""The carrier's own page of a parcel: where a person looks when our words are not enough. Pure.

Carriers say the address as data (`CarrierCapabilities.tracking_page`), with {number} where the number stands. It
is a plugin's text and a typed number, so both are looked at: http or https, the number escaped and never a part
of whose page it is. Where a carrier has no address for a number, its page alone is better than nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from hub.sdk.carrier import Carrier

MARK = "{number}"
MAX_ADDRESS = 500


def page_of(template: object, number: str) -> str:
    """Where this number's page is; "" where the carrier names none, or no usable one."""
    if not isinstance(template, str) or not 0 < len(template) <= MAX_ADDRESS:
        return ""
    try:
        parts = urlsplit(template)
        host = parts.hostname or ""
    except ValueError:
        return ""
    odd = MARK in parts.netloc or "@" in parts.netloc or any(ord(c) <= 0x20 for c in template)
    if parts.scheme not in {"http", "https"} or not host or odd:
        return ""
    return template.replace(MARK, quote(number, safe=""))


def pages(carriers: Mapping[str, Carrier]) -> dict[str, str]:
    """The address that each account's carrier names."""
    named = {account: getattr(one.capabilities, "tracking_page", "") for account, one in carriers.items()}
    return {account: str(template) for account, template in named.items() if template}
