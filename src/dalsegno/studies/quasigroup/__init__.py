"""Quasigroup completion: fill up a latin square, by a randomised search with heavy-tailed run times.

The benchmark of Gomes, Selman, Crato and Kautz (2000) for restarts.  ``squares`` makes the instances from a
seed, ``Completion`` is the search as a Process, ``kernel`` is its compiled inner loop (Numba, imported at
first use).

>>> from dalsegno.studies.quasigroup import Completion, is_completion, square_with_holes
>>> givens = square_with_holes(order=8, holes=30, seed=1)
>>> search = Completion(givens)
>>> search.reset(seed=0)
>>> while search.step().status == "running":
...     pass
>>> is_completion(search.solution, givens)
True
"""

from dalsegno.studies.quasigroup.search import Completion, warm_up
from dalsegno.studies.quasigroup.squares import is_completion, latin_square, partial_square, square_with_holes

__all__ = ["Completion", "is_completion", "latin_square", "partial_square", "square_with_holes", "warm_up"]
