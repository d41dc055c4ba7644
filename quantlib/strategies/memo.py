"""Arrays that the parameter sets of one sweep share, so that each is computed once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pandas as pd

Value = TypeVar("Value")


class Memo:
    """What was computed before, by key, on one panel; thread-safe and bounded.

    Parameters
    ----------
    limit
        Bytes of arrays to keep; beyond it what was used longest ago goes.

    Examples
    --------
    >>> memo = Memo()
    >>> memo.get(("square", 3), lambda: 9)
    9
    """

    def __init__(self, limit: int = 192 * 2**20) -> None:
        self.limit = limit
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made by the first who asks while others wait; it must not be changed.

        The key names everything the value depends on besides the panel: what it is, symbols, parameters.
        """
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                mine: Future[Any] = Future()
                self._kept[key] = mine
            else:
                self._kept.move_to_end(key)
        if found is not None:
            value: Value = found.result()
            return value
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._kept[key]
            mine.set_exception(error)
            raise
        mine.set_result(value)
        with self._lock:
            self._bytes += _bytes_of(value)
            for old in list(self._kept):
                if self._bytes <= self.limit or old == key:
                    break
                if self._kept[old].done():
                    self._bytes -= _bytes_of(self._kept.pop(old).result())
        return value


def _bytes_of(value: object) -> int:
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, pd.DataFrame):
        return int(value.memory_usage(index=False).sum())
    if isinstance(value, tuple):
        return sum(map(_bytes_of, value))
    return 0
