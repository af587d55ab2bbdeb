"""The two lists of an account: its waybills, and the money transfers to it. Pure.

    InternetDocument.getDocumentList            documented; 100 a page, days in Kyiv, `info.totalCount`
    InternetDocument.getMoneyTransferDocuments  not documented: two client libraries show the question, no source
                                                shows an answer

So of a transfer's item only names are looked for that the carrier uses for the same thing elsewhere. A list whose
items have none of them is a permanent failure, and never "no money". A transfer counts as paid out only where its words
say so: "видано", as in the text of code 11.
source  documentation and samples of client libraries. Read 2026-11-25.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.sdk import (
    AnswerUnreadable,
    Document,
    Documents,
    PermanentFailure,
    TemporaryFailure,
    Transfer,
    Transfers,
    parse_phone,
)
from plugins.nova_poshta.dates import KYIV, kyiv_now, kyiv_time, wire_day, wire_time
from plugins.nova_poshta.envelope import Envelope, read_envelope
from plugins.nova_poshta.errors import Refusal, failure, reason
from plugins.nova_poshta.facts import Cod, minor, text
from plugins.nova_poshta.numbers import wire_number
from plugins.nova_poshta.settings import CodKind

PAGE_SIZE = 100
MAX_PAGES = 200
LONGEST = timedelta(days=90)
"""Further back no list is asked: nothing of it moves any more."""

AHEAD = timedelta(days=14)
"""The list goes by the planned day of dispatch, which may lie ahead."""

WAYBILL = (
    "IntDocNumber",
    "ExpressWaybillNumber",
    "EWNumber",
    "DocumentNumber",
    "OwnerDocumentNumber",
    "Number",
)
TRANSFER = ("MoneyTransferNumber", "TransferNumber", "RedeliveryNum", "Number", "Ref")
AMOUNT = ("LastAmountTransferGM", "AmountTransfer", "Amount", "Sum", "RedeliverySum", "BackwardDeliveryMoney",
          "AfterpaymentOnGoodsCost")  # fmt: skip
STATE = ("LastTransactionStatusGM", "StatusName", "StateName", "StatePayName", "Status")
MOMENT = ("LastTransactionDateTimeGM", "PaymentDateTime", "DateTime", "CreateTime")
_HANDED_OUT = re.compile(r"(?<!не )(?:видан|виплачен|выдан|выплачен)")

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a list the next call stands: its page from 1 on, and how many items came before."""

    page: int = 1
    seen: int = 0

    @classmethod
    def of(cls, written: str) -> Place:
        """What `written` gave; the beginning for anything else."""
        page, _, seen = written.partition(":")
        if not (page.isascii() and page.isdigit() and seen.isascii() and seen.isdigit()):
            return cls()
        return cls(page=max(1, int(page[:6])), seen=int(seen[:9]))

    def after(self, envelope: Envelope) -> str:
        """The next place, "" at the end: by the total where it is told, else by a page that is not full."""
        came = len(envelope.items)
        seen = self.seen + came
        more = seen < envelope.total if envelope.total is not None else came >= PAGE_SIZE
        return f"{self.page + 1}:{seen}" if came and more and self.page < MAX_PAGES else ""


def documents_question(since: datetime, place: Place, now_ms: int) -> dict[str, Any]:
    """methodProperties of getDocumentList; days are Kyiv's, whatever zone the server lives in."""
    now = kyiv_now(now_ms)
    begin = max(since.astimezone(KYIV), now - LONGEST)
    return {
        "DateTimeFrom": wire_day(begin.date()),
        "DateTimeTo": wire_day((now + AHEAD).date()),
        "Page": str(place.page),
        "GetFullList": "0",
    }


def transfers_question(since: datetime, place: Place, now_ms: int) -> dict[str, Any]:
    """methodProperties of getMoneyTransferDocuments, whose dates have a time."""
    now = kyiv_now(now_ms)
    return {
        "DateFrom": wire_time(max(since.astimezone(KYIV), now - LONGEST)),
        "DateTo": wire_time(now),
        "Page": str(place.page),
        "Limit": str(PAGE_SIZE),
    }


def read_documents(body: bytes, place: Place, *, now_ms: int, cod_kind: CodKind = "money_back") -> Documents:
    """One page of waybills. Raises what errors.py makes of a refusal, AnswerUnreadable for another shape."""
    envelope = _good(body, now_ms)
    found = [one for one in (_document(item, cod_kind) for item in envelope.items) if one is not None]
    if envelope.items and not found:
        raise AnswerUnreadable("the list has items, and none of them has a waybill's number")
    return Documents(documents=tuple(found), next_page=place.after(envelope))


def read_transfers(body: bytes, place: Place, *, now_ms: int) -> Transfers:
    """One page of money transfers. Raises as `read_documents`; PermanentFailure where no item can be read."""
    envelope = _good(body, now_ms)
    found = [one for one in map(_transfer, envelope.items) if one is not None]
    if envelope.items and not found:
        raise PermanentFailure(
            "the list of money transfers has another form than this plugin knows: tell its authors, and set "
            "list_transfers = false"
        )
    told = tuple(one for one in found if one.amount)
    return Transfers(transfers=told, next_page=place.after(envelope))


def _good(body: bytes, now_ms: int) -> Envelope:
    envelope = read_envelope(body)
    refusal = reason(envelope)
    if refusal in {Refusal.PHONE, Refusal.NUMBERS, Refusal.NOTHING_ASKED}:
        raise TemporaryFailure("the list was refused")  # nothing of that kind was asked
    if refusal is not None:
        raise failure(envelope, refusal, now_ms=now_ms)
    return envelope


def _document(item: Item, cod_kind: CodKind) -> Document | None:
    number = _waybill(item, ("IntDocNumber",))
    if number is None:
        return None
    money_back = minor(item.get("BackwardDeliveryMoney"))
    cod = Cod(
        money_back=minor(item.get("BackwardDeliverySum")) if money_back is None else money_back,
        payment_control=minor(item.get("AfterpaymentOnGoodsCost")),
        kind=cod_kind,
    )
    return Document(
        number=number,
        created_at=_first_time(item, ("CreateTime", "EWDateCreated", "DateTime")),
        order_reference=text(item.get("InfoRegClientBarcodes"), 100) or "",
        phone=_phone(item),
        cod_expected=cod.expected,
        deleted=item.get("DeletionMark") in ("1", 1, True, "true"),
    )


def _transfer(item: Item) -> Transfer | None:
    """None for an item without a waybill or any sum; a sum of 0 where all are told as 0."""
    number = _waybill(item, WAYBILL)
    amounts = [told for key in AMOUNT if (told := minor(item.get(key))) is not None]
    if number is None or not amounts:
        return None
    words = " ".join(text(item.get(key), 200) or "" for key in STATE).casefold()
    names = (str(item.get(key) or "") for key in TRANSFER)
    return Transfer(
        number=number,
        amount=next((one for one in amounts if one), 0),
        paid_out_at=_first_time(item, MOMENT) if _HANDED_OUT.search(words) else None,
        transfer_id=next((name[:60] for name in names if name and name != number), ""),
    )


def _waybill(item: Item, keys: Sequence[str]) -> str | None:
    for key in keys:
        told = item.get(key)
        number = (
            wire_number(str(told)) if isinstance(told, str | int) and not isinstance(told, bool) else None
        )
        if number is not None:
            return number
    return None


def _phone(item: Item) -> str:
    """The consignee's telephone as E.164, as told where it is none."""
    for key in ("RecipientContactPhone", "RecipientsPhone"):
        told = text(item.get(key), 40)
        if told is not None:
            return parse_phone(told) or told
    return ""


def _first_time(item: Item, keys: Sequence[str]) -> datetime | None:
    return next((at for key in keys if (at := kyiv_time(item.get(key))) is not None), None)
