"""Charts: frames in, plotly figures out, in one look. Nothing here shows, saves or knows Streamlit."""

from __future__ import annotations

from quantlib.charts.coverage import coverage_heatmap, vendors_side_by_side
from quantlib.charts.experiments import parameter_paths, trial_curves
from quantlib.charts.figure import alt_text, stack, table_behind
from quantlib.charts.learning import calibration_chart, fold_losses, importance_bars
from quantlib.charts.performance import compare_runs, drawdown, equity_curves, metric_intervals
from quantlib.charts.positions import trades_on_price, weights_over_time
from quantlib.charts.prices import candlestick, has_candles, price_line
from quantlib.charts.realism import acf_comparison, realism_heatmap, realism_intervals
from quantlib.charts.record import equity_band, exposure, monthly_heatmap, rolling_line
from quantlib.charts.reverse import breach_dots, reverse_bars
from quantlib.charts.scenarios import scenario_bars, scenario_heatmap
from quantlib.charts.sensitivity import by_delay, sweep_heatmap
from quantlib.charts.signals import indicator_pane, signal_chart
from quantlib.charts.simulation import fan_chart, outcome_histogram
from quantlib.charts.theme import PLOTLY_CONFIG, in_theme, series_color
from quantlib.charts.thinning import sparkline, thin
from quantlib.charts.trades import cost_parts, excursions, profit_by_leg, profit_by_reason, trades_on_spread
from quantlib.charts.validation import (
    cost_room,
    forward_curves,
    luck_chart,
    overfitting_logits,
    parts_chart,
    plateau_line,
    spread_beside,
)
from quantlib.charts.worlds import outcomes_by_simulator, stops_paired, zero_edge_chart

__all__ = [
    "PLOTLY_CONFIG",
    "acf_comparison",
    "alt_text",
    "breach_dots",
    "by_delay",
    "calibration_chart",
    "candlestick",
    "compare_runs",
    "cost_parts",
    "cost_room",
    "coverage_heatmap",
    "drawdown",
    "equity_band",
    "equity_curves",
    "excursions",
    "exposure",
    "fan_chart",
    "fold_losses",
    "forward_curves",
    "has_candles",
    "importance_bars",
    "in_theme",
    "indicator_pane",
    "luck_chart",
    "metric_intervals",
    "monthly_heatmap",
    "outcome_histogram",
    "outcomes_by_simulator",
    "overfitting_logits",
    "parameter_paths",
    "parts_chart",
    "plateau_line",
    "price_line",
    "profit_by_leg",
    "profit_by_reason",
    "realism_heatmap",
    "realism_intervals",
    "reverse_bars",
    "rolling_line",
    "scenario_bars",
    "scenario_heatmap",
    "series_color",
    "signal_chart",
    "sparkline",
    "spread_beside",
    "stack",
    "stops_paired",
    "sweep_heatmap",
    "table_behind",
    "thin",
    "trades_on_price",
    "trades_on_spread",
    "trial_curves",
    "vendors_side_by_side",
    "weights_over_time",
    "zero_edge_chart",
]
