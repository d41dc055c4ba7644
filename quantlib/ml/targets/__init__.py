"""What a model is asked to foretell, and when it is known whether it was right."""

from __future__ import annotations

from typing import Any

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.ml.targets.barriers import META_LABEL, TRIPLE_BARRIER
from quantlib.ml.targets.returns import DIRECTION, FORWARD_RETURN
from quantlib.ml.targets.target import Target
from quantlib.ml.targets.volatility import REGIME, VOLATILITY
from quantlib.types import Panel

TARGETS: dict[str, Target] = {
    "forward_return": FORWARD_RETURN,
    "direction": DIRECTION,
    "triple_barrier": TRIPLE_BARRIER,
    "meta_label": META_LABEL,
    "volatility": VOLATILITY,
    "regime": REGIME,
}

__all__ = ["TARGETS", "Target", "build_target", "target_of"]


def build_target(panel: Panel, target: str, **params: Any) -> pd.DataFrame:
    """Return the label table of a target, one row a (ts, symbol); its columns are those of `Target.build`.

    Parameters
    ----------
    panel
        Closes are enough.
    target
        A key of `TARGETS`.
    params
        `horizon` in sessions, and what the target takes besides: `width` of barriers, a `side`.

    Examples
    --------
    >>> build_target(panel, "triple_barrier", horizon=10, width=2.0)["label"].mean()  # doctest: +SKIP
    """
    return target_of(target).build(panel, **params)


def target_of(name: str) -> Target:
    """Return the target of this name, refusing one there is not."""
    if name not in TARGETS:
        raise DataError(f"There is no target {name!r}. {nearest(name, TARGETS)}")
    return TARGETS[name]
