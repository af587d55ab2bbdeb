"""All network calls of this plugin."""

import json
from typing import Any

from hub.sdk import AnswerUnreadable, AuthenticationFailed, HttpClient, PermanentFailure, TemporaryFailure
from hub.sdk.reading import read_object, told_text

from plugins._template.channel.example_channel.settings import ExampleChannelSettings


class ExampleChannelClient:
    """Time-outs, broken connections, 429 and 5xx are told apart by the hub's own HTTP client."""

    def __init__(self, settings: ExampleChannelSettings, http: HttpClient) -> None:
        self._http = http
        self._base = settings.base_url.rstrip("/")
        # FILL IN: how the service takes its key.
        self._headers = {"authorization": f"Bearer {settings.token.get_secret_value()}"}

    async def send(self, to: str, text: str, key: str) -> str:
        """Send a text; returns the service's id of the message. `key` is the same at every try."""
        # FILL IN: the call that sends, and where its answer tells the id.
        answer = await self._call("POST", "/messages", {"to": to, "text": text, "key": key})
        return told_text(answer.get("id"), 200)

    async def whoami(self) -> str:
        """The cheapest call that needs the key: the account's own name."""
        # FILL IN: such a call, and where its answer tells the name.
        return told_text((await self._call("GET", "/me")).get("name"), 100)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        content = json.dumps(body).encode() if body is not None else None
        headers = {**self._headers, "content-type": "application/json"}
        reply = await self._http.request(method, self._base + path, content=content, headers=headers)
        if reply.status in {401, 403}:
            raise AuthenticationFailed(f"the key is not accepted (HTTP {reply.status}): check `token`")
        # FILL IN: what the service answers for somebody who cannot be written to.
        if reply.status in {404, 410}:
            raise PermanentFailure("this person cannot be written to any more")
        if reply.status not in {200, 201}:
            raise TemporaryFailure(f"HTTP {reply.status}")
        answer = read_object(reply.body)
        if answer is None:
            raise AnswerUnreadable("the answer is no JSON object")
        return answer
