"""Fitting a model to rows, and asking it: the one place where estimators are trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # ships no types

from quantlib.errors import DataError
from quantlib.ml.examples import Examples
from quantlib.ml.models import model_of
from quantlib.ml.targets.target import Kind
from quantlib.ml.weights import uniqueness_weights
from quantlib.types import FloatArray

#: Takes the rows to learn from, and returns something that `answers` can ask.
Trainer = Callable[[Examples], Any]


@dataclass(frozen=True)
class Fit:
    """A model that was fitted, or is about to be: what whoever keeps count of trials is told.

    Parameters
    ----------
    model
        Its key in `MODELS`.
    params
        What of it was set.
    number
        Which fit of its trial this is: the fold; -1 for the one on everything.
    trial
        Which trial of a search it belongs to; 0 where nothing is searched.
    rows
        Rows learned from.
    last
        The last session whose label was learned from.
    outcome
        "begun" before it is fitted, "done" after; each fit is told of twice.
    """

    model: str
    params: Mapping[str, Any]
    number: int
    trial: int
    rows: int
    last: pd.Timestamp
    outcome: str


OnFit = Callable[[Fit], None]


def trainer(model: str, *, seed: int = 7, n_jobs: int = 1, **params: Any) -> Trainer:
    """Return what fits a model of this key with these parameters to whatever rows it is given."""
    kind = model_of(model)

    def train(rows: Examples) -> Any:
        built = kind.build(rows.kind, seed=seed, n_jobs=n_jobs, **params)
        return fit(built, rows.features, rows.labels["label"], weights_of(rows), rows.kind)

    return train


def weights_of(rows: Examples) -> FloatArray:
    """Return the weight of each row by its label's average uniqueness among these rows, with mean 1."""
    return uniqueness_weights(rows.labels["label_end"], rows.sessions)


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which the compiled libraries loaded by now work in one thread.

    Boosting's threads wait for each other busily: on a machine with other work one is several times faster.
    """
    return _libraries().limit(limits=1)  # type: ignore[no-any-return]  # ships no types


@cache
def _libraries() -> Any:
    """Return the libraries' thread pools; looking for them takes longer than a small fit."""
    return ThreadpoolController()


def fit(estimator: Any, features: pd.DataFrame, label: pd.Series, weight: FloatArray, kind: Kind) -> Any:
    """Return the estimator fitted to rows with weights.

    Raises
    ------
    DataError
        A classifier is given labels that all say the same.
    """
    if kind == "classification" and label.nunique() < 2:
        last = label.index.get_level_values("ts").max()
        raise DataError(
            f"The {len(label)} training labels up to {last:%Y-%m-%d} all say the same; a model needs rises and falls. "
            "Take a longer train or another horizon."
        )
    last_step = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    given = {}
    # Equal weights are none: so models that know no weights still learn from labels that do not overlap.
    passes_on = last_step.regressor if isinstance(last_step, TransformedTargetRegressor) else last_step
    if np.ptp(weight) > 1e-9 and has_fit_parameter(passes_on, "sample_weight"):
        step = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
        given = {f"{step}sample_weight": weight}
    with one_thread(), warnings.catch_warnings():
        # The number of rounds is part of the model; that it could go on is no news.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(features, label, **given)


def answers(fitted: Any, features: pd.DataFrame, kind: Kind) -> FloatArray:
    """Return the probability of 1, or the number, that a fitted model gives for each row."""
    if not len(features):
        return np.zeros(0)
    with one_thread():
        said = fitted.predict_proba(features)[:, 1] if kind == "classification" else fitted.predict(features)
    return np.asarray(said, dtype=np.float64)
