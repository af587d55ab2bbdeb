"""Events and envelopes made for the tests, from field names of two client libraries."""

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"
NUMBER = "MYCV999000001UA"
BARCODE = "CV999000001UA"
USER = "meest-user-0001"
PASSWORD = "meest-password-0001"
LOGIN_TOKEN = "meest-token-0001"


def event(code: Any = 606, number: str = NUMBER, **fields: Any) -> dict[str, Any]:
    def descr(words: str) -> dict[str, str]:
        return {"descrUA": words, "descrRU": "", "descrEN": ""}

    return {
        "parcelNumber": number,
        "barCode": number.removeprefix("MY"),
        "eventDateTime": "2026-03-03 09:00:00",
        "eventCode": code,
        "eventCodeUPU": "",
        "eventPlaces": "1/1",
        "eventCountryDescr": descr("УКРАЇНА"),
        "eventCityDescr": descr("Львів"),
        "eventDescr": descr("text"),
        "eventDetailDescr": descr(""),
    } | fields


def ok(result: Any) -> bytes:
    info = {"fieldName": "", "message": "", "messageDetails": ""}
    return json.dumps({"status": "OK", "info": info, "result": result}).encode()


def error(message: str, field: str = "parcelID") -> bytes:
    info = {"fieldName": field, "message": message, "messageDetails": ""}
    return json.dumps({"status": "error", "info": info, "result": None}).encode()


def login(token: str = LOGIN_TOKEN, lasts: Any = 86400) -> bytes:
    return ok({"token": token, "refreshToken": f"refresh-{token}", "expiresIn": lasts})


def fixture(name: str) -> bytes:
    return (FIXTURES / f"made_{name}.json").read_bytes()
