"""Predictions as an input of strategies: an extra of the panel, from the session on at which each was known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.ml.result import ModelResult
from quantlib.ml.table import rows_of
from quantlib.types import Panel


def predictions_as_extra(panel: Panel, result: ModelResult, name: str) -> Panel:
    """Return the panel with a model's predictions as `extra[name]` [time x symbol], NaN where there are none.

    They are those of the walk-forward, each made by a model that had seen only labels known before its test, and from
    the session on at which its last label was known, the final model's. Between the last labelled row and that session
    there are none: the final model has learned from what happened in those sessions.

    Parameters
    ----------
    panel
        The panel the model was evaluated on, or a part of it.
    result
        A walk-forward evaluation. What K-folds say of a session was learned from later ones too: a strategy that used
        it would look ahead.
    name
        What strategies ask for.

    Raises
    ------
    DataError
        The predictions could not have been made at the time, a name of the panel is taken, or none is about the panel.
    """
    if not result.foretold:
        raise DataError(
            f"Predictions of the scheme {result.parameters['scheme']!r} were learned from later sessions too, so a "
            "strategy must not use them. Evaluate the model with walk_forward."
        )
    if name in panel.extra or hasattr(panel, name):
        raise DataError(f"The panel has {name!r} already. Choose another name for the predictions.")
    learned_until = result.predictions["label_end"].max()
    own = result.ahead[result.ahead.index.get_level_values("ts") >= learned_until]
    said = pd.concat([result.predictions["prediction"], own])
    values = said.reindex(rows_of(panel)).to_numpy(dtype=np.float64)
    if not np.isfinite(values).any():
        raise DataError("None of the predictions is about a session and a symbol of this panel.")
    return replace(panel, extra={**panel.extra, name: values.reshape(len(panel), len(panel.symbols))})
