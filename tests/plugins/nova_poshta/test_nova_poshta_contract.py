"""The compulsory checks of a carrier, and the registration."""

import dataclasses
import json
import time
from collections.abc import Mapping
from datetime import datetime

import httpx
import pytest

from hub.sdk import (
    Carrier,
    Host,
    Likeness,
    NotTracked,
    PluginError,
    Problem,
    Recognition,
    Status,
    TemporaryFailure,
    TrackAnswer,
    TrackingNumber,
)
from hub.testing.contract_carrier import CarrierContract
from hub.testing.situations import Situation
from plugins.nova_poshta import plugin as module
from plugins.nova_poshta.plugin import PLUGIN, NovaPoshta
from plugins.nova_poshta.settings import NovaPoshtaSettings
from tests.plugins.nova_poshta.made import KEY, NUMBER, OTHER, PHONE, THIRD, envelope, item, refusal


class TestNovaPoshta(CarrierContract):
    plugin = PLUGIN
    settings = {"api_key": KEY, "phone": PHONE}
    numbers = tuple(TrackingNumber(number=number, phone=PHONE) for number in (NUMBER, OTHER, THIRD))
    known_codes = ("5", "7", "9")
    bad_number = "445"
    secrets = (KEY, PHONE, PHONE.removeprefix("+"))

    def make(self, host: Host, base_url: str) -> Carrier:
        settings = NovaPoshtaSettings.model_validate({"base_url": base_url, "api_key": KEY, "phone": PHONE})
        return NovaPoshta("np", settings, host)

    def answer(self, request: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        documents = json.loads(request.content)["methodProperties"]["Documents"]
        asked = {one["DocumentNumber"]: one["Phone"] for one in documents}
        items = [
            item(code, number, PhoneRecipient=asked[number], CitySender="Київ", DocumentWeight=2.99)
            for number, code in codes.items()
            if number in asked
        ]
        return httpx.Response(200, content=envelope(*items))

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        call = json.loads(request.content)
        if call["calledMethod"] == "getCounterparties":
            return httpx.Response(200, content=envelope({"Ref": "32c445a1"}))
        if situation is Situation.QUIET:
            return httpx.Response(200, content=envelope(info={"totalCount": 0}))
        numbers = {"1": NUMBER, "2": OTHER}
        listed = {
            "IntDocNumber": numbers[call["methodProperties"]["Page"]],
            "CreateTime": "2026-03-04 11:32:17",
            "RecipientContactPhone": PHONE.removeprefix("+"),
            "LastAmountTransferGM": "1500.000",
            "LastTransactionStatusGM": "видано",
            "LastTransactionDateTimeGM": "2026-03-04 12:00:00",
        }
        return httpx.Response(200, content=envelope(listed, info={"totalCount": 2}))

    def refusal(self, request: httpx.Request, number: str) -> httpx.Response | None:
        # It repeats what was sent, as carriers do: the secrets test looks whether that leaks.
        words = [f"Document number is not correct for apiKey {KEY}, Phone {PHONE}"]
        warnings = [f"Invalid DocumentNumber: {number}"]
        return httpx.Response(200, content=refusal("20001401442", errors=words, warnings=warnings))


def test_the_hook_registers_the_carrier():
    registered = []

    class Register:
        def carrier(self, plugin, /):
            registered.append(plugin)

        def channel(self, plugin, /):
            raise AssertionError("this plugin offers no channel")

    module.hub_register(Register())
    assert [plugin.name for plugin in registered] == ["nova_poshta"]
    assert registered[0].title == {"en": "Nova Poshta", "uk": "Нова пошта"}


# The kit bites: each careless carrier fails the check that is there for it ------------------------------


class Matching(NovaPoshta):
    """Takes the first item for the first number."""

    async def track(self, numbers):
        answer = await super().track(numbers)
        places = dict(
            zip(sorted((one.number for one in numbers), reverse=True), answer.tracked, strict=False)
        )
        tracked = tuple(dataclasses.replace(one, number=number) for number, one in places.items())
        return dataclasses.replace(answer, tracked=tracked)


class Guessing(NovaPoshta):
    """Calls what it does not know "in transit"."""

    async def track(self, numbers):
        (one, *_) = (await super().track(numbers)).tracked
        (seen,) = one.observations
        guessed = dataclasses.replace(seen, status=Status.IN_TRANSIT)
        return TrackAnswer(tracked=(dataclasses.replace(one, observations=(guessed,)),))


class Forgetful(NovaPoshta):
    """Leaves out what it was not told about."""

    async def track(self, numbers):
        return dataclasses.replace(await super().track(numbers), problems=())


class Talkative(NovaPoshta):
    """Says what it sent."""

    async def track(self, numbers):
        try:
            return await super().track(numbers)
        except PluginError as error:
            raise TemporaryFailure(f"{error} for {numbers[0].phone}") from None


class Naive(NovaPoshta):
    """Forgets the zone."""

    async def track(self, numbers):
        (one, *_) = (await super().track(numbers)).tracked
        (seen,) = one.observations
        naive = dataclasses.replace(seen, clock=datetime(2026, 3, 4))  # noqa: DTZ001 - that is the fault
        return TrackAnswer(tracked=(dataclasses.replace(one, observations=(naive,)),))


class Hopeful(NovaPoshta):
    """Takes every failure for "nothing there"."""

    async def track(self, numbers):
        try:
            return await super().track(numbers)
        except PluginError:
            return TrackAnswer(
                problems=tuple(NotTracked(number=one.number, problem=Problem.NO_NEWS) for one in numbers)
            )


class Slow(NovaPoshta):
    """Looks longer at longer texts."""

    def looks_like(self, text):
        time.sleep(len(text) / 1_000_000)
        return Recognition(likeness=Likeness.NO)


@pytest.mark.parametrize(
    ("careless", "check"),
    [
        (Matching, "test_answers_are_matched_by_number_and_not_by_position"),
        (Guessing, "test_an_unlisted_code_is_unknown_and_kept"),
        (Forgetful, "test_a_number_left_out_of_the_answer_is_no_news"),
        (Naive, "test_times_are_aware_and_in_utc"),
        (Hopeful, "test_401_stops_the_account"),
        (Hopeful, "test_429_is_throttled_for_as_long_as_the_carrier_says"),
        (Hopeful, "test_half_a_body_is_never_half_an_answer"),
        (Hopeful, "test_an_unreadable_answer_is_said_to_be_unreadable"),
    ],
)
def test_the_kit_finds_a_careless_carrier(careless, check):
    with pytest.raises((AssertionError, pytest.fail.Exception, TypeError)):
        getattr(kit_of(careless), check)()


def test_the_kit_finds_a_talkative_carrier(caplog):
    with pytest.raises(AssertionError, match=r"secrets\[1\] leaked"):
        kit_of(Talkative).test_secrets_are_never_logged_and_stand_in_no_error(caplog)


def test_the_kit_finds_a_slow_look():
    with pytest.raises(AssertionError):
        kit_of(Slow).test_looks_like_is_fast_on_any_text()


def kit_of(careless):
    class Kit(TestNovaPoshta):
        def make(self, host, base_url):
            settings = NovaPoshtaSettings.model_validate(
                {"base_url": base_url, "api_key": KEY, "phone": PHONE}
            )
            return careless("np", settings, host)

    return Kit()
