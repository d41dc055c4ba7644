"""How often the 95 % interval of a calibrated parameter holds the one that the history was made with.

python -m benchmarks.calibration               all laws, 100 histories each
python -m benchmarks.calibration merton garch  some of them
python -m benchmarks.calibration --sets 20 heston
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from quantlib.errors import DataError
from quantlib.simulators.base import Calibration, Estimate, Simulator
from quantlib.simulators.copula import TCopula, TCopulaCalibration, chances
from quantlib.simulators.garch import GARCH, GJRGARCH, GarchCalibration
from quantlib.simulators.garch_fit import GarchFit
from quantlib.simulators.heston import Heston, HestonCalibration
from quantlib.simulators.heston_fit import HestonFit
from quantlib.simulators.learning import described
from quantlib.simulators.margins import Margin, Tail
from quantlib.simulators.merton import Merton, MertonCalibration
from quantlib.simulators.merton_fit import Jumps
from quantlib.simulators.ornstein_uhlenbeck import OrnsteinUhlenbeck, OrnsteinUhlenbeckCalibration, Spread
from quantlib.simulators.regime_switching import RegimeSwitching, RegimeSwitchingCalibration, long_run
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

SEED, SETS = 20, 100
UNKNOWN = float("nan")


class Case(NamedTuple):
    """A law with known parameters, the simulator that should find them again, and how long its histories are.

    `history`, where it is given, makes the closes [sessions + 1, N] of history i; without it the law's own draws do.
    """

    planted: Calibration
    simulator: Simulator
    sessions: int
    history: Callable[[int], FloatArray] | None = None


def common(volatility: float, *, symbols: int = 1) -> dict[str, object]:
    """Return the fields that every calibration has, for symbols of this volatility a year and no mean."""
    names = tuple("ABCDEFGH"[:symbols])
    index = pd.bdate_range("2000-01-03", periods=3)
    panel = Panel.from_frames(pd.DataFrame(100.0, index=index, columns=list(names)))
    return described(panel, panel, np.zeros(symbols), np.eye(symbols) * volatility**2 / 252)


def merton() -> Case:
    """Return 25 jumps a year of 3 % around -1 %, on a diffusion of 16 % a year."""
    jumps = Jumps(0.01, 0.1, -0.01, 0.03, (UNKNOWN,) * 4)
    law = MertonCalibration(**common(0.2), jumps=(jumps,), center=np.zeros(1), root=np.eye(1), together=True)
    return Case(law, Merton(), 2520)


def heston() -> Case:
    """Return an index-like variance: reversion 7.6 and volatility of variance 0.63 a year, leverage -0.6."""
    fit = HestonFit(0.03, 1.6e-4, 2.5e-3, -0.6, (UNKNOWN,) * 4, 1.6e-4)
    law = HestonCalibration(
        **common(0.2), fits=(fit,), growth=np.zeros(1), ahead=np.array([1.6e-4]), root=np.eye(1), substeps=8
    )
    return Case(law, Heston(), 2520)


def garch(gamma: float = 0.0) -> Case:
    """Return a recursion of persistence 0.97 with seven degrees of freedom."""
    fit = GarchFit(3e-6, 0.08 - 0.5 * gamma, gamma, 0.89, 7.0, (UNKNOWN,) * 5, 1e-4, np.zeros(0))
    law = GarchCalibration(
        **common(0.16), fits=(fit,), mean=np.zeros(1), drag=0.0, ahead=np.array([1e-4]), root=np.eye(1)
    )
    return Case(law, GJRGARCH() if gamma else GARCH(), 2520)


def ornstein_uhlenbeck(half_life: float = 15.0) -> Case:
    """Return a spread of 0.8 % a session over a leg it moves with, hedge ratio 0.8."""
    hedge, phi = 0.8, 0.5 ** (1 / half_life)
    level = (1.0 - hedge) * np.log(100.0)
    law = OrnsteinUhlenbeckCalibration(
        **common(0.2, symbols=2),
        mean=3e-4,
        spreads=(Spread(hedge, UNKNOWN, level, UNKNOWN, phi, UNKNOWN, UNKNOWN, UNKNOWN),),
        covariance=np.array([[1.44e-4, 2.9e-5], [2.9e-5, 6.4e-5]]),
        now=np.array([level]),
        fair=False,
    )
    return Case(law, OrnsteinUhlenbeck(evidence="any"), 1260)


def regime_switching() -> Case:
    """Return calm and turbulent stretches of 25 and 12.5 sessions, volatility 0.8 and 2.4 % a session."""
    transition = np.array([[0.96, 0.04], [0.08, 0.92]])
    shape = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    law = RegimeSwitchingCalibration(
        **common(0.2, symbols=3),
        transition=transition,
        transition_error=np.full((2, 2), UNKNOWN),
        today=long_run(transition),
        share=long_run(transition),
        seen=np.ones(2),
        means=np.array([[5e-4] * 3, [-5e-4] * 3]),
        covariances=np.stack([0.008**2 * shape, 0.024**2 * shape]),
        known=np.full((2, 2, 3), UNKNOWN),
    )
    return Case(law, RegimeSwitching(), 2520)


def t_copula() -> Case:
    """Return five degrees of freedom and correlation 0.5 over margins with tails of shape 0.2."""
    tail = Tail(0.024, 0.1, 0.2, 0.006, 100)
    margin = Margin(np.linspace(-0.03, 0.03, 1001), tail, tail)  # as dense at its ends as the tails begin
    law = TCopulaCalibration(
        **common(0.2, symbols=3),
        degrees=5.0,
        degrees_error=UNKNOWN,
        shape=np.full((3, 3), 0.5) + 0.5 * np.eye(3),
        shape_error=np.full((3, 3), UNKNOWN),
        margins=(margin,) * 3,
        tables=np.array([margin.quantile(*chances(5.0))] * 3),
    )
    return Case(law, TCopula(), 1000)


CASES: dict[str, Callable[[], Case]] = {
    "merton": merton,
    "heston": heston,
    "garch": garch,
    "gjr_garch": lambda: garch(0.1),
    "ornstein_uhlenbeck": ornstein_uhlenbeck,
    "regime_switching": regime_switching,
    "t_copula": t_copula,
}


def planted_panel(case: Case, number: int) -> Panel:
    """Return history `number` of a case as a panel."""
    if case.history is not None:
        closes = case.history(number)
    else:
        moves = case.planted.draw(Streams(SEED, number, 1), case.sessions)[0]
        closes = 100.0 * np.exp(np.concatenate([np.zeros((1, moves.shape[1])), moves.cumsum(axis=0)]))
    index = pd.bdate_range("1990-01-01", periods=len(closes))
    return Panel.from_frames(pd.DataFrame(closes, index=index, columns=list(case.planted.symbols)))


def found(name: str, number: int) -> list[Estimate] | str:
    """Return the estimates from one history, or why it was refused."""
    case = CASES[name]()
    try:
        return case.simulator.calibrate(planted_panel(case, number)).estimates()
    except DataError as error:
        return str(error)


def coverage(name: str, sets: int, *, jobs: int = 2) -> list[str]:
    """Return Markdown lines: by parameter its truth, the estimates' mean and spread, mean error and coverage.

    An estimate without an error counts as a miss, and so does a refused history.
    """
    case = CASES[name]()
    results = Parallel(n_jobs=jobs)(delayed(found)(name, i) for i in range(sets))
    good = [r for r in results if not isinstance(r, str)]
    lines = []
    for k, truth in enumerate(case.planted.estimates()):
        values, errors = np.array([[r[k].value, r[k].error] for r in good]).T
        held = int((np.abs(values - truth.value) <= 1.96 * errors).sum())
        lines.append(
            f"| {name} | {truth.name} {truth.symbol} | {truth.value:.4g} | {values.mean():.4g} | {values.std():.2g} "
            f"| {np.nanmean(errors):.2g} | {np.isnan(errors).sum() + sets - len(good)} | {held}/{sets} |"
        )
    return lines


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration")
    parser.add_argument("laws", nargs="*", choices=[[], *CASES], metavar="law", help=", ".join(CASES))
    parser.add_argument("--sets", type=int, default=SETS)
    asked = parser.parse_args(arguments)
    print("| law | parameter | planted | mean estimate | its spread | mean error | no error | in 95 % interval |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for name in asked.laws or CASES:
        print("\n".join(coverage(name, asked.sets)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
