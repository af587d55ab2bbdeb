"""An emulated Cloudflare Turnstile: hands out tokens, takes each once, can be down; every answer says it is emulated.

    emulator = TurnstileEmulator("turnstile-secret")
    base_url = await emulator.start()
    token = emulator.issue()

    POST /turnstile/v0/siteverify   secret, response, remoteip, idempotency_key
    GET  /turnstile/v0/api.js       a script with `turnstile.render`, `reset`: passes every visitor at once

Written from public descriptions and clients' code (read 2026-11-25), never compared with the real service. What it
knows: each token once and for five minutes, the same answer again under the same idempotency_key, the codes
missing-input-secret, invalid-input-secret, missing-input-response, invalid-input-response, timeout-or-duplicate.
What it does not know: hostnames, actions, interactive challenges.
"""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web

from hub.kernel.clock import MINUTE, Clock, SystemClock
from hub.testing.emulators.serving import LineFault, Port, faulty, marker

NAME = "turnstile"
KEPT = 5 * MINUTE
_SCRIPT = """
window.turnstile = (function () {
  var places = [];
  function pass(place) {
    fetch(BASE + "/emulated/token").then(function (answer) { return answer.text(); }).then(function (token) {
      place.input.value = token;
      if (place.options.callback) place.options.callback(token);
    });
  }
  function render(element, options) {
    if (typeof element === "string") element = document.querySelector(element);
    var input = document.createElement("input"), said = document.createElement("span");
    input.type = "hidden";
    input.name = options["response-field-name"] || "cf-turnstile-response";
    said.textContent = "emulated Turnstile";
    element.append(input, said);
    places.push({input: input, options: options});
    pass(places[places.length - 1]);
  }
  function begin() {
    document.querySelectorAll(".cf-turnstile").forEach(function (element) {
      render(element, {sitekey: element.dataset.sitekey, "response-field-name": element.dataset.responseFieldName});
    });
  }
  if (SCRIPT.indexOf("render=explicit") < 0) {
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin); else begin();
  }
  return {render: render, reset: function () { places.forEach(pass); }};
})();
"""


class TurnstileEmulator:
    """One emulated Turnstile. `fault` breaks the line of siteverify until it is taken back."""

    def __init__(self, secret: str, clock: Clock | None = None, *, hang_s: float = 30.0) -> None:
        self.secret = secret
        self.fault: LineFault | None = None
        self.asked: list[dict[str, str]] = []
        self._clock = clock or SystemClock()
        self._hang_s = hang_s
        self._issued: dict[str, int] = {}
        self._spent: dict[str, str] = {}  # token -> the idempotency_key under which it was spent
        self._port = Port()
        self._base = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; the address to use as `turnstile_base_url`."""
        app = web.Application()
        app.router.add_post("/turnstile/v0/siteverify", self._siteverify)
        app.router.add_get("/turnstile/v0/api.js", self._api)
        app.router.add_get("/emulated/token", self._token)
        app.on_response_prepare.append(marker(NAME))
        self._base = await self._port.open(app, host, port)
        return self._base

    async def stop(self) -> None:
        """Close the port; hanging calls are let go."""
        await self._port.close()

    def issue(self) -> str:
        """A token, as a passed visitor gets it."""
        token = "0.emulated." + secrets.token_urlsafe(24)
        self._issued[token] = self._clock.now()
        return token

    async def _siteverify(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append(form)
        answer = self._verdict(form)
        if self.fault is not None:
            return await faulty(request, self.fault, self._port, self._hang_s, answer)
        return web.json_response(answer)

    def _verdict(self, form: dict[str, str]) -> dict[str, Any]:
        secret, token = form.get("secret", ""), form.get("response", "")
        if secret != self.secret:
            return _refused("invalid-input-secret" if secret else "missing-input-secret")
        if token not in self._issued:
            return _refused("invalid-input-response" if token else "missing-input-response")
        key = form.get("idempotency_key") or secrets.token_hex()
        if self._spent.setdefault(token, key) != key or self._clock.now() - self._issued[token] > KEPT:
            return _refused("timeout-or-duplicate")
        return {"success": True, "error-codes": [], "hostname": "localhost", "action": ""}

    async def _api(self, request: web.Request) -> web.Response:
        script = _SCRIPT.replace("BASE", repr(self._base)).replace("SCRIPT", repr(request.query_string))
        return web.Response(text=script, content_type="text/javascript")

    async def _token(self, _: web.Request) -> web.Response:
        return web.Response(text=self.issue(), headers={"Access-Control-Allow-Origin": "*"})


def _refused(code: str) -> dict[str, Any]:
    return {"success": False, "error-codes": [code]}
