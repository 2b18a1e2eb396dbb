"""The snapshot store: what is committed is whole, what is not never counts, what is not ours is not touched."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import safetensors.numpy

import dalsegno as ds
from dalsegno.core.store.directory import DirectoryStore
from dalsegno.core.store.memory import MemoryStore

STATE = {"weights": np.arange(24.0).reshape(4, 6), "mask": np.array([True, False]), "step": 7, "names": ("a", "b")}


@pytest.fixture(params=["directory", "memory"])
def store(request, tmp_path):
    return DirectoryStore(tmp_path / "snapshots", "run1") if request.param == "directory" else MemoryStore("run1")


@pytest.fixture
def disk(tmp_path):
    return DirectoryStore(tmp_path / "snapshots", "run1")


@pytest.fixture
def other(tmp_path):
    """Another run in the same directory."""
    return DirectoryStore(tmp_path / "snapshots", "run2")


def save(store, name="s1", state=STATE, step=7):
    with store.begin(step, name=name) as writer:
        writer.put("process", state)
        writer.put("engine", {"x": 1})
        return writer.commit()


def content(folder):
    """Every file below a folder, with what is in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_saved_comes_back_writable_and_its_own(store):
    manifest = save(store)
    reader = store.open("s1", manifest.checksum)
    reader.verify()
    back = reader.get("process")
    assert np.array_equal(back["weights"], STATE["weights"]) and back["mask"].dtype == bool
    assert back["step"] == 7 and back["names"] == ("a", "b") and reader.get("engine") == {"x": 1}
    back["weights"][0, 0] = -1
    assert reader.get("process")["weights"][0, 0] == 0


def test_the_manifest_says_what_is_in_the_snapshot(store):
    manifest = save(store)
    reader = store.open("s1")
    assert reader.manifest == manifest and reader.parts() == ("process", "engine") and store.names() == ["s1"]
    assert (manifest.name, manifest.run, manifest.step, manifest.format) == ("s1", "run1", 7, 1)
    assert manifest.bytes >= STATE["weights"].nbytes


def test_saving_does_not_share_memory_with_the_state(store):
    state = {"x": np.zeros(5)}
    save(store, state=state)
    state["x"][:] = 9
    assert store.open("s1").get("process")["x"].sum() == 0


def test_nothing_counts_before_commit(store):
    with store.begin(1, name="half") as writer:
        writer.put("process", STATE)
        assert store.names() == []
    assert store.names() == []
    with pytest.raises(ds.SnapshotError, match="half"):
        store.open("half")


@pytest.mark.parametrize("part", ["process", "other"])
def test_a_part_is_put_once_and_only_before_the_end(disk, part):
    writer = disk.begin(1, name="s1")
    writer.put("process", 1)
    if part == "other":
        writer.commit()
    with pytest.raises(ds.SnapshotError, match=f"'{part}'"):
        writer.put(part, 2)


def test_a_part_that_is_not_there_is_refused_with_those_that_are(store):
    save(store)
    with pytest.raises(ds.SnapshotError, match="s1.*process, engine"):
        store.open("s1").get("model")


def test_a_snapshot_is_never_written_over(store):
    save(store)
    with pytest.raises(ds.SnapshotError, match="s1 is .* already"):
        store.begin(8, name="s1")
    assert store.open("s1").manifest.step == 7


def test_parts_may_be_put_by_several_threads(disk):
    states = {f"rank{i}": np.full(1000, i) for i in range(8)}
    with disk.begin(1, name="s1") as writer, ThreadPoolExecutor(4) as pool:
        list(pool.map(writer.put, states, states.values()))
        writer.commit()
    reader = disk.open("s1")
    assert all(np.array_equal(reader.get(part), state) for part, state in states.items())


def test_an_exception_leaves_nothing_behind(disk):
    with pytest.raises(ZeroDivisionError), disk.begin(1, name="half") as writer:
        writer.put("process", [STATE, 1 / 0])
    with pytest.raises(ds.SnapshotError, match="put twice"), disk.begin(1, name="half") as writer:
        writer.put("process", writer.put("process", STATE))
    assert list(disk.path.iterdir()) == []


def test_an_unsavable_state_leaves_nothing_behind_and_names_the_path(store, tmp_path):
    with (
        pytest.raises(ds.UnsavableError, match=r"^a\.b\[0\] is a builtins\.object"),
        store.begin(1, name="half") as one,
    ):
        one.put("process", {"a": {"b": [object()]}})
    assert store.names() == [] and not any((tmp_path / "snapshots").glob("*"))


def test_everything_is_durable_before_it_has_its_name(disk, monkeypatch):
    """The order of the calls: every file, its folder, the name, the folder above."""
    calls, fsync, rename = [], os.fsync, os.rename

    def name_of(descriptor):
        return os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append(name_of(descriptor)), fsync(descriptor)))
    monkeypatch.setattr(os, "rename", lambda *names: (calls.append("rename"), rename(*names)))
    save(disk)
    files = ["engine.json", "process.json", "process.numpy.safetensors"]
    folder = calls.index("run1.s1.unfinished")
    assert sorted(calls[1 : folder - 1]) == files and calls[folder - 1 :] == [
        "manifest.json",
        "run1.s1.unfinished",
        "rename",
        "snapshots",
    ]


def test_sweep_clears_this_runs_leftovers_only(disk, other):
    for one in (disk, other):
        one.begin(1, name="half").put("process", STATE)
    save(disk, "whole")
    (disk.path / "notes.txt").write_text("mine")
    assert disk.sweep() == ["half"] and disk.sweep() == []
    assert sorted(path.name for path in disk.path.iterdir()) == ["notes.txt", "run1.whole", "run2.half.unfinished"]


def test_sweep_finishes_a_removal_that_was_cut_short(disk):
    save(disk)
    (disk.folder("s1") / "manifest.json").rename(disk.folder("s1") / "manifest.removed")
    (disk.folder("s1") / "engine.json").unlink()
    assert disk.names() == [] and disk.sweep() == ["s1"]
    assert list(disk.path.iterdir()) == []


def test_sweep_leaves_damaged_snapshots_alone(disk):
    save(disk)
    (disk.folder("s1") / "manifest.json").unlink()
    before = content(disk.path)
    assert disk.sweep() == [] and content(disk.path) == before


def test_names_and_removal_are_of_this_run_only(disk, other):
    save(disk, "a"), save(disk, "b"), save(other, "c"), save(other, "a")
    disk.remove("a"), disk.remove("c"), disk.remove("never-there")
    assert disk.names() == ["b"] and other.names() == ["a", "c"]
    other.open("a").verify()


def test_a_run_whose_id_begins_like_another_is_another(tmp_path):
    one, two = DirectoryStore(tmp_path, "run"), DirectoryStore(tmp_path, "run-2")
    save(one, "s1"), save(two, "s1")
    one.remove("s1")
    assert one.names() == [] and two.names() == ["s1"]


def test_a_folder_that_another_run_moved_here_is_not_removed(disk, other):
    save(other, "s1")
    other.folder("s1").rename(disk.folder("s1"))
    before = content(disk.path)
    with pytest.raises(ds.SnapshotError, match="belongs to snapshot s1 of run run2"):
        disk.remove("s1")
    assert content(disk.path) == before


def test_notes_in_the_folder_of_a_snapshot_stay_when_it_is_removed(disk):
    save(disk)
    note = disk.folder("s1") / "why this one.txt"
    note.write_text("mine")
    disk.open("s1").verify()
    disk.remove("s1")
    assert [path.name for path in disk.folder("s1").iterdir()] == [note.name] and note.read_text() == "mine"
    assert disk.names() == []


def test_a_damaged_snapshot_is_removed_when_it_is_asked_for(disk):
    save(disk)
    (disk.folder("s1") / "manifest.json").write_text("{")
    (disk.folder("s1") / "notes.json").write_text("{}")
    disk.remove("s1")
    assert [path.name for path in disk.folder("s1").iterdir()] == ["notes.json"]


def test_a_directory_that_is_not_there_holds_nothing(disk):
    assert disk.names() == [] and disk.sweep() == [] and disk.remove("s1") is None
    assert not disk.path.exists()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "a.unfinished", "ü", "x" * 200, None])
def test_names_that_are_no_names_of_files_are_refused(disk, name):
    with pytest.raises(ds.UsageError, match="snapshot"):
        disk.begin(1, name=name)
    with pytest.raises(ds.UsageError, match="part"), disk.begin(1, name="s1") as writer:
        writer.put(name, 1)


def test_a_run_with_a_dot_is_refused_as_its_folders_could_be_anothers(tmp_path):
    with pytest.raises(ds.UsageError, match="run 'a.b'"):
        DirectoryStore(tmp_path, "a.b")


def test_the_files_are_plain_safetensors_and_json(disk):
    save(disk, state={**STATE, "dates": np.array(["2026-11-25"], "M8[D]"), "odd": np.ones(3, np.int8)})
    found = safetensors.numpy.load_file(disk.folder("s1") / "process.numpy.safetensors")
    assert np.array_equal(found["weights"], STATE["weights"]) and found["dates"].dtype == np.uint8
    for file in ("process.json", "engine.json", "manifest.json"):
        json.loads((disk.folder("s1") / file).read_text())
    with safetensors.safe_open(disk.folder("s1") / "process.numpy.safetensors", "np") as file:
        assert {"run": "run1", "snapshot": "s1", "part": "process"}.items() <= file.metadata().items()


def test_torch_reads_the_tensors_without_this_library(disk):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    state = {
        "a": torch.ones(3, dtype=torch.bfloat16),
        "b": {"w": torch.ones(2, 2)},
        "c": torch.ones(5, dtype=torch.int8),
    }
    save(disk, state=state)
    found = safetensors.torch.load_file(disk.folder("s1") / "process.torch.safetensors")
    assert torch.equal(found["b.w"], state["b"]["w"]) and torch.equal(found["a"], state["a"])


def test_loaded_arrays_are_aligned_as_new_ones_are(disk):
    torch = pytest.importorskip("torch")
    sizes = range(1, 40, 3)
    save(disk, state=[[torch.ones(n, dtype=torch.int8), torch.ones(n), np.ones(n)] for n in sizes])
    for _, wide, array in disk.open("s1").get("process"):
        assert wide.data_ptr() % 64 == 0 and array.flags.aligned


def test_a_program_that_was_killed_while_saving_leaves_only_a_temporary_name(disk, tmp_path):
    import subprocess
    import sys

    program = f"""if True:
        import os, signal, numpy as np
        from dalsegno.core.store.directory import DirectoryStore
        writer = DirectoryStore({str(disk.path)!r}, "run1").begin(1, name="s1")
        writer.put("process", np.ones(1000))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert disk.names() == [] and disk.sweep() == ["s1"] and list(disk.path.iterdir()) == []
