"""The warm-up of `make run`: seen while it works, silent where there is nothing to do, and before the pipeline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer

from quantlib.backtest import warmup
from quantlib.cli import serve
from quantlib.workflows import serve as servers


def test_what_was_compiled_is_told_once_and_what_was_on_disk_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spent = {"backtest": 21.4, "sweeps": 0.0, "accounts": 3.2}
    monkeypatch.setattr(warmup, "warm_up_steps", lambda: tuple(spent))
    monkeypatch.setattr(warmup, "warm_up", lambda: iter(spent.items()))
    serve.warm_up_kernels()
    told = [line.strip() for line in capsys.readouterr().out.splitlines() if "Compiled" in line]
    assert told == ["Compiled once for all runs: backtest, 21 s.", "Compiled once for all runs: accounts, 3 s."]
    monkeypatch.setattr(warmup, "warm_up", lambda: iter(dict.fromkeys(spent, 0.0).items()))
    serve.warm_up_kernels()
    assert "Compiled" not in capsys.readouterr().out


def test_a_run_warms_up_before_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def warm_up() -> Iterator[tuple[str, float]]:
        done.append("warm-up")
        yield "backtest", 0.0

    def stop(*_: object, **__: object) -> None:
        raise typer.Exit(0)

    monkeypatch.setattr(warmup, "warm_up", warm_up)
    monkeypatch.setattr(servers, "check_ports", lambda services: done.append("ports"))
    monkeypatch.setattr(serve, "run_and_print", lambda as_of: done.append("pipeline"))
    monkeypatch.setattr(serve, "_serve", stop)
    with pytest.raises(typer.Exit):
        serve.run_all()
    assert done == ["ports", "warm-up", "pipeline"]
