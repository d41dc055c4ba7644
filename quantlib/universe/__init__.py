"""The universe: instruments and named, dated lists of them, read from one YAML file."""

from __future__ import annotations

from quantlib.universe.lists import Change, Span, UniverseList
from quantlib.universe.reading import load_universe
from quantlib.universe.universe import ALL, Universe

__all__ = ["ALL", "Change", "Span", "Universe", "UniverseList", "load_universe"]
