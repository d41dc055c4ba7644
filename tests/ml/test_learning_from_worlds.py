"""Learning from worlds: drawn from the past of each test alone, used as asked, and judged honestly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.ml import FeatureGroup, PurgedKFold, WalkForward, build_examples, evaluate
from quantlib.ml.simulated import WORLD_SCORE, Worlds, learning_from_worlds
from quantlib.ml.simulated_gain import compare_with_worlds
from quantlib.ml.table import long_table
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.types import Panel

SCHEME = WalkForward(train=150, test=150)


def momentum(panel: Panel) -> pd.DataFrame:
    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        price = np.log(close)
        daily = price.diff()
        return {"return_1": daily, "return_5": price.diff(5), "volatility_21": daily.rolling(21).std()}

    return long_table(panel, columns)


SHORT = FeatureGroup("short", "", "", momentum, {}, 21)


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "MSFT"]).tail(500)


class Spy(StationaryBootstrap):
    """A bootstrap that remembers what it was given to learn from, as everything it draws comes from that."""

    seen: ClassVar[list[Panel]] = []

    def paths(self, panel: Panel, **settings: int) -> Iterator[Panel]:
        self.seen.append(panel)
        return super().paths(panel, **settings)


@pytest.mark.parametrize("use", ["augment", "pretrain", "worlds"])
def test_worlds_are_drawn_from_the_training_sessions_of_each_fold_alone(
    panel: Panel, use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spy, "seen", [])
    examples = build_examples(panel, features=[SHORT])
    worlds = Worlds(simulator=Spy(block=5), use=use, number=2, horizon=120)
    train = learning_from_worlds(panel, examples, "logistic", worlds)
    result = evaluate(examples, "logistic", scheme=SCHEME, train=train, importance=False)
    assert len(Spy.seen) == len(result.folds) + 1
    for past, (_, fold) in zip(Spy.seen, result.folds.iterrows(), strict=False):
        assert past.index[0] == fold["train_start"]
        assert fold["train_end"] < past.index[-1] < fold["test_start"]
    # Nothing of what was foretold changes when the future is cut away.
    cut = panel.until(panel.index[400])
    then = build_examples(cut, features=[SHORT])
    early = evaluate(
        then,
        "logistic",
        scheme=SCHEME,
        train=learning_from_worlds(cut, then, "logistic", worlds),
        importance=False,
    ).predictions
    pd.testing.assert_frame_equal(early, result.predictions.loc[early.index])
    scored = getattr(result.estimator, "model", result.estimator)
    assert (WORLD_SCORE in scored.feature_names_in_) == (use == "pretrain")
    assert result.latest.between(0, 1).all()


def test_the_share_is_the_weight_of_all_worlds_beside_history(panel: Panel) -> None:
    examples = build_examples(panel, features=[SHORT]).known
    # Worlds that only ever rise, beside a history that rises about every other time.
    rising = GBM()
    said = {}
    for share in (1e-6, 1.0, 1e6):
        worlds = Worlds(simulator=rising, number=1, horizon=300, share=share)
        fitted = learning_from_worlds(panel, examples, "prior", worlds)(examples)
        said[share] = float(fitted.predict_proba(examples.features.iloc[:1])[0, 1])
    history = examples.labels["label"].mean()
    assert said[1e-6] == pytest.approx(history, abs=0.005)
    assert said[1.0] == pytest.approx((history + said[1e6]) / 2, abs=0.005)
    assert abs(said[1e6] - history) > 0.01


def test_the_comparison_asks_the_same_rows_and_says_what_came_of_it(panel: Panel) -> None:
    examples = build_examples(panel, "volatility", features=[SHORT], horizon=10)
    worlds = [Worlds(number=2, horizon=200, use="worlds", simulator=GBM())]
    found = compare_with_worlds(panel, examples, "ridge", worlds=worlds, scheme=SCHEME)
    line = found.table.loc["worlds"]
    beside = found.with_worlds["worlds"].predictions
    history = found.history.predictions
    assert beside.index.equals(history.index)
    squares = [((rows["prediction"] - rows["label"]) ** 2).mean() for rows in (history, beside)]
    assert line["gain"] == pytest.approx(squares[0] - squares[1])
    assert found.table["loss"].to_numpy() == pytest.approx(squares)
    assert line["low"] < line["gain"] < line["high"]
    word = "helped" if line["low"] > 0 else "hurt" if line["high"] < 0 else "no difference beyond chance"
    assert word in found.sentences[0]
    assert "instead of history" in found.sentences[0]
    again = compare_with_worlds(panel, examples, "ridge", worlds=worlds, scheme=SCHEME)
    pd.testing.assert_frame_equal(found.table, again.table)


def test_what_cannot_be_drawn_is_refused(panel: Panel) -> None:
    examples = build_examples(panel, features=[SHORT])
    with pytest.raises(DataError, match="past of each test alone"):
        compare_with_worlds(panel, examples, "logistic", scheme=PurgedKFold(3))
    with pytest.raises(DataError, match="no use 'agument' of worlds"):
        learning_from_worlds(panel, examples, "logistic", Worlds(use="agument"))
    with pytest.raises(DataError, match=r"share is 0\.0"):
        learning_from_worlds(panel, examples, "logistic", Worlds(share=0.0))
    carried = Panel.from_frames(panel.frame(), extra={"bias": np.linspace(0, 1, len(panel))})
    with_macro = build_examples(carried, features=[SHORT, "macro"])
    train = learning_from_worlds(carried, with_macro, "logistic", Worlds(number=1, horizon=200, simulator=GBM()))
    with pytest.raises(DataError, match="do not know the feature 'bias'"):
        train(with_macro.known)
