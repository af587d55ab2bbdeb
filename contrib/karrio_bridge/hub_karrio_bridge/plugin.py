"""One carrier kind for each installed karrio extension: `karrio_dhl_universal`, `karrio_ups`, ...

karrio is synchronous and opens connections of its own, so each call runs in a thread with a time limit. A call that
hangs keeps its thread until karrio's own time limit; at most MAX_THREADS of an account do, then calls are refused.
The threads are daemons: one that hangs does not keep the hub from stopping.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from hub.sdk import (
    AuthenticationFailed,
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Host,
    NotTracked,
    PluginError,
    Problem,
    Recognition,
    Register,
    SettingsRejected,
    TemporaryFailure,
    Throttled,
    TrackAnswer,
    Tracked,
    TrackingNumber,
    hookimpl,
)
from hub.sdk.reading import told_text
from hub_karrio_bridge.numbers import recognise
from hub_karrio_bridge.reading import entry
from hub_karrio_bridge.settings import KarrioSettings

MAX_THREADS = 2
_REFUSED = ("401", "403", "unauthor", "invalid api key", "invalid client", "authentication")
_THROTTLED = ("429", "too many", "rate limit")
_NOT_FOUND = ("404", "not found", "no shipment", "no result", "no package", "tw0001")


class KarrioCarrier(Carrier):
    """One account at one carrier of karrio's."""

    def __init__(self, extension: str, settings: KarrioSettings) -> None:
        self.extension = extension
        self.capabilities = CarrierCapabilities(
            batch_size=1, calls_per_minute=settings.calls_per_minute, parallel_calls=1
        )
        self._settings = settings
        self._running = 0

    def looks_like(self, text: str) -> Recognition:
        """karrio knows no forms of numbers; those of two carriers are known to everybody."""
        return recognise(self.extension, text)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        """One call a number, each in a thread."""
        found: list[Tracked] = []
        problems: list[NotTracked] = []
        for number in dict.fromkeys(one.number for one in numbers):
            told = await self._in_thread(number)
            if isinstance(told, Tracked):
                found.append(told)
            else:
                problems.append(told)
        return TrackAnswer(tracked=tuple(found), problems=tuple(problems))

    async def _in_thread(self, number: str) -> Tracked | NotTracked:
        if self._running >= MAX_THREADS:
            raise TemporaryFailure("earlier calls of karrio still hang")
        self._running += 1
        call: Future[Tracked | NotTracked] = Future()
        call.add_done_callback(self._done)
        name = f"karrio-{self.extension}"
        threading.Thread(target=self._run, args=(call, number), name=name, daemon=True).start()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(call), self._settings.timeout_s)
        except PluginError:
            raise
        except TimeoutError:
            raise TemporaryFailure("karrio gave no answer in time") from None
        except Exception as error:  # noqa: BLE001 - karrio's connectors raise anything, with secrets in the text
            raise TemporaryFailure(f"karrio failed: {type(error).__name__}") from None

    def _run(self, call: Future[Tracked | NotTracked], number: str) -> None:
        if not call.set_running_or_notify_cancel():
            return  # whoever asked was gone before the thread began
        try:
            call.set_result(self._ask(number))
        except Exception as error:  # noqa: BLE001 - the thread's boundary: `_in_thread` sorts it
            call.set_exception(error)

    def _done(self, _: object) -> None:
        self._running -= 1

    def _ask(self, number: str) -> Tracked | NotTracked:
        quieten()
        sdk: Any = importlib.import_module("karrio.sdk")
        keys = {key: value.get_secret_value() for key, value in self._settings.credentials.items()}
        gateway = sdk.gateway[self.extension].create({**keys, "test_mode": self._settings.test_mode})
        details, messages = sdk.Tracking.fetch({"tracking_numbers": [number]}).from_(gateway).parse()
        own = [one for one in details or () if _same(one, number)]
        return entry(number, own[0]) if own else _why(number, messages or ())


def _same(details: Any, number: str) -> bool:
    return told_text(getattr(details, "tracking_number", ""), 60).upper() == number.strip().upper()


def _why(number: str, messages: Sequence[Any]) -> NotTracked:
    """The reason for no details. The carrier's words are read, never repeated: they may repeat what was sent."""
    said = " ".join(
        f"{told_text(getattr(one, 'code', ''), 60)} {told_text(getattr(one, 'message', ''), 300)}"
        for one in list(messages)[:10]
    ).casefold()
    if any(word in said for word in _THROTTLED):
        raise Throttled("the carrier asks to slow down")
    if any(word in said for word in _REFUSED):
        raise AuthenticationFailed("the carrier does not accept the credentials: compare `credentials`")
    if not said.strip() or any(word in said for word in _NOT_FOUND):
        return NotTracked(number=number, problem=Problem.NOT_FOUND)
    raise TemporaryFailure("the carrier answers with an error")


def quieten() -> None:
    """karrio logs requests and whole tracebacks through loguru, with keys and customers in them: switched off."""
    with contextlib.suppress(ImportError):
        importlib.import_module("loguru").logger.disable("karrio")


def extensions() -> dict[str, str]:
    """Installed carriers of karrio, id to title; empty where karrio is not installed or cannot be read."""
    quieten()
    try:
        references: Any = importlib.import_module("karrio.references")
        told = references.collect_references().get("carriers")
    except Exception:  # noqa: BLE001 - a broken extension must not keep the hub from starting
        return {}
    told = told if isinstance(told, dict) else {}
    return {str(key): str(title) for key, title in told.items() if f"karrio_{key}".isidentifier()}


def plugin_of(extension: str, title: str) -> CarrierPlugin:
    """The kind of carrier for one extension."""

    def create(_account: str, settings: KarrioSettings, _host: Host) -> Carrier:
        return KarrioCarrier(extension, settings)

    return CarrierPlugin(
        name=f"karrio_{extension}",
        title={"en": f"{title} (karrio)", "uk": f"{title} (karrio)"},
        settings=KarrioSettings,
        create=create,
        version="0.1.0",
        homepage="https://karrio.io/",
    )


@hookimpl
def hub_register(register: Register) -> None:
    """Offer each installed extension; without any, say what to install."""
    found = extensions()
    if not found:
        raise SettingsRejected(
            "no karrio extension is installed: pip install karrio-dhl-universal, or another"
        )
    for extension, title in sorted(found.items()):
        register.carrier(plugin_of(extension, title))
