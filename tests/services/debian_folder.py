"""A small Debian in a folder, with a server package in it: made once by debootstrap, then entered with chroot.

The mirror is the one in this machine's own apt sources. Only the standard library is imported, so that any Python
runs it before the project is set up.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quant-workbench"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
QUIET = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}

Entry = tuple[str, list[str], list[str]]


class ServiceError(Exception):
    """The server cannot be had; the message says why and what to do."""


def say(text: str) -> None:
    """Tell the person at the terminal; standard output belongs to the command that runs."""
    sys.stderr.write(f"timescaledb: {text}\n")
    sys.stderr.flush()


def one_line_entries(text: str) -> Iterator[Entry]:
    """Yield (address, suites, components) of each `deb` line of a one-line-style apt source file."""
    for line in text.splitlines():
        if match := re.match(r"\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line):
            yield match[1], [match[2]], match[3].split()


def stanza_entries(text: str) -> Iterator[Entry]:
    """Yield (address, suites, components) of each enabled binary stanza of a deb822-style apt source file."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        found = re.findall(r"^(\S+?):((?:.*)(?:\n[ \t]+.*)*)", stanza, flags=re.MULTILINE)
        fields = {name.lower(): value.split() for name, value in found}
        enabled = [word.lower() for word in fields.get("enabled", ["yes"])] in (["yes"], ["true"], ["on"], ["1"])
        if enabled and "deb" in fields.get("types", []):
            for address in fields.get("uris", []):
                yield address, fields.get("suites", []), fields.get("components", [])


def choose_mirror(entries: Iterable[Entry], codename: str) -> str:
    """Return the address that serves this machine's own release: a full mirror, so the next release is there too."""
    for address, suites, components in entries:
        readable = address.startswith(("http://", "https://", "file:", "copy:"))
        if readable and codename in suites and "main" in components:
            return address
    raise ServiceError(
        f"No apt source of this machine serves {codename} main, so there is no Debian mirror to build from. "
        "A Debian machine is needed, or a TimescaleDB server elsewhere: set TEST_DATABASE_URL to it and run pytest."
    )


def machine_mirror(etc: Path = Path("/etc")) -> str:
    """Return the Debian mirror in this machine's apt sources, in either of their two forms."""
    release = etc / "os-release"
    text = release.read_text() if release.is_file() else ""
    codename = re.search(r'^VERSION_CODENAME="?(\w+)', text, flags=re.MULTILINE)
    entries: list[Entry] = []
    for file in [etc / "apt/sources.list", *sorted((etc / "apt").glob("sources.list.d/*"))]:
        if file.is_file() and file.suffix in {".list", ".sources"}:
            read = stanza_entries if file.suffix == ".sources" else one_line_entries
            entries += read(file.read_text())
    return choose_mirror(entries, codename[1] if codename else "Debian")


@contextmanager
def locked(file: Path) -> Iterator[IO[str]]:
    """Hold a lock on a file, waiting for whoever has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def remove(folder: Path) -> None:
    """Remove a folder, never what is mounted into it: an interrupted debootstrap can leave /proc there."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed([m for m in mounts if m.startswith(f"{folder}/")]):
        subprocess.run(["umount", mount], check=True)
    subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True)


def _install_debootstrap() -> None:
    say("installing debootstrap")
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "debootstrap"]):
        done = subprocess.run(
            ["apt-get", *words], check=False, env=QUIET, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        if done.returncode:
            raise ServiceError(f"apt-get {' '.join(words)} failed. Install debootstrap by hand and try again.")


def debian_folder(name: str, *, suite: str, packages: Sequence[str]) -> Path:
    """Return the folder with that release and those packages in it, made now if there is none: 45 s, 700 MB, once."""
    target = CACHE / name
    if os.geteuid():
        raise ServiceError(
            "Root is needed to build and enter the server's folder. Run it with sudo, or set TEST_DATABASE_URL to a "
            "TimescaleDB server that is there already and run pytest."
        )
    if target.is_dir():
        return target
    with locked(CACHE / "build.lock"):
        if target.is_dir():  # another builder was faster
            return target
        for left in CACHE.glob("building-*"):
            remove(left)
        if not shutil.which("debootstrap", path=PATH):
            _install_debootstrap()
        mirror = machine_mirror()
        say(f"building {target}")
        started = time.monotonic()
        folder, log = Path(tempfile.mkdtemp(prefix="building-", dir=CACHE)), CACHE / "build.log"
        folder.chmod(0o755)
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, str(folder), mirror]
        with log.open("w") as output:
            done = subprocess.run(
                command, check=False, env=QUIET, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        if done.returncode:
            remove(folder)
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise ServiceError(f"debootstrap failed; the end of {log}:\n{tail}")
        for package in (folder / "var/cache/apt/archives").glob("*.deb"):
            package.unlink()
        folder.rename(target)  # whole or not there: a half-built one is never used
        say(f"built in {time.monotonic() - started:.0f} s")
    return target
