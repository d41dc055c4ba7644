"""Derived series: the numbers against pandas, and what of them is written again when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import quantlib
from quantlib.derived import DERIVED
from quantlib.errors import DataError
from quantlib.settings import Settings
from quantlib.store import Store, WriteCount, check_bars, coverage, write_bars
from quantlib.store.derived import read_derived, write_derived
from quantlib.types import BAR_COLUMNS
from quantlib.workflows import derive as workflow
from quantlib.workflows.derive import CODE, derive
from quantlib.workflows.provenance import code_version
from quantlib.workflows.session import Session


def prices(symbol: str, n: int, *, seed: int, days: pd.DatetimeIndex | None = None) -> pd.DataFrame:
    """Return bars whose adjusted close is half the close."""
    days = pd.bdate_range("2020-01-01", periods=n) if days is None else days
    close = 100 * np.exp(np.random.default_rng(seed).normal(0, 0.01, len(days)).cumsum())
    frame = pd.DataFrame({"symbol": symbol, "ts": days, "close": close, "adj_close": close / 2, "source": "vendor"})
    return frame.reindex(columns=list(BAR_COLUMNS))


def store_bars(store: Store, frame: pd.DataFrame) -> None:
    good, rejected = check_bars(frame)
    assert rejected.empty
    write_bars(store, good)


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    store_bars(store, prices("AAA", 300, seed=1))
    store_bars(store, prices("BBB", 30, seed=2))
    store_bars(store, prices("BTC-USD", 0, seed=3, days=pd.date_range("2020-01-01", periods=40)))
    return Session(Settings(home=tmp_path, _env_file=None), store)


def test_values_are_those_of_pandas(session: Session) -> None:
    result = derive(session)
    assert result.symbols == 3
    assert result.headline.startswith("4 derived series of 3 symbols: ")
    close = prices("AAA", 300, seed=1).set_index("ts")["adj_close"]
    returns = close.pct_change()
    expected = {
        "total_return_index": close / close.iloc[0] * 100,
        "realised_volatility_21": returns.rolling(21).std() * np.sqrt(252),
        "momentum_252": close.pct_change(252),
        "drawdown_from_high": close / close.cummax() - 1,
    }
    assert set(expected) == set(DERIVED)
    rows = 0
    for name, series in expected.items():
        stored = read_derived(session.store, name, ["AAA"])["AAA"]
        known = series.dropna()
        rows += len(known)
        assert stored.index.equals(pd.DatetimeIndex(known.index).as_unit("us")), name
        np.testing.assert_allclose(stored, known, rtol=1e-9, atol=1e-12, err_msg=name)
    assert rows == 300 + (300 - 21) + (300 - 252) + 300
    # Every day counts where a market has no weekend, and stocks' gaps beside it are no gaps of theirs.
    coin = prices("BTC-USD", 0, seed=3, days=pd.date_range("2020-01-01", periods=40)).set_index("ts")["close"]
    volatility = (coin.pct_change().rolling(21).std() * np.sqrt(365)).dropna()
    np.testing.assert_allclose(
        read_derived(session.store, "realised_volatility_21", ["BTC-USD"])["BTC-USD"], volatility
    )
    assert result.count == WriteCount(new=rows + (30 + 9 + 30) + (40 + 19 + 40))


def test_only_what_is_new_is_written(session: Session) -> None:
    first = derive(session).count
    assert derive(session).count == WriteCount(unchanged=first.new)
    days = pd.bdate_range("2020-01-01", periods=31)
    store_bars(session.store, prices("BBB", 0, seed=2, days=days).iloc[-1:])
    steps: list[tuple[int, int, str]] = []
    count = derive(session, ["BBB"], on_progress=lambda *step: steps.append(step)).count
    assert count == WriteCount(new=3, unchanged=69)
    assert steps == [(0, 1, "BBB"), (1, 1, "")]


def test_a_new_dividend_changes_no_history_but_a_new_price_does(session: Session) -> None:
    derive(session)
    bars = prices("BBB", 30, seed=2)
    store_bars(session.store, bars.assign(adj_close=bars["adj_close"] * 0.97))
    assert derive(session, ["BBB"]).count == WriteCount(unchanged=69)
    bars.loc[10, ["close", "adj_close"]] *= 1.5
    store_bars(session.store, bars)
    assert derive(session, ["BBB"]).count.changed > 20


def test_another_version_of_the_code_stands_beside(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    before = derive(session).count
    old = read_derived(session.store, "momentum_252")
    monkeypatch.setitem(
        DERIVED,
        "momentum_252",
        replace(DERIVED["momentum_252"], function=lambda panel: 2 * panel.frame("close").iloc[:, 0]),
    )
    monkeypatch.setattr(workflow, "code_version", lambda *parts: "next")
    assert derive(session, ["BBB"]).count == WriteCount(new=69 + 30)
    newest = read_derived(session.store, "momentum_252")
    assert newest.columns.tolist() == ["AAA", "BBB", *old.columns.drop(["AAA"])]
    pd.testing.assert_series_equal(newest["AAA"].dropna(), old["AAA"], check_freq=False)
    assert newest["BBB"].notna().sum() == 30
    assert read_derived(session.store, "momentum_252", code_version="next").columns.tolist() == ["BBB"]
    pd.testing.assert_frame_equal(
        read_derived(session.store, "momentum_252", code_version=code_version(*CODE)), old, check_freq=False
    )
    monkeypatch.undo()
    assert derive(session).count == WriteCount(unchanged=before.new)


def test_what_cannot_be_computed_any_more_is_gone(session: Session) -> None:
    derive(session)
    version = code_version(*CODE)
    rows = pd.DataFrame(
        {"name": "total_return_index", "symbol": "BBB", "ts": pd.bdate_range("2020-01-01", periods=2), "value": 1.0}
    ).assign(source="vendor")
    assert write_derived(session.store, rows, symbols=["BBB"], code_version=version) == WriteCount(
        changed=69
    )  # two differ, 67 are gone
    assert read_derived(session.store, "total_return_index", ["BBB"])["BBB"].tolist() == [1.0, 1.0]
    assert len(read_derived(session.store, "total_return_index", ["AAA"])) == 300


def test_reading_a_part(session: Session) -> None:
    derive(session)
    frame = read_derived(session.store, "drawdown_from_high", ["BBB", "AAA"], "2020-01-10", "2020-01-14")
    assert frame.columns.tolist() == ["BBB", "AAA"]
    assert frame.index.tolist() == [pd.Timestamp(day) for day in ("2020-01-10", "2020-01-13", "2020-01-14")]
    with pytest.raises(DataError, match=r"'momentum' is stored\. Did you mean momentum_252"):
        read_derived(session.store, "momentum")
    with pytest.raises(DataError, match=r"BBB has no momentum_252 in that span"):
        read_derived(session.store, "momentum_252", ["BBB"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": np.nan}, "unknown or infinite"),
        ({"value": np.inf}, "unknown or infinite"),
        ({"symbol": "OTHER"}, "came for OTHER, but were announced for BBB"),
        ({"ts": pd.Timestamp("2020-01-01")}, "1 derived values came twice"),
    ],
)
def test_wrong_rows_are_refused(session: Session, change: dict[str, object], message: str) -> None:
    rows = pd.DataFrame(
        {"name": "total_return_index", "symbol": "BBB", "ts": pd.bdate_range("2020-01-01", periods=2), "value": 1.0}
    ).assign(source="vendor", **change)
    with pytest.raises(DataError, match=message):
        write_derived(session.store, rows, symbols=["BBB"], code_version="x")


def test_an_empty_store_and_an_unknown_symbol(store: Store, tmp_path: Path) -> None:
    session = Session(Settings(home=tmp_path, _env_file=None), store)
    assert coverage(store).empty
    assert derive(session).count == WriteCount()
    with pytest.raises(DataError, match="No bars of 'AAA'"):
        derive(session, ["AAA"])


def test_the_code_it_depends_on_is_there() -> None:
    folder = Path(quantlib.__file__).parent
    assert all((folder / part).exists() for part in CODE)
    assert code_version("types.py") != code_version("derived") != code_version()
