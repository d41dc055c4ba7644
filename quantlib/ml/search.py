"""Searching a model's parameters on purged folds, every fit reported: a search is many trials, not one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from quantlib.compute import Engine
from quantlib.errors import DataError
from quantlib.ml.evaluation import evaluate
from quantlib.ml.examples import Examples
from quantlib.ml.models import Between, OneOf, model_of
from quantlib.ml.schemes import PurgedKFold, Scheme
from quantlib.ml.scores import LOSS
from quantlib.ml.training import OnFit


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found.

    Parameters
    ----------
    model
        Its key in `MODELS`.
    params
        The best of the parameters tried.
    loss
        Their loss out of sample. It is the best of `len(trials)` and flatters by that: evaluate the parameters on
        sessions the search has not seen.
    default
        The loss of the model's own parameters on the same folds, which were tried first.
    trials
        One row a trial, in the order tried: the parameters, `loss` and `gain` over the hardest yardstick.
    fits
        How many models were fitted.
    """

    model: str
    params: dict[str, Any]
    loss: float
    default: float
    trials: pd.DataFrame
    fits: int

    @property
    def sentence(self) -> str:
        """What came of it."""
        start = f"The best of {len(self.trials)} sets of parameters ({self.fits} fits) has a loss of {self.loss:.4g}"
        if not self.params:
            return f"{start}: it is the model as it stands."
        return f"{start} against {self.default:.4g} as the model stands; chosen on these folds, so it flatters."


def search(
    examples: Examples,
    model: str,
    *,
    scheme: Scheme | None = None,
    trials: int = 20,
    seed: int = 7,
    n_jobs: int = 1,
    every: int | None = None,
    engine: Engine | None = None,
    workers: int | None = None,
    on_fit: OnFit | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> SearchResult:
    """Return the parameters with the lowest loss on purged folds, found by Optuna's tree-structured Parzen estimator.

    Parameters
    ----------
    examples
        What to search on; keep later sessions apart (`examples.until(t)`) to judge what is found.
    model
        A key of `MODELS` that has parameters.
    scheme
        How history is cut; None is `PurgedKFold(3)`.
    trials
        Sets of parameters to try, the first of them the model's own; 1 or more.
    seed
        For the search and for every model.
    n_jobs, every, engine, workers, on_fit
        See `evaluate`. Trials run one after the other, so that a seed gives the same search again.
    cancelled
        Asked before each trial; once it says yes, what was tried so far is returned.

    Raises
    ------
    DataError
        The model has nothing to search, a count is out of range, or nothing was tried before it was cancelled.
    """
    import optuna  # noqa: PLC0415  half a second, and only a search needs it

    space = model_of(model).space
    if not space:
        raise DataError(f"{model_of(model).title} has no parameters to search.")
    if trials < 1:
        raise DataError(f"trials is {trials}; accepted: a whole number of 1 or more.")
    folds = PurgedKFold(3) if scheme is None else scheme
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # a study made in memory is no news
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(5, trials // 4)), direction="minimize"
    )
    rows: list[dict[str, Any]] = []
    fits = 0
    for number in range(trials):
        if cancelled is not None and cancelled():
            break
        trial = study.ask(_distributions(space)) if number else None
        params = {} if trial is None else _chosen(trial.params, space)
        result = evaluate(
            examples,
            model,
            scheme=folds,
            params=params,
            every=every,
            importance=False,
            seed=seed,
            n_jobs=n_jobs,
            engine=engine,
            workers=workers,
            trial=number,
            on_fit=on_fit,
        )
        loss = float(result.scores[LOSS[result.kind]]["model"])
        fits += len(result.folds) + 1
        if trial is not None:
            study.tell(trial, loss)
        rows.append({"params": params, "loss": loss, "gain": result.gain})
    if not rows:
        raise DataError("The search was cancelled before its first trial.")
    table = pd.DataFrame(rows).rename_axis("trial")
    best = int(table["loss"].to_numpy().argmin())
    tried = pd.concat([pd.DataFrame(list(table["params"]), index=table.index), table[["loss", "gain"]]], axis=1)
    return SearchResult(model, rows[best]["params"], rows[best]["loss"], rows[0]["loss"], tried, fits)


def _distributions(space: Any) -> dict[str, Any]:
    """Return a space as Optuna's distributions."""
    from optuna.distributions import (  # noqa: PLC0415  see `search`
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    found: dict[str, Any] = {}
    for name, range_ in space.items():
        if isinstance(range_, OneOf):
            found[name] = CategoricalDistribution(list(range(len(range_.choices))))
        elif _whole(range_):
            found[name] = IntDistribution(int(range_.low), int(range_.high), log=range_.log)
        else:
            found[name] = FloatDistribution(range_.low, range_.high, log=range_.log)
    return found


def _chosen(params: dict[str, Any], space: Any) -> dict[str, Any]:
    """Return the values of parameters, those of a list by their place in it."""
    return {
        name: space[name].choices[value] if isinstance(space[name], OneOf) else value for name, value in params.items()
    }


def _whole(between: Between) -> bool:
    return isinstance(between.low, int) and isinstance(between.high, int)
