"""Reading one array of a snapshot, or a slice of it, from disk and from memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dalsegno as ds
from dalsegno.core.store import durable
from dalsegno.core.store.checksums import BLOCK
from dalsegno.core.store.directory import DirectoryStore
from dalsegno.core.store.memory import MemoryStore

BUFFER = np.arange(20.0)
STATE = {
    "c": np.arange(60.0).reshape(3, 4, 5),
    "f": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "dates": np.arange(6).astype("M8[D]").reshape(2, 3),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "layers": [{"w": np.ones((2, 2), np.float16)}],
    "buffer": BUFFER,
    "window": BUFFER[5:9],
}
PATHS = {
    "c": "c",
    "f": "f",
    "dates": "dates",
    "scalar": "scalar",
    "empty": "empty",
    "buffer": "buffer",
    "window": "window",
}


@pytest.fixture(scope="module", params=["directory", "memory"])
def reader(request, tmp_path_factory):
    store = MemoryStore("run1")
    if request.param == "directory":
        store = DirectoryStore(tmp_path_factory.mktemp("slices"), "run1")
    with store.begin(1, name="s1") as writer:
        writer.put("process", STATE)
        writer.commit()
    return store.open("s1")


@pytest.mark.parametrize("path", PATHS)
def test_a_whole_array_by_its_path(reader, path):
    found = reader.array("process", path)
    assert found.dtype == STATE[path].dtype and np.array_equal(found, STATE[path]) and found.flags.writeable


def test_a_path_goes_through_lists_and_dicts(reader):
    assert reader.array("process", "layers[0].w", 1).tolist() == [1.0, 1.0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_slice_is_that_slice_of_the_array(reader, data):
    path = data.draw(st.sampled_from(sorted(PATHS)))
    index = data.draw(hnp.basic_indices(STATE[path].shape, allow_newaxis=True))
    found, wanted = reader.array("process", path, index), STATE[path][index]
    assert np.array_equal(found, wanted) and np.shape(found) == np.shape(wanted) and found.dtype == wanted.dtype


def test_slices_of_tensors(tmp_path):
    torch = pytest.importorskip("torch")
    store = DirectoryStore(tmp_path, "run1")
    weight = torch.arange(24.0).reshape(2, 3, 4).to(torch.bfloat16)
    state = {"w": weight, "t": weight.permute(2, 0, 1), "alias": weight.view(2, 3, 4)}
    with store.begin(1, name="s1") as writer:
        writer.put("model", state)
        writer.commit()
    reader = store.open("s1")
    for path in state:
        found = reader.array("model", path, (1, slice(0, 2)))
        assert found.dtype == torch.bfloat16 and torch.equal(found, state[path][1, 0:2])


@pytest.mark.parametrize("path", ["nothing", "layers[0]", "layers[1].w", ""])
def test_a_path_without_an_array_is_refused(reader, path):
    with pytest.raises(ds.SnapshotError, match=r"snapshot s1: part 'process' has no array"):
        reader.array("process", path)


@pytest.mark.parametrize("index", [np.array([0, 1]), [0, 1], True, "a"])
def test_an_index_that_is_no_slice_is_refused(reader, index):
    with pytest.raises(ds.UsageError, match="slice="):
        reader.array("process", "c", index)


def test_a_row_beyond_the_end_is_an_index_error(reader):
    with pytest.raises(IndexError):
        reader.array("process", "c", 3)


def test_of_a_large_file_only_the_blocks_that_hold_the_rows_are_read(tmp_path, monkeypatch):
    store, rows = DirectoryStore(tmp_path, "run1"), 3 * BLOCK // 1024
    with store.begin(1, name="s1") as writer:
        writer.put("process", {"big": np.arange(rows * 128, dtype=np.int64).reshape(rows, 128)})
        writer.commit()
    read, at = [], durable.Input.read_at
    monkeypatch.setattr(durable.Input, "read_at", lambda file, start, n: (read.append(start), at(file, start, n))[1])
    reader = store.open("s1")
    found = reader.array("process", "big", slice(rows - 100, rows - 90, 3))
    assert found[:, 0].tolist() == [(rows - 100 + 3 * i) * 128 for i in range(4)]
    assert read == [0, 2 * BLOCK]
