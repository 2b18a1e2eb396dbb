"""The logistic predictor beside scikit-learn's own, and what predictors are refused for."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from dalsegno.core.errors import UsageError
from dalsegno.policies.preemption import LogisticPredictor
from dalsegno.policies.preemption.predictor import check_predictor, probabilities

RNG = np.random.default_rng(5)
X = RNG.normal(size=(300, 4)) * [1.0, 100.0, 0.01, 0.0] + [0.0, 50.0, 0.0, 7.0]
Y = X[:, 0] + 0.01 * X[:, 1] + RNG.normal(size=300) > 0.5
WEIGHTS = RNG.choice([1.0, 10.0], 300)


def test_it_is_scikit_learns_on_standardised_features() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=1000)).fit(X, Y)
    ours = LogisticPredictor().fit(X, Y)
    assert ours.predict_proba(X) == pytest.approx(theirs.predict_proba(X), abs=1e-4)  # the solver's tolerance


def test_weights_count_as_copies() -> None:
    copies = np.repeat(np.arange(300), WEIGHTS.astype(int))
    weighted = LogisticPredictor().fit(X, Y, sample_weight=WEIGHTS)
    copied = LogisticPredictor().fit(X[copies], Y[copies])
    assert weighted.predict_proba(X) == pytest.approx(copied.predict_proba(X), abs=1e-3)  # the solver's tolerance


def test_what_is_infinite_counts_as_the_farthest_seen() -> None:
    fitted = LogisticPredictor().fit(X, Y)
    far, least = X[:1].copy(), X[:1].copy()
    far[0, 0], least[0, 0] = -inf, X[:, 0].min()
    assert (fitted.predict_proba(far) == fitted.predict_proba(least)).all()


def test_that_a_feature_is_nan_is_learnt() -> None:
    gone = X.copy()
    gone[~Y, 0] = np.where(RNG.random((~Y).sum()) < 0.5, nan, gone[~Y, 0])
    fitted = LogisticPredictor().fit(gone, Y)
    row = np.array([[nan, 50.0, 0.0, 7.0]])
    assert fitted.predict_proba(row)[0, 1] < 0.1


def test_its_state_holds_arrays_and_gives_the_same_answers() -> None:
    fitted, other = LogisticPredictor().fit(X, Y), LogisticPredictor()
    state = fitted.state_dict()
    other.load_state_dict(state)
    assert all(isinstance(one, np.ndarray) for one in state.values())
    assert (other.predict_proba(X) == fitted.predict_proba(X)).all()


class Answers:
    classes_ = np.array([False, True])

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Answers:
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("success", [nan, -0.1, 1.1])
def test_an_answer_that_is_no_probability_is_refused(success: float) -> None:
    with pytest.raises(UsageError, match="expected a number from 0 to 1"):
        probabilities(Answers([[0.5, 0.5], [1 - success, success]]), [[0.0], [0.0]])


def test_an_answer_of_another_shape_is_refused() -> None:
    with pytest.raises(UsageError, match="classes"):
        probabilities(Answers([0.5, 0.5]), [[0.0], [0.0]])


def test_the_column_of_success_is_found_by_its_class() -> None:
    swapped = Answers([[0.9, 0.1]])
    swapped.classes_ = np.array([True, False])
    assert probabilities(swapped, [[0.0]]).tolist() == [0.9]


@pytest.mark.parametrize("predictor", [LogisticPredictor, object(), "logistic"])
def test_what_is_no_estimator_is_refused(predictor: Any) -> None:
    with pytest.raises(UsageError, match="expected"):
        check_predictor(predictor)


@pytest.mark.parametrize("C", [0, -1, nan, inf, "10"])
def test_a_strength_that_is_no_number_above_0_is_refused(C: Any) -> None:
    with pytest.raises(UsageError, match="above 0"):
        LogisticPredictor(C=C).fit(X, Y)
