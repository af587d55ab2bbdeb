"""/static/: our own few files, named with a digest of their content, so that a browser asks once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).resolve().parent.parent / "static"
_TYPES = {".css": "text/css", ".svg": "image/svg+xml", ".js": "text/javascript", ".md": "text/plain"}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, read once."""

    body: bytes
    packed: bytes
    digest: str
    media_type: str


@cache
def files() -> dict[str, StaticFile]:
    """All files by name; what is not in here is not served."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _TYPES and path.is_file():
            body = path.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:16]
            found[path.name] = StaticFile(body, gzip.compress(body, 6, mtime=0), digest, _TYPES[path.suffix])
    return found


def address_of(name: str) -> str:
    """Where a page finds a file."""
    return f"/static/{name}?v={files()[name].digest}"


async def serve(request: web.Request) -> web.Response:
    """One file."""
    name = request.match_info.get("name", "favicon.svg")
    found = files().get(name)
    if found is None:
        raise web.HTTPNotFound
    etag = f'"{found.digest}"'
    headers = {
        "Cache-Control": FOR_EVER if request.query.get("v") == found.digest else "public, max-age=300",
        "ETag": etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    }
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    body = found.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body = found.packed
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, content_type=found.media_type, charset="utf-8", headers=headers)
