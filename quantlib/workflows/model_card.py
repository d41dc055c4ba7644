"""Model cards: what stands behind a model or a strategy and where it ends, on one page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from quantlib.charts.numbers import UNKNOWN, interval
from quantlib.metrics import METRICS
from quantlib.ml import MODELS, TARGETS, ModelResult
from quantlib.ml.drift import DRIFTED
from quantlib.ml.scores import LOSS, gain_interval
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.validation import Verdict
from quantlib.workflows.provenance import code_version

MOST_FEATURES = 10
SHOWN = ("sharpe_ratio", "cagr", "volatility", "max_drawdown", "turnover")


def model_card(
    result: ModelResult, panel: Panel, drift: pd.DataFrame, *, trials: int, hindsight: str = "", holdout: str = ""
) -> str:
    """Return the card of a trained model.

    Parameters
    ----------
    drift
        What `quantlib.ml.drift.drift` says of the last sessions against those it learned from.
    trials
        How many models of the same target have been tried, this one included.
    hindsight
        Why the choice of symbols looks into the future; empty where it does not.
    holdout
        Whether the hold-out was looked at, in a sentence.
    """
    parameters, loss = dict(result.parameters), LOSS[result.kind]
    target = TARGETS[str(parameters["target"])]
    gains = [
        f"- against {name}: {row['gain']:.4g} ({gain_interval(row['low'], row['high'], '.4g')})"
        for name, row in result.gains.iterrows()
    ]
    top = result.importance["importance"].sort_values(ascending=False).head(MOST_FEATURES)
    moved = drift[drift["psi"] >= DRIFTED]
    return _page(
        f"{MODELS[result.model].title}: {target.title}",
        result.verdict,
        {
            "Data": _span(panel),
            "What it learned": [
                f"Target `{parameters['target']}`, features {', '.join(f'`{g.name}`' for g in result.groups)}.",
                ", ".join(f"{key} = {value}" for key, value in sorted(parameters.items())) + ".",
            ],
            "Out of sample": [
                *_folds(result.folds, loss),
                f"Gain in {loss.replace('_', ' ')} over what knows next to nothing (Diebold-Mariano):",
                *gains,
            ],
            "Trials": [
                f"{trials:,} model{'' if trials == 1 else 's'} of this target on record, this one included. It takes "
                "no positions, so there is no Sharpe ratio to deflate; a strategy that uses it has one."
            ],
            "Importance": [
                f"- {name}: {value:.2g}" if pd.notna(value) else f"- {name}: {UNKNOWN}" for name, value in top.items()
            ]
            + ["By how much the loss rises out of sample when the feature is shuffled, mean over folds."],
            "Drift": [
                f"{len(moved)} of {len(drift)} features and predictions of the last year have drifted (population "
                f"stability index {DRIFTED:g} or more against the sessions before)"
                + (
                    f": {', '.join(f'{name} {psi:.2f}' for name, psi in moved['psi'].head(5).items())}."
                    if len(moved)
                    else "."
                )
            ],
            "Limits": [
                *(f"- {sentence}" for sentence in (*result.warnings, hindsight, holdout) if sentence),
                f"- It answers for {len(panel.symbols)} symbols it was trained on, on daily bars, before costs.",
                "- Scores are of the past; what it says of coming sessions comes from the model fitted on all labels.",
            ],
        },
    )


def strategy_card(
    name: str, strategy: Strategy, panel: Panel, metrics: pd.DataFrame, verdict: Verdict, *, hindsight: str = ""
) -> str:
    """Return the card of a strategy by its backtest and the verdict on it."""
    shown = [key for key in SHOWN if key in metrics.index]
    values = metrics.loc[shown, ["value", "ci_low", "ci_high"]].to_numpy(dtype=float).tolist()
    rows = [
        f"- {METRICS[key].title}: {interval(value, low, high, unit=METRICS[key].unit)}"
        for key, (value, low, high) in zip(shown, values, strict=True)
    ]
    deflated = next((check.sentence for check in verdict.checks if check.key == "dsr"), "")
    return _page(
        name,
        verdict.sentence,
        {
            "Data": _span(panel),
            "Definition": [
                f"Family `{strategy.family}`, `{strategy.id}`: {strategy.description}",
                ", ".join(f"{key} = {value}" for key, value in strategy.model_dump(mode="json").items()) + ".",
            ],
            "Record after costs, with 95 % intervals": rows,
            "Checks": [f"- {check.outcome}: {check.title}. {check.sentence}" for check in verdict.checks],
            "Limits": [
                *([f"- {hindsight}"] if hindsight else []),
                *([] if deflated else ["- Not deflated by the number of trials here; `workbench trials` counts them."]),
                f"- Every number is of {panel.index[0]:%Y-%m-%d} to {panel.index[-1]:%Y-%m-%d} alone.",
            ],
        },
    )


def _page(title: str, lead: str, parts: dict[str, Sequence[str]]) -> str:
    lines = [f"# {title}", "", lead]
    for head, body in parts.items():
        lines += ["", f"## {head}", ""]
        for before, line in zip(("", *body), body, strict=False):
            # A list ends where a sentence begins.
            lines += ["", line] if before and before.startswith("- ") != line.startswith("- ") else [line]
    return "\n".join(lines) + "\n"


def _span(panel: Panel) -> list[str]:
    names = ", ".join(panel.symbols[:30]) + (f" and {len(panel.symbols) - 30} more" if len(panel.symbols) > 30 else "")
    return [
        f"{len(panel):,} sessions from {panel.index[0]:%Y-%m-%d} to {panel.index[-1]:%Y-%m-%d} of {names}, from "
        f"{panel.source or 'nowhere named'}, grade {panel.grade}.",
        f"Snapshot `{panel.snapshot_id}`, code {code_version()}.",
    ]


def _folds(folds: pd.DataFrame, loss: str) -> list[str]:
    scores, prior = folds[loss], folds[f"prior_{loss}"]
    better = int((scores < prior).sum())
    quarter, middle, three = scores.quantile([0.25, 0.5, 0.75])
    return [
        f"{len(folds)} folds: {loss.replace('_', ' ')} {middle:.4g} in the middle, {quarter:.4g} to {three:.4g} in the "
        f"middle half, {scores.min():.4g} to {scores.max():.4g} in all; better than the prior in {better} of "
        f"{len(folds)}.",
    ]
