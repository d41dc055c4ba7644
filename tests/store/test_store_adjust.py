"""Adjusting by actions: worked out by hand, against a walk in plain Python, and through the store."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantlib.backtest import run
from quantlib.costs import Costs
from quantlib.errors import DataError
from quantlib.models.market import SourceRow
from quantlib.store import (
    Store,
    adjustment_notes,
    check_bars,
    check_rows,
    read_panel,
    write_bars,
    write_sources,
    write_versions,
)
from quantlib.store.adjust import Actions, find_factors
from quantlib.types import BAR_COLUMNS, Panel

DAYS = pd.bdate_range("2024-03-04", periods=6).as_unit("us")


def acts(*rows: tuple[str, pd.Timestamp, str, float], source: str = "vendor") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "ts", "kind", "value"]).assign(source=source)
    good, rejected = check_rows("actions", frame)
    assert rejected.empty
    return good


def fill(
    store: Store,
    closes: dict[str, list[float]],
    actions: pd.DataFrame,
    *,
    scale: str = "split_adjusted",
    has_actions: bool = True,
    adj_close: float = math.nan,
    at: datetime | None = None,
) -> None:
    """Store bars (low = close - 1, volume 1,000) and actions of a source on that scale."""
    write_sources(
        store,
        [SourceRow(source="vendor", title="Vendor", priority=1, price_scale=scale, has_actions=has_actions)],  # type: ignore[arg-type]
    )
    wide = pd.DataFrame(closes, index=DAYS).rename_axis(index="ts", columns="symbol")
    flat = wide.reset_index().melt("ts", value_name="close").dropna()
    flat = flat.assign(low=flat["close"] - 1, source="vendor", volume=1000.0, adj_close=adj_close * flat["close"])
    good, rejected = check_bars(flat.reindex(columns=list(BAR_COLUMNS)))
    assert rejected.empty
    write_versions(store, "actions", actions, at=at)
    write_bars(store, good, at=at)


def closes(panel: Panel, symbol: str = "KO") -> list[float]:
    return panel.frame()[symbol].tolist()


def test_a_dividend_scales_what_came_before_by_the_close_before(store: Store) -> None:
    """Close 60 on the day before a dividend of 0.60: 1 - 0.60 / 60 = 0.99; then 64 and 1.28: 0.98."""
    fill(
        store,
        {"KO": [58.0, 60.0, 61.0, 64.0, 63.0, 65.0], "PEP": [math.nan, 170.0, math.nan, 171.0, 172.0, 173.0]},
        acts(("KO", DAYS[2], "dividend", 0.6), ("KO", DAYS[4], "dividend", 1.28), ("PEP", DAYS[3], "dividend", 1.7)),
    )
    panel = read_panel(store, ["KO", "PEP"])
    by_hand = [58 * 0.99 * 0.98, 60 * 0.99 * 0.98, 61 * 0.98, 64 * 0.98, 63, 65]
    np.testing.assert_allclose(closes(panel), by_hand, rtol=1e-14)
    assert closes(panel)[4:] == [63.0, 65.0], "nothing is touched after the last dividend"
    np.testing.assert_allclose(panel.frame("low")["KO"].iloc[0], 57 * 0.99 * 0.98, rtol=1e-14)
    assert (panel.volume[:, 0] == 1000.0).all(), "dividends do not change how many shares were traded"
    np.testing.assert_allclose(closes(panel, "PEP"), [np.nan, 170 * 0.99, np.nan, 171, 172, 173], rtol=1e-14)
    # The return over the ex-date is what a holder has: (61 + 0.60 put back) / 60, to first order.
    assert closes(panel)[2] / closes(panel)[1] == pytest.approx(61 / (60 - 0.6))
    assert closes(read_panel(store, "KO", adjust=False)) == [58.0, 60.0, 61.0, 64.0, 63.0, 65.0]


def test_prices_as_traded_are_divided_by_splits_and_volumes_multiplied(store: Store) -> None:
    """A split of 4 on day 3, with a dividend of 1.50 a new share on the same day, and one of 5 an old share before.

    Before day 3: 1 - 1.50 x 4 / 120 = 0.95. Before day 1: 1 - 5 / 100 = 0.95.
    """
    fill(
        store,
        {"KO": [100.0, 104.0, 120.0, 30.0, 31.0, 32.0]},
        acts(("KO", DAYS[3], "split", 4.0), ("KO", DAYS[3], "dividend", 1.5), ("KO", DAYS[1], "dividend", 5.0)),
        scale="raw",
    )
    panel = read_panel(store, "KO")
    by_hand = [100 / 4 * 0.95 * 0.95, 104 / 4 * 0.95, 120 / 4 * 0.95, 30, 31, 32]
    np.testing.assert_allclose(closes(panel), by_hand, rtol=1e-14)
    assert panel.volume[:, 0].tolist() == [4000.0, 4000.0, 4000.0, 1000.0, 1000.0, 1000.0]


@pytest.mark.parametrize("scale", ["split_adjusted", "adjusted"])
def test_what_the_prices_contain_already_is_not_put_in_again(store: Store, scale: str) -> None:
    close = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    fill(store, {"KO": close}, acts(("KO", DAYS[3], "split", 4.0)), scale=scale)
    panel = read_panel(store, "KO")
    assert closes(panel) == close
    assert (panel.volume == 1000.0).all()
    fill(store, {"KO": close}, acts(("KO", DAYS[2], "dividend", 1.01)), scale=scale)
    assert closes(read_panel(store, "KO"))[0] == pytest.approx(100 * 0.99 if scale == "split_adjusted" else 100)


def test_a_part_of_the_history_is_that_part_of_the_whole(store: Store) -> None:
    """The scale is that of the last session known, wherever a panel begins or ends."""
    fill(
        store,
        {"KO": [58.0, 60.0, 61.0, 64.0, 63.0, 65.0]},
        acts(("KO", DAYS[2], "dividend", 0.6), ("KO", DAYS[4], "dividend", 1.28), ("KO", DAYS[5], "split", 2.0)),
        scale="raw",
    )
    whole = read_panel(store, "KO")
    for a in range(6):
        for b in range(a, 6):
            part = read_panel(store, "KO", start=DAYS[a], end=DAYS[b])
            np.testing.assert_allclose(part.close, whole.close[a : b + 1], rtol=1e-14)
            np.testing.assert_array_equal(part.volume, whole.volume[a : b + 1])
    # As of a day, it is the scale of that day: neither what came later, nor what is announced and not yet due.
    assert closes(read_panel(store, "KO", as_of=DAYS[3])) == pytest.approx([58 * 0.99, 60 * 0.99, 61, 64])
    write_versions(store, "actions", acts(("KO", DAYS[5] + pd.Timedelta(days=9), "dividend", 9.0)))
    assert read_panel(store, "KO").snapshot_id == whole.snapshot_id


def test_the_close_before_is_of_the_version_known_then(store: Store) -> None:
    march, april = datetime(2024, 3, 20, tzinfo=UTC), datetime(2024, 4, 20, tzinfo=UTC)
    dividend = acts(("KO", DAYS[4], "dividend", 1.28))
    fill(store, {"KO": [58.0, 60.0, 61.0, 64.0, 63.0, 65.0]}, dividend, at=march)
    fill(store, {"KO": [58.0, 60.0, 61.0, 32.0, 63.0, 65.0]}, dividend, at=april)
    for as_of, factor in ((march, 0.98), (april, 0.96), (None, 0.96)):
        for end in (DAYS[1], DAYS[5]):
            panel = read_panel(store, "KO", end=end, as_of=as_of)
            assert closes(panel)[:2] == pytest.approx([58 * factor, 60 * factor])


def test_a_source_without_actions_goes_by_the_vendor_s_adjusted_close(store: Store) -> None:
    close = [58.0, 60.0, 61.0, 64.0, 63.0, 65.0]
    dividend = acts(("KO", DAYS[4], "dividend", 1.28))
    fill(store, {"KO": close}, dividend, has_actions=False, adj_close=0.5)
    assert closes(read_panel(store, "KO")) == [c * 0.5 for c in close]
    fill(store, {"KO": close}, dividend, adj_close=0.5)
    assert closes(read_panel(store, "KO"))[:4] == pytest.approx([c * 0.98 for c in close[:4]])
    # Bars from before the source had actions: the vendor's own adjustment is all there is.
    nothing = dividend.iloc[:0]
    write_versions(store, "actions", nothing, complete={"symbol": "KO", "source": "vendor"})
    assert closes(read_panel(store, "KO")) == [c * 0.5 for c in close]


def test_a_dividend_above_the_price_is_flagged_and_not_applied(store: Store) -> None:
    fill(store, {"KO": [58.0, 60.0, 61.0, 64.0, 63.0, 65.0]}, acts(("KO", DAYS[2], "dividend", 60.0)))
    panel = read_panel(store, "KO")
    assert closes(panel)[0] == 58.0
    assert [(f.ts, f.symbol, f.grade) for f in panel.flags] == [(DAYS[2], "KO", "suspect")]
    assert "a dividend of 60 is not below the close before it" in panel.flags[0].reason


days = st.integers(0, 14)


@given(
    closes=st.lists(st.lists(st.floats(1, 1000) | st.just(math.nan), min_size=3, max_size=3), min_size=1, max_size=12),
    happened=st.lists(st.tuples(st.integers(0, 2), days, st.booleans(), st.floats(0.01, 0.9)), max_size=8),
    raw=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_factors_agree_with_a_walk_back_in_time(
    closes: list[list[float]], happened: list[tuple[int, int, bool, float]], raw: list[bool]
) -> None:
    """The same rules, one bar and one action at a time."""
    unique = {(p, d, s): v for p, d, s, v in happened}
    table = np.array(closes)
    t = len(closes)
    expected, shares = np.ones((t, 3)), np.ones((t, 3))
    for (p, d, is_split), value in unique.items():
        known = [table[i, p] for i in range(min(d, t)) if not math.isnan(table[i, p])]
        if is_split and raw[p]:
            expected[:d, p] /= value
            shares[:d, p] *= value
        elif not is_split and known:
            ratio = unique.get((p, d, True), 1.0) if raw[p] else 1.0
            factor = 1 - value * ratio / known[-1]
            expected[:d, p] *= factor if factor > 0 else 1.0
    keys = np.array(list(unique), dtype=float).reshape(-1, 3)
    given_actions = Actions(
        place=keys[:, 0].astype(np.int64),
        day=keys[:, 1].astype(np.int64),
        split=keys[:, 2] == 1,
        value=np.array(list(unique.values()), dtype=float),
        before=np.full(len(keys), np.nan),
    )
    found = find_factors(np.arange(t), table, given_actions, np.array(raw))
    np.testing.assert_allclose(found.prices, expected, rtol=1e-12)
    np.testing.assert_allclose(found.shares, shares, rtol=1e-12)


def test_notes_name_the_vendor_s_other_adjusted_closes() -> None:
    bars = pd.DataFrame({"symbol": "KO", "ts": DAYS, "close": [58.0, 60.0, 61.0, 64.0, 63.0, 65.0]})
    dividends = acts(("KO", DAYS[2], "dividend", 0.6), ("KO", DAYS[4], "dividend", 1.28))
    vendor = np.array([58 * 0.99 * 0.98, 60 * 0.99 * 0.98, 61 * 0.98, 64 * 0.98, 63, 65])
    assert adjustment_notes(bars.assign(adj_close=vendor), dividends) == ()
    assert adjustment_notes(bars.assign(adj_close=vendor * 0.9), dividends) == (), "a later dividend is in them"
    assert adjustment_notes(bars.assign(adj_close=math.nan), dividends) == ()
    vendor[:2] *= 1.001
    (note,) = adjustment_notes(bars.assign(adj_close=vendor), dividends)
    assert note == (
        "KO: 2 of 6 adjusted closes are not the vendor's, by up to 1.0e-03 on 2024-03-04 (56.2716 here, 56.3279 there)."
    )


def test_actions_for_an_account_stand_beside_prices_as_delivered(store: Store) -> None:
    """KO goes ex on a day without a price of it, and PEP once on a Saturday: the next session counts."""
    fill(
        store,
        {"KO": [58.0, 60.0, 61.0, math.nan, 63.0, 65.0], "PEP": [170.0, 170.0, 85.0, 86.0, 86.0, 87.0]},
        acts(
            ("KO", DAYS[3], "dividend", 1.0),
            ("PEP", DAYS[2], "split", 2.0),
            ("PEP", DAYS[2], "dividend", 1.0),
            ("PEP", pd.Timestamp("2024-03-09"), "dividend", 0.5),
        ),
        scale="raw",
    )
    panel = read_panel(store, ["KO", "PEP"], adjust=False, actions=True)
    assert closes(panel, "PEP") == [170.0, 170.0, 85.0, 86.0, 86.0, 87.0]
    np.testing.assert_array_equal(panel.extra["split"][:, 0], np.ones(6))
    np.testing.assert_array_equal(panel.extra["split"][:, 1], [1, 1, 2, 1, 1, 1])
    np.testing.assert_array_equal(panel.extra["dividend"][:, 0], [0, 0, 0, 1.0, 0, 0])
    np.testing.assert_array_equal(panel.extra["dividend"][:, 1], [0, 0, 1.0, 0, 0, 0.5])
    early = read_panel(store, ["KO", "PEP"], end=DAYS[1], adjust=False, actions=True)
    assert (early.extra["dividend"] == 0).all()
    assert (early.extra["split"] == 1).all()


def test_a_split_that_the_prices_contain_is_not_booked_again(store: Store) -> None:
    fill(store, {"KO": [58.0, 60.0, 30.0, 31.0, 32.0, 33.0]}, acts(("KO", DAYS[2], "split", 2.0)))
    panel = read_panel(store, "KO", adjust=False, actions=True)
    assert (panel.extra["split"] == 1).all()


def test_an_account_on_prices_as_traded_earns_what_adjusted_prices_say(store: Store) -> None:
    """Where prices open lower by what was paid, money put back at the open makes exactly the adjusted return."""
    fill(
        store,
        {"KO": [60.0, 59.0, 29.0, 29.0, 28.5, 30.0]},
        acts(("KO", DAYS[1], "dividend", 1.0), ("KO", DAYS[2], "split", 2.0), ("KO", DAYS[2], "dividend", 0.5)),
        scale="raw",
    )
    raw, adjusted = read_panel(store, "KO", adjust=False, actions=True), read_panel(store, "KO")
    opens = np.array([[60.0], [59.0], [29.0], [29.0], [28.5], [30.0]])
    raw = replace(raw, open=opens)
    hold = pd.DataFrame(1.0, index=raw.index, columns=list(raw.symbols))
    result = run(raw, hold, costs=Costs.free(), rebalance="every_bar")
    earned = (result.equity / result.equity.iloc[1]).to_numpy()[1:]
    np.testing.assert_allclose(earned, np.array(closes(adjusted)[1:]) / closes(adjusted)[1], rtol=1e-12)


def test_actions_are_refused_where_they_would_be_missing_or_counted_twice(store: Store) -> None:
    fill(store, {"KO": [58.0, 60.0, 61.0, 62.0, 63.0, 65.0]}, acts(), has_actions=False)
    with pytest.raises(DataError, match=r"no dividends and splits of KO \(vendor\)"):
        read_panel(store, "KO", adjust=False, actions=True)
    with pytest.raises(DataError, match="adjust=False"):
        read_panel(store, "KO", actions=True)
