"""All emulators by name, each with the same controls from outside, so that any program can use one.

    GET  /_emulator              what it is, its faults, its calls and parcels so far
    POST /_emulator/fail         {"kind": "http_429", "n": 1}: the next calls fail in this way
    POST /_emulator/parcels      {"number": "...", "route": "delivered", "cod_minor": 125000}: carriers
    POST /_emulator/say          {"text": "...", "name": "..."}: an emulated customer writes: chats
    POST /_emulator/post         an emulated customer fills in the form: form_customer
    GET  /                       a page that says that this is an emulator

Whatever is answered here carries `X-Emulator`, as every answer of the emulators does. A new emulator is one
line of `EMULATORS`.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from aiohttp import web

from hub.kernel.clock import Clock, SystemClock
from hub.testing.emulators.form_customer import MARK as FORM_MARK
from hub.testing.emulators.form_customer import FormCustomer
from hub.testing.emulators.serving import Port, marker

PREFIX = "/_emulator"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """One entry.

    name      also the value of `X-Emulator`
    section   of the settings: channels, carriers; "" where it stands in for no plugin
    plugin    whose provider it plays
    keys      what the account's settings need besides `base_url`; made up, nothing secret
    module    where `kind` is
    """

    name: str
    title: str
    module: str
    kind: str
    section: str = ""
    plugin: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)

    def make(self, clock: Clock, seconds_per_step: float) -> Any:
        """An emulator that carries its controls; not started yet."""
        kind = getattr(importlib.import_module(f"hub.testing.emulators.{self.module}"), self.kind)
        entry = self

        class Controlled(kind):  # type: ignore[misc, valid-type]  # a class that is chosen by name
            """The same, with the controls before its own routes."""

            def application(self) -> web.Application:
                app: web.Application = super().application()
                app.middlewares.append(_controls(entry, self))
                return app

        return Controlled(**self._arguments(kind, clock, seconds_per_step))

    def _arguments(self, kind: type, clock: Clock, seconds_per_step: float) -> dict[str, Any]:
        known = inspect.signature(kind).parameters
        given = {"clock": clock, "seconds_per_step": seconds_per_step, "token": self.keys.get("token", "")}
        return {name: value for name, value in given.items() if name in known and value != ""}

    def faults(self) -> tuple[str, ...]:
        """The kinds that `fail` takes."""
        module = importlib.import_module(f"hub.testing.emulators.{self.module}")
        kinds = getattr(module, "Fault", None) or getattr(module, "LineFault", None)
        return tuple(one for one in get_args(kinds) if isinstance(one, str))

    def settings(self, base_url: str) -> str:
        """The lines of hub.toml that lead here; "" where there are none."""
        if not self.section:
            return ""
        keys = {"plugin": self.plugin, "base_url": base_url, **self.keys}
        lines = [f'{key} = "{value}"' for key, value in keys.items()]
        return "\n".join([f"[{self.section}.{self.name.replace('_', '-')}-emulated]", *lines])


EMULATORS: Mapping[str, Emulator] = {
    one.name: one
    for one in (
        Emulator(name="nova_poshta", title="Nova Poshta", module="nova_poshta", kind="NovaPoshtaEmulator",
                 section="carriers", plugin="nova_poshta", keys={"api_key": "emulated-key"}),
        Emulator(name="ukrposhta", title="Ukrposhta", module="ukrposhta", kind="UkrposhtaEmulator",
                 section="carriers", plugin="ukrposhta", keys={"bearer_tracking": "emulated-key"}),
        Emulator(name="meest", title="Meest", module="meest", kind="MeestEmulator", section="carriers",
                 plugin="meest", keys={"username": "emulated", "password": "emulated"}),
        Emulator(name="delivery", title="Delivery", module="delivery", kind="DeliveryEmulator",
                 section="carriers", plugin="delivery"),
        Emulator(name="rozetka_delivery", title="Rozetka Delivery", module="rozetka_delivery",
                 kind="RozetkaDeliveryEmulator", section="carriers", plugin="rozetka_delivery",
                 keys={"username": "emulated", "password": "emulated"}),
        Emulator(name="telegram", title="Telegram", module="telegram", kind="TelegramEmulator",
                 section="channels", plugin="telegram", keys={"token": "1234567890:emulated"}),
        Emulator(name="viber", title="Viber", module="viber", kind="ViberEmulator", section="channels",
                 plugin="viber", keys={"token": "emulated-token", "sender_name": "Emulated shop"}),
        Emulator(name="turnstile", title="Cloudflare Turnstile", module="turnstile", kind="TurnstileEmulator"),
        Emulator(name=FORM_MARK["X-Emulator"], title="A customer who fills in forms", module="catalogue",
                 kind="FormCustomerDesk"),
    )
}  # fmt: skip
"""By name, in the order in which they are shown."""


class FormCustomerDesk:
    """The form customer as a server: posts when it is told to, or by itself. `target`: the form's address."""

    def __init__(self, target: str = "") -> None:
        self.target = target
        self._customer = FormCustomer(target)
        self._port = Port()
        self.calls: list[str] = []

    def application(self) -> web.Application:
        """Nothing but the controls."""
        app = web.Application()
        app.on_response_prepare.append(marker(FORM_MARK["X-Emulator"]))
        return app

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen for orders."""
        return await self._port.open(self.application(), host, port)

    async def stop(self) -> None:
        """Close the port."""
        await self._port.close()

    def aim(self, target: str) -> None:
        """Where the form is."""
        self.target, self._customer = target, FormCustomer(target)

    async def post(self) -> str | None:
        """Fill in one form; the request's id, or None where the hub took none."""
        self.calls.append(self.target)
        return await self._customer.post()

    async def live(self, every_s: float) -> None:
        """Post until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.post()


# --- controls ----------------------------------------------------------------------------------------------


def _controls(entry: Emulator, emulator: Any) -> Any:
    """A middleware: its own paths first, everything else is the emulator's."""
    customers: dict[str, Any] = {}

    async def state() -> dict[str, Any]:
        calls, asked = getattr(emulator, "calls", ()), getattr(emulator, "asked", ())
        parcels = getattr(emulator, "parcels", None) or getattr(emulator, "_parcels", {})
        return {
            "emulator": entry.name,
            "words": f"This is an emulator of {entry.title}, not the service itself.",
            "faults": list(entry.faults()),
            "calls": len(calls) or len(asked),
            "parcels": {number: emulator.code_of(number) for number in parcels},
            "sent": len(getattr(emulator, "sent", ())),
        }

    async def fail(told: dict[str, Any]) -> dict[str, Any]:
        kind, times = str(told.get("kind", "")), int(told.get("n", 1))
        if kind not in entry.faults() or not 1 <= times <= 1000:
            raise ValueError(f"kind is one of {', '.join(entry.faults()) or 'none'}; n is 1 to 1000")
        emulator.fail_next(times, kind)
        return {"emulator": entry.name, "kind": kind, "n": times}

    async def parcels(told: dict[str, Any]) -> dict[str, Any]:
        route = told.get("route")
        emulator.add_parcel(str(told["number"]), told.get("cod_minor"), route)
        return {"emulator": entry.name, "number": str(told["number"])}

    async def say(told: dict[str, Any]) -> dict[str, Any]:
        name = str(told.get("name") or "Олена (емуляція)")
        customer = customers.get(name) or customers.setdefault(name, emulator.add_customer(name))
        said = emulator.say(customer, str(told["text"]))
        if inspect.isawaitable(said):
            await said
        return {"emulator": entry.name, "name": name}

    async def post(_: dict[str, Any]) -> dict[str, Any]:
        return {"emulator": entry.name, "request_id": await emulator.post()}

    orders: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {"fail": fail}
    orders |= {"parcels": parcels} if hasattr(emulator, "add_parcel") else {}
    orders |= {"say": say} if hasattr(emulator, "add_customer") else {}
    orders = {"post": post} if hasattr(emulator, "aim") else orders

    @web.middleware
    async def control(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "GET" and request.path == "/":
            return web.Response(text=_page(entry), content_type="text/html")
        if request.path == PREFIX:
            return web.json_response(await state())
        if not request.path.startswith(f"{PREFIX}/"):
            return await handler(request)
        order = orders.get(request.path.removeprefix(f"{PREFIX}/"))
        if order is None or request.method != "POST":
            return _refused(entry, f"POST to one of {', '.join(f'{PREFIX}/{one}' for one in orders)}")
        try:
            told = await request.json() if request.can_read_body else {}
            return web.json_response(await order(told))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _refused(entry, f"this order makes no sense: {error}")

    return control


def _refused(entry: Emulator, words: str) -> web.Response:
    return web.json_response({"emulator": entry.name, "error": words}, status=400)


def _page(entry: Emulator) -> str:
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Emulator: {entry.title}</title>'
        f"<h1>Emulator: {entry.title}</h1><p>This is an emulator, not the service itself. Nothing here is real.</p>"
        f'<p lang="uk">Це емулятор, а не справжня служба. Усе тут вигадане.</p><p><a href="{PREFIX}">{PREFIX}</a></p>'
    )


def make(name: str, seconds_per_step: float = 60.0) -> Any:
    """An emulator by name with the machine's own clock. Raises KeyError."""
    return EMULATORS[name].make(SystemClock(), seconds_per_step)
