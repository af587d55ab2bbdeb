"""Each check of the channel's kit can fail: for each there is a plugin with one fault that it catches."""

import asyncio
import dataclasses
import hashlib
import itertools
import json
import logging
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from hub.sdk import (
    Attachment,
    Channel,
    ChannelCapabilities,
    DeliveryRejected,
    Event,
    EventKind,
    Fetched,
    HttpAnswer,
    Later,
    Outcome,
    Outgoing,
    Parsed,
    PermanentFailure,
    PluginError,
    Pulled,
    RawDelivery,
    Refused,
    Sender,
    SendResult,
    Sent,
    TemporaryFailure,
    Uncertain,
    Verified,
)
from tests.contract.breaking import (
    CLOCK,
    Broken,
    checks_of,
    does,
    fails,
    gives,
    gives_later,
    kit_of,
    run,
    says,
)
from tests.contract.whole_channel import PLUGIN, SECRET, TOKEN, Whole, WholeContract, WholeSettings


class TestWhole(WholeContract):
    """All checks hold for a sound channel."""


def identity(raw: RawDelivery) -> Verified:
    return Verified(external_id=hashlib.sha256(raw.body).hexdigest())


def verifies(first: Callable[[Any, RawDelivery], object]) -> Any:
    """`verify` that does something careless before."""

    def verify(self: Whole, raw: RawDelivery) -> Verified:
        first(self, raw)
        return Whole.verify(self, raw)

    return verify


def parses(first: Callable[[Any, RawDelivery], object]) -> Any:
    """`parse` that does something careless before."""

    def parse(self: Whole, raw: RawDelivery) -> Parsed:
        first(self, raw)
        return Whole.parse(self, raw)

    return parse


def tells(**changes: Any) -> Any:
    """Every message becomes another event."""

    def event(self: Whole, document: dict[str, Any]) -> Event:
        return dataclasses.replace(Whole.event(self, document), **changes)

    return event


def takes_all(self: Whole, raw: RawDelivery) -> Verified:
    return identity(raw)


def takes_stale(self: Whole, raw: RawDelivery, told: str) -> None:
    """Right signature, whenever."""
    at_s = int(told.partition(".")[0]) if told.partition(".")[0].isdigit() else 0
    Whole.check_proof(self, dataclasses.replace(raw, received_at=_moment(at_s)), told)


def _moment(at_s: int) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_s, UTC)


def strict_clock(self: Whole, raw: RawDelivery) -> Verified:
    if raw.received_at.second or raw.received_at.microsecond:
        raise DeliveryRejected("stale")
    return Whole.verify(self, raw)


def never_rotates(self: Whole, raw: RawDelivery, told: str) -> None:
    self._secret = SECRET
    Whole.check_proof(self, raw, told)


def first_of_two(self: Whole, raw: RawDelivery, told: str) -> None:
    Whole.check_proof(self, raw, told.split(", ", maxsplit=1)[0])


def numbered(self: Any, raw: RawDelivery) -> Verified:
    self.count = getattr(self, "count", 0) + 1
    Whole.verify(self, raw)
    return Verified(external_id=f"{self.count}")


_SERIAL = itertools.count()


def new_id_each_time(self: Whole, raw: RawDelivery) -> Verified:
    Whole.verify(self, raw)
    return Verified(external_id=f"n{next(_SERIAL)}")


def id_of_the_year(self: Whole, raw: RawDelivery) -> Verified:
    return Verified(external_id=f"{raw.received_at.year}")


def of_what_was_verified(self: Any, raw: RawDelivery) -> Verified:
    self.last = raw
    return Whole.verify(self, raw)


def last_one(self: Any, raw: RawDelivery) -> Parsed:
    return Whole.parse(self, getattr(self, "last", raw))


def writes_a_file(*_: Any) -> None:
    with open("/dev/null", "wb"):
        pass


def logs_the_text(_: Any, raw: RawDelivery) -> None:
    logging.getLogger("plugin").info("got %s", raw.body)


def unguarded(self: Whole, raw: RawDelivery) -> dict[str, Any]:
    return dict(json.loads(raw.body))


def by_its_charset(_: Any, raw: RawDelivery) -> None:
    charset = raw.headers.get("content-type", "").partition("charset=")[2] or "utf-8"
    raw.body.decode(charset, "replace")


def odd_fields(self: Whole, document: dict[str, Any]) -> Event:
    found, words = Whole.event(self, document), str(document.get("text"))
    wrong: Any = {"length": len(words)}
    return found if words.isprintable() else dataclasses.replace(found, fields=wrong)


def everything_is_a_message(self: Whole, document: dict[str, Any]) -> Event:
    return Event(kind=EventKind.MESSAGE, sender=Sender(channel_id="1"))


def slow_on_large(_: Any, raw: RawDelivery) -> None:
    CLOCK.take(0.3 if len(raw.body) > 100_000 else 0)


def keeps(self: Any, raw: RawDelivery) -> None:
    self.__dict__.setdefault("kept", []).append(raw.body)


def rejects_pulled(_: Any, raw: RawDelivery) -> None:
    if raw.method == "PULL":
        raise DeliveryRejected("signature")


async def closes(self: Any) -> None:
    self.closed = True


def only_while_open(self: Any, _: RawDelivery) -> None:
    if getattr(self, "closed", False):
        raise RuntimeError("closed")


async def closes_once(self: Any) -> None:
    only_while_open(self, None)  # type: ignore[arg-type]
    self.closed = True


def opens_at_birth(self: Whole, *settings: Any) -> None:
    Whole.__init__(self, *settings)
    writes_a_file()


SHARED: list[int] = []


def shares(self: Any, *settings: Any) -> None:
    Whole.__init__(self, *settings)
    self.known = SHARED


# answers and pages


def answers(make: Callable[[Outcome, RawDelivery], HttpAnswer]) -> Any:
    """`answer` of another kind."""
    return lambda self, outcome, raw: make(outcome, raw)


def repeated_otherwise(outcome: Outcome, _: RawDelivery) -> HttpAnswer:
    return HttpAnswer(status=200, body=b'"again"' if outcome.repeated else b'"first"')


def written_down(outcome: Outcome, raw: RawDelivery) -> HttpAnswer:
    writes_a_file()
    return HttpAnswer(status=200)


def echoing(self: Whole, path: str, query: Any, language: str) -> HttpAnswer | None:
    shown = "".join(query.values()).encode("utf-8", "replace")
    return HttpAnswer(status=200, body=shown, media_type="text/html") if path == "/form" else None


# pull and send


def pulls(change: Callable[[Pulled], Pulled]) -> Any:
    """`pull` whose answer is changed."""

    async def pull(self: Whole, position: str, wait_s: float) -> Pulled:
        return change(await Whole.pull(self, position, wait_s))

    return pull


async def hides_faults(self: Whole, position: str, wait_s: float) -> Pulled:
    try:
        return await Whole.pull(self, position, wait_s)
    except PluginError:
        return Pulled()


async def counts_on_its_position(self: Whole, position: str, wait_s: float) -> Pulled:
    if position:
        int(position)
    return await Whole.pull(self, position, wait_s)


async def will_not_stop(self: Whole, position: str, wait_s: float) -> Pulled:
    try:
        return await Whole.pull(self, position, wait_s)
    except asyncio.CancelledError:
        await asyncio.sleep(2.2)
        return Pulled()


async def never_waits(self: Whole, position: str, wait_s: float) -> Pulled:
    return self.brought((await self.call("news", after=position))["items"])


async def first_of_none(self: Whole, positions: Sequence[str]) -> None:
    await self.call("taken", upto=positions[0])


async def tries_again(self: Whole, message: Outgoing) -> SendResult:
    for _ in range(3):
        try:
            await self.call("send", text=message.text)
        except PluginError:
            continue
    return Uncertain()


async def raises_on_long(self: Whole, message: Outgoing) -> SendResult:
    if len(message.text) > 4_000:
        raise ValueError("too long")
    return await Whole.send(self, message)


async def set_once(self: Any, url: str) -> None:
    if getattr(self, "is_set", False):
        raise PermanentFailure("there is one already")
    self.is_set = True


class Open(WholeSettings):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Changing(BaseModel):
    model_config = ConfigDict(frozen=False, extra="forbid")
    base_url: str = Field(default="x", description="Where it is.")


class Bare(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    token: str = Field(default="x", description="Its key, for all to see.")


def registered(**changes: Any) -> Broken:
    return says(plugin=dataclasses.replace(PLUGIN, **changes))


UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError, ValueError, TypeError)
CAPABILITIES = Whole.capabilities
SENT, REFUSED = Sent("m-1"), Refused("no")
TEXT: Any = "text"

BROKEN: dict[str, Broken] = {
    # what it says about itself
    "test_an_unknown_key_of_the_settings_is_named_in_the_error": registered(settings=Open),
    "test_create_does_no_input_and_output": does(__init__=opens_at_birth),
    "test_keys_that_hold_secrets_are_of_a_secret_type": registered(settings=Bare),
    "test_the_object_shows_no_secret": does(__repr__=gives(f"Whole({TOKEN})")),
    "test_the_plugin_has_a_version_and_fits_this_sdk": registered(version="new"),
    "test_the_plugin_names_itself_in_english_and_ukrainian": registered(name="Whole Channel"),
    "test_the_settings_are_frozen_closed_and_described": registered(settings=Changing),
    "test_the_settings_describe_themselves_as_a_form": registered(settings=RootModel[str]),
    "test_two_accounts_do_not_share_anything_that_changes": does(__init__=shares),
    "test_capabilities_and_limits_are_values": does(limits=None),
    "test_capabilities_agree_with_the_methods": does(
        capabilities=dataclasses.replace(CAPABILITIES, sends=False)
    ),
    # good deliveries
    "test_good_deliveries_are_understood": does(event=tells(sender=Sender())),
    "test_same_bytes_give_the_same_external_id_and_the_same_events": does(verify=new_id_each_time),
    "test_deliveries_do_not_mix": does(verify=of_what_was_verified, parse=last_one),
    "test_verify_and_parse_are_pure": does(parse=parses(writes_a_file)),
    "test_values_are_picklable": does(event=tells(fields=MappingProxyType({"a": "b"}))),
    "test_different_deliveries_have_different_ids": does(verify=gives(Verified(external_id="1"))),
    "test_ids_do_not_depend_on_the_account_s_neighbours": does(verify=numbered),
    "test_a_delivery_years_off_is_a_documented_error_or_the_same": does(verify=id_of_the_year),
    "test_events_are_bounded_and_whole": does(event=tells(kind=EventKind.EDIT, about="")),
    "test_attachments_are_bounded_and_can_be_had": does(event=tells(attachments=(Attachment(name="a"),))),
    "test_an_unknown_type_opens_no_task": does(event=everything_is_a_message),
    "test_parsing_leaves_nothing_behind": does(parse=parses(keeps)),
    "test_close_may_be_called_twice": does(RuntimeError, close=closes_once),
    "test_a_closed_channel_still_understands": does(
        RuntimeError, close=closes, parse=parses(only_while_open)
    ),
    # hostile deliveries
    "test_another_method_is_a_documented_error_or_understood": does(
        KeyError, verify=verifies(lambda _, raw: {"POST": 1}[raw.method])
    ),
    "test_another_path_is_a_documented_error_or_understood": does(
        UnicodeEncodeError, verify=verifies(lambda _, raw: raw.path.encode())
    ),
    "test_hostile_headers_and_queries_are_survived": does(
        UnicodeEncodeError, verify=verifies(lambda _, raw: "".join(raw.headers.values()).encode("ascii"))
    ),
    "test_any_bytes_give_a_result_or_a_documented_error": Broken(
        {"load": unguarded}, error=UNREADABLE, example={"body": b"\xff", "pick": 0}
    ),
    "test_damaged_good_bodies_give_a_result_or_a_documented_error": Broken(
        {"load": unguarded}, error=UNREADABLE, example={"pick": 0, "at": 3, "junk": b"\xff", "cut": 2}
    ),
    "test_unknown_media_type_is_a_documented_error_or_understood": does(
        KeyError, verify=verifies(lambda _, raw: {"application/json": 1}[raw.media_type])
    ),
    "test_no_headers_at_all_are_survived": does(
        KeyError, verify=verifies(lambda _, raw: raw.headers["content-type"])
    ),
    "test_unknown_types_and_unreadable_bodies_are_survived": does(*UNREADABLE, load=unguarded),
    "test_hostile_sizes_stay_within_the_time_limit": does(parse=parses(slow_on_large)),
    "test_wrong_charset_is_survived": does(LookupError, ValueError, parse=parses(by_its_charset)),
    "test_odd_characters_survive_or_are_refused": does(event=odd_fields),
    "test_nothing_private_is_logged_or_told_in_errors": does(parse=parses(logs_the_text)),
    # answers and pages
    "test_answers_and_pages_are_pure_and_fast": does(answer=answers(written_down)),
    "test_answers_and_pages_show_no_secret": does(
        answer=answers(lambda *_: HttpAnswer(status=200, body=json.dumps(TOKEN).encode()))
    ),
    "test_answers_are_well_formed": does(
        answer=answers(lambda _, raw: HttpAnswer(status=200, headers={"X-A": raw.headers["accept"]}))
    ),
    "test_a_repeat_is_answered_as_the_first_was": does(answer=answers(repeated_otherwise)),
    "test_pages_answer_in_each_language_and_escape_what_they_show": does(page=echoing),
    # signatures
    "test_good_signature_is_accepted": does(
        DeliveryRejected, verify=verifies(lambda *_: _raise(DeliveryRejected("signature")))
    ),
    "test_missing_signature_is_refused": does(verify=takes_all),
    "test_wrong_signature_is_refused": does(verify=takes_all),
    "test_signature_of_another_secret_is_refused": does(verify=takes_all),
    "test_flipped_bit_of_a_signed_body_is_refused": does(verify=takes_all),
    "test_replayed_delivery_is_refused_or_known": does(check_proof=takes_stale),
    "test_rotated_secret_refuses_the_old_and_takes_the_new": does(
        DeliveryRejected, check_proof=never_rotates
    ),
    "test_signature_given_twice_is_refused": does(check_proof=first_of_two),
    "test_small_clock_skew_is_accepted_and_a_large_one_refused": does(DeliveryRejected, verify=strict_clock),
    # check
    "test_check_says_a_short_sentence": does(check=gives_later("")),
    "test_check_tells_each_fault_from_success": does(check=gives_later("all is well")),
    "test_every_method_returns_what_the_contract_says": does(fetch=gives_later(Fetched(body=TEXT))),
    # pull
    "test_pull_brings_bounded_values": does(
        pull=pulls(
            lambda brought: Pulled(
                deliveries=tuple(dataclasses.replace(d, headers={"UID": "1"}) for d in brought.deliveries)
            )
        )
    ),
    "test_what_was_pulled_is_authentic_and_understood": does(
        DeliveryRejected, verify=verifies(rejects_pulled)
    ),
    "test_pulling_again_brings_the_same_ids": does(verify=new_id_each_time),
    "test_a_quiet_pull_waits_and_is_empty": does(pull=never_waits),
    "test_an_empty_pull_does_not_lose_the_place": does(
        pull=pulls(lambda brought: dataclasses.replace(brought, position=""))
    ),
    "test_pull_tells_each_fault_from_nothing_new": does(pull=hides_faults),
    "test_a_strange_position_is_survived": does(ValueError, pull=counts_on_its_position),
    "test_a_pull_can_be_stopped": does(pull=will_not_stop),
    "test_taken_may_be_called_again_or_for_nothing": does(IndexError, taken=first_of_none),
    "test_rescan_brings_known_deliveries_and_ends": does(rescan=gives_later(Pulled())),
    # send
    "test_a_message_is_sent": does(send=gives_later(REFUSED)),
    "test_refused_credentials_stop_the_sending": does(send=gives_later(REFUSED)),
    "test_a_throttled_message_waits_as_long_as_the_provider_says": does(send=gives_later(Later(1))),
    "test_a_message_that_never_left_goes_later": does(send=gives_later(Uncertain())),
    "test_a_message_that_may_have_left_is_uncertain": does(send=gives_later(Later(5))),
    "test_a_failing_provider_has_not_taken_the_message": does(send=gives_later(SENT)),
    "test_a_blocked_recipient_is_refused_with_a_sentence": does(send=gives_later(SENT)),
    "test_send_never_retries_by_itself": does(send=tries_again),
    "test_long_and_odd_texts_are_sent_or_refused": does(ValueError, send=raises_on_long),
    "test_a_message_without_an_address_is_refused": does(send=gives_later(SENT)),
    "test_a_file_beyond_the_limit_is_refused": does(send=gives_later(SENT)),
    "test_a_file_within_the_limit_is_sent": does(send=gives_later(REFUSED)),
    # fetch
    "test_a_file_is_fetched": does(fetch=gives_later(Fetched(body=b""))),
    "test_a_file_larger_than_the_limit_is_refused": does(fetch=gives_later(Fetched(body=b"xx"))),
    "test_a_file_that_is_gone_is_gone_for_good": does(fetch=fails(TemporaryFailure())),
    "test_fetch_tells_a_fault_from_a_file_that_is_gone": does(fetch=fails(PermanentFailure())),
    # web hook
    "test_a_web_hook_is_set_again_and_taken_away": does(PermanentFailure, open_webhook=set_once),
    "test_a_web_hook_tells_each_fault_from_success": does(open_webhook=gives_later(None)),
    # secrets
    "test_no_secret_leaves_in_errors_or_logs_of_calls": does(check=fails(TemporaryFailure(f"with {TOKEN}"))),
}


def _raise(error: Exception) -> None:
    raise error


def test_every_check_has_a_plugin_that_it_catches():
    """No check is left out: there is no list of exceptions."""
    assert set(BROKEN) == set(checks_of(WholeContract))
    assert len(BROKEN) >= 40


@pytest.mark.parametrize("check", BROKEN)
def test_a_check_fails_for_its_broken_plugin(check, caplog, monkeypatch):
    broken = BROKEN[check]
    CLOCK.install(monkeypatch)
    with pytest.raises(broken.error):
        run(
            kit_of(WholeContract, broken),
            check,
            {"caplog": caplog, "monkeypatch": monkeypatch},
            broken.example,
        )


def test_a_broken_plugin_is_a_channel_all_the_same():
    """What fails is what was broken, and not the making of the plugin."""
    for broken in BROKEN.values():
        kit = kit_of(WholeContract, broken)
        assert issubclass(kit.kind, Channel)
        assert isinstance(kit.kind.capabilities, ChannelCapabilities)
