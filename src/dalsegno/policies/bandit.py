"""RestartBandit: which way of restarting is cheapest here, learned from problem to problem.

After Gagliolo and Schmidhuber, "Learning restart strategies" (2007): for each problem one of K strategies is
chosen, and the problem is solved with it. The default chooses by Thompson's rule, and hands a problem that has
become dear to the arm that is cheapest so far; theirs, Exp3 (Auer, Cesa-Bianchi, Freund and Schapire, "The
nonstochastic multiarmed bandit problem", 2002), is an option, and slow to learn.

    K     number of arms                                  -> len(arms)
    G     number of problems, Exp3                        -> problems
    loss  min(1, cost / cap), Exp3                        -> cap
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, e, inf, log, sqrt
from typing import Any

import numpy as np

from dalsegno.core.errors import UsageError
from dalsegno.core.trace import Trace
from dalsegno.policies.attempt_learner import AttemptLearner
from dalsegno.policies.laws.law import Figures

ARMS = ("luby", "learned", "none")
ROUNDING = 1e-12
MOVED = 2.0  # a learned cutoff that has changed by more than this is another strategy


@dataclass
class Arm:
    """What an arm has cost: the sum over its problems, and how many they were."""

    cost: float = 0.0
    problems: int = 0

    @property
    def mean(self) -> float:
        return self.cost / self.problems if self.problems else inf


@dataclass(eq=False)
class RestartBandit(AttemptLearner):
    """For each problem one of ``arms``: ``"luby"``, ``"learned"`` (the best cutoff so far) or ``"none"`` (no cutoff).

    A problem ends with a solved attempt. All attempts go to one log, whoever chose their cutoff, and the
    learned arm follows Luby's schedule until 10 are solved. ``choose_by="thompson"`` draws for each arm a mean
    from what its problems have cost and takes the smallest; an arm without figures comes first. A problem that
    has cost ``hand_over`` times the smallest mean (default 4, None for never) is finished by the arm that has
    it; where that is the arm itself, by Luby's schedule, and from that by the learned cutoff. Its whole cost
    counts for the arm that was chosen. ``choose_by="exp3"`` needs ``cap``, a cost that is as bad as any, and
    ``problems``, about how many there will be. The same ``seed`` draws the same.

    >>> bandit = RestartBandit(unit=10)
    >>> bandit.choose()
    'luby'
    >>> [bandit.cutoff(attempt) for attempt in (1, 2, 3)]
    [10.0, 10.0, 20.0]
    >>> bandit.observe(7.0, True)
    >>> bandit.choose()
    'learned'

    Without the engine: ask ``cutoff(attempt)`` (or ``next_cutoff()``) before each attempt at a problem, run it
    so far, and tell ``observe(time, solved)``. As a rule of a run it does so itself; to go on to another
    problem after a success, the run needs a rule that restarts then.
    """

    arms: tuple[str, ...] = field(default=ARMS, kw_only=True)
    choose_by: str = field(default="thompson", kw_only=True)
    hand_over: float | None = field(default=4.0, kw_only=True)
    cap: float | None = field(default=None, kw_only=True)
    problems: int | None = field(default=None, kw_only=True)
    seed: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        self._check()
        self.figures = {arm: Arm() for arm in self.arms}
        self._log_weights = np.zeros(len(self.arms))
        self._problem = 0  # how many have ended
        self._arm: str | None = None  # chosen for the present problem
        self._chances: Figures | None = None  # with which it was, Exp3
        self._finisher: str | None = None  # to which the present problem was handed over
        self._known_limit: float | None = None
        self._spent, self._tries, self._handed_at = 0.0, 0, 0
        self._began_with: float | None = None  # the learned cutoff with which the learned arm's figures began
        super().__post_init__()

    def _check(self) -> None:
        self.arms = tuple(self.arms)
        if not self.arms or len(set(self.arms)) < len(self.arms) or not set(self.arms) <= set(ARMS):
            raise UsageError(f"arms={self.arms!r}: expected some of {', '.join(map(repr, ARMS))}")
        if self.choose_by not in ("thompson", "exp3"):
            raise UsageError(f"choose_by={self.choose_by!r}: expected 'thompson' or 'exp3'")
        if self.hand_over is not None and not 1.0 <= self.hand_over < inf:
            raise UsageError(f"hand_over={self.hand_over!r}: expected a number of at least 1, or None")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise UsageError(f"seed={self.seed!r}: expected a whole number of at least 0")
        if self.choose_by == "exp3" and (self.cap is None or not 0.0 < self.cap < inf):
            raise UsageError(f"cap={self.cap!r}: exp3 needs a finite cost above 0 that is as bad as any")
        if self.choose_by == "exp3" and (not isinstance(self.problems, int) or self.problems < 1):
            raise UsageError(f"problems={self.problems!r}: exp3 needs the number of problems, at least 1")

    # -- choosing ----

    def choose(self) -> str:
        """The arm of the present problem, chosen when it is first asked for."""
        if self._arm is None:
            self._forget()
            generator = np.random.default_rng((self.seed, self._problem))  # of this problem, whatever was drawn before
            self._arm = self._by_exp3(generator) if self.choose_by == "exp3" else self._by_thompson(generator)
        return self._arm

    def _forget(self) -> None:
        """The learned arm begins anew where its cutoff has become another."""
        now, then = self.learned, self._began_with
        if now is None or "learned" not in self.figures:
            return
        if then is None or not 1.0 / MOVED <= now / then <= MOVED:
            self.figures["learned"] = Arm()
            self._began_with = now

    def _by_thompson(self, generator: np.random.Generator) -> str:
        for name, arm in self.figures.items():
            if not arm.problems:
                return name
        drawn = [arm.cost / generator.gamma(arm.problems) for arm in self.figures.values()]
        return self.arms[int(np.argmin(drawn))]

    def _by_exp3(self, generator: np.random.Generator) -> str:
        self._chances = self.chances()
        return self.arms[int(generator.choice(len(self.arms), p=self._chances))]

    def _exploring(self) -> float:
        """Exp3's gamma: the part of the choices that is made at random."""
        arms = len(self.arms)
        return min(1.0, sqrt(arms * log(arms) / ((e - 1.0) * (self.problems or 1))))

    def chances(self) -> Figures:
        """Exp3's probabilities of the arms, shape (K,)."""
        weights = np.exp(self._log_weights - self._log_weights.max())
        gamma = self._exploring()
        return np.asarray((1.0 - gamma) * weights / weights.sum() + gamma / len(self.arms))

    # -- a problem ----

    def cutoff(self, attempt: int) -> float:
        """The cutoff of the attempt-th attempt at the present problem, from 1; infinite for none."""
        if isinstance(attempt, bool) or not isinstance(attempt, int) or attempt < 1:
            raise UsageError(f"cutoff({attempt!r}): expected the number of the attempt at this problem, from 1")
        arm = self._finisher or self.choose()
        found = self._of_arm(arm, max(attempt - self._handed_at, 1))
        return found if self._finisher else min(found, self._left())

    def next_cutoff(self) -> float:
        return self.cutoff(self._tries + len(self._cutoffs) + 1)

    def _of_arm(self, arm: str, index: int) -> float:
        if arm == "none":
            return inf
        if arm == "learned" and self.learned is not None:
            return self.learned
        return self._luby.cutoff(index)

    def _cheapest(self) -> str:
        return min(self.figures, key=lambda name: self.figures[name].mean)

    def _limit(self) -> float:
        """The cost at which the present problem is handed over; it stays the same until the problem ends."""
        if self._known_limit is None:
            mean = self.figures[self._cheapest()].mean
            self._known_limit = inf if self.hand_over is None else self.hand_over * mean * (1.0 - ROUNDING)
        return self._known_limit

    def _left(self) -> float:
        """What the present problem may still cost before it is handed over."""
        left = self._limit() - self._spent
        return float(max(ceil(left), 1)) if self.of == "steps" and left < inf else left

    def _ended(self, time: float, solved: bool) -> None:
        arm = self.choose()
        self._tries += 1
        self._spent += time if solved else time + self.overhead
        if solved:
            self._close(arm)
        elif self._finisher is None and self._spent >= self._limit():
            cheapest, other = self._cheapest(), "learned" if arm == "luby" else "luby"
            self._finisher = cheapest if cheapest != arm else other
            self._handed_at = self._tries

    def _close(self, arm: str) -> None:
        """The problem is solved: what it has cost counts for the arm that was chosen."""
        self.figures[arm].cost += self._spent
        self.figures[arm].problems += 1
        if self.choose_by == "exp3" and self._chances is not None and self.cap is not None:
            place = self.arms.index(arm)
            loss = min(1.0, self._spent / self.cap)
            self._log_weights[place] -= self._exploring() / len(self.arms) * loss / self._chances[place]
        self._problem += 1
        self._arm = self._chances = self._finisher = self._known_limit = None
        self._spent, self._tries, self._handed_at = 0.0, 0, 0

    def saw(self, trace: Trace) -> dict[str, Any]:
        return {**super().saw(trace), "problem": self._problem + 1, "arm": self._arm, "finished_by": self._finisher}

    # -- state ----

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(),
            "figures": [[name, arm.cost, arm.problems] for name, arm in self.figures.items()],
            "log_weights": self._log_weights.tolist(),
            "problem": self._problem,
            "arm": self._arm,
            "chances": None if self._chances is None else self._chances.tolist(),
            "finisher": self._finisher,
            "spent": self._spent,
            "tries": self._tries,
            "handed_at": self._handed_at,
            "began_with": self._began_with,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.figures = {str(name): Arm(float(cost), int(problems)) for name, cost, problems in state["figures"]}
        self._log_weights = np.asarray(state["log_weights"], np.float64)
        self._problem, self._arm, self._finisher = int(state["problem"]), state["arm"], state["finisher"]
        self._chances = None if state["chances"] is None else np.asarray(state["chances"], np.float64)
        self._spent, self._tries = float(state["spent"]), int(state["tries"])
        self._handed_at, self._known_limit = int(state["handed_at"]), None
        began = state["began_with"]
        self._began_with = None if began is None else float(began)
