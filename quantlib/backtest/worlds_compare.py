"""The same questions to several simulators: how much of an answer is the model that was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack

import numpy as np
import pandas as pd

from quantlib.backtest.worlds import How, evaluate_in_worlds
from quantlib.backtest.worlds_result import RUIN, WorldsResult
from quantlib.charts.numbers import count, percent, signed_percent
from quantlib.costs import AnyCosts
from quantlib.errors import DataError
from quantlib.simulators import Simulator
from quantlib.strategies import Strategy
from quantlib.types import Panel

#: The columns of the table whose spread over the simulators is told, and what they are called.
QUESTIONS = {
    "mean": "mean return",
    "loses": "probability of a loss",
    "p05": "worst return of 19 in 20",
    "sharpe": "median Sharpe ratio",
    "drawdown": "median of the maximum drawdown",
    "ruin": "probability of ruin",
    "beyond_holding": "mean beyond holding",
}


@dataclass(frozen=True)
class Comparison:
    """A strategy in the worlds of several simulators.

    Parameters
    ----------
    results
        Outcomes by the simulator's name.
    ruin_below
        Share of what it began with below which an account counts as ruined.
    """

    results: Mapping[str, WorldsResult]
    ruin_below: float = RUIN

    @cached_property
    def table(self) -> pd.DataFrame:
        """The answers, one row a simulator.

        Columns: mean with low and high (its 95 % interval, of draws and history), draw_error (standard error of the
        draws alone), loses (share of worlds), p05, p50, p95 (returns over the horizon), sharpe (median), drawdown
        (median), drawdown_p05 (deeper in 1 of 20), ruin (share), beyond_holding (mean), verdict ("gains" or "loses"
        where the mean's interval is on one side of zero, else "not known").
        """
        return pd.DataFrame([self._answers(result) for result in self.results.values()], index=self._names)

    @property
    def _names(self) -> pd.Index:
        return pd.Index(list(self.results), name="simulator")

    def _answers(self, result: WorldsResult) -> dict[str, object]:
        low, high = result.mean_interval
        p05, p50, p95 = np.quantile(result.returns, [0.05, 0.5, 0.95])
        known = result.account.sharpe[np.isfinite(result.account.sharpe)]
        drawdown_p05, drawdown = np.quantile(result.account.max_drawdown, [0.05, 0.5])
        return {
            "mean": result.mean,
            "low": low,
            "high": high,
            "draw_error": result.draw_error,
            "loses": result.probability_of_loss,
            "p05": float(p05),
            "p50": float(p50),
            "p95": float(p95),
            "sharpe": float(np.median(known)) if len(known) else np.nan,
            "drawdown": float(drawdown),
            "drawdown_p05": float(drawdown_p05),
            "ruin": result.account.ruin(self.ruin_below),
            "beyond_holding": result.beyond_holding[0],
            "verdict": "gains" if low > 0 else "loses" if high < 0 else "not known",
        }

    @cached_property
    def spread(self) -> pd.DataFrame:
        """How far the simulators are apart, one row a question: least, most, whose they are, and their distance."""
        rows: dict[str, dict[str, Any]] = {}
        for key, question in QUESTIONS.items():
            values = zip(self.results, self.table[key].to_numpy(dtype=np.float64), strict=True)
            known = {name: float(value) for name, value in values if np.isfinite(value)}
            if not known:
                continue
            least, most = min(known, key=lambda name: known[name]), max(known, key=lambda name: known[name])
            rows[key] = {
                "question": question,
                "least": known[least],
                "least_in": least,
                "most": known[most],
                "most_in": most,
                "spread": known[most] - known[least],
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    @property
    def model_error(self) -> float:
        """Half the distance between the lowest and the highest mean return, as a fraction."""
        return float(self._means["spread"]) / 2.0

    @property
    def beyond_chance(self) -> bool:
        """Whether the lowest and the highest mean are farther apart than 1.96 errors of their draws."""
        row = self._means
        least, most = (self.results[row[place]].draw_error for place in ("least_in", "most_in"))
        return bool(row["spread"] > 1.96 * np.hypot(least, most))

    @property
    def _means(self) -> dict[str, Any]:
        return {str(key): value for key, value in self.spread.loc["mean"].items()}

    @property
    def sentences(self) -> tuple[str, str]:
        """The model error in words, and whether the verdict depends on the simulator."""
        row, horizon = self._means, next(iter(self.results.values())).horizon
        span = (
            f"Over {count(horizon)} sessions the mean return is {signed_percent(row['least'])} in the worlds of "
            f"{row['least_in']} and {signed_percent(row['most'])} in those of {row['most_in']}"
        )
        if self.beyond_chance:
            tail = f"count ±{percent(self.model_error)} of model error on top of every interval."
        else:
            tail = "no farther apart than chance in the draws explains."
        said = {name: str(verdict) for name, verdict in zip(self.results, self.table["verdict"], strict=True)}
        words = {"gains": "a gain", "loses": "a loss", "not known": "neither a gain nor a loss beyond doubt"}
        by_verdict = {what: [name for name in said if said[name] == what] for what in words}
        each = [f"{words[what]} by {', '.join(names)}" for what, names in by_verdict.items() if names]
        verdict = f"The verdict depends on the simulator: {'; '.join(each)}."
        if len(set(said.values())) == 1:
            who = {1: f"{next(iter(said))} says", 2: "Both simulators say the same"}
            all_say = who.get(len(said), f"All {count(len(said))} simulators say the same")
            verdict = f"{all_say}: {words[next(iter(said.values()))]}."
        return f"{span}: {tail}", verdict


def compare_simulators(
    strategy: Strategy,
    simulators: Sequence[Simulator] | Mapping[str, Simulator],
    panel: Panel,
    *,
    n: int = 1000,
    horizon: int = 252,
    seed: int = 0,
    costs: AnyCosts | None = None,
    ruin_below: float = RUIN,
    **how: Unpack[How],
) -> Comparison:
    """Return the answers of several simulators to the same questions about a strategy, and how far they are apart.

    All learn from the same history, so the error of that is common to them; what differs is the law.

    Parameters
    ----------
    simulators
        By name; a sequence is named by its titles.
    ruin_below
        Share of what it began with below which an account counts as ruined.
    panel, n, horizon, seed, costs, how
        As in `evaluate_in_worlds`; progress counts the worlds of all. Simulators begun before it was cancelled are
        returned.

    Raises
    ------
    DataError
        There is no simulator, two have the same title, or as in `evaluate_in_worlds`.
    """
    if isinstance(simulators, Mapping):
        named = dict(simulators)
    else:
        named = {simulator.title: simulator for simulator in simulators}
        if len(named) < len(simulators):
            raise DataError("Two simulators have the same title. Give them by name: {'short': GBM(window=252), ...}.")
    if not named:
        raise DataError("There is no simulator to compare. Give two or more.")
    results: dict[str, WorldsResult] = {}
    on_progress, cancelled = how.get("on_progress"), how.get("cancelled")

    def tell(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress(len(results) * total + done, len(named) * total)

    asked: How = {**how, "on_progress": tell}
    for name, simulator in named.items():
        if results and cancelled is not None and cancelled():
            break
        results[name] = evaluate_in_worlds(
            strategy,
            simulator,
            panel,
            n=n,
            horizon=horizon,
            seed=seed,
            costs=costs,
            **asked,
        )
    return Comparison(results, ruin_below)
