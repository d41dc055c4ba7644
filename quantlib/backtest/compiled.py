"""How the engine is compiled, and where what was compiled is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])

HERE = Path(__file__).parent


def step(function: Function) -> Function:
    """Return a part of the kernel that allocates nothing, compiled into whatever calls it.

    Without counting references to arrays (`_nrt`), which costs ten times as much as all the arithmetic: whatever
    holds the arrays outlives the step.
    """
    compiled: Function = numba.njit(_nrt=False, forceinline=True, nogil=True, error_model="numpy")(function)
    return compiled


def maker(function: Function) -> Function:
    """Return a part of the kernel that allocates arrays."""
    compiled: Function = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def entry(function: Function) -> Function:
    """Return a function that Python calls: compiled once, kept on disk, and run beside other threads.

    numba drops what it has kept when the file of the function changes, but knows nothing of the steps it calls in other
    files. So everything is kept in a folder named after the text of all files that have to do with it.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(Path(before or HERE / "__pycache__") / f"kernel-{_fingerprint()}")
    try:
        compiled: Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for text in (file.read_bytes() for file in sorted(HERE.glob("*.py"))):
        if any(mark in text for mark in (b"@step", b"@maker", b"@entry", b"(NamedTuple)")):
            digest.update(text)
    return digest.hexdigest()[:12]
