"""docs/webhooks.md: its example verifies what the hub signs, its tables name what there is."""

import re
import time

import pytest

from hub.outbox import webhooks
from tests.conftest import CHECKOUT

TEXT = (CHECKOUT / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET, BODY = "a-secret-of-some-length", '{"event":"order.paid","note":"ї"}'.encode()


@pytest.fixture
def verify():
    [code] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict = {}
    exec(code, names)
    return names["is_from_the_hub"]


def signed(at: int) -> dict[str, str]:
    return {
        "Hub-Timestamp": str(at),
        "Hub-Event-Id": "12",
        "Hub-Signature": webhooks.sign(SECRET, at, "12", BODY),
    }


def test_the_example_takes_what_the_hub_signs(verify):
    assert verify(SECRET, signed(int(time.time())), BODY)


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "another-secret-of-length"}, {"body": BODY + b" "}, {"Hub-Event-Id": "13"},
        {"Hub-Timestamp": "+1"}, {"Hub-Signature": "v1="}, {"at": -600},
    ],
)  # fmt: skip
def test_the_example_refuses_everything_else(verify, change):
    now = int(time.time()) + change.get("at", 0)
    headers = signed(now)
    if "Hub-Timestamp" in change:
        headers["Hub-Timestamp"] = str(now + 1)
    headers |= {name: value for name, value in change.items() if name in {"Hub-Event-Id", "Hub-Signature"}}
    assert not verify(change.get("secret", SECRET), headers, change.get("body", BODY))


def test_every_event_is_in_the_table_and_none_too_many():
    assert re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", TEXT, re.MULTILINE) == list(webhooks.EVENTS)
