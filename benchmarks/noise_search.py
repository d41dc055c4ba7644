"""How often the best of 1,000 variants is taken for real: without an edge, with one, and by which rule.

python -m benchmarks.noise_search                        print the tables
python -m benchmarks.noise_search --write NOISE.md       and write them there
python -m benchmarks.noise_search --repetitions 20 --deep 5 --stocks 1    sooner
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from skfolio.datasets import load_sp500_dataset
from threadpoolctl import threadpool_limits

from quantlib.backtest import Market, equity_of, hold_equal_parts, prepare
from quantlib.costs import Costs
from quantlib.types import FloatArray, Panel
from quantlib.validation import (
    ReturnMoments,
    deflated_sharpe,
    effective_trials,
    growth_curves,
    luck_hurdle,
    probabilistic_sharpe,
    probability_of_backtest_overfitting,
    reality_check,
)

SESSIONS, VARIANTS, YEAR = 5040, 1000, 252
EDGE = 1.5 / YEAR**0.5
COLUMNS = (
    "best Sharpe ratio a year",
    "luck's",
    "effective trials",
    "PSR > 95 %",
    "**DSR > 95 %**",
    "SPA p < 5 %",
    "White p < 5 %",
    "PBO < 50 %",
    "PBO < 5 %",
    "DSR and SPA",
)


class Judged(NamedTuple):
    """What was found of the best of many variants; the last three are NaN where they were not asked for."""

    best: float
    luck: float
    effective: float
    psr: float
    dsr: float
    spa: float
    white: float
    pbo: float


def search(seed: int, *, alike: float = 0.0, edges: int = 0, variants: int = VARIANTS) -> pd.DataFrame:
    """Return daily returns of random variants over 20 years, some of them with a true Sharpe ratio of 1.5 a year.

    All share the day's volatility, which comes in spells and gives a kurtosis of about 6; a year of it is 10 %.

    Parameters
    ----------
    alike
        Correlation of every two variants without an edge. Those with one are correlated by 0.9.
    edges
        How many have the edge.
    """
    rng = np.random.default_rng(seed)
    innovations = rng.standard_normal(SESSIONS)
    level = np.empty(SESSIONS)
    level[0] = innovations[0]
    for i in range(1, SESSIONS):
        level[i] = 0.97 * level[i - 1] + (1 - 0.97**2) ** 0.5 * innovations[i]
    noise = rng.standard_normal((SESSIONS, variants), dtype=np.float32).astype(np.float64)
    if alike:
        noise = alike**0.5 * rng.standard_normal((SESSIONS, 1)) + (1.0 - alike) ** 0.5 * noise
    if edges > 1:
        noise[:, :edges] = 0.9**0.5 * rng.standard_normal((SESSIONS, 1)) + 0.1**0.5 * noise[:, :edges]
    noise *= np.exp(0.4 * level - 0.16)[:, None]
    noise[:, :edges] += EDGE
    return pd.DataFrame(noise * 0.1 / YEAR**0.5)


def judge(variants: pd.DataFrame, *, deep: bool) -> Judged:
    """Return what the rules say of the variant with the best Sharpe ratio."""
    sharpes = (variants.mean() / variants.std()).to_numpy()
    best = int(np.nanargmax(sharpes))
    record = ReturnMoments.of(variants.iloc[:, best])
    trials = effective_trials(growth_curves(variants), sharpes)
    luck = luck_hurdle(record, n_trials=trials.effective, variance=trials.variance)
    found = Judged(
        best=record.sharpe * YEAR**0.5,
        luck=luck * YEAR**0.5,
        effective=trials.effective,
        psr=probabilistic_sharpe(record),
        dsr=deflated_sharpe(record, n_trials=trials.effective, variance=trials.variance),
        spa=np.nan,
        white=np.nan,
        pbo=np.nan,
    )
    if not deep:
        return found
    check = reality_check(variants, draws=500)
    overfitting = probability_of_backtest_overfitting(variants)
    return found._replace(spa=check.consistent, white=check.white, pbo=overfitting.probability)


def random_signal(rng: np.random.Generator, shape: tuple[int, int], *, side: int) -> FloatArray:
    """Return weights [T, N] of a signal that knows nothing: each stock 5 % or not, renewed every 21 sessions or so.

    `side` 1 is long or out, -1 long or short.
    """
    renewed = rng.random(shape) < 1.0 / 21.0
    renewed[0] = True
    drawn = np.where(rng.random(shape) < 0.5, 1.0, min(side, 0))
    rows = np.maximum.accumulate(np.where(renewed, np.arange(shape[0])[:, None], 0), axis=0)
    return np.take_along_axis(drawn, rows, axis=0) / shape[1]


def stock_search(seed: int, market: Market, panel: Panel, *, side: int, minus: pd.Series | None) -> pd.DataFrame:
    """Return daily returns after costs of 1,000 random signals on real stocks, less those of a benchmark."""
    rng = np.random.default_rng(seed)
    equity = [equity_of(market, random_signal(rng, panel.close.shape, side=side)) for _ in range(VARIANTS)]
    returns = pd.DataFrame(np.array(equity).T, index=panel.index).pct_change().iloc[2:]
    return returns if minus is None else returns.sub(minus.reindex(returns.index), axis=0)


def stock_case(side: int, *, against_holding: bool) -> Callable[[int], pd.DataFrame]:
    """Return a maker of searches on the last 20 years of the sample's 20 stocks, costs on."""
    panel = Panel.from_frames(load_sp500_dataset(), source="sample").tail(SESSIONS + 2)
    costs = Costs()
    # A signal that is long half of the time holds half as much as holding does.
    held = 0.5 * hold_equal_parts(panel, costs=costs).equity.pct_change() if against_holding else None
    return partial(stock_search, market=prepare(panel, costs), panel=panel, side=side, minus=held)


CASES: dict[str, Callable[[int], pd.DataFrame]] = {
    "no edge, 1,000 unlike variants": search,
    "no edge, every two correlated by 0.7": partial(search, alike=0.7),
    "**edge of 1.5 in one variant** of 1,000": partial(search, edges=1),
    "edge of 1.5 in 50 neighbours of 1,000": partial(search, edges=50),
}
ON_STOCKS: dict[str, Callable[[], Callable[[int], pd.DataFrame]]] = {
    "long or short, against cash": partial(stock_case, -1, against_holding=False),
    "long or out, against cash": partial(stock_case, 1, against_holding=False),
    "long or out, less half of holding equal parts": partial(stock_case, 1, against_holding=True),
}


def row_of(name: str, found: list[Judged]) -> str:
    """Return a line of the table: means, and how often each rule says that the best variant is real."""
    t = pd.DataFrame(found)

    def share(says: pd.Series, known: pd.Series) -> str:
        return f"{int(says[known.notna()].sum())}/{int(known.notna().sum())}"

    cells = [
        f"{t['best'].mean():.2f}",
        f"{t['luck'].mean():.2f}",
        f"{t['effective'].mean():,.0f}",
        share(t["psr"] > 0.95, t["psr"]),
        f"**{share(t['dsr'] > 0.95, t['dsr'])}**",
        share(t["spa"] < 0.05, t["spa"]),
        share(t["white"] < 0.05, t["white"]),
        share(t["pbo"] < 0.5, t["pbo"]),
        share(t["pbo"] < 0.05, t["pbo"]),
        share((t["dsr"] > 0.95) & (t["spa"] < 0.05), t["spa"]),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def one(make: Callable[[int], pd.DataFrame], number: int, deep: int) -> Judged:
    """Return the judgement on search `number`; the costly rules are asked of the first `deep`."""
    with threadpool_limits(1):
        return judge(make(number), deep=number < deep)


def table(cases: dict[str, Callable[[int], pd.DataFrame]], repetitions: int, deep: int, jobs: int) -> list[str]:
    """Return a table in Markdown, one line a case."""
    lines = [f"| | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    for name, make in cases.items():
        begin = time.perf_counter()
        found = Parallel(n_jobs=jobs)(delayed(one)(make, i, deep) for i in range(repetitions))
        lines.append(row_of(name, found))
        print(f"{lines[-1]} {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    return lines


def how_many() -> list[str]:
    """Return what the effective number of trials makes of searches whose true number is known, and its time."""
    rng = np.random.default_rng(0)
    closes = load_sp500_dataset()["AAPL"].tail(SESSIONS + 1)
    growth = np.log(closes).diff().to_numpy()
    averages = {n: closes.rolling(n).mean().to_numpy() for n in range(20, 250)}
    crosses = [
        np.nan_to_num(np.roll(averages[fast] > averages[slow], 1) * growth)[1:]
        for fast in range(20, 70, 2)
        for slow in range(100, 180, 2)
    ]
    noise = rng.standard_normal((10, 96))
    cases = {
        "1,000 independent": rng.standard_normal((1000, 96)),
        "10,000 independent": rng.standard_normal((10_000, 96)),
        "100 copies of each of 10": np.repeat(noise, 100, axis=0),
        "1,000 crosses of averages on one stock": growth_curves(pd.DataFrame(np.expm1(np.array(crosses)).T)),
    }
    lines = ["| trials | effective | ms |", "|---|---:|---:|"]
    for name, curves in cases.items():
        begin = time.perf_counter()
        trials = effective_trials(curves, rng.normal(size=len(curves)))
        lines.append(f"| {name} | {trials.effective:,.1f} | {1000 * (time.perf_counter() - begin):.0f} |")
    return lines


def main(arguments: list[str]) -> None:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noise_search")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--deep", type=int, default=50, help="repetitions that SPA, White and PBO are asked of")
    parser.add_argument("--stocks", type=int, default=10, help="repetitions on real stocks; 0 for none")
    parser.add_argument("--jobs", type=int, default=2, help="searches judged side by side")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args(arguments)
    lines = [
        "# What is made of a search without an edge",
        "",
        f"Of {VARIANTS:,} variants over {SESSIONS:,} sessions the one with the best Sharpe ratio is chosen. A cell is "
        "in how many searches a rule takes it for real: without an edge none should, with one all.",
        "",
        *["**How many trials it was.**", "", *how_many(), ""],
        *["**Random returns.**", "", *table(CASES, asked.repetitions, asked.deep, asked.jobs), ""],
    ]
    if asked.stocks:
        on_stocks = {name: make() for name, make in ON_STOCKS.items()}
        lines += ["**Random signals on 20 stocks, costs on.**", ""]
        lines += [*table(on_stocks, asked.stocks, asked.stocks, asked.jobs), ""]
    text = "\n".join(lines)
    print(text)
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
