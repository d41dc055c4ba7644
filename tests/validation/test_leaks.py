"""The leak certificate finds leaks of every sort and has no false alarms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.types import Panel
from quantlib.validation import certify
from quantlib.validation.leaks import decisions

Rule = Callable[[Panel], pd.DataFrame]


def above(average: pd.DataFrame, close: pd.DataFrame) -> pd.DataFrame:
    """Return 1 where price is above an average, 0 elsewhere."""
    return (close > average).astype(float)


def monthly(panel: Panel, *, last: bool) -> pd.DataFrame:
    """Return each month's last close over its first, or its first close of all, on all of its sessions."""
    close, month = panel.frame(), panel.index.to_period("M")
    first = close.groupby(month).transform("first")
    return close.groupby(month).transform("last") / first if last else first / first.iloc[0]


def hedge(panel: Panel, window: int | None) -> pd.DataFrame:
    """Return each symbol's slope on the first one's returns, of a moving window or of all there is."""
    returns = panel.returns()
    first = returns["KO"]
    if window is None:
        return panel.frame() * 0.0 + returns.cov()["KO"] / first.var()
    return returns.rolling(window).cov(first).div(first.rolling(window).var(), axis=0)


def spectrum(panel: Panel) -> pd.DataFrame:
    """Return closes without the quick part of their spectrum."""
    parts = np.fft.rfft(panel.close, axis=0)
    parts[10:] = 0.0
    return pd.DataFrame(np.fft.irfft(parts, n=len(panel), axis=0), index=panel.index, columns=panel.symbols)


def gain(panel: Panel) -> pd.Series:
    """Return what each symbol gained from the first to the last close."""
    return panel.frame().iloc[-1] / panel.frame().iloc[0]


def trend(panel: Panel) -> np.ndarray:
    """Return the straight line through all closes."""
    t = np.arange(len(panel)) / len(panel)
    return np.column_stack([np.polyval(np.polyfit(t, one, min(1, len(panel) - 1)), t) for one in panel.close.T])


def component(panel: Panel) -> pd.DataFrame:
    """Return the projection on the first principal component of all returns."""
    first = np.linalg.eigh(panel.returns().fillna(0).T @ panel.returns().fillna(0))[1][:, -1]
    return pd.DataFrame(np.outer(first, first), index=panel.symbols, columns=panel.symbols)


CLEAN: dict[str, Rule] = {
    "rolling": lambda p: above(p.frame().rolling(20).mean(), p.frame()),
    "expanding": lambda p: above(p.frame().expanding().mean(), p.frame()),
    "lagged": lambda p: above(p.frame().shift(3), p.frame()),
    "constant": lambda p: p.frame() * 0.0 + 0.25,
    "expanding scale": lambda p: p.returns().fillna(0) / p.returns().expanding(20).std(),
    "expanding rank": lambda p: p.frame().expanding(20).rank(pct=True),
    "exponential": lambda p: above(p.frame().ewm(span=20, adjust=False).mean(), p.frame()),
    "last known of the week": lambda p: p.frame()[p.index.day_of_week == 4].reindex(p.index).ffill(),
    "first session of the month": lambda p: monthly(p, last=False),
    "rank across symbols": lambda p: p.frame().pct_change(60).rank(axis=1) / 2.0,
    "best so far": lambda p: above(p.frame().cummax() * 0.9, p.frame()),
    "rolling regression": lambda p: hedge(p, window=60),
    "drawdown": lambda p: (p.frame() / p.frame().cummax() > 0.9).astype(float),
    "calendar": lambda p: p.frame() * 0.0 + (p.index.month.isin([11, 12, 1])[:, None]).astype(float),
}
LEAKY: dict[str, Rule] = {
    "one bar ahead": lambda p: above(p.frame().rolling(20).mean(), p.frame()).shift(-1).ffill(),
    "tomorrow's return": lambda p: (p.returns().shift(-1) > 0).astype(float),
    "centred window": lambda p: above(p.frame().rolling(21, center=True).mean(), p.frame()),
    "whole-sample mean": lambda p: above(p.frame().mean(), p.frame()),
    "whole-sample scale": lambda p: p.returns().fillna(0) / p.returns().std(),
    "filled from the future": lambda p: p.frame()[p.index.day_of_week == 4].reindex(p.index).bfill().ffill(),
    "five bars ahead": lambda p: (p.frame().shift(-5) > p.frame()).astype(float),
    "rank over all time": lambda p: p.frame().rank(pct=True),
    "acts on the bar it sees": lambda p: (p.frame().pct_change().shift(-1) > 0).astype(float),
    "two bars ahead": lambda p: above(p.frame().rolling(20).mean(), p.frame()).shift(-2).ffill(),
    "between minimum and maximum": lambda p: (p.frame() - p.frame().min()) / (p.frame().max() - p.frame().min()),
    "whole-sample quantile": lambda p: (p.returns() > p.returns().quantile(0.9)).astype(float),
    "measured from the end": lambda p: p.frame() / p.frame().iloc[-1],
    "highest still to come": lambda p: (p.frame()[::-1].cummax()[::-1] > 1.1 * p.frame()).astype(float),
    "smoothed from both sides": lambda p: above(p.frame()[::-1].ewm(span=10).mean()[::-1], p.frame()),
    "smoothed by its spectrum": lambda p: above(spectrum(p), p.frame()),
    "drawn between Fridays": lambda p: above(
        p.frame()[p.index.day_of_week == 4].reindex(p.index).interpolate().bfill(), p.frame()
    ),
    "filled with the whole mean": lambda p: p.returns().fillna(p.returns().mean()),
    "month known from its start": lambda p: monthly(p, last=True),
    "hedge of the whole sample": lambda p: hedge(p, window=None),
    "winner of the whole sample": lambda p: p.frame() * 0.0 + (gain(p) == gain(p).max()),
    "only the second symbol": lambda p: p.returns().assign(PEP=p.returns()["PEP"].shift(-1)).fillna(0).clip(-1, 1),
    "trend of the whole sample": lambda p: p.frame() - trend(p),
    "knows when data end": lambda p: p.frame() * 0.0 + (p.index >= p.index[-1] - pd.Timedelta(days=5))[:, None],
    "next extreme": lambda p: (p.returns().shift(-1).abs() < p.returns().std() * 2).astype(float),
    "components of the whole sample": lambda p: p.returns().fillna(0) @ component(p),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_rule_passes(name: str, small: Panel) -> None:
    certificate = certify(CLEAN[name], small)
    assert certificate.passed
    assert certificate.checked >= 20
    assert certificate.largest == 0.0


@pytest.mark.parametrize("name", LEAKY)
def test_a_leak_is_caught(name: str, small: Panel) -> None:
    certificate = certify(LEAKY[name], small)
    assert not certificate.passed
    assert certificate.leaks[0] in small.index
    assert certificate.largest > 0


@pytest.mark.parametrize("ahead", [1, 2])
def test_a_rule_that_sidesteps_only_the_worst_days_is_caught_though_it_changes_every_day(
    stocks: Panel, ahead: int
) -> None:
    panel = stocks.select(["KO"])

    def sidestep(given: Panel) -> pd.DataFrame:
        close = given.frame()
        weights = 0.8 + (close.rolling(50).mean() / close.rolling(200).mean() - 1.0).clip(-0.2, 0.2)
        return weights.where(~(given.returns().shift(-ahead) < -0.04), 0.0)

    assert not certify(sidestep, panel).passed


def test_a_leak_of_a_single_bar_in_the_whole_past_is_caught(small: Panel) -> None:
    """A rule that is clean but for one session, where it acts a bar early."""
    day = 250

    def nearly_clean(panel: Panel) -> pd.DataFrame:
        weights = CLEAN["rolling"](panel) * 0.0
        weights.iloc[day + 1 :] = 1.0
        if len(panel) > day + 1:
            weights.iloc[day] = 1.0
        return weights

    assert certify(nearly_clean, small).leaks == (small.index[day],)


def peeking(day: int) -> Rule:
    """Return a rule that turns every seven sessions, and at one of its turns by the close of the day after."""

    def rule(panel: Panel) -> pd.DataFrame:
        weights = panel.frame() * 0.0 + (np.arange(len(panel)) // 7 % 2)[:, None]
        if len(panel) > day + 1:
            weights.iloc[day, 0] += float(panel.returns().iloc[day + 1, 0])
        return weights

    return rule


def test_a_leak_of_one_bar_at_one_decision_is_caught_where_every_decision_is_cut(stocks: Panel) -> None:
    """The search looks at some of a hundred decisions, and passes a leak at any other; with every=1 none is left."""
    panel = stocks.select(["KO"]).tail(700)
    seen: set[int] = set()

    def watched(given: Panel) -> pd.DataFrame:
        seen.add(len(given) - 1)
        return peeking(10_000)(given)

    assert certify(watched, panel, cuts=4).passed
    hidden = [day for day in sorted(set(range(7, 693, 7)) - seen)[::9] if certify(peeking(day), panel, cuts=4).passed]
    assert len(hidden) >= 5
    for day in hidden[::3]:
        assert certify(peeking(day), panel, cuts=4, every=1).leaks[-1:] == (panel.index[day],)


def test_every_so_many_th_decision_is_cut_and_said(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(700)
    rule = peeking(10_000)  # never
    assert decisions(rule(panel).to_numpy()).tolist() == list(range(7, 700, 7))
    cut: list[int] = []

    def watched(given: Panel) -> pd.DataFrame:
        cut.append(len(given) - 1)
        return rule(given)

    certificate = certify(watched, panel, cuts=2, every=3)
    assert set(range(7, 699, 21)) <= set(cut)
    assert certificate.checked == len(cut) - 1
    assert (certificate.decisions, certificate.every, certificate.complete) == (99, 3, True)
    assert certificate.sentence == (
        f"The future was cut away at {certificate.checked} sessions, at every 3rd of its 99 decisions among them."
    )
    caught = certify(peeking(28), panel, cuts=2, every=3)  # the fourth decision, and so the second that is looked at
    assert panel.index[28] in caught.leaks
    assert certify(rule, panel, cuts=2).sentence.count("decisions") == 0
    with pytest.raises(DataError, match="every is 0"):
        certify(rule, panel, every=0)


def test_a_certificate_can_be_watched_and_cut_short(small: Panel) -> None:
    told: list[tuple[int, int]] = []
    certificate = certify(
        CLEAN["rolling"], small, on_progress=lambda *so_far: told.append(so_far), cancelled=lambda: len(told) == 5
    )
    assert [done for done, _ in told] == [1, 2, 3, 4, 5]
    assert certificate.checked == 5
    assert not certificate.complete
    assert "cancelled" in certificate.sentence
