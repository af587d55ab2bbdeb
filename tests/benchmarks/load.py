"""A closed-loop load by wrk (Debian package `wrk`): each post a new contact with its own telephone and e-mail.

What is posted is a script of wrk; FORM by default. It ends with DONE, by which the figures come back.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

FORM = """
local thread_count = 0
function setup(thread)
  thread:set("tid", thread_count)
  thread_count = thread_count + 1
end
function init(args)
  prefix = PREFIX
  n = 0
end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  n = n + 1
  local serial = (prefix * 100000 + n) % 10000000
  local code = ({"67", "50", "63", "96", "97", "98", "66", "95", "99", "93", "73", "68"})[(tid * 5 + prefix) % 12 + 1]
  local phone = string.format("+380%s%07d", code, serial)
  local body = string.format('{"name":"Олена Тест %d-%d-%d","phone":"%s","email":"c%d.%d.%d@example.com",' ..
    '"message":"Скільки коштує доставка до Львова, і чи є розмір 42? Номер %d",' ..
    '"utm_source":"google","utm_medium":"cpc"}',
    tid, prefix, n, phone, tid, prefix, n, n)
  return wrk.format(nil, nil, nil, body)
end
"""

DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  print(string.format('RESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"status":%d,"socket":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), e.status,
    e.connect + e.read + e.write + e.timeout))
end
"""


_prefixes = itertools.count(1)
"""One for each run: two runs on one hub must not send the same person's same words, which would join."""


@dataclass(frozen=True, slots=True)
class Load:
    """One measurement. `failed`: answers that were no 2xx, and broken connections."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    failed: int


def available() -> bool:
    """Is wrk installed?"""
    return shutil.which("wrk") is not None


def run(url: str, folder: Path, *, connections: int, seconds: int, script: str = FORM) -> Load:
    """Load one address."""
    prefix = next(_prefixes)
    file = folder / f"post-{prefix}.lua"  # a file each: two runs may begin at the same moment
    file.write_text(script.replace("PREFIX", str(prefix)) + DONE, encoding="utf-8")
    output = subprocess.run(
        ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", str(file), url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = re.search(r"RESULT (\{.*\})", output)
    if found is None:
        raise RuntimeError(f"wrk said nothing: {output}")
    said = json.loads(found.group(1))
    return Load(
        said["requests"] / (said["duration_us"] / 1e6),
        said["p50_us"] / 1000,
        said["p99_us"] / 1000,
        said["requests"],
        said["status"] + said["socket"],
    )
