"""Charts of models: whether what they say comes true, what they lean on, and how they did fold by fold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import figure, line
from quantlib.charts.theme import LIGHT

MOST_BARS = 15


def calibration_chart(calibration: pd.DataFrame, *, what: str = "probability") -> go.Figure:
    """Return what was said against what came true, in bins of equal count.

    Parameters
    ----------
    calibration
        Columns `predicted`, `observed` and `n`, one row a bin.
    what
        What was said: "probability" or "prediction".
    """
    said, true = calibration["predicted"].to_numpy(), calibration["observed"].to_numpy()
    ends = np.array([min(said.min(), true.min()), max(said.max(), true.max())])
    off = float(np.average(np.abs(said - true), weights=calibration["n"]))
    dots = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": said,
        "y": true,
        "name": "observed",
        "line": {"color": LIGHT.accent, "width": 1.6},
        "marker": {"size": 8},
        "customdata": calibration["n"].to_numpy(),
        "hovertemplate": "said %{x:.3f}, came true %{y:.3f} of %{customdata:,} rows<extra></extra>",
    }
    return figure(
        [line(ends, ends, "as said", LIGHT.muted, dash="dot"), dots],
        kind=f"Line chart of what came true by the {what} that was said",
        title=f"What came true is {off:.3g} from what was said on average",
        subtitle=f"Out of sample, {len(calibration)} bins of equal count",
        x=f"{what.capitalize()} said",
        y="Observed",
        layout={"xaxis": {"hoverformat": ".3f"}},
        table=calibration,
    )


def importance_bars(importance: pd.Series) -> go.Figure:
    """Return by how much the loss out of sample rises when a feature is shuffled, the most important first."""
    top = importance.dropna().sort_values(ascending=False).head(MOST_BARS)
    best = top.index[0] if len(top) and top.iloc[0] > 0 else None
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": top.to_numpy()[::-1],
        "y": [str(name) for name in top.index[::-1]],
        "marker": {"color": LIGHT.accent},
        "hovertemplate": "%{y}: %{x:.3g}<extra></extra>",
    }
    return figure(
        [bars],
        kind="Bar chart of the importance of features",
        title="No feature makes a difference out of sample" if best is None else f"It leans on {best} most",
        subtitle="Rise of the loss out of sample when the feature is shuffled, mean over folds",
        x="Rise of the loss",
        height=120 + 24 * len(top),
        layout={"xaxis": {"hoverformat": ".3g"}, "yaxis": {"automargin": True}},
        table=top.to_frame("importance"),
    )


def fold_losses(folds: pd.DataFrame, loss: str) -> go.Figure:
    """Return the loss of model and prior in each fold.

    Parameters
    ----------
    folds
        Columns named `loss` and `prior_` + `loss`, one row a fold.
    loss
        Such as "log_loss".
    """
    better = int((folds[loss] < folds[f"prior_{loss}"]).sum())
    x = np.arange(1, len(folds) + 1)
    words = loss.replace("_", " ")
    return figure(
        [
            line(x, folds[f"prior_{loss}"].to_numpy(), "prior", LIGHT.muted, dash="dot"),
            line(x, folds[loss].to_numpy(), "model", LIGHT.accent),
        ],
        kind=f"Line chart of the {words} by fold",
        title=f"Better than the prior in {better} of {len(folds)} folds",
        subtitle="Out of sample, in time order",
        x="Fold",
        y=words.capitalize(),
        layout={"xaxis": {"hoverformat": "d"}},
        table=folds[[loss, f"prior_{loss}"]],
    )
