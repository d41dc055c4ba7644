"""What models learn from and are asked about: features beside labels, row by row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.ml.features import USUAL, FeatureGroup, build_features, groups_of
from quantlib.ml.targets import build_target, target_of
from quantlib.ml.targets.target import Kind
from quantlib.types import Panel


@dataclass(frozen=True, eq=False)
class Examples:
    """Features known at each row, and the label beside those whose future is known by the panel's end.

    Parameters
    ----------
    features
        Indexed (ts, symbol) in that order, every value known.
    labels
        Same rows: `label`, `label_end`, `forward_return` and, for some targets, `naive`; see `Target`. NaN and NaT
        where the label is not known yet.
    target
        The target's key.
    kind
        "classification" or "regression".
    params
        What the target was asked for: `horizon` and more.
    groups
        The groups of features.
    left_out
        Features that no row of the panel knows, so that no model can take them.
    sessions
        The panel's sessions.
    every
        1, or how many sessions apart the rows are.
    shortened
        What history features that begin late take away, in a sentence; empty where they take none.
    """

    features: pd.DataFrame
    labels: pd.DataFrame
    target: str
    kind: Kind
    params: dict[str, Any]
    groups: tuple[FeatureGroup, ...]
    left_out: tuple[str, ...]
    sessions: pd.DatetimeIndex
    every: int = 1
    shortened: str = ""

    @property
    def horizon(self) -> int:
        """Most sessions a label looks ahead."""
        return int(self.params["horizon"])

    @property
    def lags(self) -> int:
        """Rows of one symbol after which two losses share no future: twice the horizon, in rows."""
        return 2 * -(-self.horizon // self.every)

    @property
    def settled(self) -> pd.Series:
        """The session at whose close each row's label is known, however it turns out: what purges go by.

        By its own end a label met early would stay where the others of its day are left out, and those that stay would
        tell of more quick moves than there are.
        """
        return self.labels["settled" if "settled" in self.labels else "label_end"]

    @cached_property
    def known(self) -> Examples:
        """The rows whose label is known."""
        return self.rows(self.labels["label"].notna().to_numpy())

    @cached_property
    def ahead(self) -> pd.DataFrame:
        """The features of the sessions after the last known label: what a model is asked about today."""
        ts = self.features.index.get_level_values("ts").to_numpy()
        last = self.known.features.index.get_level_values("ts").max()
        return self.features.iloc[np.flatnonzero(ts > last)]

    def rows(self, kept: np.ndarray) -> Examples:
        """Return some of the rows, by position or by a mask."""
        place = np.flatnonzero(kept) if kept.dtype == bool else kept
        return replace(self, features=self.features.iloc[place], labels=self.labels.iloc[place])

    def until(self, t: pd.Timestamp) -> Examples:
        """Return the rows whose label is known at the close of `t`, however it turned out."""
        return self.rows((self.settled <= t).to_numpy())

    def thinned(self, every: int) -> Examples:
        """Return every so many-th session, counted back from the last: less to compute, and hardly less told."""
        if every < 1:
            raise DataError(f"every is {every}; accepted: a whole number of sessions, 1 or more.")
        sessions = self.sessions[::-1][::every]
        kept = self.features.index.get_level_values("ts").isin(sessions)
        return replace(self.rows(np.asarray(kept)), every=self.every * every)

    def shuffled(self, seed: int) -> Examples:
        """Return the same rows with the known labels dealt out at random: nothing is left to be foretold.

        Whatever scores better than chance on these is wrong.
        """
        place = np.flatnonzero(self.labels["label"].notna())
        dealt = np.random.default_rng(seed).permutation(place)
        labels = self.labels.copy()
        for column in ("label", "forward_return"):
            values = labels[column].to_numpy(copy=True)
            values[place] = values[dealt]
            labels[column] = values
        return replace(self, labels=labels)


def build_examples(
    panel: Panel,
    target: str = "direction",
    *,
    features: Iterable[str | FeatureGroup] = USUAL,
    checked: bool = False,
    **params: Any,
) -> Examples:
    """Return what a model may learn from on a panel: the rows whose features are all known, and their labels.

    Parameters
    ----------
    panel
        Closes are enough for most groups and targets.
    target
        A key of `TARGETS`.
    features
        Keys of `FEATURES`, or groups of your own.
    checked
        See `build_features`.
    params
        Of the target: `horizon` (5 sessions unless given), `width`, `side`.

    Raises
    ------
    DataError
        A name is unknown, a count out of range, or no row has every feature and a label.

    Examples
    --------
    >>> examples = build_examples(panel, "volatility", features=["own", "indicators"], horizon=21)  # doctest: +SKIP
    """
    asked = target_of(target)
    settings = {"horizon": 5, **params}
    groups = groups_of(features)
    labels = build_target(panel, target, **settings)
    table = build_features(panel, groups, checked=checked)
    # In a panel too short to warm up every column is unknown, which is another matter.
    warm = len(panel) > max(group.warmup for group in groups)
    unknown = table.columns[table.isna().all() & warm]
    table = table.drop(columns=unknown)
    ready = table.notna().all(axis=1) & (len(table.columns) > 0)
    if "naive" in labels:
        ready &= labels["naive"].notna()  # the yardstick is asked about the same rows
    if "side" in labels:
        ready &= labels["side"].notna()
    if not (ready & labels["label"].notna()).any():
        raise DataError(
            f"None of {len(panel)} sessions has every feature and a label: features need up to "
            f"{max(group.warmup for group in groups)} sessions to warm up, labels {settings['horizon']} to come true. "
            "Take a longer span or fewer feature groups."
        )
    return Examples(
        features=table[ready],
        labels=labels[ready],
        target=target,
        kind=asked.kind,
        params={key: value for key, value in settings.items() if isinstance(value, int | float | str)},
        groups=groups,
        left_out=tuple(map(str, unknown)),
        sessions=panel.index,
        shortened=_shortened(table, panel, max(group.warmup for group in groups)),
    )


def _shortened(table: pd.DataFrame, panel: Panel, warmup: int) -> str:
    """Return what history those features take away that begin after all have warmed up; empty where they take none."""
    if not len(table.columns):
        return ""
    known = table.notna().to_numpy().reshape(len(panel), len(panel.symbols), -1).any(axis=1)
    first = known.argmax(axis=0)
    late = first > warmup
    begins, could = int(first.max()), int(first[~late].max(initial=warmup))
    if begins <= could:
        return ""
    names = [str(name) for name in table.columns[late]]
    return (
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not known before {panel.index[begins]:%Y-%m-%d}, so "
        f"{begins - could:,} sessions from {panel.index[could]:%Y-%m-%d} on teach nothing. Leave out what begins late "
        "to learn from them."
    )
