"""A backup: one file with every row and every blob, made while the hub runs, read back into either database.

    manifest.json      format, schema, when, and for each table its rows and checksum
    database.jsonl     a line {"table": ..} and then its rows, table by table, out of one snapshot
    blobs/<sha256>     large bodies and files

The rows come out of one read transaction, so the file is one moment; blobs are written before the rows that
name them and never changed, so copying them afterwards is enough. Restoring compares every checksum and
every blob's name with its content: a damaged file is refused in words, and nothing half restored is left.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import orjson
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from hub.db import schema
from hub.db.bulk import bulk_insert
from hub.db.transfer import CHUNK, Adder, Sum, Told, carried, chunks, count, line_of, require_empty, row_of
from hub.kernel.errors import HubError

FORMAT = 1
_MANIFEST, _ROWS, _BLOBS = "manifest.json", "database.jsonl", "blobs/"


class Blobs(Protocol):
    """Where the large bodies and files lie: a `BlobStore`, of which a backup needs this."""

    def names(self) -> Iterator[str]: ...

    def get(self, name: str) -> bytes | None: ...

    def put(self, body: bytes) -> str: ...


class BackupDamaged(HubError):
    """This file is no sound backup."""


def write(conn: Connection, blobs: Blobs, file: Path, at: str, told: Told) -> dict[str, Any]:
    """Write a backup; `conn` reads one snapshot. The file appears whole or not at all. Returns the manifest."""
    part = file.with_name(file.name + ".part")
    try:
        with (
            tempfile.TemporaryFile(dir=file.parent) as rows,
            tarfile.open(part, "w:gz", compresslevel=5) as tar,
        ):
            sums = _write_rows(conn, rows, told)
            manifest = {
                "format": FORMAT,
                "schema": schema.HEAD,
                "made_at": at,
                "tables": {name: {"rows": one.rows, "digest": one.digest} for name, one in sums.items()},
            }
            _add(tar, _MANIFEST, io.BytesIO(orjson.dumps(manifest, option=orjson.OPT_INDENT_2)))
            _add(tar, _ROWS, rows)
            manifest["blobs"] = _add_blobs(tar, blobs)
        part.chmod(0o600)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _write_rows(conn: Connection, out: IO[bytes], told: Told) -> dict[str, Sum]:
    sums = {}
    for table in carried():
        out.write(orjson.dumps({"table": str(table.name)}) + b"\n")
        adder, total = Adder(), count(conn, table)
        done = 0
        for rows in chunks(conn, table):
            for row in rows:
                line = line_of(table, row)
                adder.add(line)
                out.write(line + b"\n")
            done += len(rows)
            told(table.name, done, total)
        sums[str(table.name)] = adder.sum()
    return sums


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    size = content.seek(0, io.SEEK_END)
    content.seek(0)
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    tar.addfile(entry, content)


def _add_blobs(tar: tarfile.TarFile, blobs: Blobs) -> int:
    added = 0
    for name in blobs.names():
        body = blobs.get(name)
        if body is not None:  # else retention was quicker
            _add(tar, _BLOBS + name, io.BytesIO(body))
            added += 1
    return added


def read(target: Engine, blobs: Blobs, file: Path, told: Told) -> dict[str, Any]:
    """Restore into an empty, migrated database. Raises BackupDamaged, NotEmpty; all rows in one transaction."""
    with target.connect() as conn:
        require_empty(conn)
    try:
        with tarfile.open(file, "r:gz") as tar:
            manifest = _manifest(tar)
            with target.begin() as conn:
                _read_rows(conn, _member(tar, _ROWS), told, manifest)
            manifest["blobs"] = sum(1 for entry in tar if _read_blob(tar, entry, blobs))
            return manifest
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError, orjson.JSONDecodeError) as error:
        raise BackupDamaged(f"{file.name} is no sound backup: {type(error).__name__}") from error


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    manifest: dict[str, Any] = orjson.loads(_member(tar, _MANIFEST).read())
    if manifest.get("format") != FORMAT:
        raise BackupDamaged("this backup has a format that this program does not know: use a newer hub")
    if manifest.get("schema") != schema.HEAD:
        raise BackupDamaged(
            f"the backup has schema {manifest.get('schema')}, this program {schema.HEAD}: restore it with the version"
            " that made it, then upgrade"
        )
    return manifest


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    found = tar.extractfile(name)
    if found is None:
        raise BackupDamaged(f"{name} is missing in the backup")
    return found


def _read_rows(conn: Connection, lines: IO[bytes], told: Told, manifest: dict[str, Any]) -> None:
    """Insert everything; the checksums are compared before the transaction commits."""
    missing = {str(table.name): table for table in carried()}
    for name, rows in _by_table(lines):
        table = missing.pop(name)
        adder, waiting, done = Adder(), list[Any](), 0
        for line in rows:
            adder.add(line)
            waiting.append(row_of(table, line))
            if len(waiting) == CHUNK:
                bulk_insert(conn, {table: waiting})
                done += len(waiting)
                told(name, done, manifest["tables"][name]["rows"])
                waiting = []
        bulk_insert(conn, {table: waiting})
        wanted = manifest["tables"][name]
        if adder.sum() != Sum(wanted["rows"], wanted["digest"]):
            raise BackupDamaged(f"table {name} is not what the backup says: the file was changed or cut off")
    if missing:
        raise BackupDamaged(f"{len(missing)} tables are missing: the file was cut off")


def _by_table(lines: IO[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The tables of a file, each with its lines; a table's lines must be read before the next one is asked for."""
    heading: list[str] = []

    def rows() -> Iterator[bytes]:
        for raw in lines:
            line = raw.rstrip(b"\n")
            if line.startswith(b"{"):
                heading.append(orjson.loads(line)["table"])
                return
            yield line

    for _ in rows():
        raise BackupDamaged("the rows of the backup begin without a table")
    while heading:
        yield heading.pop(), rows()


def _read_blob(tar: tarfile.TarFile, entry: tarfile.TarInfo, blobs: Blobs) -> bool:
    name = entry.name.removeprefix(_BLOBS)
    if not entry.name.startswith(_BLOBS) or not entry.isfile():
        return False
    body = _member(tar, entry.name).read()
    if hashlib.sha256(body).hexdigest() != name:
        raise BackupDamaged(f"the blob {name[:16]} is not what its name says")
    blobs.put(body)
    return True
