"""Simulators: a panel's history in, as many panels as wanted out, given a seed."""

from __future__ import annotations

from quantlib.simulators.base import Calibration, Simulator
from quantlib.simulators.bootstraps import BlockBootstrap, CircularBootstrap, StationaryBootstrap
from quantlib.simulators.copula import TCopula
from quantlib.simulators.factor_bootstrap import FactorBootstrap
from quantlib.simulators.filtered_historical import FilteredHistorical
from quantlib.simulators.garch import GARCH, GJRGARCH
from quantlib.simulators.gbm import GBM
from quantlib.simulators.heston import Heston
from quantlib.simulators.merton import Merton
from quantlib.simulators.ornstein_uhlenbeck import OrnsteinUhlenbeck
from quantlib.simulators.regime_bootstrap import RegimeBootstrap
from quantlib.simulators.regime_switching import RegimeSwitching

SIMULATORS: dict[str, type[Simulator]] = {
    "stationary_bootstrap": StationaryBootstrap,
    "circular_bootstrap": CircularBootstrap,
    "block_bootstrap": BlockBootstrap,
    "regime_bootstrap": RegimeBootstrap,
    "factor_bootstrap": FactorBootstrap,
    "gbm": GBM,
    "merton": Merton,
    "heston": Heston,
    "garch": GARCH,
    "gjr_garch": GJRGARCH,
    "filtered_historical": FilteredHistorical,
    "regime_switching": RegimeSwitching,
    "t_copula": TCopula,
    "ornstein_uhlenbeck": OrnsteinUhlenbeck,
}

#: Asked beside each other every day: the past's own days, and the textbook.
USUAL = ("stationary_bootstrap", "gbm")

__all__ = ["GBM", "SIMULATORS", "USUAL", "Calibration", "Simulator", "StationaryBootstrap"]
