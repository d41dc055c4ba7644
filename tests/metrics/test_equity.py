from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics
from quantlib.metrics import equity_metrics_nb
from quantlib.types import Panel


def plain(returns: pd.Series, periods_per_year: float) -> tuple[float, float, float]:
    sharpe = metrics.sharpe_ratio(returns, periods_per_year=periods_per_year) if len(returns) >= 30 else np.nan
    return metrics.total_return(returns), sharpe, metrics.max_drawdown(returns)


def accounts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    walk = 1e6 * np.cumprod(1 + rng.normal(0.0004, 0.01, 800))
    ruined = np.concatenate([walk[:300], [-2e5], np.zeros(100)])
    return {
        "walk": walk,
        "wild": 50.0 * np.cumprod(1 + rng.uniform(-0.6, 1.2, 200)),
        "losing": 1e6 * np.cumprod(1 + rng.normal(-0.01, 0.001, 400)),
        "cash that earns interest": 1e6 * 1.0001 ** np.arange(500),
        "flat": np.full(100, 1e6),
        "flat, then one jump": np.concatenate([np.full(99, 1e6), [1.3e6]]),
        "ruined": ruined,
        "thirty-one": walk[:31],
        "thirty": walk[:30],
    }


@pytest.mark.parametrize("function", [equity_metrics_nb, equity_metrics_nb.py_func], ids=["compiled", "plain"])
@pytest.mark.parametrize("first", [0, 1, 7])
@pytest.mark.parametrize("name", accounts())
def test_equal_to_the_functions(name, first, function):
    equity = accounts()[name]
    returns = pd.Series(equity).clip(lower=0).pct_change().fillna(0.0).iloc[first:]
    np.testing.assert_allclose(function(equity, 252.0, first), plain(returns, 252.0), rtol=1e-9, atol=1e-12)


def test_equal_to_what_a_backtest_says_of_itself(stocks: Panel):
    """The Sharpe ratio of a sweep is the one that the result's own summary shows."""
    from quantlib.backtest import active_returns, run

    panel = stocks.select(["KO", "MSFT"]).tail(400)
    targets = pd.DataFrame(0.0, index=panel.index, columns=list(panel.symbols))
    targets.iloc[100:250] = [1.2, -0.7]
    targets.iloc[300:] = [0.0, 0.5]
    result = run(panel, targets)
    first = result.equity.index.get_loc(active_returns(result).index[0])
    assert first == 101
    summary = result.summary(samples=0)["value"]
    found = equity_metrics_nb(result.equity.to_numpy(), 252.0, first)
    expected = summary[["total_return", "sharpe_ratio", "max_drawdown"]]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_below_thirty_returns_there_is_no_sharpe_ratio():
    walk = accounts()["walk"]
    assert np.isnan(equity_metrics_nb(walk[:30], 252.0, 1)[1])
    assert np.isfinite(equity_metrics_nb(walk[:31], 252.0, 1)[1])
