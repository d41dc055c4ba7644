"""How kernels are compiled, and how long what was compiled is kept."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import numba
import numpy as np
from numba.core.caching import IndexDataCacheFile
from numba.extending import is_jitted

Function = TypeVar("Function", bound=Callable[..., Any])

#: What numba freezes into the code that names it.
CONSTANTS = (bool, int, float, str, np.generic, np.dtype)


def step(function: Function) -> Function:
    """Return a part of a kernel that allocates nothing, compiled into whatever calls it.

    Without counting references to arrays (`_nrt`), which costs ten times as much as all the arithmetic: whatever
    holds the arrays outlives the step.
    """
    compiled: Function = numba.njit(_nrt=False, forceinline=True, nogil=True, error_model="numpy")(function)
    return compiled


def maker(function: Function) -> Function:
    """Return a part of a kernel that allocates arrays."""
    compiled: Function = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


@overload
def kernel(function: Function) -> Function: ...
@overload
def kernel(
    *, error_model: Literal["python", "numpy"] = "python", forceinline: bool = False
) -> Callable[[Function], Function]: ...
def kernel(function: Any = None, **options: Any) -> Any:
    """Return a function that Python and other kernels call: compiled once, kept on disk, and run beside other threads.

    numba drops what it has kept when the file of the function changes, but knows nothing of the files of what it calls.
    Here it is dropped when anything changes that may have gone into it, and only then.

    Parameters
    ----------
    error_model
        "python" raises where something is divided by zero, "numpy" gives infinity or NaN, and is quicker.
    forceinline
        Whether it becomes a part of the kernels that call it.
    """
    if function is None:
        return partial(kernel, **options)
    compiled: Any = numba.njit(cache=True, nogil=True, **options)(function)
    if is_jitted(compiled):  # not where numba is switched off
        _keep(compiled)
    return compiled


def _keep(compiled: Any) -> None:
    """Keep what is compiled in files named after what it was compiled from, and remove those of an earlier text.

    Processes may do so at once, also beside one that still runs the earlier text: what it misses it compiles again.
    """
    place, stamp = compiled._cache._impl.filename_base, _fingerprint(compiled.py_func.__globals__)
    folder, base = Path(compiled._cache.cache_path), f"{place}.{stamp}"
    compiled._cache._cache_file = IndexDataCacheFile(str(folder), base, stamp)
    if not (folder / f"{base}.nbi").exists():
        name, python = place.rsplit("-", 1)[0], place.rsplit(".", 1)[1]
        for kept in folder.glob(f"{name}-*.{python}.*nb[ic]"):  # the line of the function stands between them
            if not kept.name.startswith(base):
                kept.unlink(missing_ok=True)


def _fingerprint(names: dict[str, Any]) -> str:
    """Return a hash of what functions of a module are compiled from, given what the module knows.

    That is its text, the text of modules that its kernels and named tuples come from, and of those theirs come from,
    and the constants that each of them knows: they may come from anywhere.
    """
    digest, modules = hashlib.sha256(), [names]
    for known in modules:
        digest.update(_text(known["__file__"]))
        for name, value in known.items():
            if is_jitted(value) or (isinstance(value, type) and issubclass(value, tuple)):
                home = vars(sys.modules[value.__module__])
                if "__file__" in home and not any(home is other for other in modules):
                    modules.append(home)
            elif _is_constant(value):
                digest.update(f"{name}={value!r};".encode())
    return digest.hexdigest()[:12]


def _is_constant(value: object) -> bool:
    return isinstance(value, CONSTANTS) or (isinstance(value, tuple) and all(map(_is_constant, value)))


@cache
def _text(file: str) -> bytes:
    return Path(file).read_bytes()
