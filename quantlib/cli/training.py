"""Training a model from the command line: `workbench train`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from quantlib.cli.terminal import Idea, opened, print_lines, print_table, watched

if TYPE_CHECKING:
    from quantlib.workflows.learn import TrainedModel

Listed = Annotated[
    list[str], typer.Option("--symbols", metavar="KO,PEP", help="What to learn from, with commas between; may recur.")
]
Features = Annotated[
    str, typer.Option(metavar="own,calendar", help="Groups of features, keys of FEATURES with commas between.")
]
Macro = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CPIAUCSL,VIXCLS",
        help="Macro series to learn from too, as released; they bring the group macro; may recur.",
    ),
]


def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the model is registered under.")],
    symbols: Listed,
    model: Annotated[str, typer.Option(help="What learns, a key of MODELS.")] = "logistic",
    target: Annotated[str, typer.Option(help="What is foretold, a key of TARGETS.")] = "direction",
    features: Features = "own,calendar",
    scheme: Annotated[
        str, typer.Option(help="How history is cut, a key of SCHEMES; only a walk_forward can be promoted.")
    ] = "walk_forward",
    horizon: Annotated[int, typer.Option(help="Sessions a label looks ahead.", min=1)] = 5,
    every: Annotated[
        int | None, typer.Option(help="Train on every so many-th session; by default by the horizon.", min=1)
    ] = None,
    tune: Annotated[int, typer.Option(metavar="N", help="Sets of parameters to try before; each counts.", min=0)] = 0,
    worlds: Annotated[
        str | None, typer.Option(metavar="SIMULATOR", help="Learn from worlds beside history, a key of SIMULATORS.")
    ] = None,
    calibrate: Annotated[str | None, typer.Option(help="Put probabilities right: isotonic or sigmoid.")] = None,
    macro: Macro = None,
    side: Annotated[
        str | None, typer.Option(metavar="STRATEGY", help="Whose trades a meta_label judges, by its name.")
    ] = None,
    idea: Idea = None,
    open_holdout: Annotated[
        bool, typer.Option("--open-holdout", help="Use the hold-out too; that is counted.")
    ] = False,
) -> None:
    """Train a model before the hold-out; it is scored out of sample, counted, logged to MLflow and registered."""
    from quantlib.workflows.learn import train_model
    from quantlib.workflows.training import Training

    given = {
        "model": model, "target": target, "features": _split([features]), "scheme": scheme, "horizon": horizon,
        "every": every, "tune": tune, "worlds": worlds, "calibrate": calibrate, "macro": _split(macro or ()),
        "side": side,
    }  # fmt: skip
    asked = Training.checked(**given)  # before a database is opened for what cannot be done
    with opened(idea) as session, watched(f"Training {name}") as tell:
        made = train_model(
            session, _split(symbols), name=name, model=asked.model, target=asked.target, features=asked.features,
            scheme=asked.scheme, horizon=asked.horizon, every=asked.every, tune=asked.tune, worlds=asked.worlds,
            calibrate=asked.calibrate, macro=asked.macro, side=asked.side, open_holdout=open_holdout,
            on_progress=tell,
        )  # fmt: skip
    _print(made)


def _split(texts: Iterable[str]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _print(made: TrainedModel) -> None:
    from quantlib.charts.numbers import UNKNOWN, known

    version, said = made.version, made.foretold
    latest = said.latest.sort_values(ascending=False)
    rows = [(str(symbol), UNKNOWN if known(value) is None else f"{value:.4g}") for symbol, value in latest.items()]
    print_table(f"{version.name} as of {said.as_of}", ("symbol", "says"), rows, right=("says",))
    moved = said.drift[said.drift["word"] == "drifted"]
    worst = f", {', '.join(map(str, moved.index[:3]))} most" if len(moved) else ""
    print_lines(
        [
            made.verdict,
            *made.warnings,
            f"{len(moved)} of {len(said.drift)} features and predictions of the last year have drifted from what it "
            f"learned from{worst}.",
            f"Version {version.version} of {version.name} is the candidate, kept as {made.run_id}. "
            "`workbench promote` asks the gate; the Models page shows the rest.",
        ]
    )
