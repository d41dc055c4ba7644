# %% [markdown]
# # I have a pair in mind. Is there money in it, and how much of the account should it get?
#
# From an idea to a decision: a pair as one definition, a look at its spread, a backtest of the pair as one unit, what
# its legs, its costs and its trades did, how much hangs on parameters and on execution, and at last several such groups
# on one account. Every number is computed in its cell; where the answer is *no*, the cell says so.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd

from quantlib.backtest import BacktestResult, active_returns
from quantlib.backtest.fragility import HIGHEST_BPS, break_even_cost
from quantlib.backtest.portfolio import Member, Portfolio, run_portfolio
from quantlib.backtest.sizing import Sizing
from quantlib.backtest.sweep import sweep
from quantlib.charts import PLOTLY_CONFIG, equity_curves, sweep_heatmap
from quantlib.charts.numbers import UNKNOWN, interval, money, percent, ratio
from quantlib.metrics import METRICS, summary
from quantlib.risk import Limits
from quantlib.strategies import LIBRARY
from quantlib.strategies.difference import diff
from quantlib.strategies.document import from_yaml, to_yaml
from quantlib.workflows.lab import try_strategy
from quantlib.workflows.pipeline import ensure_sample
from quantlib.workflows.research import data_label, shared_panel
from quantlib.workflows.session import open_session
from quantlib.workflows.spread import look_at_spread
from quantlib.workflows.trading_costs import usual_costs

session = open_session()
ensure_sample(session)
name = "Coke against Pepsi with drift"
ready = LIBRARY[name]
pair = ready.strategy
print(ready.why)

# %% [markdown]
# ## The idea as a document
#
# Everything the pair does stands in its definition: legs, how they are hedged, when it enters and leaves, what stops
# it. The id is a hash of that, so the same definition is the same strategy in a backtest, a report and an alert. Here
# it is as YAML, with one line changed, and what that change means.

# %%
text = to_yaml(pair, name, ready.why, ready.reference)
print(text)

_, changed = from_yaml(text.replace("time: 63", "time: 21"))
print("Changed:", "; ".join(change.sentence for change in diff(pair, changed.strategy)))
print(pair.id, "→", changed.strategy.id)

# %% [markdown]
# ## Look before you test
#
# A pair lives off a spread that comes back. Three questions, and none of them looks at profit: are the legs tied
# together (Engle and Granger's test of cointegration; a small p speaks for it), how long does a gap take to halve, and
# does the hedge ratio stay where it was? The first row is the whole history, the others are stretches of three years.
# A pair that passes in some stretches only is a pair of some stretches only, and nobody knows them beforehand.

# %%
view = look_at_spread(session, pair)
print(*view.sentences, sep="\n")
view.figures["signal"].show(config=PLOTLY_CONFIG)
view.figures["ratio"].show(config=PLOTLY_CONFIG)

stretches = view.windows.iloc[1:]
tied = int((stretches["cointegration_p"] < 0.05).sum())
print(f"Tied together at 5 % in {tied} of {len(stretches)} stretches; by luck alone it would be about 1 in 20.")
table = view.windows[["cointegration_p", "half_life", "half_life_low", "half_life_high", "hedge_ratio"]].round(2)
table.set_index(view.windows["start"].dt.date.astype(str) + " to " + view.windows["end"].dt.date.astype(str))

# %% [markdown]
# ## The pair as one unit
#
# Both legs go in and out together, one session after the decision and after costs. A trade belongs to the pair, not to
# a leg: it has one profit, one worst point on its way, and one reason for its end. The books must balance: what the
# account gained is what the legs gained, plus interest.

# %%
trial = try_strategy(session, pair, name)
run, sheet = trial.run, trial.sheet
result = run.result
print(data_label(run.panel.source, run.panel.index[-1]), "·", run.verdict.sentence)

gained = result.equity.iloc[-1] - result.equity.iloc[0]
legs = result.leg_pnl.sum()
interest = -result.cost_parts["financing"].sum()
left_over = abs(gained - legs.sum() - interest - result.written_off.sum()) / result.equity.iloc[0]
print("By leg:", ", ".join(f"{symbol} {money(amount, signed=True)}" for (_, symbol), amount in legs.items()))
print(f"Together {money(gained, signed=True)}; the books are off by {left_over:.0e} of the account.")
sheet.by_leg().show(config=PLOTLY_CONFIG)
sheet.by_reason().show(config=PLOTLY_CONFIG)

# %% [markdown]
# ## Its record
#
# These are the charts of the Strategy lab and of the report, drawn by the same functions. The band says where other
# orders of the same days would have led: if 1 lies inside it, luck alone could have made this record.

# %%
sheet.record().show(config=PLOTLY_CONFIG)
sheet.months().show(config=PLOTLY_CONFIG)
shown = ["sharpe_ratio", "lo_sharpe_ratio", "cagr", "max_drawdown", "turnover", "time_in_market"]
pd.DataFrame(
    {
        METRICS[key].title: interval(row["value"], row["ci_low"], row["ci_high"], METRICS[key].unit)
        for key, row in run.metrics.loc[shown].iterrows()
    },
    index=["value (95 % interval)"],
).T

# %% [markdown]
# ## Its trades
#
# Where it went in and out, how far trades were under water on their way, and the worst of them in words.

# %%
sheet.spread_trades().show(config=PLOTLY_CONFIG)
sheet.excursions().show(config=PLOTLY_CONFIG)
worst = int(result.group_trades["pnl"].to_numpy().argmin())
opened = sheet.opened(worst)
print(opened.sentence)
print(*(f"- {reason}" for reason in opened.reasons), sep="\n")

# %% [markdown]
# ## How much hangs on the parameters?
#
# The same pair with other entries and look-backs. A plateau is worth more than a peak, and the best of many looks good
# by luck alone: had none of these definitions an edge, and did they not resemble each other, the best of them would
# still be expected to show the Sharpe ratio printed below.

# %%
grid = {"timing.entry": [1.0, 1.5, 2.0, 2.5, 3.0], "hedge.lookback": [63, 126, 189, 252, 378]}
swept = sweep(pair, grid, run.panel, costs=run.costs)
own = (pair.timing.entry, pair.hedge.lookback)
heat = swept.pivot("hedge.lookback", "timing.entry")  # noqa: PD010  a sweep's own, not a frame's
heat = heat.rename_axis(index="Entry (z)", columns="Look-back of the hedge (sessions)")
sweep_heatmap(heat, METRICS["sharpe_ratio"].title, chosen=own).show(config=PLOTLY_CONFIG)

best = swept.best()
sharpe = run.metrics.loc["sharpe_ratio"]
error = (sharpe["ci_high"] - sharpe["ci_low"]) / (2 * 1.96)
luck = float(np.random.default_rng(0).normal(0, error, (10_000, swept.n_tried)).max(axis=1).mean())
print(f"Best of {swept.n_tried}: {ratio(best['sharpe_ratio'])}; the best of as many without an edge: {ratio(luck)}.")

# %% [markdown]
# ## How much hangs on execution?
#
# At what cost a side is the edge gone, and what is left of it if orders fill a session later, or two, or ten? The
# sample holds closes only, so stops are judged at the close. With highs and lows, a stop and a target in one bar would
# be told as a band, from the stop first to the target first.

# %%
print(*sheet.fragility(), sep="\n")
sheet.delay().show(config=PLOTLY_CONFIG)
sheet.costs().show(config=PLOTLY_CONFIG)

# %% [markdown]
# ## Several groups on one account
#
# One pair is thin. Beside it stand other ideas, each a group with its own legs, stops and profit, all on one account
# with shared cash. Every month each gets its share from past results only: hierarchical risk parity gives more to what
# varies less and resembles the others less, and the whole aims at a volatility of 5 % a year. Decided exposure never
# passes twice the account.

# %%
others = ["Exxon against Chevron", "Drug makers' fly", "Sector switch", "RSI-2"]
ideas = {name: pair} | {other: LIBRARY[other].strategy for other in others}
symbols = list(dict.fromkeys(symbol for idea in ideas.values() for symbol in idea.inputs))
panel = shared_panel(session, symbols, start="2013-01-02")
portfolio = Portfolio(
    members=tuple(Member(name=key, strategy=idea, share=0.4) for key, idea in ideas.items()),
    sizing=Sizing(method="hrp", volatility=0.05),
    limits=Limits(max_gross=2.0),
)
costs = usual_costs(session, symbols)
together = run_portfolio(portfolio, panel, costs=costs)


def bearable(bps: float) -> str:
    return UNKNOWN if np.isnan(bps) else f"over {HIGHEST_BPS:,.0f}" if np.isinf(bps) else ratio(bps)


def sharpe_of(account: BacktestResult) -> str:
    table = summary(active_returns(account), periods_per_year=account.periods_per_year, keys=["sharpe_ratio"])
    return interval(*table.loc["sharpe_ratio", ["value", "ci_low", "ci_high"]], "ratio")


break_even = {key: break_even_cost(idea, panel) for key, idea in ideas.items()}
profits = together.result.group_pnl.sum()
pd.DataFrame(
    {
        "Sharpe ratio alone": {key: sharpe_of(account) for key, account in together.alone.items()},
        "edge gone at (bps a side)": {key: bearable(bps) for key, bps in break_even.items()},
        "share now": {key: percent(share) for key, share in together.shares.iloc[-1].items()},
        "profit on the account": {key: money(amount, signed=True) for key, amount in profits.items()},
    }
)

# %% [markdown]
# ### What the mix adds
#
# Groups that do not move together steady each other. The grey line is the plainest alternative: the same groups with
# fixed shares.

# %%
plain = run_portfolio(portfolio.model_copy(update={"sizing": Sizing()}), panel, costs=costs)
curves = {"Hierarchical risk parity": together.result.equity}
equity_curves(curves, plain.result.equity, benchmark_name="Fixed shares", log=True).show(config=PLOTLY_CONFIG)
print(f"Sharpe ratio {sharpe_of(together.result)}, with fixed shares {sharpe_of(plain.result)}.")
together.correlation.round(2)

# %% [markdown]
# ## The decision
#
# A pair is worth trading if its legs belong together, and if its edge is beyond luck and outlives its costs. The cell
# asks the numbers above; one *no* is enough.

# %%
paid = max(cost.usual_side for cost in run.costs.values()) * 1e4
bears = break_even_cost(pair, run.panel)
questions = {
    "The interval of its Sharpe ratio is above zero": bool(sharpe["ci_low"] > 0),
    "It beats the best of as many definitions without an edge": bool(sharpe["value"] > luck),
    f"It bears twice the cost of a small order ({ratio(paid)} bps a side)": bool(bears > 2 * paid),
    "Its legs were tied together in most stretches": bool(tied > len(stretches) / 2),
}
for question, answer in questions.items():
    print("yes" if answer else "no ", question)
decision = "trade it small" if all(questions.values()) else "do not trade it"
print(f"\n{name}: {decision}.")
session.close()

# %% [markdown]
# ## What this does not say
#
# The companies of the sample were picked knowing that they thrived, and the parameters were written down by people who
# had seen such histories. Closes are not fills, shares to sell short may not be there on the day, and a pair that has
# held together for years can part for good: that is what its stop is for. Try a pair of your own: change `name` and run
# all cells again, or build one from YAML as above. Every try is counted.
