"""Charts: frames in, plotly figures out, in one look. Nothing here shows, saves or knows Streamlit."""

from __future__ import annotations

from quantlib.charts.coverage import coverage_heatmap, vendors_side_by_side
from quantlib.charts.figure import alt_text, stack, table_behind
from quantlib.charts.performance import compare_runs, drawdown, equity_curves, metric_intervals
from quantlib.charts.positions import trades_on_price, weights_over_time
from quantlib.charts.prices import candlestick, has_candles, price_line
from quantlib.charts.signals import indicator_pane, signal_chart
from quantlib.charts.simulation import fan_chart, outcome_histogram
from quantlib.charts.theme import PLOTLY_CONFIG, in_theme, series_color
from quantlib.charts.thinning import sparkline, thin

__all__ = [
    "PLOTLY_CONFIG",
    "alt_text",
    "candlestick",
    "compare_runs",
    "coverage_heatmap",
    "drawdown",
    "equity_curves",
    "fan_chart",
    "has_candles",
    "in_theme",
    "indicator_pane",
    "metric_intervals",
    "outcome_histogram",
    "price_line",
    "series_color",
    "signal_chart",
    "sparkline",
    "stack",
    "table_behind",
    "thin",
    "trades_on_price",
    "vendors_side_by_side",
    "weights_over_time",
]
