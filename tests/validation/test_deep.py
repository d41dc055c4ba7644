"""The whole verdict finds an edge that is there, refuses noise, and says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import active_returns, break_even_cost, run_strategy, variants_of
from quantlib.costs import Costs
from quantlib.errors import StrategyError
from quantlib.risk import Execution
from quantlib.strategies import Group, MACross
from quantlib.strategies.legs import Leg
from quantlib.strategies.timing import Hold
from quantlib.types import Panel
from quantlib.validation import DECISIVE, Trials, Verdict, validate_deeply

GRID = {"fast": [2, 3, 5, 8], "slow": [20, 30, 40, 60]}
CHEAP = Costs(commission_bps=0.5, half_spread_bps=0.5)


def market(drift: float, *, symbols: int = 2, runs: int = 12, seed: int = 2) -> Panel:
    """Return prices that rise and fall in turn, about a year each, by `drift` a session; 0 is a random walk."""
    rng = np.random.default_rng(seed)
    way = np.stack([np.repeat(rng.permutation([1.0, -1.0] * (runs // 2)), 200) for _ in range(symbols)], axis=1)
    close = 100 * np.exp((drift * way + rng.normal(0, 0.008, way.shape)).cumsum(axis=0))
    days = pd.bdate_range("2008-01-01", periods=len(close))
    return Panel.from_frames(pd.DataFrame(close, index=days, columns=list("ABCD"[:symbols])))


def chosen(panel: Panel) -> MACross:
    return MACross(universe=panel.symbols, fast=5, slow=40, allow_short=True)


def deep(panel: Panel, **how: object) -> Verdict:
    strategy = chosen(panel)
    variants = variants_of(strategy, panel, grid=GRID, costs=CHEAP)
    return validate_deeply(strategy, panel, variants, costs=CHEAP, samples=60, every=5, **how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def real() -> Verdict:
    return deep(market(0.002), trials=Trials(n=200, effective=40.0, variance=1 / 2000))


@pytest.fixture(scope="module")
def noise() -> Verdict:
    """The best of sixteen on a random walk, as somebody would have chosen it."""
    panel = market(0.0)
    variants = variants_of(chosen(panel), panel, grid=GRID, costs=CHEAP)
    best = variants.parameters.loc[variants.returns.mean().idxmax()]
    strategy = MACross(universe=panel.symbols, fast=best["fast"], slow=best["slow"], allow_short=True)
    return validate_deeply(
        strategy, panel, variants_of(strategy, panel, grid=GRID, costs=CHEAP), costs=CHEAP, samples=60, every=5
    )


ASKED = [
    "look_ahead", "sharpe", "psr", "dsr", "track_record", "backtest_length", "walk_forward_anchored",
    "walk_forward_rolling", "cpcv", "pbo", "spa_zero", "plateau", "spa_holding", "last_third", "subperiods", "regimes",
    "random_entry", "holding", "equal_weight", "break_even", "costs",
]  # fmt: skip


def test_a_planted_edge_is_found(real: Verdict) -> None:
    assert [check.key for check in real.checks] == ASKED
    assert real.edge == "pass", real
    assert real.sentence.startswith("It earns more than luck and the number of trials explain, and more for its risk")
    passed = {check.key for check in real.checks if check.outcome == "pass"}
    assert passed >= {*DECISIVE, "walk_forward_anchored", "walk_forward_rolling", "cpcv", "plateau", "random_entry"}
    assert passed >= {"holding", "equal_weight", "spa_holding", "break_even", "costs", "track_record"}
    assert real.complete


def test_noise_is_refused(noise: Verdict) -> None:
    assert noise.edge != "pass"
    found = {check.key: check.outcome for check in noise.checks}
    assert found["dsr"] != "pass"
    assert found["spa_zero"] != "pass"
    assert found["walk_forward_anchored"] != "pass"
    assert found["random_entry"] != "pass"
    assert noise.outcome == "fail"
    assert noise.sentence.startswith(("An edge is not shown", "The record does not support an edge"))


def test_every_check_says_why_with_numbers_and_what_would_change_it(real: Verdict, noise: Verdict) -> None:
    for check in (*real.checks, *noise.checks):
        assert any(character.isdigit() for character in check.sentence), check
        assert check.sentence.endswith("."), check
        assert check.change.endswith("."), check
        assert "nan" not in check.sentence + check.change
        assert "inf " not in check.sentence + check.change
        assert check.outcome in {"pass", "weak", "fail"}


def test_the_ledger_counts_and_without_one_the_variants_do(real: Verdict, noise: Verdict) -> None:
    told, least = real.check("dsr"), noise.check("dsr")
    assert told is not None
    assert told.sentence.startswith("200 trials, 40.0 independent ones in effect:")
    assert least is not None
    assert "16 trials" in least.sentence
    assert "no ledger was given, so the variants made here are the least there were" in least.sentence
    assert real.evidence is not None
    assert noise.evidence is not None
    assert (real.evidence.from_ledger, noise.evidence.from_ledger) == (True, False)
    assert noise.evidence.trials.n == 16
    hurdle = real.check("track_record")
    assert hurdle is not None
    assert "of more than the" in hurdle.sentence, "the length is that for what luck explains, not for zero"


def test_the_evidence_is_there_for_figures(real: Verdict) -> None:
    evidence = real.evidence
    assert evidence is not None
    assert len(evidence.variants.returns.columns) == 16
    for name in (
        "anchored",
        "rolling",
        "paths",
        "overfitting",
        "against_zero",
        "against_holding",
        "plateau",
        "entries",
    ):
        assert getattr(evidence, name) is not None, name
    panel = market(0.002)
    assert evidence.break_even == pytest.approx(break_even_cost(chosen(panel), panel, costs=CHEAP))
    assert evidence.entries is not None
    assert len(evidence.entries.others) == 60


def test_it_can_be_watched_and_cut_short() -> None:
    panel = market(0.002, symbols=1, runs=4)
    told: list[int] = []
    strategy = chosen(panel)
    how = {"costs": CHEAP, "samples": 20, "every": 20}
    validate_deeply(strategy, panel, on_progress=lambda done, of: told.append(done) if of == 100 else None, **how)  # type: ignore[arg-type]
    assert told == sorted(told)
    assert told[-1] == 100
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 90

    part = validate_deeply(strategy, panel, cancelled=stop, **how)  # type: ignore[arg-type]
    assert not part.complete
    assert part.edge != "pass"
    assert {check.key for check in part.checks} < set(ASKED)
    assert "cancelled" in part.sentence


def test_one_without_parameters_or_trades_or_years_says_so() -> None:
    panel = market(0.002, runs=4)
    legs = tuple(Leg(symbol=s) for s in panel.symbols)
    held = validate_deeply(Group(kind="basket", legs=legs, timing=Hold()), panel, samples=10)
    found = held.check("variants")
    assert found is not None
    assert found.outcome == "weak"
    assert "Nothing in the definition can be varied" in found.sentence
    timing = held.check("random_entry")
    assert timing is not None
    assert "never change" in timing.sentence
    idle = validate_deeply(MACross(universe=("A",), fast=400, slow=900), panel)
    assert [check.key for check in idle.checks] == ["look_ahead", "record"]
    short = validate_deeply(chosen(panel), panel.tail(300), samples=5, every=50).check("variants")
    assert short is not None
    assert "too few to choose" in short.sentence


def test_variants_of_another_panel_are_refused() -> None:
    panel = market(0.002, symbols=1, runs=4)
    variants = variants_of(chosen(panel), panel.tail(500), grid={"fast": [4]})
    with pytest.raises(StrategyError, match="500 sessions and the panel 800; run them on the same panel"):
        validate_deeply(chosen(panel), panel, variants)
    dear = variants_of(chosen(panel), panel, grid={"fast": [4]}, costs=Costs(commission_bps=50))
    with pytest.raises(StrategyError, match="Column 0 of the variants is not this strategy's account"):
        validate_deeply(chosen(panel), panel, dear, costs=CHEAP, every=50)


def test_the_account_is_run_as_it_was_asked_for() -> None:
    """Another lag and fill give other numbers in what runs the strategy once more, and among its variants."""
    panel = market(0.002, symbols=1, runs=2)
    usual, late = (
        validate_deeply(chosen(panel), panel, costs=CHEAP, samples=10, every=50, lag=lag, execution=execution)
        for lag, execution in ((1, None), (10, Execution(fill="close")))
    )
    own = run_strategy(chosen(panel), panel, costs=CHEAP, lag=10, execution=Execution(fill="close"))
    assert late.evidence is not None
    found = late.evidence.variants.returns[0].dropna()
    assert found.to_numpy() == pytest.approx(active_returns(own).to_numpy(), abs=1e-12)
    for key in ("costs", "break_even", "random_entry", "psr", "plateau"):
        one, other = usual.check(key), late.check(key)
        assert one is not None
        assert other is not None
        assert one.sentence != other.sentence


def test_what_was_delisted_is_sold_for_break_even_too() -> None:
    """At the cost that leaves nothing, the account itself, closed out of what went away, ends where it began."""
    panel = market(0.002, runs=4)
    close, gone = panel.frame().copy(), panel.index[430].date()
    close.iloc[431:, 1] = np.nan
    panel, terms = Panel.from_frames(close), {"delisted": {"B": gone}}
    found = validate_deeply(chosen(panel), panel, costs=CHEAP, samples=5, every=50, **terms).evidence  # type: ignore[arg-type]
    assert found is not None
    assert found.break_even is not None
    flat = CHEAP.model_copy(update={"commission_bps": found.break_even, "half_spread_bps": 0.0, "impact_bps": 0.0})
    ended = run_strategy(chosen(panel), panel, costs=flat, **terms).equity  # type: ignore[arg-type]
    assert ended.iloc[-1] == pytest.approx(1_000_000.0, abs=50.0)
    kept = break_even_cost(chosen(panel), panel, costs=CHEAP)
    assert abs(kept - found.break_even) > 0.1, "held on to, it would have made another account"


def test_the_edge_is_no_better_than_what_it_hangs_on(real: Verdict) -> None:
    without = replace(real, checks=tuple(check for check in real.checks if check.key != "dsr"))
    assert without.edge == "weak", "nobody counted the trials"
    worse = replace(real, checks=tuple(replace(c, outcome="fail") if c.key == "costs" else c for c in real.checks))
    assert (worse.edge, worse.outcome) == ("pass", "fail")
    beaten = replace(real, checks=tuple(replace(c, outcome="fail") if c.key == "holding" else c for c in real.checks))
    assert "but holding the same symbols was better for its risk" in beaten.sentence
