"""Events made for the tests, after the documented shape; the secrets are invented."""

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"
NUMBER = "0500300000013"
OTHER = "0500300000021"
THIRD = "0500300000030"
POSTAL = "RA067022855UA"
TRACKING = "11111111-aaaa-4bbb-8ccc-000000000001"
ECOM = "22222222-aaaa-4bbb-8ccc-000000000002"
TOKEN = "33333333-aaaa-4bbb-8ccc-000000000003"


def event(code: Any = "20700", number: str = NUMBER, **fields: Any) -> dict[str, Any]:
    return {
        "barcode": number,
        "step": 2,
        "date": "2026-03-02T18:10:00",
        "index": "05300",
        "name": "ЦОКК 5 КИЇВ",
        "event": code,
        "eventName": "text",
        "country": "Україна",
        "eventReason": None,
        "eventReason_id": 1,
        "mailType": 4096,
        "indexOrder": 2,
    } | fields


def answer(*events: dict[str, Any], missing: tuple[str, ...] = ()) -> bytes:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in events:
        found.setdefault(one["barcode"], []).append(one)
    return json.dumps({"found": found, "notFound": list(missing)}).encode()


def fixture(name: str) -> bytes:
    return (FIXTURES / f"made_{name}.json").read_bytes()
