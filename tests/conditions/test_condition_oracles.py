"""Conditions on real prices against numpy, pandas and TA-Lib written out, and the contracts all functions hold to."""

from __future__ import annotations

import inspect
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import talib

from quantlib.conditions import FUNCTIONS, ConditionError, evaluate, evaluate_each, parse
from quantlib.errors import DataError
from quantlib.indicators import INDICATORS
from quantlib.types import Panel


@pytest.fixture(scope="module")
def real(ohlcv: Panel) -> Panel:
    """Return 400 sessions of an index as X, and a shuffled copy of it as Y, with some bars unknown in each."""
    index = ohlcv.window("2008-01-02", "2010-12-31").tail(400)
    rng = np.random.default_rng(4)
    order = rng.permutation(400)
    frames = {}
    for name in ("open", "high", "low", "close", "volume"):
        x = index.frame(name).iloc[:, 0].to_numpy(copy=True)
        y = x[order] / 3
        x[[30, 31, 222]] = np.nan
        y[[0, 1, 200]] = np.nan
        frames[name] = pd.DataFrame({"X": x, "Y": y}, index=index.index)
    bias = rng.normal(size=400)
    bias[rng.random(400) < 0.1] = np.nan
    return Panel.from_frames(**frames, extra={"bias": bias})


def truth(holds, *of):
    """Return a comparison as 1, 0 and NaN."""
    return holds.astype(float).where(np.logical_and.reduce([x.notna() for x in of]))


ORACLES = {
    "sma(close, 20)": lambda x, y, b: x.close.rolling(20).mean(),
    "mean(Y.close, 33)": lambda x, y, b: y.close.rolling(33).mean(),
    "mean(log(close), 5)": lambda x, y, b: np.log(x.close).rolling(5).mean(),
    "std(close, 20)": lambda x, y, b: x.close.rolling(20).apply(np.std, raw=True),
    "std(returns, 60)": lambda x, y, b: (x.close / x.close.shift() - 1).rolling(60).apply(np.std, raw=True),
    "sum(volume, 10)": lambda x, y, b: x.volume.rolling(10).apply(np.sum, raw=True),
    "highest(high, 20)": lambda x, y, b: x.high.rolling(20).apply(np.max, raw=True),
    "lowest(Y.low, 7)": lambda x, y, b: y.low.rolling(7).apply(np.min, raw=True),
    "percentile(close, 50)": lambda x, y, b: x.close.rolling(50).apply(lambda v: (v <= v[-1]).mean(), raw=True),
    "correlation(close, Y.close, 30)": lambda x, y, b: pd.Series(
        [
            np.corrcoef(x.close.iloc[t - 29 : t + 1], y.close.iloc[t - 29 : t + 1])[0, 1] if t >= 29 else np.nan
            for t in range(400)
        ],
        x.index,
    ),
    "zscore(log(close) - log(Y.close), 40)": lambda x, y, b: standardised(np.log(x.close) - np.log(y.close), 40),
    "roc(close, 63)": lambda x, y, b: (x.close / x.close.shift(63) - 1).where(x.close.rolling(64).count() == 64),
    "rolling_volatility(close, 21)": lambda x, y, b: (x.close / x.close.shift() - 1).rolling(21).std() * 252**0.5,
    "rolling_volatility(close, 21, 365)": lambda x, y, b: (x.close / x.close.shift() - 1).rolling(21).std() * 365**0.5,
    "bollinger(close, 20, 2.5).lower": lambda x, y, b: (
        x.close.rolling(20).mean() - 2.5 * x.close.rolling(20).std(ddof=0)
    ),
    "change(close, 5)": lambda x, y, b: x.close - x.close.shift(5),
    "lag(bias, 9)": lambda x, y, b: b.shift(9),
    "close / Y.close - 1": lambda x, y, b: x.close / y.close - 1,
    "min(close, Y.close * 3, open)": lambda x, y, b: pd.concat([x.close, y.close * 3, x.open], axis=1).min(
        axis=1, skipna=False
    ),
    "max(abs(bias), 1)": lambda x, y, b: b.abs().clip(lower=1),
    "sqrt(bias)": lambda x, y, b: np.sqrt(b.where(b >= 0)),
    "exp(-bias)": lambda x, y, b: np.exp(-b),
    "bias ** 3 - 2 * bias": lambda x, y, b: b * b * b - b - b,
    "close > sma(close, 20)": lambda x, y, b: truth(
        x.close > x.close.rolling(20).mean(), x.close, x.close.rolling(20).mean()
    ),
    "-1 < bias <= 0.5": lambda x, y, b: truth((b > -1) & (b <= 0.5), b),
    "crosses_above(bias, 0)": lambda x, y, b: truth((b > 0) & (b.shift() <= 0), b, b.shift()),
    "crosses_below(close, sma(close, 10))": lambda x, y, b: fell(x.close - x.close.rolling(10).mean()),
    "for_days(bias > -1, 4)": lambda x, y, b: kleene_all(truth(b > -1, b), 4),
    "within(bias > 1, 6)": lambda x, y, b: 1 - kleene_all(1 - truth(b > 1, b), 6),
    "count(bias > 0, 8)": lambda x, y, b: truth(b > 0, b).rolling(8).sum(),
    "since(bias > 1)": lambda x, y, b: since(truth(b > 1, b)),
    "latest(bias, 3)": lambda x, y, b: b.ffill(limit=2),
    "latest(close, 2)": lambda x, y, b: x.close.ffill(limit=1),
    "known(bias)": lambda x, y, b: b.notna().astype(float),
    "if(bias > 0, close, Y.close)": lambda x, y, b: x.close.where(b > 0, y.close).where(b.notna()),
    "then(bias > 1, bias < -1, within=5)": lambda x, y, b: followed([truth(b > 1, b), truth(b < -1, b)], 5),
    "then(bias > 0.5, bias < -1, bias > 1, within=7)": lambda x, y, b: followed(
        [truth(b > 0.5, b), truth(b < -1, b), truth(b > 1, b)], 7
    ),
    "bias > 0 and returns > 0": lambda x, y, b: 1 - kleene_or(1 - truth(b > 0, b), 1 - rises(x)),
    "bias > 0 or returns > 0": lambda x, y, b: kleene_or(truth(b > 0, b), rises(x)),
    "not (bias > 0 or returns > 0)": lambda x, y, b: 1 - kleene_or(truth(b > 0, b), rises(x)),
    "weekday == 1": lambda x, y, b: pd.Series(x.index.day_of_week == 0, x.index).astype(float),
    "session_of_month": lambda x, y, b: counted(x.index),
    "sessions_left": lambda x, y, b: pd.Series(
        [len(pd.bdate_range(d, d + pd.offsets.MonthEnd(0))) - 1 for d in x.index], x.index
    ),
}


def standardised(s, n):
    return (s - s.rolling(n).mean()) / s.rolling(n).std(ddof=0)


def fell(d):
    return truth((d < 0) & (d.shift() >= 0), d, d.shift())


def rises(x):
    return truth(x.close > x.close.shift(), x.close, x.close.shift())


def kleene_or(a, b):
    """Return `or` by its table, one pair at a time."""
    out = [1.0 if 1 in (p, q) else np.nan if np.isnan([p, q]).any() else 0.0 for p, q in zip(a, b, strict=True)]
    return pd.Series(out, a.index)


def kleene_all(x, n):
    """Return whether a truth held n bars in a row, one window at a time; rows before the first are unknown."""
    padded = [np.nan] * (n - 1) + list(x)
    windows = [padded[t : t + n] for t in range(len(x))]
    return pd.Series([0.0 if 0 in w else np.nan if np.isnan(w).any() else 1.0 for w in windows], x.index)


def since(x):
    out, last = [], np.nan
    for value in x:
        last = np.nan if np.isnan(value) else 0.0 if value else last + 1
        out.append(last)
    return pd.Series(out, x.index)


def followed(steps, n):
    """Return by search over all days of each step whether the last step of a sequence is today."""
    done = list(steps[0])
    for step in steps[1:]:
        new = []
        for t, now in enumerate(step):
            before = [done[s] if s >= 0 else np.nan for s in range(t - n, t)]
            reached = 1.0 if 1 in before else np.nan if np.isnan(before).any() else 0.0
            new.append(0.0 if 0 in (now, reached) else np.nan if np.isnan([now, reached]).any() else 1.0)
        done = new
    return pd.Series(done, steps[0].index)


def counted(index):
    number = pd.Series(1.0, index).groupby([index.year, index.month]).cumsum()
    first = index[0]
    early = pd.bdate_range(first.replace(day=1), first, inclusive="left")
    return number.where((index >= first + pd.offsets.MonthBegin()) | (len(early) == 0))


ORACLES["ema(close, 12) - ema(close, 26)"] = lambda x, y, b: by_run(
    x.close, lambda v: talib.EMA(v, 12) - talib.EMA(v, 26), 26
)
ORACLES["rsi(close, 14)"] = lambda x, y, b: by_run(x.close, lambda v: talib.RSI(v, 14), 15)
ORACLES["2 * rsi(close, 2)"] = lambda x, y, b: 2 * by_run(x.close, lambda v: talib.RSI(v, 2), 3)


def by_run(series, function, least):
    out = pd.Series(np.nan, series.index)
    for _, run in series.groupby(series.isna().cumsum()):
        known = run.dropna()
        if len(known) >= least:
            out[known.index] = function(known.to_numpy())
    return out


@pytest.mark.parametrize("text", ORACLES)
def test_against_numpy_and_pandas(text, real):
    x, y = (pd.DataFrame({f: real.frame(f)[s] for f in ("open", "high", "low", "close", "volume")}) for s in "XY")
    b = pd.Series(real.extra["bias"], real.index)
    (got,) = evaluate([parse(text)], real, subject="X")
    wanted = ORACLES[text](x, y, b).to_numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)
    assert np.isfinite(got).sum() > 100


def test_the_average_true_range_is_that_of_the_bars(real):
    (got,) = evaluate([parse("X.atr(14)")], real)
    values = real.frame("high")["X"].iloc[32:222], real.frame("low")["X"].iloc[32:222], real.frame()["X"].iloc[32:222]
    np.testing.assert_allclose(got[32:222], talib.ATR(*(v.to_numpy() for v in values), 14), rtol=1e-9)


# One text for each function and indicator; the tests below say so if one is missing.
EVERY = {
    **{name: f"{name}(abs(bias))" for name in ("abs", "log", "exp", "sqrt")},
    **{name: f"{name}(close, 3 * Y.close, open)" for name in ("min", "max")},
    **{name: f"{name}(close, 5)" for name in ("lag", "change", "mean", "sum", "std", "percentile")},
    **{name: f"{name}(close, mean(close, 4))" for name in ("crosses_above", "crosses_below")},
    **{name: f"{name}(bias > 0, 3)" for name in ("for_days", "within", "count", "latest")},
    "if": "if(bias > 0, close, Y.close)",
    "correlation": "correlation(returns, Y.returns, 10)",
    "then": "then(bias > 0, returns > 0, bias < 0, within=3)",
    "since": "since(bias > 0.5)",
    "known": "known(bias)",
    **{
        name: f"{name}({'' if len(card.inputs) > 1 else 'close, '}5)" + (".upper" if name == "bollinger" else "")
        for name, card in INDICATORS.items()
    },
    **{name: name for name in ("year", "month", "day", "weekday", "session_of_month", "sessions_left")},
    **{name: f"{name} + Y.{name}" for name in ("open", "high", "low", "close", "volume", "returns")},
    "extra": "bias",
    "nested": "for_days(crosses_above(sma(lag(close, 2), 3), highest(low, 4)) or not bias > 0, 2)",
}


def test_every_function_is_among_them():
    assert EVERY.keys() >= FUNCTIONS.keys() | INDICATORS.keys()


@pytest.mark.parametrize("name", EVERY)
def test_cutting_the_future_off_changes_nothing(name, real):
    condition = parse(EVERY[name])
    whole = evaluate_each(condition, real, ("X", "Y"))
    for t in [*range(12), 29, 30, 31, 32, 33, 60, *range(70, 400, 23), 221, 222, 223, 398, 399]:
        cut = evaluate_each(condition, real.tail(400).until(real.index[t]), ("X", "Y"))
        np.testing.assert_array_equal(cut, whole[: t + 1])


def test_the_check_catches_a_planted_leak(real, monkeypatch):
    leak = replace(FUNCTIONS["lag"], compute=lambda x, n: np.roll(x, -n, axis=0))
    monkeypatch.setitem(FUNCTIONS, "lag", leak)
    with pytest.raises(AssertionError):
        test_cutting_the_future_off_changes_nothing("lag", real)


@pytest.mark.parametrize("name", EVERY)
def test_the_warm_up_is_where_every_part_is_known_first(name, ohlcv):
    """Known from row `warmup - 1` on, and for what has one window not a bar before."""
    one = ohlcv.window("2010-03-15", "2010-12-31")
    panel = Panel(
        index=one.index,
        symbols=("X", "Y"),
        **{f: np.repeat(getattr(one, f), 2, axis=1) * [1, 1.5] for f in ("open", "high", "low", "close", "volume")},
        extra={"bias": np.sin(np.arange(len(one)) * 2.7) + 1e-3},
    )
    condition = parse(EVERY[name])
    (got,) = evaluate([condition], panel, subject="X")
    if name == "correlation":  # the copies move as one
        assert got[-1] == pytest.approx(1)
    if name in {"since", "session_of_month"}:  # these depend on the date and on what happened
        assert np.isfinite(got[condition.warmup + 2 :]).all()
        return
    known = np.isfinite(got)
    assert known[condition.warmup - 1 :].all()
    if name not in {"for_days", "within", "then", "nested", "latest"}:  # these may be decided before all is known
        assert not known[: condition.warmup - 1].any()


def test_each_subject_is_evaluated_as_if_alone(real):
    for text in EVERY.values():
        condition = parse(text)
        both = evaluate_each(condition, real, ("Y", "X"))
        for column, symbol in enumerate(("Y", "X")):
            np.testing.assert_array_equal(both[:, column], evaluate([condition], real, subject=symbol)[0])
        np.testing.assert_array_equal(evaluate_each(condition, real, ())[:, :], np.empty((400, 0)))


def test_no_rows_give_no_values(real):
    for text in EVERY.values():
        assert evaluate_each(parse(text), real.tail(0), ("X", "Y")).shape == (0, 2)
        assert len(evaluate([parse(text)], real.tail(1), subject="X")[0]) == 1


def test_values_are_the_callers_own(real):
    (got,) = evaluate([parse("close")], real, subject="X")
    got[:] = 0
    assert np.nanmin(real.close) > 0
    constant = evaluate_each(parse("5"), real, ("X", "Y"))
    constant[0, 0] = 1
    assert constant[0, 1] == constant[1, 0] == 5


def test_common_parts_are_computed_once_across_conditions(real, monkeypatch):
    calls = []
    card = INDICATORS["rsi"]

    def counted_rsi(close, **params):
        if len(close):
            calls.append(params)
        return card.function(close, **params)

    monkeypatch.setitem(INDICATORS, "rsi", replace(card, function=counted_rsi))
    texts = ["rsi(close, 9) < 30", "rsi(close,n=9) > 70 and close > 5", "30 <= rsi( close, 9) <= 70", "rsi(X.close, 9)"]
    values = evaluate([parse(text) for text in texts], real, subject="X")
    assert len(calls) == 2
    assert np.nanmax(values[0] + values[1] + values[2]) == np.nanmin(values[0] + values[1] + values[2]) == 1


def test_memory_is_let_go_when_a_part_is_used_up(real):
    """Neither the number of parts nor that of subjects makes everything stand in memory at once."""
    wide = Panel(
        index=real.index,
        symbols=tuple(f"S{i}" for i in range(2000)),
        **{f: np.repeat(getattr(real, f)[:, :1], 2000, axis=1) for f in ("open", "high", "low", "close", "volume")},
    )
    tall = " + ".join(f"abs(change(close, {n})) * abs(change(close, {n}))" for n in range(1, 38))
    flat = f"max({', '.join(f'lag(close, {n})' for n in range(1, 160))})"
    for text in (tall, flat):
        condition = parse(text)
        tracemalloc.start()
        try:
            evaluate_each(condition, wide, wide.symbols)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < wide.close.nbytes + 60e6  # the result, and blocks of 32 MB; all parts would be 0.5 to 1 GB


def test_a_symbol_or_name_that_is_not_there_is_named_with_its_place(real):
    for text, words in {
        "Z.close > 1": "There is no symbol 'Z' here. Accepted: X, Y.",
        "close > 1 and baas > 0": "There is no 'baas' here. Did you mean bias?",
        "Y.clsoe > 1": "clsoe is not a field of a symbol. Did you mean close?",
        "Y.vwap > 1": "Y has no 'vwap'. Accepted: close, high, low, open, returns, volume.",
        "Y > 1": "Y is a symbol. Write its field, as in Y.close.",
        "clsoe > 1": "There is no 'clsoe' here. Did you mean close?",
    }.items():
        with pytest.raises(ConditionError) as caught:
            evaluate([parse("true"), parse(text)], real, subject="X")
        assert caught.value.problem == words
        places = {"Z.close", "baas", "Y.clsoe", "Y.vwap", "Y", "clsoe"}
        assert text[caught.value.start : caught.value.end] in places


def test_a_field_without_a_subject_is_refused(real):
    assert parse("close > 1").needs_subject
    assert not parse("X.close > bias").needs_subject
    for text, words in {
        "X.close > close": "close of which symbol? There is no subject here; write it as SPY.close.",
        "atr(5) > 1": "high of which symbol?",
        "score > 1": "score has a value for each symbol, and there is no subject.",
    }.items():
        with pytest.raises(ConditionError, match=words.replace("?", r"\?")):
            evaluate([parse(text)], real, names={"score": real.close})
    with pytest.raises(ConditionError, match=r"The subject 'Z' is not in the panel\. Accepted: X, Y\."):
        evaluate([parse("true")], real, subject="Z")


def test_names_come_before_extras_and_must_fit(real):
    given = np.full(400, 5.0)
    given[7] = np.inf
    (got,) = evaluate([parse("bias")], real, names={"bias": given})
    assert np.isnan(got[7])
    assert got[8] == 5
    per_symbol = evaluate_each(parse("score"), real, ("Y", "X"), names={"score": real.close})
    np.testing.assert_array_equal(per_symbol, real.close[:, ::-1])
    for wrong in (np.ones(399), np.ones((400, 3)), 5.0):
        with pytest.raises(DataError, match=r"The values of z have shape .*accepted: \(400,\) or \(400, 2\)"):
            evaluate([parse("z > 0")], real, names={"z": wrong})


def test_the_months_first_session_is_counted_from_the_calendar():
    def sessions(index):
        panel = Panel.from_frames(pd.DataFrame({"X": 1.0}, index=index))
        return evaluate([parse("session_of_month")], panel)[0].tolist()

    nan = pytest.approx(np.nan, nan_ok=True)
    assert sessions(pd.to_datetime(["2024-06-03", "2024-06-04"])) == [1, 2]  # June 2024 begins on a Saturday
    assert sessions(pd.to_datetime(["2024-06-04", "2024-06-05", "2024-07-01"])) == [nan, nan, 1]
    # Weekends of a panel with crypto are not counted.
    assert sessions(pd.date_range("2024-06-01", periods=10)) == [0, 0, 1, 2, 3, 4, 5, 5, 5, 6]
    # A holiday is a session that did not happen.
    assert sessions(pd.to_datetime(["2024-06-28", "2024-07-02", "2024-07-03"])) == [nan, 1, 2]


def test_the_functions_say_what_they_are():
    for name, function in FUNCTIONS.items():
        assert function.form.startswith(f"{name}(")
        assert function.about.endswith(".")
        assert set(function.keywords) <= function.params.keys()
        assert name not in INDICATORS
        accepted = inspect.signature(function.compute).parameters if not isinstance(function.compute, np.ufunc) else {}
        if function.params and not function.repeats:
            assert list(accepted)[len(function.takes) :] == list(function.params)
