"""Scripts on Ray, each in a process of its own: Ray leaves threads, sockets and signal handlers behind."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import pytest
from prepared import ROOT

ON_RAY = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed; it is the extra `distributed`"),
]
# Ray gives a node thirty seconds to start, which no setting changes; a busy machine may take longer. And now and then
# it ends itself by a check of its own when a node dies.
NOT_OURS, TRIES = ("timed out during startup", "likely discovered a bug in Ray"), 3


def said_on_ray(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return what a script prints as JSON; where Ray itself failed it is run again."""
    clean = {name: value for name, value in environment.items() if not name.startswith("RAY_")}
    for _ in range(TRIES):
        # In a folder of its own: what a cluster that crashed has left behind would be taken for one that runs.
        with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
            done = subprocess.run(
                command, env={**clean, "RAY_TMPDIR": folder}, cwd=ROOT, capture_output=True, text=True, timeout=600,
                check=False,
            )  # fmt: skip
        if done.returncode == 0 or not any(words in done.stderr for words in NOT_OURS):
            break
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return found
