"""Backup, restore and copy: while running, to the other database, interrupted, damaged. Nothing differs afterwards."""

import asyncio
import itertools
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text

from hub.db import archive, tables, transfer
from hub.db.archive import BackupDamaged
from hub.db.database import Database
from hub.db.engine import open_engine, snapshot
from hub.db.transfer import Differs, NotEmpty, carried, checksum
from hub.intake.blobs import Folder
from tests.integration.hubs import Served, command, phone, running, until


def quiet(_table: str, _done: int, _total: int) -> None:
    """No progress."""


def engine_of(url: str) -> Engine:
    return open_engine(make_url(url), writes=True, pool_size=2)


def sums(url: str) -> dict[str, Any]:
    engine = engine_of(url)
    try:
        with engine.connect() as conn:
            return {table.name: checksum(conn, table) for table in carried()}
    finally:
        engine.dispose()


async def fill(url: str, folder: Path, count: int = 30) -> None:
    """A hub with people, requests, tasks, a large body and odd bytes."""
    async with running(url, folder, people_named=["Olena", "Taras"]) as hub:
        await asyncio.gather(
            *(
                hub.form({"name": f"Клієнт {n}", "phone": phone(n), "text": "ціна?\u0000"})
                for n in range(count)
            )
        )
        await hub.form({"name": "Довгий", "phone": phone(9000), "text": "я" * 70_000})
        await hub.form(None, data=b"\xff\xfe\x00", headers={"Content-Type": "application/json"})
        assert hub.one("select count(*) from task") == count + 1


@pytest.fixture
def lite(sqlite_url: str) -> str:
    return sqlite_url


async def test_a_backup_restores_into_either_database(
    lite: str, hub_url: str, tmp_path: Path, open_database: Callable[[str], Database]
):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    url = f"sqlite:///{source / 'hub.db'}"
    shutil.copy(lite.removeprefix("sqlite:///"), source / "hub.db")
    await fill(url, source)
    engine = engine_of(url)
    with snapshot(engine) as conn:
        manifest = archive.write(conn, Folder(source / "data" / "blobs"), tmp_path / "b.hub", "now", quiet)
    engine.dispose()
    assert manifest["blobs"] == 1
    there = engine_of(hub_url)
    read = archive.read(there, Folder(target / "blobs"), tmp_path / "b.hub", quiet)
    assert read["blobs"] == 1
    assert sums(hub_url) == sums(url)
    with pytest.raises(NotEmpty):
        archive.read(there, Folder(target / "blobs"), tmp_path / "b.hub", quiet)
    there.dispose()


def test_a_backup_is_one_moment_of_a_hub_under_load(hub_url: str, tmp_path: Path):
    async def run() -> None:
        async with running(hub_url, tmp_path, people_named=["Olena"]) as hub:
            await asyncio.gather(*(hub.form({"name": "x", "phone": phone(n)}) for n in range(50)))
            stop = asyncio.Event()

            numbers = itertools.count(100)

            async def load() -> None:
                while not stop.is_set():
                    await hub.form({"name": "x", "phone": phone(next(numbers))})

            loading = [asyncio.create_task(load()) for _ in range(4)]
            engine = engine_of(hub_url)

            def back_up() -> dict[str, Any]:
                with snapshot(engine) as conn:
                    return archive.write(
                        conn, Folder(tmp_path / "data" / "blobs"), tmp_path / "b.hub", "now", quiet
                    )

            manifest = await asyncio.to_thread(back_up)
            stop.set()
            await asyncio.gather(*loading)
            engine.dispose()
            rows = {name: one["rows"] for name, one in manifest["tables"].items()}
            assert rows["request"] == rows["task"] == rows["message"] == rows["contact"] >= 50
            assert rows["ledger"] == rows["task"]
            await until(lambda: hub.one("select count(*) from request") > rows["request"])

    asyncio.run(run())


@pytest.mark.parametrize("harm", ["cut", "changed row", "changed blob", "other schema", "no backup"])
async def test_a_damaged_backup_is_refused_and_leaves_nothing(lite: str, tmp_path: Path, harm: str):
    await fill(lite, tmp_path, 5)
    engine = engine_of(lite)
    file, bad = tmp_path / "b.hub", tmp_path / "bad.hub"
    with snapshot(engine) as conn:
        archive.write(conn, Folder(tmp_path / "data" / "blobs"), file, "now", quiet)
    engine.dispose()
    harmed = file.read_bytes()
    if harm == "cut":
        bad.write_bytes(harmed[: len(harmed) // 2])
    elif harm == "no backup":
        bad.write_bytes(b"hello" * 100)
    else:
        _rewrite(file, bad, harm, tmp_path)
    target = f"sqlite:///{tmp_path / 'target.db'}"
    there = engine_of(target)
    from hub.db import schema

    schema.ensure(there, migrate=True)
    with pytest.raises(BackupDamaged):
        archive.read(there, Folder(tmp_path / "restored"), bad, quiet)
    if harm != "changed blob":
        with there.connect() as conn:
            transfer.require_empty(conn)
    there.dispose()


def _rewrite(file: Path, bad: Path, harm: str, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with tarfile.open(file) as tar:
        tar.extractall(folder, filter="data")
    rows, manifest = folder / "database.jsonl", folder / "manifest.json"
    if harm == "changed row":
        rows.write_text(rows.read_text().replace("Клієнт 3", "Клієнт 4"))
    elif harm == "changed blob":
        next((folder / "blobs").iterdir()).write_bytes(b"other")
    else:
        manifest.write_text(manifest.read_text().replace('"schema": "2', '"schema": "9'))
    with tarfile.open(bad, "w:gz") as tar:
        for name in ("manifest.json", "database.jsonl"):
            tar.add(folder / name, name)
        for path in (folder / "blobs").iterdir():
            tar.add(path, f"blobs/{path.name}")


async def test_a_copy_moves_to_postgresql_and_goes_on_where_it_stopped(
    lite: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    await fill(lite, tmp_path, 40)
    monkeypatch.setattr(transfer, "CHUNK", 7)
    source, target = engine_of(lite), engine_of(postgres_url)

    class Interrupted(Exception):
        pass

    calls = 0

    def interrupt(_table: str, _done: int, _total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 20:
            raise Interrupted

    with snapshot(source) as conn, pytest.raises(Interrupted):
        transfer.copy(conn, target, interrupt)
    with snapshot(source) as conn:
        copied = transfer.copy(conn, target, quiet)
    assert sums(postgres_url) == sums(lite) == copied
    with snapshot(source) as conn, pytest.raises(NotEmpty):
        transfer.copy(conn, target, quiet)
    source.dispose()
    target.dispose()
    async with running(postgres_url, tmp_path) as hub:  # and the hub goes on there
        status, _ = await hub.form({"name": "новий", "phone": phone(77_777)})
        assert status == 201
        assert hub.one("select count(*) from task") == 42


async def test_a_source_that_is_written_meanwhile_is_noticed(lite: str, tmp_path: Path):
    await fill(lite, tmp_path, 3)
    other = f"sqlite:///{tmp_path / 'other.db'}"
    source, target = engine_of(lite), engine_of(other)
    from hub.db import schema

    schema.ensure(target, migrate=True)

    def spoil(table: str, _done: int, _total: int) -> None:
        if table == "contact":
            with target.begin() as conn:
                conn.execute(text("UPDATE contact SET name = 'other'"))

    with snapshot(source) as conn, pytest.raises(Differs):
        transfer.copy(conn, target, spoil)
    source.dispose()
    target.dispose()


def test_the_commands_say_what_they_did(sqlite_url: str, tmp_path: Path):
    served = Served(sqlite_url, tmp_path)
    served.start()
    try:
        backup = tmp_path / "b.hub"
        done = served.command("db", "backup", backup)
        assert done.returncode == 0, done.stderr
        assert backup.stat().st_mode & 0o077 == 0
        again = served.command("db", "backup", backup)
        assert (again.returncode, again.stderr.strip()) == (
            2,
            f"{backup} is there already: choose another name",
        )
        busy = served.command("db", "copy", f"sqlite:///{tmp_path / 'copy.db'}")
        assert busy.returncode == 2
        assert "stop it first" in busy.stderr
    finally:
        served.stop()
    copied = served.command("db", "copy", f"sqlite:///{tmp_path / 'copy.db'}")
    assert copied.returncode == 0, copied.stderr
    other = Served(f"sqlite:///{tmp_path / 'restored.db'}", tmp_path, name="other")
    restored = command("db", "restore", backup, "--config", other.config)
    assert restored.returncode == 0, restored.stderr
    assert "restored" in restored.stdout
    full = command("db", "restore", backup, "--config", other.config)
    assert full.returncode == 2
    assert "empty database" in full.stderr


def test_every_table_is_carried_or_left_behind_on_purpose():
    names = {table.name for table in carried()}
    assert names | transfer.LEFT_BEHIND == set(tables.metadata.tables)
    assert not names & transfer.LEFT_BEHIND
