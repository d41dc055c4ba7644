# %% [markdown]
# # Something happened. Would prices have done the same on any other day?
#
# The theory in five lines:
#
# 1. An abnormal return is what a model fitted before the event does not expect: on the market, on factors, or a mean.
# 2. Their mean over events, cumulated over the window, is the CAR; events whose windows overlap count as one cluster.
# 3. The null: the same clusters on sessions drawn by lot. How often do those do as much?
# 4. The dose: CAR = a + b x surprise. The slope is what a surprise of one standard deviation does.
# 5. An impulse puts a response into any simulator's worlds: dose x response is added on the event's days, and nothing
#    else changes. So an effect of known size must come back out of a study of such worlds.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd
from skfolio.datasets import load_sp500_index

from quantlib.charts import PLOTLY_CONFIG
from quantlib.charts.events import dose_scatter, event_dots, event_path, event_strip
from quantlib.event_study import study
from quantlib.events import read_events
from quantlib.settings import Settings
from quantlib.simulators import GBM
from quantlib.simulators.impulse import Impulse
from quantlib.types import Panel

# The sample that comes with the workbench. On stored prices and events: quantlib.workflows.event_study.study_events
closes = load_sp500_index().set_axis(["^GSPC"], axis=1)
panel = Panel.from_frames(closes, source="sample")
events = read_events(Settings().data / "events")
fomc = events[events["id"].str.startswith("fomc-")].reset_index(drop=True)
print(f"S&P 500, {panel.index[0]:%Y-%m-%d} to {panel.index[-1]:%Y-%m-%d}; {len(fomc)} FOMC decisions")

# %% [markdown]
# ## FOMC decisions
#
# Lucca and Moench (2015): from September 1994 to March 2011 shares rose before decisions, and rose on their days. First
# those years, then the years since, which the authors could not have chosen.

# %%
what, both = "FOMC decisions", {}
for years, start, end in (("1994 to 2011", "1994-09-01", "2011-03-31"), ("since", "2011-04-01", "2022-12-31")):
    some = fomc[fomc["happened_at"].between(pd.Timestamp(start, tz="UTC"), pd.Timestamp(end, tz="UTC"))]
    both[years] = study(panel, some, model="mean", before=3, after=3, over=(0, 0), samples=1000, placebos=500)
found = both["1994 to 2011"]
counts = {"events": found.n, "clusters": found.clusters, "p_placebo": np.nan}
event_path(found.by_day, what=what, model="the mean", **counts).show(config=PLOTLY_CONFIG)
event_dots(found.by_event, what=what).show(config=PLOTLY_CONFIG)
event_strip(found.abnormal_frame(), what=what).show(config=PLOTLY_CONFIG)
for years, part in both.items():
    sure = f"{part.ci_low:+.2%} to {part.ci_high:+.2%}"
    print(f"{years}: on the day {part.car:+.2%} ({sure}), {part.n} events, p by placebo {part.p_placebo:.3f}")
    for note in part.notes:
        print("  ", note)
found.by_day[["ar", "ar_error", "volatility"]].round(4)

# %% [markdown]
# ## Check: the same by hand
#
# Day by day: the log return of the session, less the mean of the 250 sessions that end 20 before the window begins.

# %%
moves = np.diff(np.log(panel.close[:, 0]), prepend=np.nan)
rows = panel.index.get_indexer(found.by_event["session"])
window_begins = rows - found.before
by_hand = [
    moves[row] - moves[begin - found.gap - found.estimation : begin - found.gap].mean()
    for row, begin in zip(rows, window_begins, strict=True)
]
print(f"by hand {np.mean(by_hand):+.6f}, by the study {found.car:+.6f}")
assert np.allclose(by_hand, found.by_event["car"], rtol=0, atol=1e-12)
assert found.car > 0
assert found.p_placebo < 0.05

# %% [markdown]
# ## Check: nothing where nothing is
#
# Sixty sessions drawn by lot are no event. Of forty such draws about two should look like one at 5 %.

# %%
rng = np.random.default_rng(3)
plan = {"model": "mean", "before": 0, "after": 1, "samples": 0}
lots = [panel.index[np.sort(rng.choice(np.arange(300, len(panel) - 5), 60, replace=False))] for _ in range(40)]
chance = [study(panel, days, placebos=200, **plan).p_placebo for days in lots]
print(f"{sum(p < 0.05 for p in chance)} of {len(chance)} random sets have p < 0.05")
assert sum(p < 0.05 for p in chance) <= 7  # more has a chance of 1 in 1,000

# %% [markdown]
# ## Check: an injected effect comes back
#
# Forty events in a world of Brownian motion: -2 % on their day and +0.5 % on the next for a dose of one, with doses of
# either sign. Without the impulse the world has the very same numbers, so the difference is the response exactly.

# %%
days = tuple(range(300, 1900, 40))
doses = tuple(rng.normal(0, 1, len(days)).round(3).tolist())
shocked = Impulse(inner=GBM(), response=(-0.02, 0.005), days=days, doses=doses)
one, plain = (next(simulator.paths(panel, n=1, horizon=1950, seed=2)) for simulator in (shocked, GBM()))
gap = np.diff(np.log(one.close[:, 0]) - np.log(plain.close[:, 0]), prepend=0.0)
at = np.array(days) - 1
assert np.allclose(gap[at], -0.02 * np.array(doses))
assert np.allclose(gap[at + 1], 0.005 * np.array(doses))
assert np.allclose(np.delete(gap, [at, at + 1]), 0.0)

again = study(one, one.index[at], model="mean", before=0, after=1, doses=doses, samples=500, placebos=100)
dose = again.dose
fields = {"slope": dose.slope, "ci_low": dose.ci_low, "ci_high": dose.ci_high, "intercept": dose.intercept}
scatter = dose_scatter(again.by_event, what="Injected events", p_value=dose.p_value, unit="dose", **fields)
scatter.show(config=PLOTLY_CONFIG)
daily = dose.daily.assign(injected=[-0.02, 0.005])
daily["errors off"] = (daily["slope"] - daily["injected"]) / daily["error"]
print(f"CAR by dose: {dose.slope:+.4f}, injected -0.0150 ({(dose.slope + 0.015) / dose.error:+.1f} errors)")
assert abs(dose.slope + 0.015) < 3 * dose.error
assert (daily["errors off"].abs() < 3).all()
daily.round(4)

# %% [markdown]
# ## From the study to the worlds
#
# What the study measured is a response that any simulator takes up: with its errors, and with the day's volatility.

# %%
response = found.impulse()
meeting = Impulse(inner=GBM(), days=(5,), **response)
estimates = pd.DataFrame(meeting.calibrate(panel).estimates())
print(f"The day's volatility is {response['volatility'][0]:.2f} times the usual one")
estimates[estimates["name"].str.startswith("Response")].set_index("name")[["value", "error"]].round(5)

# %% [markdown]
# ## What this does not say
#
# A mean over past decisions is no forecast of the next one: what was found in some years was found because it was
# there. And closes cannot tell the hours before an announcement from those after it.
