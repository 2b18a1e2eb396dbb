"""The catalog has every row, whole and checked, and says of no system that it works when it does not."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files

import pytest

from dalsegno import catalog
from dalsegno.core.errors import UsageError

ROW = """
[[system]]
number = 0
name = "Some method"
authors = "Somebody"
year = 2024
arxiv = "2401.00001"
question = ["when", "what"]
wing = "search"
entry = "dalsegno.search.SomeMethod"
study = "s00_some_method"
state = "planned"
does = "Does something that is worth a sentence."
"""


def test_catalog_has_all_64_rows_in_order():
    assert [system.number for system in catalog.systems()] == list(range(64))


@pytest.mark.parametrize("field", ["name", "entry", "study", "does"])
def test_no_two_systems_share(field):
    values = [getattr(system, field) for system in catalog.systems()]
    assert len(set(values)) == len(values)


def test_no_two_systems_share_a_paper():
    papers = [system.arxiv for system in catalog.systems()]
    assert len(set(papers)) == len(papers)


def test_every_question_and_every_wing_has_a_system():
    rows = catalog.systems()
    assert {question for row in rows for question in row.question} == set(catalog.QUESTIONS)
    assert {row.wing for row in rows} == set(catalog.WINGS)


def test_a_system_that_works_has_its_entry_and_study():
    for row in catalog.systems():
        if row.state == "works":
            module, _, name = row.entry.rpartition(".")
            assert hasattr(import_module(module), name), row
            assert files("dalsegno.studies").joinpath(f"{row.study}.py").is_file(), row


def test_a_whole_row_is_read_with_its_types():
    (row,) = catalog.read(ROW)
    assert row.question == ("when", "what")
    assert row.source == "Somebody (2024), arXiv 2401.00001"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("number = 0", "number = 1", "number is 1"),
        ("number = 0", "number = true", "number is True"),
        ("year = 2024", "year = 24", "year is 24"),
        ("year = 2024", 'year = "2024"', "year is '2024'"),
        ('"2401.00001"', '"2401"', "arxiv is '2401'"),
        ('"when", "what"', "", r"question is \[\]"),
        ('"when", "what"', '"what", "when"', "question is"),
        ('"when", "what"', '"why"', "question is"),
        ('["when", "what"]', '"when"', "question is 'when'"),
        ('wing = "search"', 'wing = "kitchen"', "wing is 'kitchen'"),
        ("dalsegno.search.Some", "dalsegno.control.Some", "entry is"),
        ("s00_", "s01_", "study is"),
        ('"planned"', '"finished"', "state is 'finished'"),
        ('"Does something that is worth a sentence."', '"short"', "does is 'short'"),
        ('name = "Some method"', "", r"missing \['name'\]"),
        ("number = 0", "number = 0\ncolour = 3", r"unknown \['colour'\]"),
        ("[[system]]", "[[system]", "not valid TOML"),
        ("[[system]]", "[system]", "no table"),
    ],
)
def test_a_damaged_catalog_is_refused_by_row_and_field(old, new, named):
    assert old in ROW
    with pytest.raises(catalog.CatalogError, match=named):
        catalog.read(ROW.replace(old, new))


@pytest.mark.parametrize("number", [-1, 64])
def test_a_number_outside_the_catalog_is_refused(number):
    with pytest.raises(UsageError, match="numbers go from 0 to 63"):
        catalog.system(number)
