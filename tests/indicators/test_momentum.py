from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ta.momentum import RSIIndicator

from quantlib.indicators import rsi


def test_rsi_by_hand():
    # Changes +1.0, -0.5, +1.0. Start: gain 0.5, loss 0.25; then gain 0.75, loss 0.125.
    close = pd.DataFrame({"KO": [10.0, 11.0, 10.5, 11.5]})
    expected = [np.nan, np.nan, 100 * 0.5 / 0.75, 100 * 0.75 / 0.875]
    np.testing.assert_allclose(rsi(close, 2)["KO"], expected, rtol=1e-14)


def test_rsi_is_wilders_recursion(small):
    """A plain loop over the definition, start included."""
    n, close = 14, small.frame()["MSFT"]
    change = close.diff().to_numpy()[1:]
    gain, loss = np.maximum(change, 0), np.maximum(-change, 0)
    up, down = gain[:n].mean(), loss[:n].mean()
    expected = [np.nan] * n + [100 * up / (up + down)]
    for g, l in zip(gain[n:], loss[n:], strict=True):  # noqa: E741
        up, down = (up * (n - 1) + g) / n, (down * (n - 1) + l) / n
        expected.append(100 * up / (up + down))
    np.testing.assert_allclose(rsi(close.to_frame(), n)["MSFT"], expected, rtol=1e-10)


def test_rsi_meets_the_other_start_as_it_fades(small):
    """`ta` starts its smoothing from the first change alone, without a mean of the first n."""
    close = small.frame()["KO"]
    ours, theirs = rsi(close.to_frame(), 7)["KO"], RSIIndicator(close, 7).rsi()
    assert abs(ours.iloc[7] - theirs.iloc[7]) > 1e-3
    np.testing.assert_allclose(ours.iloc[250:], theirs.iloc[250:], rtol=1e-10)


def test_rsi_runs_from_nothing_but_losses_to_nothing_but_gains():
    fall = np.linspace(20.0, 10.0, 12)
    close = pd.DataFrame({"DOWN": fall, "UP": fall[::-1]})
    out = rsi(close, 5).iloc[5:]
    assert (out["DOWN"] == 0).all()
    assert (out["UP"] == 100).all()


def test_rsi_is_unknown_while_price_stands_still():
    close = pd.DataFrame({"RRC": [3.322] * 8 + [3.4]})
    out = rsi(close, 3)["RRC"]
    assert out.iloc[:8].isna().all()
    assert out.iloc[8] == 100


def test_rsi_after_a_gap_is_that_of_the_part_alone(gappy):
    """The library itself answers 0 after a NaN, which reads as a crash."""
    close = gappy.frame()[["HOLES"]]
    out = rsi(close, 8)
    pd.testing.assert_frame_equal(out.iloc[102:180], rsi(close.iloc[102:180], 8), check_exact=True, check_freq=False)
    assert out["HOLES"].min() > 0


@pytest.mark.parametrize("scale", [1e-8, 1e6])
def test_rsi_does_not_depend_on_the_unit_of_price(small, scale):
    np.testing.assert_allclose(rsi(small.frame() * scale), rsi(small.frame()), rtol=1e-6)
