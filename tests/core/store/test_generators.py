"""The global generators: seeded, captured, put back."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest

from dalsegno.core.store import codec, generators

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def leave_them_as_they_were():
    before = generators.capture()
    yield
    generators.restore(before)


def draws():
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.random()),
        float(np.random.normal()),
        torch.rand(1).item(),
    ]


def test_they_go_on_where_they_were_captured_also_through_a_snapshot():
    draws()
    state = codec.loads(codec.dumps(generators.capture()))
    first = draws()
    assert generators.restore(state) == [] and draws() == first


def test_one_seed_gives_one_beginning_and_another_another():
    beginnings = []
    for seed in (1, 1, 2, 2**80):
        generators.seed(seed)
        beginnings.append(draws())
    assert beginnings[0] == beginnings[1] and len({tuple(one) for one in beginnings}) == 3


def test_the_streams_of_one_seed_are_not_those_of_the_bare_number():
    generators.seed(3)
    seeded = draws()
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    assert not set(seeded) & set(draws())


def test_another_bit_generator_under_numpys_global_one_is_put_back():
    before = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(3))
        state = generators.capture()
        first = np.random.random()
        np.random.set_bit_generator(np.random.MT19937(4))
        assert generators.restore(state) == [] and np.random.random() == first
    finally:
        np.random.set_bit_generator(before)


def test_what_cannot_be_put_back_is_named_and_the_rest_is():
    state = generators.capture()
    first = draws()
    state["random"] = (99, (), None)
    (lost,) = generators.restore(state)
    assert lost.startswith("random's generator") and draws()[2:] == first[2:]


def test_cuda_generators_without_such_a_device_are_named():
    state = {**generators.capture(), "cuda": [torch.get_rng_state()] * (torch.cuda.device_count() + 1)}
    state.pop("cuda seed", None)
    assert f"CUDA device {torch.cuda.device_count()}" in generators.restore(state)[-1]


def test_capturing_wakes_no_cuda_device():
    generators.capture()
    assert torch.cuda.is_initialized() is False or torch.cuda.is_available()


def program(text):
    subprocess.run([sys.executable, "-c", text], check=True)


def test_torch_that_is_imported_after_the_capture_is_named():
    program(
        "from dalsegno.core.store import generators\n"
        "state = generators.capture(); import torch\n"
        "(lost,) = generators.restore(state)\n"
        "assert 'imported after' in lost, lost"
    )


def test_torch_is_imported_to_put_its_generator_back():
    torch.manual_seed(7)
    text = codec.dumps(generators.capture())
    first = torch.rand(1).item()
    program(
        "import sys; from dalsegno.core.store import codec, generators\n"
        f"assert generators.restore(codec.loads({text!r})) == []; import torch; assert torch.rand(1).item() == {first!r}"
    )


def test_seeding_does_not_import_torch():
    program(
        "import sys; from dalsegno.core.store import generators; generators.seed(1); assert 'torch' not in sys.modules"
    )
