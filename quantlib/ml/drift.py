"""Whether today's features and predictions still look like those the model learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.types import FloatArray

#: Up to here, and from here on, by the custom of credit scoring, where the index comes from.
STABLE, DRIFTED = 0.10, 0.25
BINS = 10
_LEAST_SHARE = 1e-4


def population_stability(training: FloatArray, now: FloatArray, *, bins: int = BINS) -> float:
    """Return the population stability index of a variable, 0 where its distribution is that of training.

    The sum over bins of (share now - share then) x log(share now / share then). Bins hold equal shares of training;
    values that repeat leave fewer bins. An empty bin counts as a share of 1 in 10,000. Unknown values are left out;
    the index is NaN where either side has none known.

    Parameters
    ----------
    training, now
        Values [n], [m].
    bins
        2 or more.

    References
    ----------
    Siddiqi, N. (2006), Credit Risk Scorecards, chapter 8.

    Examples
    --------
    >>> population_stability(np.arange(100.0), np.arange(100.0))
    0.0
    """
    if bins < 2:
        raise DataError(f"bins is {bins}; accepted: 2 or more.")
    then, here = training[np.isfinite(training)], now[np.isfinite(now)]
    if not len(then) or not len(here):
        return float("nan")
    # The edges are values of training: a variable of few values keeps them apart.
    edges = np.unique(np.quantile(then, np.linspace(0.0, 1.0, bins + 1)[1:-1], method="lower"))
    shares = []
    for values in (then, here):
        counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
        shares.append(np.maximum(counts / len(values), _LEAST_SHARE))
    before, after = shares
    return float(((after - before) * np.log(after / before)).sum())


def drift(training: pd.DataFrame, now: pd.DataFrame, *, bins: int = BINS) -> pd.DataFrame:
    """Return the drift of each column against training, the worst first: `psi` and what that means in a `word`.

    "stable" is below 0.10, "moved" below 0.25, "drifted" from there on; "unknown" where there is nothing to compare.
    With few rows now the index is large by chance: about (bins - 1) x (1 / rows now + 1 / rows of training) is
    expected where nothing has changed, which is given as `noise`.

    Parameters
    ----------
    training
        Features the model learned from, and its predictions of them as a column where wanted.
    now
        The same columns of today.

    Raises
    ------
    DataError
        A column of training is missing now.
    """
    if missing := [name for name in training.columns if name not in now.columns]:
        raise DataError(f"Today's rows lack the column {missing[0]!r}, which the model learned from.")
    rows = {}
    for name in training.columns:
        then, here = (table[name].to_numpy(dtype=np.float64) for table in (training, now))
        known = [max(int(np.isfinite(values).sum()), 1) for values in (then, here)]
        index = population_stability(then, here, bins=bins)
        rows[name] = {"psi": index, "noise": (bins - 1) * (1 / known[0] + 1 / known[1]), "word": _word(index)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("feature")
    return table.sort_values("psi", ascending=False)


def _word(index: float) -> str:
    if np.isnan(index):
        return "unknown"
    return "stable" if index < STABLE else "moved" if index < DRIFTED else "drifted"
