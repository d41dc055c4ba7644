# %% [markdown]
# # Is my edge real?
#
# The theory in five lines:
#
# 1. The best of N strategies without skill has an expected Sharpe ratio of sqrt(V) times the expected largest of N
#    normal numbers: the more was tried, the higher the hurdle (False Strategy theorem).
# 2. The deflated Sharpe ratio is the probability that the true ratio is above zero although the record is the best of
#    many; length, skewness and fat tails count.
# 3. Trials that resemble each other are fewer in effect: what counts is how high the best of them is expected.
# 4. Choosing by the past and living with the choice (walk-forward, cross-validated paths) shows what choosing is worth;
#    the probability of overfitting is how often the best of one half is below the median of the other.
# 5. A rule that knows when to be in beats its own positions at random other times.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd
from skfolio.datasets import load_sp500_dataset

from quantlib.backtest import active_returns, run_strategy, variants_of
from quantlib.charts import PLOTLY_CONFIG
from quantlib.charts.validation import luck_chart, overfitting_logits, parts_chart, spread_beside
from quantlib.costs import Costs
from quantlib.strategies import READY, MACross
from quantlib.types import Panel
from quantlib.validation import (
    ReturnMoments,
    Verdict,
    deflated_sharpe,
    effective_trials,
    expected_max_sharpe,
    luck_hurdle,
)
from quantlib.validation import probability_of_backtest_overfitting, validate_deeply

YEAR = np.sqrt(252)
rng = np.random.default_rng(7)

# %% [markdown]
# ## What luck alone shows
#
# A thousand strategies without any skill over five years: the best of them looks good. First the worked example of
# Bailey and Lopez de Prado (2014): 100 trials, a Sharpe ratio of 2.5 a year over five years of 250 sessions.

# %%
example = ReturnMoments(n=1250, mean=2.5 / np.sqrt(250), sd=1.0, skew=-3.0, kurtosis=10.0)
hurdle = luck_hurdle(example, n_trials=100, variance=0.5 / 250)
deflated = deflated_sharpe(example, n_trials=100, variance=0.5 / 250)
print(f"Hurdle {hurdle:.4f} a session, deflated Sharpe ratio {deflated:.4f}")
assert abs(hurdle - 0.1132) < 5e-5
assert abs(deflated - 0.9004) < 5e-5

sessions, tried = 1260, 1000
luck = rng.normal(0.0, 0.01, (tried, sessions))
sharpes = luck.mean(axis=1) / luck.std(axis=1, ddof=1)
seen, expected = sharpes.max() * YEAR, expected_max_sharpe(tried, 1.0 / (sessions - 1)) * YEAR
print(f"The best of {tried:,} without skill: {seen:.2f} a year; expected {expected:.2f}")
assert abs(seen - expected) < 0.3

alike = np.repeat(rng.standard_normal((5, 96)), 20, axis=0)
print(f"100 trials of which 20 are the same each time: {effective_trials(alike).effective:.1f} in effect")
assert 4.0 < effective_trials(alike).effective < 6.0

best = ReturnMoments.of(pd.Series(luck[sharpes.argmax()]))
numbers = np.geomspace(1, 10 * tried, num=30)
hurdles = pd.Series([luck_hurdle(best, n_trials=n) * YEAR for n in numbers], numbers)
error = 1.96 * np.sqrt(best.stretch / (best.n - 1)) * YEAR
luck_chart(
    hurdles, sharpe=seen, low=seen - error, high=seen + error, trials=tried, effective=float(tried),
    hurdle=luck_hurdle(best, n_trials=tried) * YEAR,
).show(config=PLOTLY_CONFIG)  # fmt: skip
assert deflated_sharpe(best, n_trials=1) > 0.95 > deflated_sharpe(best, n_trials=tried)

# %% [markdown]
# ## A planted edge and none
#
# Prices that rise and fall in turn for most of a year each have a trend to follow; a random walk has none. The same
# rule is run on both, among sixteen of its like, with costs.

# %%
costs = Costs(commission_bps=0.5, half_spread_bps=0.5)
grid = {"fast": [2, 3, 5, 8], "slow": [20, 30, 40, 60]}


def market(drift: float, seed: int = 2) -> Panel:
    """Return two prices that rise and fall in turn by `drift` a session; 0 is a random walk."""
    draw = np.random.default_rng(seed)
    way = np.stack([np.repeat(draw.permutation([1.0, -1.0] * 6), 200) for _ in range(2)], axis=1)
    close = 100 * np.exp((drift * way + draw.normal(0, 0.008, way.shape)).cumsum(axis=0))
    return Panel.from_frames(pd.DataFrame(close, pd.bdate_range("2008-01-01", periods=len(close)), ["A", "B"]))


def judged(panel: Panel) -> Verdict:
    """Return the verdict on the best of the grid, which is how a rule is usually found."""
    rule = MACross(universe=panel.symbols, fast=5, slow=40, allow_short=True)
    found = variants_of(rule, panel, grid=grid, costs=costs)
    chosen = found.parameters.loc[found.returns.mean().idxmax()].to_dict()
    rule = rule.model_copy(update={name: int(value) for name, value in chosen.items()})
    return validate_deeply(
        rule, panel, variants_of(rule, panel, grid=grid, costs=costs), costs=costs, samples=100, every=5
    )


planted, noise = judged(market(0.002)), judged(market(0.0))
print("Planted:", planted.sentence)
print("Noise:  ", noise.sentence)
assert planted.edge == "pass"
assert noise.edge != "pass"
pd.DataFrame(
    {"planted": {c.title: c.outcome for c in planted.checks}, "noise": {c.title: c.outcome for c in noise.checks}}
)

# %%
for name, verdict in {"the planted edge": planted, "noise": noise}.items():
    entries = verdict.evidence.entries
    spread_beside(
        entries.others * YEAR, entries.sharpe * YEAR, title=f"Random times beside {name}: p {entries.p_value:.2f}",
        subtitle="The same positions, shifted in time", of="random times", mark="the rule",
    ).show(config=PLOTLY_CONFIG)  # fmt: skip
assert planted.evidence.entries.p_value < 0.05 < noise.evidence.entries.p_value

# %% [markdown]
# ## The probability of overfitting
#
# Among variants without any difference the best of one half is below the median of the other as often as not, on
# average over searches; one variant that is really better stays the best.

# %%
blanks = [pd.DataFrame(rng.normal(0.0, 0.01, (1000, 20))) for _ in range(20)]
found = [probability_of_backtest_overfitting(blank) for blank in blanks]
print(
    f"Without any difference: {np.mean([one.probability for one in found]):.2f} on average over {len(found)} searches"
)
assert 0.35 < np.mean([one.probability for one in found]) < 0.65
real = blanks[0].assign(skilled=rng.normal(0.0015, 0.01, 1000))
assert probability_of_backtest_overfitting(real).probability < 0.1

counts, edges = np.histogram(found[0].logits, bins=40, range=(-4, 4))
overfitting_logits(counts, edges, probability=found[0].probability).show(config=PLOTLY_CONFIG)

# %% [markdown]
# ## A ready strategy on real prices
#
# Coke against Pepsi, before the hold-out. With a database `workbench validate "Coke against Pepsi"` says the same with
# the count of all trials on record, and the page Validation draws it.

# %%
pair = READY["Coke against Pepsi"]
panel = Panel.from_frames(load_sp500_dataset(), source="sample").select(pair.symbols).window("2005-01-01", "2019-12-31")
verdict = validate_deeply(pair, panel, samples=50)
print(verdict.sentence)
returns = active_returns(run_strategy(pair, panel))
print(f"Sharpe ratio {returns.mean() / returns.std() * YEAR:.2f} a year; {verdict.evidence.variants.sentence}")
assert verdict.certificate.passed
assert np.isclose(verdict.evidence.plateau.sharpe, returns.mean() / returns.std(), rtol=1e-6)
pd.DataFrame(
    [(c.outcome, c.title, c.sentence, c.change) for c in verdict.checks],
    columns=["", "check", "why", "what would change it"],
)

# %%
parts = verdict.evidence.subperiods
shown = parts.assign(**{name: parts[name] * YEAR for name in ("sharpe", "low", "high")})
good = int((shown["sharpe"] > 0).sum())
parts_chart(shown, title=f"Coke against Pepsi earned something in {good} of {len(shown)} parts", what="Years").show(
    config=PLOTLY_CONFIG
)
