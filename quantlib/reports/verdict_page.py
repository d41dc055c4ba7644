"""A verdict card as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantlib.reports.figures import frozen_figure
from quantlib.reports.render import environment, placed, scripts
from quantlib.reports.verdict_figures import verdict_figures
from quantlib.reports.verdict_types import VerdictCard


def render_verdict(card: VerdictCard, made: Mapping[str, str] | None = None) -> str:
    """Return a card as one self-contained page: the sentence, every check with what would change it, and the figures.

    Parameters
    ----------
    made
        What it was made from, for the foot of the page: names and ids.
    """
    pictures: dict[str, Any] = {}
    charts = [placed(f"v-{name}", frozen_figure(figure), pictures) for name, figure in verdict_figures(card).items()]
    template = environment().get_template("verdict.html.j2")
    return template.render(card=card, charts=charts, made=dict(made or {}), **scripts(pictures))
