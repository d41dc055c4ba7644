"""Run the races, print their tables and write them to RESULTS.md beside this file.

python -m benchmarks            all of them
python -m benchmarks store      those of one theme or more; what the file says of the others stays
python -m benchmarks agreement  no race: where our accounts and the peers' are the same
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks import backtests, cluster, indicators, ledger, store, stress, sweeps, worlds
from benchmarks.peers import agreement
from benchmarks.race import Race

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("numpy", "pandas", "numba", "pyarrow", "sqlalchemy", "TA-Lib", "ta")


def lines_of(race: Race) -> list[str]:
    """Return a race as Markdown: who, how long, how much a second, and the time as a multiple of ours."""
    ours = next(iter(race.seconds.values()))
    rows = [
        f"| {name} | {seconds * 1e3:,.2f} | {race.units / seconds:,.2f} | {seconds / ours:,.3g} |"
        for name, seconds in race.seconds.items()
    ]
    head = [f"| | ms | {race.unit} a second | time, first line = 1 |", "|---|---:|---:|---:|"]
    return [f"**{race.work}.**", "", *head, *rows, "", race.note, ""]


def raced(races: Callable[[], list[Race]]) -> Callable[[], list[str]]:
    """Return what runs races and writes them as Markdown."""
    return lambda: [line for race in races() for line in lines_of(race)]


THEMES: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "agreement": ("Agreement with other engines", agreement.lines),
    "backtests": ("Backtests", raced(backtests.races)),
    "sweeps": ("Sweeps", raced(sweeps.races)),
    "ray": ("Sweeps on a Ray cluster", raced(cluster.races)),
    "worlds": ("Simulated worlds", raced(worlds.races)),
    "stress": ("Strategies in worlds", raced(stress.races)),
    "ledger": ("The trial ledger", ledger.lines),
    "store": ("The database", raced(store.races)),
    "indicators": ("Indicators", raced(indicators.races)),
}


def sections(text: str) -> dict[str, str]:
    """Return the parts of a former result by their headings."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def main(asked: list[str]) -> None:
    """Run, print and write."""
    begin = time.perf_counter()
    if unknown := set(asked).difference(THEMES):
        raise SystemExit(f"There is no theme {min(unknown)!r}. Choose from {', '.join(THEMES)}.")
    about = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    head = [
        "# Speeds beside a peer",
        "",
        "Written by `make bench`; run it to get the numbers of your machine. Contestants of a table run in turn in the "
        "same minutes, after one round to warm up, and the best of several rounds counts. Before the race it is "
        "checked that their answers agree. Ratios carry over to another machine, milliseconds do not.",
        "",
        f"Python {platform.python_version()}, {about}; {os.cpu_count()} cores, {platform.machine()}.",
        "",
    ]
    print("\n".join(head))
    former = sections(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    parts = {}
    for name, (title, told) in THEMES.items():
        if asked and name not in asked:
            parts[title] = former.get(title, "")
            continue
        lines = told()
        print("\n".join([f"## {title}", "", *lines]))
        parts[title] = "\n".join(["", *lines])
    body = "\n".join(f"## {title}\n{text.rstrip()}\n" for title, text in parts.items() if text)
    RESULTS.write_text("\n".join(head) + "\n" + body, encoding="utf-8")
    print(f"{RESULTS.name} written in {time.perf_counter() - begin:.0f} s.")


if __name__ == "__main__":
    main(sys.argv[1:])
