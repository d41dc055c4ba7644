"""The model zoo beside its yardsticks on the real sample, and whether learning from simulated worlds helped.

python -m benchmarks.model_zoo           all three tables
python -m benchmarks.model_zoo zoo       the zoo alone; also: worlds, chance

Twenty US stocks, daily adjusted closes, 1990 to 2022; every tenth session counts, in training and in test, which
keeps it to about five minutes on two cores. The stocks are today's survivors, so levels flatter; differences between
models asked about the same rows do so less.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np
from joblib import Parallel, delayed
from skfolio.datasets import load_sp500_dataset
from sklearn.metrics import roc_auc_score

from quantlib.ml import (
    MODELS,
    CombinatorialPurged,
    Examples,
    ModelResult,
    PurgedKFold,
    WalkForward,
    build_examples,
    evaluate,
)
from quantlib.ml.schemes import Scheme
from quantlib.ml.scores import LOSS
from quantlib.ml.simulated import Use, Worlds
from quantlib.ml.simulated_gain import compare_with_worlds
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.types import Panel

SEED, EVERY = 7, 10
GROUPS = ("own", "indicators", "cross_section", "calendar", "worlds")
TARGETS = {"direction": 5, "triple_barrier": 21, "forward_return": 21, "volatility": 21, "regime": 21}
#: In fortnights, as every tenth session is kept: eight years to learn from first, six between fits.
SCHEMES: dict[str, Scheme] = {
    "purged 5-fold": PurgedKFold(5, embargo=3),
    "walk-forward": WalkForward(train=200, test=150),
}


def sample() -> Panel:
    """Return the sample's 20 stocks."""
    return Panel.from_frames(load_sp500_dataset(), source="sample")


def sampled(panel: Panel, target: str) -> Examples:
    """Return a target's examples, every tenth session."""
    return build_examples(panel, target, features=GROUPS, horizon=TARGETS[target]).thinned(EVERY)


def able(kind: str) -> list[str]:
    """Return the models that do this kind of target."""
    return [
        name
        for name, model in MODELS.items()
        if (model.classifier if kind == "classification" else model.regressor) is not None
    ]


def row(target: str, scheme: str, result: ModelResult) -> str:
    """Return a line of the table."""
    loss = result.scores[LOSS[result.kind]]
    skill = "auc" if result.kind == "classification" else "rank_correlation"
    low, high = (f"{end / loss[result.yardstick]:+.2%}" for end in (result.gain_low, result.gain_high))
    word = "beats it" if result.has_edge else "worse" if result.gain_high < 0 else "no difference beyond chance"
    if MODELS[result.model].baseline:
        word = "is the yardstick" if result.yardstick == result.model else "worse"
    return (
        f"| {target} | {scheme} | {MODELS[result.model].title} | {loss['model']:.5g} | {result.yardstick} "
        f"{loss[result.yardstick]:.5g} | {result.gain / loss[result.yardstick]:+.2%} ({low} … {high}) "
        f"| {result.scores[skill]['model']:.3f} | {word} |"
    )


def judged(examples: Examples, target: str, scheme: str, model: str) -> str:
    """Return a line for one model under one scheme; every kept session is learned from."""
    return row(target, scheme, evaluate(examples, model, scheme=SCHEMES[scheme], every=1, importance=False, seed=SEED))


def zoo(panel: Panel) -> Iterator[str]:
    """Yield the table of every model that can do a target, under both schemes."""
    yield "| target | scheme | model | loss | yardstick | gain, of the yardstick's loss (95 %) | AUC or rank corr. | |"
    yield "|---|---|---|---:|---:|---:|---:|---|"
    for target in TARGETS:
        examples = sampled(panel, target)
        work = [(scheme, model) for scheme in SCHEMES for model in able(examples.kind)]
        yield from Parallel(n_jobs=2)(delayed(judged)(examples, target, scheme, model) for scheme, model in work)


def worlds(panel: Panel) -> Iterator[str]:
    """Yield what learning from worlds made of a linear model and of boosting, walking forward."""
    groups = ("own", "calendar")
    yield "| target | model | taught by | loss | gain over history alone, of its loss (95 %) | |"
    yield "|---|---|---|---:|---:|---|"
    laws = {"bootstrap": StationaryBootstrap(), "gbm": GBM()}
    uses: tuple[Use, ...] = ("augment", "pretrain", "worlds")
    chosen = [Worlds(simulator=laws["bootstrap"], use=use) for use in uses]
    other = [Worlds(simulator=laws["gbm"])]
    cases = [
        ("direction", "logistic", "bootstrap", chosen),
        ("direction", "gradient_boosting", "bootstrap", chosen),
        ("volatility", "gradient_boosting", "bootstrap", chosen),
        ("direction", "gradient_boosting", "gbm", other),
        ("volatility", "gradient_boosting", "gbm", other),
    ]
    for target, model, law, tried in cases:
        examples = build_examples(panel, target, features=groups, horizon=TARGETS[target]).thinned(EVERY)
        scheme = WalkForward(train=200, test=200)
        found = compare_with_worlds(panel, examples, model, worlds=tried, scheme=scheme, every=1, seed=SEED)
        base = found.table["loss"]["history"]
        for name, line in found.table.iterrows():
            start = f"| {target} | {MODELS[model].title} |"
            if name == "history":
                yield f"{start} history | {line['loss']:.5g} | | |"
                continue
            gain, low, high = (f"{line[key] / base:+.2%}" for key in ("gain", "low", "high"))
            word = "helped" if line["low"] > 0 else "hurt" if line["high"] < 0 else "no difference beyond chance"
            yield f"{start} {name}, {law} | {line['loss']:.5g} | {gain} ({low} … {high}) | {word} |"


def chance(panel: Panel, *, seeds: int = 20) -> Iterator[str]:
    """Yield what models score in each scheme on labels dealt out at random: the AUC should be one half."""
    examples = build_examples(panel, features=("own",)).thinned(EVERY)
    schemes: dict[str, Scheme] = {
        "walk-forward": WalkForward(train=130, test=130),
        "purged 5-fold": PurgedKFold(5, embargo=3),
        "combinatorial 6 choose 2": CombinatorialPurged(6, 2, embargo=3),
    }
    yield "| scheme | model | mean AUC of shuffles | its error | claimed an edge |"
    yield "|---|---|---:|---:|---:|"
    for title, scheme in schemes.items():
        for model in ("logistic", "gradient_boosting"):
            results = [
                evaluate(examples.shuffled(seed), model, scheme=scheme, every=1, importance=False, seed=seed)
                for seed in range(seeds if model == "logistic" else seeds // 4)
            ]
            scores = [
                np.mean([roc_auc_score(f["label"], f["prediction"]) for _, f in r.predictions.groupby("fold")])
                for r in results
            ]
            error = np.std(scores, ddof=1) / np.sqrt(len(scores))
            claimed = sum(r.has_edge for r in results)
            yield f"| {title} | {model} | {np.mean(scores):.4f} | {error:.4f} | {claimed}/{len(results)} |"


PARTS = {"zoo": zoo, "worlds": worlds, "chance": chance}


def main(asked: list[str]) -> None:
    """Print the tables."""
    if unknown := set(asked).difference(PARTS):
        raise SystemExit(f"There is no table {min(unknown)!r}. Choose from {', '.join(PARTS)}.")
    panel = sample()
    for name in asked or PARTS:
        begin = time.perf_counter()
        for line in PARTS[name](panel):
            print(line, flush=True)
        print(f"\n{name}: {time.perf_counter() - begin:.0f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
