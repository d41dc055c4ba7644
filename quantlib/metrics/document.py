"""The documentation of the metrics, written from their cards."""

from __future__ import annotations

from quantlib.metrics import METRICS
from quantlib.metrics.metric import MadeFrom, Metric

_HEAD = """# Metrics

Written by `python -m quantlib.metrics` from the cards in `quantlib/metrics`; do not edit.

Every metric comes as value, 95 % interval, number of observations and periods a year: `summary` of returns (with a \
benchmark also those against it), `account_summary` of what was held and traded, `trade_summary` of closed trades. \
The interval is the middle 95 % of the metric on stationary bootstrap resamples (Politis, Romano 1994), with blocks as \
long as Politis and White's rule asks for the returns or their squares, whichever is longer; a benchmark is resampled \
together with the returns. It shows sampling error only: not the trials it took to find a strategy, and not a future \
unlike this past.

**Too few.** Below 30 observations there is no interval, and what needs 30 (every ratio) is refused by its function \
and unknown in a summary. **Unknown** is NaN, never infinite: no risk seen is not infinite skill.

In the formulas: r returns of a period, n their number, P periods a year, f the risk-free rate of a period, b returns \
of the benchmark, std with n − 1 unless said otherwise.
"""

_ROOMS: dict[MadeFrom, tuple[str, str]] = {
    "returns": ("Of returns", "Simple returns, one a period, each −1 or above and none unknown."),
    "benchmark": ("Against a benchmark", "Returns of both on the same dates; nothing is filled."),
    "account": ("Of the account", "Traded notional, equity and weights of each session."),
    "trades": ("Of trades", "One row a trade of a group; open trades are left out."),
    "flows": (
        "Of an account with cash flows",
        "Values at dates, and money paid in (above zero) or out. They tell what one account did, so no interval is "
        "drawn; `summary(flow_adjusted_returns(values, flows))` has that of the time-weighted return.",
    ),
}

_TAIL = """## Tables and estimates

- `drawdown_table(returns, top)`: the deepest drawdowns with start (first session below the peak), trough, end \
(session that regained it; open: none), depth and sessions.
- `monthly_table(returns)`: years by months and the year; months compound to the year and years to the total.
- `rolling(returns, window)`: Sharpe ratio, volatility and, with a benchmark, beta over a window of 30 or more.
- `factor_regression(returns, factors)`: loadings, alpha and R² with Newey-West errors; daily returns are compounded \
to the months of the factors, months seen in part and periods without factors are left out and said. \
`quantlib.sources.french.french_factors()` has the three factors of Fama and French from 1926-07 to 2018-11.
- `capacity(traded, equity, daily_amount)`: the equity at which square-root market impact eats a stated share of the \
edge (Almgren, Thum, Hauptmann, Li 2005; Tóth et al. 2011).
- `growth_band(returns)`: where growth of 1 lies in 95 % of resampled histories at each date.
- `quantlib.backtest.fragility`: `break_even_cost`, the cost a side at which the edge is gone; `delay_decay`, a metric \
with its interval by sessions from decision to fill; `same_bar_band`, metrics if stop and target in one bar fall one \
way or the other.
- `equity_metrics_nb(equity, periods_per_year, first)`: total return, Sharpe ratio and maximum drawdown in one \
compiled pass, for sweeps; the same numbers as the functions.
"""

_UNLIKE = """## Where quantstats and empyrical differ

Compared with quantstats 0.0.86 and with the published formulas of empyrical in the tests: what is not listed is the \
same to 1e-9 where they have it.

| Metric | Difference, and why |
|---|---|
"""

_ELSEWHERE = (
    ("monthly_table", "quantstats shows 0 for a month without a return; here it is unknown."),
    (
        "drawdown_table",
        "quantstats ends a drawdown at its last day below the peak, also an open one, and counts calendar days; here "
        "it ends where the peak is regained, an open one has no end, and sessions are counted.",
    ),
    (
        "drawdowns of gains only",
        "quantstats guesses from the numbers whether it was given prices or returns: returns without a loss and with a "
        "doubling are read as prices. Here they are always returns.",
    ),
)


def markdown() -> str:
    """Return the documentation of all metrics as Markdown."""
    parts = [_HEAD]
    for made_from, (title, needs) in _ROOMS.items():
        rows = [_row(metric) for metric in METRICS.values() if metric.made_from == made_from]
        head = "| Metric | Key | Formula | Better | Least n | Reference |\n|---|---|---|---|---:|---|"
        parts.append(f"## {title}\n\n{needs}\n\n{head}\n" + "\n".join(rows) + "\n")
    unlike = [(metric.title, metric.differs) for metric in METRICS.values() if metric.differs]
    table = "\n".join(f"| {_cell(name)} | {_cell(words)} |" for name, words in (*unlike, *_ELSEWHERE))
    return "\n".join([*parts, _TAIL, f"{_UNLIKE}{table}\n"])


def _row(metric: Metric) -> str:
    better = {True: "higher", False: "lower", None: "neither"}[metric.higher_is_better]
    cells = (metric.title, f"`{metric.key}`", metric.formula, better, str(metric.least), metric.reference)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
