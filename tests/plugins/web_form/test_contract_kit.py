"""The contract kit itself: what a small signing channel does wrong is caught, in more ways than one a check.

That each check holds for a sound plugin and can fail: tests/contract/test_kit_of_channels.py, ..._of_carriers.py.
"""

import hashlib
import hmac
import logging
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.sdk import (
    Channel,
    ChannelPlugin,
    DeliveryRejected,
    Event,
    EventKind,
    Host,
    HttpAnswer,
    Outcome,
    Parsed,
    PayloadUnreadable,
    RawDelivery,
    Sender,
    Verified,
)
from hub.testing.contract_channel import _SIGNATURE_CHECKS, ChannelContract, Signature, post
from hub.testing.host import LoopbackHost

SECRET = "0f1e2d3c-the-token"


def proof(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def sign(raw: RawDelivery, secret: str) -> RawDelivery:
    return replace(raw, headers={**raw.headers, "x-proof": proof(raw.body, secret)})


class SigningSettings(BaseModel):
    """One key."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    token: SecretStr = Field(default=SecretStr(SECRET), description="What deliveries are signed with.")


class Signing(Channel):
    """Telephone and text, parted by a line end; the whole body is signed."""

    def __init__(self, account: str, settings: SigningSettings, host: Host) -> None:
        self._token, self._host = settings.token, host

    def verify(self, raw: RawDelivery) -> Verified:
        sent = raw.headers.get("x-proof", "").encode("utf-8", "replace")
        if not hmac.compare_digest(proof(raw.body, self._token.get_secret_value()).encode(), sent):
            raise DeliveryRejected("signature")
        return Verified(external_id=hashlib.sha256(raw.body).hexdigest())

    def parse(self, raw: RawDelivery) -> Parsed:
        try:
            phone, text = raw.body.decode().split("\n", 1)
        except ValueError:
            raise PayloadUnreadable("two lines are expected") from None
        if not phone:
            raise PayloadUnreadable("the first line is empty")
        return Parsed(events=(Event(kind=EventKind.MESSAGE, sender=Sender(phone=phone), text=text),))


class SigningContract(ChannelContract):
    """Not collected: its name does not begin with Test."""

    plugin = ChannelPlugin(
        name="signing",
        title={"en": "Signing", "uk": "Підпис"},
        settings=SigningSettings,
        create=Signing,
    )
    settings = {"token": SECRET}
    secrets = (SECRET,)
    signature = Signature(header="x-proof", secret=SECRET, sign=sign, setting="token")
    kind: type[Signing] = Signing

    def make(self, **overrides: Any) -> Channel:
        return self.kind("account", SigningSettings.model_validate(overrides), LoopbackHost())

    def good_deliveries(self) -> Sequence[RawDelivery]:
        return [
            post(b"+380501234567\nWhere is my parcel?", "text/x-lines"),
            post(b"+380671234567\nHello there"),
        ]


def contract_of(channel: type[Channel]) -> ChannelContract:
    return type("Broken", (SigningContract,), {"kind": channel})()


def test_checks_of_signatures_exist_only_for_channels_that_sign() -> None:
    class Unsigned(ChannelContract):
        pass

    for name in _SIGNATURE_CHECKS:
        assert callable(getattr(SigningContract, name))
        assert getattr(Unsigned, name) is None


class TakesAll(Signing):
    def verify(self, raw: RawDelivery) -> Verified:
        return Verified(external_id=hashlib.sha256(raw.body).hexdigest())


@pytest.mark.parametrize(
    "check",
    [
        name
        for name in _SIGNATURE_CHECKS
        if "refused" in name and "replayed" not in name and "skew" not in name
    ],
)
def test_a_channel_that_takes_all_is_caught(check: str) -> None:
    with pytest.raises(pytest.fail.Exception):
        getattr(contract_of(TakesAll), check)()


class NewIdEachTime(Signing):
    def verify(self, raw: RawDelivery) -> Verified:
        super().verify(raw)
        return Verified(external_id=str(id(raw)))


def test_an_id_that_changes_is_caught() -> None:
    with pytest.raises(AssertionError):
        contract_of(NewIdEachTime).test_same_bytes_give_the_same_external_id_and_the_same_events()
    with pytest.raises(AssertionError):
        contract_of(NewIdEachTime).test_replayed_delivery_is_refused_or_known()


class Remembers(Signing):
    """Parses what was verified last, whatever it is asked."""

    def verify(self, raw: RawDelivery) -> Verified:
        self.last = raw
        return super().verify(raw)

    def parse(self, raw: RawDelivery) -> Parsed:
        return super().parse(self.last)


def test_mixed_deliveries_are_caught() -> None:
    with pytest.raises(AssertionError):
        contract_of(Remembers).test_deliveries_do_not_mix()


class AsksTheNetwork(Signing):
    def parse(self, raw: RawDelivery) -> Parsed:
        try:
            socket.getaddrinfo("localhost", 80)
        except OSError:
            return super().parse(raw)
        return super().parse(raw)


class WritesAFile(Signing):
    def parse(self, raw: RawDelivery) -> Parsed:
        with open("/dev/null", "wb") as file:
            file.write(raw.body)
        return super().parse(raw)


@pytest.mark.parametrize("channel", [AsksTheNetwork, WritesAFile])
def test_deeds_are_caught_even_if_the_plugin_hides_them(channel: type[Channel]) -> None:
    with pytest.raises(AssertionError):
        contract_of(channel).test_verify_and_parse_are_pure()


class Logs(Signing):
    def parse(self, raw: RawDelivery) -> Parsed:
        logging.getLogger("plugin").info("from %s", raw.body.partition(b"\n")[0].decode("utf-8", "replace"))
        return super().parse(raw)


class Tells(Signing):
    def verify(self, raw: RawDelivery) -> Verified:
        if raw.media_type == "image/png":
            raise DeliveryRejected("media_type", f"not with {SECRET}", status=415)
        return super().verify(raw)


@pytest.mark.parametrize("channel", [Logs, Tells])
def test_private_words_are_caught(channel: type[Channel], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AssertionError, match="private word"):
        contract_of(channel).test_nothing_private_is_logged_or_told_in_errors(caplog)


class Raises(Signing):
    def parse(self, raw: RawDelivery) -> Parsed:
        phone, text = raw.body.decode().split("\n", 1)
        return Parsed(events=(Event(kind=EventKind.MESSAGE, sender=Sender(phone=phone), text=text),))


def test_undocumented_errors_are_caught() -> None:
    with pytest.raises(ValueError, match=r"."):
        contract_of(Raises).test_unknown_types_and_unreadable_bodies_are_survived()


class Slow(Signing):
    def parse(self, raw: RawDelivery) -> Parsed:
        if len(raw.body) > 100_000:
            sum(i * i for i in range(6_000_000))
        return super().parse(raw)


def test_slowness_is_caught() -> None:
    with pytest.raises(AssertionError, match="s of CPU"):
        contract_of(Slow).test_hostile_sizes_stay_within_the_time_limit()


class Smuggles(Signing):
    def answer(self, outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
        return HttpAnswer(status=200, body=b"{}", headers={"X-Accepts": raw.headers["accept"]})


def test_header_injection_is_caught() -> None:
    with pytest.raises(AssertionError):
        contract_of(Smuggles).test_answers_are_well_formed()
