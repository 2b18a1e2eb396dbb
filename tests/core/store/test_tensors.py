"""Torch's tensors, parameters, dtypes, devices and sizes in a state."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import dalsegno as ds
from dalsegno.core.store import codec
from dalsegno.core.store.layouts import own_copy

torch = pytest.importorskip("torch")

DTYPES = sorted({str(value).removeprefix("torch.") for value in vars(torch).values() if isinstance(value, torch.dtype)})
DENSE = [name for name in DTYPES if not name.startswith(("q", "bits"))]


def both_ways(value):
    text, arrays = codec.encode(value)
    yield codec.decode(text, {key: own_copy(array) for key, array in arrays.items()})
    yield codec.loads(codec.dumps(value))


def content(tensor):
    flat = tensor.detach().resolve_conj().resolve_neg().contiguous().as_strided((tensor.numel(),), (1,))
    return flat.view(torch.uint8).tolist() if tensor.numel() else []


def equal_to_the_bit(one, other):
    assert type(one) is type(other) and one.dtype == other.dtype and one.shape == other.shape
    return content(one) == content(other)


@pytest.mark.filterwarnings("ignore:ComplexHalf")
@pytest.mark.parametrize("name", DENSE)
def test_every_dtype(name):
    dtype = getattr(torch, name)
    raw = torch.arange(6 * dtype.itemsize, dtype=torch.uint8)
    tensor = (raw % 2 if dtype == torch.bool else raw).view(dtype)
    for back in both_ways({"flat": tensor, "two": tensor.reshape(2, 3), "scalar": tensor[0], "empty": tensor[:0]}):
        assert equal_to_the_bit(back["flat"], tensor) and equal_to_the_bit(back["two"], tensor.reshape(2, 3))
        assert equal_to_the_bit(back["scalar"], tensor[0]) and equal_to_the_bit(back["empty"], tensor[:0])


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).reshape(3, 4)[:, ::2],
        torch.ones(3).expand(4, 3),
        torch.arange(6.0).reshape(2, 3).T,
        torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([1 + 2j]).conj().imag,
        torch.empty(0, 3),
        torch.tensor(2.5),
        torch.tensor([float("nan"), -0.0]),
    ],
    ids=["strided", "expanded", "transposed", "channels last", "conjugate", "negative", "empty", "scalar", "NaN"],
)
def test_tensors_of_every_layout(tensor):
    for back in both_ways(tensor):
        assert equal_to_the_bit(back, tensor)
        back.zero_()


def test_the_order_in_memory_comes_back():
    tensor = torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last)
    for back in both_ways({"a": tensor, "t": torch.ones(2, 3).T}):
        assert back["a"].stride() == tensor.stride() and back["t"].stride() == (1, 3)


def test_a_leaf_asks_for_its_gradient_again_and_a_result_does_not():
    leaf = torch.ones(2, requires_grad=True)
    for back in both_ways({"leaf": leaf, "result": leaf * 2, "plain": torch.ones(2)}):
        assert back["leaf"].requires_grad and back["leaf"].is_leaf and back["leaf"].grad_fn is None
        assert not back["result"].requires_grad and not back["plain"].requires_grad


@pytest.mark.parametrize("grad", [True, False])
def test_parameters_come_back_as_parameters(grad):
    for back in both_ways(torch.nn.Parameter(torch.ones(2), requires_grad=grad)):
        assert type(back) is torch.nn.Parameter and back.requires_grad is grad


@pytest.mark.parametrize(
    "value", [torch.Size([1, 2]), torch.Size([]), torch.device("cuda:1"), torch.device("cpu"), torch.bfloat16], ids=repr
)
def test_values_that_describe_tensors(value):
    for back in both_ways({value: [value]}):
        ((key, (inside,)),) = back.items()
        assert key == inside == value and type(key) is type(value)


class MyTensor(torch.Tensor):
    pass


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: torch.eye(2).to_sparse(), "sparse_coo.*to_dense"),
        (lambda: torch.eye(2).to_sparse_csr(), "sparse_csr"),
        (lambda: torch.ones(2, device="meta"), "meta device"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantized"),
        (lambda: torch.ones(2).as_subclass(MyTensor), "MyTensor"),
        (lambda: torch.nn.Linear(1, 1), "Linear"),
        (lambda: {torch.ones(1): 1}, "no value to be a key"),
    ],
)
def test_what_would_not_come_back_is_refused(make, words):
    with pytest.raises(ds.UnsavableError, match=f"^a\\.b.*{words}"):
        codec.encode({"a": {"b": make()}})


def test_a_model_and_its_optimizer_go_on_as_if_nothing_had_been():
    def make():
        model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4, bias=False))
        return model, torch.optim.Adam(model.parameters())

    def train(model, optimizer, seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(5, 8, generator=generator)).square().sum().backward()
            optimizer.step()

    one, two = make(), make()
    train(*one, 1)
    back = next(both_ways([piece.state_dict() for piece in one]))
    assert back[0]._metadata == one[0].state_dict()._metadata
    for piece, state in zip(two, back, strict=True):
        piece.load_state_dict(state)
    train(*one, 2)
    train(*two, 2)
    for mine, theirs in zip(one[0].state_dict().values(), two[0].state_dict().values(), strict=True):
        assert equal_to_the_bit(mine, theirs)


def test_a_state_without_tensors_is_read_without_torch():
    program = (
        "import sys; from dalsegno.core.store import codec, generators\n"
        "codec.decode(*codec.encode({'a': {1: (2, b'x')}, 'g': generators.capture()}))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_tensors_in_a_place_without_torch_are_refused_with_what_to_do():
    text = codec.dumps(torch.ones(2))
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from dalsegno.core.errors import SnapshotError; from dalsegno.core.store import codec\n"
        "try: codec.loads(sys.argv[1])\n"
        "except SnapshotError as error: assert 'pip install torch' in str(error), error\n"
        "else: raise SystemExit('was not refused')"
    )
    subprocess.run([sys.executable, "-c", program, text], check=True)


def test_numpy_and_torch_in_one_state_keep_to_their_own():
    state = {"n": np.ones(2), "t": torch.ones(2)}
    for back in both_ways(state):
        assert type(back["n"]) is np.ndarray and type(back["t"]) is torch.Tensor
