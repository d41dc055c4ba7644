# %% [markdown]
# # What if it happens: what would my strategies lose, and would their stops help?
#
# The theory in five lines:
#
# 1. A scenario names a few moves. The rest follows by history: with log returns normal with covariance S and A x = s
#    named, the mean of x is S A' (A S A')^-1 s, and what is left open is S - S A' (A S A')^-1 A S.
# 2. Path and shocks make a world, a panel like any other: strategies go on deciding in it, with stops and costs.
# 3. Reverse stress asks for the smallest move that loses L with weights w: x = -S w L / (w' S w), at a distance of
#    L / sqrt(w' S w) standard deviations.
# 4. In many worlds stops can be judged in pairs: the same world with them and without.
# 5. In worlds without drift and memory no rule earns anything before costs. One that seems to is luck or a bug.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd
from skfolio.datasets import load_sp500_dataset

from quantlib.backtest import evaluate_in_worlds, run_strategy, stops_effect, stress, zero_edge
from quantlib.backtest.worlds_edge import BY_CHANCE
from quantlib.charts import PLOTLY_CONFIG, equity_curves, outcomes_by_simulator, reverse_bars, scenario_bars
from quantlib.charts import scenario_heatmap, stops_paired, zero_edge_chart
from quantlib.costs import Costs
from quantlib.risk import Stops
from quantlib.scenarios import complete, completed_worlds, read_scenarios, reverse_stress
from quantlib.settings import Settings
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.simulators.garch import GARCH
from quantlib.strategies import READY, Group, MACross
from quantlib.types import Panel

# The sample that comes with the workbench, at the height of 2021. On stored prices: quantlib.workflows.stressing
symbols = ["AAPL", "CVX", "HD", "JNJ", "JPM", "KO", "MRK", "MSFT", "PG", "UNH", "WMT", "XOM"]
panel = Panel.from_frames(load_sp500_dataset(), source="sample").select(symbols).window("2012-01-01", "2021-12-31")
scenarios = read_scenarios(Settings().data / "scenarios")
print(f"{len(scenarios)} scenarios; {len(symbols)} stocks up to {panel.index[-1]:%Y-%m-%d}")

# %% [markdown]
# ## One scenario, completed
#
# Shares lose a fifth in a month. No index is among these stocks, so their average stands for it, and says so.

# %%
bear = scenarios["equities-minus-20"]
done = complete(panel, bear)
scenario_bars(done.table, scenario=bear.title).show(config=PLOTLY_CONFIG)
print(*done.said, sep="\n")

covariance = np.cov(np.diff(np.log(panel.close), axis=0), rowvar=False)
average = np.full(len(symbols), 1 / len(symbols))
by_hand = covariance @ average / (average @ covariance @ average) * np.log(0.8)
print(f"Furthest from the closed form: {np.abs(np.log1p(done.table['shock']) - by_hand).max():.0e}")
assert np.allclose(np.log1p(done.table["shock"]), by_hand, rtol=0, atol=1e-9)
assert np.isclose(np.log1p(done.table["shock"]).mean(), np.log(0.8))

# %% [markdown]
# ## As a world
#
# Its own path is one world. With noise there are many: each ends with the same average, as the scenario named it, and
# differs in what it left open.

# %%
world = next(completed_worlds(panel, done))
noisy = list(completed_worlds(panel, done, n=50, seed=1))
recent = panel.tail(63)
held = {
    name: recent.append(one).frame().div(panel.close[-1]).mean(axis=1)
    for name, one in (("Along its path", world), ("One noisy world", noisy[0]))
}
equity_curves(held).show(config=PLOTLY_CONFIG)
assert len(world) == bear.sessions
assert np.allclose(world.close[-1] / panel.close[-1] - 1, done.table["shock"])
ends = np.log(np.array([one.close[-1] for one in noisy]) / panel.close[-1])
assert np.allclose(ends @ average, np.log(0.8))
assert ends[:, 0].std() > 0.01

# %% [markdown]
# ## Strategies, with their stops, through several
#
# Each starts from what it holds on the last day. Beside it stand those holdings, left alone.

# %%
timing = READY["Breakout to a 52-week high"].timing
strategies = {
    "Large-cap trend": READY["Large-cap trend"],
    "Twelve-month trend": READY["Twelve-month trend"],
    "Apple breakout": Group(kind="outright", legs=("AAPL",), timing=timing),
    "Apple breakout, stop 10 %": Group(kind="outright", legs=("AAPL",), timing=timing, stops=Stops(trailing=0.10)),
}
chosen = ["gap-minus-10", "equities-minus-20", "crash-and-recovery", "covid-2020", "lehman-2008"]
worlds = {scenarios[name].title: [next(completed_worlds(panel, complete(panel, scenarios[name])))] for name in chosen}
found = stress(strategies, worlds, panel)
scenario_heatmap(found.matrix()).show(config=PLOTLY_CONFIG)
print(*found.sentences, sep="\n")
found.stops

# %% [markdown]
# ## Check: a stop walked by hand
#
# Apple was bought on a breakout. The stop counts from the best result since, as a share of what was paid: it fires
# at the first close of the scenario so far below, and the order is filled a session later.

# %%
name = "Apple breakout, stop 10 %"
weights = run_strategy(strategies[name], panel).weights["AAPL"]
bought = weights.index[np.flatnonzero(weights.to_numpy() == 0)[-1] + 1]
prices = panel.append(world).frame()["AAPL"].loc[bought:]
below = (prices.cummax() - prices) / prices.iloc[0]
fired = below.index[(below >= 0.10) & (below.index > panel.index[-1])][0]
row = found.outcomes.query("strategy == @name and scenario == @bear.title").iloc[0]
print(
    f"Bought {bought:%Y-%m-%d} at {prices.iloc[0]:.2f}; fires on {fired:%Y-%m-%d}; the stress says {row['reason']}, ",
    end="",
)
print(f"fired {row['fired']:%Y-%m-%d}, left {row['left']:%Y-%m-%d}")
assert row["fired"] == fired
assert row["left"] == world.index[world.index.get_loc(fired) + 1]
assert row["return"] > row["hold"]

# %% [markdown]
# ## Reverse stress: the smallest way to lose a tenth

# %%
book = dict.fromkeys(symbols, 1 / len(symbols))
shock, smallest = reverse_stress(panel, book, 0.10, sessions=21)
measures = {"distance": smallest.distance, "probability": smallest.probability, "sessions": 21}
reverse_bars(shock, loss=smallest.loss, **measures).show(config=PLOTLY_CONFIG)
spread = (21 * average @ covariance @ average) ** 0.5
by_hand = -21 * covariance @ average * 0.10 / spread**2
furthest = np.abs(shock - by_hand).max()
print(f"{smallest.distance:.2f} deviations away, {0.10 / spread:.2f} by hand; moves differ by {furthest:.0e}")
assert np.allclose(shock, by_hand, rtol=0, atol=1e-9)
assert np.isclose(smallest.distance, 0.10 / spread)

# %% [markdown]
# ## In many worlds
#
# Three months ahead, by three laws: what differs between the panes is the model that was chosen, not the strategy.

# %%
simulators = [GBM(), StationaryBootstrap(), GARCH()]
trend = MACross(universe=("AAPL", "JPM", "XOM"), fast=20, slow=100)
inputs = panel.select(trend.inputs)
ahead = {law.title: evaluate_in_worlds(trend, law, inputs, n=200, horizon=63, seed=1) for law in simulators}
outcomes_by_simulator({title: result.returns for title, result in ahead.items()}, horizon=63).show(config=PLOTLY_CONFIG)
again = evaluate_in_worlds(trend, GBM(), inputs, n=20, horizon=63, seed=1)
assert np.array_equal(again.returns, ahead[GBM.title].returns[:20])  # a world depends on its seed and number alone

# %% [markdown]
# ## Do stops help?
#
# The Apple breakout for a year, with its stop and without, in the same worlds without drift or memory. There a stop
# cannot know what comes next: it makes the worst worlds shallower and gives up what would have come back.

# %%
apple, fair = panel.select(["AAPL"]), GBM(drift="none")
effect = stops_effect(strategies[name], fair, apple, n=300, horizon=252, seed=1, costs=Costs.free())
with_them, without = effect.kept.returns, effect.left_out.returns
stops_paired(with_them, without, horizon=effect.horizon, mean=effect.mean).show(config=PLOTLY_CONFIG)
print(*effect.sentences, sep="\n")
mean, low, high = effect.mean
error = (high - low) / (2 * 1.96)
assert abs(mean) < 4 * error  # without drift and costs stops can neither earn nor lose on average
assert effect.tail[1] > 0

# %% [markdown]
# ## Where there is no edge
#
# The drift is taken out, and the trend rule runs for a year in every world. Beyond its costs it must make nothing.

# %%
laws = [GBM(), StationaryBootstrap(block=1)]
edges = {law.title: zero_edge(trend, law, inputs, n=200, horizon=252, seed=1) for law in laws}
table = pd.DataFrame(
    {title: (e.share_good, *e.share_interval) for title, e in edges.items()}, ["share", "low", "high"]
).T
zero_edge_chart(table, by_chance=BY_CHANCE, horizon=252).show(config=PLOTLY_CONFIG)
for title, edge in edges.items():
    made, error = edge.beyond_cost
    print(f"{title}: {made:+.2%} beyond costs ({made / error:+.1f} errors); costs take {edge.cost[0]:.2%}")
    assert abs(made) < 4 * error
    assert edge.cost[0] > 0

# %% [markdown]
# ## What this does not say
#
# A scenario has no likelihood, and completion knows only how things moved together before: in a crisis they do more so
# (`Estimation(covariance="crisis")` learns from those days). The normal law of reverse stress has tails too thin, so
# that what it calls once in a lifetime comes more often.
