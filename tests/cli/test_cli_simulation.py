"""`workbench scenarios`, `workbench stress` and `workbench simulate` as their user meets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantlib.charts.numbers import percent, signed_percent
from quantlib.cli.stress import share_of
from quantlib.errors import DataError
from quantlib.simulators import GBM
from quantlib.store import Store, read_panel, read_runs
from quantlib.strategies import Group
from quantlib.strategies.document import to_yaml

Run = Callable[..., tuple[int, str, str]]
FALL = """
schema_version: 1
id: fall
title: Coke falls
kind: hypothetical
story: Coke falls by a fifth in five even steps.
source: Own assumption.
sessions: 5
shocks:
  - {asset: KO, change: -0.2}
"""


@pytest.fixture
def loaded(workbench: Run) -> Run:
    """Return `workbench` with three stocks in its store."""
    symbols = [part for symbol in ("KO", "MSFT", "PEP") for part in ("--symbol", symbol)]
    assert workbench("ingest", "--source", "sample", *symbols, "--start", "2018-01-01")[0] == 0
    return workbench


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return a basket with a trailing stop and a scenario, as files."""
    held = Group(kind="basket", legs=("KO", "MSFT"), timing={"kind": "hold"}, stops={"trailing": 0.1, "reentry": 5})
    strategy, scenario = tmp_path / "held.yaml", tmp_path / "fall.yaml"
    strategy.write_text(to_yaml(held, "Held", "Because it may."), encoding="utf-8")
    scenario.write_text(FALL, encoding="utf-8")
    return str(strategy), str(scenario)


def cells(out: str, first: str) -> list[str]:
    """Return the cells of the table's row that begins with a word."""
    (row,) = [line for line in out.splitlines() if line.startswith(f"│ {first} ")]
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_scenarios_are_listed_by_the_id_to_type(workbench: Run) -> None:
    code, out, err = workbench("scenarios")
    assert (code, err) == (0, "")
    ids = {path.stem for path in (Path(__file__).parents[2] / "data" / "scenarios").glob("*.yaml")}
    assert len(ids) >= 20
    assert all(f"│ {one} " in out for one in ids)
    assert cells(out, "crash-1987")[1:] == ["Black Monday 1987", "historical", "4", "equities -28.5 %"]
    assert cells(out, "everything-at-once")[-1].endswith("volatilities x 2, every correlation 1.00, liquidity x 0.5")


def test_a_scenario_is_shown_for_every_stored_symbol(loaded: Run, store: Store, files: tuple[str, str]) -> None:
    code, out, err = loaded("scenarios", files[1])
    assert (code, err) == (0, "")
    assert out.startswith("Coke falls by a fifth in five even steps.\n")
    assert "sample ending 2022-12-28" in out
    assert cells(out, "KO")[1:5] == ["-20.0 %", "–", "named", "1.00"]
    moves = np.diff(np.log(read_panel(store, ["KO", "PEP"], source="sample").complete().close), axis=0)
    covariance = np.cov(moves, rowvar=False)
    beta = covariance[0, 1] / covariance[0, 0]
    assert cells(out, "PEP")[1] == signed_percent(np.expm1(beta * np.log(0.8)))
    assert cells(out, "PEP")[4] == f"{np.corrcoef(moves.T)[0, 1] ** 2:.2f}"
    code, out, err = loaded("scenarios", "oil-plus-50")
    assert (code, out) == (2, "")
    assert "Load USO" in err


def test_strategies_go_through_scenarios_with_their_stops(loaded: Run, files: tuple[str, str], tmp_path: Path) -> None:
    strategy, fall = files
    out_file = tmp_path / "outcomes.csv"
    asked = ("stress", strategy, "--scenario", fall, "--scenario", "oil-plus-50", "--out", str(out_file))
    code, out, err = loaded(*asked)
    assert (code, err) == (0, "")
    assert out.lstrip().startswith("Held fares worst in Coke falls: ")
    assert "Left out: Nothing of Oil +50 % can be seen here." in out
    assert out.endswith(f"{out_file}\n")
    (row,) = pd.read_csv(out_file).to_dict("records")
    assert cells(out, "Held") == [
        "Held", "Coke falls", signed_percent(row["return"]), signed_percent(row["hold"]),
        percent(row["max_drawdown"]), f"trailing on session {row['session']:.0f}",
    ]  # fmt: skip
    assert row["hold"] < row["return"] < -0.03, "the stop saves something of the fall"
    before = out_file.read_bytes()
    code, out, err = loaded(*asked)
    assert (code, out) == (2, "")
    assert "exists already" in err
    assert out_file.read_bytes() == before


def test_the_way_to_a_loss_loses_that_much(loaded: Run, files: tuple[str, str], tmp_path: Path) -> None:
    out_file = tmp_path / "way.csv"
    code, out, err = loaded("stress", files[0], "--loss", "10%", "--sessions", "10", "--out", str(out_file))
    assert (code, err) == (0, "")
    assert out.startswith("The smallest move that costs what Held holds now 10.0 % in 10 sessions is ")
    written = pd.read_csv(out_file)
    table = written[written["found"] == "smallest move"]
    assert list(table["symbol"]) == ["KO", "MSFT"]
    assert float((table["weight"] * table["shock"]).sum()) == pytest.approx(-0.1, abs=1e-9)
    assert cells(out, "KO")[2] == signed_percent(table["shock"].iloc[0])
    further = loaded("stress", files[0], "--loss", "0.2", "--sessions", "10")[1]
    assert "20.0 % in 10 sessions" in further


def test_the_likeliest_worlds_that_cost_so_much_are_listed_with_their_grade(
    loaded: Run, files: tuple[str, str], tmp_path: Path
) -> None:
    out_file = tmp_path / "worlds.csv"
    asked = ("stress", files[0], "--loss", "5%", "--sessions", "10")
    code, out, err = loaded(*asked, "--out", str(out_file))
    assert (code, err) == (0, "")
    (said,) = [line for line in out.splitlines() if line.startswith("With its stops Held loses 5.0 % within 10")]
    assert "of 2,000 worlds of Stationary bootstrap (" in said
    written = pd.read_csv(out_file)
    worlds = written[written["found"] != "smallest move"]
    assert len(worlds) == 20, "ten worlds of two symbols"
    assert (worlds["loss"] >= 0.05).all()
    assert worlds["distance"].is_monotonic_increasing
    (letter,) = set(worlds["grade"])
    assert f"Grade {letter}: " in out
    number = worlds["found"].iloc[0].rpartition(" ")[2]
    (row,) = [line for line in out.splitlines() if line.startswith("│ ") and line.split()[1] == number]
    assert f" {percent(worlds['loss'].iloc[0])} " in row
    first = worlds[worlds["found"] == worlds["found"].iloc[0]].set_index("symbol")["shock"]
    assert all(f"{symbol} {signed_percent(move)}" in row for symbol, move in first.items())
    fallen = loaded(*asked, "--drawdown")[1]
    assert "With its stops Held falls 5.0 % below its highest within 10 sessions in " in fallen
    far = loaded("stress", files[0], "--loss", "50%", "--sessions", "10")[1]
    assert far.startswith("The smallest move that costs what Held holds now 50.0 %")
    assert "Held, in simulated worlds: None of 2,000 worlds loses 50.0%" in far
    code, out, err = loaded("stress", files[0], "--loss", "95%", "--sessions", "10")
    assert (code, out) == (2, "")
    assert "which no price can do" in err
    assert "None of 2,000 worlds loses 95.0%" in err


def test_a_price_is_simulated_by_each_simulator(loaded: Run, store: Store, tmp_path: Path) -> None:
    out_file = tmp_path / "worlds.csv"
    size = ("--worlds", "50", "--sessions", "5", "--seed", "3")
    code, out, err = loaded("simulate", "KO", "--simulator", "gbm", "--simulator", "circular_bootstrap", *size,
                            "--out", str(out_file))  # fmt: skip
    assert (code, err) == (0, "")
    table = pd.read_csv(out_file)
    assert table.groupby("simulator").size().tolist() == [50, 50]
    panel = read_panel(store, ["KO"], source="sample")
    returns = GBM().closes(panel, n=50, horizon=5, seed=3)[:, -1, 0] / panel.close[-1, 0] - 1.0
    mine = table[table["simulator"] == GBM.title]
    assert mine["return"].to_numpy() == pytest.approx(returns, abs=1e-12)
    assert out.lstrip().startswith(f"KO makes {signed_percent(returns.mean())} (")
    assert f"loses in {percent((returns < 0).mean())} of them." in out.lstrip().splitlines()[0]
    assert cells(out, "Geometric Brownian motion")[3] == signed_percent(returns.mean())
    assert "Circular" in out
    assert "grade" in out
    assert not read_runs(store, kind="simulation"), "a price's worlds are not stored"


def test_a_strategy_is_simulated_and_stored(loaded: Run, store: Store, files: tuple[str, str], tmp_path: Path) -> None:
    out_file = tmp_path / "worlds.csv"
    code, out, err = loaded("simulate", files[0], "--worlds", "20", "--sessions", "5", "--out", str(out_file))
    assert (code, err) == (0, "")
    assert "Holding its symbols" in out
    runs = read_runs(store, kind="simulation")
    assert {run.params["simulator"] for run in runs} == {"stationary_bootstrap", "gbm"}
    table = pd.read_csv(out_file)
    assert list(table.columns) == ["simulator", "grade", "world", "return", "max_drawdown", "hold"]
    (grade,) = set(table.loc[table["simulator"] == GBM.title, "grade"])
    shown = [line.split("│")[2].strip() for line in out.splitlines() if line.startswith(f"│ {GBM.title} ")]
    assert shown == [grade, grade], "of the strategy and of holding"
    assert table.groupby("simulator")["return"].mean().to_list() == pytest.approx(
        [run.metrics["expected_value"] for run in sorted(runs, key=lambda one: one.params["simulator"])]
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("scenarios", "covid"), "There is no scenario 'covid'. Did you mean covid-2020?"),
        (("scenarios", "gone.yaml"), "gone.yaml cannot be read"),
        (("stress", "Coke against Pepsy"), "Did you mean Coke against Pepsi?"),
        (("stress", "RSI-2", "RSI-2"), "RSI-2 is given twice"),
        (("stress", "RSI-2", "--scenario", "crash-1987", "--scenario", "Black Monday 1987"), "1987 is given twice"),
        (("stress", "RSI-2", "--sessions", "5"), "--sessions goes with --loss"),
        (("stress", "RSI-2", "--drawdown"), "--drawdown goes with --loss"),
        (("stress", "RSI-2", "--loss", "10%", "--worlds", "5"), "Leave --scenario, --worlds and --seed out"),
        (("stress", "RSI-2", "--loss", "10"), "Write 10% for a percentage"),
        (("stress", "RSI-2", "--loss", "much"), "--loss much is no number"),
        (("simulate", "KO", "--simulator", "gmb"), "There is no simulator 'gmb'. Did you mean gbm?"),
        (("simulate", "KO", "--out", "no/where.csv"), "there is no folder no"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(workbench: Run, given: tuple[str, ...], said: str) -> None:
    code, out, err = workbench(*given)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_name_that_is_neither_strategy_nor_symbol_gets_the_nearest(loaded: Run) -> None:
    code, _, err = loaded("simulate", "MSTF")
    assert (code, err) == (2, "Error: There is no definition and no stored symbol 'MSTF'. Did you mean MSFT?\n")
    code, _, err = loaded("simulate", "KO", "--worlds", "30000")
    assert code == 2
    assert "Worlds: input should be less than or equal to 20000" in err


def test_shares_are_read_with_a_percent_sign_and_without() -> None:
    assert [share_of(text) for text in ("10%", "10 %", "0.1")] == pytest.approx([0.1] * 3)
    for text in ("0%", "-5%", "100%", "nan", "1.5"):
        with pytest.raises(DataError, match="above 0% and below 100%"):
            share_of(text)
