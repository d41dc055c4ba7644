"""Targets: the labels by hand, and the session at whose close each is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.ml import TARGETS, build_target
from quantlib.types import Panel

PARAMS = {"meta_label": {"side": "position"}}


@pytest.fixture
def positioned(small: Panel) -> Panel:
    """Return three stocks with the positions of a rule as an extra."""
    side = np.sign(small.frame().diff(10).fillna(0.0)).to_numpy() * 0.4
    side[:, 1] = 0.0
    return Panel.from_frames(small.frame(), extra={"position": side})


@pytest.mark.parametrize("name", TARGETS)
def test_a_label_is_known_at_its_end_and_not_before(positioned: Panel, name: str) -> None:
    params = {"horizon": 7, **PARAMS.get(name, {})}
    whole = build_target(positioned, name, **params)
    known = whole["label"].notna()
    assert known.any()
    assert whole.loc[known, ["label_end", "forward_return"]].notna().all(axis=None)
    assert whole.loc[~known, "label_end"].isna().all()
    ts = whole.index.get_level_values("ts")
    assert (whole["label_end"] > ts)[known].all()
    for end in (450, 471):
        cut = build_target(positioned.until(positioned.index[end]), name, **params)
        then = cut["label"].notna()
        pd.testing.assert_frame_equal(cut[then], whole.loc[cut.index][then])
        # What the cut panel cannot tell yet has its whole horizon beyond the end.
        late = known.loc[cut.index] & ~then
        assert (ts[: len(cut)][late] > positioned.index[end - 7]).all()
    assert set(whole["label"].dropna()) <= {0.0, 1.0} or TARGETS[name].kind == "regression"
    assert (TARGETS[name].name, bool(TARGETS[name].title)) == (name, True)


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_direction_is_that_of_the_coming_sessions(small: Panel, horizon: int) -> None:
    table = build_target(small, "direction", horizon=horizon)
    number = build_target(small, "forward_return", horizon=horizon)
    close = small.frame()["MSFT"]
    rows = table.xs("MSFT", level="symbol")
    for t in (0, 123, 499 - horizon):
        forward = close.iloc[t + horizon] / close.iloc[t] - 1
        assert rows["forward_return"].iloc[t] == pytest.approx(forward)
        assert number.loc[(small.index[t], "MSFT"), "label"] == pytest.approx(forward)
        assert rows["label"].iloc[t] == float(forward > 0)
        assert rows["label_end"].iloc[t] == small.index[t + horizon]
    assert rows.tail(horizon).isna().all(axis=None)
    assert rows.iloc[:-horizon].notna().all(axis=None)


def test_a_price_that_stands_still_is_not_up() -> None:
    close = pd.DataFrame({"A": [5.0, 5.0, 6.0]}, index=pd.bdate_range("2024-01-01", periods=3))
    assert build_target(Panel.from_frames(close), "direction", horizon=1)["label"].tolist()[:2] == [0.0, 1.0]


def test_the_horizon_counts_the_symbols_own_sessions() -> None:
    days = pd.date_range("2024-01-04", "2024-01-10")  # Thursday to Wednesday
    close = pd.DataFrame({"COIN": np.arange(1.0, 8.0), "STOCK": np.arange(11.0, 18.0)}, index=days)
    close.loc[days.day_of_week >= 5, "STOCK"] = np.nan
    table = build_target(Panel.from_frames(close), "direction", horizon=2)
    assert table.loc[("2024-01-05", "STOCK"), "label_end"] == pd.Timestamp("2024-01-09")
    assert table.loc[("2024-01-05", "COIN"), "label_end"] == pd.Timestamp("2024-01-07")
    assert table.loc[("2024-01-05", "STOCK"), "forward_return"] == pytest.approx(16 / 12 - 1)
    assert table.loc[("2024-01-06", "STOCK")].isna().all(axis=None)


def barriers_by_hand() -> tuple[Panel, int]:
    """Return closes that swing by 1 % for 30 sessions, then 100, 101, 99, 104, ..., and where that 100 stands."""
    swing = 100.0 * 1.01 ** (np.arange(30) % 2)
    tail = [100.0, 101.0, 99.0, 104.0, 103.0, 90.0, 95.0, 96.0]
    days = pd.bdate_range("2024-01-01", periods=38)
    return Panel.from_frames(pd.DataFrame({"A": [*swing, *tail]}, index=days)), 30


def test_triple_barriers_by_hand() -> None:
    panel, at = barriers_by_hand()
    close = panel.frame()["A"]
    moves = close.pct_change()
    table = build_target(panel, "triple_barrier", horizon=4, width=1.5).xs("A", level="symbol")
    # The volatility of a session is about 1 %, so the barriers stand near 1.5 x 2 x 1 % = 3 % away.
    width = 1.5 * 2 * moves.iloc[at - 20 : at + 1].std()
    assert 0.025 < width < 0.035
    assert table["label"].iloc[at] == 1.0  # 104 on the third session, before 90
    assert table["label_end"].iloc[at] == panel.index[at + 3]
    assert table["forward_return"].iloc[at] == pytest.approx(0.04)
    # From 104 the lower one is met by 90 on the second session.
    assert table["label"].iloc[at + 3] == 0.0
    assert table["label_end"].iloc[at + 3] == panel.index[at + 5]
    assert table["forward_return"].iloc[at + 3] == pytest.approx(90 / 104 - 1)
    # A quiet stretch meets neither: the close at the horizon decides.
    quiet = build_target(panel, "triple_barrier", horizon=4, width=3.0).xs("A", level="symbol")
    assert quiet["label_end"].iloc[23] == panel.index[27]
    assert quiet["label"].iloc[23] == float(close.iloc[27] > close.iloc[23])
    # The whole horizon must lie in the panel, and volatility must be known.
    assert table["label"].iloc[-4:].isna().all()
    assert table["label"].iloc[:21].isna().all()
    assert table["label"].iloc[21:-4].notna().all()


def test_triple_barriers_are_those_of_a_walk_session_by_session(small: Panel) -> None:
    horizon, width = 10, 0.8
    table = build_target(small, "triple_barrier", horizon=horizon, width=width).xs("PEP", level="symbol")
    close = small.frame()["PEP"].to_numpy()
    moves = np.diff(close) / close[:-1]
    for t in range(21, len(close) - horizon):
        barrier = width * np.sqrt(horizon) * np.std(moves[t - 21 : t], ddof=1)
        touched = [k for k in range(1, horizon) if abs(close[t + k] / close[t] - 1) >= barrier]
        k = touched[0] if touched else horizon
        assert table["label_end"].iloc[t] == small.index[t + k]
        assert table["label"].iloc[t] == float(close[t + k] > close[t])


def test_a_meta_label_tells_whether_the_trade_gained(positioned: Panel) -> None:
    plain = build_target(positioned, "triple_barrier", horizon=10)
    meta = build_target(positioned, "meta_label", horizon=10, side="position")
    side = pd.Series(positioned.extra["position"].ravel(), index=plain.index)
    traded = meta["label"].notna()
    assert not traded.xs("PEP", level="symbol").any()  # never held
    np.testing.assert_allclose(
        meta["forward_return"][traded], (np.sign(side) * plain["forward_return"])[traded], atol=1e-15
    )
    assert (meta["label"][traded] == (meta["forward_return"][traded] > 0)).all()
    pd.testing.assert_series_equal(meta["label_end"][traded], plain["label_end"][traded])
    short = traded & (side < 0) & (plain["forward_return"] != 0)
    assert (meta["label"][short] == 1 - plain["label"][short]).all()
    assert meta["side"].fillna(0.0).tolist() == np.sign(side).tolist()
    frame = positioned.frame("position")
    pd.testing.assert_frame_equal(build_target(positioned, "meta_label", horizon=10, side=frame), meta)


def test_volatility_is_the_log_root_mean_square_ahead_and_behind(small: Panel) -> None:
    table = build_target(small, "volatility", horizon=10).xs("KO", level="symbol")
    r = small.frame()["KO"].pct_change().to_numpy()
    assert table["label"].iloc[100] == pytest.approx(np.log(np.sqrt(np.mean(r[101:111] ** 2))))
    assert table["naive"].iloc[100] == pytest.approx(np.log(np.sqrt(np.mean(r[80:101] ** 2))))


def test_turbulent_is_above_the_median_of_the_year_before(small: Panel) -> None:
    table = build_target(small, "regime", horizon=10).xs("KO", level="symbol")
    squares = small.frame()["KO"].pct_change() ** 2
    month = np.log(np.sqrt(squares.rolling(21).mean()))
    t = 400
    usual = month.iloc[t - 251 : t + 1].median()
    assert table["label"].iloc[t] == float(np.log(np.sqrt(squares.iloc[t + 1 : t + 11].mean())) > usual)
    assert table["naive"].iloc[t] == pytest.approx(month.iloc[t] - usual)
    assert 0.2 < table["label"].mean() < 0.8


def test_a_price_that_never_moves_has_no_volatility() -> None:
    close = pd.DataFrame({"A": np.full(60, 7.0)}, index=pd.bdate_range("2024-01-01", periods=60))
    assert build_target(Panel.from_frames(close), "volatility", horizon=5)[["label", "naive"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("direction", {"horizon": 0}, "horizon is 0; accepted"),
        ("volatility", {"horizon": 1}, "2 or more"),
        ("triple_barrier", {"width": 0.0}, "width is 0.0; accepted: a number above 0"),
        ("meta_label", {"side": "positoin"}, "no field 'positoin'"),
        ("meta_label", {"side": pd.DataFrame({"KO": [1.0]})}, "says nothing of 'PEP'"),
        ("meta_label", {"side": "position", "horizon": 2.5}, "horizon is 2.5"),
        ("directoin", {}, "Did you mean direction"),
    ],
)
def test_bad_input_is_refused(positioned: Panel, name: str, params: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        build_target(positioned, name, **params)


def test_a_side_must_cover_the_panel_and_trade(small: Panel) -> None:
    flat = small.frame() * 0.0
    with pytest.raises(DataError, match="never trades"):
        build_target(small, "meta_label", side=flat)
    with pytest.raises(DataError, match="no row for"):
        build_target(small, "meta_label", side=flat.iloc[:-1])
