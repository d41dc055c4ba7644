"""Charts of prices: one instrument as a line or as candles, with its overlays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, days, figure, line, log_axis
from quantlib.charts.numbers import percent
from quantlib.charts.theme import LIGHT
from quantlib.charts.thinning import drawn, thin
from quantlib.errors import DataError
from quantlib.types import Panel

MAX_CANDLES = 400  # more are too narrow to read; longer spans are drawn in weeks or months


def price_line(
    panel: Panel,
    symbol: str,
    overlays: Mapping[str, pd.Series] | None = None,
    *,
    unit: str = "$",
    log: bool = False,
) -> go.Figure:
    """Return the closes of one symbol as a line, with overlays such as moving averages.

    Parameters
    ----------
    panel
        Prices; only the closes are read.
    symbol
        One of the panel's symbols.
    overlays
        Lines on the price axis by name, each with the panel's dates.
    unit
        Currency of the price axis.
    log
        Whether the price axis is logarithmic.
    """
    close = _closes(panel, symbol)
    frame = pd.DataFrame({symbol: close, **{k: v.reindex(close.index) for k, v in (overlays or {}).items()}})
    shown = thin(frame)
    x = days(shown.index)
    traces: Traces = [line(x, shown[symbol].to_numpy(), symbol, LIGHT.ink, unit=":,.2f}")]
    traces += _overlay_lines(shown.drop(columns=symbol), x)
    return figure(
        traces,
        kind=f"Line chart of the close of {symbol}",
        title=_finding(symbol, close),
        subtitle=_measured("Daily close", close, panel.source),
        note=drawn(len(close), len(shown)),
        y=f"Price ({unit})",
        layout={"yaxis": log_axis(float(close.min()), float(close.max()))} if log else None,
    )


def has_candles(panel: Panel, symbol: str) -> bool:
    """Return whether open, high and low of a symbol are known, so that candles can be drawn."""
    one = panel.select([symbol])
    return bool((np.isfinite(one.open) & np.isfinite(one.high) & np.isfinite(one.low)).any())


def candlestick(
    panel: Panel,
    symbol: str,
    overlays: Mapping[str, pd.Series] | None = None,
    *,
    unit: str = "$",
    log: bool = False,
) -> go.Figure:
    """Return the bars of one symbol as candles: hollow where the close is above the open, filled where below.

    Spans of more than 400 bars are drawn as weekly or monthly candles (first open, highest high, lowest low,
    last close), which hides no extreme; the subtitle says which.

    Raises
    ------
    DataError
        Only closes of the symbol are known.
    """
    close = _closes(panel, symbol)
    if not has_candles(panel, symbol):
        raise DataError(f"Only closes of {symbol} are known, so it has no candles. Draw price_line instead.")
    bars = pd.DataFrame({f: panel.frame(f)[symbol] for f in ("open", "high", "low", "close")}).dropna()
    extra = pd.DataFrame({k: v.reindex(bars.index) for k, v in (overlays or {}).items()}, index=bars.index)
    size, bars = _few_enough(bars)
    x = days(bars.index)
    traces: Traces = [
        {
            "type": "candlestick",
            "name": symbol,
            "x": x,
            **{field: bars[field].to_numpy() for field in bars.columns},
            "increasing": {"line": {"color": LIGHT.gain, "width": 1.2}, "fillcolor": "rgba(0,0,0,0)"},
            "decreasing": {"line": {"color": LIGHT.loss, "width": 1.2}, "fillcolor": LIGHT.loss},
            "showlegend": False,
        }
    ]
    traces += _overlay_lines(extra.reindex(bars.index), x)
    skip = [{"bounds": ["sat", "mon"]}] if size == "Daily" and not panel.trades_weekends else []
    return figure(
        traces,
        kind=f"{size} candles of {symbol}",
        title=_finding(symbol, close),
        subtitle=_measured(f"{size} candles (hollow: up, filled: down)", close, panel.source),
        y=f"Price ({unit})",
        layout={
            "xaxis": {"rangeslider": {"visible": False}, "rangebreaks": skip},
            **({"yaxis": log_axis(float(bars["low"].min()), float(bars["high"].max()))} if log else {}),
        },
    )


def _closes(panel: Panel, symbol: str) -> pd.Series:
    close = panel.select([symbol]).frame("close")[symbol].dropna()
    if close.empty:
        raise DataError(f"No close of {symbol} is known in this span. Choose a longer one.")
    return close


def _few_enough(bars: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Return the finest candles that are not too many to read, and what they are called."""
    if len(bars) <= MAX_CANDLES:
        return "Daily", bars
    weekly = _grouped(bars, "W")
    return ("Weekly", weekly) if len(weekly) <= MAX_CANDLES else ("Monthly", _grouped(bars, "M"))


def _grouped(bars: pd.DataFrame, period: str) -> pd.DataFrame:
    """Return one candle a period, standing at its last session, where its close and the overlays were known."""
    groups = pd.DatetimeIndex(bars.index).to_period(period)
    wide = bars.groupby(groups).agg({"open": "first", "high": "max", "low": "min", "close": "last"})
    return wide.set_axis(pd.DatetimeIndex(bars.index.to_series().groupby(groups).last()))


def _overlay_lines(frame: pd.DataFrame, x: np.ndarray) -> Traces:
    return [
        line(x, frame[name].to_numpy(), str(name), LIGHT.series[i % len(LIGHT.series)], unit=":,.2f}", width=1.2)
        for i, name in enumerate(frame.columns)
    ]


def _finding(symbol: str, close: pd.Series) -> str:
    change = close.iloc[-1] / close.iloc[0] - 1
    below = 1 - close.iloc[-1] / close.max()
    moved = "did not move" if abs(change) < 5e-4 else f"{'rose' if change > 0 else 'fell'} {percent(abs(change))}"
    place = "at its highest close" if below < 5e-4 else f"{percent(below)} below its high of {close.idxmax():%Y-%m-%d}"
    return f"{symbol} {moved} since {close.index[0]:%Y-%m-%d}; {place}"


def _measured(what: str, close: pd.Series, source: str) -> str:
    return f"{what} to {close.index[-1]:%Y-%m-%d}" + (f", source: {source}" if source else "")
