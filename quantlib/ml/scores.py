"""How good out-of-sample answers were beside a yardstick's, and what may be said about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.fft import dct
from scipy.special import stdtrit
from sklearn.metrics import brier_score_loss, roc_auc_score

from quantlib.ml.targets.target import Kind
from quantlib.types import FloatArray

SUSPICIOUS_AUC = 0.65
#: Cosines below which there is no interval: a stretch twice the horizon makes one.
FEWEST = 3
#: What the loss is called, by kind of target.
LOSS: dict[Kind, str] = {"classification": "log_loss", "regression": "mse"}


def score(label: FloatArray, said: FloatArray, kind: Kind = "classification") -> dict[str, float]:
    """Return the scores of answers and the number of rows.

    Of probabilities: log loss, AUC (NaN where all rows went the same way), accuracy at one half, Brier score. Of
    numbers: mean squared error, mean absolute error, and the correlation of ranks over all rows (NaN where either
    side is all the same).
    """
    if kind == "regression":
        same = np.ptp(label) == 0 or np.ptp(said) == 0
        ranks = np.nan if same else np.corrcoef(pd.Series(label).rank(), pd.Series(said).rank())[0, 1]
        error = said - label
        return {
            "mse": float((error**2).mean()),
            "mae": float(np.abs(error).mean()),
            "rank_correlation": float(ranks),
            "n": len(label),
        }
    both = label.min() != label.max()
    return {
        "log_loss": float(log_losses(label, said).mean()),
        "auc": float(roc_auc_score(label, said)) if both else float("nan"),
        "accuracy": float(((said > 0.5) == (label > 0.5)).mean()),
        "brier": float(brier_score_loss(label, said)),
        "n": len(label),
    }


def log_losses(up: FloatArray, probability: FloatArray) -> FloatArray:
    """Return the log loss of each row in nats; a certainty that was wrong costs 36, not infinity."""
    given = np.where(up > 0.5, probability, 1.0 - probability)
    return np.asarray(-np.log(np.maximum(given, np.finfo(float).eps)))


def losses(label: FloatArray, said: FloatArray, kind: Kind) -> FloatArray:
    """Return the loss of each row: log loss of a probability, squared error of a number."""
    return log_losses(label, said) if kind == "classification" else np.asarray((said - label) ** 2)


def calibration(up: FloatArray, probability: FloatArray, *, bins: int = 10) -> pd.DataFrame:
    """Return mean predicted probability, observed frequency and rows of bins of equal count, lowest first.

    Of numbers: mean predicted and mean observed.
    """
    # Edges that coincide, as where few probabilities differ, leave fewer bins.
    edges = np.unique(np.quantile(probability, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    table = pd.DataFrame({"predicted": probability, "observed": up})
    grouped = table.groupby(np.searchsorted(edges, probability))
    return grouped.mean().assign(n=grouped.size()).rename_axis("bin")


def gain_over(
    predictions: pd.DataFrame, baseline: str, kind: Kind, *, lags: int, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return by how much the model's loss is below that of a yardstick, with an interval.

    The test of Diebold and Mariano (1995): the difference of losses is summed over symbols at each session, as what
    moves them moves them together. Labels overlap, so its mean's error is estimated from waves so long that they do
    not matter: equal-weighted cosines, each as good as one independent observation, which makes the interval that of
    Student's t with as many degrees of freedom. A row that was asked about several times counts with the mean of its
    differences.

    Parameters
    ----------
    predictions
        Indexed (ts, symbol), with columns `label`, `prediction` and the baseline's.
    baseline
        The column of the yardstick, such as `prior`.
    kind
        Of the target.
    lags
        Sessions after which two losses share nothing: twice the horizon.
    confidence
        Of the interval, between 0 and 1.

    Returns
    -------
    tuple
        The gain and the ends of its interval, which are infinite where there are fewer than `FEWEST` cosines: the
        sessions are then too few for anything to be said.

    Notes
    -----
    There is a cosine for every `lags` sessions, so that no half wave is shorter, and at most 0.4 n^(2/3) of them. The
    usual standard error of Newey and West with normal quantiles takes an edge to be there far too often.

    References
    ----------
    Lazarus, Lewis, Stock, Watson (2018), HAR inference: recommendations for practice, Journal of Business & Economic
    Statistics 36(4), 541-559.
    """
    label = predictions["label"].to_numpy()
    gain = losses(label, predictions[baseline].to_numpy(), kind) - losses(
        label, predictions["prediction"].to_numpy(), kind
    )
    difference = pd.Series(gain, index=predictions.index)
    by_session = difference.groupby(level="ts").sum()
    # Scaled so that the mean over sessions is the mean over rows, also where symbols come and go.
    daily = by_session.to_numpy() * len(by_session) / len(difference)
    if not daily.any():
        return 0.0, 0.0, 0.0
    mean = float(daily.mean())
    cosines = min(len(daily) // max(lags, 1), int(0.4 * len(daily) ** (2.0 / 3.0)))
    if cosines < FEWEST:
        return mean, -np.inf, np.inf
    waves = dct(daily, norm="ortho")[1 : cosines + 1]
    reach = float(np.sqrt((waves**2).mean() / len(daily)) * stdtrit(cosines, 0.5 + confidence / 2.0))
    return mean, mean - reach, mean + reach


def gain_interval(low: float, high: float, digits: str, *, confidence: float = 0.95) -> str:
    """Return the words for what `gain_over` gave as an interval."""
    percent = f"{100.0 * confidence:.4g} %"
    if np.isinf(low):
        return f"too few sessions for a {percent} interval"
    return f"{percent} interval {low:{digits}} … {high:{digits}}"


def verdict(scores: pd.DataFrame, gain: tuple[float, float, float], kind: Kind, baseline: str) -> str:
    """Return one sentence: both losses, and whether the difference is more than chance.

    Parameters
    ----------
    scores
        Rows `model` and the yardsticks', columns of `score`.
    gain
        What `gain_over` returned.
    kind
        Of the target.
    baseline
        The yardstick that was hardest to beat.
    """
    mean, low, high = gain
    loss = scores[LOSS[kind]]
    words, digits = ("log loss", ".4f") if kind == "classification" else ("mean squared error", ".4g")
    start = (
        f"Out of sample the model's {words} is {loss['model']:{digits}} against {loss[baseline]:{digits}} for the "
        f"{'prior' if baseline == 'prior' else 'last known value'}: "
    )
    between = gain_interval(low, high, digits)
    if low > 0:
        skill = (
            f"AUC {scores['auc']['model']:.3f}"
            if kind == "classification"
            else f"{mean / loss[baseline]:.1%} of the error explained"
        )
        return f"{start}an edge of {mean:{digits}} ({between}), {skill}, before costs."
    if mean > 0:
        return f"{start}no edge beyond chance (gain {mean:{digits}}, {between})."
    return f"{start}no edge."
