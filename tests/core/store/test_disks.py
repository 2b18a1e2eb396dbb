"""Disks that refuse: one clear error, nothing left behind, and the snapshots before it are whole."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

import dalsegno as ds
from dalsegno.core.store.directory import DirectoryStore


def save(store, name, size):
    with store.begin(1, name=name) as writer:
        writer.put("process", np.ones(size))
        return writer.commit()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "dalsegno-test", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk; the limit on a file's size is tried instead")
    yield folder
    subprocess.run(["umount", folder], check=True)


def check_refusal(store, words):
    first = save(store, "s1", 1000)
    with pytest.raises(ds.JournalError, match=words) as caught:
        save(store, "s2", 1_000_000)
    assert "snapshot s2 cannot be written" in str(caught.value) and "before it are whole" in str(caught.value)
    assert store.names() == ["s1"] and [path.name for path in store.path.iterdir()] == ["run1.s1"]
    store.open("s1", first.checksum).verify()


def test_a_full_disk(small_disk):
    store = DirectoryStore(small_disk, "run1")
    check_refusal(store, "No space left on device")
    save(store, "s3", 1000)  # what was given up has left room


def test_a_file_beyond_the_limit_of_the_program(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        check_refusal(DirectoryStore(tmp_path, "run1"), "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def read_only(folder):
    """A folder that nobody may write to; for root, who may write everywhere, by mounting it so."""
    if os.geteuid() == 0:
        for options in (["--bind", folder, folder], ["-o", "remount,bind,ro", folder]):
            if subprocess.run(["mount", *options], capture_output=True).returncode:
                pytest.skip("no right to mount a folder read-only")
        try:
            yield
        finally:
            subprocess.run(["umount", folder], check=True)
    else:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)


def test_a_read_only_directory(tmp_path):
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    first = save(store, "s1", 1000)
    with read_only(store.path):
        with pytest.raises(ds.JournalError, match="snapshot s2 cannot be written: (Read-only|Permission)"):
            save(store, "s2", 10)
        with pytest.raises(ds.JournalError, match="snapshot s1 cannot be removed"):
            store.remove("s1")
        assert store.sweep() == []
        store.open("s1", first.checksum).verify()
    assert store.names() == ["s1"]


def test_a_file_where_the_directory_should_be(tmp_path):
    (tmp_path / "snapshots").write_text("mine")
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    with pytest.raises(ds.JournalError, match="snapshot s1 cannot be written"):
        save(store, "s1", 10)
    with pytest.raises(ds.JournalError, match="snapshots"):
        store.names()
    assert (tmp_path / "snapshots").read_text() == "mine"


def test_any_call_that_fails_leaves_the_former_snapshot_and_nothing_half(tmp_path, monkeypatch):
    """Every write, fsync, rename, open and mkdir fails in turn, until a save gets through."""
    import errno

    store = DirectoryStore(tmp_path, "run1")
    first = save(store, "s1", 3000)
    calls = {name: getattr(os, name) for name in ("write", "fsync", "rename", "open", "mkdir")}
    count = fail_at = 0

    def counted(call):
        def counting(*arguments, **named):
            nonlocal count
            count += 1
            if count == fail_at:
                raise OSError(errno.EIO, "Input/output error", None)
            return call(*arguments, **named)

        return counting

    for fail_at in range(1, 100):
        count = 0
        with monkeypatch.context() as patch:
            for name, call in calls.items():
                patch.setattr(os, name, counted(call))
            try:
                save(store, "s2", 3000)
            except ds.JournalError as error:
                refusal = str(error)
            else:
                break
        assert "snapshot s2 cannot be written: Input/output error" in refusal
        assert [path.name for path in tmp_path.iterdir()] == ["run1.s1"], fail_at
        store.open("s1", first.checksum).verify()
    assert fail_at > 10 and store.names() == ["s1", "s2"]
    store.open("s2").verify()


def test_nothing_is_left_open(tmp_path):
    store, before = DirectoryStore(tmp_path, "run1"), len(os.listdir("/proc/self/fd"))
    save(store, "s1", 10)
    with contextlib.suppress(ZeroDivisionError), store.begin(1, name="s2") as writer:
        writer.put("process", 1)
        raise ZeroDivisionError
    store.open("s1").verify(), store.open("s1").get("process"), store.open("s1").array("process", "state")
    assert len(os.listdir("/proc/self/fd")) == before


def test_giving_up_with_data_still_in_a_buffer_is_silent(tmp_path):
    program = f"""if True:
        from dalsegno.core.store.directory import DirectoryStore
        import numpy as np
        writer = DirectoryStore({str(tmp_path)!r}, "run1").begin(1, name="s1")
        try: writer.put("process", {{"a": np.ones(10), "b": object()}})
        except TypeError: pass
        writer = DirectoryStore({str(tmp_path)!r}, "run1").begin(1, name="s1")
        writer.put("process", 1); writer.abort(); del writer
    """
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr, os.listdir(tmp_path)) == (0, "", [])
