"""Large bodies as files."""

import hashlib

import pytest

from hub.intake.blobs import BlobsAway, Folder

BODY = b"\x00\xff" * 50_000


def test_a_body_is_found_again_under_its_hash(tmp_path):
    store = Folder(tmp_path / "blobs")
    name = store.put(BODY)
    assert name == hashlib.sha256(BODY).hexdigest()
    assert store.get(name) == BODY


def test_the_same_bytes_twice_are_one_file_and_nothing_is_left_beside(tmp_path):
    store = Folder(tmp_path)
    assert store.put(BODY) == store.put(BODY)
    assert [p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()] == [len(BODY)]


def test_a_body_that_was_deleted_is_none(tmp_path):
    assert Folder(tmp_path).get("ab" * 32) is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "blobs").write_text("a file stands here")
    with pytest.raises(BlobsAway, match="blobs"):
        Folder(tmp_path / "blobs").put(BODY)
