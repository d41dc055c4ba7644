"""Charts of a trained model: its gain fold by fold, what it says over time, and whether the world has moved on."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import days, figure, level_marks, line
from quantlib.charts.theme import LIGHT, fade, series_color
from quantlib.charts.thinning import drawn, thin

#: Features that are drawn; of more those that moved most.
MOST_BARS = 15
#: Symbols whose predictions are drawn as lines of their own.
MOST_LINES = 6


def fold_gains(
    folds: pd.DataFrame, loss: str, *, gain: float, low: float, high: float, over: str = "prior"
) -> go.Figure:
    """Return the gain over a yardstick in each fold, beside the gain over all with its 95 % interval.

    Parameters
    ----------
    folds
        Columns named `loss` and `over` + "_" + `loss`, one row a fold; `test_start` where it is known.
    loss
        Such as "log_loss".
    gain, low, high
        Over that yardstick, on all rows; ends that are infinite or NaN are not drawn.
    over
        "prior" or "naive".
    """
    each = (folds[f"{over}_{loss}"] - folds[loss]).to_numpy(dtype=np.float64)
    better = int((each > 0).sum())
    names = [str(text)[:10] for text in folds["test_start"]] if "test_start" in folds else list(map(str, folds.index))
    words, yardstick = loss.replace("_", " "), "base rate" if over == "prior" else "last known value"
    dots = {
        "type": "bar",
        "x": names,
        "y": each,
        "name": "gain in a fold",
        "marker": {"color": [LIGHT.gain if value > 0 else LIGHT.loss for value in each]},
        "showlegend": False,
        "hovertemplate": "test from %{x}: %{y:+.4f}<extra></extra>",
    }
    sure = "above zero" if low > 0 else "below zero" if high < 0 else "zero is within it"
    # Of too few sessions the interval is infinite, and is not kept.
    bounded = bool(np.isfinite([low, high]).all())
    between = f"95 % interval {low:+.4g} to {high:+.4g} (the band): {sure}"
    band = {
        "type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": low, "y1": high,
        "fillcolor": fade(LIGHT.accent, 0.18), "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
    marks = level_marks({"all folds": gain}, LIGHT.accent)
    return figure(
        [dots],
        kind=f"Bar chart of the gain in {words} by fold, with the interval over all folds as a band",
        title=f"Better than the {yardstick} in {better} of {len(each)} folds",
        subtitle=f"Gain over all: {gain:+.4g}, {between if bounded else 'too few sessions for an interval'}",
        x="First session of the test",
        y=f"Gain in {words}",
        layout={
            **marks,
            "shapes": [*([band] if bounded else []), *marks["shapes"]],
            "xaxis": {"type": "category", "nticks": 12, "hoverformat": ""},
            "yaxis": {"zeroline": True},
        },
        table=pd.DataFrame({"test from": names, "gain": each}).set_index("test from"),
    )


def predictions_over_time(said: pd.DataFrame, learned_until: date, *, what: str = "Probability") -> go.Figure:
    """Return what a model said of each session at the time, and since when it is the model as it stands.

    Parameters
    ----------
    said
        By session and symbol [time x symbol].
    learned_until
        The last session before those that are foretold by the model as it stands.
    what
        What it says.
    """
    symbols = [str(symbol) for symbol in said.columns]
    shown = thin(said.iloc[:, :MOST_LINES].mean(axis=1).to_frame("mean")) if len(symbols) > MOST_LINES else thin(said)
    traces = [
        line(days(shown.index), shown[name].to_numpy(), str(name), series_color(str(name)), width=1.1, unit=":.3f")
        for name in shown.columns
    ]
    latest = said.iloc[-1].dropna()
    title = "Today it says nothing"
    if len(latest):
        top, bottom = str(latest.idxmax()), str(latest.idxmin())
        title = f"Today it says {latest[top]:.3g} of {top}"
        if top != bottom:
            title += f", the most, and {latest[bottom]:.3g} of {bottom}, the least"
    since = {
        "type": "line", "xref": "x", "x0": str(learned_until), "x1": str(learned_until), "yref": "paper",
        "y0": 0, "y1": 1, "line": {"color": LIGHT.muted, "width": 1, "dash": "dot"},
    }  # fmt: skip
    return figure(
        traces,
        kind=f"Line chart of the {what.lower()} by session",
        title=title,
        subtitle=f"Each said before it came true; from the dotted line ({learned_until}) on by the model as it stands",
        note=drawn(len(said), len(shown)),
        y=what,
        layout={"shapes": [since]},
    )


def drift_bars(drift: pd.DataFrame, *, stable: float, drifted: float) -> go.Figure:
    """Return how far features and predictions have moved from those a model learned from, the farthest first.

    Parameters
    ----------
    drift
        Indexed by feature: `psi` and its `word`.
    stable, drifted
        Up to where nothing has moved, and from where on it has drifted.
    """
    top = drift.dropna(subset="psi").sort_values("psi", ascending=False).head(MOST_BARS)[::-1]
    colors = {"stable": LIGHT.gain, "moved": LIGHT.caution, "drifted": LIGHT.loss}
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": top["psi"].to_numpy(),
        "y": [str(name) for name in top.index],
        "marker": {"color": [colors[str(word)] for word in top["word"]]},
        "text": [str(word) for word in top["word"]],
        "hovertemplate": "%{y}: %{x:.3f}, %{text}<extra></extra>",
    }
    moved = drift[drift["word"] == "drifted"]
    title = (
        f"{len(moved)} of {len(drift)} have drifted, {moved['psi'].idxmax()} most"
        if len(moved)
        else "Nothing has drifted from what it learned from"
    )
    lines = [
        {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at,
         "line": {"color": LIGHT.muted, "width": 1, "dash": "dot"}}
        for at in (stable, drifted)
    ]  # fmt: skip
    return figure(
        [bars],
        kind="Bar chart of the population stability index of features and predictions",
        title=title,
        subtitle=f"The last year against all before; stable up to {stable:g}, drifted from {drifted:g} (dotted)",
        x="Population stability index",
        height=130 + 24 * len(top),
        layout={"shapes": lines, "xaxis": {"hoverformat": ".3f"}, "yaxis": {"automargin": True}},
        table=drift[["psi", "noise", "word"]],
    )


def gain_intervals(table: pd.DataFrame, *, what: str, over: str = "history alone") -> go.Figure:
    """Return gains with their 95 % intervals, one row each.

    Parameters
    ----------
    table
        Indexed by what gained: `gain`, `low`, `high`, the ends infinite where there is no interval to draw; a row
        named `history` is what the others gain over, and is left out.
    what
        The loss that the gain is of.
    over
        What it is gained over.
    """
    rows = table.drop(index="history", errors="ignore")[::-1]
    better, worse = int((rows["low"] > 0).sum()), int((rows["high"] < 0).sum())
    gain, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("gain", "low", "high"))
    ends = [np.where(np.isfinite(reach), reach, 0.0) for reach in (high - gain, gain - low)]
    colors = [LIGHT.gain if a > 0 else LIGHT.loss if b < 0 else LIGHT.muted for a, b in zip(low, high, strict=True)]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": gain,
        "y": [str(name) for name in rows.index],
        "marker": {"size": 10, "color": colors},
        "error_x": {"type": "data", "symmetric": False, "array": ends[0], "arrayminus": ends[1]},
        "hovertemplate": "%{y}: %{x:+.4g}<extra></extra>",
    }
    zero = {
        "type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": 0, "x1": 0,
        "line": {"color": LIGHT.muted, "width": 1, "dash": "dot"},
    }  # fmt: skip
    return figure(
        [dots],
        kind=f"Dots with intervals of the gain in {what}",
        title=f"{better} of {len(rows)} helped beyond chance, {worse} hurt",
        subtitle=f"Gain in {what} over {over}, out of sample, 95 % intervals",
        x="Gain",
        height=150 + 40 * len(rows),
        layout={"shapes": [zero], "xaxis": {"hoverformat": "+.4g"}, "yaxis": {"automargin": True}},
        table=table,
    )
