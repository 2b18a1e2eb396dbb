"""Damage of every kind is found before anything is handed out, and is said with snapshot, file and what is wrong."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dalsegno as ds
from dalsegno.core.store.checksums import BLOCK
from dalsegno.core.store.directory import DirectoryStore

torch = pytest.importorskip("torch")

FILES = ["manifest.json", "process.json", "process.numpy.safetensors", "process.torch.safetensors", "engine.json"]
LARGEST = "process.numpy.safetensors"


def state(fill):
    return {"a": np.full(5000, fill, dtype=np.float64), "t": torch.full((700,), fill), "n": fill}


def save(store, name="s1", fill=1.0):
    with store.begin(7, name=name) as writer:
        writer.put("process", state(fill))
        writer.put("engine", {"steps": 7})
        return writer.commit()


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path, "run1")


def read_all(store, manifest):
    reader = store.open("s1", manifest.checksum)
    for part in reader.parts():
        reader.get(part)


def verify(store, manifest):
    store.open("s1", manifest.checksum).verify()


def refused(store, manifest, words):
    """Both ways of reading refuse, in one sentence that names the snapshot and the file."""
    for way in (read_all, verify):
        with pytest.raises(ds.SnapshotError, match=words) as caught:
            way(store, manifest)
        message = str(caught.value)
        assert re.match(r"snapshot s1: file (\S+) ", message) and "\n" not in message


def halve(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file):
    file.write_bytes(b"")


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def lengthen(file):
    file.write_bytes(file.read_bytes() + b"\0")


def zero_tail(file):
    content = file.read_bytes()
    file.write_bytes(content[:-4096] + bytes(4096))


def make_a_folder_of_it(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (halve, r"has \d+ bytes, and was saved with \d+|is no manifest"),
        (empty, "is empty, and was saved with|is no manifest"),
        (flip, "is damaged|is no manifest|has format"),
        (lengthen, r"has \d+ bytes, and was saved with \d+|is no manifest"),
        (lambda file: file.unlink(), "is missing"),
        (make_a_folder_of_it, "cannot be read|has 4096 bytes"),
    ],
    ids=["cut to half", "emptied", "one bit flipped", "a byte more", "removed", "a folder"],
)
def test_any_damage_to_any_file(store, name, damage, words):
    manifest = save(store)
    damage(store.folder("s1") / name)
    refused(store, manifest, f"snapshot s1: file {re.escape(name)} ({words})")


def test_a_zero_filled_tail_is_named_as_such(store):
    manifest = save(store)
    zero_tail(store.folder("s1") / LARGEST)
    refused(
        store, manifest, rf"file {LARGEST} is damaged: its checksum is .* and its last 4\d\d\d bytes or more are zero"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_runs_snapshot_is_named_as_such(store, name):
    manifest, other = save(store), DirectoryStore(store.path, "run2")
    save(other, fill=2.0)
    shutil.copy(other.folder("s1") / name, store.folder("s1") / name)
    refused(store, manifest, rf"file {name} .*belongs to snapshot s1 of run run2")


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_snapshot_of_this_run_is_named_as_such(store, name):
    manifest = save(store)
    save(store, "s2", fill=2.0)
    shutil.copy(store.folder("s2") / name, store.folder("s1") / name)
    refused(store, manifest, rf"file {name} .*belongs to snapshot s2 of run run1")


def test_a_whole_snapshot_of_another_run_in_its_place(store):
    manifest, other = save(store), DirectoryStore(store.path, "run2")
    save(other, fill=2.0)
    shutil.rmtree(store.folder("s1"))
    shutil.copytree(other.folder("s1"), store.folder("s1"))
    refused(store, manifest, "file manifest.json belongs to snapshot s1 of run run2, not to run run1")


def test_a_snapshot_that_was_never_acknowledged_in_its_place(store):
    manifest = save(store)
    store.remove("s1")
    save(store, fill=2.0)
    refused(store, manifest, "file manifest.json is not the one that was saved")


def test_a_folder_that_is_gone(store):
    manifest = save(store)
    shutil.rmtree(store.folder("s1"))
    refused(store, manifest, "file manifest.json is missing")


def test_a_newer_format_is_refused_with_both_versions(store):
    manifest = save(store)
    file = store.folder("s1") / "manifest.json"
    file.write_text(file.read_text().replace('"format": 1', '"format": 9'))
    refused(store, manifest, "file manifest.json has format 9 and this version of dalsegno reads formats up to 1")


def test_a_manifest_that_names_files_elsewhere_is_refused(store):
    from dataclasses import replace

    manifest = save(store)
    stolen = {**manifest.files, "../run2.s1/process.json": manifest.files["process.json"]}
    (store.folder("s1") / "manifest.json").write_bytes(replace(manifest, files=stolen).to_bytes())
    with pytest.raises(ds.SnapshotError, match="manifest.json names a file"):
        store.open("s1")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    store = DirectoryStore(tmp_path_factory.mktemp("flips"), "run1")
    return store, save(store)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_any_single_bit_anywhere_is_found(saved, data):
    store, manifest = saved
    file = store.folder("s1") / data.draw(st.sampled_from(FILES))
    content = file.read_bytes()
    place = data.draw(st.integers(0, 8 * len(content) - 1))
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    file.write_bytes(changed)
    try:
        for checksum in (manifest.checksum, None):  # with what the journal knows, and by itself
            with pytest.raises(ds.SnapshotError, match="snapshot s1: file "):
                store.open("s1", checksum).verify()
    finally:
        file.write_bytes(content)
    verify(store, manifest)


def test_what_is_damaged_in_a_large_file_is_said_by_bytes(store):
    with store.begin(1, name="s1") as writer:
        writer.put("process", {"a": np.zeros(2 * BLOCK + 100, dtype=np.uint8), "b": np.arange(10)})
        manifest = writer.commit()
    assert len(manifest.files["process.numpy.safetensors"].blocks) == 3
    file = store.folder("s1") / "process.numpy.safetensors"
    with open(file, "r+b") as opened:
        opened.seek(BLOCK + 5)
        opened.write(b"\1")
    refused(store, manifest, f"it differs within bytes {BLOCK} to {2 * BLOCK}")
    reader = store.open("s1")
    assert reader.array("process", "b")[3] == 3 and reader.array("process", "a", slice(0, 9)).sum() == 0
    with pytest.raises(ds.SnapshotError, match="process.numpy.safetensors is damaged"):
        reader.array("process", "a", slice(BLOCK, BLOCK + 10))


def test_an_error_of_the_disk_while_reading_is_said_as_one(store, monkeypatch):
    import errno
    import os

    manifest = save(store)
    reader = store.open("s1", manifest.checksum)

    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "readv", fails)
    with pytest.raises(ds.SnapshotError, match="snapshot s1: file process.json cannot be read: Input/output error"):
        reader.get("process")


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path):
    import os

    from dalsegno.core.errors import MissingSnapshotError
    from dalsegno.core.store.directory import DirectoryStore

    store = DirectoryStore(tmp_path, "run-a")
    with store.begin(3, name="s3") as writer:
        writer.put("process", {"n": 3})
        writer.commit()
    file = store.folder("s3") / "process.json"
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(MissingSnapshotError, match="process.json"):
        store.open("s3").verify()
