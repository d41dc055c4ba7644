"""How real every simulator is: its worlds against real prices, and the card itself against worlds of a known law.

python -m benchmarks.realism               print the tables
python -m benchmarks.realism REALISM.md    and write them there
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from arch.data import sp500
from rich.console import Console
from rich.progress import track
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from quantlib.errors import QuantError
from quantlib.simulators import GBM, SIMULATORS, Simulator
from quantlib.simulators.realism import realism
from quantlib.types import Panel

STOCKS = ("AAPL", "BAC", "CVX", "GE", "JNJ", "JPM", "KO", "MSFT", "PG", "WMT", "XOM")
HISTORIES, SESSIONS = 100, 1000
TO_STDERR = Console(stderr=True)  # so that what is printed can be piped


def stocks() -> Panel:
    """Return the S&P 500 and eleven of its stocks, 1990 to 2022."""
    frames = load_sp500_dataset()[list(STOCKS)], load_sp500_index().set_axis(["S&P 500"], axis=1)
    return Panel.from_frames(pd.concat(frames[::-1], axis=1, join="inner"))


def index() -> Panel:
    """Return the S&P 500 of 1999 to 2018, from another source."""
    close = sp500.load()[["Adj Close"]].astype(float)
    return Panel.from_frames(close.set_axis(["S&P 500"], axis=1))


def judged(family: type[Simulator], panel: Panel) -> tuple[pd.Series, list[str]]:
    """Return a simulator's grades by symbol, the last "overall", and what it says of itself.

    What refuses the whole panel is asked again for each symbol alone, and has no overall grade then.
    """
    grades = pd.Series("–", index=[*panel.symbols, "overall"], name=family.title)
    begin = time.perf_counter()
    try:
        card = realism(family(), panel)
    except QuantError as error:
        notes = [f"- {family.title} refuses them together: {error}"]
        for symbol in panel.symbols if len(panel.symbols) > 1 else ():
            with suppress(QuantError):
                grades[symbol] = realism(family(), panel.select([symbol])).grade
        return grades, notes
    grades.iloc[:] = [*card.grades, card.grade]
    return grades, [f"- {family.title}, {time.perf_counter() - begin:.1f} s. {card.sentence.split(';')[0]}."]


def lines_of(what: str, panel: Panel) -> list[str]:
    """Return the grades of all simulators on a panel as Markdown, and what each says of itself."""
    grades, notes = zip(*(judged(f, panel) for f in track(SIMULATORS.values(), what, console=TO_STDERR)), strict=True)
    card = realism(GBM(), panel)
    span = f"{card.start:%Y-%m-%d} to {card.end:%Y-%m-%d}, {card.sessions:,} sessions, {card.worlds} worlds"
    head = [f"| | {' | '.join(grades[0].index)} |", f"|---|{'---|' * len(grades[0])}"]
    rows = [f"| {row.name} | {' | '.join(row)} |" for row in grades]
    unseen = f"They never saw {', '.join(card.unseen)}."
    return [f"**{what}: {span}.**", "", *head, *rows, "", *(line for note in notes for line in note), "", unseen, ""]


def false_alarms() -> list[str]:
    """Return how often a true law fails: Brownian motion judged on histories of Brownian motion."""
    rng = np.random.default_rng(1)
    dates = pd.bdate_range("2010-01-01", periods=SESSIONS + 1)
    root = np.linalg.cholesky(0.012**2 * (0.6 * np.eye(3) + 0.4)).T
    symbols = panels = measures = 0
    for seed in track(range(HISTORIES), "Histories of Brownian motion", console=TO_STDERR):
        moves = rng.normal(size=(SESSIONS, 3)) @ root + 0.0003
        closes = 100 * np.exp(np.vstack([np.zeros(3), moves.cumsum(axis=0)]))
        card = realism(GBM(), Panel.from_frames(pd.DataFrame(closes, dates, columns=["A", "B", "C"])), seed=seed)
        symbols += int((card.grades != "A").sum())
        panels += card.grade != "A"
        measures += int((~card.table["passed"]).sum())
    return [
        f"**A true law, {HISTORIES} histories of {SESSIONS:,} sessions by Brownian motion, three symbols each.** "
        f"Judged by Brownian motion, {symbols} of {3 * HISTORIES} symbols and {panels} of {HISTORIES} panels "
        f"have a grade below A; {measures} of {len(card.table) * HISTORIES:,} measures fail.",
        "",
    ]


def main(asked: list[str]) -> None:
    """Print the tables, and write them where asked."""
    lines = ["# How real the simulators are", "", *false_alarms()]
    lines += lines_of("Stocks and their index", stocks())
    lines += lines_of("The index alone", index())
    text = "\n".join(lines)
    print(text)
    for path in asked[:1]:
        Path(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
