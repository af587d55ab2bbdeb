"""Receipts made for the tests, from the field list of a client library."""

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"
NUMBER = "0830000001"
OTHER = "2130000002"


def receipt(code: Any = 6, number: Any = NUMBER, **fields: Any) -> dict[str, Any]:
    return {
        "number": number,
        "SendDate": "2026-03-02T10:00:00",
        "ReceiveDate": "2026-03-04T09:00:00",
        "RecepientWarehouseName": "ЛЬВІВ-1",
        "CitySendName": "Київ",
        "CityReceiveName": "Львів",
        "Status": code,
        "StatusesDecoding": "text",
        "Weight": 12.5,
        "Sites": 2,
        "TotalCost": 180.0,
        "Currency": 100000000,
    } | fields


def envelope(data: Any, status: Any = True) -> bytes:
    return json.dumps({"status": status, "message": "", "data": data}).encode()


def fixture(name: str) -> bytes:
    return (FIXTURES / f"made_{name}.json").read_bytes()
