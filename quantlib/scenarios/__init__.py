"""Scenarios: shocks written down, completed for every symbol, lived through as worlds, and asked in reverse."""

from __future__ import annotations

from quantlib.scenarios.completion import Completed, complete
from quantlib.scenarios.factors import FACTORS, Factor, see
from quantlib.scenarios.gaussian import Conditional, condition
from quantlib.scenarios.learning import Estimation, learn
from quantlib.scenarios.reading import faults, make_scenario, parse_scenario, read_scenarios, to_yaml, write_fields
from quantlib.scenarios.reverse import ReverseStress, likeliest_worlds, reverse_stress, smallest_shock
from quantlib.scenarios.scenario import Law, Scenario, Shock, Window
from quantlib.scenarios.world import completed_worlds, scenario_costs, scenario_worlds

__all__ = [
    "FACTORS",
    "Completed",
    "Conditional",
    "Estimation",
    "Factor",
    "Law",
    "ReverseStress",
    "Scenario",
    "Shock",
    "Window",
    "complete",
    "completed_worlds",
    "condition",
    "faults",
    "learn",
    "likeliest_worlds",
    "make_scenario",
    "parse_scenario",
    "read_scenarios",
    "reverse_stress",
    "scenario_costs",
    "scenario_worlds",
    "see",
    "smallest_shock",
    "to_yaml",
    "write_fields",
]
