"""Out-of-sample evaluation of any model, target and features, without a row of training that knows its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from quantlib.compute import Engine, map_work
from quantlib.errors import DataError
from quantlib.ml.calibrated import Calibrated, Method, calibrating
from quantlib.ml.examples import Examples
from quantlib.ml.fold import Done, FoldWork, Task, said_of, yardsticks
from quantlib.ml.models import model_of
from quantlib.ml.result import ModelResult
from quantlib.ml.schemes import Scheme, WalkForward, overlapping
from quantlib.ml.scores import SUSPICIOUS_AUC, calibration, gain_over, score, verdict
from quantlib.ml.targets.target import Kind
from quantlib.ml.training import Fit, OnFit, Trainer, answers, trainer
from quantlib.types import FloatArray

WEEK = 5


def evaluate(
    examples: Examples,
    model: str,
    *,
    scheme: Scheme | None = None,
    params: dict[str, Any] | None = None,
    train: Trainer | None = None,
    calibrate: Method | None = None,
    every: int | None = None,
    importance: bool = True,
    allow_overlap: bool = False,
    seed: int = 7,
    n_jobs: int = 1,
    engine: Engine | None = None,
    workers: int | None = None,
    trial: int = 0,
    on_fit: OnFit | None = None,
) -> ModelResult:
    """Return how well a model foretells labels out of sample, beside yardsticks that know next to nothing.

    In each fold the model learns from the training rows, weighted by the uniqueness of their labels, and is asked
    about the rows of the test; so is the prior, and for targets that last the last known value. All symbols are
    learned from together.

    Parameters
    ----------
    examples
        What `build_examples` made of a panel.
    model
        A key of `MODELS`.
    scheme
        How history is cut; None is `WalkForward()`.
    params
        Parameters of the model, of those in its `space`.
    train
        What fits the model; None is `trainer(model, **params)`. `simulated.learning_from_worlds` makes another.
    calibrate
        Put probabilities right on purged folds inside the training rows: "isotonic" or "sigmoid".
    every
        Train on every so many-th session only. None is the horizon, at most a week: labels in between overlap and
        tell nearly the same again, at a multiple of the cost. Tests use every session.
    importance
        Whether to shuffle each feature in each test and see what is lost.
    allow_overlap
        Accept training labels that overlap the test, to show the damage; a warning says so.
    seed
        For the model and for shuffling.
    n_jobs
        Threads of models that grow trees side by side.
    engine, workers
        Where folds are fitted, see `quantlib.compute.map_work`: "processes" and "ray" do several at a time. None is
        here, one after the other.
    trial
        Passed on to `on_fit`: which trial of a search this is.
    on_fit
        Told of every fit before and after it, for whoever counts trials.

    Raises
    ------
    DataError
        A name is unknown, a count out of range, there are too few sessions, training labels all say the same, or
        training labels overlap a test.

    Examples
    --------
    >>> examples = build_examples(panel, "direction", features=["own", "cross_section"])  # doctest: +SKIP
    >>> print(evaluate(examples, "logistic", scheme=PurgedKFold(5)).verdict)  # doctest: +SKIP
    """
    settings = dict(params or {})
    chosen = WalkForward() if scheme is None else scheme
    learn = trainer(model, seed=seed, n_jobs=n_jobs, **settings) if train is None else train
    model_of(model).build(examples.kind, seed=seed, n_jobs=n_jobs, **settings)  # refused here, not in the first fold
    if calibrate is not None:
        learn = calibrating(learn, method=calibrate)
    thin = -(-min(examples.horizon, WEEK) // examples.every) if every is None else every
    if thin < 1:
        raise DataError(f"every is {thin}; accepted: a whole number of sessions, 1 or more.")
    known = examples.known
    label_end = known.labels["label_end"]
    folds = chosen.folds(known.settled)
    met = overlapping(known.settled, folds)
    if met and not allow_overlap:
        raise DataError(
            f"{met} training labels are made of sessions that the test is made of, so the scores would flatter. Take "
            "a scheme that purges by the labels' ends, or say allow_overlap=True to see the damage."
        )
    kind, work = examples.kind, FoldWork(known, learn, importance, seed)
    day = np.unique(known.features.index.get_level_values("ts").to_numpy(), return_inverse=True)[1]

    def tell(outcome: str, number: int, rows: np.ndarray) -> None:
        if on_fit is not None:
            on_fit(Fit(model, settings, number, trial, len(rows), label_end.iloc[rows].max(), outcome))

    tasks = []
    for number, fold in enumerate(folds):
        distance = day[fold.train].max() - day[fold.train]
        tasks.append(Task(number, fold.train[distance % thin == 0], fold))
    done = []
    for task, one in zip(tasks, _each(work, tasks, engine, workers, tell), strict=True):
        tell("done", task.number, task.past)
        done.append(one)
    everything = np.flatnonzero((day[-1] - day) % thin == 0)
    tell("begun", -1, everything)
    final = learn(known.rows(everything))
    ahead = pd.Series(answers(final, examples.ahead, kind), index=examples.ahead.index, name="prediction")
    tell("done", -1, everything)

    predictions = pd.concat([one.predictions for one in done])
    fold_table = pd.DataFrame([one.row for one in done]).rename_axis("fold")
    worth = [one.importance for one in done if one.importance is not None]
    scores = _overall(predictions, fold_table, kind)
    gains = _gains(predictions, kind, examples.lags)
    hardest = str(gains["gain"].idxmin())
    gain = (float(gains["gain"][hardest]), float(gains["low"][hardest]), float(gains["high"][hardest]))
    names = list(known.features.columns)
    return ModelResult(
        model=model,
        kind=kind,
        groups=examples.groups,
        foretold=chosen.foretells,
        parameters={
            "model": model,
            "target": examples.target,
            "features": " ".join(group.name for group in examples.groups),
            **examples.params,
            "scheme": chosen.name,
            **{key: value for key, value in asdict(chosen).items() if value is not None},  # type: ignore[call-overload]  # schemes are dataclasses
            **settings,
            "calibrate": calibrate or "no",
            "every": thin,
            "seed": seed,
        },
        predictions=predictions,
        folds=fold_table,
        paths=pd.DataFrame(
            {path: score(*said_of(rows, "prediction"), kind) for path, rows in predictions.groupby("path")}
        ).T.rename_axis("path"),
        scores=scores,
        gains=gains,
        calibration=calibration(*said_of(predictions, "prediction")),
        importance=pd.DataFrame(
            {
                "importance": np.mean(worth, axis=0) if worth else np.nan,
                "coefficient": _coefficients(final, len(names)),
            },
            index=pd.Index(names, name="feature"),
        ),
        estimator=final,
        ahead=ahead,
        latest=_latest(ahead, examples),
        verdict=verdict(scores, gain, kind, hardest),
        warnings=_warnings(scores, met, kind, examples),
    )


def _each(
    work: FoldWork,
    tasks: list[Task],
    engine: Engine | None,
    workers: int | None,
    tell: Callable[[str, int, np.ndarray], None],
) -> Iterator[Done]:
    """Yield what is done of each task: one after the other here, or wherever the engine runs."""
    if engine is None:
        for task in tasks:
            tell("begun", task.number, task.past)
            yield work(task)
        return
    for task in tasks:
        tell("begun", task.number, task.past)
    yield from map_work(work, tasks, engine=engine, workers=workers)


def _overall(predictions: pd.DataFrame, folds: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Return the scores over all folds; those that compare rows with each other as the folds' mean."""
    rows = {"model": "prediction", **{name: name for name in yardsticks(predictions)}}
    scores = pd.DataFrame({row: score(*said_of(predictions, name), kind) for row, name in rows.items()}).T
    ordering = "auc" if kind == "classification" else "rank_correlation"
    for row in rows:
        column = ordering if row == "model" else f"{row}_{ordering}"
        seen = folds[folds[column].notna()]
        scores.loc[row, ordering] = np.average(seen[column], weights=seen["n"]) if len(seen) else np.nan
    return scores.astype({"n": int})


def _gains(predictions: pd.DataFrame, kind: Kind, lags: int) -> pd.DataFrame:
    """Return the gain over each yardstick with its interval."""
    found = {name: gain_over(predictions, name, kind, lags=lags) for name in yardsticks(predictions)}
    return pd.DataFrame(found, index=["gain", "low", "high"]).T.rename_axis("yardstick")


def _coefficients(estimator: Any, n: int) -> FloatArray:
    """Return the coefficients of a linear model on scaled features; NaN for any other."""
    inside = estimator.model if isinstance(estimator, Calibrated) else estimator
    last = inside[-1] if isinstance(inside, Pipeline) else inside
    return np.ravel(getattr(last, "coef_", np.full(n, np.nan)))


def _latest(ahead: pd.Series, examples: Examples) -> pd.Series:
    """Return the predictions at the panel's last row, by symbol."""
    now = ahead[ahead.index.get_level_values("ts") == examples.sessions[-1]]
    name = "probability" if examples.kind == "classification" else "prediction"
    return pd.Series(now.to_numpy(dtype=np.float64), index=now.index.get_level_values("symbol"), name=name)


def _warnings(scores: pd.DataFrame, met: int, kind: Kind, examples: Examples) -> tuple[str, ...]:
    found = []
    if met:
        found.append(
            f"{met} training labels overlap the test: they are made of prices of the test, so the scores flatter."
        )
    if kind == "classification" and examples.target != "regime" and (auc := scores["auc"]["model"]) > SUSPICIOUS_AUC:
        found.append(
            f"An AUC of {auc:.2f} is more than daily prices have been known to give; look for a leak before "
            "believing it."
        )
    if examples.left_out:
        found.append(f"No row of the panel knows {', '.join(examples.left_out)}; the model does without.")
    if examples.shortened:
        found.append(examples.shortened)
    return tuple(found)
