"""How good out-of-sample probabilities were, and what may be said about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score
from statsmodels.regression.linear_model import OLS

from quantlib.types import FloatArray

SUSPICIOUS_AUC = 0.65


def score(up: FloatArray, probability: FloatArray) -> dict[str, float]:
    """Return log loss, AUC, accuracy (at one half), Brier score and the number of rows.

    The AUC is NaN where all rows went the same way.
    """
    both = up.min() != up.max()
    return {
        "log_loss": float(log_losses(up, probability).mean()),
        "auc": float(roc_auc_score(up, probability)) if both else float("nan"),
        "accuracy": float(((probability > 0.5) == (up > 0.5)).mean()),
        "brier": float(brier_score_loss(up, probability)),
        "n": len(up),
    }


def log_losses(up: FloatArray, probability: FloatArray) -> FloatArray:
    """Return the log loss of each row in nats; a certainty that was wrong costs 36, not infinity."""
    given = np.where(up > 0.5, probability, 1.0 - probability)
    return np.asarray(-np.log(np.maximum(given, np.finfo(float).eps)))


def calibration(up: FloatArray, probability: FloatArray, *, bins: int = 10) -> pd.DataFrame:
    """Return mean predicted probability, observed frequency and rows of bins of equal count, lowest first."""
    # Edges that coincide, as where few probabilities differ, leave fewer bins.
    edges = np.unique(np.quantile(probability, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    table = pd.DataFrame({"predicted": probability, "observed": up})
    grouped = table.groupby(np.searchsorted(edges, probability))
    return grouped.mean().assign(n=grouped.size()).rename_axis("bin")


def gain_over_prior(predictions: pd.DataFrame, *, horizon: int) -> tuple[float, float, float]:
    """Return by how much the model's log loss is below the prior's, with its 95 % interval.

    The test of Diebold and Mariano (1995): the difference of losses is summed over symbols at each session, as what
    moves them moves them together, and its mean's error is Newey-West's with 2 x horizon lags, as labels overlap.

    Parameters
    ----------
    predictions
        Indexed (ts, symbol), with columns `up`, `probability` and `prior`.
    horizon
        Sessions a label looks ahead.
    """
    up = predictions["up"].to_numpy()
    gain = log_losses(up, predictions["prior"].to_numpy()) - log_losses(up, predictions["probability"].to_numpy())
    difference = pd.Series(gain, index=predictions.index)
    by_session = difference.groupby(level="ts").sum()
    # Scaled so that the mean over sessions is the mean over rows, also where symbols come and go.
    daily = by_session.to_numpy() * len(by_session) / len(difference)
    if not daily.any():
        return 0.0, 0.0, 0.0
    fit = OLS(daily, np.ones(len(daily))).fit(cov_type="HAC", cov_kwds={"maxlags": min(2 * horizon, len(daily) - 1)})
    ((low, high),) = fit.conf_int(0.05)
    return float(fit.params[0]), float(low), float(high)


def verdict(scores: pd.DataFrame, gain: tuple[float, float, float]) -> str:
    """Return one sentence: both log losses, and whether the difference is more than chance.

    Parameters
    ----------
    scores
        Rows `model` and `prior`, columns of `score`.
    gain
        What `gain_over_prior` returned.
    """
    mean, low, high = gain
    loss = scores["log_loss"]
    start = f"Out of sample the model's log loss is {loss['model']:.4f} against {loss['prior']:.4f} for the prior: "
    if low > 0:
        return (
            f"{start}an edge of {mean:.4f} (95 % interval {low:.4f} … {high:.4f}), "
            f"AUC {scores['auc']['model']:.3f}, before costs."
        )
    if mean > 0:
        return f"{start}no edge beyond chance (gain {mean:.4f}, 95 % interval {low:.4f} … {high:.4f})."
    return f"{start}no edge."
