"""Simulators: a panel's history in, as many panels as wanted out, given a seed."""

from __future__ import annotations

from quantlib.simulators.base import Calibration, Simulator
from quantlib.simulators.gbm import GBM
from quantlib.simulators.stationary_bootstrap import StationaryBootstrap

SIMULATORS: dict[str, type[Simulator]] = {
    "stationary_bootstrap": StationaryBootstrap,
    "gbm": GBM,
}

__all__ = ["GBM", "SIMULATORS", "Calibration", "Simulator", "StationaryBootstrap"]
