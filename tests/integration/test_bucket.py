"""bucket.py against a real S3-compatible server, with cut lines, slow and refusing ones; and a hub that uses it."""

import hashlib
import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from hub.intake.blobs import BlobsAway, BlobStore, Folder
from hub.intake.bucket import HALF_HOUR_S, PAUSE_S, Bucket
from hub.kernel.errors import SettingsRejected
from tests.integration.hubs import Served, phone
from tests.integration.tcp_proxy import Proxy
from tests.s3_server import KEY_ID, SECRET, bucket, refusing, running_s3, section

BODY = b"\x00\xff" * 50_000
NAME = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(scope="module")
def s3():
    with running_s3() as server:
        yield server


@pytest.fixture
def name(s3, request):
    """A bucket of its own for each test."""
    made = f"b{abs(hash(request.node.name)):x}"[:40]
    s3.make(made)
    return made


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path):
    """Both kinds keep the same promises."""
    made: BlobStore
    if request.param == "folder":
        made = Folder(tmp_path / "blobs")

        def age(seconds):
            for path in (tmp_path / "blobs").rglob(NAME):
                os.utime(path, (time.time() - seconds,) * 2)
    else:
        server, bucket_name = request.getfixturevalue("s3"), request.getfixturevalue("name")
        made = bucket(server.endpoint, bucket_name)

        def age(seconds):
            server.age(bucket_name, seconds)

    return made, age


def test_what_was_stored_is_found_under_its_hash_and_listed(store):
    blobs, _ = store
    assert blobs.put(BODY) == NAME
    assert blobs.put(b"two") == hashlib.sha256(b"two").hexdigest()
    assert blobs.get(NAME) == BODY
    assert blobs.get("ab" * 32) is None
    assert list(blobs.names()) == sorted([NAME, hashlib.sha256(b"two").hexdigest()])
    assert blobs.probe()
    assert len(list(blobs.names())) == 2


def test_what_was_stored_lately_stays_and_what_is_old_goes(store):
    blobs, age = store
    blobs.put(BODY)
    assert not blobs.drop(NAME)
    age(3_500)
    assert not blobs.drop(NAME)
    age(200 + 3_500)
    assert blobs.drop(NAME)
    assert not blobs.drop(NAME)
    assert blobs.get(NAME) is None
    assert list(blobs.names()) == []


def test_what_was_stored_again_lately_stays(store):
    blobs, age = store
    blobs.put(BODY)
    age(10 * 3_600)
    blobs.put(BODY)
    assert not blobs.drop(NAME)
    assert blobs.get(NAME) == BODY


def test_the_same_bytes_are_one_object_however_often_and_from_however_many(s3, name):
    stores = [bucket(s3.endpoint, name) for _ in range(3)]
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda n: stores[n % 3].put(BODY), range(12))) == {NAME}
    s3.age(name, 2 * 3_600)
    [key] = s3.objects(name)
    s3.rename(name, key, f"shop/blobs/{NAME}/{int(time.time()) // HALF_HOUR_S - 4}")
    assert stores[0].put(BODY) == NAME
    assert list(s3.objects(name).values()) == [BODY]
    assert stores[1].get(NAME) == BODY


def test_a_deletion_hits_nothing_that_was_stored_after_it_had_looked(s3, name):
    """Between the look and the deletion somebody stores the same bytes: they stay."""
    mine, other = bucket(s3.endpoint, name), bucket(s3.endpoint, name)
    mine.put(BODY)
    s3.age(name, 2 * 3_600)
    [key] = s3.objects(name)
    s3.rename(name, key, f"shop/blobs/{NAME}/{int(time.time()) // HALF_HOUR_S - 4}")
    remove = mine._remove

    def later(keys):
        other.put(BODY)
        remove(keys)

    mine._remove = later  # type: ignore[method-assign]
    mine.drop(NAME)
    assert mine.get(NAME) == BODY
    assert len(s3.objects(name)) == 1


def test_a_read_finds_what_is_moved_meanwhile(s3, name):
    blobs = bucket(s3.endpoint, name)
    blobs.put(BODY)
    objects = blobs._objects
    seen: list[object] = []

    def late(wanted):
        found = objects(wanted)
        if not seen:
            seen.append(found)
            [key] = s3.objects(name)
            s3.rename(name, key, f"{key}0")
        return found

    blobs._objects = late  # type: ignore[method-assign]
    assert blobs.get(NAME) == BODY


def test_an_object_that_is_not_what_its_name_says_is_not_handed_out(s3, name):
    blobs = bucket(s3.endpoint, name)
    blobs.put(b"other")
    [key] = s3.objects(name)
    s3.rename(name, key, f"shop/blobs/{NAME}/1")
    with pytest.raises(BlobsAway, match="not what its name says"):
        blobs.get(NAME)


def test_half_an_upload_is_no_object_and_the_next_try_succeeds(s3, name):
    proxy = Proxy(s3.port)
    try:
        blobs = bucket(f"http://127.0.0.1:{proxy.port}", name, timeout_s=2)
        proxy.on_client = lambda chunk: b"\x00\xff" in chunk  # each line is cut in the middle of the body
        proxy.rule = "drop"
        with pytest.raises(BlobsAway):
            blobs.put(BODY)
        assert s3.objects(name) == {}
        proxy.on_client = lambda _chunk: False
        blobs._silent_until = 0
        assert blobs.put(BODY) == NAME
        assert list(s3.objects(name).values()) == [BODY]
    finally:
        proxy.close()


def test_a_lost_answer_of_an_upload_is_asked_for_again(s3, name):
    proxy = Proxy(s3.port)
    try:
        blobs = bucket(f"http://127.0.0.1:{proxy.port}", name, timeout_s=2)
        proxy.once(b"PUT /", "swallow")
        assert blobs.put(b"small") == hashlib.sha256(b"small").hexdigest()
        assert proxy.hits == 1
        assert list(s3.objects(name).values()) == [b"small"]
    finally:
        proxy.close()


def test_a_storage_that_says_nothing_costs_one_time_limit_and_then_nothing():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        blobs = bucket(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout_s=0.5)
        with pytest.raises(BlobsAway, match="does not answer in time"):
            blobs.put(BODY)
        for _ in range(20):  # while it pauses no call goes out
            with pytest.raises(BlobsAway, match="does not answer"):
                blobs.put(BODY)
        assert blobs._silent_until - time.monotonic() <= PAUSE_S


def test_a_call_of_the_storage_lets_other_threads_run():
    """The scribe has one thread that understands: it must not wait for somebody's network."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        blobs = bucket(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout_s=0.5)
        over = threading.Event()

        def ask() -> None:
            with pytest.raises(BlobsAway):
                blobs.put(BODY)
            over.set()

        threading.Thread(target=ask).start()
        turns = 0
        while not over.wait(0.01):
            turns += 1
        assert turns > 5


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "AccessDenied", "may not list, read, write and delete"),
        (403, "", "may not list, read, write and delete"),
        (403, "InvalidAccessKeyId", r"correct \[blobs\] access_key_id"),
        (401, "", r"correct \[blobs\] access_key_id"),
        (403, "SignatureDoesNotMatch", r"correct \[blobs\] secret_access_key"),
        (404, "NoSuchBucket", r"no such bucket: make it, or correct \[blobs\] url"),
        (404, "", r"see \[blobs\] endpoint"),
        (400, "AuthorizationHeaderMalformed", r"correct \[blobs\] region"),
        (301, "", r"correct \[blobs\] region"),
        (403, "RequestTimeTooSkewed", "clock of this machine"),
        (503, "SlowDown", "overloaded"),
        (507, "XMinioStorageFull", "refuses: XMinioStorageFull"),
        (500, "", "refuses: 500"),
    ],
)
def test_each_refusal_is_one_sentence_without_a_key(status, code, says, caplog, capsys):
    with refusing(status, code) as endpoint:
        blobs = bucket(endpoint, timeout_s=2)
        for call in (blobs.probe, lambda: blobs.put(BODY)):
            with pytest.raises(BlobsAway, match=says) as told:
                call()
            assert "\n" not in told.value.message
            assert told.value.__cause__ is None
        said = capsys.readouterr()
        assert KEY_ID not in told.value.message + caplog.text + said.out + said.err
    assert KEY_ID not in repr(blobs)


def test_a_missing_bucket_is_no_missing_blob(s3):
    """Else retention, or a reply, would take all files for gone."""
    blobs = bucket(s3.endpoint, "nowhere")
    with pytest.raises(BlobsAway, match="no such bucket"):
        blobs.get(NAME)
    with pytest.raises(BlobsAway, match="no such bucket"):
        blobs.drop(NAME)
    with pytest.raises(BlobsAway, match="no such bucket"):
        list(blobs.names())


def test_without_the_extra_the_settings_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(
        SettingsRejected, match=r"blobs.url: needs the extra s3: pip install 'omni-hub\[s3\]'"
    ):
        bucket("http://127.0.0.1:9")


# --- a hub that uses it ------------------------------------------------------------------------------


def form(hub: Served, number: int, size: int) -> httpx.Response:
    fields = {"name": "Olena", "phone": phone(number), "message": "x" * size}
    return httpx.post(
        f"{hub.base}/in/form", json=fields, headers={"Idempotency-Key": str(number)}, timeout=30
    )


@pytest.mark.slow
def test_a_hub_keeps_its_large_bodies_in_the_bucket_and_loses_none_while_it_is_away(s3, name, tmp_path):
    proxy = Proxy(s3.port)
    more = (
        f'[blobs]\nurl = "s3://{name}/shop"\nendpoint = "http://127.0.0.1:{proxy.port}"\ntimeout_s = 2\n'
        f'access_key_id = "{KEY_ID}"\nsecret_access_key_file = "secret"\n'
    )
    (tmp_path / "secret").write_text(SECRET)
    hub = Served(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path, more=more)
    hub.start()
    try:
        assert form(hub, 1, 100_000).status_code == 201
        assert len(s3.objects(name)) == 1
        assert not list((tmp_path / "data").glob("blobs/*"))
        proxy.close()  # the storage is gone
        refused = form(hub, 2, 100_000)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert form(hub, 3, 10).status_code == 201  # what needs no storage goes on
        told = hub.command("check")
        assert "сховище недоступне: див. [blobs] endpoint" in told.stdout, told.stdout
        backup = hub.command("db", "backup", tmp_path / "b.hub")
        assert backup.returncode == 2, backup.stdout
        assert backup.stderr.count("\n") == 1, backup.stderr
    finally:
        hub.stop()
    hub.config.write_text(hub.config.read_text().replace(str(proxy.port), str(s3.port)))
    hub.start()
    try:
        assert form(hub, 2, 100_000).status_code == 201
        assert form(hub, 2, 100_000).status_code == 201
        assert len(s3.objects(name)) == 2
        backup = hub.command("db", "backup", tmp_path / "b.hub", "--json")
        assert '"blobs": 2' in backup.stdout, backup.stderr
        for said in (hub.log.read_text(), told.stdout, told.stderr, backup.stderr):
            assert SECRET not in said
            assert KEY_ID not in said
    finally:
        hub.stop()


def test_blobs_of_a_folder_move_into_the_bucket(s3, name, tmp_path):
    from click.testing import CliRunner

    from hub.cli.operate import db_blobs

    folder = Folder(tmp_path / "blobs")
    names = sorted(folder.put(BODY + b"%d" % n) for n in range(3))
    (tmp_path / "hub.toml").write_text(
        f'[blobs]\nurl = "s3://{name}"\nendpoint = "{s3.endpoint}"\n'
        f'access_key_id = "{KEY_ID}"\nsecret_access_key = "{SECRET}"\n'
    )
    for _ in range(2):
        ran = CliRunner().invoke(db_blobs, [str(tmp_path / "blobs"), "--config", str(tmp_path / "hub.toml")])
        assert ran.exit_code == 0, ran.output
        assert "copied 3 blobs" in ran.output
    assert len(s3.objects(name)) == 3
    there = Bucket(section(s3.endpoint, name).model_copy(update={"url": f"s3://{name}"}))
    assert list(there.names()) == names
