# %% [markdown]
# # I have a rule. Would I notice if it were worthless?
#
# A rule of our own is written in a dozen lines, proven not to see the future, run through history, and then through
# thousands of simulated worlds: some in which it ought to do as well as it did, and some in which nothing can be
# earned. Only the comparison says whether its record means anything.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd

from quantlib.backtest import active_returns, hold_equal_parts, run
from quantlib.charts import PLOTLY_CONFIG, equity_curves, indicator_pane, metric_intervals, outcome_histogram
from quantlib.charts import price_line, series_color, stack
from quantlib.charts.numbers import interval, percent, ratio, signed_percent
from quantlib.indicators import compute, sma, zscore
from quantlib.metrics import sharpe_ratio
from quantlib.simulators import GBM, Simulator, StationaryBootstrap
from quantlib.strategies import READY, Explanation, Strategy
from quantlib.types import Panel
from quantlib.validation import certify
from quantlib.workflows.pipeline import ensure_sample
from quantlib.workflows.research import backtest_strategy, data_label, shared_panel, simulate_strategy
from quantlib.workflows.session import open_session

session = open_session()
ensure_sample(session)
symbols = READY["Large-cap trend"].symbols
panel = shared_panel(session, symbols)
print(f"{len(panel):,} sessions of {len(symbols)} stocks: {data_label(panel.source, panel.index[-1])}")

# %% [markdown]
# ## The rule: buy the dip, if the trend is up
#
# Own a stock after a close that is half a standard deviation or more below its ten-session mean, as long as it stands
# above its 200-session average. Fields are parameters; `decide` returns the weights wanted at each close; `explain`
# puts today's decision into words. That is all a strategy is.


# %%
class DipInTrend(Strategy):
    family, title, description = "dip_in_trend", "Dip in a rising trend", "Buy what has dipped and trends up."
    universe: tuple[str, ...]
    depth: float = 0.5
    symbols = property(lambda self: self.universe)
    warmup = property(lambda self: 200)

    def decide(self, panel: Panel) -> pd.DataFrame:
        close = panel.frame("close")
        return ((zscore(close, 10) < -self.depth) & (close > sma(close, 200))) / len(self.universe)

    def explain(self, panel: Panel) -> Explanation:
        low = zscore(panel.select(self.universe).frame("close"), 10).min(axis=1).rename("Deepest dip")
        words = (f"The deepest dip is {ratio(low.iloc[-1])} standard deviations.",)
        levels = {"buy": -self.depth}
        rank = float((low <= low.iloc[-1]).mean())
        return Explanation("Deepest dip", "ratio", low.to_frame(), levels, low.iloc[-1], rank, words, "It comes back.")


rule = DipInTrend(universe=symbols)
print(rule.id, "·", rule.explain(panel).reasons[0])

# %% [markdown]
# ### What it looks at
#
# Every indicator is a function of prices up to its own bar, and `compute` runs one by name on a whole panel. Above:
# the price with its 200-session average. Below: the distance from the ten-session mean, with the depth that buys.

# %%
recent = panel.tail(500)
z, average = compute("zscore", panel, n=10)["zscore"]["KO"], compute("sma", panel, n=200)["sma"]["KO"]
price = price_line(recent, "KO", {"200-session average": average})
dip = indicator_pane({"z": z.tail(500)}, "Z-score, 10 sessions", {"buy below": -rule.depth}, unit="deviations")
stack([price, dip]).show(config=PLOTLY_CONFIG)

# %% [markdown]
# ## Can it see the future?
#
# The certificate cuts the future away at many sessions and decides again. If any decision differs, the rule knew
# something it could not have known. To see that the certificate bites, here is the same rule with one innocent word
# more: its mean is *centred*, five sessions with today in the middle, as a smoother for charts would have it. Two of
# the five are still to come. Look at what that does to its Sharpe ratio: a record that good is a bug.


# %%
class Leaky(DipInTrend):
    family, title = "leaky", "The same with a centred mean"

    def decide(self, panel: Panel) -> pd.DataFrame:
        close = panel.frame("close")
        around = close.rolling(5, center=True)
        low = (close - around.mean()) / around.std() < -self.depth
        return (low & (close > sma(close, 200))) / len(self.universe)


def sharpe(strategy: Strategy, prices: Panel) -> float:
    result = run(prices, strategy.targets(prices))
    return sharpe_ratio(active_returns(result), periods_per_year=result.periods_per_year)


leaky = Leaky(universe=symbols)
certificates = {strategy.title: certify(strategy.targets, panel) for strategy in (rule, leaky)}
for strategy in (rule, leaky):
    found = certificates[strategy.title]
    words = "passed" if found.passed else f"{len(found.leaks)} leaks, the first on {found.leaks[0]:%Y-%m-%d}"
    print(f"{strategy.title}: {found.checked} cuts, {words}. Sharpe ratio {ratio(sharpe(strategy, panel))}")

# %% [markdown]
# ## Its one past
#
# After costs, with each decision filled one session later. Every run is stored and logged to MLflow, also the bad ones.

# %%
past = backtest_strategy(session, rule)
holding = hold_equal_parts(past.panel, costs=past.costs, since=past.result.trades["ts"].iloc[0]).equity
equity_curves({rule.title: past.result.equity}, holding, log=True).show(config=PLOTLY_CONFIG)
print(past.verdict.sentence)
for check in past.verdict.checks:
    print(f"  {check.outcome:4}  {check.title}. {check.sentence}")

# %% [markdown]
# ## Are the simulators right?
#
# Before their worlds may judge anything, each simulator is held against its own theory. Both must return history's
# mean, variance and correlation. Brownian motion is normal (a kurtosis of 3) and forgets: the size of today's move
# says nothing about tomorrow's. The bootstrap repeats history's days, so it has history's kurtosis, and inside its
# blocks it remembers: of history's covariance between one day's size and the next day's it keeps the share
# 1 - 1 / (mean block length). Without drift, the expected gross return of a session is exactly 1.
#
# Each entry reads: theory → simulated (the difference, in standard errors). The worlds are independent, so about 1 in
# 20 differences may pass 2, and none should come near 5. The twins without drift use the same draws, so they differ
# from theory together.


# %%
def against_theory(simulator: Simulator, n: int = 2000) -> pd.DataFrame:
    two = panel.select(["KO", "PG"]).complete()
    fit, normal = simulator.calibrate(two), isinstance(simulator, GBM)
    past_moves = np.diff(np.log(two.close), axis=0)
    past = ((past_moves - past_moves.mean(axis=0)) / past_moves.std(axis=0))[:, 0]

    closes = simulator.closes(two, n=n, horizon=63, seed=session.settings.seed)
    today = np.broadcast_to(two.close[-1], (n, 1, 2))
    moves = np.diff(np.log(np.concatenate([today, closes], axis=1)), axis=1)
    mean = fit.mean if normal else fit.moves.mean(axis=0) - fit.shift[0]
    x, y = ((moves - mean) / fit.volatility * two.periods_per_year**0.5).transpose(2, 0, 1)

    size = np.abs(x) - ((2 / np.pi) ** 0.5 if normal else np.abs(past).mean())
    past_size = np.abs(past) - np.abs(past).mean()
    kept = 0.0 if normal else (1 - 1 / fit.block) * (past_size * np.roll(past_size, -1)).mean()
    rows = {
        "mean": (0.0, x),
        "variance": (1.0, x**2),
        "correlation": (fit.correlation[0, 1], x * y),
        "kurtosis": (3.0 if normal else (past**4).mean(), x**4),
        "memory of size": (kept, size[:, :-1] * size[:, 1:]),
        "gross return": (np.exp(fit.drift[0] / two.periods_per_year), np.exp(moves[:, :, 0])),
    }
    each = {what: values.mean(axis=1) for what, (_, values) in rows.items()}  # one number a world
    table = pd.DataFrame({"theory": {k: v[0] for k, v in rows.items()}, "simulated": pd.DataFrame(each).mean()})
    table["errors"] = (table["simulated"] - table["theory"]) / (pd.DataFrame(each).std() / n**0.5)
    return table


tested: dict[str, Simulator] = {
    "bootstrap": StationaryBootstrap(),
    "Brownian motion": GBM(),
    "bootstrap without drift": StationaryBootstrap(drift="none"),
    "Brownian motion without drift": GBM(drift="none"),
}
theory = {name: against_theory(simulator) for name, simulator in tested.items()}
pd.DataFrame(
    {
        name: [f"{row.theory:.4f} → {row.simulated:.4f} ({row.errors:+.1f})" for row in table.itertuples()]
        for name, table in theory.items()
    },
    index=theory["bootstrap"].index,
)

# %% [markdown]
# ## The next month, in thousands of worlds
#
# From today's prices and today's holdings, the rule goes on deciding in every world, after costs. Beside the two
# simulators that keep history's drift stand their twins without it, and what the rule really did in the months of
# its past. The worlds start from what is held today, the past is an average over all days: where the rule holds much
# or little today, the spread differs for that reason alone.

# %%
simulated = {name: simulate_strategy(session, rule, simulator) for name, simulator in tested.items()}
horizon = session.settings.horizon
returns = active_returns(past.result)
months = (1 + returns).groupby(np.arange(len(returns)) // horizon).prod()[: len(returns) // horizon] - 1
error = 1.96 * months.std() / len(months) ** 0.5
rows = {"history": (months.to_numpy(), (months.mean() - error, months.mean() + error))}
rows |= {name: (found.returns, found.mean_interval) for name, found in simulated.items()}
outcomes = pd.DataFrame(
    {
        name: {
            "cases": f"{len(ends):,}",
            "mean (95 % interval)": interval(ends.mean(), *bounds, signed=True),
            **{f"{q} % end below": signed_percent(np.quantile(ends, q / 100)) for q in (5, 50, 95)},
            "lose money": percent((ends < 0).mean(), 0),
        }
        for name, (ends, bounds) in rows.items()
    }
).T
side = max(own.usual_side for own in past.costs.values())
cost = 2 * past.result.turnover * side * horizon / past.result.periods_per_year
print(f"{horizon} sessions. Trading as much as it did in the past costs {percent(cost, 2)} over that time.")
drawn = {name: simulated[name].returns for name in ("bootstrap", "Brownian motion without drift")}
outcome_histogram(drawn, horizon=horizon).show(config=PLOTLY_CONFIG)
outcomes

# %% [markdown]
# ## The whole past again, in worlds where the rule cannot work
#
# A month is too short to tell skill from luck. So the rule now lives through worlds as long as its whole history, in
# which one thing after another has been taken away:
#
# - *as it was*: the bootstrap in blocks. What a dip says about the days after it survives inside a block, and so does
#   whatever the rule lives on. This is no test of the rule; it shows how far luck alone spreads a record like it.
# - *the same days, shuffled*: blocks of one session. Drift, crashes and correlation stay, but no day knows the day
#   before. Whatever Sharpe ratio is left here comes from owning stocks that rose, not from choosing when.
# - *no edge at all*: Brownian motion without drift. Nothing can be earned; what is left is luck and costs.
#
# If history lies inside the second interval, the timing of the rule has shown nothing.

# %%
n = min(session.settings.worlds, 200)
nulls: dict[str, Simulator] = {
    "as it was": StationaryBootstrap(),
    "the same days, shuffled": StationaryBootstrap(block=1),
    "no edge at all": GBM(drift="none"),
}
replayed = {
    name: np.array(
        [
            sharpe(rule, world)
            for world in simulator.paths(panel, n=n, horizon=len(panel) - 1, seed=session.settings.seed)
        ]
    )
    for name, simulator in nulls.items()
}
truth = past.metrics.loc["sharpe_ratio"]
dots = {"history": (truth["value"], truth["ci_low"], truth["ci_high"])}
dots |= {name: tuple(np.quantile(values, [0.5, 0.025, 0.975])) for name, values in replayed.items()}
color = dict.fromkeys(dots, series_color(rule.title))
metric_intervals(dots, "Sharpe ratio", colors=color).show(config=PLOTLY_CONFIG)
for name, values in replayed.items():
    print(f"{name}: as good as history or better in {(values >= truth['value']).sum()} of {n} worlds")
session.close()

# %% [markdown]
# ## What this says, and what it does not
#
# The shuffled worlds split the record in two: what owning these stocks would have earned anyway, and what choosing
# the days added. The worlds without edge show that neither part is an accident of the machinery: costs, fills and the
# code are the same there, and the rule loses about what it pays.
#
# It is still not a reason to trade. In the sample, the companies were picked by people who knew that they would
# thrive, and a company that thrives recovers from its dips; those that did not are not in it. The parameters were
# chosen after looking at results, and nothing here charges for that. And every world is cut from this one past: none
# holds what never happened. Try the rule on symbols that nobody has picked, and believe the smaller number.
