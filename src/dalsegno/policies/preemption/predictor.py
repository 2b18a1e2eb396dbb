"""Failure predictors in scikit-learn's form: ``fit(X, y, sample_weight)``, ``predict_proba(X)``, ``classes_``.

Any classifier of that form will do. The one used by default is a standardised logistic regression, one for each
checkpoint: it is fitted by scikit-learn and evaluated here, so that a call costs microseconds, and its state is arrays.
"""

from __future__ import annotations

from importlib import import_module
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from dalsegno.core.errors import UsageError

Floats = npt.NDArray[np.float64]
FITTED = ("classes_", "mean_", "scale_", "least_", "most_", "coef_", "intercept_")


class LogisticPredictor:
    """P(success) by a logistic regression on standardised features.

    ``C`` is scikit-learn's inverse strength of regularisation. Values beyond those seen in fitting, infinite ones among
    them, are taken as the farthest seen; NaN is taken as the mean, and whether a value was NaN is a feature of its own.

    >>> X = [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]
    >>> predictor = LogisticPredictor().fit(X, [False, False, True, False, True, True])
    >>> low, high = predictor.predict_proba([[0.0], [5.0]])[:, 1]
    >>> bool(low < 0.2 and high > 0.8)
    True
    """

    def __init__(self, C: float = 10.0) -> None:
        self.C = C

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> LogisticPredictor:
        """``X`` (n, F) features, ``y`` (n,) success."""
        if isinstance(self.C, bool) or not isinstance(self.C, (int, float)) or not (isfinite(self.C) and self.C > 0):
            raise UsageError(f"LogisticPredictor(C={self.C!r}): expected a finite number above 0")
        X, y = np.asarray(X, np.float64), np.asarray(y, np.bool_)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        finite = np.where(np.isfinite(X), X, np.nan)
        seen = np.isfinite(finite).any(axis=0)
        self.least_, self.most_ = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        self.least_[seen], self.most_[seen] = np.nanmin(finite[:, seen], axis=0), np.nanmax(finite[:, seen], axis=0)
        self.mean_, self.scale_ = np.zeros(2 * X.shape[1]), np.ones(2 * X.shape[1])
        plain = self._design(X, centred=False)
        self.mean_ = np.average(plain, axis=0, weights=weights)
        spread = np.sqrt(np.average((plain - self.mean_) ** 2, axis=0, weights=weights))
        self.scale_ = np.where(spread > 1e-12 * (1.0 + np.abs(self.mean_)), spread, 1.0)
        model = linear_model().LogisticRegression(C=self.C, max_iter=1000)
        model.fit(self._design(X), y, sample_weight=weights)
        self.classes_ = np.array([False, True])
        self.coef_ = np.asarray(model.coef_[0], np.float64)
        self.intercept_ = np.asarray(model.intercept_, np.float64)
        return self

    def _design(self, X: Floats, centred: bool = True) -> Floats:
        """Clipped features and where they were NaN, (n, 2 F), standardised."""
        absent = np.isnan(X)
        middle = self.mean_[: X.shape[1]]
        clipped = np.where(absent, middle, np.minimum(np.maximum(X, self.least_), self.most_))
        both = np.concatenate([clipped, absent], axis=1)
        return (both - self.mean_) / self.scale_ if centred else both

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """(n, 2): P(failure) and P(success)."""
        margin = self._design(np.asarray(X, np.float64)) @ self.coef_ + self.intercept_[0]
        success = 1.0 / (1.0 + np.exp(-np.clip(margin, -700.0, 700.0)))
        return np.stack([1.0 - success, success], axis=1)

    def state_dict(self) -> dict[str, Any]:
        return {name: np.array(getattr(self, name)) for name in FITTED if hasattr(self, name)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in FITTED:
            if name in state:
                setattr(self, name, np.array(state[name]))

    def __repr__(self) -> str:
        return f"LogisticPredictor(C={self.C!r})"


def probabilities(predictor: Any, X: npt.ArrayLike) -> Floats:
    """P(success) for each row of ``X`` (n, F); refused if the predictor answers NaN or anything but probabilities."""
    answer = np.asarray(predictor.predict_proba(X), np.float64)
    if answer.ndim != 2 or answer.shape[1] != len(predictor.classes_):
        raise UsageError(
            f"{predictor!r}: predict_proba gave an array {answer.shape}: expected (n, classes), as scikit-learn's do"
        )
    column = [place for place, label in enumerate(predictor.classes_) if label]
    if not column:
        return np.zeros(len(answer))
    success: Floats = answer[:, column[0]]
    if not ((success >= 0.0) & (success <= 1.0)).all():
        wrong = success[~((success >= 0.0) & (success <= 1.0))][0]
        raise UsageError(
            f"{predictor!r}: predict_proba answered {wrong} for P(success), expected a number from 0 to 1; an attempt "
            "cannot be judged by that: mend the predictor, or the features that it was given"
        )
    return success


def check_predictor(predictor: Any) -> None:
    """Refuse what is no unfitted estimator in scikit-learn's form."""
    if isinstance(predictor, type):
        raise UsageError(f"predictor={predictor!r}: expected an estimator, not its class: write {predictor.__name__}()")
    missing = [name for name in ("fit", "predict_proba") if not callable(getattr(predictor, name, None))]
    if missing:
        raise UsageError(f"predictor={predictor!r}: it has no {' and no '.join(missing)}; expected a classifier")


def linear_model() -> Any:
    try:
        return import_module("sklearn.linear_model")
    except ImportError:
        raise UsageError(
            "the default predictor needs scikit-learn: pip install scikit-learn, or hand over a predictor of your own"
        ) from None
