"""Bodies and files that the tests of the web form are made of."""

import io
import zipfile
from collections.abc import Mapping, Sequence

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 40
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
PROGRAM = b"MZ\x90\x00" + b"\x00" * 60

File = tuple[str, str, bytes]
"""Field, name of the file, its bytes."""


def multipart(fields: Mapping[str, str], files: Sequence[File] = (), boundary: str = "----WebKitX") -> bytes:
    """As a browser writes it."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for field, name, body in files:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        parts.append(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + body + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def multipart_type(boundary: str = "----WebKitX") -> str:
    return f"multipart/form-data; boundary={boundary}"


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "x" * 500)
    return packed.getvalue()
