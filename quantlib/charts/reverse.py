"""Charts of stress in reverse: the smallest move that costs so much, and the likeliest worlds that do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, figure
from quantlib.charts.numbers import count, percent, ratio, signed_percent
from quantlib.charts.scenarios import ROW
from quantlib.charts.theme import LIGHT, fade
from quantlib.errors import DataError


def reverse_bars(
    shocks: pd.Series, *, loss: float, distance: float, probability: float, sessions: int = 1
) -> go.Figure:
    """Return the smallest move that breaks a book, symbol by symbol.

    Parameters
    ----------
    shocks
        Move of each symbol, as a fraction.
    loss
        What the book loses by it.
    distance
        Standard deviations of the book.
    probability
        Of losing as much, by the normal law.
    sessions
        Over which it all happens.

    Raises
    ------
    DataError
        A move is not known, or there is none.
    """
    values = shocks.to_numpy(dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise DataError("The smallest move is not known for every symbol, so there is nothing to draw.")
    ordered = shocks.sort_values(ascending=False, kind="stable")
    largest = int(np.abs(ordered.to_numpy()).argmax())
    traces: Traces = [
        {
            "type": "bar",
            "orientation": "h",
            "x": ordered.to_numpy() * 100,
            "y": [str(symbol) for symbol in ordered.index],
            "name": "Move (%)",
            "marker": {"color": [fade(LIGHT.loss if move < 0 else LIGHT.gain, 0.8) for move in ordered]},
            "text": [signed_percent(move) for move in ordered],
            "textposition": "auto",
            "hovertemplate": "%{y} %{x:+.2f} %<extra></extra>",
        }
    ]
    return figure(
        traces,
        kind="Bar chart of the smallest move that loses so much",
        title=f"The likeliest way to lose {percent(loss)} in {_sessions(sessions)} moves {ordered.index[largest]} by "
        f"{signed_percent(ordered.iloc[largest])}",
        subtitle=f"{ratio(distance, 1)} standard deviations of the book away; {odds(probability)} by a normal law, "
        "whose tails are too thin",
        x="Move (%)",
        height=140 + ROW * len(ordered),
        layout={
            "hovermode": "closest",
            "showlegend": False,
            "xaxis": {"hoverformat": ""},
            "yaxis": {"type": "category", "categoryorder": "array", "categoryarray": list(map(str, ordered.index))},
        },
        table=ordered.to_frame("shock"),
    )


def breach_dots(
    table: pd.DataFrame,
    symbols: Sequence[str],
    *,
    loss: float,
    breaching: int,
    worlds: int,
    simulator: str,
    sessions: int = 1,
    drawdown: bool = False,
) -> go.Figure:
    """Return the likeliest simulated worlds that lose so much as dots, one row a symbol.

    Parameters
    ----------
    table
        One row a world, the likeliest first: loss, distance, plausibility, and the move of each symbol, as fractions.
    symbols
        Whose moves are drawn.
    loss, sessions, drawdown
        What is lost, over how many sessions, and whether it counts from the highest equity on the way.
    breaching, worlds, simulator
        How many lose so much, of how many, and the title of what made them.

    Raises
    ------
    DataError
        There is no world or symbol, or a move is not known.
    """
    moves = table[list(symbols)].to_numpy(dtype=np.float64)
    if not moves.size or not np.isfinite(moves).all():
        raise DataError("The moves are not known for every world and symbol, so there is nothing to draw.")
    # The likeliest world gives the order, so its dots read as one line from top to bottom.
    order = np.argsort(-moves[0], kind="stable")
    names, first, others = [str(symbols[k]) for k in order], moves[0, order] * 100, moves[1:, order] * 100
    largest = int(np.abs(first).argmax())
    when = f"within {_sessions(sessions)}" if drawdown else f"in {_sessions(sessions)}"
    what = f"fall {percent(loss)} below their highest" if drawdown else f"lose {percent(loss)}"
    distance, plausibility = (float(table[name].iloc[0]) for name in ("distance", "plausibility"))
    dots = {"type": "scatter", "mode": "markers", "hovertemplate": "%{y} %{x:+.1f} %, %{customdata}<extra></extra>"}
    traces: Traces = [
        {
            **dots,
            "x": others.ravel(),
            "y": names * len(others),
            "name": f"The {len(others)} next",
            "customdata": np.repeat([f"world {world}" for world in table.index[1:]], len(names)),
            "marker": {"size": 7, "color": fade(LIGHT.muted, 0.55)},
        },
        {
            **dots,
            "x": first,
            "y": names,
            "name": "The likeliest",
            "customdata": [f"world {table.index[0]}"] * len(names),
            "marker": {"size": 12, "color": LIGHT.loss, "symbol": "diamond"},
        },
    ]
    return figure(
        traces[0 if len(others) else 1 :],
        kind="Dot plot of the moves in the likeliest worlds that lose so much",
        title=f"{count(breaching)} of {count(worlds)} worlds ({percent(breaching / worlds)}) {what} {when}; the "
        f"likeliest moves {names[largest]} by {signed_percent(first[largest] / 100)}",
        subtitle=f"Worlds by {simulator}; the likeliest lies {how_far(distance, plausibility)}",
        x="Move (%)",
        height=150 + ROW * len(names),
        layout={
            "hovermode": "closest",
            "xaxis": {"hoverformat": ""},
            "yaxis": {"type": "category", "categoryorder": "array", "categoryarray": names},
        },
        table=table,
    )


def how_far(distance: float, plausibility: float) -> str:
    """Return in words how far a move lies from the usual, and how often one as far or further is seen.

    Examples
    --------
    >>> how_far(1.23, 0.47)
    '1.2 standard deviations away; as far or further: 47.0 %'
    """
    return f"{ratio(distance, 1)} standard deviations away; as far or further: {odds(plausibility)}"


def _sessions(count_of: int) -> str:
    return "one session" if count_of == 1 else f"{count_of:,} sessions"


def odds(probability: float) -> str:
    """Return a probability in words: as a percentage, or one in how many."""
    if probability >= 0.001:
        return percent(probability)
    return f"once in {1 / probability:.1e} times" if probability < 1e-9 else f"once in {1 / probability:,.0f} times"
