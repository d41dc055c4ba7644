# %% [markdown]
# # What moves together, and for how long?
#
# The theory in five lines:
#
# 1. An Ornstein-Uhlenbeck spread, seen daily, is an AR(1): its gap to the level is multiplied by phi a session.
# 2. So half a gap is left after log 2 / -log phi sessions, and the spread's stationary variance is s^2 / (1 - phi^2).
# 3. A Markov chain stays in a regime with chance p a session; a visit lasts 1 / (1 - p) sessions on average.
# 4. A t copula joins any margins. Kendall's tau depends on its correlation alone: 2 / pi arcsin(rho).
# 5. Its degrees of freedom say how often extremes come together: in the limit with chance
#    2 T(-sqrt((nu + 1)(1 - rho) / (1 + rho))), T being Student's law of nu + 1 degrees; under a normal law with none.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, t
from skfolio.datasets import load_sp500_dataset

from quantlib.charts import PLOTLY_CONFIG, fan_chart, indicator_pane, outcome_histogram
from quantlib.simulators.copula import TCopula
from quantlib.simulators.gbm import GBM
from quantlib.simulators.ornstein_uhlenbeck import OrnsteinUhlenbeck
from quantlib.simulators.regime_switching import RegimeSwitching
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

# The sample that comes with the workbench. On stored prices: quantlib.workflows.research.shared_panel(session, symbols)
whole = Panel.from_frames(load_sp500_dataset(), source="sample")


def errors_off(drawn: FloatArray, theory: float) -> float:
    """Return how many standard errors the mean of independent draws lies from theory; far off is an error."""
    off = float((drawn.mean() - theory) / (drawn.std() / len(drawn) ** 0.5))
    assert abs(off) < 4, off
    return off


# %% [markdown]
# ## A spread that comes back: Coke over Pepsi
#
# Pepsi wanders, Coke is tied to it. The simulator refuses a pair whose mean reversion is not significant; this one
# passes on these five years. It was found by looking at several, so its edge is worth less than it looks.

# %%
pair = whole.select(["PEP", "KO"]).tail(1261)
fit = OrnsteinUhlenbeck().calibrate(pair)
(spread,) = fit.spreads
logs = np.log(pair.close)
gap = pd.Series(logs[:, 1] - spread.hedge * logs[:, 0] - spread.level, index=pair.index)
deviation = (fit.covariance[1, 1] / (1 - spread.phi**2)) ** 0.5
levels = {"level": 0.0, "one deviation": deviation, "less one": -deviation}
indicator_pane({"gap": gap}, "Spread of KO over PEP, from its level", levels, unit="log price").show(
    config=PLOTLY_CONFIG
)
estimates = pd.DataFrame(fit.estimates()).set_index("name")[["symbol", "value", "error", "unit"]]
estimates.round(4)

# %% [markdown]
# ## Check: half-life and stationary variance

# %%
half_life = np.log(2) / -np.log(spread.phi)
assert np.isclose(half_life, estimates.loc["half-life", "value"])
moves = fit.draw(Streams(seed=1, first=0, count=2000), 1000)
later = fit.now[0] - spread.level + np.cumsum(moves[:, :, 1] - spread.hedge * moves[:, :, 0], axis=1)
ahead = np.column_stack([np.full(len(later), np.exp(gap.iloc[-1])), np.exp(later[:, :126])])
dates = pair.index[-1:].append(pair.next_sessions(126))
fan_chart(np.exp(gap), ahead, dates, what="Spread", simulator="Ornstein-Uhlenbeck").show(config=PLOTLY_CONFIG)

day = round(half_life)
theory = gap.iloc[-1] * spread.phi**day
off = errors_off(later[:, day - 1], theory)
print(
    f"Gap today {gap.iloc[-1]:+.4f}; after {day} sessions {later[:, day - 1].mean():+.4f}, by theory {theory:+.4f}",
    end="",
)
print(f" ({off:+.1f} errors)")

before, after = later[:, :-1], later[:, 1:]
pull = (before * (after - spread.phi * before)).sum(axis=1)  # zero on average, if phi is the factor
phi = (before * after).sum() / (before**2).sum()
print(f"Half-life {np.log(2) / -np.log(phi):.1f} sessions in worlds, {half_life:.1f} by theory", end="")
print(f" ({errors_off(pull, 0.0):+.1f} errors)")

settled = (later[:, 400:] ** 2).mean(axis=1)  # by then today's gap is forgotten
print(f"Stationary deviation {settled.mean() ** 0.5:.4f}, by theory {deviation:.4f}", end="")
print(f" ({errors_off(settled, deviation**2):+.1f} errors)")

# %% [markdown]
# ## Calm and turbulent: regimes
#
# Five stocks over twenty years. The worlds begin in the regime of today and change it by chance.

# %%
stocks = whole.select(["JPM", "KO", "MSFT", "PG", "XOM"]).window("2003-01-01")
regimes = RegimeSwitching().calibrate(stocks)
stays, errors = regimes.durations()
first, chain = GBM().calibrate(stocks), Streams(seed=1, first=0, count=2000)
both = {"Markov regimes": regimes.draw(chain, 63), "Brownian motion": first.draw(chain, 63)}
outcomes = {name: np.expm1(drawn.sum(axis=1)).mean(axis=1) for name, drawn in both.items()}
outcome_histogram(outcomes, horizon=63, what="Mean return of the five").show(config=PLOTLY_CONFIG)
year = regimes.periods_per_year
pd.DataFrame(
    {
        "share of sessions": regimes.share,
        "today": regimes.today,
        "a visit lasts": stays,
        "error": errors,
        "volatility of JPM": np.sqrt(year * regimes.covariances[:, 0, 0]),
        "correlation of JPM and KO": [c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) for c in regimes.covariances],
    },
    index=["calm", "turbulent"],
).round(3)

# %% [markdown]
# ## Check: how long a visit lasts
#
# A twin of the law whose return is the number of its regime, without noise, shows the chain itself.

# %%
bare = replace(
    regimes,
    means=np.repeat([[0.0], [1.0]], len(stocks.symbols), axis=1),
    covariances=np.zeros_like(regimes.covariances),
)
states = bare.draw(Streams(seed=2, first=0, count=400), 2000)[:, :, 0].round().astype(int)
for regime, name in enumerate(("calm", "turbulent")):
    here = states[:, :-1] == regime
    left = here & (states[:, 1:] != regime)
    theory = stays[regime]
    miss = here.sum(axis=1) - theory * left.sum(axis=1)  # zero on average, if a visit lasts as long
    off = errors_off(miss.astype(float), 0.0)
    print(f"{name}: {here.sum() / left.sum():.1f} sessions a visit, by theory {theory:.1f} ({off:+.1f} errors)")
share = (states[:, 1000:] == 1).mean(axis=1)
print(f"turbulent {share.mean():.1%} of the time, {regimes.share[1]:.1%} by theory", end="")
print(f" ({errors_off(share, regimes.share[1]):+.1f} errors)")

# %% [markdown]
# ## Crashing together: the t copula
#
# The same stocks. The normal law of Brownian motion has the same correlation, but its extremes come alone.

# %%
copula = TCopula().calibrate(stocks)
rho, nu = copula.shape[0, 4], copula.degrees
together = 2 * t.cdf(-(((nu + 1) * (1 - rho) / (1 + rho)) ** 0.5), nu + 1)
draws = Streams(seed=3, first=0, count=60)
worlds = {"t copula": copula.draw(draws, 1000), "Brownian motion": first.draw(draws, 1000)}
past = np.diff(np.log(stocks.close), axis=0)


def shared(moves: FloatArray) -> float:
    """Return how often XOM has one of its worst 1 % of sessions, given that JPM has."""
    worst = moves[:, [0, 4]] < np.quantile(moves[:, [0, 4]], 0.01, axis=0)
    return float(worst.all(axis=1).sum() / worst[:, 0].sum())


falls = {name: np.array([shared(world) for world in drawn]) for name, drawn in worlds.items()}
ends = {name: np.expm1(drawn[:, :, [0, 4]].mean(axis=2)).ravel() for name, drawn in worlds.items()}
outcome_histogram(ends, horizon=1, what="Return of JPM and XOM in equal parts").show(config=PLOTLY_CONFIG)
print(
    f"{nu:.1f} degrees of freedom, error {copula.degrees_error:.1f}; in the limit {together:.0%} of crashes are shared"
)
print(f"Worst 1 % of JPM shared by XOM: history {shared(past):.0%}, ", end="")
print(", ".join(f"{name} {found.mean():.0%}" for name, found in falls.items()))
assert falls["t copula"].mean() > falls["Brownian motion"].mean()

# %% [markdown]
# ## Check: Kendall's tau

# %%
for i, j in ((0, 4), (1, 3), (0, 2)):
    each = np.array([kendalltau(world[:, i], world[:, j]).statistic for world in worlds["t copula"]])
    theory = 2 / np.pi * np.arcsin(copula.shape[i, j])
    of_history = kendalltau(past[:, i], past[:, j]).statistic
    names = f"{stocks.symbols[i]} and {stocks.symbols[j]}"
    print(f"{names}: tau {each.mean():.3f}, by theory {theory:.3f} ({errors_off(each, theory):+.1f} errors)", end="")
    print(f"; history {of_history:.3f}")
    assert abs(of_history - theory) < 1e-6

# %% [markdown]
# ## What this does not say
#
# A pair that reverted for five years may part for good, two regimes are two because we asked for two, and a copula
# without memory knows no storms. Each law is right about one thing; a strategy should live through several.
