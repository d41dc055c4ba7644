# %% [markdown]
# # There is one history. Do simulated ones teach a model anything?
#
# The theory in five lines:
#
# 1. A model learns from the past of each test alone. So must a simulator: it is fitted anew in every fold.
# 2. Beside history: its worlds are more rows, with a weight. Before history: what a model of worlds says is one more
#    feature. Instead of history: worlds alone.
# 3. A bootstrap knows no more than its sample; a parametric law adds what it assumes, right or wrong.
# 4. So worlds may steady an estimate (fewer rows of noise learned by heart), and cannot add what is not in the past.
# 5. The judge is real days out of sample: the loss with worlds against the loss without, on the same rows.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd
from skfolio.datasets import load_sp500_dataset

from quantlib.charts import PLOTLY_CONFIG
from quantlib.charts.models import fold_gains, gain_intervals
from quantlib.ml import WalkForward, build_examples
from quantlib.ml.simulated import Worlds
from quantlib.ml.simulated_gain import compare_with_worlds
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.types import Panel

panel = Panel.from_frames(load_sp500_dataset()[["JNJ", "KO", "MSFT", "XOM"]].loc["2004":], source="sample")
SCHEME = WalkForward(train=200, test=150)  # of rows: they are ten sessions apart
print(f"{', '.join(panel.symbols)}, {panel.index[0]:%Y-%m-%d} to {panel.index[-1]:%Y-%m-%d}")


def compare(target: str, model: str, horizon: int, worlds: list[Worlds]) -> pd.DataFrame:
    """Return the loss and the gain over history alone by how the worlds were used."""
    rows = build_examples(panel, target, features=["own"], horizon=horizon).thinned(10)
    found = compare_with_worlds(panel, rows, model, worlds=worlds, scheme=SCHEME, every=1)
    for sentence in found.sentences:
        print(sentence)
    history = found.history
    name = "log_loss" if history.kind == "classification" else "mse"
    fold_gains(
        history.folds, name, gain=history.gain, low=history.gain_low, high=history.gain_high, over=history.yardstick
    ).show(config=PLOTLY_CONFIG)
    for one in found.with_worlds.values():  # the same rows, asked in the same order
        assert one.predictions.index.equals(found.history.predictions.index)
    return found.table


# %% [markdown]
# ## Up or down
#
# First how well history alone does against the base rate, fold by fold; then what worlds add to it.
#
# Nobody knows, history included; a flexible model learns noise by heart, and worlds may keep it from that.

# %%
bootstrap = StationaryBootstrap(block=21)
uses = [Worlds(simulator=bootstrap, use=use, number=2, horizon=1000) for use in ("augment", "pretrain", "worlds")]
direction = compare("direction", "gradient_boosting", 10, uses)
gain_intervals(direction, what="log loss of the direction").show(config=PLOTLY_CONFIG)
assert direction.loc["history", "gain"] == 0.0
direction.round(5)

# %% [markdown]
# ## How much prices will move
#
# Volatility comes in spells, and that can be foretold. A bootstrap keeps spells as long as its blocks; geometric
# Brownian motion has none, so a model that learned from its worlds alone learned that nothing can be foretold.

# %%
volatility = compare("volatility", "ridge", 21, uses)
gain_intervals(volatility, what="squared error of the volatility").show(config=PLOTLY_CONFIG)
without_spells = compare("volatility", "ridge", 21, [Worlds(simulator=GBM(), use="worlds", number=2, horizon=1000)])
assert without_spells.loc["worlds", "high"] < 0, "a law without spells teaches the wrong thing, and it shows"
volatility.round(5)

# %% [markdown]
# ## The verdict
#
# By the intervals above, in words: what helped, what hurt, and what made no difference beyond chance.


# %%
def word(row: pd.Series) -> str:
    return "helped" if row["low"] > 0 else "hurt" if row["high"] < 0 else "no difference beyond chance"


gain_intervals(
    pd.concat({"direction": direction, "volatility": volatility})
    .drop("history", level=1)
    .set_axis(
        [f"{target}, {use}" for target in ("direction", "volatility") for use in ("augment", "pretrain", "worlds")]
    ),
    what="loss",
).show(config=PLOTLY_CONFIG)
verdict = pd.DataFrame({"direction": direction.drop("history").apply(word, axis=1),
                        "volatility": volatility.drop("history").apply(word, axis=1)})  # fmt: skip
tried = verdict.size + 1
helped = int((verdict == "helped").sum().sum())
print(f"{helped} of {tried} uses of worlds helped.")
assert helped < tried, "simulation is no free lunch"
assert np.isfinite(direction.to_numpy()).all()
verdict

# %% [markdown]
# ## What this does not say
#
# Seven comparisons are seven trials, and at 95 % one in twenty would seem to matter by chance. Worlds cost a fit of the
# simulator and their features in every fold. `train_model(..., worlds="stationary_bootstrap")` does the same on stored
# prices, where it is counted.
