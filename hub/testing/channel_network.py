"""The checks of a channel that fetches, sends, has files or web hooks: against a scripted provider.

Each check exists only where the capabilities say so. A channel that calls its provider through `host.http`
writes two methods, `wired` and `reply`, and every fault is played for it. One with a library of its own (mail)
overrides `facing` and names in `impossible` what its provider cannot do.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

import httpx
import pytest

from hub.sdk import (
    AuthenticationFailed,
    Channel,
    Fetched,
    Host,
    Later,
    NotReached,
    Outgoing,
    OutgoingFile,
    OutgoingKind,
    PermanentFailure,
    PluginError,
    Pulled,
    RawDelivery,
    Refused,
    Sender,
    SendResult,
    Sent,
    TemporaryFailure,
    Throttled,
    Uncertain,
)
from hub.testing.face import Face, check_value, requires
from hub.testing.host import LoopbackHost
from hub.testing.purity import told
from hub.testing.situations import FAULTS, RETRY_AFTER_S, Situation, scripted

Result = TypeVar("Result")
MAX_POSITION_BYTES = 4 * 1024
MAX_PULLED = 100
SEND_LIMIT_S = 30.0
FILE_LIMIT_BYTES = 64 * 1024
MAX_CALLS_OF_ONE_SEND = 60
"""A text of 20,000 characters may be split; more calls than this are a plugin's own retries."""


class NetworkChecks(Face):
    """Pull, send, fetch, check and web hooks.

    to           a person that `reply` accepts a message to
    file_ref     a `ref` that `reply` has a file for; "" where the channel has no files to fetch
    impossible   situations that this provider cannot be in, each with the reason
    """

    to: ClassVar[Sender] = Sender(channel_id="100", phone="+380501234567", email="customer@example.com")
    file_ref: ClassVar[str] = ""
    impossible: ClassVar[Mapping[Situation, str]] = {}
    moment: ClassVar[datetime] = datetime(2026, 3, 5, 8, 40, tzinfo=UTC)
    calls: int = 0

    def wired(self, host: Host) -> Channel:
        """A channel object of this plugin on a scripted host; `base_url` may be any address."""
        raise NotImplementedError("write `wired`: this channel says that it calls its provider")

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        """The provider's own answer: all is WELL (and there is news), QUIET (none), GONE (no such file, blocked)."""
        raise NotImplementedError("write `reply`: this channel says that it calls its provider")

    @asynccontextmanager
    async def facing(self, situation: Situation) -> AsyncIterator[Channel]:
        """A channel whose provider is in this situation; `calls` counts its calls."""
        answer = scripted(situation, self.reply)
        self.calls = 0

        def counted(request: httpx.Request) -> httpx.Response:
            self.calls += 1
            return answer(request)

        async with LoopbackHost(transport=httpx.MockTransport(counted)) as host:
            channel = self.wired(host)
            try:
                yield channel
            finally:
                await channel.close()

    def applies(self, need: str) -> bool:
        """`checks`, `fetches`: the method is the plugin's own; `calls`: any call at all; else a capability."""
        if need == "checks":
            return type(self.built()).check is not Channel.check
        if need == "fetches":
            return type(self.built()).fetch is not Channel.fetch
        if need == "calls":
            return bool(self._calls())
        return super().applies(need)

    # What the checks are made of ----------------------------------------------------------------------------

    def ask(self, situation: Situation, call: Callable[[Channel], Awaitable[Result]]) -> Result:
        """One call in one situation."""

        async def run() -> Result:
            async with self.facing(situation) as channel:
                return await asyncio.wait_for(call(channel), SEND_LIMIT_S)

        return asyncio.run(run())

    def result(
        self, situation: Situation, call: Callable[[Channel], Awaitable[Result]]
    ) -> Result | PluginError:
        """The same, an error of the contract as a value; every other one fails the check."""
        try:
            return self.ask(situation, call)
        except PluginError as error:
            return error

    def message(self, **changes: Any) -> Outgoing:
        """A message that is well formed."""
        plain = Outgoing(id="8101", kind=OutgoingKind.REPLY, to=self.to, text="Дякуємо, відправимо завтра.")
        return replace(plain, **changes)

    def _faults(self) -> list[Situation]:
        return [one for one in FAULTS if one not in self.impossible]

    def _fails(self, call: Callable[[Channel], Awaitable[Any]]) -> None:
        """Every fault gives a kind of the contract that says what happens next, and none passes for success."""
        kinds: dict[Situation, type[PluginError] | tuple[type[PluginError], ...]] = {
            Situation.UNAUTHORISED: AuthenticationFailed,
            Situation.THROTTLED: Throttled,
            Situation.BROKEN: TemporaryFailure,
            Situation.TIME_OUT: TemporaryFailure,
            Situation.UNREACHABLE: TemporaryFailure,
            Situation.HALF_BODY: PluginError,
            Situation.UNREADABLE: PluginError,
        }
        for situation in self._faults():
            error = self.result(situation, call)
            assert isinstance(error, kinds[situation]), f"{situation}: {type(error).__name__}"
            if isinstance(error, Throttled):
                assert error.retry_after_s == RETRY_AFTER_S, "Retry-After is the provider's word"

    # values -------------------------------------------------------------------------------------------------

    @requires("calls")
    def test_every_method_returns_what_the_contract_says(self) -> None:
        """Of the right kind down to the last field, and picklable: it may have to pass between processes."""
        for call in self._calls():
            check_value(self.ask(Situation.WELL, call))
        if self.built().capabilities.rescans:
            check_value(self.ask(Situation.WELL, lambda channel: channel.rescan(self.moment, "")))

    # check --------------------------------------------------------------------------------------------------

    @requires("checks")
    def test_check_says_a_short_sentence(self) -> None:
        said = self.ask(Situation.WELL, lambda channel: channel.check())
        assert isinstance(said, str)
        assert 0 < len(said) <= 500

    @requires("checks")
    def test_check_tells_each_fault_from_success(self) -> None:
        self._fails(lambda channel: channel.check())

    # pull ---------------------------------------------------------------------------------------------------

    def pulled(self, situation: Situation = Situation.WELL, position: str = "") -> Pulled:
        """What one pull brings."""
        brought = self.ask(situation, lambda channel: channel.pull(position, 0.6))
        assert isinstance(brought, Pulled)
        return brought

    def raws(self, brought: Pulled) -> list[RawDelivery]:
        """The deliveries as the hub hands them to `verify` and `parse`."""
        return [
            RawDelivery(
                account="account",
                method="PULL",
                path="",
                headers=one.headers,
                query={},
                body=one.body,
                address="",
                received_at=self.moment,
            )
            for one in brought.deliveries
        ]

    @requires("pulls")
    def test_pull_brings_bounded_values(self) -> None:
        brought = self.pulled()
        assert 0 < len(brought.deliveries) <= MAX_PULLED
        positions = [one.position for one in brought.deliveries] + [brought.position or ""]
        assert all(len(one.encode()) <= MAX_POSITION_BYTES for one in positions)
        assert pickle.loads(pickle.dumps(brought)) == brought  # noqa: S301 - our own bytes
        assert all(name == name.lower() for one in brought.deliveries for name in one.headers)

    @requires("pulls")
    def test_what_was_pulled_is_authentic_and_understood(self) -> None:
        channel = self.built()
        for raw in self.raws(self.pulled()):
            assert channel.verify(raw).external_id, "a pulled delivery is known by its id"
            channel.parse(raw)

    @requires("pulls")
    def test_pulling_again_brings_the_same_ids(self) -> None:
        """After a crash the same is fetched again: it must be known."""
        channel = self.built()
        ids = [[channel.verify(raw).external_id for raw in self.raws(self.pulled())] for _ in range(2)]
        assert ids[0] == ids[1]
        assert len(set(ids[0])) == len(ids[0]), "two deliveries of one pull have one id"

    @requires("pulls")
    def test_a_quiet_pull_waits_and_is_empty(self) -> None:
        started = time.monotonic()
        brought = self.pulled(Situation.QUIET)
        spent = time.monotonic() - started
        assert not brought.deliveries
        assert spent >= 0.45, "without news a pull takes half a second at least: else the hub spins"
        assert spent < 5, "wait_s is the longest wait"

    @requires("pulls")
    def test_an_empty_pull_does_not_lose_the_place(self) -> None:
        """What follows a quiet pull is fetched from where the account stands."""
        position = self.pulled().deliveries[-1].position
        quiet = self.pulled(Situation.QUIET, position)
        assert quiet.position != "", "an empty position begins from the start"

    @requires("pulls")
    def test_pull_tells_each_fault_from_nothing_new(self) -> None:
        self._fails(lambda channel: channel.pull("", 0.1))

    @requires("pulls")
    def test_a_strange_position_is_survived(self) -> None:
        """A position of another version, or one that somebody wrote by hand."""
        for position in ("garbage", "{}", "-1", "9" * 400, "\x00", '{"uid": null}'):
            brought = self.result(Situation.WELL, lambda channel, at=position: channel.pull(at, 0.1))  # type: ignore[misc]  # a default of a lambda has no type
            assert isinstance(brought, (Pulled, PluginError))

    @requires("pulls")
    def test_a_pull_can_be_stopped(self) -> None:
        async def stop(channel: Channel) -> bool:
            pulling = asyncio.ensure_future(channel.pull("", 60))
            await asyncio.sleep(0.05)
            pulling.cancel()
            await asyncio.wait({pulling}, timeout=2)
            return pulling.done()

        assert self.ask(Situation.QUIET, stop), "a cancelled pull goes on"

    @requires("pulls")
    def test_taken_may_be_called_again_or_for_nothing(self) -> None:
        position = self.pulled().deliveries[-1].position

        async def take(channel: Channel) -> None:
            for positions in ([], [position], [position], [position, position]):
                await channel.taken(positions)

        self.ask(Situation.WELL, take)

    @requires("rescans")
    def test_rescan_brings_known_deliveries_and_ends(self) -> None:
        channel = self.built()
        since = self.moment - timedelta(days=7)

        async def rescan(wired: Channel) -> list[Pulled]:
            pages, after = [], ""
            for _ in range(50):
                page = await wired.rescan(since, after)
                pages.append(page)
                if not page.more:
                    return pages
                assert page.position, "a page that is not the last names where the next begins"
                after = page.position
            raise AssertionError("a rescan has an end")

        known = {channel.verify(raw).external_id for raw in self.raws(self.pulled())}
        again = {
            channel.verify(raw).external_id
            for page in self.ask(Situation.WELL, rescan)
            for raw in self.raws(page)
        }
        assert again & known, "what was pulled is met again under its id"

    # send ---------------------------------------------------------------------------------------------------

    def sending(self, situation: Situation, message: Outgoing | None = None) -> SendResult | PluginError:
        """What becomes of one message."""
        return self.result(situation, lambda channel: channel.send(message or self.message()))

    @requires("sends")
    def test_a_message_is_sent(self) -> None:
        sent = self.sending(Situation.WELL)
        assert isinstance(sent, Sent), repr(sent)
        assert len(sent.provider_id) <= 500
        assert pickle.loads(pickle.dumps(sent)) == sent  # noqa: S301 - our own bytes

    @requires("sends")
    def test_refused_credentials_stop_the_sending(self) -> None:
        if Situation.UNAUTHORISED not in self.impossible:
            assert isinstance(self.sending(Situation.UNAUTHORISED), AuthenticationFailed)

    @requires("sends")
    def test_a_throttled_message_waits_as_long_as_the_provider_says(self) -> None:
        if Situation.THROTTLED in self.impossible:
            return
        said = self.sending(Situation.THROTTLED)
        assert isinstance(said, (Later, Throttled)), repr(said)
        wait = said.seconds if isinstance(said, Later) else said.retry_after_s
        assert wait == RETRY_AFTER_S

    @requires("sends")
    def test_a_message_that_never_left_goes_later(self) -> None:
        if Situation.UNREACHABLE not in self.impossible:
            said = self.sending(Situation.UNREACHABLE)
            assert isinstance(said, (Later, NotReached)), repr(said)

    @requires("sends")
    def test_a_message_that_may_have_left_is_uncertain(self) -> None:
        """Never Later: the customer would get it twice. What is raised and is no NotReached counts as Uncertain."""
        for situation in (Situation.TIME_OUT, Situation.HALF_BODY):
            if situation in self.impossible:
                continue
            said = self.sending(situation)
            uncertain = isinstance(said, Uncertain) or (
                isinstance(said, PluginError)
                and not isinstance(said, (NotReached, Throttled, PermanentFailure))
            )
            assert uncertain, f"{situation}: {said!r}"

    @requires("sends")
    def test_a_failing_provider_has_not_taken_the_message(self) -> None:
        for situation in (Situation.BROKEN, Situation.UNREADABLE):
            if situation not in self.impossible:
                assert not isinstance(self.sending(situation), Sent), situation

    @requires("sends")
    def test_a_blocked_recipient_is_refused_with_a_sentence(self) -> None:
        if Situation.GONE in self.impossible:
            return
        said = self.sending(Situation.GONE)
        assert isinstance(said, (Refused, PermanentFailure)), repr(said)
        assert said.reason if isinstance(said, Refused) else said.message

    @requires("sends")
    def test_send_never_retries_by_itself(self) -> None:
        for situation in (Situation.BROKEN, Situation.TIME_OUT, Situation.THROTTLED):
            if situation not in self.impossible:
                self.calls = 0
                self.sending(situation)
                assert self.calls <= 2, f"{situation}: {self.calls} calls for one message"

    @requires("sends")
    def test_long_and_odd_texts_are_sent_or_refused(self) -> None:
        for text in ("x" * 20_000, "Є" * 20_000, "\x00\u202e\ud800", "<b>&lt;", "*_`[", "\r\n.\r\n"):
            self.calls = 0
            said = self.sending(Situation.WELL, self.message(text=text))
            assert isinstance(said, (Sent, Refused, PermanentFailure)), repr(said)
            assert self.calls <= MAX_CALLS_OF_ONE_SEND

    @requires("sends")
    def test_a_message_without_an_address_is_refused(self) -> None:
        said = self.sending(Situation.WELL, self.message(to=Sender(name="Nobody")))
        assert isinstance(said, (Refused, PermanentFailure)), repr(said)

    @requires("sends")
    def test_a_file_beyond_the_limit_is_refused(self) -> None:
        limit = self.built().capabilities.files
        file = OutgoingFile(name="large.bin", media_type="application/octet-stream", body=bytes(limit + 1))
        if limit <= 64 * 1024 * 1024:
            said = self.sending(Situation.WELL, self.message(files=(file,)))
            assert isinstance(said, (Refused, PermanentFailure)), repr(said)

    @requires("sends")
    def test_a_file_within_the_limit_is_sent(self) -> None:
        if self.built().capabilities.files:
            url = "https://hub.example/f/1/рахунок.pdf" if self.built().capabilities.files_by_url else ""
            file = OutgoingFile(name="рахунок.pdf", media_type="application/pdf", body=b"%PDF-1.4", url=url)
            assert isinstance(self.sending(Situation.WELL, self.message(files=(file,))), Sent)

    # fetch --------------------------------------------------------------------------------------------------

    @requires("fetches")
    def test_a_file_is_fetched(self) -> None:
        assert self.file_ref, "set `file_ref`: a handle that `reply` has a file for"
        fetched = self.ask(Situation.WELL, lambda channel: channel.fetch(self.file_ref, FILE_LIMIT_BYTES))
        assert isinstance(fetched, Fetched)
        assert 0 < len(fetched.body) <= FILE_LIMIT_BYTES

    @requires("fetches")
    def test_a_file_larger_than_the_limit_is_refused(self) -> None:
        said = self.result(Situation.WELL, lambda channel: channel.fetch(self.file_ref, 1))
        assert isinstance(said, PermanentFailure), repr(said)

    @requires("fetches")
    def test_a_file_that_is_gone_is_gone_for_good(self) -> None:
        if Situation.GONE not in self.impossible:
            said = self.result(Situation.GONE, lambda channel: channel.fetch(self.file_ref, FILE_LIMIT_BYTES))
            assert isinstance(said, PermanentFailure), repr(said)

    @requires("fetches")
    def test_fetch_tells_a_fault_from_a_file_that_is_gone(self) -> None:
        for situation in (Situation.TIME_OUT, Situation.UNREACHABLE, Situation.BROKEN):
            if situation not in self.impossible:
                said = self.result(situation, lambda channel: channel.fetch(self.file_ref, FILE_LIMIT_BYTES))
                assert isinstance(said, TemporaryFailure), f"{situation}: {said!r}"

    # web hook -----------------------------------------------------------------------------------------------

    @requires("registers")
    def test_a_web_hook_is_set_again_and_taken_away(self) -> None:
        async def turn(channel: Channel) -> None:
            await channel.open_webhook("https://hub.example/in/account")
            await channel.open_webhook("https://hub.example/in/account")
            await channel.close_webhook()
            await channel.close_webhook()

        self.ask(Situation.WELL, turn)

    @requires("registers")
    def test_a_web_hook_tells_each_fault_from_success(self) -> None:
        self._fails(lambda channel: channel.open_webhook("https://hub.example/in/account"))

    # secrets ------------------------------------------------------------------------------------------------

    @requires("calls")
    def test_no_secret_leaves_in_errors_or_logs_of_calls(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        said: list[str] = []
        for situation in (Situation.WELL, *self._faults()):
            for call in self._calls():
                became = self.result(situation, call)
                said += [told(became), repr(became) if not isinstance(became, (Pulled, Fetched)) else ""]
        said += [record.getMessage() + str(record.exc_info or "") for record in caplog.records]
        whole = "\n".join(said)
        for place, secret in enumerate(self.secrets):
            assert secret not in whole, f"secrets[{place}] leaked"

    def _calls(self) -> Sequence[Callable[[Channel], Awaitable[Any]]]:
        able = self.built().capabilities
        calls: list[Callable[[Channel], Awaitable[Any]]] = []
        if self.applies("checks"):
            calls.append(lambda channel: channel.check())
        if able.pulls:
            calls.append(lambda channel: channel.pull("", 0.1))
        if able.sends:
            calls.append(lambda channel: channel.send(self.message()))
        if able.registers:
            calls.append(lambda channel: channel.open_webhook("https://hub.example/in/account"))
        if self.file_ref:
            calls.append(lambda channel: channel.fetch(self.file_ref, FILE_LIMIT_BYTES))
        return calls
