# %% [markdown]
# # Normal days, jumps, storms: which law makes returns like those of a stock?
#
# The theory in five lines:
#
# 1. Geometric Brownian motion: log returns are independent normals. The sum over H sessions is N(H m, H s^2).
# 2. Merton: a Poisson number of normal jumps on top. Cumulants of a session add up: v + rate E[J^2] is the variance,
#    rate E[J^3] and rate E[J^4] make skew and fat tails. Volatility does not cluster.
# 3. Heston: the variance is a process of its own, d v = kappa (theta - v) dt + xi sqrt(v) dW, tied to the return's.
# 4. GARCH: h' = omega + alpha e^2 + beta h. In the long run h averages omega / (1 - alpha - beta); from today's h the
#    expected variance goes back to that by a factor of alpha + beta a session.
# 5. Filtered historical: the same recursion, but fed with history's own surprises instead of drawn ones.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd
from scipy.stats import norm
from skfolio.datasets import load_sp500_dataset

from quantlib.charts import PLOTLY_CONFIG, acf_comparison, outcomes_by_simulator
from quantlib.charts import realism_heatmap, realism_intervals
from quantlib.simulators import SIMULATORS
from quantlib.simulators.realism import realism
from quantlib.simulators.realism_card import grade_table
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

# The sample that comes with the workbench. On stored prices: quantlib.workflows.research.shared_panel(session, symbols)
panel = Panel.from_frames(load_sp500_dataset(), source="sample").select(["MSFT"]).tail(2521)
past = np.diff(np.log(panel.close[:, 0]))
names = ["gbm", "merton", "heston", "garch", "filtered_historical"]
fits = {name: SIMULATORS[name]().calibrate(panel) for name in names}
paths = Streams(seed=1, first=0, count=4000)
moves = {name: fit.draw(paths, 63)[:, :, 0] for name, fit in fits.items()}
titles = {name: SIMULATORS[name].title for name in names}
print(f"MSFT, {len(past):,} sessions, {panel.index[0]:%Y-%m-%d} to {panel.index[-1]:%Y-%m-%d}")


def errors_off(drawn: FloatArray, theory: float) -> float:
    """Return how many standard errors the mean of independent draws lies from theory; far off is an error."""
    off = float((drawn.mean() - theory) / (drawn.std() / len(drawn) ** 0.5))
    assert abs(off) < 4, off
    return off


# %% [markdown]
# ## A quarter ahead, by five laws
#
# One history, one mean. How wide the worlds spread differs, since three of the laws start at today's volatility and
# two at that of ten years. Below, each law is held against its theory, in standard errors of the worlds: about 1 in 20
# differences may pass 2, and none may reach 4.

# %%
ends = {titles[name]: np.expm1(drawn.sum(axis=1)) for name, drawn in moves.items()}
outcomes_by_simulator(ends, horizon=63).show(config=PLOTLY_CONFIG)
estimates = pd.DataFrame([e._asdict() | {"law": titles[name]} for name in names for e in fits[name].estimates()])
estimates.set_index(["law", "name"])[["value", "error", "unit"]]

# %% [markdown]
# ## Check: Brownian motion's quantiles

# %%
fit = fits["gbm"]
total = moves["gbm"].sum(axis=1)
law = norm(63 * fit.mean[0], fit.volatility[0] * (63 / fit.periods_per_year) ** 0.5)
for share in (0.05, 0.25, 0.5, 0.75, 0.95):
    theory, found = law.ppf(share), np.quantile(total, share)
    error = (share * (1 - share) / len(total)) ** 0.5 / law.pdf(theory)
    print(f"{share:.0%} below {found:+.4f}, by theory {theory:+.4f} ({(found - theory) / error:+.1f} errors)")
    assert abs(found - theory) < 4 * error

# %% [markdown]
# ## Check: Merton's moments

# %%
volatility, rate, mean, deviation, _ = fits["merton"].jumps[0]
m, d2 = mean, deviation**2
cumulants = [
    volatility**2 + rate * (m**2 + d2),
    rate * (m**3 + 3 * m * d2),
    rate * (m**4 + 6 * m**2 * d2 + 3 * d2**2),
]
away = (moves["merton"] - fits["merton"].center[0] - rate * m) / cumulants[0] ** 0.5
skew, kurtosis = cumulants[1] / cumulants[0] ** 1.5, 3 + cumulants[2] / cumulants[0] ** 2
for what, power, theory in (("mean", 1, 0.0), ("variance", 2, 1.0), ("skew", 3, skew), ("kurtosis", 4, kurtosis)):
    each = (away**power).mean(axis=1)  # one number a world
    print(f"{what}: {each.mean():.3f}, by theory {theory:.3f} ({errors_off(each, theory):+.1f} errors)")
print(
    f"{rate * 252:.0f} jumps a year of {mean:+.2%} on average; history's kurtosis is {pd.Series(past).kurt() + 3:.1f}"
)

# %% [markdown]
# ## Check: Heston's expected growth and variance
#
# The scheme keeps expected growth exact at every step. The expected variance goes from today's to theta by 1 - kappa
# dt a step; a variance that would fall below zero is held there, which lifts it by a little.

# %%
fit, heston = fits["heston"], fits["heston"].fits[0]
steps = 63 * fit.substeps
variance = heston.level + (fit.ahead[0] - heston.level) * (1 - heston.reversion / fit.substeps) ** np.arange(steps)
gross = np.exp(moves["heston"].sum(axis=1))
theory = float(np.exp(63 * fit.growth[0]))
print(f"gross return {gross.mean():.4f}, by theory {theory:.4f} ({errors_off(gross, theory):+.1f} errors)")
away = ((moves["heston"] - moves["heston"].mean(axis=0)) ** 2).mean(axis=1)
print(f"variance {away.mean():.3e}, by theory {variance.mean():.3e} ({errors_off(away, variance.mean()):+.1f} errors)")

# %% [markdown]
# ## Check: GARCH's variance, from today's to the long run's

# %%
fit, rule = fits["garch"], fits["garch"].fits[0]
persistence, long_run = rule.alpha + rule.beta, rule.omega / (1 - rule.alpha - rule.beta)
assert np.isclose(fit.volatility[0], (252 * long_run) ** 0.5)
expected = long_run + (fit.ahead[0] - long_run) * persistence ** np.arange(63)
squared = (moves["garch"] - fit.mean[0]) ** 2
for name, part in (("first week", slice(0, 5)), ("last week", slice(58, 63))):
    each, theory = squared[:, part].mean(axis=1), expected[part].mean()
    print(f"{name}: variance {each.mean():.3e}, by theory {theory:.3e} ({errors_off(each, theory):+.1f} errors)")

settled = SIMULATORS["garch"](start="long_run").calibrate(panel).draw(paths, 63)[:, :, 0]
each = ((settled - fit.mean[0]) ** 2).mean(axis=1)
print(f"long run: variance {each.mean():.3e}, by theory {long_run:.3e} ({errors_off(each, long_run):+.1f} errors)")

# %% [markdown]
# ## Check: filtered history draws history's surprises
#
# The first session is one of history's standardised returns, at the volatility forecast for tomorrow.

# %%
fit = fits["filtered_historical"]
surprises = (moves["filtered_historical"][:, 0] - fit.mean[0]) / fit.ahead[0] ** 0.5
gaps = np.abs(surprises[:200, None] - fit.shocks[:, 0]).min(axis=1)
print(f"Furthest from any of history's: {gaps.max():.1e}; their variance {surprises.var():.3f}")
assert gaps.max() < 1e-9
errors_off(surprises**2, 1.0)

# %% [markdown]
# ## How real are they?
#
# Each law makes worlds as long as its history, and every measure of history is held against those of the worlds.
# Brownian motion has neither tails nor storms. Jumps give tails, and only a variance that remembers gives storms.

# %%
cards = {name: realism(SIMULATORS[name](), panel, n=99, seed=1) for name in names}
grades = grade_table(list(cards.values()))
realism_heatmap(grades).show(config=PLOTLY_CONFIG)
for name in ("gbm", "garch"):
    found = cards[name].measures("MSFT")
    realism_intervals(found, simulator=titles[name], symbol="MSFT", grade=cards[name].grade).show(config=PLOTLY_CONFIG)
    acf_comparison(cards[name].acf.loc["MSFT"], simulator=titles[name], symbol="MSFT").show(config=PLOTLY_CONFIG)
failed = {name: set(card.fails["facet"]) for name, card in cards.items()}
assert {"tails", "clustering"} <= failed["gbm"]
assert "clustering" in failed["merton"]
assert "clustering" not in failed["garch"] | failed["filtered_historical"]
pd.Series({card.title: card.sentence for card in cards.values()}, name="verdict").to_frame()

# %% [markdown]
# ## What this does not say
#
# A good grade means that these measures cannot tell the worlds from history, not that the law is true. Parameters are
# estimates: the table of them says how sure each is, and a world takes them as given.
