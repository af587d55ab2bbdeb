"""The parcels of the emulated Nova Poshta: their routes through time, their items in the carrier's fields.

Pure: a parcel's item is a function of the parcel and the moment. People and streets are invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

KYIV = ZoneInfo("Europe/Kyiv")
ZERO_SCAN = "0001-01-01 00:00:00"

ROUTES: dict[str, tuple[str, ...]] = {
    "delivered": ("1", "5", "4", "6", "7", "9"),
    "cod": ("1", "5", "4", "6", "7", "10", "11"),
    "cod_papers": ("1", "5", "4", "6", "7", "9", "106", "11"),
    "locker": ("1", "5", "4", "6", "8", "9"),
    "courier": ("1", "5", "4", "6", "101", "9"),
    "attempted": ("1", "5", "4", "6", "101", "111", "101", "9"),
    "refused": ("1", "5", "4", "6", "7", "103", "102"),
    "deleted": ("1", "2"),
    "return": ("1", "5", "7", "9"),
}

TEXTS = {
    "1": "Відправник самостійно створив цю накладну, але ще не надав до відправки",
    "2": "Видалено",
    "3": "Номер не знайдено",
    "4": "Відправлення у м. {passing}",
    "5": "Відправлення прямує до м. {city_to}",
    "6": "Відправлення у м. {city_to}. Очікуйте повідомлення про прибуття",
    "7": "Прибув на відділення",
    "8": "Прибув на відділення (завантажено в Поштомат)",
    "9": "Відправлення отримано",
    "10": "Відправлення отримано {day}. Протягом доби ви одержите SMS-повідомлення про надходження "
    "грошового переказу та зможете отримати його в касі відділення «Нова пошта»",
    "11": "Відправлення отримано {day}. Грошовий переказ видано одержувачу.",
    "101": "На шляху до одержувача",
    "102": "Відмова від отримання (Відправником створено замовлення на повернення)",
    "103": "Відмова одержувача (отримувач відмовився від відправлення)",
    "106": "Одержано і створено ЄН зворотньої доставки",
    "111": "Невдала спроба доставки через відсутність Одержувача на адресі або зв'язку з ним",
}

_CITIES = ("Київ", "Львів", "Одеса", "Харків", "Дніпро", "Вінниця", "Полтава", "Чернівці", "Ізюм", "Луцьк")
_RECEIVED = frozenset({"9", "10", "11", "106"})
_ARRIVED = frozenset({"7", "8"})
_STORAGE_DAYS = 7

# All keys of a full item whose value is empty for most parcels; 110 keys and more with those of `render`.
_EMPTY_KEYS = (
    "UndeliveryReasons", "RecipientFullName", "MarketplacePartnerToken", "InternationalDeliveryType",
    "CardMaskedNumber", "OwnerDocumentType", "CalculatedWeight", "DateMoving", "RecipientDateTime",
    "ClientBarcode", "AdditionalInformationEW", "AmountToPay", "AmountPaid", "CheckWeightMethod",
    "OwnerDocumentNumber", "LastCreatedOnTheBasisNumber", "LastCreatedOnTheBasisDateTime",
    "LastTransactionDateTimeGM", "PaymentStatus", "PaymentStatusDate", "LastAmountTransferGM",
    "LastCreatedOnTheBasisPayerType", "DeliveryTimeframe", "LastTransactionStatusGM", "RedeliveryNum",
    "RedeliveryPayer", "UndeliveryReasonsDate", "UndeliveryReasonsSubtypeDescription", "BarcodeRedBox",
    "DaysStorageCargo", "StorageAmount", "StoragePrice", "CounterpartySenderDescription",
    "CreatedOnTheBasis", "FreeShipping", "InternetDocumentDescription",
    "LastCreatedOnTheBasisDocumentType", "LoyaltyCardRecipient", "LoyaltyCardSender", "PhoneSender",
    "RedeliveryPaymentCardDescription", "RedeliveryServiceCost", "SenderAddress", "SenderFullNameEW",
    "RedeliveryPaymentCardRef", "TrackingUpdateDate", "DateFirstDayStorage", "DatePayedKeeping",
    "ActualDeliveryDate",
)  # fmt: skip

_CONSTANT: dict[str, Any] = {
    "CounterpartyRecipientDescription": "Приватна особа",
    "DocumentWeight": 2.99,
    "ServiceType": "WarehouseWarehouse",
    "FactualWeight": "2.00",
    "VolumeWeight": "2.99",
    "CargoType": "Parcel",
    "PayerType": "Recipient",
    "PaymentMethod": "Cash",
    "SeatsAmount": "1",
    "PhoneRecipient": "380600000001",
    "DocumentCost": "82",
    "ExpressWaybillPaymentStatus": "NeedPayment",
    "ExpressWaybillAmountToPay": 82,
    "SumBeforeCheckWeight": 0,
    "CheckWeight": 0,
    "AviaDelivery": 0,
    "LastAmountReceivedCommissionGM": 0,
    "RecipientFullNameEW": "Тестовий Отримувач",
    "CargoDescriptionString": "Одяг",
    "CategoryOfWarehouse": "Branch",
    "PostomatV3CellReservationNumber": False,
    "WarehouseRecipientNumber": 5,
    "CounterpartyType": "PrivatePerson",
    "CounterpartySenderType": "PrivatePerson",
    "RefEW": "be5e205c-96e3-11ec-80fb-b8830365bd04",
    "RefCityRecipient": "a0122372-bfae-11e3-9fa0-0050568002cf",
    "RefCitySender": "db5c88f5-391c-11dd-90d9-001a92567626",
    "RefSettlementRecipient": "e71e7061-4b33-11e4-ab6d-005056801329",
    "RefSettlementSender": "e71abb60-4b33-11e4-ab6d-005056801329",
    "RecipientWarehouseTypeRef": "9a68df70-0267-42a8-bb5c-37f427e36ee4",
    "WarehouseRecipientInternetAddressRef": "39931ae6-e1c2-11e3-8c4a-0050568002cf",
    "WarehouseRecipientRef": "a0122381-bfae-11e3-9fa0-0050568002cf",
    "WarehouseSenderInternetAddressRef": "5abce8bb-3eb8-11e6-a9f2-005056887b8d",
    "CargoReturnRefusal": False,
    "SecurePayment": False,
    "Packaging": [],
    "PartialReturnGoods": [],
    "PossibilityCreateRedirecting": False,
    "PossibilityCreateReturn": False,
    "PossibilityCreateRefusal": False,
    "PossibilityChangeEW": False,
    "PossibilityChangeCash2Card": False,
    "PossibilityChangeDeliveryIntervals": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One waybill on its route.

    begun_ms         when step 0 began; before that the number is not found
    cod_minor        cash on delivery, minor units; 0 = none
    fee_minor        what the carrier keeps of it: so much less is paid out
    payment_control  the sum stands in AfterpaymentOnGoodsCost instead of RedeliverySum
    owner            the waybill this one returns
    """

    number: str
    route: tuple[str, ...]
    begun_ms: int
    step_ms: int
    cod_minor: int = 0
    fee_minor: int = 0
    payment_control: bool = False
    order_reference: str = ""
    phone: str = "380600000001"
    city_from: str = "Київ"
    city_to: str = "Львів"
    owner: str = ""

    @property
    def payout_minor(self) -> int:
        """What the shipper gets of the cash on delivery."""
        return max(0, self.cod_minor - self.fee_minor)

    def step(self, now_ms: int) -> int:
        """Index of the present step; -1 before the beginning."""
        if now_ms < self.begun_ms:
            return -1
        return min(len(self.route) - 1, (now_ms - self.begun_ms) // self.step_ms)

    def moment(self, step: int) -> datetime:
        """When a step begins or began, in Kyiv."""
        return datetime.fromtimestamp((self.begun_ms + step * self.step_ms) / 1000, UTC).astimezone(KYIV)

    def reached(self, codes: frozenset[str], now_ms: int) -> datetime | None:
        """The first moment at which one of these codes was there."""
        for step, code in enumerate(self.route[: self.step(now_ms) + 1]):
            if code in codes:
                return self.moment(step)
        return None


def return_number(number: str) -> str:
    """Number of the return waybill of a parcel (the carrier gives any free one)."""
    return ("59" if number.startswith("20") else "20") + number[2:]


def render(parcel: Parcel, now_ms: int) -> dict[str, Any]:
    """The full item of a parcel as the carrier would show it at this moment: 110 keys, dates in Kyiv."""
    step = parcel.step(now_ms)
    code = parcel.route[step]
    return (
        dict.fromkeys(_EMPTY_KEYS, "")
        | _CONSTANT
        | _places(parcel)
        | _dates(parcel, now_ms, step)
        | _money(parcel, code)
        | _relations(parcel, code)
        | {
            "Number": parcel.number,
            "StatusCode": code,
            "Status": _status_text(parcel, code, now_ms),
            "ClientBarcode": parcel.order_reference,
            "PhoneRecipient": parcel.phone,
        }
    )


def _places(parcel: Parcel) -> dict[str, Any]:
    locker = "8" in parcel.route
    place = "Поштомат №517" if locker else "Відділення №5"
    return {
        "CitySender": parcel.city_from,
        "CityRecipient": parcel.city_to,
        "WarehouseSender": "Відділення №1: вул. Прикладна, 1",
        "WarehouseSenderAddress": f"{parcel.city_from}, вул. Прикладна, 1",
        "WarehouseRecipient": f"{place}: вул. Прикладна, 10",
        "WarehouseRecipientAddress": f"{parcel.city_to}, вул. Прикладна, 10",
        "RecipientAddress": f"м. {parcel.city_to}, {place}, вул. Прикладна, 10",
        "CategoryOfWarehouse": "Postomat" if locker else "Branch",
        "ServiceType": "WarehouseDoors" if "101" in parcel.route else "WarehouseWarehouse",
        "PostomatV3CellReservationNumber": "0000017" if locker else False,
    }


def _dates(parcel: Parcel, now_ms: int, step: int) -> dict[str, Any]:
    expected = parcel.moment(min(4, len(parcel.route) - 1))
    arrived = parcel.reached(_ARRIVED, now_ms)
    received = parcel.reached(_RECEIVED, now_ms)
    dates = {
        "DateCreated": f"{parcel.moment(0):%d-%m-%Y %H:%M:%S}",
        "ScheduledDeliveryDate": f"{expected:%d-%m-%Y %H:%M:%S}",
        "AdjustedDate": f"{expected:%Y-%m-%d %H:%M:%S}",
        # A waybill only just made has neither a scan nor a time of its status.
        "DateScan": f"{parcel.moment(step):%H:%M %d.%m.%Y}" if step else ZERO_SCAN,
        "TrackingUpdateDate": f"{parcel.moment(step):%Y-%m-%d %H:%M:%S}" if step else "",
        "RecipientDateTime": f"{received:%d.%m.%Y %H:%M:%S}" if received else "",
    }
    if arrived:
        paid_from = arrived + timedelta(days=_STORAGE_DAYS)
        dates["ActualDeliveryDate"] = f"{arrived:%Y-%m-%d %H:%M:%S}"
        dates["DateFirstDayStorage"] = f"{paid_from:%Y-%m-%d}"
        dates["DatePayedKeeping"] = f"{paid_from:%Y-%m-%d %H:%M:%S}"
    return dates


def _money(parcel: Parcel, code: str) -> dict[str, Any]:
    amount = parcel.cod_minor // 100 if parcel.cod_minor % 100 == 0 else parcel.cod_minor / 100
    back = parcel.cod_minor > 0 and not parcel.payment_control
    return {
        "AnnouncedPrice": amount or 500,
        "Redelivery": int(back),
        "RedeliverySum": amount if back else 0,
        "RedeliveryPayer": "Recipient" if back else "",
        "AfterpaymentOnGoodsCost": amount if parcel.payment_control else 0,
        "LastAmountTransferGM": f"{parcel.payout_minor / 100:.3f}" if back and code in {"10", "11"} else "",
        "ExpressWaybillPaymentStatus": "Payed" if code in _RECEIVED else "NeedPayment",
        "ExpressWaybillAmountToPay": 0 if code in _RECEIVED else 82,
    }


def _relations(parcel: Parcel, code: str) -> dict[str, Any]:
    relations: dict[str, Any] = {}
    if code == "102":
        moment = parcel.moment(parcel.route.index("102"))
        relations["LastCreatedOnTheBasisNumber"] = return_number(parcel.number)
        relations["LastCreatedOnTheBasisDocumentType"] = "CargoReturn"
        relations["LastCreatedOnTheBasisDateTime"] = f"{moment:%d.%m.%Y %H:%M:%S}"
        relations["DateReturnCargo"] = f"{moment:%Y-%m-%d}"
    if code == "111":
        relations["UndeliveryReasonsSubtypeDescription"] = "Одержувач відсутній за адресою"
    if parcel.owner:
        relations["OwnerDocumentNumber"] = parcel.owner
        relations["OwnerDocumentType"] = "CargoReturn"
    return relations


def _status_text(parcel: Parcel, code: str, now_ms: int) -> str:
    received = parcel.reached(_RECEIVED, now_ms)
    return TEXTS.get(code, "").format(
        city_to=parcel.city_to, passing=parcel.city_from, day=f"{received:%d.%m.%Y}" if received else ""
    )


def listed(parcel: Parcel, now_ms: int) -> dict[str, Any]:
    """The parcel's waybill as an item of getDocumentList. Its StateId is not the code of tracking."""
    made = parcel.moment(0)
    back = parcel.cod_minor > 0 and not parcel.payment_control
    return {
        "Ref": _CONSTANT["RefEW"],
        "IntDocNumber": parcel.number,
        "DeletionMark": "1" if parcel.route[parcel.step(now_ms)] == "2" else "0",
        "DateTime": f"{made:%Y-%m-%d} 00:00:00",
        "PreferredDeliveryDate": ZERO_SCAN,
        "CreateTime": f"{made:%Y-%m-%d %H:%M:%S}",
        "EWDateCreated": None,
        "StateId": 1,
        "StateName": "Замовлення в обробці",
        "InfoRegClientBarcodes": parcel.order_reference,
        "RecipientContactPhone": parcel.phone,
        "RecipientContactPerson": "Тестовий Отримувач",
        "Cost": "500.00",
        "AfterpaymentOnGoodsCost": f"{parcel.cod_minor / 100 if parcel.payment_control else 0:.2f}",
        "BackwardDeliveryCargoType": "Money" if back else "",
        "BackwardDeliverySum": f"{parcel.cod_minor / 100:.2f}" if back else "",
        "BackwardDeliveryMoney": parcel.cod_minor // 100 if back else 0,
        "BackwardDeliveryDataDocuments": [],
        "StatePayId": "0",
        "StatePayName": "",
    }


def transferred(parcel: Parcel, now_ms: int) -> tuple[datetime, dict[str, Any]] | None:
    """When a parcel's money moved last, and its item of getMoneyTransferDocuments; None before the receipt.

    No source shows such an item: its fields are invented after those of tracking. With payment control the money
    is handed out two steps after the receipt, which is where tracking says nothing of it.
    """
    received = next((step for step, code in enumerate(parcel.route) if code in _RECEIVED), None)
    if not parcel.cod_minor or received is None or parcel.step(now_ms) < received:
        return None
    paid = parcel.route.index("11") if "11" in parcel.route else received + 2
    is_paid = now_ms >= parcel.begun_ms + paid * parcel.step_ms
    at = parcel.moment(paid if is_paid else received)
    return at, {
        "Number": f"1234-{parcel.number[-7:]}",
        "IntDocNumber": parcel.number,
        "LastAmountTransferGM": f"{parcel.payout_minor / 100:.3f}",
        "LastTransactionDateTimeGM": f"{at:%Y-%m-%d %H:%M:%S}",
        "LastTransactionStatusGM": "Грошовий переказ видано" if is_paid else "Грошовий переказ у дорозі",
    }


def cities(number: str) -> tuple[str, str]:
    """Two different cities, always the same for one number."""
    seed = sum(map(ord, number))
    return _CITIES[seed % 10], _CITIES[(seed + 1 + seed // 10 % 9) % 10]
