"""`workbench db copy`, `backup` and `restore` as the operator meets them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from quantlib.store import Store, check_bars, embedded, write_bars
from quantlib.store.transfer import checksums
from quantlib.types import BAR_COLUMNS, Panel

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def workbench(monkeypatch: pytest.MonkeyPatch, invoke: Run) -> Run:
    """Return a function that runs `workbench` in a home folder: exit code, output, errors."""

    def run(home: Path, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("WORKBENCH_HOME", str(home))
        return invoke(*arguments)

    return run


@pytest.fixture
def homes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Return two folders with embedded servers of their own, stopped after the test."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    # Not under pytest's own folder: every pytest session of root closes that to the server's account.
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        made = [Path(folder).resolve() / name for name in ("one", "two")]
        yield made
        for home in made:
            embedded.stop(home)


def test_backup_restore_and_copy_end_with_the_same_checksums(
    workbench: Run, homes: list[Path], small: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = homes
    wide = small.frame("close").rename_axis(index="ts", columns="symbol")
    bars = wide.reset_index().melt("ts", value_name="close").assign(source="sample").reindex(columns=list(BAR_COLUMNS))
    with Store.connect(None, one) as store:
        write_bars(store, check_bars(bars)[0])
        wanted = checksums(store)

    code, out, _ = workbench(one, "db", "backup")
    assert code == 0
    [file] = (one / "backups").iterdir()
    assert "1,503 rows saved to" in out
    assert file.name in out
    checksum = wanted.set_index("table").loc["market_data.bars", "checksum"]
    assert checksum in out

    code, out, _ = workbench(two, "db", "restore", str(file))
    assert (code, "Counts and checksums of all tables are the same." in out) == (0, True)
    with Store.connect(None, two) as store:
        pd.testing.assert_frame_equal(checksums(store), wanted)
    assert "Nothing to do" in workbench(two, "db", "restore", str(file))[1]
    assert checksum in workbench(two, "db", "info", "--tables")[1]

    status = embedded.status(two)
    assert status.url is not None
    monkeypatch.setenv("TARGET_DATABASE_URL", status.url)
    code, out, _ = workbench(one, "db", "copy")
    assert (code, "holds exactly these 1,503 rows already" in out) == (0, True)
    with Store.connect(None, one) as store:
        write_bars(store, check_bars(bars.assign(source="again"))[0])
    code, _, err = workbench(one, "db", "copy", "--to", status.url)
    assert code == 2
    assert "Error: The target is not empty: its market_data.bar_series has 3 instead of 6." in err

    file.write_bytes(file.read_bytes()[:-100])
    code, _, err = workbench(two, "db", "restore", str(file))
    assert (code, "Nothing was written. Use another backup." in err) == (2, True)
    code, _, err = workbench(one, "db", "copy", "--to", "")
    assert (code, err.startswith("Error: --to is empty.")) == (2, True)
