"""Arrays that share memory in a state share it again when the state is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dalsegno.core.store import codec
from dalsegno.core.store.layouts import own_copy


def there_and_back(state):
    text, arrays = codec.encode(state)
    return codec.decode(text, {key: own_copy(array) for key, array in arrays.items()})


def stored(state):
    return sum(array.nbytes for array in codec.encode(state)[1].values())


def test_one_array_twice_is_one_array_again_and_is_stored_once():
    array = np.arange(1000.0)
    back = there_and_back({"a": array, "b": [array]})
    assert back["a"] is back["b"][0] and stored({"a": array, "b": [array]}) == 8000


def test_two_views_of_the_same_are_two_arrays_over_one_memory():
    array = np.arange(1000.0)
    state = {"a": array, "b": array[:]}
    back = there_and_back(state)
    assert back["a"] is not back["b"] and np.shares_memory(back["a"], back["b"]) and stored(state) == 8000


def test_a_window_into_a_buffer_is_one_again():
    buffer = np.arange(10.0)
    back = there_and_back({"buffer": buffer, "window": buffer[3:7], "reversed": buffer[::-1], "other": np.arange(10.0)})
    back["window"][0] = -1
    assert back["buffer"][3] == -1 and back["reversed"][6] == -1 and back["other"][3] == 3


def test_views_of_another_dtype_share_again():
    numbers = np.arange(4.0)
    back = there_and_back({"bytes": numbers.view(np.uint8)[1:], "numbers": numbers, "tail": numbers[2:]})
    back["numbers"][:] = 1.0
    assert back["bytes"].tobytes() == np.ones(4).tobytes()[1:] and back["tail"].tolist() == [1.0, 1.0]


def test_neighbours_in_one_buffer_are_not_joined():
    buffer = np.arange(10.0)
    _, arrays = codec.encode({"a": buffer[:5], "b": buffer[5:]})
    assert list(arrays) == ["a", "b"]


@given(st.data())
def test_any_views_of_one_array_are_views_of_one_array_again(data):
    base = np.arange(60).reshape(3, 4, 5).astype(data.draw(st.sampled_from(["i1", "f4", "c16", "M8[s]"])))
    views = [base[data.draw(hnp.basic_indices(base.shape))] for _ in range(data.draw(st.integers(2, 4)))]
    views = [view for view in views if isinstance(view, np.ndarray)]
    back = there_and_back(views)
    for one, other in zip(views, back, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    for i, one in enumerate(views):
        for j, other in enumerate(views):
            if np.shares_memory(one, other) and one.size and other.size:
                assert np.shares_memory(back[i], back[j])
    for view, twin in zip(views, back, strict=True):
        view[...], twin[...] = 0, 0
        assert [other.tobytes() for other in back] == [other.tobytes() for other in views]


def test_tied_and_overlapping_tensors():
    torch = pytest.importorskip("torch")
    embedding = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    flat = torch.arange(10.0)
    state = {
        "tied": {"wte": embedding, "head": embedding},
        "detached": embedding.detach(),
        "flat": flat,
        "row": flat[2:5],
    }
    back = there_and_back(state)
    assert back["tied"]["wte"] is back["tied"]["head"] and type(back["tied"]["head"]) is torch.nn.Parameter
    assert back["detached"].data_ptr() == back["tied"]["wte"].data_ptr()
    back["row"][0] = -1
    assert back["flat"][2] == -1 and torch.equal(back["flat"][3:], flat[3:])
    assert back["flat"].data_ptr() % 64 == flat.data_ptr() % 64


def test_a_state_dict_with_tied_weights_loads():
    torch = pytest.importorskip("torch")
    model = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 3, bias=False), "b": torch.nn.Linear(3, 3, bias=False)})
    model["b"].weight = model["a"].weight
    state = model.state_dict()
    assert stored(state) == 36
    model.load_state_dict(there_and_back(state))


def test_the_buffers_of_a_recurrent_network_are_stored_without_overlap():
    torch = pytest.importorskip("torch")
    network = torch.nn.LSTM(3, 4, num_layers=2)
    back = there_and_back(network.state_dict())
    assert all(torch.equal(back[name], value) for name, value in network.state_dict().items())
