"""An answer of the tracking call to the hub's values. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.sdk import AnswerUnreadable, Facts, NotTracked, Observation, Problem, Status, TrackAnswer, Tracked
from hub.sdk.reading import raw_document, read_json, told_minor, told_text, told_time

from plugins._template.carrier.example_carrier.statuses import STATUSES

# FILL IN: the zone of the carrier's clock, where it tells none.
ZONE = "Europe/Kyiv"


def read_answer(body: bytes, asked: Sequence[str]) -> TrackAnswer:
    """One entry for each number asked, matched by number. Raises AnswerUnreadable."""
    answer = read_json(body)
    # FILL IN: where the list of parcels stands.
    parcels = answer.get("parcels") if isinstance(answer, dict) else None
    if not isinstance(parcels, list):
        raise AnswerUnreadable("the answer has no list of parcels")
    told = {number_of(parcel): parcel for parcel in parcels if isinstance(parcel, dict)}
    entries = [read_parcel(number, told.get(number)) for number in dict.fromkeys(asked)]
    return TrackAnswer(
        tracked=tuple(one for one in entries if isinstance(one, Tracked)),
        problems=tuple(one for one in entries if isinstance(one, NotTracked)),
    )


def number_of(parcel: Mapping[str, Any]) -> str:
    """The number that an entry is about."""
    # FILL IN: the field with the number.
    return told_text(parcel.get("number"), 40)


def read_parcel(number: str, parcel: Mapping[str, Any] | None) -> Tracked | NotTracked:
    """One entry. A missing one is no news; one without a code makes no sense."""
    if parcel is None:
        return NotTracked(number=number, problem=Problem.NO_NEWS)
    # FILL IN: the field with the code, and how "not found" is told.
    code = told_text(parcel.get("code"), 40)
    if not code:
        return NotTracked(number=number, problem=Problem.UNREADABLE, message="an entry without a code")
    return Tracked(number=number, observations=(observe(parcel, code),), document=raw_document(parcel))


def observe(parcel: Mapping[str, Any], code: str) -> Observation:
    """The parcel's present status. What is not told stays None: it is not the same as zero."""
    # FILL IN: the fields with time, words, place and sums.
    return Observation(
        status=STATUSES.get(code, Status.UNKNOWN),
        raw_code=code,
        raw_text=told_text(parcel.get("text"), 500),
        clock=told_time(parcel.get("at"), ZONE),
        place=told_text(parcel.get("place"), 200),
        facts=Facts(cod_expected=told_minor(parcel.get("cash_on_delivery"))),
    )
