"""Random generators as objects: ``random.Random``, and NumPy's generators, bit generators and seed sequences."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np

from dalsegno.core.store.typed.forms import Handler, Node, Rebuild, tag

if TYPE_CHECKING:
    from dalsegno.core.store.typed.decoder import Decoder
    from dalsegno.core.store.typed.encoder import Encoder

BIT_GENERATORS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)
}


def encode_random(encoder: Encoder, value: random.Random) -> Node:
    return encoder.once(value, lambda encoder, value: tag("random.Random", encoder.encode(value.getstate())))


def random_from(decoder: Decoder, node: dict[str, Any]) -> random.Random:
    made = random.Random()
    made.setstate(node["v"])
    return made


def encode_generator(encoder: Encoder, value: np.random.Generator) -> Node:
    return encoder.once(value, generator_node)


def generator_node(encoder: Encoder, value: np.random.Generator) -> Node:
    return tag("numpy.Generator", encoder.child("bit_generator", value.bit_generator))


def encode_bit_generator(encoder: Encoder, value: Any) -> Node:
    return encoder.once(value, bit_generator_node)


def bit_generator_node(encoder: Encoder, value: Any) -> Node:
    """The position in the stream, and the seed sequence, which decides what the generator's children will be."""
    node = tag("numpy.BitGenerator", encoder.child("state", value.state))
    if value.seed_seq is not None:
        node["seed_seq"] = encoder.child("seed_seq", value.seed_seq)
    return node


def bit_generator_from(decoder: Decoder, node: dict[str, Any]) -> Any:
    state = node["v"]
    made = BIT_GENERATORS[state["bit_generator"]](node.get("seed_seq", 0))
    made.state = state
    return made


def encode_random_state(encoder: Encoder, value: np.random.RandomState) -> Node:
    return encoder.once(value, random_state_node)


def random_state_node(encoder: Encoder, value: np.random.RandomState) -> Node:
    return tag("numpy.RandomState", encoder.child("get_state", value.get_state(legacy=False)))


def random_state_from(decoder: Decoder, node: dict[str, Any]) -> np.random.RandomState:
    state = node["v"]
    made = np.random.RandomState(BIT_GENERATORS[state["bit_generator"]](0))
    made.set_state(state)
    return made


def encode_seed_sequence(encoder: Encoder, value: np.random.SeedSequence) -> Node:
    return encoder.once(value, seed_sequence_node)


def seed_sequence_node(encoder: Encoder, value: np.random.SeedSequence) -> Node:
    own = ("entropy", "spawn_key", "pool_size", "n_children_spawned")
    return tag("numpy.SeedSequence", {name: encoder.child(name, getattr(value, name)) for name in own})


HANDLERS: dict[type, Handler] = {
    random.Random: encode_random,
    np.random.Generator: encode_generator,
    np.random.RandomState: encode_random_state,
    np.random.SeedSequence: encode_seed_sequence,
    **dict.fromkeys(BIT_GENERATORS.values(), encode_bit_generator),
}
REBUILD: dict[str, Rebuild] = {
    "random.Random": random_from,
    "numpy.Generator": lambda decoder, node: np.random.Generator(node["v"]),
    "numpy.BitGenerator": bit_generator_from,
    "numpy.RandomState": random_state_from,
    "numpy.SeedSequence": lambda decoder, node: np.random.SeedSequence(**node["v"]),
}
