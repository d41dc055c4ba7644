"""What a simulator is: it fits a law to a panel's history and draws further panels from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from operator import index as whole_number
from typing import Annotated, ClassVar, Literal, NamedTuple, TypeVar

import joblib
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from quantlib.compiled import kernel
from quantlib.errors import DataError
from quantlib.simulators.bars import fit_bars
from quantlib.simulators.learning import MIN_SESSIONS
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

# Numbers drawn at a time by a thread: 2 MB of workspace keeps a chunk in its cache and memory flat for any n.
CHUNK_NUMBERS = 2**18

Part = TypeVar("Part")

#: Fields that most laws have.
Drift = Annotated[
    Literal["history", "none"],
    Field(title="Drift", description="Keep the history's mean return, or have none: no edge anywhere."),
]
Window = Annotated[
    int | None,
    Field(
        ge=MIN_SESSIONS,
        title="Window",
        description="How many of the latest sessions it learns from.",
        json_schema_extra={"empty": "all"},
    ),
]


class Estimate(NamedTuple):
    """A calibrated parameter, and how well the history pins it down.

    Parameters
    ----------
    name
        What it is, as on the simulator's page.
    symbol
        Whose it is; "" where it is of all, "A, B" where it is of a pair.
    value
        The estimate.
    error
        Its standard error; NaN where none is known.
    unit
        Such as "a year", "sessions"; "" for a pure number.
    """

    name: str
    symbol: str
    value: float
    error: float
    unit: str


@dataclass(frozen=True, eq=False)
class Calibration(ABC):
    """What a simulator fitted to a panel, and the law it draws from.

    Parameters
    ----------
    symbols
        The N symbols, in the panel's order.
    start, end
        First and last session used.
    sessions
        Number of log returns used.
    periods_per_year
        Sessions a year, for annualising.
    last
        Last known close of each symbol [N]; where every path starts.
    drift
        Drift a year [N]: `periods_per_year` times the log of the expected gross return of one session, the mu
        of dS/S = mu dt + sigma dW. Zero where the world has no edge.
    volatility
        Volatility a year [N]: the standard deviation of log returns times the root of `periods_per_year`.
    correlation
        Correlation of log returns [N, N]; NaN beside a symbol whose price never moved.
    """

    symbols: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp
    sessions: int
    periods_per_year: int
    last: FloatArray
    drift: FloatArray
    volatility: FloatArray
    correlation: FloatArray

    @abstractmethod
    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [streams.count, horizon, N], which the caller may overwrite.

        Row i comes from path i's stream alone, to the last bit, however many are drawn at once. It is called from
        several threads at once.
        """

    def estimates(self) -> list[Estimate]:
        """Return the calibrated parameters with their standard errors; none where the law has no parameters."""
        return []

    def frame(self) -> pd.DataFrame:
        """Return last close, drift and volatility by symbol, the latter two as fractions a year."""
        return pd.DataFrame(
            {"last": self.last, "drift": self.drift, "volatility": self.volatility},
            index=pd.Index(self.symbols, name="symbol"),
        )

    def correlation_frame(self) -> pd.DataFrame:
        """Return the correlation of log returns [symbol x symbol]."""
        names = pd.Index(self.symbols, name="symbol")
        return pd.DataFrame(self.correlation, index=names, columns=names)


class Simulator(BaseModel):
    """Base of all simulators: the fields are the parameters, `calibrate` fits them to a panel.

    Path i depends only on the panel, the parameters, the horizon and (seed, i). So the first 10 of 1,000 paths
    are the 10 paths, and any split of the work over chunks or workers gives the same worlds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    #: What is sure to be left for a rule to live on where `drift` is "none"; empty where nothing is.
    edge_without_drift: ClassVar[str] = ""

    @abstractmethod
    def calibrate(self, panel: Panel) -> Calibration:
        """Return what is fitted to the panel's complete rows.

        Raises
        ------
        DataError
            Fewer than 60 sessions have every close.
        """

    def closes(self, panel: Panel, *, n: int, horizon: int, seed: int, first: int = 0) -> FloatArray:
        """Return simulated closes [n, horizon, N], the batch form of `paths`.

        Row [i, 0] is the session after the panel's last one, one step from the last known close.

        Parameters
        ----------
        panel
            The history to continue.
        n
            Number of paths.
        horizon
            Sessions per path.
        seed
            Zero or above.
        first
            Number of the first path; `first=500` gives paths 500 to 500 + n - 1, for work done in parts.

        Raises
        ------
        DataError
            A count is out of range, the history is too short, or a price leaves the range of numbers.

        Examples
        --------
        >>> worlds = GBM().closes(panel, n=1000, horizon=252, seed=7)  # doctest: +SKIP
        >>> np.quantile(worlds[:, -1, 0], [0.05, 0.5, 0.95])  # doctest: +SKIP
        """
        n, horizon, seed, first = _counts(n, horizon, seed, first)
        fit = self.calibrate(panel)
        out = np.empty((n, horizon, len(fit.symbols)))

        def write(part: Streams) -> None:
            _draw_closes(fit, horizon, part, out[part.first - first : part.first - first + part.count])

        for _ in _each(write, _parts(fit, n, horizon, seed, first)):
            pass
        return out

    def paths(
        self, panel: Panel, *, n: int, horizon: int, seed: int, first: int = 0, bars: bool = False
    ) -> Iterator[Panel]:
        """Return `n` simulated panels of `horizon` sessions after the panel's last one, made as they are read.

        Parameters, errors and values are those of `closes`; memory does not grow with `n`.

        Parameters
        ----------
        bars
            Whether open, high, low and volume are simulated too, for symbols of which the panel has them
            (`BarModel.draw`); what the panel does not know stays unknown, as do the extras. Closes are the same
            either way.
        """
        n, horizon, seed, first = _counts(n, horizon, seed, first)
        fit = self.calibrate(panel)
        model = fit_bars(panel.window(fit.start)) if bars else None
        sessions = panel.sessions_ahead(horizon)
        unknown = np.full((horizon, len(fit.symbols)), np.nan)

        def part_of(streams: Streams) -> tuple[FloatArray, FloatArray | None]:
            closes = _draw_closes(fit, horizon, streams)
            return closes, None if model is None else model.draw(closes, fit.last, streams)

        def worlds() -> Iterator[Panel]:
            for closes, others in _each(part_of, _parts(fit, n, horizon, seed, first)):
                for i, close in enumerate(closes):
                    a, b, c, d = (unknown,) * 4 if others is None else others[:, i]
                    yield Panel(
                        index=sessions,
                        symbols=fit.symbols,
                        open=a,
                        high=b,
                        low=c,
                        close=close,
                        volume=d,
                        source=f"simulated: {self.name}",
                    )

        return worlds()


def _counts(n: int, horizon: int, seed: int, first: int) -> tuple[int, int, int, int]:
    for name, value, least in (("n", n, 1), ("horizon", horizon, 1), ("seed", seed, 0), ("first", first, 0)):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
            raise DataError(f"{name} is {value!r}; accepted: a whole number of {least} or more.")
    return whole_number(n), whole_number(horizon), whole_number(seed), whole_number(first)


def _parts(fit: Calibration, n: int, horizon: int, seed: int, first: int) -> list[Streams]:
    """Return the n paths in parts of a size that suits the cache."""
    size = max(1, CHUNK_NUMBERS // (horizon * len(fit.symbols)))
    return [Streams(seed, first + start, min(size, n - start)) for start in range(0, n, size)]


def _each(function: Callable[[Streams], Part], parts: list[Streams]) -> Iterator[Part]:
    """Yield the results of all parts in their order, made by a thread a core, a few ahead of the one asked for.

    Parts take a millisecond each, so a plain pool: `map_work` takes longer than that to hand one over.
    """
    workers = min(len(parts), joblib.effective_n_jobs(-1))
    if workers == 1:
        yield from map(function, parts)
        return
    pool, rest = ThreadPoolExecutor(workers), iter(parts)
    try:
        begun = deque(pool.submit(function, part) for part in islice(rest, 2 * workers))
        while begun:
            result = begun.popleft().result()
            begun.extend(pool.submit(function, part) for part in islice(rest, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _draw_closes(fit: Calibration, horizon: int, streams: Streams, out: FloatArray | None = None) -> FloatArray:
    """Return closes [count, horizon, N] of a part of the paths, written to `out` where it is given."""
    moves = fit.draw(streams, horizon)
    add_up_nb(moves)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused just below
        closes = np.exp(moves, out=moves if out is None else out)
    if not scale_nb(closes, fit.last):
        raise DataError(
            f"A simulated price left the range of numbers within {horizon} sessions; the highest volatility "
            f"fitted is {fit.volatility.max():.0%} a year ({fit.symbols[fit.volatility.argmax()]}). "
            "Check that symbol's prices, or take a shorter horizon."
        )
    return closes


@kernel
def add_up_nb(moves: FloatArray) -> None:
    """Turn the returns of each path [n, horizon, N] into their running sums, in place."""
    for path in moves:
        for t in range(1, path.shape[0]):
            for j in range(path.shape[1]):
                path[t, j] += path[t - 1, j]


@kernel
def scale_nb(growth: FloatArray, last: FloatArray) -> bool:
    """Multiply growth [n, horizon, N] by the last closes [N] in place; tell whether all are prices."""
    fine = True
    for path in growth:
        for t in range(path.shape[0]):
            for j in range(path.shape[1]):
                path[t, j] *= last[j]
                fine &= 0.0 < path[t, j] < np.inf
    return fine
