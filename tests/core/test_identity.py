"""What a run is: equal for what is the same, different for what is not, never an exception."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import dalsegno as ds
from dalsegno.core import identity

BASE = """
import dalsegno as ds
RATE = 3
def helper(x):
    return x + 1
class Part:
    def go(self):
        return helper(1)
def train(attempt, depth=2):
    \"\"\"A docstring.\"\"\"
    part = Part()
    return helper(depth) * 2
class Process(ds.Process):
    def __init__(self, width=3):
        self.width = width
    def reset(self, *, seed, origin=None): self.n = 0
    def step(self): return helper(self.n)
    def state_dict(self): return {}
    def load_state_dict(self, state): pass
double = lambda x: x * 2
"""


@pytest.fixture
def load(tmp_path):
    count = iter(range(1000))

    def load(source):
        path = tmp_path / f"user{next(count)}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location("user", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["user"] = module
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("user", None)


def names(old, new):
    return [one.name for one in identity.differences(old, new)]


def of(process, rules=(), **more):
    return identity.identify(process=process, rules=rules, **more)


SAME = {
    "comments": ("    return x + 1", "    # why\n    return x + 1  # this"),
    "blank lines": ("RATE = 3", "\n\n\nRATE = 3"),
    "docstrings": ("A docstring.", "Another docstring."),
    "layout": ("def train(attempt, depth=2):", "def train(\n    attempt,\n    depth=2,\n):"),
    "module constants": ("RATE = 3", "RATE = 4"),
}
CHANGED = {
    "a constant": ("helper(depth) * 2", "helper(depth) * 3", "train"),
    "an operator": ("helper(depth) * 2", "helper(depth) + 2", "train"),
    "a default": ("depth=2", "depth=5", "train"),
    "a helper function": ("return x + 1", "return x - 1", "helper"),
    "a class that is used": ("return helper(1)", "return helper(2)", "Part"),
}


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_count(load, change):
    old, new = SAME[change]
    one = of(load(BASE).train)
    assert names(one, of(load(BASE.replace(old, new)).train)) == []


@pytest.mark.parametrize("change", CHANGED)
def test_what_counts(load, change):
    old, new, name = CHANGED[change]
    one = of(load(BASE).train)
    found = identity.differences(one, of(load(BASE.replace(old, new)).train))
    assert found and any(name in difference.name for difference in found)


def test_both_values_and_the_way_out_are_told(load):
    one = of(load(BASE).train)
    text = identity.explain(identity.differences(one, of(load(BASE.replace("x + 1", "x - 1")).train)))
    for words in ("helper", "return x + 1", "return x - 1", "accept=", "fresh=True"):
        assert words in text


def test_arguments_of_a_process_are_compared(load):
    module = load(BASE)
    found = identity.differences(of(module.Process(3)), of(module.Process(4)))
    assert [(one.name, one.old, one.new) for one in found] == [("process.width", "3", "4")]


def test_methods_of_a_process_and_their_helpers_are_compared(load):
    one = of(load(BASE).Process())
    assert names(one, of(load(BASE.replace("self.n = 0", "self.n = 1")).Process())) == ["process.reset"]
    assert "helper" in names(one, of(load(BASE.replace("x + 1", "x + 9")).Process()))


def test_lambdas_are_compared_by_their_code(load):
    one = of(load(BASE).double)
    assert names(one, of(load(BASE).double)) == []
    assert names(one, of(load(BASE.replace("x * 2", "x * 3")).double)) != []


def test_closures_partials_and_arrays_are_compared_by_value():
    def make(x):
        return lambda attempt: x

    assert names(of(make(1)), of(make(1))) == []
    assert names(of(make(1)), of(make(2))) != []
    assert names(of(functools.partial(make, 1)), of(functools.partial(make, 2))) != []
    assert names(of(make(np.zeros(3))), of(make(np.zeros(3)))) == []
    assert names(of(make(np.zeros(3))), of(make(np.ones(3)))) != []
    assert names(of(make({"a": 1, "b": {2, 3}})), of(make({"b": {3, 2}, "a": 1}))) == []


def stall(patience):
    return ds.stop(ds.when.stalled("loss", patience=patience))


def test_rules_count_with_their_order():
    one = of(None, [stall(3), ds.restart(ds.when.failed())])
    assert names(one, of(None, [stall(3), ds.restart(ds.when.failed())])) == []
    assert names(one, of(None, [ds.restart(ds.when.failed()), stall(3)])) != []
    assert names(one, of(None, [stall(4), ds.restart(ds.when.failed())])) == ["rules[0].condition.patience"]
    assert names(one, of(None, [stall(3)])) == ["rules[1]"]


@pytest.mark.parametrize("condition", [ds.when.spent, ds.when.elapsed])
def test_limits_are_told_apart(condition):
    (found,) = identity.differences(
        of(None, [ds.stop(condition(tokens=40))]), of(None, [ds.stop(condition(tokens=60))])
    )
    assert (
        found.kind == "limit"
        and found.name == "rules[0].condition.tokens"
        and (found.old, found.new) == ("40.0", "60.0")
    )
    (found,) = identity.differences(of(None, [ds.stop(condition(tokens=40))]), of(None, [ds.stop(condition(usd=40))]))
    assert found.kind == "change"


def test_what_cannot_be_compared_is_listed_and_never_raises():
    class Strange:
        def __init__(self, hidden):
            pass

        def __getattr__(self, name):
            raise RuntimeError("no")

    def train(attempt, thing=Strange(1), lock=__import__("threading").Lock()):  # noqa: B008
        return attempt

    assert any("hidden" in name for name in of(train)["not compared"])


def test_a_torch_module_is_compared_by_its_weights():
    torch = pytest.importorskip("torch")

    def make(model):
        return lambda attempt: model

    one = torch.nn.Linear(2, 2)
    other = torch.nn.Linear(2, 2)
    other.load_state_dict(one.state_dict())
    assert names(of(make(one)), of(make(other))) == []
    with torch.no_grad():
        other.weight[0, 0] += 1
    assert names(of(make(one)), of(make(other))) != []


SCRIPT = """
import json, sys
{source}
from dalsegno.core import identity
rules = [ds.stop(ds.when.spent(steps=5) | ds.when.above("x", 1.0)), ds.restart(ds.when.failed(ValueError))]
print(json.dumps(identity.identify(process=train, rules=rules), sort_keys=True))
"""


def test_it_is_the_same_in_every_program_and_for_main_as_for_an_import(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(SCRIPT.format(source=BASE))
    said = set()
    for seed in "012":
        for command in ([str(script)], ["-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import job"]):
            done = subprocess.run(
                [sys.executable, *command],
                capture_output=True,
                text=True,
                env={"PYTHONHASHSEED": seed, "PATH": ""},
                check=True,
            )
            said.add(done.stdout)
    assert len(said) == 1


def test_code_from_standard_input_is_compared_by_its_instructions():
    source = textwrap.dedent(SCRIPT.format(source=BASE))
    one, two = (
        subprocess.run([sys.executable, "-"], input=text, capture_output=True, text=True, check=True).stdout
        for text in (source, source.replace("helper(depth) * 2", "helper(depth) * 3"))
    )
    assert one != two and '"python"' in one


def test_digest_does_not_depend_on_the_order_of_a_mapping():
    assert identity.digest({"a": [1, 2.0], "b": None}) == identity.digest({"b": None, "a": [1, 2.0]})
    assert identity.digest({"a": 1}) != identity.digest({"a": 1.0})
