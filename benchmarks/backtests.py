"""The backtest against plain pandas, and against a bare loop that keeps nothing: the practical limit."""

from __future__ import annotations

import numba
import numpy as np
import pandas as pd
from skfolio.datasets import load_sp500_dataset

from benchmarks.race import Race, best_times, must_agree
from quantlib.backtest import equity_of, prepare, run, run_account, run_strategy
from quantlib.costs import Costs
from quantlib.metrics import METRICS
from quantlib.strategies import MACross
from quantlib.types import FloatArray, Panel

PAIRS = [(fast, slow) for fast in (10, 20, 30, 40, 50) for slow in (100, 150, 200, 250)]
THREE = [METRICS[key].kernel for key in ("total_return", "sharpe_ratio", "max_drawdown")]
COSTS = Costs()


def three_metrics(equity: FloatArray) -> list[float]:
    """Return total return, Sharpe ratio and maximum drawdown of an account."""
    returns = np.diff(equity, prepend=equity[0]) / np.concatenate([equity[:1], equity[:-1]])
    return [float(kernel(returns, 252.0)) for kernel in THREE if kernel is not None]


def by_workbench(panel: Panel) -> list[list[float]]:
    """Return the metrics of every pair by the road of whoever asks for equity alone, and of many accounts."""
    answers, market = [], prepare(panel, COSTS)
    for fast, slow in PAIRS:
        targets = MACross(universe=panel.symbols, fast=fast, slow=slow).targets(panel).to_numpy()
        answers.append(three_metrics(equity_of(market, targets, rebalance="every_bar")))
    return answers


def by_pandas(close: pd.DataFrame) -> list[list[float]]:
    """Return the same as most would write it: whole frames at a time.

    The cost of a day is taken off its return, where the workbench sizes positions on what is left after it: a
    difference of second order, some 1e-8 a day.
    """
    returns = close.pct_change().fillna(0.0)
    answers = []
    for fast, slow in PAIRS:
        wanted = (close.rolling(fast).mean() > close.rolling(slow).mean()) / close.shape[1]
        # Decided at t, filled at the close of t + 1, so it earns from t + 2 on.
        filled, held = wanted.shift(1, fill_value=0.0), wanted.shift(2, fill_value=0.0)
        gross = (held * returns).sum(axis=1)
        drifted = (held * (1.0 + returns)).div(1.0 + gross, axis=0)
        cost = (filled - drifted).abs().sum(axis=1) * COSTS.usual_side
        equity = ((1.0 + gross) * (1.0 - cost)).cumprod()
        peak = equity.cummax()
        net = equity.pct_change().fillna(0.0)
        answers.append([equity.iloc[-1] - 1.0, net.mean() / net.std() * 252**0.5, (equity / peak - 1.0).min()])
    return answers


@numba.njit
def fused_nb(close: FloatArray, fast: int, slow: int, per_side: float) -> tuple[float, float, float]:
    """Return the three metrics in one pass: averages, decisions, fills and metrics, and nothing else."""
    n_bars, n_symbols = close.shape
    fast_sum, slow_sum = np.zeros(n_symbols), np.zeros(n_symbols)
    shares, decided = np.zeros(n_symbols), np.zeros(n_symbols)
    cash, before, peak, drawdown, total, squares = 1.0, 1.0, 1.0, 0.0, 0.0, 0.0
    for t in range(n_bars):
        value = cash
        for i in range(n_symbols):
            value += shares[i] * close[t, i]
        estimate = 0.0
        for i in range(n_symbols):
            estimate += abs(decided[i] * value - shares[i] * close[t, i]) * per_side
        base = value - estimate
        equity = cash
        for i in range(n_symbols):
            change = decided[i] * base / close[t, i] - shares[i]
            notional = change * close[t, i]
            cash -= notional + abs(notional) * per_side
            shares[i] += change
            fast_sum[i] += close[t, i] - (close[t - fast, i] if t >= fast else 0.0)
            slow_sum[i] += close[t, i] - (close[t - slow, i] if t >= slow else 0.0)
            up = t >= slow - 1 and fast_sum[i] / fast > slow_sum[i] / slow
            decided[i] = 1.0 / n_symbols if up else 0.0
        equity = cash
        for i in range(n_symbols):
            equity += shares[i] * close[t, i]
        change = equity / before - 1.0
        before = equity
        total += change
        squares += change * change
        peak = max(peak, equity)
        drawdown = min(drawdown, equity / peak - 1.0)
    mean = total / n_bars
    deviation = np.sqrt((squares - n_bars * mean * mean) / (n_bars - 1))
    return before - 1.0, mean / deviation * np.sqrt(252.0), drawdown


def by_bare_loop(close: FloatArray) -> list[tuple[float, float, float]]:
    """Return the same from the fused loop."""
    return [fused_nb(close, fast, slow, COSTS.usual_side) for fast, slow in PAIRS]


def races() -> list[Race]:
    """Return both races: the whole road, and the account alone where decisions are given."""
    # Cheap stocks' averages are sometimes equal, and then rounding decides, differently in each contestant.
    real = load_sp500_dataset()
    frame = real * (1.0 + 1e-6 * np.random.default_rng(7).standard_normal(real.shape))
    panel = Panel.from_frames(frame)
    ours, pandas_, bare = by_workbench(panel), by_pandas(frame), by_bare_loop(panel.close)
    for k in range(len(PAIRS)):
        for place, what in enumerate(("total return", "Sharpe ratio", "maximum drawdown")):
            must_agree(f"{what} of {PAIRS[k]}", ours[k][place], pandas_[k][place], 1e-5)
            must_agree(f"{what} of {PAIRS[k]}", ours[k][place], bare[k][place], 1e-9)
    bars = frame.size / 1e6
    whole = best_times(
        {
            "workbench": lambda: by_workbench(panel),
            "plain pandas": lambda: by_pandas(frame),
            "bare fused numba loop": lambda: by_bare_loop(panel.close),
        },
        rounds=3,
    )
    targets = MACross(universe=panel.symbols, fast=50, slow=200).targets(panel)
    account = best_times(
        {
            "workbench, account": lambda: run_account(panel, targets, costs=COSTS, rebalance="every_bar"),
            "workbench, result with every trade": lambda: run(panel, targets, costs=COSTS, rebalance="every_bar"),
            "bare fused numba loop": lambda: fused_nb(panel.close, 50, 200, COSTS.usual_side),
        },
        rounds=10,
    )
    strategy = MACross(universe=panel.symbols, fast=50, slow=200)
    one = best_times({"workbench, run_strategy": lambda: run_strategy(strategy, panel)}, rounds=20)
    size = f"20 stocks x {len(frame):,} days"
    return [
        Race(
            f"Backtest from prices: {size} x {len(PAIRS)} pairs of averages, one account of 20 equal shares brought "
            "back to its targets daily, costs on, total return, Sharpe ratio and maximum drawdown of each",
            whole,
            bars * len(PAIRS),
            "million bars",
            "The bare loop keeps no equity, no shares and no trades, on one thread: the practical limit. Answers "
            "agree to 1e-9 with the loop and to 1e-5 with pandas, which takes costs off returns.",
        ),
        Race(
            f"Backtest with decisions given: {size}, one pair",
            account,
            bars,
            "million bars",
            "The loop also makes the decisions, and forgets everything but three numbers.",
        ),
        Race(
            f"One backtest, warm: {size}, from prices to the result with every order, fill, trade and leg",
            one,
            bars,
            "million bars",
            f"{len(run_strategy(strategy, panel).trades):,} fills.",
        ),
    ]
