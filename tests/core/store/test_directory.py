"""The snapshot store: what is committed is whole, what is not never counts, what is not ours is not touched."""

from __future__ import annotations

import shutil

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


def save(store, name="s1", state=STATE, step=7):
    with store.begin(step, name=name) as writer:
        writer.put("process", state)
        writer.put("engine", {"x": 1})
        return writer.commit()


def test_what_is_saved_comes_back_writable_and_its_own(store):
    manifest = save(store)
    reader = store.open("s1", manifest.checksum)
    reader.verify()
    back = reader.get("process")
    assert np.array_equal(back["weights"], STATE["weights"]) and back["mask"].dtype == bool
    assert back["step"] == 7 and back["names"] == ("a", "b") and reader.get("engine") == {"x": 1}
    back["weights"][0, 0] = -1
    assert store.open("s1", manifest.checksum).get("process")["weights"][0, 0] == 0


def test_reading_by_array_and_slice(store):
    save(store)
    assert np.array_equal(store.open("s1").array("process", "state.weights", np.s_[1:3, 2]), [8.0, 14.0])


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


def test_an_exception_leaves_nothing_behind(tmp_path):
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    with pytest.raises(ZeroDivisionError), store.begin(1, name="half") as writer:
        writer.put("process", STATE)
        raise ZeroDivisionError
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_an_unsavable_state_leaves_nothing_behind_and_names_the_path(tmp_path):
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    with pytest.raises(ds.UnsavableError, match=r"state\.a"), store.begin(1, name="half") as writer:
        writer.put("process", {"a": object()})
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_sweep_clears_this_runs_leftovers_only(tmp_path):
    store, other = DirectoryStore(tmp_path / "snapshots", "run1"), DirectoryStore(tmp_path / "snapshots", "run2")
    for one in (store, other):
        one.begin(1, name="half").put("process", STATE)
    (tmp_path / "snapshots" / "notes.txt").write_text("mine")
    assert store.sweep() == ["half"]
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == ["notes.txt", "run2.half.unfinished"]


def test_names_and_removal_are_of_this_run_only(tmp_path):
    store, other = DirectoryStore(tmp_path / "snapshots", "run1"), DirectoryStore(tmp_path / "snapshots", "run2")
    save(store, "a"), save(store, "b"), save(other, "c")
    store.remove("a"), store.remove("c"), store.remove("never there")
    assert store.names() == ["b"] and other.names() == ["c"]


def test_the_files_are_plain_safetensors_and_json(tmp_path):
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    save(store)
    found = safetensors.numpy.load_file(tmp_path / "snapshots" / "run1.s1" / "process.numpy.safetensors")
    assert np.array_equal(found["state.weights"], STATE["weights"])


def test_torch_states_with_shared_tensors_and_an_optimizer(tmp_path):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4, bias=False))
    model[2].weight = torch.nn.Parameter(torch.ones(4, 4))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(5, 8)).sum().backward()
        optimizer.step()
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "big": torch.ones(3, dtype=torch.complex128)}
    state["half"] = torch.ones(7, dtype=torch.bfloat16)
    manifest = save(store, state=state)
    back = store.open("s1", manifest.checksum).get("process")
    twin = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4, bias=False))
    own = torch.optim.Adam(twin.parameters())
    twin.load_state_dict(back["model"])
    own.load_state_dict(back["optimizer"])
    for one, other in zip(model.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    x = torch.randn(5, 8)
    for net, step in ((model, optimizer), (twin, own)):
        step.zero_grad()
        net(x).sum().backward()
        step.step()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(back["big"], state["big"]) and torch.equal(back["half"], state["half"])
    safetensors.torch.load_file(tmp_path / "snapshots" / "run1.s1" / "process.torch.safetensors")


def test_a_tensor_that_is_in_a_state_twice_is_stored_once(tmp_path):
    torch = pytest.importorskip("torch")
    weight = torch.ones(100_000)
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    assert save(store, state={"a": weight, "b": [weight]}).bytes < 500_000


def damage_manifest(folder):
    (folder / "manifest.json").write_text("{")


def foreign_run(folder):
    other = DirectoryStore(folder.parent, "run2")
    save(other, "s1")
    shutil.copy(folder.parent / "run2.s1" / "manifest.json", folder / "manifest.json")


def newer_format(folder):
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"format": 1', '"format": 9'))


def one_file_more(folder):
    (folder / "strange.json").write_text("{}")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damage_manifest, "manifest.json"),
        (foreign_run, "manifest.json belongs to snapshot s1 of run run2"),
        (newer_format, "format 9 .* up to 1"),
        (one_file_more, "strange.json"),
        (shutil.rmtree, "manifest.json .* cannot be read"),
    ],
)
def test_damage_is_said_with_snapshot_and_file(tmp_path, damage, words):
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    save(store)
    damage(tmp_path / "snapshots" / "run1.s1")
    with pytest.raises(ds.SnapshotError, match=words) as caught:
        store.open("s1").verify()
    assert "s1" in str(caught.value)


def test_a_manifest_that_the_journal_did_not_acknowledge_is_refused(tmp_path):
    store = DirectoryStore(tmp_path / "snapshots", "run1")
    first = save(store)
    store.remove("s1")
    save(store, state={"other": 1})
    with pytest.raises(ds.SnapshotError, match="not the one that was saved"):
        store.open("s1", first.checksum)
