"""Waybills made for the tests, after the documentation of the seller API."""

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"
NUMBER = "UNK-400000001"
OTHER = "UNK-400000002"
USER = "rozetka-user-0001"
PASSWORD = "rozetka-password-0001"
TOKEN = "rozetka-token-0001"
PHONE = "380670000001"


def model(code: Any = "10030", number: str = NUMBER, **fields: Any) -> dict[str, Any]:
    return {
        "id": 313,
        "ttn": number,
        "order_id": 35563694,
        "delivery_status_id": code,
        "delivery_status_title": "text",
        "status_updated_at": "2026-03-03 09:00:00",
        "oriented_delivery_date": "2026-03-05 12:00:00",
        "cod_amount": 0,
        "delivery_price": "0.00",
        "receiver_phone": PHONE,
        "is_carrier_meest": False,
        "carrier_track_num": None,
        "carrier_return_track_num": None,
        "created_at": "2026-03-01 15:44:16",
    } | fields


def content(value: Any) -> bytes:
    return json.dumps({"success": True, "content": value}).encode()


def listed(*models: dict[str, Any], pages: Any = 1) -> bytes:
    return content({"models": list(models), "_meta": {"pageCount": pages}})


def refused(message: str) -> bytes:
    return json.dumps({"success": False, "errors": {"message": message, "code": 1020}}).encode()


def fixture(name: str) -> bytes:
    return (FIXTURES / f"made_{name}.json").read_bytes()
