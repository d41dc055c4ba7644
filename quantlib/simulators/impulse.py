"""Events in simulated worlds: the response of an event study, injected into whatever another simulator draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, PositiveInt, field_serializer, field_validator, model_validator

from quantlib.compiled import kernel
from quantlib.errors import DataError, nearest
from quantlib.simulators.base import Calibration, Estimate, Simulator
from quantlib.simulators.streams import Streams, Words, exponential_nb, normal_nb, uniform_nb
from quantlib.types import FloatArray, Panel

#: Purpose of the streams of event times; one more for each impulse inside, so that two of them are independent.
EVENTS = 5000
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ByDay = tuple[FiniteFloat, ...] | tuple[tuple[FiniteFloat, ...], ...]
Errors = tuple[Size, ...] | tuple[tuple[Size, ...], ...]


@dataclass(frozen=True, eq=False)
class ImpulseCalibration(Calibration):
    """The fitted law of the inner simulator, and what events add to it.

    Parameters
    ----------
    inner
        What the inner simulator fitted.
    impulse
        When events come and how strong they are.
    depth
        Impulses inside this one.
    response, error
        Log return by day since an event of dose 1, and its standard error [D, N].
    extra
        Variance that an event adds by day since it, as a multiple of the usual one less 1 [D].
    """

    inner: Calibration
    impulse: Impulse
    depth: int
    response: FloatArray
    error: FloatArray
    extra: FloatArray

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return the inner log returns [streams.count, horizon, N] with the events in them.

        Before the first event of a path they are the inner ones to the last bit: times and sizes of events come
        from streams of their own.

        Raises
        ------
        DataError
            An event lies beyond the horizon, or there are more shocks than sessions.
        """
        plan = self.impulse
        if plan.days and max(plan.days) > horizon:
            raise DataError(f"An event is on day {max(plan.days)}; the horizon is {horizon} sessions. Lengthen it.")
        if plan.branching is None and plan.shocks > horizon:
            raise DataError(
                f"{plan.shocks} shocks do not fit into {horizon} sessions; take fewer, or let them cluster."
            )
        moves = self.inner.draw(streams, horizon)
        clustered = plan.branching is not None
        branching = plan.branching or 0.0
        # The law of one session is not asked for more than every calibration states: drift and volatility a year.
        mean = (self.drift - 0.5 * self.volatility**2) / self.periods_per_year
        inject_nb(
            moves,
            streams.aside(EVENTS + self.depth).states(),
            np.array(plan.days, dtype=np.int64) - 1,
            np.array(plan.doses or (1.0,) * len(plan.days), dtype=np.float64),
            plan.shocks,
            plan.dose,
            background(plan.shocks, horizon, branching, plan.memory) if clustered else 0.0,
            branching,
            plan.memory,
            self.response,
            self.error,
            self.extra,
            mean,
        )
        return moves

    def estimates(self) -> list[Estimate]:
        """Return the inner estimates, and the response by day and symbol; the error is NaN where none was given."""
        given = bool(self.impulse.error)
        return self.inner.estimates() + [
            Estimate(
                f"Response on day {day}",
                symbol,
                float(self.response[day, j]),
                float(self.error[day, j]) if given else float("nan"),
                "log return",
            )
            for day in range(len(self.response))
            for j, symbol in enumerate(self.symbols)
        ]


class Impulse(Simulator):
    """Events in the worlds of another simulator: on days that are set, on random days, or in clusters.

    After an event of dose x on session t, the log return of session t + d has x times `response[d]` added, and its
    deviation from the usual mean is multiplied by `volatility[d]`. Effects of several events add up, and so do the
    variances they add. Worlds keep the numbers they would have without events, so that the difference is the events.

    Drift and volatility of the calibration are those of the inner law: what events do comes on top, also in a world
    without drift.

    Parameters
    ----------
    inner
        The simulator whose worlds the events come into; in JSON its fields with its `name`.
    response
        Abnormal log return by day since the event, its own session first: one number a day for all symbols, or
        one a symbol each day in the order of `symbols`. `EventStudy.impulse` gives it.
    error
        Standard errors of the response in the same form. Every world then has its own response, drawn from a normal
        law around the estimate; symbols err together, for the same events taught both. Empty: it is taken as known.
    symbols
        Whose response is meant, where it differs by symbol; more than the panel has is allowed, fewer is not.
    volatility
        Multiples of volatility by day since the event; empty leaves it alone.
    days, doses
        Sessions of the horizon with an event, the first being 1, and how strong each is; 1 each if empty.
    shocks, dose
        Events on random days besides, and how strong each is: that many on different days.
    branching
        None: shocks are independent of each other. From 0 to below 1: shocks set off others, each that many on
        average (a Hawkes process); `shocks` is then the number expected over the horizon, and 0 is a Poisson process.
    memory
        Mean sessions between a shock and one that it sets off directly.

    References
    ----------
    Hawkes, A. (1971), Spectra of some self-exciting and mutually exciting point processes. Ogata, Y. (1981), On
    Lewis' simulation method for point processes: times are exact, by thinning.

    Examples
    --------
    >>> war = Impulse(inner=GBM(), response=(-0.03, -0.01), volatility=(2.0, 1.5), shocks=3)  # doctest: +SKIP
    """

    name: ClassVar[str] = "impulse"
    title: ClassVar[str] = "Events"
    description: ClassVar[str] = (
        "Events in the worlds of another simulator: a measured response, on set days, on random days or in clusters."
    )

    inner: Simulator = Field(title="World", description="The simulator whose worlds the events come into.")
    response: ByDay = Field(title="Response", description="Abnormal log return by day since the event.")
    error: Errors = Field((), title="Error", description="Standard error of the response, in the same form.")
    symbols: tuple[str, ...] = Field((), title="Symbols", description="Whose responses those are, if they differ.")
    volatility: tuple[Size, ...] = Field(
        (), title="Volatility", description="Multiples of volatility by day since the event."
    )
    days: tuple[PositiveInt, ...] = Field((), title="Days", description="Sessions with an event; the first is 1.")
    doses: tuple[FiniteFloat, ...] = Field((), title="Doses", description="How strong each of them is.")
    shocks: int = Field(0, ge=0, title="Random shocks", description="How many events come on random days.")
    dose: FiniteFloat = Field(1.0, title="Dose of a shock", description="How strong each random shock is.")
    branching: float | None = Field(
        None,
        ge=0,
        lt=1,
        allow_inf_nan=False,
        title="Branching",
        description="How many further shocks one sets off, below 1.",
        json_schema_extra={"empty": "independent"},
    )
    memory: float = Field(
        5.0, gt=0, allow_inf_nan=False, title="Memory", description="Mean sessions until a shock sets off another."
    )

    @field_validator("inner", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """Return the simulator that a JSON object names."""
        if not isinstance(value, dict):
            return value
        from quantlib.simulators import SIMULATORS  # noqa: PLC0415  the registry imports this package's modules

        kinds = {**SIMULATORS, cls.name: cls}
        name = value.get("name", "")
        if name not in kinds:
            raise ValueError(f"There is no simulator {name!r}. {nearest(str(name), kinds)}")
        return kinds[name].model_validate({key: item for key, item in value.items() if key != "name"})

    @field_serializer("inner")
    def _with_name(self, inner: Simulator) -> dict[str, Any]:
        return {"name": inner.name, **inner.model_dump(mode="json")}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.response:
            raise ValueError("response is empty; give the log return of the event's own session at least")
        if not self.days and not self.shocks:
            raise ValueError("there is no event: name days, or a number of shocks above 0")
        if self.doses and len(self.doses) != len(self.days):
            raise ValueError(f"there are {len(self.doses)} doses for {len(self.days)} days; give one each, or none")
        if len(self.volatility) not in {0, len(self.response)}:
            raise ValueError(f"volatility has {len(self.volatility)} days and the response {len(self.response)}")
        shape = _shape(self.response)
        if self.error and _shape(self.error) != shape:
            raise ValueError(f"error has the form {_shape(self.error)} and the response {shape}; they must be the same")
        if len(set(self.symbols)) != len(self.symbols) or shape[1:] != ((len(self.symbols),) if self.symbols else ()):
            raise ValueError(
                f"the response has the form {shape} for {len(self.symbols)} symbols; give one number a day for all, or "
                "each day one for each of the distinct symbols named"
            )
        return self

    def calibrate(self, panel: Panel) -> ImpulseCalibration:
        """Return what the inner simulator fits, and the response for the panel's symbols in their order.

        Raises
        ------
        DataError
            As the inner simulator, or a symbol has no response.
        """
        fit = self.inner.calibrate(panel)
        return ImpulseCalibration(
            **{field.name: getattr(fit, field.name) for field in fields(Calibration)},
            inner=fit,
            impulse=self,
            depth=fit.depth + 1 if isinstance(fit, ImpulseCalibration) else 0,
            response=self._by_symbol(self.response, panel.symbols),
            error=self._by_symbol(self.error or (0.0,) * len(self.response), panel.symbols),
            extra=np.square(self.volatility or (1.0,) * len(self.response)) - 1.0,
        )

    def _by_symbol(self, values: ByDay | Errors, symbols: tuple[str, ...]) -> FloatArray:
        """Return values [D, N] for the panel's symbols."""
        array = np.array(values, dtype=np.float64)
        if array.ndim == 1:
            return np.repeat(array[:, None], len(symbols), axis=1)
        if missing := [symbol for symbol in symbols if symbol not in self.symbols]:
            raise DataError(
                f"No response of {missing[0]} is known; those of {', '.join(self.symbols)} are. Study it too, or give "
                "one response for all symbols."
            )
        return np.ascontiguousarray(array[:, [self.symbols.index(symbol) for symbol in symbols]])


def _shape(values: ByDay | Errors) -> tuple[int, ...]:
    lengths = {len(row) if isinstance(row, tuple) else -1 for row in values}
    if len(lengths) != 1:
        raise ValueError("the days of a response have different numbers of symbols")
    (length,) = lengths
    return (len(values),) if length < 0 else (len(values), length)


def background(expected: float, horizon: int, branching: float, memory: float) -> float:
    """Return the shocks a session from outside by which a Hawkes process has `expected` ones over the horizon.

    With kernel branching / memory exp(-t / memory) and none before, it has on average, for each from outside a
    session, H / (1 - b) - b m / (1 - b)² (1 - exp(-(1 - b) H / m)) over H sessions.
    """
    free = 1.0 - branching
    calm = branching * memory / free**2 * -math.expm1(-free * horizon / memory)
    return expected / (horizon / free - calm)


@kernel
def shocks_nb(
    state: Words, counts: NDArray[np.int64], shocks: int, rate: float, branching: float, memory: float
) -> None:
    """Add to each session's count [H] the random shocks of a path: `shocks` different ones, or by rate if above 0.

    With a rate, Ogata's thinning: between shocks the intensity only falls, so what it is now bounds it.
    """
    horizon = len(counts)
    if rate <= 0.0:
        left = shocks
        for t in range(horizon):
            if uniform_nb(state) * (horizon - t) < left:
                counts[t] += 1
                left -= 1
        return
    time, excited = 0.0, 0.0
    while True:
        bound = rate + excited
        wait = exponential_nb(state) / bound
        time += wait
        if time >= horizon:
            return
        excited *= math.exp(-wait / memory)
        if uniform_nb(state) * bound < rate + excited:
            counts[int(time)] += 1
            excited += branching / memory


@kernel
def inject_nb(
    moves: FloatArray,
    states: Words,
    days: NDArray[np.int64],
    doses: FloatArray,
    shocks: int,
    dose: float,
    rate: float,
    branching: float,
    memory: float,
    response: FloatArray,
    error: FloatArray,
    extra: FloatArray,
    mean: FloatArray,
) -> None:
    """Put events into log returns [n, H, N] in place.

    Parameters
    ----------
    moves, states
        The inner log returns, and a stream a path for its events.
    days, doses
        Sessions, from 0, of the events that are set, and their doses [K].
    shocks, dose, rate, branching, memory
        Random shocks as in `shocks_nb`, and the dose of each.
    response, error, extra
        By day since the event [D, N], [D, N] and [D].
    mean
        Log return of a usual session [N], around which volatility is multiplied.
    """
    n, horizon, size = moves.shape
    length = len(response)
    own = np.empty((length, size))
    for i in range(n):
        state = states[i]
        for d in range(length):
            off = normal_nb(state)
            for j in range(size):
                own[d, j] = response[d, j] + off * error[d, j]
        counts = np.zeros(horizon, dtype=np.int64)
        shocks_nb(state, counts, shocks, rate, branching, memory)
        strength = counts * dose
        for k in range(len(days)):
            counts[days[k]] += 1
            strength[days[k]] += doses[k]
        added = np.zeros(horizon)
        for t in range(horizon):
            if counts[t] > 0:
                for d in range(min(length, horizon - t)):
                    added[t + d] += counts[t] * extra[d]
        for t in range(horizon):
            if added[t] != 0.0:
                times = math.sqrt(max(1.0 + added[t], 0.0))
                for j in range(size):
                    moves[i, t, j] = mean[j] + times * (moves[i, t, j] - mean[j])
        for t in range(horizon):
            if strength[t] != 0.0:
                for d in range(min(length, horizon - t)):
                    for j in range(size):
                        moves[i, t + d, j] += strength[t] * own[d, j]
