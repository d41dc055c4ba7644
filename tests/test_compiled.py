"""What was compiled holds exactly as long as all that it was compiled from, also in other files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = "from typing import NamedTuple\nfrom quantlib.compiled import kernel, step\n"
#: Kernels of one room, each with one thing in another.
FILES = {
    "draws.py": "@kernel(forceinline=True)\ndef draw_nb(x):\n    return x + 1.0\n",
    "middle.py": "from other.deeper import twice_nb\n@step\ndef middle_nb(x):\n    return twice_nb(x)\n",
    "deeper.py": "@step\ndef twice_nb(x):\n    return 2.0 * x\n",
    "numbers.py": "STEP = 3.0\n",
    "sizes.py": "class Size(NamedTuple):\n    wide: float\n    high: float\n",
}
LAWS = {
    "calls": "from other.draws import draw_nb\n@kernel\ndef law_nb(x, size):\n    return draw_nb(x)\n",
    "deep": "from other.middle import middle_nb\n@kernel\ndef law_nb(x, size):\n    return middle_nb(x)\n",
    "names": "from other.numbers import STEP\n@kernel\ndef law_nb(x, size):\n    return x + STEP\n",
    "takes": "from other.sizes import Size\n@kernel\ndef law_nb(x, size):\n    return size.wide - size.high\n",
    "alone": "@kernel\ndef law_nb(x, size):\n    return 0.0 + x\n",
    "moved": "@kernel\ndef law_nb(x, size):\n    return 1.0 + x\n",
}
ASK = """
import importlib, json, sys
from other.sizes import Size
laws = {name: importlib.import_module(f"laws.{name}").law_nb for name in sys.argv[1:]}
said = {name: law(10.0, Size(wide=7.0, high=2.0)) for name, law in laws.items()}
print(json.dumps([said, [name for name, law in laws.items() if not law.stats.cache_hits]]))
"""


def ask(folder: Path) -> subprocess.Popen[str]:
    """Start a process that says what every law gives, and which of them it had to compile."""
    return subprocess.Popen(
        [sys.executable, "-B", "-c", ASK, *LAWS], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def answer(running: subprocess.Popen[str]) -> tuple[dict[str, float], list[str]]:
    out, wrong = running.communicate()
    assert running.returncode == 0, wrong
    said, compiled = json.loads(out)
    return said, compiled


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.nb[ic]"))


def test_a_change_in_any_file_that_went_into_it_gives_the_new_result_in_new_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    other, laws = tmp_path / "other", tmp_path / "laws"
    other.mkdir(), laws.mkdir()
    for name, text in FILES.items():
        (other / name).write_text(HEAD + text)
    for name, text in LAWS.items():
        (laws / f"{name}.py").write_text(HEAD + text)
    said = {"calls": 11.0, "deep": 20.0, "names": 13.0, "takes": 5.0, "alone": 10.0, "moved": 11.0}
    assert answer(ask(tmp_path)) == (said, list(LAWS))
    before = kept(tmp_path)

    for name, old, new in [
        ("draws", "x + 1.0", "x + 2.0"),
        ("deeper", "2.0", "5.0"),
        ("numbers", "3.0", "4.0"),
        ("sizes", "wide: float\n    high: float", "high: float\n    wide: float"),
    ]:
        file = other / f"{name}.py"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
    (laws / "moved.py").write_text("\n\n" + HEAD + LAWS["moved"])
    (laws / "alone.py").touch()
    changed = said | {"calls": 12.0, "deep": 50.0, "names": 14.0}
    at_once = [ask(tmp_path), ask(tmp_path)]
    for running in at_once:
        now, compiled = answer(running)
        assert now == changed
        assert "alone" not in compiled
    # What changed replaced what was there before; only the law by itself was kept.
    assert answer(ask(tmp_path)) == (changed, [])
    after = kept(tmp_path)
    assert len(after) == len(before)
    assert [name for name in after if name in before] == [name for name in after if name.startswith("alone.")]
