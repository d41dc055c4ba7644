# %% [markdown]
# # The past, dealt again: what does a bootstrap keep, and what does it lose?
#
# The theory in five lines:
#
# 1. A world is stretches of real sessions laid end to end, drawn with replacement, all symbols of a session together.
# 2. Inside a block days keep their order, and so their clusters of volatility; between blocks nothing is remembered.
# 3. A block must be as long as the memory worth keeping: Politis and White's rule, on the size of the returns.
# 4. With g(k) history's autocovariance in a circle, blocks of mean length L give Var(sum over H sessions) =
#    H g(0) + 2 sum (H - k) (1 - 1/L)^k g(k); independent days, L = 1, give H g(0). Shuffling would give zero.
# 5. What never happened in one session cannot happen. So a bootstrap has to say which crises it has never seen.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd
from arch.bootstrap import optimal_block_length
from skfolio.datasets import load_sp500_dataset

from quantlib.charts import PLOTLY_CONFIG, acf_comparison, fan_chart, outcome_histogram
from quantlib.charts import outcomes_by_simulator, price_line
from quantlib.simulators import SIMULATORS, StationaryBootstrap
from quantlib.simulators.crises import CRISES, covered, replay_crisis, stamp
from quantlib.simulators.realism import realism
from quantlib.simulators.streams import Streams
from quantlib.types import Panel

# The sample that comes with the workbench. On stored prices: quantlib.workflows.research.shared_panel(session, symbols)
whole = Panel.from_frames(load_sp500_dataset(), source="sample").select(["JPM", "KO", "MSFT", "XOM"])
panel = whole.window("2013-01-01")
past = np.diff(np.log(panel.close), axis=0)
paths = Streams(seed=1, first=0, count=4000)
print(f"{len(panel):,} sessions, {panel.index[0]:%Y-%m-%d} to {panel.index[-1]:%Y-%m-%d}: {', '.join(panel.symbols)}")

# %% [markdown]
# ## The family: a quarter of JPMorgan ahead
#
# Three ways to lay blocks, one that begins them on days like today, and one that deals the market and the companies'
# own news apart. Their means agree, for all keep history's; what differs is how worlds spread.

# %%
names = ["stationary_bootstrap", "circular_bootstrap", "block_bootstrap", "regime_bootstrap", "factor_bootstrap"]
fits = {name: SIMULATORS[name]().calibrate(panel) for name in names}
sums = {SIMULATORS[name].title: fit.draw(paths, 63)[:, :, 0].sum(axis=1) for name, fit in fits.items()}
outcomes_by_simulator({title: np.expm1(ends) for title, ends in sums.items()}, horizon=63).show(config=PLOTLY_CONFIG)

closes = StationaryBootstrap().closes(panel, n=500, horizon=63, seed=1)[:, :, 0]
dates = panel.index[-1:].append(panel.next_sessions(63))
ahead = np.column_stack([np.full(len(closes), panel.close[-1, 0]), closes])
fan_chart(panel.frame()["JPM"], ahead, dates, what="JPM", simulator="Stationary bootstrap").show(config=PLOTLY_CONFIG)

for title, ends in sums.items():
    off = (ends.mean() - 63 * past[:, 0].mean()) / (ends.std() / len(ends) ** 0.5)
    print(f"{title}: mean log return {ends.mean():+.4f}, {off:+.1f} errors from history's")
    assert abs(off) < 4, title

# %% [markdown]
# ## Check: the block is `arch`'s

# %%
lengths = optimal_block_length(np.abs(past)).clip(lower=1).mean()
stationary, circular = fits["stationary_bootstrap"], fits["circular_bootstrap"]
print(f"stationary {stationary.block:.2f} (arch {lengths['stationary']:.2f}), circular {circular.block} sessions")
assert abs(stationary.block - lengths["stationary"]) < 1e-9
assert circular.block == round(lengths["circular"])

# %% [markdown]
# ## Check: how far worlds spread
#
# The sum of 250 sessions has the variance that line 4 says, for independent days and for blocks. A simulator that
# shuffled history, as one well-known library does, would end all worlds at the same price: a variance of zero.

# %%
horizon, level = 250, past[:, 0] - past[:, 0].mean()
autocovariance = np.array([level @ np.roll(level, -k) for k in range(horizon)]) / len(level)
lags = np.arange(1, horizon)


def spread_by_theory(block: float) -> float:
    kept = (horizon - lags) * (1 - 1 / block) ** lags @ autocovariance[1:]
    return float(horizon * autocovariance[0] + 2 * kept) ** 0.5


ends = {}
for name, block in (("independent days", 1.0), ("blocks by the rule", stationary.block), ("blocks of 5", 5.0)):
    total = StationaryBootstrap(block=block).calibrate(panel).draw(paths, horizon)[:, :, 0].sum(axis=1)
    squared, theory = (total - horizon * past[:, 0].mean()) ** 2, spread_by_theory(block)
    off = (squared.mean() - theory**2) / (squared.std() / len(squared) ** 0.5)
    ends[name] = np.expm1(total)
    print(f"{name}: deviation {squared.mean() ** 0.5:.4f}, by theory {theory:.4f} ({off:+.1f} errors)")
    assert abs(off) < 4, name
    assert len(np.unique(total)) > 0.9 * len(total)
outcome_histogram(ends, horizon=horizon).show(config=PLOTLY_CONFIG)

# %% [markdown]
# ## Check: days stay whole, and clusters stay inside blocks
#
# Every simulated session is one of history's rows, all symbols at once. With blocks, the size of today's move still
# says something about the size of tomorrow's; dealt day by day it says nothing, and the realism card sees it.

# %%
rows = {tuple(row) for row in past}
drawn = stationary.draw(Streams(seed=2, first=0, count=50), 63).reshape(-1, 4)
assert all(tuple(row) in rows for row in drawn)

one = panel.select(["JPM"])
cards = {block: realism(StationaryBootstrap(block=block), one, n=99, seed=1) for block in (1, None)}
for block, words in ((1, "Bootstrap of single days"), (None, "Bootstrap in blocks")):
    acf_comparison(cards[block].acf.loc["JPM"], simulator=words, symbol="JPM").show(config=PLOTLY_CONFIG)
    print(f"{words}: {cards[block].sentence}")
assert "clustering" in set(cards[1].fails["facet"])
assert "clustering" not in set(cards[None].fails["facet"])

# %% [markdown]
# ## Check: days like today
#
# At the end of March 2020 volatility stood at its highest. Worlds that begin on days like that are wilder than those
# that begin anywhere. Their first session is one that followed such a day, each with the same chance.

# %%
then = panel.until("2020-03-31")
wild = SIMULATORS["regime_bootstrap"]().calibrate(then)
first = wild.draw(paths, 1)[:, 0, 0]
after = wild.moves[wild.blocks.starts, 0]
squared = (first - first.mean()) ** 2
off = (squared.mean() - after.var()) / (squared.std() / len(squared) ** 0.5)
usual = np.diff(np.log(then.close[:, 0])).std()
print(wild.today.round(2).to_dict())
print(f"{len(wild.alike)} days like it in {wild.stretches} stretches, worth {wild.effective:.0f} days")
print(f"First session: deviation {first.std():.4f} ({off:+.1f} errors from theory); of all days {usual:.4f}")
assert abs(off) < 4
assert first.std() > 1.3 * usual

# %% [markdown]
# ## Check: the market of one day, the news of another
#
# The factor bootstrap keeps every covariance, for what factors leave over is uncorrelated with them, and makes days
# that history never had.

# %%
apart = fits["factor_bootstrap"]
moves = apart.draw(Streams(seed=3, first=0, count=400), 250)
off_mean = moves - past.mean(axis=0)
each = (off_mean[:, :, 0] * off_mean[:, :, 1]).mean(axis=1)  # one number a world
theory = np.cov(past, rowvar=False, ddof=0)[0, 1]
off = (each.mean() - theory) / (each.std() / len(each) ** 0.5)
print(f"Covariance of JPM and KO: {each.mean():.2e} simulated, {theory:.2e} in history ({off:+.1f} errors)")
assert abs(off) < 4
assert np.allclose(apart.correlation, np.corrcoef(past, rowvar=False))
assert not any(tuple(row) in rows for row in moves[0])

# %% [markdown]
# ## What it has never seen
#
# The stamp that goes with every number made from these ten years; and a crisis from before them, laid onto today's
# price.

# %%
print(stamp(stationary.start, stationary.end))
seen = covered(stationary.start, stationary.end)["seen"]
assert (seen["lehman-2008"], seen["covid-2020"]) == ("never", "whole")

replay = replay_crisis(whole, "lehman-2008")
price_line(panel.tail(252).append(replay), "JPM").show(config=PLOTLY_CONFIG)
crisis = CRISES["lehman-2008"]
history = whole.frame().loc[[crisis.start, crisis.end]]
assert np.allclose(replay.close[-1] / whole.close[-1], history.iloc[1] / history.iloc[0])
pd.DataFrame({"then": history.iloc[1] / history.iloc[0] - 1, "on today's price": replay.close[-1]}).round(3)

# %% [markdown]
# ## What this does not say
#
# Every world is cut from one past. Ten calm years make calm worlds, however many of them; the interval of a number
# counts the draws, and only longer history makes the rest surer.
