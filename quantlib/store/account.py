"""Whom the embedded server runs as: ourselves, or as root a user without rights, since PostgreSQL refuses root."""

from __future__ import annotations

import getpass
import os
import pwd
import stat
import subprocess
from pathlib import Path
from typing import TypedDict

from quantlib.errors import ConfigError

SYSTEM_USER = "pgserver"


class Account(TypedDict, total=False):
    """A user as arguments of `subprocess.run`; empty means ourselves."""

    user: int
    group: int
    extra_groups: list[int]


def server_account(folder: Path) -> Account:
    """Return whom to run the server of a data folder as.

    As a normal user that is oneself. As root it is the owner of the folder, and for a new folder the system
    user `pgserver`, which is made where it does not exist.

    Raises
    ------
    ConfigError
        The folder belongs to someone else, or the system user cannot be made.
    """
    owner = folder.stat().st_uid if folder.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise ConfigError(
                f"The database folder {folder} belongs to user {owner}, not to {getpass.getuser()}. "
                "Run as that user, choose another WORKBENCH_HOME, or set DATABASE_URL."
            )
        return {}
    entry = _system_user() if not owner else pwd.getpwuid(owner)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  fixed command
    except (OSError, subprocess.CalledProcessError):
        raise ConfigError(
            f"As root the database needs a system user {SYSTEM_USER}, and useradd could not make it. "
            "Run as a normal user, or set DATABASE_URL."
        ) from None
    return pwd.getpwnam(SYSTEM_USER)


def open_ways(folder: Path, install: Path) -> None:
    """Let other users pass (not list) the folders above both paths, and run what is in `install`.

    Only root's server needs it. It is repeated at every start, since others may close a folder again.
    """
    for above in {*folder.parents, *install.parents}:
        mode = stat.S_IMODE(above.stat().st_mode)
        if not mode & stat.S_IXOTH:
            above.chmod(mode | stat.S_IXOTH)
    if not (install / "bin" / "postgres").stat().st_mode & stat.S_IXOTH:  # made under a strict umask
        for path in (install, *install.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
