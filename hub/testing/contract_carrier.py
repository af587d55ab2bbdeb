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
import functools
import itertools
import json
import logging
import re
import socket
import time
import traceback
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
import pytest

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Carrier,
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
from hub.testing.carrier_lists import CarrierLists
from hub.testing.face import check_value
from hub.testing.host import LoopbackHost
from hub.testing.purity import Spent, watched
from hub.testing.situations import HalfBody

BASE_URL = "http://carrier.invalid/"
"""Never reached: a plugin that opens connections of its own fails here at once."""

MAX_DOCUMENT_BYTES = 64 * 1024
MAX_FINGERPRINT = 100
LOOKS_LIKE_LIMIT_S = 0.05
MAX_POISONED = 400

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


class CarrierContract(CarrierLists):
    """Inherit, fill in the attributes, write `make` and `answer`.

    numbers        at least two well-formed numbers (made up), with a telephone where the carrier uses one
    known_codes    at least one raw code of the plugin's table that is an observation
    unknown_code   a raw code that no table lists
    bad_number     what cannot be a number of this carrier; "" where any text can
    secrets        keys and telephones that `make` and `numbers` bring in: looked for in logs and errors
    plugin         what the plugin registers
    """

    numbers: ClassVar[Sequence[TrackingNumber]]
    known_codes: ClassVar[Sequence[str]]
    unknown_code: ClassVar[str] = "99991"
    bad_number: ClassVar[str] = ""

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

    def built(self) -> Carrier:
        """As `make` builds it, with a network that goes nowhere."""
        return self.make(LoopbackHost(), BASE_URL)

    def ask_list(self, answerer: Answerer, call: Callable[[Carrier], Awaitable[Any]]) -> Any:
        """One call of the lists against scripted answers."""

        async def run() -> Any:
            async with LoopbackHost(transport=httpx.MockTransport(answerer)) as host:
                return await asyncio.wait_for(call(self.make(host, BASE_URL)), 30)

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

    def test_every_http_plugin_has_a_base_url(self) -> None:
        assert "base_url" in self.model().model_fields, "an emulator could not be asked"

    def test_the_capabilities_make_sense(self) -> None:
        capabilities = self.capabilities()
        assert capabilities.batch_size >= 1
        assert capabilities.calls_per_minute >= 1
        assert capabilities.parallel_calls >= 1
        assert capabilities.calls_per_day >= 0

    def test_the_page_of_a_parcel_is_an_address_of_the_carrier(self) -> None:
        """A link to it stands on the hub's pages: https, and a number never decides whose page it is."""
        page = self.capabilities().tracking_page
        if page:
            parts = urlsplit(page)
            assert parts.scheme == "https", "people click on it: https"
            assert parts.hostname, f"{page!r} has no host"
            assert "{" not in parts.netloc, "the number belongs into the path or the query"
            assert re.sub(r"\{number\}", "", page).count("{") == 0, "only {number} is filled in"

    def test_the_capabilities_agree_with_the_methods(self) -> None:
        """A capability without its method is a promise broken; a method without it is never called."""
        carrier = self.make(LoopbackHost(), BASE_URL)
        for method in ("changes", "documents", "transfers"):
            own = getattr(type(carrier), method) is not getattr(Carrier, method)
            able = bool(getattr(carrier.capabilities, f"lists_{method}"))
            assert own == able, (
                f"lists_{method} is {able}, and `{method}` is {'there' if own else 'not there'}"
            )

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

    def test_what_the_hub_has_is_told_again_or_called_unchanged(self) -> None:
        first = {one.number: one for one in self.track(self.good).tracked}
        again = self.track(self.good, self._known(first))
        assert not set(again.unchanged) & {entry.number for entry in _entries(again)}
        assert sorted([*again.unchanged, *(entry.number for entry in _entries(again))]) == sorted(first)
        assert all(one == first[one.number] for one in again.tracked)
        assert all(first[number].fingerprint for number in again.unchanged)

    def test_what_has_changed_is_never_called_unchanged(self) -> None:
        """A parcel that moves must not be held for one that stands still."""
        first = {one.number: one for one in self.track(self.good).tracked}
        turned = list(self.known_codes[1:]) + list(self.known_codes[:1])
        later = {one.number: turned[place % len(turned)] for place, one in enumerate(self.batch())}
        answer = self.track(lambda request: self.answer(request, later), self._known(first))
        codes = self.codes()
        assert not {number for number in answer.unchanged if later[number] != codes[number]}

    def test_nothing_is_unchanged_that_the_hub_does_not_have(self) -> None:
        assert self.track(self.good).unchanged == ()
        strange = [dataclasses.replace(one, known="of another plugin") for one in self.batch()]
        assert self.track(self.good, strange).unchanged == ()

    def test_fingerprints_are_short_texts_of_their_own(self) -> None:
        """Two parcels with different codes have different ones: else one would be taken for the other's past."""
        tracked = [one for one in self.track(self.good).tracked if one.fingerprint]
        assert all(
            len(one.fingerprint) <= MAX_FINGERPRINT and one.fingerprint.isprintable() for one in tracked
        )
        assert len({one.fingerprint for one in tracked}) == len(tracked)

    def _known(self, first: Mapping[str, Tracked]) -> list[TrackingNumber]:
        return [dataclasses.replace(one, known=first[one.number].fingerprint) for one in self.batch()]

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
        check_value(self.track(self.good))
        check_value(self.track(lambda request: self.answer(request, {})))

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

    def test_numbers_nobody_asked_for_are_left_out(self) -> None:
        """A carrier that answers for one number too many must not give a stranger's parcel to us."""
        first, *others = self.batch()
        if not others:
            return
        answer = self.track(lambda request: self.answer(request, self.codes()), [first])
        assert [entry.number for entry in _entries(answer)] == [first.number]

    def test_one_number_alone_is_answered(self) -> None:
        for one in self.batch():
            answer = self.track(self.good, [one])
            assert [entry.number for entry in answer.tracked] == [one.number]

    def test_numbers_in_another_order_give_the_same(self) -> None:
        forth = self.track(self.good)
        back = self.track(self.good, list(self.batch())[::-1])
        assert {one.number: one for one in forth.tracked} == {one.number: one for one in back.tracked}

    def test_nothing_known_about_any_number_is_a_problem_of_each(self) -> None:
        answer = self.track(lambda request: self.answer(request, {}))
        assert not answer.tracked
        assert {one.problem for one in answer.problems} <= {Problem.NO_NEWS, Problem.NOT_FOUND}
        assert {one.number for one in answer.problems} == set(self.codes())

    def test_one_unlisted_code_does_not_spoil_the_others(self) -> None:
        codes = self.codes()
        odd = next(iter(codes))
        answer = self.track(lambda request: self.answer(request, {**codes, odd: self.unknown_code}))
        newest = {one.number: one.observations[-1].status for one in answer.tracked}
        assert newest.pop(odd) is Status.UNKNOWN
        assert Status.UNKNOWN not in newest.values()

    def test_known_codes_are_known(self) -> None:
        for code in self.known_codes:
            codes = dict.fromkeys(self.codes(), code)
            answer = self.track(functools.partial(self.answer, codes=codes))
            for tracked in answer.tracked:
                assert tracked.observations[-1].status is not Status.UNKNOWN

    def test_a_value_of_another_kind_spoils_its_own_number_only(self) -> None:
        """Each leaf of a JSON answer in turn becomes null, a list, an object, a huge number, a lone surrogate."""
        for body in itertools.islice(_poisoned(self._body()), MAX_POISONED):
            answerer = _answers(200, body)
            try:
                answer = self.track(answerer)
            except PluginError:
                continue
            assert sorted(entry.number for entry in _entries(answer)) == sorted(self.codes())

    def _body(self) -> bytes:
        """The body of a good answer, as it is asked for first."""
        bodies: list[bytes] = []

        def keep(request: httpx.Request) -> httpx.Response:
            reply = self.good(request)
            bodies.append(reply.content)
            return reply

        self.track(keep)
        return bodies[-1]

    @pytest.mark.parametrize("charset", ["utf-16", "cp1251", "koi8-u", "utf-8-sig"])
    def test_a_wrong_charset_is_survived(self, charset: str) -> None:
        body = self._body().decode("utf-8", "replace").encode(charset, "replace")
        try:
            answer = self.track(_answers(200, body))
        except PluginError:
            return
        assert sorted(entry.number for entry in _entries(answer)) == sorted(self.codes())

    def test_sums_are_not_negative_and_have_a_currency(self) -> None:
        for tracked in self.track(self.good).tracked:
            for one in tracked.observations:
                facts = one.facts
                sums = (facts.cod_expected, facts.cod_collected, facts.cod_paid_out, facts.declared_value)
                assert all(amount is None or (type(amount) is int and amount >= 0) for amount in sums)
                assert len(facts.currency) == 3
                assert facts.currency == facts.currency.upper()

    def test_a_batch_is_one_call_or_few(self) -> None:
        """The budget counts `track` as a call: a plugin that asks number by number breaks it."""
        calls: list[httpx.Request] = []

        def counted(request: httpx.Request) -> httpx.Response:
            calls.append(request)
            return self.good(request)

        self.track(counted)
        assert len(calls) <= 3, f"{len(calls)} calls for one batch"

    def test_faults_are_not_tried_again_by_the_plugin(self) -> None:
        calls: list[httpx.Request] = []

        def failing(request: httpx.Request) -> httpx.Response:
            calls.append(request)
            return httpx.Response(503)

        with pytest.raises(TemporaryFailure):
            self.track(failing)
        assert len(calls) <= 2, "the hub backs off; a plugin that retries too doubles the storm"

    def test_reading_an_answer_takes_little_time(self) -> None:
        with Spent() as spent:
            for _ in range(3):
                self.track(self.good)
        assert spent.s < 1.5, "three small batches"

    def test_calls_at_the_same_time_do_not_mix(self) -> None:
        async def run() -> list[TrackAnswer]:
            async with LoopbackHost(transport=httpx.MockTransport(self.good)) as host:
                carrier = self.make(host, BASE_URL)
                return await asyncio.gather(*(carrier.track([one]) for one in self.batch()))

        for one, answer in zip(self.batch(), asyncio.run(run()), strict=True):
            assert [entry.number for entry in _entries(answer)] == [one.number]

    def test_a_call_can_be_stopped(self) -> None:
        async def hang(request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(60)
            raise AssertionError

        async def run() -> bool:
            async with LoopbackHost(transport=httpx.MockTransport(hang)) as host:
                asking = asyncio.ensure_future(self.make(host, BASE_URL).track(self.batch()))
                await asyncio.sleep(0.05)
                asking.cancel()
                await asyncio.wait({asking}, timeout=2)
                return asking.cancelled()

        assert asyncio.run(run()), "cancellation was swallowed"

    def test_the_object_lives_on_after_a_fault(self) -> None:
        """One failed call must not spoil the next one of the same object."""

        async def run() -> TrackAnswer:
            turn = iter((httpx.Response(503), None))
            transport = httpx.MockTransport(lambda request: next(turn, None) or self.good(request))
            async with LoopbackHost(transport=transport) as host:
                carrier = self.make(host, BASE_URL)
                with pytest.raises(TemporaryFailure):
                    await carrier.track(self.batch())
                return await carrier.track(self.batch())

        assert {one.number for one in asyncio.run(run()).tracked} == set(self.codes())

    def test_only_the_configured_address_is_called(self) -> None:
        hosts: set[str] = set()

        def seen(request: httpx.Request) -> httpx.Response:
            hosts.add(request.url.host)
            return self.good(request)

        self.track(seen)
        assert hosts == {"carrier.invalid"}, "base_url is where this account calls, and nowhere else"

    def test_close_may_be_called_twice(self) -> None:
        async def close() -> None:
            carrier = self.make(LoopbackHost(), BASE_URL)
            await carrier.close()
            await carrier.close()

        asyncio.run(close())

    def test_429_without_a_time_is_throttled_too(self) -> None:
        with pytest.raises(Throttled):
            self.track(_answers(429))

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

    def test_looks_like_is_whole_and_picklable(self) -> None:
        carrier = self.make(LoopbackHost(), BASE_URL)
        for text in (*HOSTILE_TEXTS, *(one.number for one in self.numbers)):
            with watched() as deeds:
                made = carrier.looks_like(text)
            assert deeds == []
            check_value(made)
            assert len(made.number) <= 100
            assert made.likeness is Likeness.NO or made.number, "recognised, and no number"

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


_POISON: tuple[Any, ...] = (None, [], {}, [[{}]], 1e308, -1, "", "\ud800\x00", True, "9" * 400)


def _poisoned(body: bytes) -> Iterator[bytes]:
    """The document with one leaf after another replaced; nothing for a body that is no JSON."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    for turn, path in enumerate(list(_paths(document))):
        for poison in (_POISON[turn % len(_POISON)], _POISON[(turn + 3) % len(_POISON)]):
            copy = json.loads(body)
            _put(copy, path, poison)
            yield json.dumps(copy).encode()


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*at, key)
        yield from _paths(one, (*at, key))


def _put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


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
