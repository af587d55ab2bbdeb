"""The compulsory checks of a channel plugin. A plugin's tests inherit them:

    class TestMyChannel(ChannelContract):
        plugin = PLUGIN
        settings = {"token": "the-token"}
        secrets = ("the-token",)

        def make(self, **overrides):
            return MyChannel("account", MySettings(token="the-token", **overrides), LoopbackHost())

        def good_deliveries(self):
            return [post(b'{"name": "Ivan", "phone": "0501234567"}', "application/json")]

The plugin is checked alone, without a hub, an account or the Internet. A channel that signs says how in
`signature`; for one that does not, the checks of signatures do not exist (they are not skipped). What the
hub does with the values (uniqueness, counting, storing) is tested in the hub. Channels that fetch or send
write `wired` and `reply` too: hub/testing/channel_network.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from hub.sdk import (
    Channel,
    ChannelCapabilities,
    ChannelLimits,
    DeliveryRejected,
    EventKind,
    HttpAnswer,
    Outcome,
    OutcomeKind,
    Parsed,
    PayloadUnreadable,
    PluginError,
    RawDelivery,
    Verified,
)
from hub.testing.channel_network import NetworkChecks
from hub.testing.face import check_value, requires
from hub.testing.purity import Spent, told, watched

RECEIVED_AT = datetime(2026, 3, 5, 8, 40, tzinfo=UTC)
TIME_LIMIT_S = 0.2
"""CPU time of `verify` and `parse` together for one delivery."""

JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
_EXAMPLES: Final = examples(
    max_examples=150,
    deadline=None,  # the CPU time is measured here, so that a busy machine fails no test
    database=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


def post(
    body: bytes,
    media_type: str = JSON,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    account: str = "account",
    path: str = "",
    received_at: datetime = RECEIVED_AT,
) -> RawDelivery:
    """One delivery over HTTP; header names in lower case."""
    return RawDelivery(
        account=account,
        method="POST",
        path=path,
        headers={"content-type": media_type, "accept": "*/*", **(headers or {})},
        query=dict(query or {}),
        body=body,
        address="192.0.2.7",
        received_at=received_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How a channel proves that a delivery is authentic.

    header    name in lower case of the header that carries the proof
    secret    the secret that `make()` configures
    sign      sign(raw, secret) -> the same delivery with the right proof for its body
    window_s  how old a signed delivery may be; None where the provider signs no time. A replay is then
              told by its external id alone
    covers_body  False for a mere shared secret in a header
    setting   the key of the settings that holds the secret: lets the kit rotate it with make(<setting>=...)
    """

    header: str
    secret: str
    sign: Callable[[RawDelivery, str], RawDelivery]
    window_s: int | None = None
    covers_body: bool = True
    setting: str = ""


_SIGNATURE_CHECKS = (
    "test_good_signature_is_accepted",
    "test_missing_signature_is_refused",
    "test_wrong_signature_is_refused",
    "test_signature_of_another_secret_is_refused",
    "test_flipped_bit_of_a_signed_body_is_refused",
    "test_replayed_delivery_is_refused_or_known",
    "test_rotated_secret_refuses_the_old_and_takes_the_new",
    "test_signature_given_twice_is_refused",
    "test_small_clock_skew_is_accepted_and_a_large_one_refused",
)


class ChannelContract(NetworkChecks):
    """Inherit, write `make` and `good_deliveries`, fill in what applies.

    plugin     what the plugin registers; settings: keys of a valid account
    secrets    values of the settings that may never be shown; looked for in logs and errors
    depends_on_settings   capabilities that these settings switch off although the method is there
    signature  how deliveries are signed; None = they are not
    pages      paths below /in/<account> that `page` answers; empty where the channel has none
    """

    signature: ClassVar[Signature | None] = None
    pages: ClassVar[Sequence[str]] = ()
    depends_on_settings: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.signature is None:
            for name in _SIGNATURE_CHECKS:
                setattr(cls, name, None)  # pytest collects only what can be called

    def built(self) -> Channel:
        """As `make` builds it."""
        return self.make()

    def applies(self, need: str) -> bool:
        """`strange`: the kit names deliveries of unknown types; `page`: there are pages."""
        if need == "strange":
            return bool(self.strange_deliveries())
        if need == "page":
            return bool(self.pages)
        return super().applies(need)

    def strange_deliveries(self) -> Sequence[RawDelivery]:
        """Well-formed deliveries of types that the plugin does not know; unsigned. None where there are no types."""
        return ()

    def make(self, **overrides: Any) -> Channel:
        """A channel object of this plugin; `overrides` are keys of its settings."""
        raise NotImplementedError

    def good_deliveries(self) -> Sequence[RawDelivery]:
        """Deliveries that are accepted and understood, one of each kind the plugin knows; unsigned."""
        raise NotImplementedError

    # What the checks are made of ----------------------------------------------------------------------------

    def signed(self, raw: RawDelivery) -> RawDelivery:
        """The delivery with its proof, where the channel signs."""
        return raw if self.signature is None else self.signature.sign(raw, self.signature.secret)

    def good(self) -> list[RawDelivery]:
        """The good deliveries, signed."""
        deliveries = [self.signed(raw) for raw in self.good_deliveries()]
        assert deliveries, "good_deliveries() must name at least one"
        return deliveries

    def take(self, channel: Channel, raw: RawDelivery) -> tuple[Verified, Parsed] | PluginError:
        """`verify` and `parse` as the hub calls them: values or the documented error, bounded in time."""
        with Spent() as spent:
            taken = _take(channel, raw)
        assert spent.s < TIME_LIMIT_S, (
            f"verify and parse took {spent.s:.3f} s of CPU for {len(raw.body)} bytes"
        )
        return taken

    def accepted(self, channel: Channel, raw: RawDelivery) -> tuple[Verified, Parsed]:
        """The same for a delivery that must be accepted."""
        taken = self.take(channel, raw)
        assert not isinstance(taken, PluginError), f"a good delivery was refused: {taken}"
        return taken

    # What it says about itself ------------------------------------------------------------------------------

    def test_capabilities_and_limits_are_values(self) -> None:
        channel = self.make()
        assert isinstance(channel.capabilities, ChannelCapabilities)
        assert isinstance(channel.limits, ChannelLimits)
        assert 0 < channel.limits.max_body_bytes <= 64 * 1024 * 1024
        assert channel.limits.rate_per_minute >= 0
        assert channel.capabilities.has_page == bool(self.pages)

    # Good deliveries ----------------------------------------------------------------------------------------

    def test_good_deliveries_are_understood(self) -> None:
        channel = self.make()
        for raw in self.good():
            verified, parsed = self.accepted(channel, raw)
            _check_values(verified, parsed)

    def test_same_bytes_give_the_same_external_id_and_the_same_events(self) -> None:
        """At another moment, in another process, on another object: a repeat must be known as one."""
        channel = self.make()
        for raw in self.good():
            verified, parsed = self.accepted(channel, raw)
            again = replace(
                raw, body=bytes(bytearray(raw.body)), received_at=raw.received_at + timedelta(seconds=1)
            )
            assert self.accepted(self.make(), again) == (verified, parsed)
            assert channel.verify(raw) == verified
            assert channel.parse(raw) == parsed
            assert channel.parse(raw) == parsed

    def test_deliveries_do_not_mix(self) -> None:
        """Neither the order of calls nor threads make one delivery's words another's."""
        channel, raws = self.make(), self.good()
        alone = [self.accepted(self.make(), raw) for raw in raws]
        verified = [channel.verify(raw) for raw in raws]
        parsed = [channel.parse(raw) for raw in reversed(raws)][::-1]
        assert list(zip(verified, parsed, strict=True)) == alone
        wrong: list[int] = []

        def work(shift: int) -> None:
            for turn in range(100):
                index = (turn + shift) % len(raws)
                if _take(channel, raws[index]) != alone[index]:
                    wrong.append(index)

        threads = [threading.Thread(target=work, args=(shift,)) for shift in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_verify_and_parse_are_pure(self) -> None:
        """No network, no process, no file written; the delivery stays as it was."""
        channel = self.make()
        for raw in self.good():
            before = pickle.dumps(raw)
            with watched() as deeds:
                self.accepted(channel, raw)
            assert deeds == []
            assert pickle.dumps(raw) == before

    def test_values_are_picklable(self) -> None:
        channel = self.make()
        for raw in self.good():
            for value in self.accepted(channel, raw):
                check_value(value)
            for outcome in _outcomes():
                check_value(channel.answer(outcome, raw))
        for path in self.pages:
            check_value(channel.page(path, {}, "uk"))

    # Repeats, order, other ways in --------------------------------------------------------------------------

    def test_capabilities_agree_with_the_methods(self) -> None:
        """A capability without its method is a promise broken; a method without its capability is never called."""
        channel = self.make()
        methods = {"pulls": "pull", "rescans": "rescan", "sends": "send", "registers": "open_webhook"}
        for capability, method in {**methods, "has_page": "page"}.items():
            own = getattr(type(channel), method) is not getattr(Channel, method)
            able = bool(getattr(channel.capabilities, capability))
            if capability in self.depends_on_settings and own and not able:
                continue
            assert own == able, f"{capability} is {able}, and `{method}` is {'there' if own else 'not there'}"
        assert channel.capabilities.silence_s > 0
        assert channel.capabilities.files >= 0

    def test_different_deliveries_have_different_ids(self) -> None:
        """Two deliveries under one id: the second would be lost as a repeat of the first."""
        channel = self.make()
        ids = {raw.body: channel.verify(raw).external_id for raw in self.good()}
        known = [one for one in ids.values() if one is not None]
        assert len(known) < 2 or len(set(known)) > 1, "every delivery has the same id"

    def test_ids_do_not_depend_on_the_account_s_neighbours(self) -> None:
        """Nothing is counted up: another order of calls gives the same ids."""
        raws = self.good()
        forth = [self.make().verify(raw) for raw in raws]
        channel = self.make()
        back = [channel.verify(raw) for raw in reversed(raws)][::-1]
        assert forth == back

    def test_a_delivery_years_off_is_a_documented_error_or_the_same(self) -> None:
        """Clocks go wrong: ours too."""
        channel = self.make()
        for raw in self.good():
            for at in (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
                taken = self.take(channel, replace(raw, received_at=at))
                if not isinstance(taken, PluginError):
                    assert taken[0] == channel.verify(raw)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PULL", ""])
    def test_another_method_is_a_documented_error_or_understood(self, method: str) -> None:
        channel = self.make()
        for raw in self.good():
            self.take(channel, replace(raw, method=method))

    def test_another_path_is_a_documented_error_or_understood(self) -> None:
        channel = self.make()
        for raw in self.good():
            for path in ("/", "/../../etc/passwd", "/" + "x" * 5_000, "/%00", "/\udcff"):
                self.take(channel, replace(raw, path=path))

    def test_hostile_headers_and_queries_are_survived(self) -> None:
        channel = self.make()
        for raw in self.good():
            for odd in ("x" * 100_000, "\x00", "\udcff", "a, a, a", "\r\nX: y"):
                self.take(
                    channel, replace(raw, headers=dict.fromkeys((*raw.headers, "idempotency-key"), odd))
                )
                self.take(channel, replace(raw, query={"lang": odd, odd: odd}))

    def test_events_are_bounded_and_whole(self) -> None:
        channel = self.make()
        for raw in self.good():
            _, parsed = self.accepted(channel, raw)
            assert len(parsed.events) <= 1_000
            for event in parsed.events:
                assert len(event.text) <= 1_000_000
                if event.kind in {EventKind.EDIT, EventKind.RECEIPT}:
                    assert event.about, "which message is meant?"
                if event.kind is EventKind.RECEIPT:
                    assert event.mark is not None

    def test_attachments_are_bounded_and_can_be_had(self) -> None:
        channel = self.make()
        fetches = type(channel).fetch is not Channel.fetch
        for raw in self.good():
            for event in self.accepted(channel, raw)[1].events:
                assert len(event.attachments) <= 50
                for file in event.attachments:
                    assert file.body is not None or file.ref, "neither bytes nor a handle"
                    assert file.body is not None or fetches, "a handle, and no `fetch`"
                    assert not any(secret in file.ref for secret in self.secrets)

    @requires("strange")
    def test_an_unknown_type_opens_no_task(self) -> None:
        """What the plugin does not know is stored: ignored, or unreadable until the plugin learns it."""
        channel = self.make()
        for raw in self.strange_deliveries():
            taken = self.take(channel, self.signed(raw))
            assert not isinstance(taken, DeliveryRejected), "rejected is lost: the provider tells it once"
            if not isinstance(taken, PluginError):
                assert not [event for event in taken[1].events if event.kind is EventKind.MESSAGE]

    def test_answers_and_pages_are_pure_and_fast(self) -> None:
        channel = self.make()
        for raw in self.good():
            with watched() as deeds, Spent() as spent:
                for outcome in _outcomes():
                    channel.answer(outcome, raw)
                for path in self.pages:
                    channel.page(path, {}, "uk")
            assert deeds == []
            assert spent.s < TIME_LIMIT_S

    def test_answers_and_pages_show_no_secret(self) -> None:
        channel = self.make()
        shown = [
            repr(channel.answer(outcome, raw)).encode() + channel.answer(outcome, raw).body
            for raw in self.good()
            for outcome in _outcomes()
        ]
        shown += [answer.body for path in self.pages if (answer := channel.page(path, {}, "uk"))]
        for place, secret in enumerate(self.secrets):
            assert not any(secret.encode() in one for one in shown), f"secrets[{place}] is shown"

    def test_parsing_leaves_nothing_behind(self) -> None:
        """An object that grows with each delivery fills the memory of a hub that runs for months."""
        channel, raws = self.make(), self.good()
        sizes = []
        for _ in range(3):
            for _ in range(30):
                for raw in raws:
                    _take(channel, raw)
            sizes.append(_held(channel))
        assert sizes[2] <= sizes[1], "the channel keeps what it has parsed"

    def test_close_may_be_called_twice(self) -> None:
        async def close() -> None:
            channel = self.make()
            await channel.close()
            await channel.close()

        asyncio.run(close())

    def test_a_closed_channel_still_understands(self) -> None:
        """Replays come after a listener has moved to another process."""
        channel = self.make()
        asyncio.run(channel.close())
        for raw in self.good():
            self.accepted(channel, raw)

    # Hostile deliveries -------------------------------------------------------------------------------------

    @_EXAMPLES
    @given(body=st.binary(max_size=2_000), pick=st.integers(0, 1_000))
    def test_any_bytes_give_a_result_or_a_documented_error(self, body: bytes, pick: int) -> None:
        channel, goods = self.make(), self.good_deliveries()
        self.take(channel, self.signed(replace(goods[pick % len(goods)], body=body)))

    @_EXAMPLES
    @given(
        pick=st.integers(0, 1_000),
        at=st.integers(0, 100_000),
        junk=st.binary(max_size=12),
        cut=st.integers(0, 12),
    )
    def test_damaged_good_bodies_give_a_result_or_a_documented_error(
        self, pick: int, at: int, junk: bytes, cut: int
    ) -> None:
        channel, goods = self.make(), self.good_deliveries()
        raw = goods[pick % len(goods)]
        at %= len(raw.body) + 1
        self.take(channel, self.signed(replace(raw, body=raw.body[:at] + junk + raw.body[at + cut :])))

    @pytest.mark.parametrize(
        "media_type", ["", "text/html", "application/octet-stream", "x" * 5_000, "ж/ж", ";;;"]
    )
    def test_unknown_media_type_is_a_documented_error_or_understood(self, media_type: str) -> None:
        channel = self.make()
        for raw in self.good():
            headers = {**raw.headers, "content-type": media_type}
            self.take(channel, replace(raw, headers=headers))

    def test_no_headers_at_all_are_survived(self) -> None:
        channel = self.make()
        for raw in self.good():
            self.take(channel, replace(raw, headers={}))

    def test_unknown_types_and_unreadable_bodies_are_survived(self) -> None:
        channel = self.make()
        for raw in _by_media_type(self.good_deliveries()):
            for body in _ODD_BODIES:
                self.take(channel, self.signed(replace(raw, body=body)))

    def test_hostile_sizes_stay_within_the_time_limit(self) -> None:
        """Deep nesting, 200 kB of one key, very many keys: 0.2 s of CPU each."""
        channel = self.make()
        limit = channel.limits.max_body_bytes
        for raw in _by_media_type(self.good_deliveries()):
            for body in _hostile_bodies():
                self.take(channel, self.signed(replace(raw, body=body[:limit])))

    @pytest.mark.parametrize("charset", ["koi8-u", "windows-1251", "utf-16", "no-such-charset", '"', "\x00"])
    def test_wrong_charset_is_survived(self, charset: str) -> None:
        channel = self.make()
        for raw in self.good_deliveries():
            headers = {**raw.headers, "content-type": f"{raw.media_type}; charset={charset}"}
            self.take(channel, self.signed(replace(raw, headers=headers)))
            legacy = raw.body.decode("utf-8", "replace").encode("cp1251", "replace")
            self.take(channel, self.signed(replace(raw, headers=headers, body=legacy)))

    @pytest.mark.parametrize("odd", ["\x00", "\ud800", "\udc00x", "\u202e", "\U0001f600", "\r\n"])
    def test_odd_characters_survive_or_are_refused(self, odd: str) -> None:
        """NUL and lone surrogates are legal in JSON; the values must still pass between processes."""
        channel = self.make()
        for raw in self.good_deliveries():
            taken = self.take(channel, self.signed(replace(raw, body=_with_text(raw, odd))))
            if not isinstance(taken, PluginError):
                _check_values(*taken)
                assert pickle.loads(pickle.dumps(taken)) == taken  # noqa: S301

    def test_nothing_private_is_logged_or_told_in_errors(self, caplog: pytest.LogCaptureFixture) -> None:
        """Neither secrets of the settings nor words, names and telephones of customers."""
        channel = self.make()
        for raw in self.good():
            with caplog.at_level(logging.DEBUG):
                private = [*self.secrets, *_words(self.accepted(channel, raw)[1])]
                said = [told(self.take(channel, bad)) for bad in self._spoilt(raw)]
            said += [record.getMessage() + str(record.__dict__) for record in caplog.records]
            for word in private:
                assert not any(word in text for text in said), (
                    "a private word stands in a log record or an error"
                )

    def _spoilt(self, raw: RawDelivery) -> Iterator[RawDelivery]:
        yield raw
        yield replace(raw, headers={})
        yield replace(raw, headers={**raw.headers, "content-type": "image/png"})
        for cut in range(1, 10):
            yield self.signed(replace(raw, body=raw.body[: len(raw.body) * cut // 10]))
        yield self.signed(replace(raw, body=raw.body + b"\xff}"))
        yield self.signed(replace(raw, body=b"[" + raw.body + b"]"))

    # Answers and pages --------------------------------------------------------------------------------------

    def test_answers_are_well_formed(self) -> None:
        channel = self.make()
        for raw in self.good():
            for accept in ("*/*", "text/html,application/xhtml+xml", "", "\r\nX: y"):
                asked = replace(raw, headers={**raw.headers, "accept": accept})
                for outcome in _outcomes():
                    _check_answer(channel.answer(outcome, asked))

    def test_a_repeat_is_answered_as_the_first_was(self) -> None:
        channel = self.make()
        for raw in self.good():
            for outcome in _outcomes():
                assert channel.answer(replace(outcome, repeated=True), raw) == channel.answer(outcome, raw)

    def test_pages_answer_in_each_language_and_escape_what_they_show(self) -> None:
        channel = self.make()
        attack = "\"><script>alert('x')</script>\x00\ud800\r\n"
        assert channel.page("/there-is-no-such-page", {}, "en") is None
        for path in self.pages:
            for language in ("uk", "en", "", attack):
                for query in ({}, {"lang": attack, "utm_source": attack, attack: attack}):
                    answer = channel.page(path, query, language)
                    assert answer is not None
                    _check_answer(answer)
                    assert b"<script>alert" not in answer.body

    # Signatures: these exist only where `signature` is set --------------------------------------------------

    def _signature(self) -> Signature:
        assert self.signature is not None
        return self.signature

    def _refused(self, raw: RawDelivery) -> None:
        with pytest.raises(DeliveryRejected) as refusal:
            self.make().verify(raw)
        assert refusal.value.status in {401, 403}

    def test_good_signature_is_accepted(self) -> None:
        for raw in self.good():
            self.make().verify(raw)

    def test_missing_signature_is_refused(self) -> None:
        name = self._signature().header
        for raw in self.good():
            self._refused(replace(raw, headers={k: v for k, v in raw.headers.items() if k != name}))
            self._refused(replace(raw, headers={**raw.headers, name: ""}))

    def test_wrong_signature_is_refused(self) -> None:
        name = self._signature().header
        for raw in self.good():
            right = raw.headers[name]
            wrong = ("0" if right[-1] != "0" else "1", "é", "\x00")
            for end in wrong:
                self._refused(replace(raw, headers={**raw.headers, name: right[:-1] + end}))
            self._refused(replace(raw, headers={**raw.headers, name: right[:-1]}))

    def test_signature_of_another_secret_is_refused(self) -> None:
        signature = self._signature()
        for raw in self.good_deliveries():
            self._refused(signature.sign(raw, signature.secret[::-1] + "x"))

    def test_flipped_bit_of_a_signed_body_is_refused(self) -> None:
        for raw in self.good() if self._signature().covers_body else ():
            for at in range(0, len(raw.body), max(1, len(raw.body) // 50)):
                body = bytearray(raw.body)
                body[at] ^= 1 << at % 8
                self._refused(replace(raw, body=bytes(body)))

    def test_replayed_delivery_is_refused_or_known(self) -> None:
        window_s = self._signature().window_s
        for raw in self.good():
            if window_s is None:
                channel = self.make()
                later = replace(raw, received_at=raw.received_at + timedelta(days=1))
                assert channel.verify(later).external_id == channel.verify(raw).external_id is not None
            else:
                self._refused(replace(raw, received_at=raw.received_at + timedelta(seconds=window_s + 1)))

    def test_rotated_secret_refuses_the_old_and_takes_the_new(self) -> None:
        signature = self._signature()
        assert signature.setting, "set `setting` of Signature: the settings' key that holds the secret"
        other = signature.secret[::-1] + "2"
        rotated = self.make(**{signature.setting: other})
        for raw in self.good_deliveries():
            rotated.verify(signature.sign(raw, other))
            with pytest.raises(DeliveryRejected):
                rotated.verify(signature.sign(raw, signature.secret))

    def test_signature_given_twice_is_refused(self) -> None:
        """A header that was sent twice stands joined: the second one may be an attacker's."""
        name = self._signature().header
        for raw in self.good():
            proof = raw.headers[name]
            self._refused(replace(raw, headers={**raw.headers, name: f"{proof}, {proof}"}))

    def test_small_clock_skew_is_accepted_and_a_large_one_refused(self) -> None:
        window_s = self._signature().window_s
        for raw in self.good() if window_s is not None else ():
            for skew_s in (-5, 5):
                self.make().verify(replace(raw, received_at=raw.received_at + timedelta(seconds=skew_s)))
            long_before = timedelta(seconds=(window_s or 0) + 60)
            self._refused(replace(raw, received_at=raw.received_at - long_before))


# Hostile material -------------------------------------------------------------------------------------------

_ODD_BODIES: Final = (
    *(
        b"",
        b" ",
        b"\x00",
        b"null",
        b"true",
        b"0",
        b"[]",
        b"{}",
        b'""',
        b"{",
        b"[",
        b"&",
        b"=",
        b"&=&=",
        b"%",
        b"%zz",
    ),
    *(b"[1,2]", b'{"":""}', b"NaN", b'{"a":NaN}', b'{"a":1e999}', b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00"),
    *(
        b'{"event":"never_seen_before"}',
        b'{"type":"never_seen_before","id":1}',
        b'{"update_id":1,"never_seen":{}}',
    ),
    *(b'{"name":{"name":{}},"phone":[],"email":[[]]}', b'{"name":[null,{}],"phone":true,"email":1.5}'),
    *(
        b'{"a":1,"a":2}',
        b'{"a":' + b"9" * 400 + b"}",
        b"a[=1",
        b"a]=1",
        b"[a]=1",
        b"a[][][b]=1",
        b"<a/>",
        b"--X--",
    ),
)


def _hostile_bodies() -> Iterator[bytes]:
    deep = 50_000
    yield b"[" * deep
    yield b'{"a":' * deep + b"1" + b"}" * deep
    yield b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"
    yield b'{"name":"x","a":"\\ud800","b":' + b"[" * deep
    yield b'{"a":[' + b"[]," * 300_000 + b"[]]}"
    yield b'{"a":[' + b"1," * 400_000 + b"1]}"
    yield b'{"' + b"k" * 200_000 + b'":"v"}'
    yield b'{"' + b"k" * 200_000 + b'":{' + b",".join(b'"k%d":1' % n for n in range(1_000)) + b"}}"
    yield b"{" + b",".join(b'"k%d":"v"' % n for n in range(50_000)) + b"}"
    yield b'{"name":"' + b"x" * 900_000 + b'"}'
    yield b'{"name":"' + b"\\u0041" * 150_000 + b'"}'
    yield b'{"phone":"' + b"0 " * 100_000 + b'","email":"' + b"a@" * 100_000 + b'"}'
    yield b"k" * 200_000 + b"=v"
    yield b"a" + b"[b]" * 60_000 + b"=v"
    yield b"&".join(b"k%d=v" % n for n in range(50_000))
    yield b"a=1&" * 250_000
    yield b"&" * 1_000_000
    yield b"=" * 1_000_000
    yield b"name=" + b"%D0%86" * 150_000
    yield b"phone=" + b"%30+" * 200_000 + b"&email=" + b"a@" * 50_000
    yield b"a" * 1_000_000
    yield b" " * 1_000_000


def _by_media_type(deliveries: Iterable[RawDelivery]) -> list[RawDelivery]:
    """One delivery of each media type, and each as JSON and urlencoded."""
    first: dict[str, RawDelivery] = {}
    for raw in deliveries:
        first.setdefault(raw.media_type, raw)
        for media_type in (JSON, URLENCODED):
            first.setdefault(media_type, replace(raw, headers={**raw.headers, "content-type": media_type}))
    return list(first.values())


def _with_text(raw: RawDelivery, odd: str) -> bytes:
    """The body with odd characters at the end of each of its texts; unchanged where it is no JSON."""
    try:
        document = json.loads(raw.body)
    except ValueError:
        return raw.body.replace(b"&", odd.encode("utf-8", "surrogatepass") + b"&")
    return json.dumps(_spiced(document, odd)).encode()


def _spiced(value: Any, odd: str) -> Any:
    if isinstance(value, str):
        return value + odd
    if isinstance(value, list):
        return [_spiced(inner, odd) for inner in value]
    if isinstance(value, dict):
        return {key: _spiced(inner, odd) for key, inner in value.items()}
    return value


# Checks of values -------------------------------------------------------------------------------------------


def _take(channel: Channel, raw: RawDelivery) -> tuple[Verified, Parsed] | PluginError:
    try:
        verified = channel.verify(raw)
    except DeliveryRejected as rejection:
        _check_rejection(rejection)
        return rejection
    try:
        return verified, channel.parse(raw)
    except PayloadUnreadable as unreadable:
        return unreadable
    except DeliveryRejected as rejection:
        assert channel.capabilities.parses_at_once, "parse may reject only where parses_at_once is set"
        _check_rejection(rejection)
        return rejection


def _check_rejection(rejection: DeliveryRejected) -> None:
    assert 400 <= rejection.status <= 499
    assert rejection.reason.isidentifier(), "the reason is a short word for a counter"
    assert 0 < len(rejection.message) <= 500


def _check_values(verified: Verified, parsed: Parsed) -> None:
    assert isinstance(verified, Verified)
    external_id = verified.external_id
    assert external_id is None or 0 < len(external_id) <= 500
    if external_id is not None:
        assert external_id.isprintable(), "an external id is a key of the database"
    assert isinstance(parsed, Parsed)
    for event in parsed.events:
        assert isinstance(event.kind, EventKind)
        assert event.sent_at is None or event.sent_at.tzinfo is not None
        texts = [event.text, event.subject, event.message_id, *event.fields, *event.fields.values()]
        texts += [*event.source, *event.source.values()]
        assert all(isinstance(text, str) for text in texts)
        if event.kind is EventKind.MESSAGE:
            sender = event.sender
            assert sender.name or sender.phone or sender.email or sender.channel_id


def _held(channel: Channel) -> int:
    """How much a channel keeps, roughly: its picklable attributes, and the length of the others."""
    size = 0
    for value in getattr(channel, "__dict__", {}).values():
        try:
            size += len(pickle.dumps(value))
        except Exception:  # noqa: BLE001 - locks, clients: they hold no deliveries
            size += len(value) if hasattr(value, "__len__") else 0
    return size


def _outcomes() -> Iterator[Outcome]:
    for kind in OutcomeKind:
        yield Outcome(kind=kind, request_id="123456789012345678" if kind is OutcomeKind.ACCEPTED else "")


def _check_answer(answer: HttpAnswer) -> None:
    assert isinstance(answer, HttpAnswer)
    assert 200 <= answer.status <= 599
    assert isinstance(answer.body, bytes)
    assert answer.media_type.count("/") == 1
    for name, value in answer.headers.items():
        assert name
        assert not set(name + value) & {"\r", "\n", "\x00"}, (
            "a header that ends early smuggles another one in"
        )
        value.encode("latin-1")
    if 300 <= answer.status <= 399:
        assert any(name.lower() == "location" for name in answer.headers)
    elif answer.media_type == JSON and answer.body:
        json.loads(answer.body)


def _words(parsed: Parsed) -> list[str]:
    """What a customer wrote, as far as it is long enough to be told from chance."""
    words: list[str] = []
    for event in parsed.events:
        sender = event.sender
        words += [sender.name, sender.phone, sender.email, event.text, *event.fields.values()]
    return [word for word in words if len(word) >= 5]
