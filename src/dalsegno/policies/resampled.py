"""Bootstrap of a log's estimates: E_t at a fixed cutoff, and the mean up to the longest time seen, in every resample.

Runs are drawn anew with replacement. Only how often each was drawn matters to Kaplan and Meier's estimate, so
a resample is a vector of counts (multinomial), and all of them are worked out together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dalsegno.policies.laws.law import Figures
from dalsegno.policies.run_log import RunLog

MANY = 5_000  # distinct times: where there are more, neighbours are joined, but not those of the latest runs
AT_A_TIME = 2_000_000  # counts in memory together


@dataclass(frozen=True)
class Resampled:
    """Figures of B resamples, shape (B,): E_t at the cutoff, E_t at the longest time seen, and the mean up to that."""

    at_cutoff: Figures
    at_longest: Figures
    lower_mean: Figures


@dataclass(frozen=True)
class Counts:
    """A log by its m distinct times, shape (m,): distance from the time before, how many solved and cut there.

    ``exposure`` is the part of those at risk that the estimate divides by, 1 unless times were joined;
    ``upto`` is how many of the times are at or before the cutoff.
    """

    widths: Figures
    solved: Figures
    cut: Figures
    exposure: Figures
    upto: int


def resample(log: RunLog, cutoff: float, overhead: float, resamples: int, seed: int) -> Resampled:
    """``resamples`` resamples of a log. E_t is infinite in one without a run that was solved by the cutoff."""
    counts = counts_by_time(log, cutoff)
    shares = np.concatenate([counts.solved, counts.cut]) / len(log)
    generator = np.random.default_rng(seed)
    chunk = max(AT_A_TIME // len(shares), 1)
    parts = []
    for first in range(0, resamples, chunk):
        drawn = generator.multinomial(len(log), shares, size=min(chunk, resamples - first)).astype(np.float64)
        solved, cut = drawn[:, : len(counts.solved)], drawn[:, len(counts.solved) :]
        parts.append(estimates(counts, solved, cut, overhead))
    return Resampled(*np.concatenate(parts, axis=1))


def counts_by_time(log: RunLog, cutoff: float) -> Counts:
    """Of very many times neighbours are joined, never across the cutoff, so that the whole log's curve stays the same."""
    times, place = np.unique(log.times, return_inverse=True)
    solved = np.bincount(place, log.solved).astype(np.float64)
    cut = np.bincount(place, ~log.solved).astype(np.float64)
    widths = np.diff(times, prepend=0.0)
    upto = int(np.searchsorted(times, cutoff, side="right"))
    if len(times) <= MANY:
        return Counts(widths, solved, cut, np.ones(len(times)), upto)
    late = len(times) - MANY // 2  # where few are at risk every time counts
    ends = np.union1d(np.linspace(0, late, MANY // 2 + 1).astype(np.int64)[1:], np.arange(late + 1, len(times) + 1))
    ends = np.union1d(ends, [upto])
    firsts = np.concatenate([[0], ends[:-1]])
    at_risk = np.cumsum((solved + cut)[::-1])[::-1]
    levels = np.concatenate([[1.0], np.cumprod(1.0 - solved / at_risk)])
    areas = np.add.reduceat(levels[:-1] * widths, firsts)
    events = np.add.reduceat(solved, firsts)
    with np.errstate(divide="ignore", invalid="ignore"):
        fallen = 1.0 - levels[ends] / levels[firsts]
        exposure = np.where(events > 0.0, events / (fallen * at_risk[firsts]), 1.0)
        widths = np.where(levels[firsts] > 0.0, areas / levels[firsts], 0.0)
    return Counts(widths, events, np.add.reduceat(cut, firsts), exposure, int(np.searchsorted(ends, upto)) + 1)


def estimates(counts: Counts, solved: Figures, cut: Figures, overhead: float) -> Figures:
    """E_t at the cutoff, E_t at the last time and the mean up to it, shape (3, B), of counts of shape (B, m)."""
    at_risk = np.cumsum((solved + cut)[:, ::-1], axis=1)[:, ::-1] * counts.exposure
    factors = np.maximum(1.0 - solved / np.where(at_risk > 0.0, at_risk, 1.0), 0.0)
    levels = np.concatenate([np.ones((len(factors), 1)), np.cumprod(factors, axis=1)], axis=1)
    areas = levels[:, :-1] * counts.widths
    area, survival = areas[:, : counts.upto].sum(axis=1), levels[:, counts.upto]
    whole, level = areas.sum(axis=1), levels[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        here = np.where(survival < 1.0, (area + overhead * survival) / (1.0 - survival), np.inf)
        there = np.where(level < 1.0, (whole + overhead * level) / (1.0 - level), np.inf)
    return np.stack([here, there, whole])
