"""Signed Viber deliveries against a bare aiohttp handler that parses the same JSON, side by side, interleaved.

Each delivery is a new customer's first message: signed as Viber signs, checked over its raw bytes, stored raw, made a
contact, a request and a dealt task before it is answered with 200, through the real plugin in a real `hub serve`. The
deliveries are made and signed before each run, so that the load costs both servers the same.
"""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import orjson

from plugins.viber import signature
from tests.benchmarks import intake

GOAL, MUST = 0.45, 0.30
MOST_PER_S = 12_000
"""So many are made for each second of a run; who takes more gets the first ones again."""

TOKEN = "4f1f5b3c2d1e0a9b-benchmark"
CHANNELS = f"""
[channels.bot]
plugin = "viber"
token = "{TOKEN}"
sender_name = "Крамниця"
base_url = "http://127.0.0.1:9"
"""
# Nobody listens there: the web hook stays unset, and deliveries are taken all the same.

SCRIPT = """
function init(args)
  posts, n = {}, 0
  local file = assert(io.open("FILE", "rb"))
  for signature in file:lines() do
    posts[#posts + 1] = wrk.format("POST", nil,
      {["Content-Type"] = "application/json", ["X-Viber-Content-Signature"] = signature}, file:read("*l"))
  end
  file:close()
end
function request()
  n = n % #posts + 1
  return posts[n]
end
"""

_numbers = itertools.count(1)


def measure(
    rounds: int = 5, seconds: int = 4, connections: int = 64, database: str = "sqlite"
) -> dict[str, Any]:
    """Ratios within each round."""
    found = intake.compare(
        rounds, seconds, connections, database, channels=CHANNELS, account="bot", script=script
    )
    return {**found, "goal": GOAL, "must": MUST}


def script(folder: Path, seconds: int) -> str:
    """New customers for a run of so many seconds."""
    file = folder / "deliveries"
    lines = (line for _ in range(MOST_PER_S * seconds) for line in _signed(next(_numbers)))
    file.write_bytes(b"\n".join(lines))
    return SCRIPT.replace("FILE", str(file))


def _signed(number: int) -> tuple[bytes, bytes]:
    body = delivery(number)
    return signature.sign(TOKEN.encode(), body).encode(), body


def delivery(number: int) -> bytes:
    """The first message of one customer."""
    return orjson.dumps(
        {
            "event": "message",
            "timestamp": 1_772_445_600_000 + number,
            "chat_hostname": "SN-CHAT-05_",
            "message_token": 5_741_311_803_571_721_087 + number,
            "sender": {
                "id": base64.b64encode(f"customer {number:015d}".encode()).decode(),
                "name": f"Олена Тест {number}",
                "avatar": f"https://media-direct.example/download_photo?dlid={number:032x}",
                "language": "uk",
                "country": "UA",
                "api_version": 10,
            },
            "message": {
                "type": "text",
                "text": f"Скільки коштує доставка до Львова, і чи є розмір 42? Номер {number}",
                "tracking_data": "",
            },
            "silent": False,
        }
    )
