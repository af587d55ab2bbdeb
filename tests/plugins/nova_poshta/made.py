"""Items and answers made for the tests, and the short way through the plugin's pure part."""

import json
from pathlib import Path
from typing import Any

from hub.sdk import Facts, Observation, Problem, TrackAnswer, TrackingNumber
from hub.testing.host import START
from plugins.nova_poshta.tracking import ask, read_answer

FIXTURES = Path(__file__).parent / "fixtures"
NUMBER = "20450000000001"
OTHER = "20450000000002"
THIRD = "59000000000003"
KEY = "0123456789abcdef0123456789abcdef"
PHONE = "+380671234567"

SUMS_TOLD_AS_NONE = {"RedeliverySum": 0, "AfterpaymentOnGoodsCost": 0, "AnnouncedPrice": 500}
MONEY_BACK = {"RedeliverySum": 1500, "AfterpaymentOnGoodsCost": 0, "AnnouncedPrice": 1500}
PAYMENT_CONTROL = {"RedeliverySum": 0, "AfterpaymentOnGoodsCost": 1500, "AnnouncedPrice": 1500}
HIDDEN = {"RedeliverySum": "", "AfterpaymentOnGoodsCost": "", "AnnouncedPrice": ""}


def fixture(name: str) -> bytes:
    return (FIXTURES / f"made_{name}.json").read_bytes()


def item(code: Any = "5", number: Any = NUMBER, **fields: Any) -> dict[str, Any]:
    clock = {"TrackingUpdateDate": "2026-03-04 11:32:17"}
    return {"Number": number, "StatusCode": code, "Status": "text"} | clock | fields


def envelope(*items: Any, **keys: Any) -> bytes:
    return json.dumps({"success": True, "data": list(items), "errors": [], "warnings": []} | keys).encode()


def refusal(*codes: str, **keys: Any) -> bytes:
    return envelope(**({"success": False, "errors": ["refused"], "errorCodes": list(codes)} | keys))


def read(body: bytes, *numbers: str, **settings: Any) -> TrackAnswer:
    asked = [TrackingNumber(number=number) for number in numbers or (NUMBER,)]
    return read_answer(body, ask(asked), now_ms=START, **settings)


def observe(code: Any = "5", **fields: Any) -> Observation:
    (tracked,) = read(envelope(item(code, **fields))).tracked
    (observation,) = tracked.observations
    return observation


def facts(code: Any = "5", **fields: Any) -> Facts:
    return observe(code, **fields).facts


def problems(answer: TrackAnswer) -> dict[str, Problem]:
    return {entry.number: entry.problem for entry in answer.problems}
