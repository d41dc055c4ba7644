"""Walk-forward evaluation of a baseline model, without a row of training that knows its test."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

import quantlib.ml
from quantlib.errors import DataError, nearest
from quantlib.ml.features import FEATURES, WARMUP, features
from quantlib.ml.result import ModelResult
from quantlib.ml.scores import SUSPICIOUS_AUC, calibration, gain_over_prior, log_losses, score, verdict
from quantlib.ml.targets import targets
from quantlib.types import Panel
from quantlib.validation.splits import walk_forward


def walk_forward_evaluate(
    panel: Panel,
    model: str,
    *,
    horizon: int = 5,
    train: int = 1260,
    test: int = 252,
    anchored: bool = True,
    purge: int | None = None,
    every: int | None = None,
    seed: int = 7,
) -> ModelResult:
    """Return how well a model foretells the direction of the next `horizon` sessions, out of sample.

    All symbols are learned from together. The model is fitted on the past, asked about the next `test` sessions,
    fitted again, and so on to the last known label.

    Parameters
    ----------
    panel
        Closes are enough. Its first 251 sessions warm the features up.
    model
        A key of `MODELS`.
    horizon
        Sessions ahead; see `targets`.
    train
        Sessions before the first test, warm-up not counted; with `anchored=False`, before every test.
    test
        Sessions between two fits.
    anchored
        Train on everything since the start, or on the latest `train` sessions.
    purge
        Sessions left out before each test. None is the horizon, and in addition any label that ends in the test on
        a symbol's own calendar. Less than the horizon is accepted to show the damage, and warned of.
    every
        Train on every so many-th session only. None is the horizon: labels in between overlap and tell nearly the
        same again, at `horizon` times the cost. Tests use every session.
    seed
        For the model and for shuffling.

    Raises
    ------
    DataError
        No such model, a count out of range, too few sessions, or training labels that all say the same.

    Examples
    --------
    >>> result = walk_forward_evaluate(panel, "logistic")  # doctest: +SKIP
    >>> print(result.verdict)  # doctest: +SKIP
    """
    if model not in quantlib.ml.MODELS:
        raise DataError(f"There is no model {model!r}. {nearest(model, quantlib.ml.MODELS)}")
    table = features(panel).join(targets(panel, horizon=horizon))
    thin = horizon if every is None else every
    if thin < 1:
        raise DataError(f"every is {thin}; accepted: a whole number of sessions, 1 or more.")
    ready = table[list(FEATURES)].notna().all(axis=1)
    data = table[ready & table["up"].notna()]
    dates, day = np.unique(data.index.get_level_values("ts"), return_inverse=True)
    if len(dates) <= train:
        raise DataError(
            f"{len(dates)} of {len(panel)} sessions have features and labels (the first {WARMUP} warm up, the last "
            f"{horizon} have no label yet); a walk-forward with train={train} needs more. Take a longer span or a "
            "shorter train."
        )
    splits = walk_forward(
        len(dates), train=train, test=test, anchored=anchored, purge=horizon if purge is None else purge
    )
    label_end = data["label_end"].to_numpy()
    predicted, folds, importances = [], [], []
    # Boosting's threads wait for each other busily: on a machine with other work one is several times faster.
    with threadpool_limits(limits=1):
        for number, split in enumerate(splits):
            first, last, begin, end = split.train[0], split.train[-1], split.test[0], split.test[-1]
            past = (day >= first) & (day <= last) & ((last - day) % thin == 0)
            if purge is None:
                past &= label_end < dates[begin]
            asked = data[(day >= begin) & (day <= end)]
            fitted = _fit(model, data[past], seed)
            fold = asked[["up", "forward_return", "label_end"]].assign(
                probability=_rise(fitted, asked), prior=data["up"][past].mean(), fold=number
            )
            spans = {"train_start": first, "train_end": last, "test_start": begin, "test_end": end}
            predicted.append(fold)
            folds.append({key: dates[at] for key, at in spans.items()} | {"train_n": past.sum()} | _score_both(fold))
            importances.append(_importance(fitted, asked, seed))
        final = _fit(model, data[(day[-1] - day) % thin == 0], seed)

    predictions = pd.concat(predicted)
    by_fold = pd.DataFrame(folds).rename_axis("fold")
    scores = _overall(predictions, by_fold)
    gain = gain_over_prior(predictions, horizon=horizon)
    now = table[ready & (table.index.get_level_values("ts") == panel.index[-1])]
    return ModelResult(
        model=model,
        parameters={
            "model": model,
            "horizon": horizon,
            "train": train,
            "test": test,
            "anchored": anchored,
            "purge": horizon if purge is None else purge,
            "every": thin,
            "seed": seed,
        },
        predictions=predictions,
        folds=by_fold,
        scores=scores,
        gain=gain[0],
        gain_low=gain[1],
        gain_high=gain[2],
        calibration=calibration(predictions["up"].to_numpy(), predictions["probability"].to_numpy()),
        importance=pd.DataFrame(
            {"importance": np.mean(importances, axis=0), "coefficient": _coefficients(final)},
            index=pd.Index(list(FEATURES), name="feature"),
        ),
        estimator=final,
        latest=pd.Series(
            _rise(final, now), index=now.index.get_level_values("symbol"), name="probability", dtype=float
        ),
        verdict=verdict(scores, gain),
        warnings=_warnings(scores, horizon, purge),
    )


def _fit(model: str, rows: pd.DataFrame, seed: int) -> ClassifierMixin:
    if rows["up"].nunique() < 2:
        raise DataError(
            f"The {len(rows)} training labels up to {rows['label_end'].max():%Y-%m-%d} all say the same; a model needs "
            "rises and falls. Take a longer train or another horizon."
        )
    return quantlib.ml.MODELS[model].build(seed).fit(rows[list(FEATURES)], rows["up"])


def _rise(fitted: ClassifierMixin, rows: pd.DataFrame) -> np.ndarray:
    """Return the fitted model's probability of a rise for each row."""
    return np.asarray(fitted.predict_proba(rows[list(FEATURES)])[:, 1] if len(rows) else [], dtype=np.float64)


def _score_both(rows: pd.DataFrame) -> dict[str, float]:
    """Return the scores of the model and, under `prior_` names, of the prior; the count once."""
    up = rows["up"].to_numpy()
    prior = score(up, rows["prior"].to_numpy())
    del prior["n"]
    return score(up, rows["probability"].to_numpy()) | {f"prior_{name}": value for name, value in prior.items()}


def _overall(predictions: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Return the scores over all folds, rows `model` and `prior`; the AUC is the folds' mean weighted by rows."""
    up = predictions["up"].to_numpy()
    scores = pd.DataFrame(
        {"model": score(up, predictions["probability"].to_numpy()), "prior": score(up, predictions["prior"].to_numpy())}
    ).T
    for row, column in (("model", "auc"), ("prior", "prior_auc")):
        known = folds[folds[column].notna()]
        scores.loc[row, "auc"] = np.average(known[column], weights=known["n"]) if len(known) else np.nan
    return scores.astype({"n": int})


def _importance(estimator: ClassifierMixin, rows: pd.DataFrame, seed: int) -> np.ndarray:
    """Return by how much the log loss on these rows rises when a feature is shuffled, one number a feature."""

    def gain(fitted: ClassifierMixin, table: pd.DataFrame, up: pd.Series) -> float:
        return -float(log_losses(up.to_numpy(), _rise(fitted, table)).mean())

    shuffled = permutation_importance(
        estimator, rows[list(FEATURES)], rows["up"], scoring=gain, n_repeats=1, random_state=seed
    )
    return np.asarray(shuffled.importances_mean)


def _coefficients(estimator: ClassifierMixin) -> np.ndarray:
    """Return the coefficients of a linear model on scaled features; NaN for any other."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return np.ravel(getattr(last, "coef_", np.full(len(FEATURES), np.nan)))


def _warnings(scores: pd.DataFrame, horizon: int, purge: int | None) -> tuple[str, ...]:
    found = []
    if purge is not None and purge < horizon:
        found.append(
            f"A purge of {purge} is less than the horizon of {horizon}: training labels are made of prices of the "
            "test, so the scores flatter."
        )
    if (auc := scores["auc"]["model"]) > SUSPICIOUS_AUC:
        found.append(
            f"An AUC of {auc:.2f} is more than daily prices have been known to give; look for a leak before "
            "believing it."
        )
    return tuple(found)
