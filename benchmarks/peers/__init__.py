"""Other backtest engines, in an environment of their own: what they answer and how long they take.

They are never imported here. `run_peer` starts `peer.py` with the interpreter of `.venv-peers`, which it makes from
`requirements.txt` beside this file; the two sides speak through files in a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quantlib.types import FloatArray, Panel

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
VENV = HERE.parents[1] / ".venv-peers"


class PeersMissingError(RuntimeError):
    """The peers' environment cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class PeerAnswer:
    """What the peers found, and how long they took.

    Parameters
    ----------
    seconds
        Best time by contestant, such as "vectorbt" and "vectorbt, simulation only".
    arrays
        By "contestant.what": of the task "equity" `vectorbt.equity` and `backtesting.equity` [pair, T, N]; of "sweep"
        `vectorbt.total_return`, `vectorbt.sharpe_ratio` and `vectorbt.max_drawdown` [pair, N].
    versions
        Of Python and of the peers.
    """

    seconds: Mapping[str, float]
    arrays: Mapping[str, FloatArray]
    versions: Mapping[str, str]


def write_task(folder: Path, panel: Panel, *, decided: FloatArray | None = None, **parameters: Any) -> None:
    """Write what a peer reads.

    Parameters
    ----------
    folder
        Where to; made if missing.
    panel
        Prices of symbols that are each an account of their own.
    decided
        For the task "equity": 1 where a close decides to be long, else 0, [account kind, T, N]. For "shared": what to
        do at each close, NaN for nothing [1, T, N].
    parameters
        The rest, as in `Parameters` of `peer.py`: pairs, per_side, cash, fill, loss, trailing, rounds, kind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    more = {} if decided is None else {"decided": decided}
    np.savez(
        folder / "panel.npz",
        days=panel.index.to_numpy().astype("datetime64[D]").astype(np.int64),
        open=panel.open,
        high=panel.high,
        low=panel.low,
        close=panel.close,
        **more,
    )
    (folder / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")


def run_peer(task: str, folder: Path, *, environment: Path = VENV) -> PeerAnswer:
    """Return what the peers answer to a task that `write_task` wrote into the folder.

    Parameters
    ----------
    task
        "equity": the account of every pair and symbol, by all peers. "shared": one account over all symbols, by
        vectorbt. "sweep": the metrics, by vectorbt, timed.
    folder
        Where the task is, and where `answer.npz` and `answer.json` are written.
    environment
        Where the peers are installed; made if missing.

    Raises
    ------
    PeersMissingError
        They are not there and cannot be installed.
    subprocess.CalledProcessError
        The peer failed; its message is on standard error.
    """
    python = prepared(environment)
    subprocess.run([python, HERE / "peer.py", task, folder], check=True, env={**os.environ, "TQDM_DISABLE": "1"})
    with np.load(folder / "answer.npz") as file:
        arrays = dict(file)
    said = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return PeerAnswer(said["seconds"], arrays, said["versions"])


def prepared(environment: Path = VENV) -> Path:
    """Return the interpreter of the peers' environment, after making it where it is missing or out of date."""
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = environment / ".ready"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted and python.exists():
        return python
    print(f"Making the peers' environment {environment} from {REQUIREMENTS.name}, once ...", flush=True)
    uv = Path(sys.executable).with_name("uv")
    quick = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--requirements", REQUIREMENTS]
    plain = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS]
    try:
        venv.create(environment, clear=True, with_pip=not uv.exists())
        subprocess.run(quick if uv.exists() else plain, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PeersMissingError(
            f"The peers to race against cannot be installed into {environment}: {error}. They come from the Python "
            "package index, so this needs a network the first time. Everything else works without them."
        ) from error
    ready.write_text(wanted, encoding="utf-8")
    return python
