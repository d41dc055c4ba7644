"""Whether an event study says what it should: its size where there is nothing, and what it finds where there is.

python -m benchmarks.events      about a minute; prints the tables
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from quantlib.event_study import EventStudy, study
from quantlib.events import read_events
from quantlib.simulators import GBM
from quantlib.simulators.impulse import Impulse
from quantlib.types import FloatArray, Panel

DRAWS, EVENTS, SEED = 1000, 60, 11
FOLDER = Path(__file__).resolve().parents[1] / "data" / "events"
PLANS = {
    "mean model, index": {"model": "mean"},
    "market model, one stock": {"market": "SP500"},
}


def random_sessions(panel: Panel, rng: np.random.Generator) -> pd.DatetimeIndex:
    """Return as many sessions drawn by lot, any of those with a year before and two weeks after."""
    rows = rng.choice(np.arange(280, len(panel) - 12), EVENTS, replace=False)
    return pd.DatetimeIndex(panel.index[np.sort(rows)])


def p_values(panel: Panel, plan: dict[str, str], draws: int, effect: float = 0.0) -> FloatArray:
    """Return p-values [draws, 3] of studies of random sessions: by placebo dates, by t, and by standardised t.

    With an effect, each event's own session returns that much more (log return).
    """
    rng = np.random.default_rng(SEED)
    out = np.empty((draws, 3))
    for i in range(draws):
        days = random_sessions(panel, rng)
        changed = with_effect(panel, days, effect) if effect else panel
        found = study(changed, days, samples=0, placebos=199, seed=i, **plan)
        out[i] = found.p_placebo, found.p_value, found.p_standardised
    return out


def with_effect(panel: Panel, days: pd.DatetimeIndex, effect: float) -> Panel:
    """Return the panel with its first symbol's return higher on some days."""
    close = panel.frame()
    here = close.index.isin(days).astype(float).cumsum()
    close[panel.symbols[0]] *= np.exp(effect * here)
    return Panel.from_frames(close)


def panels() -> dict[str, Panel]:
    """Return the history of each plan."""
    both = load_sp500_dataset()[["JPM"]].join(load_sp500_index(), how="inner")
    names = list(PLANS)
    return {names[0]: Panel.from_frames(load_sp500_index()), names[1]: Panel.from_frames(both)}


def gained(panel: Panel, plan: dict[str, str], effect: float, draws: int) -> FloatArray:
    """Return how much more CAR [draws] studies find when an effect is added to the real returns of their events."""
    rng = np.random.default_rng(SEED)
    out = np.empty(draws)
    for i in range(draws):
        days = random_sessions(panel, rng)
        cars = [
            study(one, days, samples=0, placebos=0, over=(0, 0), **plan).car
            for one in (panel, with_effect(panel, days, effect))
        ]
        out[i] = cars[1] - cars[0]
    return out


def recovered(panel: Panel, seeds: int) -> list[EventStudy]:
    """Return studies of simulated worlds into which a known response was injected at known days."""
    days = tuple(range(300, 300 + 40 * 40, 40))
    impulse = Impulse(inner=GBM(), response=(0.02, -0.005), days=days)
    out = []
    for seed in range(seeds):
        world = next(impulse.paths(panel, n=1, horizon=days[-1] + 20, seed=seed))
        out.append(study(world, world.index[np.array(days) - 1], model="mean", over=(0, 1), placebos=0, samples=0))
    return out


def main() -> None:
    begin = time.perf_counter()
    print(f"Rejection at 5 % on {EVENTS} random sessions, window -5 … +10, {DRAWS:,} draws each (right: 3 to 7 %)\n")
    print("| | placebo dates | clustered t | standardised t |\n|---|---:|---:|---:|")
    for name, panel in panels().items():
        size = (p_values(panel, PLANS[name], DRAWS) <= 0.05).mean(axis=0)
        print(f"| {name} | {size[0]:.1%} | {size[1]:.1%} | {size[2]:.1%} |")
    index = panels()["mean model, index"]
    power = (p_values(index, PLANS["mean model, index"], 100, effect=0.02) <= 0.05).mean(axis=0)
    print(f"\nFound with 2 % added to each event's session, 100 draws: {power[0]:.0%}, {power[1]:.0%}, {power[2]:.0%}.")
    more = gained(index, PLANS["mean model, index"], 0.02, 50)
    print(
        f"2 % added to real returns: {more.mean():.2%} more found on day 0 (from {more.min():.2%} to {more.max():.2%})."
    )
    found = recovered(index, 20)
    z = np.array([(one.car - 0.015) / one.error for one in found])
    mean = np.mean([one.car for one in found])
    print(f"CAR of 1.50 % injected into 20 Brownian worlds: {mean:.2%} found, z from {z.min():.1f} to {z.max():.1f}.")
    events = read_events(FOLDER)
    fomc = events[events["id"].str.startswith("fomc-") & (events["day"] >= "1994")]
    one = study(index, fomc, model="mean", before=1, after=1, over=(0, 0), placebos=1990)
    print(
        f"FOMC since 1994 on the S&P 500, day 0: {one.car:.3%} ({one.ci_low:.3%} … {one.ci_high:.3%}), n {one.n}, "
        f"t {one.t:.2f}, p {one.p_value:.3f}, by placebo dates {one.p_placebo:.3f}."
    )
    print(f"\n{time.perf_counter() - begin:.0f} s.")


if __name__ == "__main__":
    main()
