# %% [markdown]
# # Quickstart: what does the trend strategy say today, and how far can I trust it?
#
# From prices to a recommendation report: load a panel, run a ready strategy through history, ask how sure its
# numbers are, send it through simulated futures, and export the report. The pages of the app, the MLflow UI and the
# report show these same numbers, because all of them call the functions called here.
#
# The first cell opens the database (it starts one if none runs) and, if no prices are stored yet, loads the sample:
# real prices that end in 2022. The text says what a number means; the numbers come from the cells.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import pandas as pd

from quantlib.backtest import hold_equal_parts
from quantlib.charts import PLOTLY_CONFIG, equity_curves, price_line
from quantlib.charts.numbers import interval, percent
from quantlib.metrics import METRICS
from quantlib.reports.recommend import recommendation_figures
from quantlib.simulators import USUAL
from quantlib.strategies import READY
from quantlib.workflows.pipeline import ensure_sample, run_pipeline
from quantlib.workflows.reading import freshness
from quantlib.workflows.research import backtest_strategy, data_label, load_panel, simulate_strategy
from quantlib.workflows.session import open_session

session = open_session()
ensure_sample(session)
freshness(session)

# %% [markdown]
# ## A panel in one line
#
# A panel holds daily bars of several symbols on one calendar: closes adjusted for splits and dividends, and open,
# high, low and volume where they are known. What is unknown is `NaN`, never a guess. `as_of="2020-03-31"` would give
# the panel as it was known on that day.

# %%
panel = load_panel(session, ["KO", "PEP", "MSFT"], start="2010-01-01")

print(f"{len(panel):,} sessions of {', '.join(panel.symbols)}: {data_label(panel.source, panel.index[-1])}")
price_line(panel, "KO", log=True).show(config=PLOTLY_CONFIG)

# %% [markdown]
# ## A ready strategy through history
#
# *Large-cap trend* owns each of twelve large US companies while its 50-session average stands above its 200-session
# one, an equal share of the money each. A decision made at a close is filled in the next session, and every trade
# pays commission and half the spread. The grey line is what it has to beat: the same symbols, bought on the day of
# the strategy's first trade and held.

# %%
name = "Large-cap trend"
strategy = READY[name]
run = backtest_strategy(session, strategy, name=name)
holding = hold_equal_parts(run.panel, costs=run.costs, since=run.result.trades["ts"].iloc[0]).equity
equity_curves({name: run.result.equity}, holding, log=True).show(config=PLOTLY_CONFIG)

# %% [markdown]
# ## How sure are these numbers?
#
# In brackets stands the 95 % interval: where the number could as well have landed had the same kind of history been
# dealt in another order. An interval of the Sharpe ratio that includes zero means that luck alone could explain it.
# Above the table are the checks a careful person would make first. They are necessary, not sufficient: nothing here
# corrects for how many rules somebody tried before this one, and these companies were picked knowing that they thrived.

# %%
print(run.verdict.sentence)
for check in run.verdict.checks:
    print(f"  {check.outcome:4}  {check.title}. {check.sentence}")

table = {
    METRICS[key].title: interval(m.value, m.ci_low, m.ci_high, METRICS[key].unit) for key, m in run.metrics.iterrows()
}
pd.DataFrame({"value (95 % interval)": table})

# %% [markdown]
# ## The coming month, in many worlds
#
# The same strategy goes on from today's prices and today's holdings through simulated futures. The *stationary
# bootstrap* lays stretches of real history end to end, so crashes and calm spells look like those that happened;
# *geometric Brownian motion* is the textbook's calm world. Both inherit history's average return: they show how
# wide the outcomes spread, and are no forecast that the average goes on. These are the report's own charts.

# %%
worlds = {simulator: simulate_strategy(session, strategy, simulator, name=name) for simulator in USUAL}
figures = recommendation_figures(name, strategy.explain(run.panel), run.result, list(worlds.values()))
figures["outlook"].show(config=PLOTLY_CONFIG)
figures["outcomes"].show(config=PLOTLY_CONFIG)

# %% [markdown]
# ## The recommendation and the report
#
# The pipeline does all of the above for every ready strategy, trains the baseline models, logs everything to MLflow
# and writes the report: one HTML file that opens without a network. If nothing has changed since it last ran, it
# returns what is stored.


# %%
def tell(stage: str, done: int, total: int) -> None:
    if done == total:
        print(f"{stage}: done")


result = run_pipeline(session, on_progress=tell)
advice = next(r for r in result.recommendations if r.name == name)

print(f"\n{advice.headline}\n")
print("\n".join(f"- {reason}" for reason in advice.reasons))
print(f"\nWhat would turn it around: {advice.invalidation}")
print(f"It loses in {percent(advice.probability_of_loss, 0)} of the worlds. The report: {result.path}")

# %% [markdown]
# ## The same number everywhere
#
# Computed here, stored with the run in MLflow, and printed in the report: equal to the last digit.
#
# **Next:** change `name` above to `"Coke against Pepsi"` or `"Factor ETF switch"` and run all cells again. Then open
# `02-simulate-and-test`, which writes a rule of its own and asks whether anybody would notice if it were worthless,
# and `03-groups`, which goes from the idea of a pair to a decision.

# %%
logged = session.tracker.runs(limit=5000).set_index("run_id").loc[run.mlflow_run_id]
same = pd.DataFrame(
    {
        "notebook": run.metrics["value"],
        "MLflow": pd.Series({key: logged[f"metrics.{key}"] for key in run.metrics.index}),
        "report": pd.Series({key: metric.value for key, metric in advice.metrics.items()}),
    }
)
session.close()
print("Metrics equal to the last digit:", bool(same.eq(same["notebook"], axis=0).all(axis=None)))
print("Expected values too:", all(o.mean == worlds[o.simulator].mean for o in advice.simulators))
same
