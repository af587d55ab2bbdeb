"""A real S3-compatible server out of a package, on loopback, and one that refuses everything in a chosen way."""

import contextlib
import http.server
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.intake.bucket import Bucket
from hub.settings import BlobsSection

KEY_ID = "AKIAOFTHETEST"
SECRET = "secret-of-the-bucket"


@dataclass
class S3:
    """The server, as somebody else sees it."""

    port: int

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def make(self, bucket: str) -> None:
        """A new, empty bucket."""
        asked = urllib.request.Request(f"{self.endpoint}/{bucket}", method="PUT")
        urllib.request.urlopen(asked, timeout=10).close()

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Everything that lies there."""
        from moto.s3.models import s3_backends

        keys = next(iter(s3_backends.values()))["global"].buckets[bucket].keys
        return {name: keys[name].value for name in keys}

    def find(self, bucket: str, prefix: str) -> bytes | None:
        """An object below a prefix."""
        from moto.s3.models import s3_backends

        keys = next(iter(s3_backends.values()))["global"].buckets[bucket].keys
        return next((keys[name].value for name in keys if name.startswith(prefix)), None)

    def age(self, bucket: str, seconds: float) -> None:
        """What lies there was stored so much earlier."""
        from datetime import timedelta

        from moto.s3.models import s3_backends

        keys = next(iter(s3_backends.values()))["global"].buckets[bucket].keys
        for name in keys:
            keys[name].last_modified -= timedelta(seconds=seconds)

    def rename(self, bucket: str, old: str, new: str) -> None:
        """As if it had been stored under another key."""
        from moto.s3.models import s3_backends

        keys = next(iter(s3_backends.values()))["global"].buckets[bucket].keys
        key = keys[old]
        del keys[old]
        key.name = new
        keys[new] = key


@contextlib.contextmanager
def running_s3() -> Iterator[S3]:
    """Start it in this process; it keeps everything in memory."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield S3(server.get_host_and_port()[1])
    finally:
        server.stop()


def bucket(endpoint: str, name: str = "hub", *, timeout_s: float = 5.0) -> Bucket:
    """A store in it."""
    return Bucket(section(endpoint, name, timeout_s=timeout_s))


def section(endpoint: str, name: str = "hub", **more: Any) -> BlobsSection:
    """Its settings."""
    keys = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
    return BlobsSection(url=f"s3://{name}/shop/blobs", endpoint=endpoint, **keys, **more)


class _Refusing(http.server.BaseHTTPRequestHandler):
    """Answers what its server was told to answer."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        status, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_DELETE = _answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def refusing(status: int, code: str) -> Iterator[str]:
    """The address of a server that refuses everything, as S3 words it, with the key in its text."""
    body = (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message>"
        f"<AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>"
        if code
        else ""
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    server.answer = (status, body.encode())  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
