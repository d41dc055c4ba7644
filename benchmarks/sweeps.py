"""Sweeps against vectorbt and against a bare fused loop; memory and cost of ten thousand sets, cost by bars.

python -m benchmarks.sweeps memory N   one sweep of N sets of a pair in this process: sets, seconds, peak memory
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
from skfolio.datasets import load_sp500_dataset

from benchmarks.peers import PeersMissingError, run_peer, write_task
from benchmarks.race import Race, best_times, must_agree
from quantlib.backtest.sweep import sweep
from quantlib.backtest.sweep_result import SweepResult
from quantlib.costs import Costs
from quantlib.risk import Limits, Stops
from quantlib.strategies import MACross, Pair
from quantlib.types import FloatArray, Panel

GRID = {"fast": range(5, 55, 5), "slow": range(60, 260, 20)}
PAIRS = [(fast, slow) for fast in GRID["fast"] for slow in GRID["slow"]]
COSTS = Costs(commission_bps=1.0, half_spread_bps=2.0, borrow_bps_per_year=0.0, impact_bps=0.0)
STOPS, LIMITS = Stops(loss=0.1, trailing=0.2), Limits(max_gross=1.0, drawdown=0.25)
SETS = 10_000


@numba.njit(nogil=True)
def bare_nb(close: FloatArray, fast: int, slow: int, per_side: float) -> FloatArray:
    """Return total return, Sharpe ratio and maximum drawdown of every symbol's own account [N, 3], and nothing else.

    One pass: both running sums, the decision, its fill a bar later, the account and its metrics.
    """
    n_symbols, n_bars = close.shape
    out = np.empty((n_symbols, 3))
    for i in range(n_symbols):
        price = close[i]
        fast_sum = slow_sum = shares = mean = squares = depth = 0.0
        cash = before = peak = 1.0
        last = now = False
        n = 0
        for t in range(n_bars):
            if now != last:
                value = cash + shares * price[t]
                if now:
                    shares = value * (1.0 - per_side) / price[t]
                    cash = value - shares * price[t] * (1.0 + per_side)
                else:
                    cash, shares = value - shares * price[t] * per_side, 0.0
                n = max(n, 1)
            last = now
            equity = cash + shares * price[t]
            if n > 0:
                r = equity / before - 1.0
                step = r - mean
                mean += step / n
                squares += step * (r - mean)
                n += 1
            before = equity
            if equity > peak:
                peak = equity
            else:
                depth = min(depth, equity / peak - 1.0)
            fast_sum += price[t] - (price[t - fast] if t >= fast else 0.0)
            slow_sum += price[t] - (price[t - slow] if t >= slow else 0.0)
            now = t >= slow - 1 and fast_sum * slow > slow_sum * fast
        out[i, 0], out[i, 2] = before - 1.0, depth
        out[i, 1] = mean / np.sqrt(squares / (n - 2)) * np.sqrt(252.0)
    return out


def by_bare_loop(close: FloatArray, threads: int) -> FloatArray:
    """Return the metrics of all pairs from the bare loop [pair, N, 3]."""

    def one(pair: tuple[int, int]) -> FloatArray:
        return bare_nb(close, *pair, COSTS.per_side)

    if threads == 1:
        return np.stack([one(pair) for pair in PAIRS])
    with ThreadPoolExecutor(threads) as pool:
        return np.stack(list(pool.map(one, PAIRS, chunksize=10)))


def by_workbench(panel: Panel, workers: int, **how: Any) -> SweepResult:
    """Return the sweep, one account a pair and symbol."""
    strategy = MACross(universe=panel.symbols)
    return sweep(strategy, GRID, panel, by="symbol", costs=COSTS, workers=workers, **how)


def by_vectorbt(panel: Panel, **stops: float) -> tuple[dict[str, float], dict[str, FloatArray]]:
    """Return vectorbt's best times and its metrics [pair, N]."""
    with tempfile.TemporaryDirectory() as folder:
        write_task(Path(folder), panel, pairs=PAIRS, per_side=COSTS.per_side, fill="close", rounds=2, **stops)
        answer = run_peer("sweep", Path(folder))
    times = {name: s for name, s in answer.seconds.items() if name.startswith("vectorbt")}
    return times, dict(answer.arrays)


def peers(panel: Panel, **stops: float) -> tuple[dict[str, float], dict[str, FloatArray]]:
    """Return vectorbt's times and metrics, or nothing where it cannot be installed."""
    try:
        return by_vectorbt(panel, **stops)
    except PeersMissingError as error:
        print(error)
        return {}, {}


def said(times: dict[str, float], ours: float) -> str:
    """Return how many times vectorbt's time ours is, in words."""
    return f"vectorbt takes {times['vectorbt'] / ours:,.0f} times as long" if times else "vectorbt was not there"


def race_of_averages(panel: Panel) -> Race:
    """Return the design's sweep: pairs of averages, every stock an account of its own."""
    close = np.ascontiguousarray(panel.close.T)
    ours, bare = by_workbench(panel, 2).table, by_bare_loop(close, 1).reshape(-1, 3)
    for k, metric in enumerate(("total_return", "sharpe_ratio", "max_drawdown")):
        for row in range(len(bare)):
            must_agree(f"{metric} of row {row}", ours[metric].iloc[row], bare[row, k], 1e-7)
    times, answers = peers(panel)
    for metric in ("total_return", "max_drawdown") if answers else ():
        for row, theirs in enumerate(answers[f"vectorbt.{metric}"].ravel()):
            must_agree(f"{metric} of row {row}", ours[metric].iloc[row], theirs, 1e-6)
    seconds = best_times(
        {
            "workbench, 2 threads": lambda: by_workbench(panel, 2),
            "workbench, 1 thread": lambda: by_workbench(panel, 1),
            "bare fused numba loop, 2 threads": lambda: by_bare_loop(close, 2),
            "bare fused numba loop, 1 thread": lambda: by_bare_loop(close, 1),
        },
        rounds=5,
    )
    both = [seconds[f"workbench, {n}"] / seconds[f"bare fused numba loop, {n}"] for n in ("2 threads", "1 thread")]
    return Race(
        f"Sweep: {close.shape[0]} stocks x {close.shape[1]:,} days x {len(PAIRS)} pairs of averages, every stock an "
        "account of its own, all in or out, costs on, total return, Sharpe ratio and maximum drawdown of each",
        seconds | times,
        close.size * len(PAIRS) / 1e6,
        "million bars",
        f"Beside the workbench on two threads {said(times, seconds['workbench, 2 threads'])}; beside the bare loop "
        f"the workbench takes {both[0]:.2f} times as long on two threads and {both[1]:.2f} on one. The bare loop keeps "
        "three numbers an account. Answers agree to 1e-7 with the loop and to 1e-6 with vectorbt (total return and "
        "drawdown; its Sharpe ratio counts the days before the first trade).",
    )


def race_with_stops(panel: Panel) -> Race:
    """Return the same with stops, and with a drawdown limit that vectorbt does not know."""
    ours = by_workbench(panel, 2, stops=STOPS, limits=LIMITS).table
    plain = by_workbench(panel, 2).table
    if np.allclose(ours["total_return"], plain["total_return"]):
        raise SystemExit("No stop was ever met; the race means nothing.")
    times, _ = peers(panel, loss=0.1, trailing=0.2)
    seconds = best_times(
        {
            "workbench, 2 threads": lambda: by_workbench(panel, 2, stops=STOPS, limits=LIMITS),
            "workbench, 1 thread": lambda: by_workbench(panel, 1, stops=STOPS, limits=LIMITS),
        },
        rounds=5,
    )
    return Race(
        "The same sweep with a stop loss of 10 %, a trailing stop of 20 % and a drawdown limit of 25 % that stands "
        "aside for 21 sessions",
        seconds | times,
        panel.close.size * len(PAIRS) / 1e6,
        "million bars",
        f"Beside the workbench on two threads {said(times, seconds['workbench, 2 threads'])}, with a trailing stop "
        "alone: it knows one stop at a time and no drawdown limit, so there is more to do here and the answers are "
        "others.",
    )


def exponent(least: float, most: float, seconds: Mapping[str, float]) -> float:
    """Return the power of the amount of work that time grows with, from the first line (most) and the last (least)."""
    times = list(seconds.values())
    return float(np.log(times[0] / times[-1]) / np.log(most / least))


def pair_grid(sets: int) -> dict[str, Any]:
    """Return a grid of so many sets of a pair, 50 a look-back."""
    return {
        "lookback": range(20, 20 + sets // 50),
        "entry": [1.0 + k / 10 for k in range(10)],
        "exit": [0.0, 0.1, 0.2, 0.3, 0.4],
    }


def peak_memory() -> float:
    """Return the most memory this process ever held, in MB; of it alone, which `getrusage` says of no child process."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def in_own_process(module: str, size: int) -> tuple[float, float]:
    """Return seconds and peak memory in MB of `python -m MODULE memory SIZE`, all of which has to be run.

    Raises
    ------
    SystemExit
        Another size was run, or it took more than 1,000 MB.
    """
    command = [sys.executable, "-m", module, "memory", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    run, seconds, peak = map(float, done.stdout.split())
    if run != size:
        raise SystemExit(f"{module}: {size:,} were asked for and {run:,.0f} were run.")
    if peak > 1000:
        raise SystemExit(f"{module}: {size:,} took {peak:,.0f} MB; the limit is 1,000.")
    return seconds, peak


def memory(sets: int) -> None:
    """Run a sweep of a pair here and print how many sets there were, seconds and peak memory in MB."""
    panel = Panel.from_frames(load_sp500_dataset())
    sweep(Pair(), pair_grid(50), panel, workers=2)
    begin = time.perf_counter()
    found = sweep(Pair(), pair_grid(sets), panel, workers=2)
    seconds = time.perf_counter() - begin
    print(found.n_tried, seconds, peak_memory())


def race_of_sets() -> Race:
    """Return ten thousand sets of a pair, and half and a quarter as many, each in a process of its own."""
    seconds = {}
    for sets in (SETS, SETS // 2, SETS // 4):
        took, peak = in_own_process("benchmarks.sweeps", sets)
        seconds[f"{sets:,} sets, peak memory {peak:,.0f} MB"] = took
    days = len(load_sp500_dataset())
    return Race(
        f"Sweep of a pair over {days:,} days, look-back, entry and exit varied, on two threads",
        seconds,
        SETS,
        "(of the first line) sets",
        f"Time grows with sets to the power of {exponent(SETS / 4, SETS, seconds):.2f}. Each line is a process of its "
        "own; peak memory is the whole process, libraries and prices included.",
    )


def race_of_bars(panel: Panel) -> Race:
    """Return the sweep of averages over all days and over half and a quarter of them."""
    spans = {f"{len(part):,} days": part for part in (panel, panel.tail(len(panel) // 2), panel.tail(len(panel) // 4))}
    seconds = best_times({name: lambda part=part: by_workbench(part, 2) for name, part in spans.items()}, rounds=5)
    return Race(
        f"Sweep of {len(PAIRS)} pairs of averages over 20 stocks, by length of history, on two threads",
        seconds,
        panel.close.size * len(PAIRS) / 1e6,
        "(of the first line) million bars",
        f"Time grows with bars to the power of {exponent(len(panel) // 4, len(panel), seconds):.2f}.",
    )


def noisy() -> Panel:
    """Return the sample with noise: cheap stocks' averages are sometimes equal, and then rounding decides."""
    real: pd.DataFrame = load_sp500_dataset()
    return Panel.from_frames(real * (1.0 + 1e-6 * np.random.default_rng(7).standard_normal(real.shape)))


def races() -> list[Race]:
    """Return all races in this process and its children; the one of Ray's nodes is in `benchmarks.cluster`."""
    panel = noisy()
    return [race_of_averages(panel), race_with_stops(panel), race_of_sets(), race_of_bars(panel)]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["memory", count]:
            memory(int(count))
        case _:
            raise SystemExit(__doc__)
