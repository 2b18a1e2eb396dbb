"""A loop of one's own: where it stands in its data, and what code around it may do, through breaks, roll backs and kills."""

from __future__ import annotations

import numpy as np
import pytest

import dalsegno as ds

EVERY = ds.checkpoint.Every(steps=3)


class Killed(KeyboardInterrupt):
    """Leaves a step as a kill does: nothing is saved, no rule is asked."""


def twice(train, journal, kills, rules=()):
    """Run a function that is killed at these steps, begin it again each time, and return how it ended."""
    places = list(kills)

    def tried(attempt):
        return train(attempt, lambda step: places and step >= places[0] and (places.pop(0), raise_killed()))

    for _ in kills:
        with pytest.raises(Killed):
            ds.run(tried, name="tried", rules=rules, checkpoint=EVERY, journal=journal, seed=0, accept=["process"])
    return ds.run(tried, name="tried", rules=rules, checkpoint=EVERY, journal=journal, seed=0, accept=["process"])


def raise_killed():
    raise Killed


def epochs(attempt, kill):
    """The usual nested loop: a learning rate that changes once an epoch, and a figure that is reported after it."""
    state = {"w": 0.0, "lr": 1.0, "inner": {"seen": []}}
    attempt.keep(state=state)
    seen = state["inner"]["seen"]
    for epoch in range(4):
        for step, item in attempt.over([1, 2, 3, 4]):
            kill(step)
            state["w"] += state["lr"] * item
            seen.append(item)
            step.report(w=state["w"])
        state["lr"] /= 2
        attempt.report(epoch=float(epoch))
    return state["w"], state["lr"], list(state["inner"]["seen"])


@pytest.mark.parametrize("kills", [[2], [6], [10, 14], [4, 5, 8, 9, 13]])
def test_code_between_two_loops_counts_once_however_often_the_program_was_killed(tmp_path, kills):
    undisturbed = twice(epochs, tmp_path / "undisturbed.db", [])
    killed = twice(epochs, tmp_path / "killed.db", kills)
    assert killed.returned == undisturbed.returned
    assert killed.verdict == "exact"
    one, other = (
        [(row["step"], row.get("w"), row.get("epoch")) for row in ds.Journal(tmp_path / name).rows("steps")]
        for name in ("undisturbed.db", "killed.db")
    )
    assert sorted(one) == sorted(other)


def broken(attempt, kill):
    got = []
    attempt.keep(got=got)
    for step, item in attempt.over(["a1", "a2", "a3"]):
        kill(step)
        got.append(item)
        step.report(n=len(got))
        if item == "a2":
            break
    for step, item in attempt.over(["b1", "b2", "b3", "b4", "b5"]):
        kill(step)
        got.append(item)
        step.report(n=len(got))
        if item == "b4":
            break
    return list(got)


@pytest.mark.parametrize("kills", [[], [1], [3], [4], [2, 5, 6]])
def test_a_loop_that_was_left_is_behind(tmp_path, kills):
    assert twice(broken, tmp_path / "runs.db", kills).returned == ["a1", "a2", "b1", "b2", "b3", "b4"]


def test_two_loops_at_a_time_are_refused():
    def nested(attempt):
        for _, _ in attempt.over([1, 2]):
            for _, _ in attempt.over("ab"):
                pass

    def side_by_side(attempt):
        for _ in zip(attempt.over([1, 2]), attempt.over("ab"), strict=True):
            pass

    for body in (nested, side_by_side):
        with pytest.raises(ds.UsageError, match="one place in its data"):
            ds.run(body, seed=0)


class Stream:
    """Items 1, 2, 3, ... with a state of its own."""

    def __init__(self):
        self.place = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.place == 6:
            raise StopIteration
        self.place += 1
        return self.place

    def state_dict(self):
        return {"place": self.place}

    def load_state_dict(self, state):
        self.place = state["place"]


def rolled_back(iterable_of, checkpoint):
    """What a run saw that goes back once, from its second step."""
    faults = [2]

    def train(attempt):
        seen = []
        attempt.keep(seen=seen)
        for step, item in attempt.over(iterable_of()):
            seen.append(int(np.sum(np.asarray(item))))
            bad = step in faults
            if bad:
                faults.clear()
            step.report(loss=9.0 if bad else 1.0)
        return list(seen)

    return ds.run(train, rules=[ds.roll_back(ds.when.above("loss", 5.0))], checkpoint=checkpoint, seed=0).returned


def test_going_back_to_the_beginning_puts_a_loaders_own_state_back():
    assert rolled_back(Stream, ds.checkpoint.Never()) == [1, 2, 3, 4, 5, 6]


def test_going_back_to_the_beginning_puts_a_shuffling_loaders_generator_back():
    torch = pytest.importorskip("torch")
    order = []

    def loader():
        generator = torch.Generator().manual_seed(5)
        made = torch.utils.data.DataLoader(list(range(8)), batch_size=1, shuffle=True, generator=generator)
        order.append(made)
        return made

    undisturbed = [int(item) for item in loader()]
    assert rolled_back(loader, ds.checkpoint.Never()) == undisturbed


class Batches:
    """Has indices and a length, but going over it gives pairs."""

    def __getitem__(self, place):
        return place

    def __len__(self):
        return 6

    def __iter__(self):
        return iter([(0, 1), (2, 3), (4, 5)])


@pytest.mark.parametrize(
    ("iterable", "items", "how"),
    [
        (Batches(), [(0, 1), (2, 3), (4, 5)], "count"),
        ([7, 8], [7, 8], "index"),
        (range(2), [0, 1], "index"),
        (np.array([7, 8]), [7, 8], "index"),
        ({"a": 1, "b": 2}, ["a", "b"], "count"),
    ],
)
def test_what_is_gone_over_is_what_a_plain_loop_would_see(iterable, items, how):
    def train(attempt):
        over = attempt.over(iterable)
        return [item for _, item in over], over.how

    assert ds.run(train, seed=0).returned == (items, how)


def test_a_table_is_gone_over_as_pandas_does():
    pandas = pytest.importorskip("pandas")

    def train(attempt):
        return [item for _, item in attempt.over(pandas.Series([7, 8], index=[5, 6]))]

    assert ds.run(train, seed=0).returned == [7, 8]


def test_a_step_knows_its_place_in_its_epoch():
    def train(attempt):
        return [(int(step), step.epoch, step.item, step.ends_epoch) for step, _ in attempt.over("abc", epochs=2)]

    assert ds.run(train, seed=0).returned == [
        (1, 1, 1, False),
        (2, 1, 2, False),
        (3, 1, 3, True),
        (4, 2, 1, False),
        (5, 2, 2, False),
        (6, 2, 3, True),
    ]


def test_an_epoch_ends_at_the_last_item_that_is_not_left_out():
    faults = [2]

    def train(attempt):
        ends = []
        attempt.keep(ends=ends)
        for step, item in attempt.over("abcd", epochs=2):
            bad = step in faults
            if bad:
                faults.clear()
            if step.ends_epoch:
                ends.append([int(step), item])
            step.report(loss=9.0 if bad else 1.0)
        return list(ends)

    rule = ds.roll_back(ds.when.above("loss", 5.0), skip=2)  # leaves out b and c
    result = ds.run(train, rules=[rule], checkpoint=ds.checkpoint.Every(steps=1), seed=0)
    assert result.returned == [[2, "d"], [6, "d"]]


def test_the_end_of_an_epoch_of_unknown_length_is_refused():
    def train(attempt):
        for step, _ in attempt.over(iter([1, 2])):
            step.ends_epoch  # noqa: B018

    with pytest.raises(ds.UsageError, match=r"has no len\(\)"):
        ds.run(train, seed=0)


def test_keeping_something_new_in_the_body_of_a_loop_is_refused():
    def train(attempt):
        for step, _ in attempt.over(range(4)):
            attempt.keep(late=[])
            step.report()

    with pytest.raises(ds.UsageError, match=r"keep\(late=...\) in the body of a loop"):
        ds.run(train, seed=0)


def test_between_two_loops_something_new_may_be_kept(tmp_path):
    def phases(attempt, kill):
        one = []
        attempt.keep(one=one)
        for step, item in attempt.over([1, 2, 3, 4]):
            kill(step)
            one.append(item)
            step.report()
            if item == 3:
                break
        two = []
        attempt.keep(two=two)
        for step, item in attempt.over([5, 6, 7, 8]):
            kill(step)
            two.append(item)
            step.report()
        return one, two

    assert twice(phases, tmp_path / "runs.db", [2, 5, 7]).returned == ([1, 2, 3], [5, 6, 7, 8])


def raising(kind):
    """A function and its rules, of which one part of the user's own raises outside of the body."""

    def raises(*given):
        raise RuntimeError(kind)

    class Unsavable(dict):
        def state_dict(self):
            if len(self):
                raise RuntimeError(kind)
            return {}

        def load_state_dict(self, state):
            self.clear()

    def train(attempt):
        piece = Unsavable()
        attempt.keep(piece=piece)
        for step, _ in attempt.over(range(5)):
            if kind == "state_dict":
                piece["x"] = 1
            step.report(loss=1.0)

    rules = {
        "condition": [ds.stop(raises)],
        "change": [ds.adapt(ds.when.above("loss", 0.0), raises)],
        "judge": [ds.stop(ds.when.judge(raises))],
    }.get(kind, [])
    return train, rules, [raises] if kind == "listener" else []


@pytest.mark.parametrize("kind", ["condition", "change", "judge", "listener", "state_dict"])
def test_what_the_engine_calls_and_raises_is_no_failure_of_the_attempt(kind):
    train, rules, listeners = raising(kind)
    with pytest.raises(RuntimeError, match=kind):
        ds.run(
            train,
            rules=[*rules, ds.stop(ds.when.spent(attempts=3)), ds.restart(ds.when.failed())],
            listeners=listeners,
            checkpoint=ds.checkpoint.Every(steps=2),
            seed=0,
        )


def test_a_policy_that_goes_back_over_what_can_be_gone_over_once_is_refused():
    class Back:
        goes_back = True

        def decide(self, trace):
            return ds.RollBack() if trace.attempt.steps == 3 else None

    def train(attempt):
        for step, _ in attempt.over(iter(range(5))):
            step.report()

    with pytest.raises(ds.UsageError, match="can be gone over once only"):
        ds.run(train, rules=[Back()], checkpoint=ds.checkpoint.Every(steps=1), seed=0)


def test_a_generator_function_is_refused():
    def train(attempt):
        yield 1

    with pytest.raises(ds.UsageError, match="generator function"):
        ds.run(train, seed=0)
