"""Where the workbench's accounts and the peers' are the same, to a billionth: `python -m benchmarks.peers.agreement`.

What they cannot share is in the README beside this file.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from arch.data import sp500
from skfolio.datasets import load_sp500_dataset

from benchmarks.peers import VENV, run_peer, write_task
from quantlib.backtest import run
from quantlib.costs import Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import FloatArray, Panel

PAIRS = ((10, 50), (20, 100))
TOLERANCE = 1e-9
COSTS = Costs(commission_bps=5.0, half_spread_bps=8.0, borrow_bps_per_year=0.0, impact_bps=0.0)


@dataclass(frozen=True)
class Agreement:
    """One comparison: what, with whom, over how many accounts, how often stopped, and the worst relative gap."""

    what: str
    peer: str
    accounts: int
    stopped: int
    worst: float


def accounts(panel: Panel, decided: FloatArray, stops: Stops, execution: Execution) -> tuple[FloatArray, int]:
    """Return the equity of every symbol as an account of its own [T, N], and how many exits were stops."""
    equity, stopped = np.empty_like(panel.close), 0
    for i, symbol in enumerate(panel.symbols):
        targets = pd.DataFrame(decided[:, [i]], index=panel.index, columns=[symbol])
        result = run(
            panel.select([symbol]), targets, costs=COSTS, stops=stops, limits=Limits(max_gross=1.0), execution=execution
        )
        equity[:, i] = result.equity
        stopped += int(result.trades["reason"].ne("decision").sum())
    return equity, stopped


def compared(what: str, panel: Panel, *, fill: str, loss: float | None, environment: Path = VENV) -> list[Agreement]:
    """Return how far the peers are from the workbench."""
    close = panel.frame()
    decided = np.stack([(close.rolling(f).mean() > close.rolling(s).mean()).to_numpy(np.float64) for f, s in PAIRS])
    with tempfile.TemporaryDirectory() as folder:
        write_task(Path(folder), panel, decided=decided, fill=fill, loss=loss, per_side=COSTS.per_side)
        answer = run_peer("equity", Path(folder), environment=environment)
    stops = Stops(loss=loss, watch="intrabar")
    execution = Execution(fill=fill, financing_bps_per_year=0.0)  # type: ignore[arg-type]  # "open" or "close"
    ours = [accounts(panel, kind, stops, execution) for kind in decided]
    equity, stopped = np.stack([one for one, _ in ours]), sum(many for _, many in ours)
    return [
        Agreement(what, name.split(".")[0], equity[:, 0].size, stopped, float(np.abs(theirs / equity - 1.0).max()))
        for name, theirs in answer.arrays.items()
    ]


def agreements(environment: Path = VENV) -> list[Agreement]:
    """Return every comparison on the semantics that are shared."""
    closes = Panel.from_frames(load_sp500_dataset())
    index = sp500.load().astype(float)
    bars = Panel.from_frames(
        *[index[["Close"]].set_axis(["^GSPC"], axis=1)],
        **{name.lower(): index[[name]].set_axis(["^GSPC"], axis=1) for name in ("Open", "High", "Low")},
    )
    cases = [
        ("20 stocks, closes only, filled at the next close", closes, "close", None, None),
        ("the same with a stop of 10 % judged by the close, at the close", closes, "close", 0.10, None),
        ("S&P 500, filled at the next open", bars, "open", None, None),
        ("S&P 500, filled at the next close, stop of 3 % within the bar", bars, "close", 0.03, None),
        ("S&P 500, filled at the next open, stop of 3 % within the bar", bars, "open", 0.03, "backtesting"),
    ]
    return [
        found
        for what, panel, fill, loss, only in cases
        for found in compared(what, panel, fill=fill, loss=loss, environment=environment)
        if only in (None, found.peer)
    ]


def lines_of(found: list[Agreement]) -> list[str]:
    """Return the table in Markdown."""
    head = ["| Accounts | Peer | Number | Stopped | Largest relative difference |", "|---|---|---:|---:|---:|"]
    return [*head, *(f"| {a.what} | {a.peer} | {a.accounts} | {a.stopped} | {a.worst:.1e} |" for a in found)]


if __name__ == "__main__":
    table = agreements()
    print("\n".join(lines_of(table)))
    if apart := [a for a in table if not a.worst < TOLERANCE]:
        raise SystemExit(f"{len(apart)} of {len(table)} do not agree to {TOLERANCE:g}.")
