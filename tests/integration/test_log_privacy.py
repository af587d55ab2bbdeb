"""No customer's word enters a log line, not even with the traceback of a bug."""

import subprocess
import sys

import httpx
import pytest

from tests.integration.hubs import environment

RAISING = """
import sys
from hub.cli.logs import set_up_logs
import structlog
sys.stderr.isatty = lambda: {terminal}
set_up_logs()
log = structlog.get_logger("x")

def inner(phone):
    raise ValueError(f"no such number {{phone}}")

def outer(phone):
    try:
        inner(phone)
    except ValueError as error:
        raise KeyError(phone) from error

try:
    outer("+380671234567")
except KeyError:
    log.error("request_raised", exc_info=True, path="/x")
log.error("plain")
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_traceback_tells_where_and_not_what(terminal):
    done = subprocess.run(
        [sys.executable, "-c", RAISING.format(terminal=terminal)],
        capture_output=True, text=True, timeout=40, check=True, env=environment(),
    )  # fmt: skip
    assert "380671234567" not in done.stderr
    for word in ("request_raised", "KeyError", "ValueError", "inner", "outer", "plain"):
        assert word in done.stderr


def test_strangers_bytes_do_not_fill_the_log(serve, sqlite_url):
    import socket

    served = serve(sqlite_url)
    host, port = served.base.removeprefix("http://").split(":")
    for line in (
        b"\x16\x03\x01secret-words\r\n\r\n",
        b"GET /\xff secret-words\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(line)
            client.recv(1000)
    assert httpx.get(f"{served.base}/healthz").status_code == 200
    assert "secret-words" not in served.log.read_text()
    assert "Traceback" not in served.log.read_text()
