"""How much a row of training tells: labels that overlap tell the same thing more than once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.types import FloatArray


def average_uniqueness(begin: np.ndarray, end: np.ndarray) -> FloatArray:
    """Return the average uniqueness of labels of one symbol, each above 0 and at most 1.

    A label that begins at the close of `begin` and ends at that of `end` is made of the returns of the sessions
    after `begin` up to `end`. At each of them its uniqueness is one over the number of labels made of that session;
    the average over its sessions is what this returns.

    Parameters
    ----------
    begin, end
        Session numbers [n], whole, each end after its begin.

    References
    ----------
    Lopez de Prado, M. (2018), Advances in Financial Machine Learning, chapter 4.

    Examples
    --------
    >>> average_uniqueness(np.array([0, 1]), np.array([2, 3])).tolist()
    [0.75, 0.75]
    """
    if not len(begin):
        return np.zeros(0)
    first = int(begin.min())
    opens, closes = begin - first + 1, end - first + 1
    count = np.zeros(int(closes.max()) + 1)
    np.add.at(count, opens, 1.0)
    np.add.at(count, closes, -1.0)
    alive = np.cumsum(count)
    share = np.divide(1.0, alive, out=np.zeros_like(alive), where=alive > 0)
    up_to = np.concatenate([[0.0], np.cumsum(share)])
    return np.asarray((up_to[closes] - up_to[opens]) / (closes - opens))


def uniqueness_weights(label_end: pd.Series, sessions: pd.DatetimeIndex) -> FloatArray:
    """Return a weight for each label by its average uniqueness among its symbol's, with mean 1.

    Parameters
    ----------
    label_end
        When each label is known, indexed (ts, symbol), each later than its row; in any order.
    sessions
        The calendar they are counted on, which holds every one of these dates.
    """
    ts = label_end.index.get_level_values("ts")
    symbol = pd.factorize(label_end.index.get_level_values("symbol"))[0]
    begin, end = sessions.get_indexer(ts), sessions.get_indexer(pd.DatetimeIndex(label_end))
    weights = np.empty(len(label_end))
    for one in np.unique(symbol):
        mine = symbol == one
        weights[mine] = average_uniqueness(begin[mine], end[mine])
    return np.asarray(weights / weights.mean())
