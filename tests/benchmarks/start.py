"""Warm start to the first answer, and resident memory when idle."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import servers


def measure(rounds: int = 7) -> dict[str, Any]:
    """Seconds from starting the process to the first /readyz 200; MiB two seconds later."""
    times, memory = [], []
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        folder = Path(name)
        servers.settings(folder)
        servers.seed(folder, 2)
        for _ in range(rounds):
            port = servers.free_port()
            begun = time.perf_counter()
            process = subprocess.Popen(
                [*servers.HUB, "serve", "--port", str(port)], cwd=folder, env=servers.environment(),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                servers.wait_for(f"http://127.0.0.1:{port}/readyz")
                times.append(time.perf_counter() - begun)
                time.sleep(2)
                memory.append(servers.resident_mib(process))
            finally:
                servers.stop(process)
    return {
        "start_s": round(statistics.median(times), 2),
        "start_spread_s": [round(min(times), 2), round(max(times), 2)],
        "memory_mib": round(statistics.median(memory)),
        "goal": "1.0 s, 110 MiB",
        "must": "2.0 s, 150 MiB",
    }
