"""A small panel whose every number is written out, and real ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from quantlib.types import FloatArray, Panel


def _row(text: str) -> FloatArray:
    """Return numbers and truths from a readable row: T, F, ? for unknown, or the number itself."""
    words = {"T": 1.0, "F": 0.0, "?": np.nan}
    return np.array([words[word] if word in words else float(word) for word in text.split()])


@pytest.fixture(scope="session")
def row() -> Callable[[str], FloatArray]:
    """Return the reader of readable rows."""
    return _row


@pytest.fixture(scope="session")
def twelve() -> Panel:
    """Return twelve sessions of A (the subject of the cases), BRK-B, SPY and BF.B."""
    index = pd.bdate_range("2024-01-30", periods=12)
    rows = {
        "open": "10 10 11 12 11 ? 11 12 13 13 12 11",
        "high": "11 12 13 12 11 ? 13 14 14 13 12 15",
        "low": "9 10 11 10 9 ? 11 12 12 11 10 11",
        "close": "10 11 12 11 10 ? 12 13 13 12 11 14",
        "volume": "100 200 300 0 100 ? 100 200 300 400 500 600",
    }
    unknown = "? " * 12
    other = {
        "BRK-B": "20 19 18 19 21 20 20 22 23 22 20 21",
        "SPY": "100 101 102 103 104 105 106 107 108 109 110 111",
        "BF.B": "5 5 5 5 5 5 5 5 5 5 5 5",
    }
    frames = {
        name: pd.DataFrame(
            {"A": _row(text)} | {s: _row(closes if name == "close" else unknown) for s, closes in other.items()},
            index=index,
        )
        for name, text in rows.items()
    }
    score = np.full((12, 4), 7.0)
    score[:, 0] = np.arange(12)
    chance = np.full((12, 4), np.nan)
    chance[:, [0, 2]] = np.stack([np.arange(12) / 10, np.full(12, 0.5)], axis=1)
    return Panel.from_frames(
        frames["close"],
        open=frames["open"],
        high=frames["high"],
        low=frames["low"],
        volume=frames["volume"],
        extra={
            "bias": _row("1 1 0 0 -1 -1 ? 0 1 1 2 2"),
            "macro.cpi_yoy": _row("? ? 2 2 2 3 3 3 3 4 4 4"),
            "score": score,
            "macro: CPIAUCSL": _row("? ? 2 2 2 3 3 3 3 4 4 4"),
            "model: up or down": chance,
        },
    )


@pytest.fixture(scope="session")
def given() -> dict[str, FloatArray]:
    """Return the names a caller gives beside the panel."""
    return {
        "z": _row("-3 -2 -1 0 1 2 3 2 1 0 -1 -2"),
        "spread": _row("? ? 0.02 0.01 0 -0.01 -0.02 -0.04 -0.02 0 0.01 0.03"),
        "hedge_ratio": _row("1 1 1 1.5 1.5 1.5 2 2 2 2 1 1"),
        "portfolio.drawdown": _row("0 0 -0.05 -0.1 -0.2 -0.15 -0.05 0 0 -0.3 -0.1 0"),
        "portfolio.gross": _row("0 0.5 1 1 1.5 2 1 1 0.5 0 0 1"),
    }
