"""A process with a scribe, for `test_scribe`: `python -m tests.integration.scribe_process hung|stuck`.

Prints what became of each delivery, one JSON line each. A process of its own, because the scribe must be
forked from one with a single thread, and because its guard and the test runner want the same timer.
"""

import asyncio
import json
import os
import signal
import sys
import time
from types import SimpleNamespace
from typing import Any, cast

from hub.intake import scribe as module
from hub.intake.clerk import Desk, Guard
from hub.intake.model import Prepared
from hub.intake.parser import ChannelAccount, Job
from hub.intake.scribe import Scribe
from hub.kernel.clock import moment
from hub.sdk import Channel, ChannelCapabilities, Event, EventKind, Parsed, RawDelivery, Verified
from hub.sdk.messages import Outcome, OutcomeKind


class Sleepy(Channel):
    """Loops for ever where the body says so."""

    capabilities = ChannelCapabilities(parses_at_once=True)

    def verify(self, raw: RawDelivery) -> Verified:
        end = time.monotonic() + (20 if raw.body == b"hang" else 0)
        while time.monotonic() < end:
            pass
        return Verified(external_id=None)

    def parse(self, raw: RawDelivery) -> Parsed:
        return Parsed(events=(Event(kind=EventKind.PROBE),))


def raw(body: bytes) -> RawDelivery:
    return RawDelivery(
        account="a",
        method="POST",
        path="",
        headers={},
        query={},
        body=body,
        address="",
        received_at=moment(0),
    )


def hung() -> None:
    """Four deliveries hang, and one does not: the guard alone."""
    account = ChannelAccount("a", 1, Sleepy())
    guard = Guard()
    for body in (b"hang", b"fine", b"hang", b"hang", b"hang"):
        began = time.monotonic()
        with guard:
            result = guard.understand(Job(account, raw(body)))
        assert isinstance(result, Prepared)
        say(state=result.state, reason=result.reason, within_s=time.monotonic() - began)


class Here:
    """A writer that stores nothing, and says what the handler says."""

    def commit_here(self, works: Any) -> None:
        for work in works:
            work.waiter.settle(Outcome(kind=OutcomeKind.NOTED), None)


async def stuck() -> None:
    """A scribe that works, then stands still."""
    module.STUCK_S = 2
    desk = Desk(
        cast("Any", Here()), cast("Any", None), {"a": ChannelAccount("a", 1, Sleepy())}, cast("Any", None)
    )
    scribe = Scribe.fork(lambda _number, _not_before: desk)
    scribe.begin(cast("Any", SimpleNamespace(number=1)), 0)
    await scribe.start()
    say(kind=(await ask(scribe, b"fine")))
    os.kill(scribe._pid, signal.SIGSTOP)
    say(kind=(await ask(scribe, b"fine")), works=scribe.works)
    await scribe.stop()


async def ask(scribe: Scribe, body: bytes) -> str:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    scribe.put(raw(body), future)
    try:
        return str((await future).kind)
    except Exception as error:  # noqa: BLE001 - it is what we report
        return type(error).__name__


def say(**values: object) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "hung":
        hung()
    else:
        asyncio.run(stuck())
