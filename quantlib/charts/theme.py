"""The one look of app, notebooks and report: colours, type and the two plotly templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal
from zlib import crc32

import plotly.graph_objects as go
import plotly.io as pio

from quantlib.errors import ConfigError, nearest

Mode = Literal["light", "dark"]

# What the reader's own system offers: nothing is fetched, and every listed face has tabular figures.
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace"

# The share button of plotly uploads to a public server; every figure we show or export goes without it.
PLOTLY_CONFIG: dict[str, Any] = {
    "showSendToCloud": False,
    "displaylogo": False,
    "displayModeBar": "hover",
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}


@dataclass(frozen=True)
class Palette:
    """The colours of one mode, by the part they play; every value is distinct within a palette.

    Gain and loss are a teal and a vermilion: they stay far apart for every common form of colour blindness,
    and never carry a meaning without a sign, an arrow or a position beside them.
    """

    paper: str
    surface: str
    ink: str
    muted: str
    grid: str
    border: str
    accent: str
    gain: str
    loss: str
    caution: str
    series: tuple[str, ...]


LIGHT = Palette(
    paper="#ffffff",
    surface="#f4f6f8",
    ink="#1a2430",
    muted="#5a6675",
    grid="#e7ebef",
    border="#d5dbe2",
    accent="#2c4a6e",
    gain="#0a7a8c",
    loss="#c2410c",
    caution="#8a5a00",
    series=("#3d4db8", "#b9801a", "#93308a", "#458fe3", "#d8588f", "#6a4318"),
)
DARK = Palette(
    paper="#10151c",
    surface="#18202a",
    ink="#e6ebf1",
    muted="#9aa7b6",
    grid="#222c38",
    border="#2f3b49",
    accent="#9cc0ea",
    gain="#45b8c9",
    loss="#f98b54",
    caution="#e8b95a",
    series=("#7f90f5", "#e2b04c", "#c9609f", "#a5d3ff", "#ffc0d6", "#9a7444"),
)
PALETTES: dict[Mode, Palette] = {"light": LIGHT, "dark": DARK}
# Streamlit writes white on its primary buttons, so the dark one is deeper than the accent.
BUTTONS: dict[Mode, str] = {"light": LIGHT.accent, "dark": "#4577ae"}
TEMPLATES: dict[Mode, str] = {"light": "workbench_light", "dark": "workbench_dark"}

# The strategies that come with the workbench never share a colour; any other name finds its own by its letters.
_FIXED = {"Large-cap trend": 0, "Coke against Pepsi": 1, "Factor ETF switch": 2}


def series_color(name: str) -> str:
    """Return the colour of a strategy, light mode; a function of the name alone, so it is the same everywhere.

    Examples
    --------
    >>> series_color("Large-cap trend") == LIGHT.series[0]
    True
    """
    return LIGHT.series[_FIXED.get(name, crc32(name.encode()) % len(LIGHT.series))]


def fade(color: str, alpha: float) -> str:
    """Return a `#rrggbb` colour made translucent, as `#rrggbbaa`.

    Examples
    --------
    >>> fade("#0a7a8c", 0.5)
    '#0a7a8c80'
    """
    return f"{color}{round(alpha * 255):02x}"


def _colors(palette: Palette) -> list[str]:
    values = asdict(palette)
    return [*values.pop("series"), *values.values()]


def color_swap() -> dict[str, str]:
    """Return the dark twin of every light colour, by which a figure drawn for light turns dark."""
    return dict(zip(_colors(LIGHT), _colors(DARK), strict=True))


def plotly_template(mode: Mode) -> dict[str, Any]:
    """Return the plotly template of a mode as a plain dictionary.

    Backgrounds are transparent, so a figure takes the colour of the page it stands on.
    """
    c = PALETTES[mode]
    axis = {
        "automargin": True,
        "separatethousands": True,
        "gridcolor": c.grid,
        "linecolor": c.border,
        "zerolinecolor": c.border,
        "zerolinewidth": 1,
        "tickcolor": c.border,
        "tickfont": {"size": 12, "color": c.muted},
        "title": {"font": {"size": 12, "color": c.muted}, "standoff": 8},
    }
    clear = "rgba(0,0,0,0)"
    bar = {"tickfont": {"size": 11, "color": c.muted}, "title": {"font": {"size": 12, "color": c.muted}}}
    return {
        "data": {"heatmap": [{"type": "heatmap", "colorbar": bar}]},
        "layout": {
            "font": {"family": FONT, "size": 13, "color": c.ink},
            "paper_bgcolor": clear,
            "plot_bgcolor": clear,
            "colorway": list(c.series),
            "title": {
                "font": {"size": 15, "color": c.ink, "weight": 600},
                "subtitle": {"font": {"size": 12, "color": c.muted, "weight": 400}},
                "x": 0,
                "xref": "container",
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "pad": {"t": 6, "l": 2},
            },
            "margin": {"l": 8, "r": 8, "t": 64, "b": 8},
            "xaxis": {**axis, "showgrid": False, "ticks": "outside", "ticklen": 4, "showline": True},
            "yaxis": {**axis, "showline": False},
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.0,
                "yanchor": "bottom",
                "font": {"size": 12, "color": c.muted},
                "bgcolor": clear,
            },
            "hovermode": "x unified",
            "hoverlabel": {
                "bgcolor": c.surface,
                "bordercolor": c.border,
                "font": {"family": FONT, "size": 12, "color": c.ink},
            },
            "annotationdefaults": {"font": {"size": 12, "color": c.muted}, "showarrow": False},
            "modebar": {"bgcolor": clear, "color": c.muted, "activecolor": c.ink},
            "dragmode": "zoom",
        },
    }


for _mode, _name in TEMPLATES.items():
    pio.templates[_name] = go.layout.Template(plotly_template(_mode))


def _swapped(node: Any, swap: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        twin = swap.get(node[:7])
        return node if twin is None else twin + node[7:]
    if isinstance(node, dict):
        return {key: _swapped(value, swap) for key, value in node.items()}
    if isinstance(node, list | tuple) and len(node) <= 256:  # colours, scales and shapes; longer lists are data
        return [_swapped(value, swap) for value in node]
    return node


def in_theme(fig: go.Figure, mode: str | None) -> go.Figure:
    """Return a figure in the colours of a mode; figures are drawn for light, and light ones come back as is.

    Parameters
    ----------
    fig
        A figure made by this room.
    mode
        "light", "dark" or None for light; what a Streamlit page reads from `st.context.theme.type`.

    Raises
    ------
    ConfigError
        The mode is neither of the two.
    """
    if mode in {None, "light"}:
        return fig
    if mode != "dark":
        raise ConfigError(f"There is no theme {mode!r}. {nearest(str(mode), PALETTES)}")
    swap = color_swap()
    layout = fig.layout.to_plotly_json()
    del layout["template"]
    out = go.Figure(
        data=[_swapped(trace.to_plotly_json(), swap) for trace in fig.data],
        layout=_swapped(layout, swap),
    )
    out.layout.template = TEMPLATES["dark"]
    return out


def streamlit_theme() -> dict[str, Any]:
    """Return the `[theme]` table of `.streamlit/config.toml`; a test keeps the file equal to it.

    Streamlit colours a rising metric with its green and a falling one with its red: both are set to ours.
    """

    def colors(mode: Mode) -> dict[str, Any]:
        c = PALETTES[mode]
        return {
            "primaryColor": BUTTONS[mode],
            "backgroundColor": c.paper,
            "secondaryBackgroundColor": c.surface,
            "textColor": c.ink,
            "linkColor": c.accent,
            "borderColor": c.border,
            "dataframeBorderColor": c.grid,
            "dataframeHeaderBackgroundColor": c.surface,
            "greenColor": c.gain,
            "greenTextColor": c.gain,
            "redColor": c.loss,
            "redTextColor": c.loss,
            "orangeColor": c.caution,
            "orangeTextColor": c.caution,
            "yellowColor": c.caution,
            "yellowTextColor": c.caution,
            "blueColor": c.accent,
            "blueTextColor": c.accent,
            "grayColor": c.muted,
            "grayTextColor": c.muted,
            "chartCategoricalColors": list(c.series),
            "sidebar": {"backgroundColor": c.surface, "secondaryBackgroundColor": c.paper},
        }

    return {
        "font": FONT,
        "headingFont": FONT,
        "codeFont": MONO,
        "baseFontSize": 15,
        "baseRadius": "0.375rem",
        "headingFontSizes": ["1.75rem", "1.35rem", "1.1rem", "1rem", "0.95rem", "0.9rem"],
        "headingFontWeights": [650, 600, 600, 600, 600, 600],
        "metricValueFontSize": "1.6rem",
        "metricValueFontWeight": 600,
        "showSidebarBorder": True,
        "paddingTop": "1rem",
        "paddingBottom": "3rem",
        "light": colors("light"),
        "dark": colors("dark"),
    }
