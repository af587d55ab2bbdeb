"""The compulsory checks of a carrier plugin. A plugin's tests inherit them:

    class TestMyCarrier(CarrierContract):
        plugin = PLUGIN
        known_codes = ("5", "7")
        secrets = ("the-key", "380671234567")
        numbers = (TrackingNumber(number="..."), TrackingNumber(number="..."))

        def make(self, host, base_url):
            return MyCarrier("account", MySettings(base_url=base_url, api_key="the-key"), host)

        def answer(self, request, codes):
            return httpx.Response(200, json=...)     # one item for each number of `codes`, in its order

The plugin is checked alone: its network is scripted through the host's HTTP client, so neither an account nor
the Internet is needed. What the hub does with the answers (halving, back-off, merging) is tested in the hub.
No check is skipped: one that does not apply (a batch, where a call takes one number) is met trivially.
"""

from __future__ import annotations

import asyncio
import builtins
import dataclasses
import logging
import pickle
import socket
import time
import traceback
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Carrier,
    CarrierPlugin,
    Host,
    Likeness,
    NotTracked,
    NumbersRejected,
    PluginError,
    Problem,
    Recognition,
    Status,
    TemporaryFailure,
    Throttled,
    TrackAnswer,
    Tracked,
    TrackingNumber,
)
from hub.testing.host import LoopbackHost

BASE_URL = "http://carrier.invalid/"
"""Never reached: a plugin that opens connections of its own fails here at once."""

MAX_DOCUMENT_BYTES = 64 * 1024
LOOKS_LIKE_LIMIT_S = 0.05

HOSTILE_TEXTS = (
    "",
    " " * 100_000,
    "1" * 100_000,
    "-" * 100_000,
    "20" + " -" * 50_000,
    ("a1" * 50_000) + "!",
    "\x00\ud800\u202e",
    "٢٠٤٥٠٠٠٠٠٠٠٠٠١",
    "²⁰⁴⁵⁰⁰⁰⁰⁰⁰⁰⁰⁰¹",
    "'; DROP TABLE shipments; --",
    "<script>alert(1)</script>",
    "%s%s%s%n",
)

Answerer = Callable[[httpx.Request], httpx.Response]


class HalfBody(httpx.AsyncByteStream):
    """The beginning of a body, then the connection breaks."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


class CarrierContract:
    """Inherit, fill in the attributes, write `make` and `answer`.

    numbers        at least two well-formed numbers (made up), with a telephone where the carrier uses one
    known_codes    at least one raw code of the plugin's table that is an observation
    unknown_code   a raw code that no table lists
    bad_number     what cannot be a number of this carrier; "" where any text can
    secrets        keys and telephones that `make` and `numbers` bring in: looked for in logs and errors
    plugin         what the plugin registers
    """

    plugin: ClassVar[CarrierPlugin]
    numbers: ClassVar[Sequence[TrackingNumber]]
    known_codes: ClassVar[Sequence[str]]
    unknown_code: ClassVar[str] = "99991"
    bad_number: ClassVar[str] = ""
    secrets: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def make(self, host: Host, base_url: str) -> Carrier:
        """A carrier object of this plugin, with credentials that are among `secrets`."""
        raise NotImplementedError

    @abstractmethod
    def answer(self, request: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        """The carrier's answer to this request of the plugin.

        codes  raw code by number, in the order the items must have; of these numbers only the asked ones are
               answered, and asked numbers that do not stand here are left out (or answered as the
               carrier answers for a number it has nothing about)
        """
        raise NotImplementedError

    def refusal(self, request: httpx.Request, number: str) -> httpx.Response | None:
        """The carrier's answer where it refuses the call because of `number`; None where it never does."""
        return None

    # What the checks are made of -----------------------------------------------------------------------

    def track(self, answerer: Answerer, numbers: Sequence[TrackingNumber] | None = None) -> TrackAnswer:
        """One `track` against scripted answers."""

        async def run() -> TrackAnswer:
            async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
                carrier = self.make(host, BASE_URL)
                return await carrier.track(self.batch() if numbers is None else numbers)

        return asyncio.run(run())

    def batch(self) -> Sequence[TrackingNumber]:
        """As many of the numbers as one call takes."""
        return tuple(self.numbers)[: self.capabilities().batch_size]

    def capabilities(self) -> Any:
        """What the plugin says that it can do."""
        return self.make(LoopbackHost(), BASE_URL).capabilities

    def codes(self) -> dict[str, str]:
        """A known code for each number of the batch, different ones where there are."""
        return {
            one.number: self.known_codes[place % len(self.known_codes)]
            for place, one in enumerate(self.batch())
        }

    def good(self, request: httpx.Request) -> httpx.Response:
        """The carrier's answer when all is well."""
        return self.answer(request, self.codes())

    def faults(self) -> Iterator[tuple[str, Answerer]]:
        """Everything that goes wrong in these checks, by name."""
        for status in (400, 401, 403, 404, 429, 500, 502, 503, 504):
            yield f"HTTP {status}", _answers(status)
        yield "time-out", _raises(httpx.ReadTimeout)
        yield "no connection", _raises(httpx.ConnectError)
        yield "a broken connection", self._broken
        yield "half a body", self._truncated
        for name, body in UNREADABLE_BODIES.items():
            yield name, _answers(200, body)
        refused = self.batch()[0].number
        yield "a refused number", lambda request: self.refusal(request, refused) or self.good(request)

    def _broken(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=HalfBody(self.good(request).content))

    def _truncated(self, request: httpx.Request) -> httpx.Response:
        whole = self.good(request).content
        return httpx.Response(200, content=whole[: len(whole) // 2])

    # The plugin's face ---------------------------------------------------------------------------------

    def test_the_settings_are_frozen_closed_and_described(self) -> None:
        settings = self.plugin.settings
        assert settings.model_config.get("frozen"), "settings must be frozen"
        assert settings.model_config.get("extra") == "forbid", "an unknown key must be an error"
        assert "base_url" in settings.model_fields, "every HTTP plugin has base_url"
        undescribed = [key for key, field in settings.model_fields.items() if not field.description]
        assert not undescribed, f"keys without a description: {undescribed}"

    def test_the_plugin_names_itself_in_english_and_ukrainian(self) -> None:
        assert self.plugin.name.isidentifier()
        assert {"en", "uk"} <= set(self.plugin.title)

    def test_the_capabilities_make_sense(self) -> None:
        capabilities = self.capabilities()
        assert capabilities.batch_size >= 1
        assert capabilities.calls_per_minute >= 1
        assert capabilities.parallel_calls >= 1

    # Answers -------------------------------------------------------------------------------------------

    def test_every_number_asked_gets_exactly_one_entry(self) -> None:
        answer = self.track(self.good)
        assert sorted(entry.number for entry in _entries(answer)) == sorted(self.codes())
        assert {entry.number for entry in answer.tracked} == set(self.codes())

    def test_a_number_asked_twice_gets_one_entry(self) -> None:
        one = self.batch()[0]
        answer = self.track(self.good, [one, one][: self.capabilities().batch_size])
        assert [entry.number for entry in _entries(answer)] == [one.number]

    def test_answers_are_matched_by_number_and_not_by_position(self) -> None:
        codes = self.codes()
        shuffled = dict(reversed(codes.items()))
        answer = self.track(lambda request: self.answer(request, shuffled))
        assert _newest_codes(answer) == codes

    def test_a_number_left_out_of_the_answer_is_no_news(self) -> None:
        first, *others = self.codes().items()
        answer = self.track(lambda request: self.answer(request, dict(others)))
        problems = {entry.number: entry.problem for entry in answer.problems}
        assert problems.get(first[0]) in {Problem.NO_NEWS, Problem.NOT_FOUND}
        assert {entry.number for entry in answer.tracked} == {number for number, _ in others}

    def test_an_unlisted_code_is_unknown_and_kept(self) -> None:
        codes = dict.fromkeys(self.codes(), self.unknown_code)
        answer = self.track(lambda request: self.answer(request, codes))
        assert answer.tracked, "an unlisted code is an observation"
        for tracked in answer.tracked:
            newest = tracked.observations[-1]
            assert newest.status is Status.UNKNOWN, "never guess what an unlisted code means"
            assert newest.raw_code == self.unknown_code

    def test_the_same_bytes_give_the_same_observations(self) -> None:
        assert self.track(self.good) == self.track(self.good)

    def test_answers_survive_pickling(self) -> None:
        answer = self.track(self.good)
        assert pickle.loads(pickle.dumps(answer)) == answer  # noqa: S301 - our own bytes

    def test_times_are_aware_and_in_utc(self) -> None:
        times = [value for value in _values(self.track(self.good)) if isinstance(value, datetime)]
        assert all(at.utcoffset() == timedelta(0) for at in times)

    def test_statuses_are_of_the_enum_and_no_number_is_a_float(self) -> None:
        answer = self.track(self.good)
        assert all(
            type(one.status) is Status and one.raw_code != ""
            for tracked in answer.tracked
            for one in tracked.observations
        )
        assert not [value for value in _values(answer) if isinstance(value, float)], "sums are integers"

    def test_documents_are_bounded_utf8(self) -> None:
        for tracked in self.track(self.good).tracked:
            assert len(tracked.document) <= MAX_DOCUMENT_BYTES
            tracked.document.decode("utf-8")

    def test_an_empty_batch_makes_no_call(self) -> None:
        def forbidden(request: httpx.Request) -> httpx.Response:
            raise AssertionError("nothing was asked, and the carrier was called")

        assert self.track(forbidden, []) == TrackAnswer()

    # Numbers that the carrier does not take ------------------------------------------------------------

    def test_a_badly_formed_number_does_not_spoil_its_batch(self) -> None:
        if not self.bad_number:
            return
        bad = TrackingNumber(number=self.bad_number)
        numbers = [bad, *self.batch()][: self.capabilities().batch_size]
        try:
            answer = self.track(self.good, numbers)
        except NumbersRejected as error:
            assert not error.numbers or self.bad_number in error.numbers  # noqa: PT017 - both ways are right
        else:
            assert NotTracked(number=self.bad_number, problem=Problem.BAD_NUMBER) in [
                dataclasses.replace(entry, message="") for entry in answer.problems
            ]
            assert len(_entries(answer)) == len(numbers)

    def test_a_poisonous_number_is_named_or_the_batch_is_refused_as_such(self) -> None:
        poisonous = self.batch()[-1].number
        if self.refusal(httpx.Request("POST", BASE_URL), poisonous) is None:
            return
        try:
            answer = self.track(lambda request: self.refusal(request, poisonous) or self.good(request))
        except NumbersRejected as error:
            assert set(error.numbers) <= {poisonous}, "only the culprit may be named"  # noqa: PT017
        else:
            problems = {entry.number: entry.problem for entry in answer.problems}
            assert problems.get(poisonous) is Problem.BAD_NUMBER

    # Failures ------------------------------------------------------------------------------------------

    def test_401_stops_the_account(self) -> None:
        with pytest.raises(AuthenticationFailed):
            self.track(_answers(401))

    def test_429_is_throttled_for_as_long_as_the_carrier_says(self) -> None:
        with pytest.raises(Throttled) as caught:
            self.track(lambda _: httpx.Response(429, headers={"retry-after": "7"}))
        assert caught.value.retry_after_s == 7

    @pytest.mark.parametrize("kind", [httpx.ReadTimeout, httpx.ConnectTimeout, httpx.ConnectError])
    def test_no_answer_is_a_temporary_failure(self, kind: type[httpx.TransportError]) -> None:
        with pytest.raises(TemporaryFailure):
            self.track(_raises(kind))

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_5xx_is_a_temporary_failure(self, status: int) -> None:
        with pytest.raises(TemporaryFailure):
            self.track(_answers(status, b"<html>trouble</html>"))

    def test_half_a_body_is_never_half_an_answer(self) -> None:
        for answerer in (self._broken, self._truncated):
            with pytest.raises((TemporaryFailure, AnswerUnreadable)):
                self.track(answerer)

    def test_an_unreadable_answer_is_said_to_be_unreadable(self) -> None:
        for body in UNREADABLE_BODIES.values():
            with pytest.raises((AnswerUnreadable, TemporaryFailure)):
                self.track(_answers(200, body))

    def test_every_fault_gives_an_answer_or_an_error_of_the_contract(self) -> None:
        for name, answerer in self.faults():
            try:
                self.track(answerer)
            except PluginError:
                continue
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                pytest.fail(f"{name}: {type(error).__name__} is no error of the contract")

    def test_secrets_are_never_logged_and_stand_in_no_error(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        said: list[str] = []
        for _, answerer in (("all well", self.good), *self.faults()):
            try:
                self.track(answerer)
            except PluginError as error:
                said += [repr(error), *traceback.format_exception(error)]
        said += [record.getMessage() for record in caplog.records]
        said += [str(record.exc_info) for record in caplog.records if record.exc_info]
        carrier = self.make(LoopbackHost(), BASE_URL)
        said += [repr(carrier), str(carrier)]
        whole = "\n".join(said)
        for place, secret in enumerate(self.secrets):
            # The message names a place, because a failing test's output is a log too.
            assert secret not in whole, f"secrets[{place}] leaked"

    # Recognising numbers -------------------------------------------------------------------------------

    def test_own_numbers_are_recognised(self) -> None:
        carrier = self.make(LoopbackHost(), BASE_URL)
        for one in self.numbers:
            assert carrier.looks_like(one.number).likeness is not Likeness.NO
            assert carrier.looks_like(f"  {one.number} ").number == carrier.looks_like(one.number).number

    def test_looks_like_is_pure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        carrier = self.make(LoopbackHost(transport=httpx.MockTransport(_forbidden)), BASE_URL)
        texts = [one.number for one in self.numbers] + list(HOSTILE_TEXTS)
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "connect", _forbidden)
            patched.setattr(builtins, "open", _forbidden)
            first = [carrier.looks_like(text) for text in texts]
            assert first == [carrier.looks_like(text) for text in texts]
        assert all(isinstance(one, Recognition) for one in first)

    def test_looks_like_is_fast_on_any_text(self) -> None:
        carrier = self.make(LoopbackHost(), BASE_URL)
        for text in HOSTILE_TEXTS:
            assert min(_seconds(carrier, text) for _ in range(3)) < LOOKS_LIKE_LIMIT_S


UNREADABLE_BODIES: dict[str, bytes] = {
    "no body": b"",
    "HTML": b"<!DOCTYPE html><html><body>Bad gateway</body></html>",
    "not JSON": b"{'success': true}",
    "not text": b"\x00\xff\xfe\x80" * 10,
    "deep nesting": b"[" * 50_000,
    "another document": b'{"hello": "world"}',
    "a bare word": b"null",
}
"""Bodies that no carrier's documentation knows."""


def _entries(answer: TrackAnswer) -> list[Tracked | NotTracked]:
    return [*answer.tracked, *answer.problems]


def _newest_codes(answer: TrackAnswer) -> dict[str, str]:
    return {tracked.number: tracked.observations[-1].raw_code for tracked in answer.tracked}


def _values(value: object) -> Iterator[object]:
    """Every leaf of an answer."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _values(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _values(one)
    else:
        yield value


def _raises(kind: type[httpx.TransportError]) -> Answerer:
    def answerer(request: httpx.Request) -> httpx.Response:
        raise kind("scripted", request=request)

    return answerer


def _answers(status: int, body: bytes = b"") -> Answerer:
    return lambda _: httpx.Response(status, content=body)


def _forbidden(*_: object, **__: object) -> Any:
    raise AssertionError("looks_like must not read files nor use the network")


def _seconds(carrier: Carrier, text: str) -> float:
    started = time.perf_counter()
    carrier.looks_like(text)
    return time.perf_counter() - started
