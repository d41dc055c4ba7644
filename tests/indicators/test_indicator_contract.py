"""What every indicator must hold to, whoever adds it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pytest

from quantlib import indicators
from quantlib.errors import DataError
from quantlib.indicators import INDICATORS, compute
from quantlib.types import Panel

Lines = dict[str, pd.DataFrame]


def looks_ahead(function: Callable[[Panel], Lines], panel: Panel, rows: Iterable[int]) -> list[str]:
    """Return one line for each row at which cutting the future off changes what was said before."""
    whole = function(panel)
    found = []
    for row in rows:
        t = panel.index[row]
        cut = function(panel.until(t))
        assert cut.keys() == whole.keys()
        for line, frame in whole.items():
            past = frame.iloc[: row + 1]
            assert cut[line].index.equals(past.index)
            if not np.array_equal(cut[line].to_numpy(), past.to_numpy(), equal_nan=True):
                found.append(f"{line} at {t:%Y-%m-%d}")
    return found


def short(name: str) -> dict[str, int]:
    """Return parameters that leave many values within a few hundred bars."""
    return {"n": 8} if "n" in INDICATORS[name].params else {}


@pytest.mark.parametrize("name", INDICATORS)
def test_card_is_complete_and_true(name):
    card = INDICATORS[name]
    assert card.name == name == card.function.__name__
    assert card.function is getattr(indicators, name)
    assert name in indicators.__all__
    assert all([card.title, card.variant, card.reference])
    assert card.unit in {"price", "index", "deviations", "percent"}
    assert card.overlay <= (card.unit == "price")
    assert card.causal
    accepted = list(inspect.signature(card.function).parameters.values())
    assert tuple(p.name for p in accepted[: len(card.inputs)]) == card.inputs
    rest = accepted[len(card.inputs) :]
    assert [p.name for p in rest] == list(card.params)
    # A default of None is the panel's own value; the plain function then has one of its own.
    assert {p.name: card.params[p.name] for p in rest} == {
        p.name: p.default if card.params[p.name] is not None else None for p in rest
    }


@pytest.mark.parametrize("name", INDICATORS)
def test_cutting_the_future_off_changes_nothing(name, gappy):
    rows = [0, 1, 2, *range(6, 40), *range(40, len(gappy), 9), 100, 101, 102, len(gappy) - 1]
    assert looks_ahead(lambda panel: compute(name, panel, **short(name)), gappy, rows) == []


@pytest.mark.parametrize("name", INDICATORS)
def test_cutting_the_future_off_changes_nothing_in_stock_closes(name, small):
    assert looks_ahead(lambda panel: compute(name, panel), small, range(0, len(small), 37)) == []


LEAKS = {
    "next bar's close": lambda close: close.shift(-1).rolling(8).mean(),
    "next bar's close, the last one patched": lambda close: close.shift(-1).fillna(close).rolling(8).mean(),
    "centred window": lambda close: close.rolling(3, center=True).mean(),
    "mean of the whole sample": lambda close: close - close.mean(),
    "gap filled from behind": lambda close: close.bfill(),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_check_catches_a_planted_leak(leak, gappy):
    found = looks_ahead(lambda panel: {"line": LEAKS[leak](panel.frame())}, gappy, range(20, 200))
    assert found
    if leak.startswith("next bar"):
        assert len(found) == 180


@pytest.mark.parametrize("name", INDICATORS)
@pytest.mark.parametrize("n", [2, 3, 14, 50])
def test_first_value_is_where_the_card_says(name, n, index_bars):
    card = INDICATORS[name]
    params = {**card.params, "n": n}
    for line in compute(name, index_bars, n=n).values():
        known = line.iloc[:, 0].notna().to_numpy()
        assert int(known.argmax()) == card.warmup(**params) - 1
        assert known[card.warmup(**params) - 1 :].all()


@pytest.mark.parametrize("name", INDICATORS)
def test_after_an_unknown_bar_the_warm_up_starts_again(name, gappy):
    """No value on a gap, none before the warm-up is over, and then a value: nothing filled, nothing lost."""
    warmup = INDICATORS[name].warmup(**{**INDICATORS[name].params, **short(name)})
    known_bars = gappy.frame("close")
    for line in compute(name, gappy, **short(name)).values():
        for symbol in gappy.symbols:
            streak = 0
            for known, value in zip(known_bars[symbol].notna(), line[symbol], strict=True):
                streak = streak + 1 if known else 0
                assert np.isfinite(value) == (streak >= warmup)


@pytest.mark.parametrize("name", INDICATORS)
def test_symbols_do_not_touch_each_other(name, gappy):
    whole = compute(name, gappy, **short(name))
    for symbol in gappy.symbols:
        for line, alone in compute(name, gappy.select([symbol]), **short(name)).items():
            pd.testing.assert_frame_equal(alone, whole[line][[symbol]], check_exact=True)


@pytest.mark.parametrize("name", INDICATORS)
def test_lines_have_the_panels_shape(name, small):
    lines = compute(name, small)
    assert list(lines) == [name] or len(lines) > 1
    for frame in lines.values():
        pd.testing.assert_index_equal(frame.index, small.frame().index)
        pd.testing.assert_index_equal(frame.columns, small.frame().columns)
        assert (frame.dtypes == np.float64).all()


@pytest.mark.parametrize("name", INDICATORS)
def test_a_window_longer_than_the_history_has_no_value(name, index_bars):
    for n in (len(index_bars) + 1, 10**6):
        for line in compute(name, index_bars, n=n).values():
            assert line.shape == (len(index_bars), 1)
            assert line.isna().all(axis=None)


@pytest.mark.parametrize("name", INDICATORS)
def test_an_empty_panel_gives_empty_lines(name, index_bars):
    for line in compute(name, index_bars.tail(0)).values():
        assert line.shape == (0, 1)


@pytest.mark.parametrize("name", INDICATORS)
@pytest.mark.parametrize("n", [0, -3, 2.5, 20.0, "20", True, [20], np.nan])
def test_a_window_must_be_a_whole_number_of_bars(name, n, small):
    with pytest.raises(DataError, match=r"n is .*accepted: a whole number of bars"):
        compute(name, small, n=n)


@pytest.mark.parametrize("name", INDICATORS)
def test_numpy_integers_are_whole_numbers(name, small):
    for line, frame in compute(name, small, n=np.int64(9)).items():
        pd.testing.assert_frame_equal(frame, compute(name, small, n=9)[line], check_exact=True)


def test_unknown_indicator_names_the_nearest(small):
    with pytest.raises(DataError, match=r"no indicator 'bolinger'\. Did you mean bollinger\?"):
        compute("bolinger", small)


def test_unknown_parameter_names_the_accepted(small):
    with pytest.raises(DataError, match=r"Indicator rsi has no parameter 'window'\. Accepted: n\."):
        compute("rsi", small, window=14)


@pytest.mark.parametrize("bad", [pd.Series([1.0, 2.0]), np.ones((3, 1)), pd.DataFrame({"a": ["x", "y"]})])
def test_what_is_not_a_frame_of_numbers_is_refused(bad):
    with pytest.raises(DataError, match="accepted"):
        indicators.sma(bad, 2)


def test_volatility_takes_the_sessions_a_year_of_its_panel(small):
    days = pd.date_range("2022-01-01", periods=len(small))
    weekly = Panel.from_frames(small.frame().set_index(days))
    stocks, crypto = (compute("rolling_volatility", p)["rolling_volatility"].iloc[-1] for p in (small, weekly))
    np.testing.assert_allclose(crypto / stocks, (365 / 252) ** 0.5, rtol=1e-12)
    given = compute("rolling_volatility", weekly, periods_per_year=252)["rolling_volatility"].iloc[-1]
    np.testing.assert_array_equal(given, stocks)
