"""Waybills of the seller API to observations and documents. Pure.

Types wander: `order_id` is text in one call and a number in another, sums are 0 or "0.00". A waybill that Meest
carries tells Meest's number in `carrier_track_num`; it is shown with the status, so that the seller can add it
to a Meest account, and is not followed here: this API does not know it.
source  documentation of the marketplace's seller API as kept by a client, two clients' code. Read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.sdk import (
    AnswerUnreadable,
    Document,
    Facts,
    MoneyStatus,
    NotTracked,
    Observation,
    Problem,
    RelatedNumber,
    RelationKind,
    Status,
    Tracked,
)
from hub.sdk.reading import raw_document, told_minor, told_text, told_time
from plugins.rozetka_delivery.numbers import wire_number
from plugins.rozetka_delivery.statuses import STATUSES

ZONE = "Europe/Kyiv"
NO_PEOPLE = frozenset(
    {"receiver_fio", "receiver_phone", "delivery_address", "comment", "sender", "original_info"}
)
"""Left out of the kept document: the hub needs none of it."""

Model = Mapping[str, Any]


def models_of(content: Any) -> tuple[Model, ...]:
    """The waybills of a list: `models`, or the list itself. Raises AnswerUnreadable for anything else."""
    told = content.get("models") if isinstance(content, dict) else content
    if isinstance(content, dict) and "models" not in content and "ttn" in content:
        told = [content]
    if told is None or isinstance(told, str | int | float | bool):
        raise AnswerUnreadable("the content is no list of waybills")
    values = told.values() if isinstance(told, dict) else told
    return tuple(one for one in values if isinstance(one, dict))


def page_count(content: Any) -> int:
    """How many pages a list has; 1 where it does not say so."""
    meta = content.get("_meta") if isinstance(content, dict) else None
    told = meta.get("pageCount") if isinstance(meta, dict) else None
    text = told_text(told, 9)
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1


def read_waybill(number: str, content: Any) -> Tracked | NotTracked:
    """The entry of one number asked; a list without it says that the seller has no such waybill."""
    wire = wire_number(number)
    own = [model for model in models_of(content) if told_text(model.get("ttn"), 40).upper() == wire]
    if not own:
        return NotTracked(number=number, problem=Problem.NOT_FOUND, message="this seller has no such waybill")
    model = own[-1]
    code = told_text(model.get("delivery_status_id"), 20)
    if not code:
        return NotTracked(number=number, problem=Problem.UNREADABLE, message="a waybill without a status")
    document = raw_document({key: value for key, value in model.items() if key not in NO_PEOPLE})
    return Tracked(number=number, observations=(observe(model, code),), document=document)


def observe(model: Model, code: str) -> Observation:
    """A waybill as an observation. A code outside the table is UNKNOWN, with code and text kept."""
    status = STATUSES.get(code, Status.UNKNOWN)
    clock = told_time(model.get("status_updated_at"), ZONE)
    cod = told_minor(model.get("cod_amount"))
    comes_back = told_text(model.get("carrier_return_track_num"), 40)
    return Observation(
        status=status,
        raw_code=code,
        raw_text=_words(model),
        clock=clock,
        happened_at=clock,
        facts=Facts(
            money=money_status(status, cod, comes_back=bool(comes_back)),
            cod_expected=cod,
            delivery_cost=told_minor(model.get("delivery_price")) or None,  # 0 until it is known
            declared_value=told_minor(model.get("declared_price")),
            estimated_at=told_time(model.get("oriented_delivery_date"), ZONE),
            order_reference=told_text(model.get("order_id"), 100) or None,
            related=tuple(_related(comes_back)),
        ),
    )


def money_status(status: Status, cod: int | None, *, comes_back: bool) -> MoneyStatus | None:
    """The money line; None = not told. The marketplace collects it and tells no payout here."""
    if cod is None or status is Status.UNKNOWN:
        return None
    if cod == 0:
        return MoneyStatus.NONE
    if status is Status.DELIVERED:
        return MoneyStatus.UNKNOWN
    return MoneyStatus.NOT_COLLECTED if comes_back else MoneyStatus.EXPECTED


def read_documents(content: Any) -> tuple[Document, ...]:
    """Waybills of a list, each with the marketplace's number of the order."""
    return tuple(_document(model) for model in models_of(content) if told_text(model.get("ttn"), 40))


def _document(model: Model) -> Document:
    return Document(
        number=told_text(model.get("ttn"), 40).upper(),
        created_at=told_time(model.get("created_at"), ZONE),
        order_reference=told_text(model.get("order_id"), 100),
        cod_expected=told_minor(model.get("cod_amount")),
    )


def unlisted(content: Any) -> tuple[str, ...]:
    """Codes of the live status list that the table of this plugin does not have."""
    told = content.get("delivery_statuses") if isinstance(content, dict) else None
    codes = (
        (told_text(one.get("id"), 20) for one in told if isinstance(one, dict))
        if isinstance(told, list)
        else ()
    )
    return tuple(sorted({code for code in codes if code and code not in STATUSES}))


def _words(model: Model) -> str:
    title = model.get("delivery_status_title")
    words = told_text(title.get("name") if isinstance(title, dict) else title, 300)
    meest = told_text(model.get("carrier_track_num"), 40)
    if not meest:
        return words
    return (
        f"{words} (Meest {meest})".strip() if model.get("is_carrier_meest") else f"{words} ({meest})".strip()
    )


def _related(comes_back: str) -> Iterator[RelatedNumber]:
    number = wire_number(comes_back)
    if number is not None:
        yield RelatedNumber(number=number, kind=RelationKind.RETURN)
