from __future__ import annotations

import itertools
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.io as pio
import pytest
from streamlit import config as streamlit_config

from quantlib import charts
from quantlib.charts.theme import (
    BUTTONS,
    DARK,
    LIGHT,
    PALETTES,
    TEMPLATES,
    color_swap,
    fade,
    in_theme,
    plotly_template,
    series_color,
    streamlit_theme,
)
from quantlib.errors import ConfigError
from quantlib.strategies import DAILY
from quantlib.types import Panel

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"

# Machado, Oliveira, Fernandes (2009), severity 1.0, on linear RGB.
SIGHT = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def _linear(color: str) -> np.ndarray:
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _contrast(a: str, b: str) -> float:
    dim, bright = sorted(float(_linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (bright + 0.05) / (dim + 0.05)


def _lab(color: str, sight: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(sight @ _linear(color), 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _apart(a: str, b: str, sight: str) -> float:
    return float(np.linalg.norm(_lab(a, SIGHT[sight]) - _lab(b, SIGHT[sight])))


@pytest.mark.parametrize("mode", PALETTES)
def test_text_is_readable_on_every_background(mode):
    c = PALETTES[mode]
    for ground, text in itertools.product((c.paper, c.surface), (c.ink, c.muted, c.accent, c.gain, c.loss, c.caution)):
        assert _contrast(text, ground) >= 4.5, (text, ground)
    assert all(_contrast(color, c.paper) >= 3.0 for color in c.series)
    assert _contrast("#ffffff", BUTTONS[mode]) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("mode", PALETTES)
def test_colors_stay_apart_for_color_blind_eyes(mode, sight):
    c = PALETTES[mode]
    assert _apart(c.gain, c.loss, sight) >= 50
    assert min(_apart(a, b, sight) for a, b in itertools.combinations(c.series[:3], 2)) >= 20
    assert min(_apart(a, b, sight) for a, b in itertools.combinations(c.series, 2)) >= 15


def test_every_color_of_a_palette_is_its_own_so_that_swapping_is_exact():
    swap = color_swap()
    assert len(swap) == len(asdict(LIGHT)) - 1 + len(LIGHT.series)
    assert len(set(swap.values())) == len(swap)
    assert swap[LIGHT.gain] == DARK.gain


def test_a_strategy_keeps_its_color_and_the_ready_ones_differ():
    assert series_color("My own idea") == series_color("My own idea")
    assert series_color("My own idea") in LIGHT.series
    assert len({series_color(name) for name in DAILY}) == len(DAILY)


def test_fade_writes_the_alpha_as_the_last_two_digits():
    assert fade("#102030", 1.0) == "#102030ff"
    assert fade("#102030", 0.0) == "#10203000"


def test_templates_are_registered_and_have_no_background_of_their_own():
    for mode, name in TEMPLATES.items():
        template = pio.templates[name]
        assert template.layout.paper_bgcolor == template.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert template.layout.font.color == PALETTES[mode].ink
        assert template.layout.to_plotly_json() == plotly_template(mode)["layout"]


def test_in_dark_every_light_color_is_gone_and_the_numbers_stay(stocks: Panel):
    fig = charts.price_line(stocks.tail(300), "KO", {"mean": stocks.tail(300).frame()["KO"].rolling(20).mean()})
    dark = in_theme(fig, "dark")
    text = dark.to_json()
    assert not [color for color in color_swap() if color in text]
    assert DARK.ink in text
    np.testing.assert_array_equal(dark.data[0].y, fig.data[0].y)
    assert dark.layout.meta == fig.layout.meta
    assert dark.layout.height == fig.layout.height
    assert LIGHT.ink in fig.to_json(), "the given figure is left as it was"


def test_dark_reaches_colors_in_lists_scales_shapes_and_labels(stocks: Panel):
    rng = np.random.default_rng(1)
    index = stocks.index[-700:]
    weights = pd.DataFrame(rng.normal(size=(700, 5)), index=index, columns=list("abcde"))
    paths = 1 + rng.normal(0, 0.01, (2000, 22)).cumsum(axis=1)
    dates = pd.DatetimeIndex([index[-1], *stocks.next_sessions(21)])
    made = [
        charts.outcome_histogram({"a": rng.normal(size=5000)}, horizon=21),
        charts.weights_over_time(weights),
        charts.signal_chart(weights[["a"]], {"high": 1.0, "low": -1.0}, 0.2, signal="a"),
        charts.fan_chart(stocks.frame()["KO"], paths / paths[:, :1], dates),
        charts.metric_intervals({"a": (1.0, 0.5, 1.5)}),
    ]
    for fig in made:
        text = in_theme(fig, "dark").to_json()
        assert not [color for color in color_swap() if color in text], fig.layout.meta["title"]


def test_light_and_unknown_modes():
    fig = charts.metric_intervals({"a": (1.0, 0.5, 1.5)})
    assert in_theme(fig, "light") is fig
    assert in_theme(fig, None) is fig
    with pytest.raises(ConfigError, match="There is no theme 'drak'"):
        in_theme(fig, "drak")


def test_exported_figures_cannot_be_sent_to_a_public_server():
    assert charts.PLOTLY_CONFIG["showSendToCloud"] is False
    assert charts.PLOTLY_CONFIG["displaylogo"] is False


def test_streamlit_has_the_same_look():
    settings = tomllib.loads(CONFIG.read_text())
    assert settings["theme"] == streamlit_theme()
    assert "://" not in CONFIG.read_text()


def test_streamlit_is_private_and_every_option_exists():
    settings = tomllib.loads(CONFIG.read_text())
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["server"]["headless"] is True
    assert settings["browser"]["gatherUsageStats"] is False

    def options(table: dict, path: str) -> list[str]:
        nested = [options(v, f"{path}{k}.") if isinstance(v, dict) else [f"{path}{k}"] for k, v in table.items()]
        return list(itertools.chain.from_iterable(nested))

    known = streamlit_config.get_config_options()
    assert [name for name in options(settings, "") if name not in known] == []
