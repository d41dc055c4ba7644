"""The kernel as compiled against the same kernel as written, and the bare accounts against the recorded ones."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from backtest.made_up import MIXED, OPEN, Case, cases
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quantlib.backtest import BacktestResult, equities_of, prepare, run_account
from quantlib.risk import Limits

TESTS = Path(__file__).resolve().parents[1]
QUIET: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
AS_WRITTEN = """
import pickle, sys, warnings
from pathlib import Path
import numba
assert numba.config.DISABLE_JIT
warnings.simplefilter("ignore", RuntimeWarning)  # a compiled division by zero says nothing
from quantlib.backtest.kernel import simulate_nb
assert not hasattr(simulate_nb, "py_func"), "compiled after all"
folder = Path(sys.argv[1])
cases = pickle.loads((folder / "cases").read_bytes())
(folder / "answers").write_bytes(pickle.dumps([case.by_kernel() for case in cases]))
"""


def drawn(n: int, **how: Any) -> list[Case]:
    """Return the first cases of a draw."""
    found: list[Case] = []

    @settings(max_examples=n, **QUIET)
    @given(case=cases(**how))
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


def test_the_compiled_kernel_is_the_one_that_is_written(tmp_path: Path) -> None:
    falling = st.just(Limits(max_gross=3.9, drawdown=0.05, cool_down=3))
    accounts = [*drawn(25), *drawn(25, stops=MIXED, bars=(30, 60)), *drawn(15, limits=falling, bars=(30, 60))]
    (tmp_path / "cases").write_bytes(pickle.dumps(accounts))
    environment = os.environ | {
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
    }
    command = [sys.executable, "-c", AS_WRITTEN, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"drawdown", "loss"} <= {r for case in accounts for r in case.by_kernel().trades["reason"]}
    for case, written in zip(accounts, pickle.loads((tmp_path / "answers").read_bytes()), strict=True):
        compiled = case.by_kernel()
        for name in BacktestResult.__dataclass_fields__:
            ours, theirs = getattr(compiled, name), getattr(written, name)
            if isinstance(ours, pd.DataFrame):
                pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12, atol=1e-12 * case.cash, obj=name)
            elif isinstance(ours, pd.Series):
                pd.testing.assert_series_equal(ours, theirs, rtol=1e-12, atol=1e-12 * case.cash, obj=name)
            else:
                assert ours == theirs, name


@settings(max_examples=60, **QUIET)
@given(case=cases(most_groups=1))
def test_bare_accounts_are_the_recorded_ones_to_the_last_bit(case: Case) -> None:
    result, group = case.by_kernel(), case.groups[0]
    used = list(group.legs or [s for s in group.targets if group.targets[s].ne(0.0).any()])
    how: dict[str, Any] = {
        "stops": group.stops, "linked": group.linked, "limits": case.limits, "cash": case.cash, "lag": case.lag,
        "rebalance": case.rebalance,
    }  # fmt: skip
    bare = equities_of(
        prepare(case.panel, case.costs, case.execution, delisted=case.delisted),
        group.targets[used].to_numpy().T[None],
        np.array([[case.panel.symbols.index(s) for s in used]], dtype=np.int64).reshape(1, -1),
        spread_z=None if group.spread_z is None else group.spread_z[None],
        **how,
    )
    np.testing.assert_array_equal(bare[0], result.equity)
    account = run_account(
        case.panel, group.targets, costs=case.costs, execution=case.execution, delisted=case.delisted,
        spread_z=group.spread_z, legs=group.legs, **how,
    )  # fmt: skip
    np.testing.assert_array_equal(account.equity, result.equity)
    np.testing.assert_array_equal(account.cash, result.cash)
    np.testing.assert_array_equal(account.shares, result.shares)


def test_many_accounts_at_once_are_each_alone() -> None:
    found = [
        case for case in drawn(40, most_groups=1, most_symbols=1, bars=(40, 40), delisted=0) if len(case.panel) == 40
    ]
    case = found[0]
    market = prepare(case.panel, case.costs)
    targets = np.stack([one.groups[0].targets.to_numpy().T for one in found])
    columns = np.zeros((len(found), 1), dtype=np.int64)
    stops = [one.groups[0].stops for one in found]
    z = np.stack([np.full(40, np.nan) if one.groups[0].spread_z is None else one.groups[0].spread_z for one in found])
    together = equities_of(market, targets, columns, stops=stops, spread_z=z, limits=OPEN)
    for a in range(len(found)):
        one = slice(a, a + 1)
        alone = equities_of(market, targets[one], columns[one], stops=stops[a], spread_z=z[one], limits=OPEN)
        np.testing.assert_array_equal(together[a], alone[0])
    assert len(np.unique(together[:, -1])) > 10
