"""parser.py and scribe.py: only the plugin's own time is watched, not the disk's."""

import time
from typing import Any

from hub.intake.blobs import BlobStore
from hub.intake.clerk import Guard
from hub.intake.model import DeliveryState, Prepared
from hub.intake.parser import ChannelAccount, Job
from hub.testing.contract_channel import post
from hub.testing.host import LoopbackHost
from plugins.web_form.plugin import WebForm
from plugins.web_form.settings import WebFormSettings
from tests.plugins.web_form.made import PNG, multipart, multipart_type


def test_a_slow_disk_does_not_make_the_plugin_look_hung(tmp_path: Any, monkeypatch: Any) -> None:
    """A large file takes its time to be written; the delivery is understood, the account stays trusted."""
    blobs = BlobStore(tmp_path)
    put = blobs.put

    def slow(body: bytes) -> str:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            sum(range(1_000))  # a signal interrupts this, as it would the writing
        return put(body)

    monkeypatch.setattr(blobs, "put", slow)
    account = ChannelAccount("shop", 1, WebForm("shop", WebFormSettings(), LoopbackHost()))
    raw = post(multipart({"name": "Ivan"}, [("files", "a.png", PNG)]), multipart_type(), account="shop")
    guard = Guard(blobs)
    with guard:
        result = guard.understand(Job(account, raw))
    assert isinstance(result, Prepared)
    assert result.state is DeliveryState.STORED
    assert not account.hung_at
