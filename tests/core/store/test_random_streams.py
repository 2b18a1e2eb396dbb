"""Random generators in a state go on where they were, and their children are the same children."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dalsegno.core.store import codec
from dalsegno.core.store.layouts import own_copy


def both_ways(value):
    text, arrays = codec.encode(value)
    yield codec.decode(text, {key: own_copy(array) for key, array in arrays.items()})
    yield codec.loads(codec.dumps(value))


def draws(generator):
    return [generator.random() for _ in range(700)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: random.Random(7),
        lambda: np.random.default_rng(7),
        lambda: np.random.RandomState(7),
        lambda: np.random.RandomState(np.random.Philox(7)),
        *(lambda kind=kind: np.random.Generator(kind(7)) for kind in (
            np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64
        )),
    ],
)  # fmt: skip
def test_generators_go_on_where_they_were(make):
    generator = make()
    draws(generator)
    for back in both_ways(generator):
        expected, here = draws(make_twin(generator)), draws(back)
        assert type(back) is type(generator) and here == expected


def make_twin(generator):
    import copy

    return copy.deepcopy(generator)


def test_a_normal_that_was_drawn_in_advance_is_not_lost():
    one, two = random.Random(1), np.random.RandomState(1)
    one.gauss(0, 1), two.normal()
    for back in both_ways([one, two]):
        twins = [make_twin(one), make_twin(two)]
        assert back[0].gauss(0, 1) == twins[0].gauss(0, 1) and back[1].normal() == twins[1].normal()


def test_children_spawned_after_a_restore_are_those_of_the_undisturbed_run():
    generator = np.random.default_rng([1, 2**80])
    generator.spawn(3)
    for back in both_ways(generator):
        expected = [child.random() for child in make_twin(generator).spawn(2)]
        assert [child.random() for child in back.spawn(2)] == expected


def test_seed_sequences_and_bit_generators_come_back():
    sequence = np.random.SeedSequence(5, spawn_key=(1, 2), pool_size=8)
    sequence.spawn(4)
    bits = np.random.PCG64(sequence)
    for back in both_ways({"bits": bits, "sequence": sequence}):
        assert back["sequence"].state == sequence.state
        assert back["bits"].seed_seq is back["sequence"]
        assert back["bits"].state == bits.state


def test_two_generators_on_one_stream_draw_from_one_stream_again():
    bits = np.random.PCG64(3)
    one, two = np.random.Generator(bits), np.random.Generator(bits)
    for back in both_ways((one, two)):
        twins = make_twin((one, two))
        assert [back[0].random(), back[1].random()] == [twins[0].random(), twins[1].random()]


def test_states_of_generators_are_values_like_others():
    states = [
        random.Random(2).getstate(),
        np.random.default_rng(2).bit_generator.state,
        np.random.RandomState(2).get_state(),
    ]
    for back in both_ways(states):
        assert back[0] == states[0] and back[1] == states[1]
        assert back[2][0] == "MT19937" and np.array_equal(back[2][1], states[2][1]) and back[2][2:] == states[2][2:]


def test_torch_generators_go_on_where_they_were():
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    for back in both_ways(generator):
        twin = torch.Generator()
        twin.set_state(generator.get_state())
        assert back.initial_seed() == 3
        assert torch.equal(torch.randn(5, generator=back), torch.randn(5, generator=twin))
