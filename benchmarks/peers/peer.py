"""The side of the peers: run by their own interpreter as `python peer.py TASK FOLDER`; knows nothing of the workbench.

Every symbol is an account of its own: all-in, long or flat, fractional shares, one cost a side on the notional. A
decision at the close of t is filled at the open or close of t + 1.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import platform
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtesting import Strategy
from backtesting.lib import FractionalBacktest


@dataclasses.dataclass(frozen=True)
class Parameters:
    """What a task may say, with its defaults.

    Parameters
    ----------
    pairs
        Spans of the fast and the slow simple moving average (sweep).
    per_side
        Cost of a fill as a share of its notional: commission, fees and slippage in one.
    cash
        Of each account at the start.
    fill
        "close" or "open" of the next bar.
    loss
        Stop this far below the price at entry; with known highs and lows within the bar, else at a close beyond it.
    trailing
        The same below the best price since entry.
    rounds
        How often a timed task runs, after one round to warm up.
    kind
        What the decisions of the task "shared" are: "targetpercent" of equity, or an "amount" of shares.
    """

    pairs: tuple[tuple[int, int], ...] = ()
    per_side: float = 0.0003
    cash: float = 1e6
    fill: str = "close"
    loss: float | None = None
    trailing: float | None = None
    rounds: int = 3
    kind: str = "targetpercent"


Panel = dict[str, np.ndarray]
Answer = tuple[dict[str, float], dict[str, np.ndarray]]


def buying(parameters: Parameters) -> dict[str, Any]:
    """Return how vectorbt is to fill, pay and stop.

    The workbench buys `value x (1 - c) / price` with a cost of c a side and keeps what is over, `value x c x c`.
    vectorbt buys `percent x cash / (price x (1 + fees))`: the same number of shares where percent is 1 - c x c. Its
    `slippage` moves the price that fees are then taken of; as a part of `fees` it is the one fraction both know.
    """
    how: dict[str, Any] = {
        "size": 1.0 - parameters.per_side**2,
        "size_type": "percent",
        "fees": parameters.per_side,
        "init_cash": parameters.cash,
        "freq": "1D",
    }
    if parameters.loss is not None:
        how |= {"sl_stop": parameters.loss, "stop_entry_price": "fillprice"}
    if parameters.trailing is not None:
        how |= {"sl_stop": parameters.trailing, "sl_trail": True, "stop_entry_price": "fillprice"}
    return how


def frame(values: np.ndarray, panel: Panel) -> pd.DataFrame:
    """Return an array as vectorbt likes it."""
    return pd.DataFrame(values, index=pd.to_datetime(panel["days"], unit="D"))


def by_vectorbt(panel: Panel, decided: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Return each symbol's equity [T, N]; entries and exits are changes of the decision, a bar later."""
    before, now = np.zeros_like(decided), np.zeros_like(decided)
    before[2:], now[1:] = decided[:-2], decided[:-1]
    how = buying(parameters)
    if np.isfinite(panel["high"]).all():
        how |= {name: frame(panel[name], panel) for name in ("open", "high", "low")}
    portfolio = vbt.Portfolio.from_signals(
        frame(panel["close"], panel),
        frame((now > before), panel),
        frame((now < before), panel),
        price=frame(panel[parameters.fill], panel),
        **how,
    )
    return portfolio.value().to_numpy()


def by_backtesting(panel: Panel, decided: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Return each symbol's equity [T, N]; fills at the next open, which is the close where no open is given.

    It buys `size x cash / (price x (1 + commission))` in whole units, so size is 1 - c x c as for vectorbt, and a unit
    a hundred millionth of a share. A stop hangs on the price at entry, so it is set when that is known; where the bar
    of the entry goes on after the fill, the order has to carry it, and this test alone may look up the next open.
    """
    unit = 1e-8
    equity = np.empty_like(panel["close"])
    for i in range(equity.shape[1]):
        prices = {name.title(): panel[name][:, i] for name in ("open", "high", "low", "close")}
        table = frame(np.empty((len(equity), 0)), panel).assign(**prices)
        table = table.fillna(dict.fromkeys(("Open", "High", "Low"), table["Close"])).assign(Volume=1.0)
        wanted, opens = decided[:, i], panel["open"][:, i]

        class Given(Strategy):  # type: ignore[misc]
            def init(self) -> None:
                """Nothing to prepare: decisions are given."""

            def next(self) -> None:
                """Order what changes at this close."""
                t = len(self.data) - 1
                change = self.wanted[t] - self.wanted[t - 1]
                stop = None if parameters.loss is None else 1.0 - parameters.loss
                for trade in self.trades:
                    if stop and not trade.sl:
                        trade.sl = trade.entry_price * stop
                if change > 0 and t + 1 < len(self.wanted):
                    ahead = self.opens[t + 1] * stop * unit if stop and np.isfinite(self.opens[t + 1]) else None
                    self.buy(size=1.0 - parameters.per_side**2, sl=ahead)
                elif change < 0:
                    self.position.close()

        Given.wanted, Given.opens = wanted, opens
        test = FractionalBacktest(
            table, Given, cash=parameters.cash, commission=parameters.per_side, fractional_unit=unit
        )
        equity[:, i] = test.run()["_equity_curve"]["Equity"].to_numpy()
    return equity


def equity_task(panel: Panel, parameters: Parameters) -> Answer:
    """Return the equity of every account kind and symbol, by each peer that can follow the task."""
    arrays = {"vectorbt.equity": np.stack([by_vectorbt(panel, kind, parameters) for kind in panel["decided"]])}
    opens_are_closes = not np.isfinite(panel["open"]).any()
    if parameters.trailing is None and (parameters.fill == "open" or opens_are_closes):
        arrays["backtesting.equity"] = np.stack([by_backtesting(panel, kind, parameters) for kind in panel["decided"]])
    return {}, arrays


def shared_task(panel: Panel, parameters: Parameters) -> Answer:
    """Return the equity [T] of one account that buys and sells all symbols at the close, what sells first."""
    portfolio = vbt.Portfolio.from_orders(
        frame(panel["close"], panel),
        frame(panel["decided"][0], panel),
        size_type=parameters.kind,
        fees=parameters.per_side,
        init_cash=parameters.cash,
        freq="1D",
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
    )
    return {}, {"vectorbt.equity": portfolio.value().to_numpy()}


def sweep_task(panel: Panel, parameters: Parameters) -> Answer:
    """Return total return, Sharpe ratio and maximum drawdown of every pair of averages and symbol, timed."""
    vbt.settings.returns["year_freq"] = "252 days"
    close = frame(panel["close"], panel)
    n_symbols = close.shape[1]
    fast, slow = ([pair[k] for pair in parameters.pairs] for k in (0, 1))
    spans = sorted({*fast, *slow})
    how = buying(parameters)

    def simulated() -> Any:
        averages = vbt.MA.run(close, spans).ma.to_numpy().reshape(len(close), len(spans), n_symbols)
        place = {span: k for k, span in enumerate(spans)}
        above = averages[:, [place[s] for s in fast]] > averages[:, [place[s] for s in slow]]
        above = above.reshape(len(close), -1)
        # A decision is filled at the close a bar after; only its changes are signals, as a stop has its way until then.
        now, before = np.zeros_like(above), np.zeros_like(above)
        now[1:], before[2:] = above[:-1], above[:-2]
        wide = frame(np.tile(panel["close"], (1, len(fast))), panel)
        return vbt.Portfolio.from_signals(wide, now & ~before, ~now & before, **how)

    def with_metrics() -> tuple[np.ndarray, ...]:
        portfolio = simulated()
        found = (portfolio.total_return(), portfolio.sharpe_ratio(), portfolio.max_drawdown())
        return tuple(values.to_numpy().reshape(len(fast), n_symbols) for values in found)

    answers = with_metrics()
    seconds = {}
    for name, run in {"vectorbt": with_metrics, "vectorbt, simulation only": simulated}.items():
        times = []
        for _ in range(parameters.rounds):
            gc.collect()
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        seconds[name] = min(times)
    names = ("total_return", "sharpe_ratio", "max_drawdown")
    return seconds, {f"vectorbt.{name}": values for name, values in zip(names, answers, strict=True)}


TASKS = {"equity": equity_task, "shared": shared_task, "sweep": sweep_task}


def main(task: str, folder: Path) -> None:
    """Read the task, do it, write the answer."""
    warnings.simplefilter("ignore")  # of the peers, about themselves
    said = json.loads((folder / "parameters.json").read_text(encoding="utf-8"))
    with np.load(folder / "panel.npz") as file:
        panel = dict(file)
    seconds, arrays = TASKS[task](panel, Parameters(**said))
    np.savez(folder / "answer.npz", **arrays)
    versions = {name: version(name) for name in ("vectorbt", "backtesting", "numba", "numpy", "pandas")}
    answer = {"seconds": seconds, "versions": {"python": platform.python_version(), **versions}}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
