"""Evolution: CMA-ES of the ``cma`` package as a process, one iteration a step, that can be saved anywhere.

Its state is the seed, the start and every value that the strategy was told: from these it is rebuilt exactly,
draw by draw, without evaluating the objective again. (The strategy's own objects could only be pickled.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from math import inf, isnan, nan
from typing import Any

from dalsegno.core.errors import UsageError
from dalsegno.core.process import Origin, Process
from dalsegno.core.report import Failure, Report
from dalsegno.policies.population_restarts import PopulationRun, default_population, most_iterations

QUIET = {"verbose": -9, "verb_disp": 0, "verb_log": 0, "verb_plot": 0}
OURS = ("randn", "seed", "popsize", "maxiter", "ftarget", "bounds", *QUIET)  # set from the arguments
UNREPEATABLE = ("integer_variables", "timeout")  # draws of their own, and the clock


class Evolution(Process):
    """Minimise ``objective``, a function of an array, from ``start`` with the step size ``sigma``.

    ``start`` is an array, or a function of a ``numpy.random.Generator`` that draws one: then every attempt
    begins somewhere else. ``target`` is a value below which it has succeeded; ``bounds`` (low, high), each a
    number or one for each dimension; ``options`` further ones of ``cma.CMAOptions``.

    A step is an iteration. It reports ``f`` (the best of the iteration), ``sigma`` and ``population``, as
    value the best so far with its sign turned, and evaluations as cost. An attempt ends as failed where
    ``es.stop()`` says so; a policy (:class:`IPOP`, :class:`BIPOP`) then begins another, handing over its
    population, step size and limit. ``best`` is the best (value, point) of all attempts in this program, and
    of what they went on from.

    A value that is NaN counts as infinite. Raises :class:`UsageError` where ``cma`` is not installed, and for
    options whose draws could not be repeated.

    >>> import dalsegno as ds
    >>> search = Evolution(lambda x: float((x**2).sum()), [3.0, -2.0], 1.0, target=1e-9)
    >>> ds.run(search, seed=0).succeeded
    True
    """

    def __init__(
        self,
        objective: Callable[[Any], float],
        start: Any,
        sigma: float,
        *,
        population: int | None = None,
        target: float = -inf,
        bounds: tuple[Any, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not callable(objective):
            raise UsageError(f"Evolution({objective!r}, ...): expected a function of an array")
        if isinstance(sigma, (bool, str)) or not 0 < sigma < inf:
            raise UsageError(f"Evolution(sigma={sigma!r}): expected a finite number above 0")
        for name in options or {}:
            if name in OURS or name in UNREPEATABLE:
                why = "given by an argument or the seed" if name in OURS else "not to be repeated after a kill"
                raise UsageError(f"Evolution(options={{{name!r}: ...}}): this one is {why}")
        self.objective, self.start, self.sigma = objective, start, sigma
        self.population, self.target, self.bounds = population, target, bounds
        self.options = dict(options or {})
        self.best: tuple[float, Any] = (inf, None)

    def reset(self, *, seed: int, origin: Origin | None = None) -> None:
        prior = None if origin is None else origin.prior
        self.begin(seed, None if prior is None else PopulationRun(**prior))

    def begin(self, seed: int, run: PopulationRun | None) -> None:
        """Make the strategy anew, as it was at the beginning of an attempt."""
        import numpy

        try:
            cma: Any = import_module("cma")
        except ImportError:
            raise UsageError("Evolution needs the package cma: pip install cma") from None
        generator = numpy.random.default_rng(seed)
        start = self.start(generator) if callable(self.start) else self.start
        x0 = numpy.array(start, dtype=float)
        population = self.population or default_population(len(x0))
        run = run or PopulationRun(population, 1.0, most_iterations(len(x0), population))
        options = {
            **self.options,
            **QUIET,
            "seed": nan,  # the global generator is not touched
            "randn": lambda *shape: generator.standard_normal(shape),
            "popsize": run.population,
            "maxiter": run.iterations,
            "ftarget": self.target,
            "bounds": [None, None] if self.bounds is None else list(self.bounds),
        }
        self.seed, self.run = seed, run
        self.values: list[list[float]] = []  # as the strategy was told them, an iteration each
        self.strategy = cma.CMAEvolutionStrategy(x0, run.sigma * self.sigma, options)
        self.attempt_best = inf

    def step(self) -> Report:
        points = self.strategy.ask()
        values = [float(self.objective(point)) for point in points]
        values = [inf if isnan(value) else value for value in values]
        stops = self.tell(points, values)
        report = Report(
            metrics={"f": min(values), "sigma": float(self.strategy.sigma), "population": float(len(values))},
            cost={"evaluations": float(len(values))},
            value=-self.attempt_best,
        )
        if "ftarget" in stops:
            report.status = "succeeded"
        elif stops:
            report.status = "failed"
            said = f"{', '.join(sorted(stops))} after {len(self.values)} iterations of {len(values)}"
            report.failure = Failure((), f"{said}, best {self.attempt_best!r}")
        return report

    def tell(self, points: Any, values: list[float]) -> dict[str, Any]:
        """Take an iteration in; the reasons to stop, if there are any."""
        import numpy

        self.values.append(values)
        self.strategy.tell(points, values)
        lowest = int(numpy.argmin(values))
        self.attempt_best = min(self.attempt_best, values[lowest])
        if values[lowest] < self.best[0]:
            self.best = (values[lowest], numpy.array(points[lowest]))
        return dict(self.strategy.stop())

    def state_dict(self) -> dict[str, Any]:
        import numpy

        return {
            "seed": self.seed,
            "run": vars(self.run).copy(),
            "values": numpy.array(self.values, dtype=float),
            "best": list(self.best),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Rebuild the strategy from what it was told: exact, without an evaluation."""
        self.begin(int(state["seed"]), PopulationRun(**state["run"]))
        for values in state["values"].tolist():
            self.tell(self.strategy.ask(), values)
        value, point = state["best"]
        if value < self.best[0] or self.best[1] is None:
            self.best = (value, point)
