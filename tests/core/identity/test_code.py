"""Functions and classes: what counts as a change of code, by which name, and what does not count."""

from __future__ import annotations

import functools
import linecache
import os
import sys

import pytest

from dalsegno.core import identity
from dalsegno.core.identity import source

SAME = {
    "comments": ("    return scale(x) + by", "    # why\n    return scale(x) + by  # this"),
    "lines moved": ("RATE = 0.5", "\n\n\n\nRATE = 0.5"),
    "another docstring": ('"""What it does."""', '"""What it did."""'),
    "no docstring": ('    """What it does."""\n', ""),
    "a docstring more": ("def scale(x):\n", 'def scale(x):\n    """Twice."""\n'),
    "another docstring of a class": ('"""A process."""', '"""A walk."""'),
    "pass": ("    return x * 2\n", "    pass\n    return x * 2\n"),
    "layout": ("def update(x, by=3):", "def update(\n    x,\n    by=3,\n):"),
    "quotes": ('kind = "walk"', "kind = 'walk'"),
    "a constant of the module": ("RATE = 0.5", "RATE = 0.25"),
    "a function that nothing names": ("def unused(x):\n    return x", "def unused(x):\n    return -x"),
}


@pytest.mark.parametrize("edit", SAME.values(), ids=SAME)
def test_what_does_not_count(user, of, names, edit):
    old, new = user(), user(edit)
    assert names(of(old.Walk(3)), of(new.Walk(3))) == []
    assert names(of(old.train), of(new.train)) == []


CHANGED = {
    "a constant": ("train", "update(depth)) if", "update(depth) + 1) if", ["train"]),
    "a constant inside": ("train", "return x - 1", "return x - 2", ["train"]),
    "an operator": ("train", "return x - 1", "return x + 1", ["train"]),
    "a default": ("train", "depth=2", "depth=5", ["train", "process.depth"]),
    "another name called": ("train", "inner(update(depth))", "inner(scale(depth))", ["train"]),
    "a decorator": (
        "train",
        "def train(attempt, depth",
        "@logged\ndef train(attempt, depth",
        ["train", "process.wrapper"],
    ),
    "what it calls": ("train", "return scale(x) + by", "return scale(x) - by", ["update"]),
    "what that calls": ("train", "return x * 2", "return x * 3", ["scale"]),
    "a class it uses": ("train", "rate: float = 0.1", "rate: float = 0.2", ["Setting"]),
    "a method's constant": ("Walk", "self.position = 0", "self.position = 1", ["process.reset"]),
    "a decorated method": ("Walk", "+= update(self.width)", "-= update(self.width)", ["process.step"]),
    "the decorator itself": (
        "Walk",
        "return function(*args, **kwargs)",
        "return None",
        ["process.step.wrapper", "logged"],
    ),
    "a property": ("Walk", "self.position / 2", "self.position / 3", ["process.half"]),
    "a static method": ("Walk", "return 2 * x", "return 3 * x", ["process.twice"]),
    "an attribute of the class": ("Walk", 'kind = "walk"', 'kind = "run"', ["process"]),
    "a base of it": ("Walk", "class Walk(Base)", "class Walk(ds.Process)", ["process"]),
    "a method of a base": ("Walk", "stop - start", "stop + start", ["Base.skip"]),
    "what a method calls": ("Walk", "return scale(x) + by", "return scale(x) - by", ["update"]),
}


def process_of(module, name):
    return module.train if name == "train" else module.Walk(3)


@pytest.mark.parametrize(("name", "old", "new", "told"), CHANGED.values(), ids=CHANGED)
def test_what_counts_and_by_which_name(user, of, names, name, old, new, told):
    before, after = user(), user((old, new))
    assert names(of(process_of(before, name)), of(process_of(after, name))) == told


def test_a_method_that_came_is_told_with_its_name(user, of):
    new = user(("    @staticmethod", "    def close(self):\n        return 1\n\n    @staticmethod")).Walk(3)
    (found,) = identity.differences(of(user().Walk(3)), of(new))
    assert found.name == "process.close" and found.new == "Walk.close"


def test_another_helper_under_the_same_name_is_a_change(user, of, names):
    module = user(("RATE = 0.5", "RATE = 0.5\ndef other(x):\n    return x * 2\n"))
    one = of(module.train)
    module.scale = module.other
    assert names(one, of(module.train)) == ["scale", "other"]


def test_a_class_as_a_process_is_told_by_its_methods(user, of, names):
    assert names(of(user().Walk), of(user(("self.position = 0", "self.position = 1")).Walk)) == ["process.reset"]


def test_a_function_and_a_process_of_another_class_are_another_process(user, of):
    module = user()
    (found,) = identity.differences(of(module.train), of(module.Walk(3)))
    assert (found.name, found.old) == ("process", "train") and found.new.startswith("Walk(width=3")


# -- lambdas, closures, partials, methods ----


def test_a_lambda_is_told_from_others_on_its_line(user, of, names):
    old, new = user(), user(("lambda x: x + 2", "lambda x: x + 3"))
    assert names(of(old.pair[0]), of(new.pair[0])) == []
    assert names(of(old.pair[1]), of(new.pair[1])) == ["<lambda>"]


def test_a_lambda_does_not_depend_on_comments_either(user):
    of_one = identity.describe(user().double)
    of_other = identity.describe(user(("lambda x: x * 2", "lambda x: (  # twice\n    x * 2\n)")).double)
    assert of_one["source"] == of_other["source"]


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 2), (1, 1.0), (0.0, -0.0), ("a", "b"), ((1, 2), (2, 1)), ([1], [2]), ({"a": 1}, {"a": 2}), (None, False)],
)
def test_a_value_in_a_closure_counts(user, of, names, one, other):
    make = user().make
    assert names(of(make(one)), of(make(one))) == []
    assert names(of(make(one)), of(make(other)))[0].startswith("process.rate")


def test_a_container_that_the_function_fills_is_its_state_and_not_compared(of, names):
    def make(seen):
        def train(attempt):
            seen.append(attempt)

        return train

    seen = []
    one = of(make(seen))
    seen.append(1)
    assert one["not compared"] == ["process.seen"] and names(one, of(make(seen))) == []


def test_a_counter_that_the_function_rebinds_is_not_compared(of):
    def make(count):
        def train(attempt):
            nonlocal count
            count += 1

        return train

    assert of(make(0))["not compared"] == ["process.count"]


def test_the_arguments_of_a_partial_count_by_name(user, of, names):
    train = user().train
    one = of(functools.partial(train, depth=3))
    assert names(one, of(functools.partial(train, depth=3))) == []
    assert names(one, of(functools.partial(train, depth=4))) == ["process.depth"]


def test_a_default_and_the_same_value_given_are_the_same(user, of, names):
    train = user().train
    assert names(of(train), of(functools.partial(train, depth=2))) == []


def test_a_bound_method_counts_with_its_object(user, of, names):
    text = (
        "class Job:\n    def __init__(self, lr):\n        self.lr = lr\n    def fit(self, attempt):\n        return 1\n"
    )
    old, new = user(text=text), user(("return 1", "return 2"), text=text)
    assert names(of(old.Job(1).fit), of(old.Job(2).fit)) == ["process.self.lr"]
    assert names(of(old.Job(1).fit), of(new.Job(1).fit)) == ["Job.fit"]


def test_a_callable_object_counts_with_its_class_and_arguments(user, of, names):
    text = "class Job:\n    def __init__(self, lr):\n        self.lr = lr\n    def __call__(self, attempt):\n        return 1\n"
    old, new = user(text=text), user(("return 1", "return 2"), text=text)
    assert names(of(old.Job(1)), of(old.Job(2))) == ["process.lr"]
    assert names(of(old.Job(1)), of(new.Job(1))) == ["process.__call__"]


def test_a_cached_helper_is_read_through_its_cache(user, of, names):
    edit = ("def scale(x)", "@functools.lru_cache\ndef scale(x)")
    assert names(of(user(edit).train), of(user(edit, ("x * 2\n", "x * 5\n")).train)) == ["scale"]


def test_functions_that_call_each_other_end(user, of):
    text = "def train(attempt):\n    return even(3)\ndef even(n):\n    return odd(n)\ndef odd(n):\n    return even(n)\n"
    assert sorted(of(user(text=text).train)["definitions"]) == ["even", "odd"]


def test_a_class_made_in_a_function_counts_with_what_it_closes_over(of, names):
    def make(k):
        class Local:
            def reset(self, *, seed, origin=None):
                self.k = k

        return Local()

    assert names(of(make(1)), of(make(1))) == []
    assert names(of(make(1)), of(make(2))) == ["process.reset.k"]


# -- where source is from ----


def test_the_code_of_installed_packages_is_named_and_not_read():
    assert identity.describe(pytest.importorskip) == {"is": "function", "name": "_pytest.importorskip", "parts": {}}


def test_the_code_of_this_library_is_named_without_its_module():
    from dalsegno.core.conditions import above

    assert identity.describe(above) == {"is": "class", "name": "above", "parts": {}}


def test_a_process_of_an_installed_package_is_read_with_its_package(tmp_path, monkeypatch, of, names):
    site = tmp_path / "site-packages"
    identities = []
    for place, by in enumerate((1, 2)):
        package = site / f"installed_{place}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "steps.py").write_text(
            f"def step(x):\n    return x + {by}\nclass Part:\n    def go(self): return {by}\n"
        )
        (package / "job.py").write_text(
            f"from installed_{place}.steps import Part\ndef train(attempt, part=Part()): return 1\n"
        )
        monkeypatch.syspath_prepend(str(site))
        identities.append(of(__import__(f"installed_{place}.job").job.train))
    assert names(*identities) == ["Part.go"]


def test_a_cell_of_a_notebook_is_read_with_the_cells_that_it_names(cell, of, names):
    def notebook(by):
        namespace = cell(f"def helper(x):\n    # a comment\n    return x + {by}\n")
        return cell("def train(attempt):\n    return helper(1)\n", namespace)["train"]

    one = of(notebook(1))
    assert "source" in one["process"] and "helper" in one["definitions"]
    assert names(one, of(notebook(1))) == [] and names(one, of(notebook(2))) == ["helper"]


def test_code_without_source_is_compared_by_its_code_object(of, names):
    def made(text):
        namespace = {}
        exec(text, namespace)  # noqa: S102
        return namespace["train"]

    one = of(made("def train(attempt):\n    return 1\n"))
    assert "source" not in one["process"]
    assert names(one, of(made("\n\n\ndef train(attempt):\n    return 1  # one\n"))) == []
    assert names(one, of(made("def train(attempt):\n    return 2\n"))) == ["train"]


@pytest.mark.parametrize(
    ("old", "new"),
    [("x + 1", "x + 2"), ("x + 1", "x - 1"), ("x.a", "x.b"), ("x in {'a', 'b'}", "x in {'a', 'c'}"), ("0.0", "-0.0")],
)
def test_a_code_object_tells_constants_operators_and_names_apart(old, new):
    one, same, other = (eval(f"lambda x: [{text} for _ in x]") for text in (old, old, new))  # noqa: S307
    assert identity.digest(one) == identity.digest(same) != identity.digest(other)


def test_a_class_without_source_is_compared_by_its_methods(of, names):
    def made(text):
        namespace = {"__name__": "__main__"}
        exec(text, namespace)  # noqa: S102
        return namespace["Job"]()

    text = "class Job:\n    rate = 1\n    def reset(self):\n        return 1\n"
    assert names(of(made(text)), of(made(text))) == []
    assert names(of(made(text)), of(made(text.replace("return 1", "return 2")))) == ["process.reset"]
    assert names(of(made(text)), of(made(text.replace("rate = 1", "rate = 2")))) == ["process.rate"]


def test_a_file_that_was_edited_after_its_import_is_not_taken_for_what_runs(user, of, names):
    module = user()
    one = of(module.train)
    path = module.__file__
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("return x - 1", "return x - 7"))
    os.utime(path, (1, 1))
    stale = of(module.train)
    assert "source" not in stale["process"] and names(one, stale) == []


def test_a_deleted_file_leaves_the_code_object(user, of, names):
    one, module = of(user().train), user()
    os.unlink(module.__file__)
    linecache.clearcache()
    assert "source" not in of(module.train)["process"] and names(one, of(module.train)) == []


def test_a_file_is_parsed_once(user, of, monkeypatch):
    module = user()
    of(module.Walk(3))
    monkeypatch.setattr(source.ast, "parse", lambda *given: pytest.fail("parsed again"))
    of(module.Walk(3))
    of(module.train)


def test_code_with_source_survives_another_python_and_code_without_is_not_compared(of, names):
    namespace = {}
    exec("def train(attempt):\n    return 1\n", namespace)  # noqa: S102
    old = of(namespace["train"])
    exec("def train(attempt):\n    return 2\n", namespace)  # noqa: S102
    new = of(namespace["train"])
    old["process"]["python"] = "cpython-399"
    assert names(old, new) == [] and identity.uncompared(old, new) == ["train"]


def test_syntax_is_compared_whatever_the_python(user, of, names):
    old, new = of(user().train), of(user(("return x - 1", "return x - 2")).train)
    old["process"]["python"] = "cpython-399"
    assert names(old, new) == ["train"] and identity.uncompared(old, new) == []


def test_two_texts_read_alike_where_only_layout_differs():
    reading = source.Reading
    tree = source.ast.parse
    one = reading(tree("def f(x):\n    'doc'\n    return (x +\n            1)").body).checksum
    assert one == reading(tree("def f(x): return x + 1  # comment").body).checksum
    assert one != reading(tree("def f(x): return x + 1.0").body).checksum
    assert one != reading(tree("async def f(x): return x + 1").body).checksum


def test_names_of_modules_do_not_count_but_qualified_names_do(user, of, names):
    text = "def train(attempt):\n    return 1\n"
    one = of(user(text=text, name="user_job").train)
    assert names(one, of(user(text=text, name="user_other").train)) == []
    sys.modules.pop("user_other")
    renamed = user(text=text.replace("train", "fit")).fit
    assert names(one, of(renamed)) == ["process"]


def test_a_long_chain_of_functions_is_read_to_its_end_however_deep_the_stack_is(user, of):
    chain = "".join(f"def f{k}(x):\n    return f{k + 1}(x)\n" for k in range(300))
    train = user(text="def train(attempt):\n    return f0(attempt)\n" + chain + "def f300(x):\n    return x\n").train

    def deeper(depth):
        return of(train) if depth == 0 else deeper(depth - 1)

    assert len(of(train)["definitions"]) == 301 and deeper(300) == of(train)


def test_more_definitions_than_are_read_are_said_to_be(user, of):
    chain = "".join(f"def f{k}(x):\n    return f{k + 1}(x)\n" for k in range(600))
    train = user(text="def train(attempt):\n    return f0(attempt)\n" + chain).train
    assert of(train)["not compared"] == ["definitions"]


def test_a_wrapper_that_wraps_itself_ends(user, of):
    module = user()
    module.scale = type("Endless", (), {})()
    module.scale.__wrapped__ = module.scale
    assert "update" in of(module.train)["definitions"]


def test_a_function_whose_default_leads_back_to_it_ends(user, of):
    text = "class Job:\n    def go(self):\n        return train\ndef train(attempt, job=[Job()]):\n    return helper()\ndef helper(jobs=[Job()]):\n    return Job\n"
    assert sorted(of(user(text=text).train)["definitions"]) == ["Job", "helper"]
