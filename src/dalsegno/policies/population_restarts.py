"""IPOP and BIPOP: restarts of an evolution strategy with larger and, in between, with small populations.

Auger and Hansen, "A restart CMA evolution strategy with increasing population size" (2005); Hansen,
"Benchmarking a BI-population CMA-ES on the BBOB-2009 function testbed" (2009); the budgets as in pycma.

    lambda0     4 + floor(3 ln n)                                 -> default_population(n)
    maxiter0    100 + floor(150 (n + 3)^2 / sqrt(lambda0))        -> most_iterations(n, population)
    k           restarts with a doubled population so far         -> Restarts.doubled
    U           uniform draws, two for each small run             -> draws

A large run has lambda0 2^k. BIPOP begins small runs while they have used fewer evaluations than the large
ones (the first run of all counts as small), with floor(lambda0 (2^k)^(U^2)), a step size of 0.01^U of the
first, and at most half as many evaluations as all large runs together.

pycma does not round lambda0 before it doubles it: left to its default it goes through 8, 17, 35, 70 in five
dimensions where the papers go through 8, 16, 32, 64. ``population=4 + 3 * log(n)`` does as pycma does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from math import floor, log
from typing import Any, ClassVar

from dalsegno.core.actions import Action, Restart, Stop
from dalsegno.core.conditions.leaf import as_written, whole
from dalsegno.core.errors import UsageError
from dalsegno.core.process import Origin
from dalsegno.core.trace import Trace


def default_population(dimension: int) -> int:
    """How many points an evolution strategy draws at a time in so many dimensions.

    >>> default_population(10)
    10
    """
    return 4 + floor(3 * log(whole("default_population", "dimension", dimension)))


def most_iterations(dimension: int, population: float) -> int:
    """After how many iterations a run is given up at the latest.

    >>> most_iterations(10, 10)
    8116
    """
    return int(100 + 150 * (dimension + 3) ** 2 // population**0.5)


@dataclass(frozen=True)
class PopulationRun:
    """One run of an evolution strategy: its population, its step size relative to the first, its limit."""

    population: int
    sigma: float = 1.0
    iterations: float = 0.0
    small: bool = False


class Restarts:
    """The budgets of BIPOP: told what each run used, it says what the next one is.

    >>> runs = Restarts(population=10, iterations=8116)
    >>> runs.ended(500, small=True)
    >>> runs.next((0.5, 0.5)).population
    20
    """

    def __init__(self, population: float, iterations: int, *, factor: float = 2.0, paper: bool = False) -> None:
        self.population, self.iterations, self.factor, self.paper = population, iterations, factor, paper
        self.small = self.large = 0.0  # evaluations that runs of either kind have used
        self.doubled = 0

    def ended(self, evaluations: float, *, small: bool) -> None:
        """A run has ended after so many evaluations."""
        if small:
            self.small += evaluations
        else:
            self.large += evaluations
            self.doubled += 1

    def next(self, draws: tuple[float, float]) -> PopulationRun:
        """The next run; ``draws`` are two numbers from 0 to 1, used by a small one for step size and population."""
        if self.small < max(1.0, self.large):
            base = self.factor**self.doubled * (0.5 if self.paper else 1.0)
            population = max(int(self.population * base ** (draws[1] ** 2)), 2)
            limit = min(float(self.iterations), 0.5 * self.large / population)
            return PopulationRun(population, 0.01 ** draws[0], limit, True)
        return PopulationRun(int(self.population * self.factor ** (self.doubled + 1)), 1.0, self.iterations)


@dataclass(frozen=True)
class IPOP:
    """Begin again with twice the population whenever a run has ended without success.

    ``dimension`` is that of the search; ``population`` the first one, by default 4 + floor(3 ln n). After
    ``restarts`` of them the run ends. The run to begin is handed over as ``origin.prior``, in the words of
    :class:`PopulationRun`; :class:`Evolution` begins as it says.

    >>> import dalsegno as ds
    >>> print(IPOP(10, restarts=5))
    IPOP(10, restarts=5)
    """

    scope: ClassVar[str] = "run"
    dimension: int
    population: float | None = field(default=None, kw_only=True)
    factor: float = field(default=2.0, kw_only=True)
    restarts: int = field(default=9, kw_only=True)

    def __post_init__(self) -> None:
        name = type(self).__name__
        whole(name, "dimension", self.dimension)
        if self.population is not None and (isinstance(self.population, (bool, str)) or not 2 <= self.population < 1e9):
            raise UsageError(f"{name}(population={self.population!r}): expected a number of at least 2")
        if isinstance(self.factor, (bool, str)) or not 1.0 < self.factor < 1e6:
            raise UsageError(f"{name}(factor={self.factor!r}): expected a number above 1")
        whole(name, "restarts", self.restarts, least=0)

    def decide(self, trace: Trace) -> Action | None:
        attempt = trace.attempt
        if attempt.status != "failed" or (attempt.failure is not None and attempt.failure.types):
            return None  # it goes on, it has succeeded, or something was raised, which is for other rules
        runs = self.runs(trace)
        if runs.doubled >= self.restarts:
            return Stop(f"{self}: {runs.doubled} restarts with a larger population")
        return Restart(Origin.warm(asdict(self.following(runs, attempt.number))))

    def following(self, runs: Restarts, number: int) -> PopulationRun:
        return PopulationRun(int(runs.population * self.factor ** (runs.doubled + 1)), 1.0, runs.iterations)

    def runs(self, trace: Trace) -> Restarts:
        """The budgets up to here, from the attempts that have ended."""
        population = self.population or default_population(self.dimension)
        runs = Restarts(population, most_iterations(self.dimension, population), factor=self.factor, paper=self.paper)
        for place, (evaluations, prior) in enumerate(self.ended(trace)):
            first = place == 0
            runs.ended(evaluations, small=first or bool(isinstance(prior, dict) and prior.get("small")))
        return runs

    paper: ClassVar[bool] = False

    @staticmethod
    def ended(trace: Trace) -> Iterator[tuple[float, Any]]:
        for one in trace.attempts:
            if one.state != "interrupted" and not (one.failure is not None and one.failure.types):
                yield one.cost.get("evaluations", 0.0), one.origin.prior
        attempt = trace.attempt
        if attempt.status != "running" and not (trace.attempts and trace.attempts[-1].number == attempt.number):
            yield attempt.cost.get("evaluations", 0.0), attempt.origin.prior

    def saw(self, trace: Trace) -> dict[str, Any]:
        runs = self.runs(trace)
        return {"doubled": runs.doubled, "small": runs.small, "large": runs.large}

    def __str__(self) -> str:
        return as_written(self)


@dataclass(frozen=True)
class BIPOP(IPOP):
    """The same, with small local runs in between for as long as they have used less than the large ones.

    ``seed`` is that of the draws. ``paper=True`` draws small populations as Hansen (2009) has it, up to half
    of the last large one; pycma, and the default, up to all of it.

    >>> print(BIPOP(10))
    BIPOP(10)
    """

    seed: int = field(default=0, kw_only=True)
    paper: bool = field(default=False, kw_only=True)  # type: ignore[misc]

    def following(self, runs: Restarts, number: int) -> PopulationRun:
        import numpy

        first, second = numpy.random.default_rng([self.seed, number]).random(2)
        return runs.next((float(first), float(second)))
