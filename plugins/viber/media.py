"""Files that customers sent: fetched from addresses that stand in messages, so from public ones only.

The address of the API itself may be private: the operator wrote it, and an emulator stands there.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from hub.sdk import Fetched, HttpClient, PermanentFailure


class Media:
    """Fetches the files of one bot."""

    def __init__(self, http: HttpClient, base_url: str) -> None:
        self._http = http
        self._origin = _origin(urlsplit(base_url))

    async def fetch(self, address: str, limit_bytes: int) -> Fetched:
        """The file. Raises PermanentFailure (gone, too large, not public), TemporaryFailure, Throttled."""
        try:
            is_own = _origin(urlsplit(address)) == self._origin
        except ValueError:
            raise PermanentFailure("the file's address cannot be read") from None
        if is_own:
            reply = await self._http.request("GET", address, limit_bytes=limit_bytes)
        else:
            reply = await self._http.get_public(address, limit_bytes=limit_bytes)
        if reply.status != 200:
            raise PermanentFailure(f"the file is gone: its server answered HTTP {reply.status}")
        return Fetched(body=reply.body, media_type=reply.headers.get("content-type", "").partition(";")[0])


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", parts.port or default
