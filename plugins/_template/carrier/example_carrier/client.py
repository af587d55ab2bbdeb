"""All network calls of this plugin."""

import json
from collections.abc import Sequence

from hub.sdk import AuthenticationFailed, HttpClient, HttpReply, TemporaryFailure

from plugins._template.carrier.example_carrier.settings import ExampleCarrierSettings


class ExampleCarrierClient:
    """Time-outs, broken connections, 429 and 5xx are told apart by the hub's own HTTP client."""

    def __init__(self, settings: ExampleCarrierSettings, http: HttpClient) -> None:
        self._http = http
        self._base = settings.base_url.rstrip("/")
        # FILL IN: how the carrier takes its key.
        self._headers = {"authorization": f"Bearer {settings.api_key.get_secret_value()}"}

    async def track(self, numbers: Sequence[str]) -> bytes:
        """The body of the tracking call, still unread."""
        # FILL IN: the call that tracks.
        return await self._call("POST", "/track", {"numbers": list(numbers)})

    async def ping(self) -> bytes:
        """The body of the cheapest call that needs the key."""
        # FILL IN: such a call.
        return await self._call("GET", "/me", None)

    async def _call(self, method: str, path: str, body: dict[str, object] | None) -> bytes:
        content = json.dumps(body).encode() if body is not None else None
        headers = {**self._headers, "content-type": "application/json"}
        return _read(await self._http.request(method, self._base + path, content=content, headers=headers))


def _read(reply: HttpReply) -> bytes:
    # FILL IN: how the carrier refuses a key, where it answers 200 for that.
    if reply.status in {401, 403}:
        raise AuthenticationFailed(f"the key is not accepted (HTTP {reply.status}): check `api_key`")
    if reply.status != 200:
        raise TemporaryFailure(f"HTTP {reply.status}")
    return reply.body
