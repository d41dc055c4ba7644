"""Where the workbench's accounts and the peers' are the same, to a billionth: `python -m benchmarks agreement`.

What they cannot share is in the README beside this file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from arch.data import sp500
from skfolio.datasets import load_sp500_dataset

from benchmarks.peers import PeersMissingError, run_peer, write_task
from quantlib.backtest import run
from quantlib.costs import Costs
from quantlib.risk import Execution, Limits, Stops
from quantlib.types import FloatArray, Panel

PAIRS = ((10, 50), (20, 100))
PEERS = ("vectorbt", "backtesting")
TOLERANCE = 1e-9
SPANS = [f"{fast}/{slow}" for fast, slow in PAIRS]
COSTS = Costs(commission_bps=5.0, half_spread_bps=8.0, borrow_bps_per_year=0.0, impact_bps=0.0)


@dataclass(frozen=True)
class Agreement:
    """One comparison: what, with whom, over how many accounts, how often stopped, the worst relative gap; versions."""

    what: str
    peer: str
    accounts: int
    stopped: int
    worst: float
    versions: Mapping[str, str]


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


def compared(what: str, panel: Panel, *, fill: str, loss: float | None) -> list[Agreement]:
    """Return how far the peers are from the workbench."""
    close = panel.frame()
    decided = np.stack([(close.rolling(f).mean() > close.rolling(s).mean()).to_numpy(np.float64) for f, s in PAIRS])
    with tempfile.TemporaryDirectory() as folder:
        write_task(Path(folder), panel, decided=decided, fill=fill, loss=loss, per_side=COSTS.per_side)
        answer = run_peer("equity", Path(folder))
    stops = Stops(loss=loss, watch="intrabar")
    execution = Execution(fill=fill, financing_bps_per_year=0.0)  # type: ignore[arg-type]  # "open" or "close"
    ours = [accounts(panel, kind, stops, execution) for kind in decided]
    equity, stopped = np.stack([one for one, _ in ours]), sum(many for _, many in ours)
    size = equity.shape[0] * equity.shape[2]
    return [
        Agreement(what, name.split(".")[0], size, stopped, gap(theirs, equity), answer.versions)
        for name, theirs in answer.arrays.items()
    ]


def gap(theirs: FloatArray, ours: FloatArray) -> float:
    """Return the largest relative difference of two accounts at any close."""
    return float(np.abs(theirs / ours - 1.0).max())


def weights_of(panel: Panel) -> dict[str, pd.DataFrame]:
    """Return decisions for one account over all symbols: long in equal parts, and long against short."""
    close = panel.frame()
    above = close.rolling(PAIRS[0][0]).mean() > close.rolling(PAIRS[0][1]).mean()
    month = close.pct_change(21).rank(axis=1)
    known = month.notna().all(axis=1) & (close.index.to_series().dt.month.diff() != 0)
    ranked = ((month > 15).astype(float) - (month <= 5).astype(float)).where(known).ffill().fillna(0.0) / 10.0
    return {
        "20 stocks of one account, 4 % of it in each while above": above / 25.0,
        "20 stocks of one account, five long and five short, monthly": ranked,
    }


def shared(panel: Panel) -> list[Agreement]:
    """Return how far vectorbt is on one account with shared cash, long and short.

    Without costs it is told the weights. With costs it is told our shares and prices, because it sizes on equity before
    costs and we on what is left after them; then its cash, fees and equity are held against ours.
    """
    found = []
    for what, weights in weights_of(panel).items():
        for told, costs in (
            ("weights, no costs", Costs(**dict.fromkeys(COSTS.model_fields_set, 0.0))),
            ("fills", COSTS),
        ):
            execution = Execution(fill="close", financing_bps_per_year=0.0)
            ours = run(panel, weights, costs=costs, limits=Limits(max_gross=2.0), execution=execution)
            changed = weights.ne(weights.shift(fill_value=0.0)).any(axis=1).shift(fill_value=False)
            size, kind = weights.shift().where(changed, axis=0).to_numpy(), "targetpercent"
            if told == "fills":
                signed = ours.trades["shares"].where(ours.trades["side"] == "buy", -ours.trades["shares"])
                fills = ours.trades.assign(signed=signed).pivot_table("signed", "ts", "symbol", "sum")
                size, kind = fills.reindex(panel.index)[list(panel.symbols)].to_numpy(), "amount"
            with tempfile.TemporaryDirectory() as folder:
                write_task(Path(folder), panel, decided=size[None], kind=kind, per_side=costs.per_side)
                answer = run_peer("shared", Path(folder))
            apart = gap(answer.arrays["vectorbt.equity"], ours.equity.to_numpy())
            found.append(Agreement(f"{what} ({told})", "vectorbt", 1, 0, apart, answer.versions))
    return found


def agreements() -> list[Agreement]:
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
        for found in compared(what, panel, fill=fill, loss=loss)
        if only in (None, found.peer)
    ] + shared(closes)


def lines() -> list[str]:
    """Return the table in Markdown, or why there is none.

    Raises
    ------
    SystemExit
        A peer's account is not ours.
    """
    try:
        found = agreements()
    except PeersMissingError as error:
        return [str(error), ""]
    table = [
        "| Accounts | Peer | Number | Exits by a stop | Largest relative difference |",
        "|---|---|---:|---:|---:|",
        *(f"| {a.what} | {a.peer} | {a.accounts} | {a.stopped} | {a.worst:.1e} |" for a in found),
    ]
    if apart := [a for a in found if not a.worst < TOLERANCE]:
        print("\n".join(table))
        raise SystemExit(f"{len(apart)} of {len(found)} do not agree to {TOLERANCE:g}.")
    versions = ", ".join(f"{name} {number}" for name, number in found[0].versions.items() if name in PEERS)
    return [
        f"An account of one symbol is all in or flat, by a cross of averages of {' and '.join(SPANS)} sessions. A side "
        f"costs {COSTS.per_side * 1e4:g} basis points. Compared is the equity at every close; all agree to "
        f"{TOLERANCE:g} of it. Peers: {versions}.",
        "",
        *table,
        "",
    ]
