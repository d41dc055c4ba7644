"""Small panels to test with, and what it means that two are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from quantlib.types import PRICE_FIELDS, Panel

WEEK = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"])


def frame(values: Any, symbols: tuple[str, ...] = ("KO", "PEP"), index: pd.DatetimeIndex = WEEK) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(values, dtype=float), index=index[: len(values)], columns=list(symbols))


CLOSE = frame([[60.0, 170.0], [61.0, 171.0], [np.nan, 169.0], [59.5, 168.0], [60.5, 172.0]])


def two_stocks() -> Panel:
    """Return two stocks over five sessions, one close unknown, with both forms of extra."""
    return Panel.from_frames(
        CLOSE,
        open=CLOSE - 0.5,
        high=CLOSE + 1.0,
        low=CLOSE - 1.0,
        volume=frame(np.arange(10).reshape(5, 2)),
        extra={"bias": np.array([0.1, 0.2, 0.3, 0.4, 0.5]), "score": np.arange(10.0).reshape(5, 2)},
        source="sample",
    )


def everything(panel: Panel) -> dict[str, np.ndarray]:
    return {name: getattr(panel, name) for name in PRICE_FIELDS} | dict(panel.extra)


def assert_rows(cut: Panel, whole: Panel, rows: slice) -> None:
    """Assert that a panel is exactly those rows of another, in every field and extra."""
    assert cut.index.equals(whole.index[rows])
    assert cut.symbols == whole.symbols
    assert cut.source == whole.source
    assert everything(cut).keys() == everything(whole).keys()
    for name, values in everything(whole).items():
        np.testing.assert_array_equal(everything(cut)[name], values[rows])
