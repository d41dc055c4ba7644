# %% [markdown]
# # The strategy says which way. Should it be trusted this time?
#
# The theory in five lines:
#
# 1. A primary strategy gives the side: long or short. It may be a simple rule, and it stays as it is.
# 2. The meta-label of each session with a side: 1 if the trade gains by the first barrier it meets, else 0.
# 3. A second model learns the label from what was known at the close: not where prices go, but when the rule is right.
# 4. Its probability sizes the bet: trades below one half are left out.
# 5. It can only help where the rule is right sometimes more than at others, in a way the features tell
#    (Lopez de Prado 2018, chapter 3.6).

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd
from skfolio.datasets import load_sp500_dataset

from quantlib.backtest import run
from quantlib.charts import PLOTLY_CONFIG, calibration_chart, compare_runs, importance_bars
from quantlib.charts.models import fold_gains
from quantlib.ml import WalkForward, build_examples, evaluate, predictions_as_extra
from quantlib.strategies import MACross
from quantlib.types import Panel

SCHEME = WalkForward(train=1000, test=500)

# %% [markdown]
# ## A law we planted
#
# First a world in which the answer is known: in calm spells prices go on in the direction of the last month, in wild
# ones they turn. The rule always follows the last month, so it is right in calm spells alone.

# %%
rng = np.random.default_rng(11)
n, names = 2600, ("A", "B", "C", "D")
returns = rng.normal(size=(n, len(names)))
for j in range(len(names)):
    wild = np.repeat(rng.random(n // 100 + 1) < 0.5, 100)[:n]
    size = np.where(wild, 0.02, 0.007)
    for t in range(n):
        followed = np.sign(returns[max(t - 21, 0) : t, j].sum()) if t > 21 else 0.0
        returns[t, j] = size[t] * (returns[t, j] + 0.15 * followed * (-1.0 if wild[t] else 1.0))
days = pd.bdate_range("2010-01-04", periods=n)
planted = Panel.from_frames(pd.DataFrame(100 * np.exp(returns.cumsum(axis=0)), index=days, columns=list(names)))
side = np.sign(planted.frame() - planted.frame().shift(21))
law = build_examples(planted, "meta_label", features=["own"], side=side, horizon=10)
found = evaluate(law, "gradient_boosting", scheme=SCHEME, importance=False)
nothing = evaluate(law.shuffled(1), "gradient_boosting", scheme=SCHEME, importance=False)
print(f"Planted:  {found.verdict}\nShuffled: {nothing.verdict}")
assert found.has_edge, "a law this strong is found"
assert not nothing.has_edge, "there is nothing to find in labels dealt out at random"

# %% [markdown]
# ## A rule on real prices
#
# A crossing of moving averages on eight shares. The model is asked about each session of a test after learning from
# the sessions before it, whose labels had come true by then.

# %%
panel = Panel.from_frames(
    load_sp500_dataset()[["AAPL", "BAC", "GE", "JNJ", "KO", "MSFT", "WMT", "XOM"]].loc["1998":], source="sample"
)
rule = MACross(universe=panel.symbols, fast=20, slow=100)
sides = rule.targets(panel)
examples = build_examples(panel, "meta_label", features=["own", "calendar"], side=sides, horizon=21)
label = examples.known.labels["label"]
print(f"{len(label):,} sessions with a side; {label.mean():.1%} of the trades gain")
result = evaluate(examples, "logistic", scheme=SCHEME)
print(result.verdict)
fold_gains(result.folds, "log_loss", gain=result.gain, low=result.gain_low, high=result.gain_high).show(
    config=PLOTLY_CONFIG
)
calibration_chart(result.calibration).show(config=PLOTLY_CONFIG)
importance_bars(result.importance["importance"]).show(config=PLOTLY_CONFIG)
result.gains.round(5)

# %% [markdown]
# ## Does it pay?
#
# The same rule twice, after costs, over the sessions of the tests: every trade, and those it is trusted with. What the
# model said is an extra of the panel from the session on at which it was said.

# %%
with_trust = predictions_as_extra(panel, result, "trust")
trust = with_trust.frame("trust")
asked = result.predictions.index.get_level_values("ts").min()
span = panel.window(asked, panel.index[-1])
every, trusted = sides.loc[asked:], sides.where(trust > 0.5, 0.0).loc[asked:]
both = {"every trade": run(span, every), "trusted alone": run(span, trusted)}
table = pd.DataFrame({name: one.summary(seed=7).loc[["sharpe_ratio", "cagr", "max_drawdown", "turnover"], "value"]
                      for name, one in both.items()}).T  # fmt: skip
compare_runs({name: one.equity for name, one in both.items()}).show(config=PLOTLY_CONFIG)
kept = float((trusted.abs() > 0).sum().sum() / (every.abs() > 0).sum().sum())
sharpe = both["trusted alone"].summary(seed=7).loc["sharpe_ratio"]
print(f"It is trusted with {kept:.0%} of the session-positions.")
print(f"Sharpe ratio of the trusted: {sharpe['value']:.2f} ({sharpe['ci_low']:.2f} … {sharpe['ci_high']:.2f})")
assert (trusted.abs() <= every.abs()).all(axis=None), "it only ever leaves trades out"
assert sharpe["ci_low"] < table.loc["every trade", "sharpe_ratio"] < sharpe["ci_high"], "no difference beyond chance"
table.round(3)

# %% [markdown]
# ## What came of it
#
# The planted law is found, and nothing is found in labels dealt out at random; so what follows is about the rule, not
# about the method. On real prices the features tell next to nothing of when a crossing of averages is right, and
# leaving trades out changes its record by no more than chance does. Eight shares that are still known today are a
# choice made with hindsight, and the rule, the barriers and the horizon were each a choice: three more trials.
#
# On stored prices the same is one line, counted, kept in MLflow and asked again after every session once it has passed
# the gate: `train_model(session, symbols, name="trust", target="meta_label", side="Large-cap trend", horizon=21)`, or
# `workbench train` with `--target meta_label --side "Large-cap trend"`.
