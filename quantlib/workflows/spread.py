"""The spread of a definition before it is run: whether its legs belong together, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts import rolling_line, signal_chart
from quantlib.charts.numbers import Unit, known
from quantlib.strategies import Explanation, Group, Strategy
from quantlib.strategies.diagnostics import diagnose
from quantlib.types import DateLike
from quantlib.workflows.research import strategy_panel
from quantlib.workflows.session import Session


@dataclass(frozen=True, eq=False)
class SpreadView:
    """What there is to see of a definition before it is run. Nothing of it is a try.

    Parameters
    ----------
    sentences
        What the past says about the spread, or what the rule says now where there is no spread.
    figures
        The number that the rule hangs on, and the hedge ratio through time, by name.
    windows
        Cointegration, half-life and ratio over all sessions and by windows; None without a spread.
    """

    sentences: tuple[str, ...]
    figures: dict[str, go.Figure]
    windows: pd.DataFrame | None


def look_at_spread(session: Session, strategy: Strategy, start: DateLike | None = None) -> SpreadView:
    """Return what there is to see of a definition before it is run.

    Raises
    ------
    DataError
        A symbol has no prices, or the legs share too few sessions or move as one.
    """
    panel = strategy_panel(session, strategy, start)
    why = strategy.explain(panel)
    figures = {} if (drawn := signal_figure(why)) is None else {"signal": drawn}
    if not isinstance(strategy, Group) or strategy.kind == "rotation":
        return SpreadView(why.reasons, figures, None)
    found = diagnose(strategy, panel)
    ratio = found.measured["hedge_ratio"] if "hedge_ratio" in found.measured else pd.Series(dtype="float64")
    if strategy.linked and ratio.min() < ratio.max():
        name = f"Hedge ratio of {'/'.join(strategy.symbols)}"
        figures["ratio"] = rolling_line(ratio.rename(name), "hedge ratio", window=strategy.hedge.lookback)
    return SpreadView(found.sentences, figures, found.windows)


def signal_figure(why: Explanation) -> go.Figure | None:
    """Return the number that a rule hangs on, or None while it has none."""
    if known(why.value) is None:
        return None
    unit: Unit = "percent" if why.unit == "percent" else "ratio"
    return signal_chart(why.series, why.levels, why.value, signal=why.signal, unit=unit, percentile=why.percentile)
