"""Each check of the carrier's kit can fail: for each there is a plugin with one fault that it catches."""

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from hub.sdk import (
    AuthenticationFailed,
    Carrier,
    CarrierCapabilities,
    Changes,
    Document,
    Documents,
    Facts,
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
    Transfer,
    Transfers,
)
from hub.sdk.reading import told_text
from tests.contract.breaking import CLOCK, Broken, checks_of, does, gives, gives_later, kit_of, run, says
from tests.contract.whole_carrier import KEY, NUMBERS, PLUGIN, Whole, WholeContract, WholeSettings

Numbers = Sequence[TrackingNumber]


class TestWhole(WholeContract):
    """All checks hold for a sound carrier."""


def tracks(change: Callable[[TrackAnswer, Numbers], TrackAnswer]) -> Any:
    """`track` whose good answer is changed."""

    async def track(self: Whole, numbers: Numbers) -> TrackAnswer:
        return change(await Whole.track(self, numbers), numbers)

    return track


def turns(error: type[PluginError], into: PluginError | TrackAnswer) -> Any:
    """`track` that takes one kind of failure for another, or for an answer."""

    async def track(self: Whole, numbers: Numbers) -> TrackAnswer:
        try:
            return await Whole.track(self, numbers)
        except error:
            if isinstance(into, PluginError):
                raise into from None
            return into

    return track


def observes(**changes: Any) -> Any:
    """`observe` with other fields."""

    def observe(self: Whole, item: Any, code: str) -> Any:
        return dataclasses.replace(Whole.observe(self, item, code), **changes)

    return observe


def both(answer: TrackAnswer) -> list[Tracked | NotTracked]:
    return [*answer.tracked, *answer.problems]


def knows_by_number(answer: TrackAnswer, numbers: Numbers) -> TrackAnswer:
    """Its fingerprint stands for the number, not for what is told of it."""
    known = {one.number for one in numbers if one.known == one.number}
    told = tuple(dataclasses.replace(one, fingerprint=one.number) for one in answer.tracked)
    return dataclasses.replace(
        answer,
        tracked=tuple(one for one in told if one.number not in known),
        unchanged=tuple(one.number for one in told if one.number in known),
    )


def keeps_silent(answer: TrackAnswer, numbers: Numbers) -> TrackAnswer:
    """What it knows it leaves out, and nobody hears why."""
    return dataclasses.replace(knows_by_number(answer, numbers), unchanged=())


def all_unchanged(answer: TrackAnswer, numbers: Numbers) -> TrackAnswer:
    return TrackAnswer(unchanged=tuple(one.number for one in numbers))


def marks_alike(answer: TrackAnswer, numbers: Numbers) -> TrackAnswer:
    told = tuple(dataclasses.replace(one, fingerprint="told") for one in answer.tracked)
    return dataclasses.replace(answer, tracked=told)


async def one_by_one(self: Whole, numbers: Numbers) -> TrackAnswer:
    answers = [await Whole.track(self, [one]) for one in numbers]
    return self.joined([entry for answer in answers for entry in both(answer)])


async def swallows_cancellation(self: Whole, numbers: Numbers) -> TrackAnswer:
    try:
        return await Whole.track(self, numbers)
    except asyncio.CancelledError:
        return TrackAnswer()


async def by_position(self: Whole, numbers: Numbers) -> TrackAnswer:
    items = (await self.call("track", numbers=[one.number for one in numbers]))["items"]
    return self.joined([self.entry(n.number, item, True) for n, item in zip(numbers, items, strict=False)])


async def everything_told(self: Whole, numbers: Numbers) -> TrackAnswer:
    items = (await self.call("track", numbers=[one.number for one in numbers]))["items"]
    return self.joined([self.entry(item["number"], item, True) for item in items])


async def asks_about_nothing(self: Whole, numbers: Numbers) -> TrackAnswer:
    await self.call("track", numbers=[])
    return await Whole.track(self, numbers)


async def remembers(self: Any, numbers: Numbers) -> TrackAnswer:
    self.last = numbers
    await asyncio.sleep(0)
    return await Whole.track(self, self.last)


async def tries_again(self: Whole, numbers: Numbers) -> TrackAnswer:
    for _ in range(3):
        try:
            return await Whole.track(self, numbers)
        except TemporaryFailure as error:
            last = error
    raise last


async def dies(self: Any, numbers: Numbers) -> TrackAnswer:
    if getattr(self, "dead", False):
        raise TemporaryFailure("dead")
    try:
        return await Whole.track(self, numbers)
    except PluginError:
        self.dead = True
        raise


async def calls_home(self: Whole, numbers: Numbers) -> TrackAnswer:
    await self._http.request("POST", "http://elsewhere.invalid/")
    return await Whole.track(self, numbers)


async def logs_its_key(self: Whole, numbers: Numbers) -> TrackAnswer:
    logging.getLogger("plugin").info("key %s", self._key)
    return await Whole.track(self, numbers)


async def blames_all(self: Whole, numbers: Numbers) -> TrackAnswer:
    try:
        return await Whole.track(self, numbers)
    except NumbersRejected:
        raise NumbersRejected([one.number for one in numbers]) from None


async def raises_on_404(self: Whole, numbers: Numbers) -> TrackAnswer:
    try:
        return await Whole.track(self, numbers)
    except TemporaryFailure as error:
        raise (KeyError("404") if "404" in error.message else error) from None


async def burns_time(self: Whole, numbers: Numbers) -> TrackAnswer:
    CLOCK.take(0.55)
    return await Whole.track(self, numbers)


def trusts_sums(self: Whole, item: Any, code: str) -> Any:
    return dataclasses.replace(
        Whole.observe(self, item, code), facts=Facts(cod_expected=int(float(item["cod"]) * 100))
    )


def unpicklable(answer: TrackAnswer, _: Numbers) -> TrackAnswer:
    wrong: Any = lambda: "late"  # noqa: E731 - a value that cannot be pickled
    tracked = tuple(
        dataclasses.replace(one, observations=(dataclasses.replace(one.observations[0], place=wrong),))
        for one in answer.tracked
    )
    return dataclasses.replace(answer, tracked=tracked)


def with_places(place: Callable[[int], str]) -> Any:
    """Each parcel of the answer stands at a place of its own."""

    def change(answer: TrackAnswer, _: Numbers) -> TrackAnswer:
        placed = [
            dataclasses.replace(
                one, observations=(dataclasses.replace(one.observations[0], place=place(at)),)
            )
            for at, one in enumerate(answer.tracked)
        ]
        return dataclasses.replace(answer, tracked=tuple(placed))

    return tracks(change)


def with_document(answer: TrackAnswer, document: bytes) -> TrackAnswer:
    tracked = tuple(dataclasses.replace(one, document=document) for one in answer.tracked)
    return dataclasses.replace(answer, tracked=tracked)


def spoilt_by_one(answer: TrackAnswer, _: Numbers) -> TrackAnswer:
    statuses = {one.observations[0].status for one in answer.tracked}
    if Status.UNKNOWN not in statuses:
        return answer
    wrong = [
        dataclasses.replace(
            one, observations=(dataclasses.replace(one.observations[0], status=Status.UNKNOWN),)
        )
        for one in answer.tracked
    ]
    return dataclasses.replace(answer, tracked=tuple(wrong))


def invents(self: Whole, number: str, item: Any, good: bool) -> Any:
    return Whole.entry(self, number, item or {"code": "moves"}, good)


def guesses(self: Whole, item: Any, code: str) -> Any:
    found = Whole.observe(self, item, code)
    return dataclasses.replace(found, status=Status.CREATED) if found.status is Status.UNKNOWN else found


def bad_is_not_found(self: Whole, number: str, item: Any, good: bool) -> Any:
    return (
        Whole.entry(self, number, item, good)
        if good
        else NotTracked(number=number, problem=Problem.NOT_FOUND)
    )


def in_utf8_only(self: Whole, body: bytes) -> Any:
    return json.loads(body.decode("utf-8"))


def opens_a_file(self: Whole, text: str) -> Recognition:
    with open("/etc/hostname", encoding="utf-8") as file:
        file.read()
    return Whole.looks_like(self, text)


def dawdles(self: Whole, text: str) -> Recognition:
    CLOCK.take(0.06)
    return Whole.looks_like(self, text)


def opens_at_birth(self: Whole, *settings: Any) -> None:
    Whole.__init__(self, *settings)
    with open("/dev/null", "wb"):
        pass


SHARED: list[int] = []


def shares(self: Any, *settings: Any) -> None:
    Whole.__init__(self, *settings)
    self.known = SHARED


async def stands_still(self: Whole, since: datetime, until: datetime, page: str) -> Changes:
    return Changes(until=since)


async def never_says_how_far(self: Whole, since: datetime, until: datetime, page: str) -> Changes:
    return dataclasses.replace(await Whole.changes(self, since, until, page), until=None)


async def closes_once(self: Any) -> None:
    if getattr(self, "closed", False):
        raise RuntimeError("closed already")
    self.closed = True


class Open(WholeSettings):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Changing(BaseModel):
    model_config = ConfigDict(frozen=False, extra="forbid")
    base_url: str = Field(default="x", description="Where it is.")


class Bare(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    api_key: str = Field(default="x", description="Its key, for all to see.")


def registered(**changes: Any) -> Broken:
    return says(plugin=dataclasses.replace(PLUGIN, **changes))


NO_NEWS = TrackAnswer(problems=tuple(NotTracked(number=n, problem=Problem.NO_NEWS) for n in NUMBERS))
ONE = Document(number=NUMBERS[0])

BROKEN: dict[str, Broken] = {
    # what it says about itself
    "test_an_unknown_key_of_the_settings_is_named_in_the_error": registered(settings=Open),
    "test_create_does_no_input_and_output": does(__init__=opens_at_birth),
    "test_keys_that_hold_secrets_are_of_a_secret_type": registered(settings=Bare),
    "test_the_object_shows_no_secret": does(__repr__=gives(f"Whole({KEY})")),
    "test_the_plugin_has_a_version_and_fits_this_sdk": registered(needs_sdk="9.0"),
    "test_the_plugin_names_itself_in_english_and_ukrainian": registered(title={"en": "Whole"}),
    "test_the_settings_are_frozen_closed_and_described": registered(settings=Changing),
    "test_the_settings_describe_themselves_as_a_form": registered(settings=RootModel[str]),
    "test_two_accounts_do_not_share_anything_that_changes": does(__init__=shares),
    "test_every_http_plugin_has_a_base_url": registered(settings=Bare),
    "test_the_capabilities_make_sense": does(capabilities=CarrierCapabilities(batch_size=0)),
    "test_the_page_of_a_parcel_is_an_address_of_the_carrier": does(
        capabilities=CarrierCapabilities(tracking_page="https://{number}/")
    ),
    "test_the_capabilities_agree_with_the_methods": does(capabilities=CarrierCapabilities(batch_size=10)),
    # failures
    "test_401_stops_the_account": does(
        TemporaryFailure, track=turns(AuthenticationFailed, TemporaryFailure())
    ),
    "test_429_is_throttled_for_as_long_as_the_carrier_says": does(track=turns(Throttled, Throttled())),
    "test_429_without_a_time_is_throttled_too": does(
        TemporaryFailure, track=turns(Throttled, TemporaryFailure())
    ),
    "test_5xx_is_a_temporary_failure": does(track=turns(TemporaryFailure, NO_NEWS)),
    "test_no_answer_is_a_temporary_failure": does(track=turns(TemporaryFailure, NO_NEWS)),
    "test_half_a_body_is_never_half_an_answer": does(track=turns(PluginError, NO_NEWS)),
    "test_an_unreadable_answer_is_said_to_be_unreadable": does(track=turns(PluginError, NO_NEWS)),
    "test_every_fault_gives_an_answer_or_an_error_of_the_contract": does(track=raises_on_404),
    "test_faults_are_not_tried_again_by_the_plugin": does(track=tries_again),
    "test_the_object_lives_on_after_a_fault": does(TemporaryFailure, track=dies),
    "test_a_call_can_be_stopped": does(track=swallows_cancellation),
    "test_secrets_are_never_logged_and_stand_in_no_error": does(track=logs_its_key),
    # answers
    "test_every_number_asked_gets_exactly_one_entry": does(
        track=tracks(lambda answer, _: dataclasses.replace(answer, tracked=answer.tracked[1:]))
    ),
    "test_a_number_asked_twice_gets_one_entry": does(track=one_by_one),
    "test_answers_are_matched_by_number_and_not_by_position": does(track=by_position),
    "test_a_number_left_out_of_the_answer_is_no_news": does(track=everything_told),
    "test_what_the_hub_has_is_told_again_or_called_unchanged": does(track=tracks(keeps_silent)),
    "test_what_has_changed_is_never_called_unchanged": does(track=tracks(knows_by_number)),
    "test_nothing_is_unchanged_that_the_hub_does_not_have": does(track=tracks(all_unchanged)),
    "test_fingerprints_are_short_texts_of_their_own": does(track=tracks(marks_alike)),
    "test_an_unlisted_code_is_unknown_and_kept": does(observe=guesses),
    "test_the_same_bytes_give_the_same_observations": does(
        track=with_places(lambda _: str(time.perf_counter()))
    ),
    "test_answers_survive_pickling": does(track=tracks(unpicklable)),
    "test_times_are_aware_and_in_utc": does(observe=observes(clock=datetime(2026, 3, 4))),  # noqa: DTZ001
    "test_statuses_are_of_the_enum_and_no_number_is_a_float": does(
        observe=observes(facts=Facts(cod_expected=12.5))  # type: ignore[arg-type]
    ),
    "test_sums_are_not_negative_and_have_a_currency": does(observe=observes(facts=Facts(cod_expected=-1))),
    "test_documents_are_bounded_utf8": does(
        UnicodeDecodeError,
        track=tracks(lambda answer, _: with_document(answer, b"\xff")),
    ),
    "test_an_empty_batch_makes_no_call": does(track=asks_about_nothing),
    "test_numbers_nobody_asked_for_are_left_out": does(track=everything_told),
    "test_one_number_alone_is_answered": does(
        track=tracks(lambda answer, numbers: answer if len(numbers) > 1 else TrackAnswer())
    ),
    "test_numbers_in_another_order_give_the_same": does(track=with_places(str)),
    "test_nothing_known_about_any_number_is_a_problem_of_each": does(entry=invents),
    "test_one_unlisted_code_does_not_spoil_the_others": does(track=tracks(spoilt_by_one)),
    "test_known_codes_are_known": does(observe=observes(status=Status.UNKNOWN)),
    "test_a_value_of_another_kind_spoils_its_own_number_only": does(
        TypeError, ValueError, OverflowError, observe=trusts_sums
    ),
    "test_a_wrong_charset_is_survived": does(UnicodeDecodeError, read=in_utf8_only),
    "test_a_batch_is_one_call_or_few": does(track=one_by_one),
    "test_reading_an_answer_takes_little_time": does(track=burns_time),
    "test_calls_at_the_same_time_do_not_mix": does(track=remembers),
    "test_only_the_configured_address_is_called": does(track=calls_home),
    "test_close_may_be_called_twice": does(RuntimeError, close=closes_once),
    "test_a_badly_formed_number_does_not_spoil_its_batch": does(entry=bad_is_not_found),
    "test_a_poisonous_number_is_named_or_the_batch_is_refused_as_such": does(track=blames_all),
    # recognising
    "test_own_numbers_are_recognised": does(looks_like=gives(Recognition(likeness=Likeness.NO))),
    "test_looks_like_is_whole_and_picklable": does(looks_like=gives(Recognition(likeness=Likeness.SURE))),
    "test_looks_like_is_pure": does(looks_like=opens_a_file),
    "test_looks_like_is_fast_on_any_text": does(looks_like=dawdles),
    # check and lists
    "test_check_says_a_short_sentence": does(check=gives_later("")),
    "test_check_tells_each_fault_from_success": does(check=gives_later("all is well")),
    "test_notices_are_short_sentences_that_cost_no_call": does(notices=gives_later([])),
    "test_changes_are_listed_to_their_end": does(changes=never_says_how_far),
    "test_no_changes_move_the_clock_on": does(changes=never_says_how_far),
    "test_a_long_absence_is_asked_in_pieces": does(changes=stands_still),
    "test_changes_tell_each_fault_from_no_changes": does(changes=gives_later(Changes())),
    "test_documents_are_listed_to_their_end": does(documents=gives_later(Documents())),
    "test_no_documents_are_an_empty_list": does(documents=gives_later(Documents(documents=(ONE,)))),
    "test_documents_tell_each_fault_from_no_documents": does(documents=gives_later(Documents())),
    "test_transfers_are_listed_to_their_end": does(transfers=gives_later(Transfers())),
    "test_no_transfers_are_an_empty_list": does(
        transfers=gives_later(Transfers(transfers=(Transfer(number="1", amount=1),)))
    ),
    "test_transfers_tell_each_fault_from_no_transfers": does(transfers=gives_later(Transfers())),
}


def test_every_check_has_a_plugin_that_it_catches():
    """No check is left out: there is no list of exceptions."""
    assert set(BROKEN) == set(checks_of(WholeContract))
    assert len(BROKEN) >= 40


@pytest.mark.parametrize("check", BROKEN)
def test_a_check_fails_for_its_broken_plugin(check, caplog, monkeypatch):
    broken = BROKEN[check]
    CLOCK.install(monkeypatch)
    with pytest.raises(broken.error):
        run(kit_of(WholeContract, broken), check, {"caplog": caplog, "monkeypatch": monkeypatch})


def test_a_broken_plugin_is_a_carrier_all_the_same():
    """What fails is what was broken, and not the making of the plugin."""
    for broken in BROKEN.values():
        kit = kit_of(WholeContract, broken)
        assert issubclass(kit.kind, Carrier)
        assert told_text(kit.kind.__name__, 40) == "BrokenPlugin"
