"""Panels of the tests of sweeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.types import Panel


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    """Return three stocks over 600 sessions, with made-up opens, ranges and volumes."""
    few = stocks.select(("KO", "PEP", "MSFT")).tail(600)
    noise = 1.0 + 0.004 * np.random.default_rng(3).standard_normal(few.close.shape)
    return Panel.from_frames(
        few.frame("close"),
        open=few.frame("close") * noise,
        high=few.frame("close") * 1.01,
        low=few.frame("close") * 0.99,
        volume=few.frame("close") * 0.0 + 5e4,
    )


@pytest.fixture(scope="module")
def holes(panel: Panel) -> Panel:
    """Return the same with unknown prices."""
    known = pd.DataFrame(np.random.default_rng(4).random(panel.close.shape) > 0.03, panel.index, panel.symbols)
    return Panel.from_frames(*(panel.frame("close").where(known),), open=panel.frame("open").where(known))
