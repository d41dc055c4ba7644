"""Serve the app, the MLflow UI and JupyterLab, run the worker, and stop all of them together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from quantlib.errors import ConfigError
from quantlib.settings import ROOT, Settings
from quantlib.workflows.tracking import Tracker

START_SECONDS = 90
STOP_SECONDS = 8
RESTART_SECONDS = 5.0
"""Pause before a service that may be restarted is."""


@dataclass(frozen=True)
class Service:
    """A process to run beside others.

    Parameters
    ----------
    name
        What it is called in messages.
    command, environment
        What to run, and variables on top of ours.
    host, port, page
        Where it listens, and the page to open there; port 0 listens nowhere.
    setting
        The variable or option that moves it to another port.
    about
        What there is to say of one that listens nowhere.
    restart
        Whether it is started again where it dies, instead of all others being stopped.
    """

    name: str
    command: Sequence[str]
    host: str = ""
    port: int = 0
    setting: str = ""
    page: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    restart: bool = False

    @property
    def url(self) -> str:
        """Where a browser finds it; what it does where there is nothing to find."""
        if not self.port:
            return self.about
        shown = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound
        return f"http://{shown}:{self.port}{self.page}"


def app_service(settings: Settings, host: str = "127.0.0.1", port: int | None = None) -> Service:
    """Return the Streamlit app as a service."""
    port = port or settings.app_port
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py")]
    command += ["--server.address", host, "--server.port", str(port)]
    return Service("app", command, host, port, "WORKBENCH_APP_PORT")


def mlflow_service(settings: Settings, host: str = "127.0.0.1", port: int | None = None) -> Service:
    """Return the MLflow UI over the runs of the settings as a service.

    Raises
    ------
    ConfigError
        The tracking address is itself a server.
    """
    if settings.tracking_uri.startswith("http"):
        raise ConfigError(f"MLFLOW_TRACKING_URI is a server already: open {settings.tracking_uri} in a browser.")
    port = port or settings.mlflow_port
    settings.artifact_root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", settings.tracking_uri]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    if settings.tracking_uri.startswith("sqlite:"):
        command += ["--default-artifact-root", settings.artifact_root.as_uri()]
    else:
        command += ["--serve-artifacts", "--artifacts-destination", settings.artifact_root.as_uri()]
    # One process without the job runner: two processes instead of fifteen.
    quiet = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
    }
    # Made where it is not there yet, so that two processes do not set a fresh file up at once.
    Tracker(settings.tracking_uri, settings.artifact_root).prepare()
    page = "/#/experiments"
    return Service("MLflow UI", command, host, port, "WORKBENCH_MLFLOW_PORT", page, quiet)


def notebook_service(host: str = "127.0.0.1", port: int = 8888) -> Service:
    """Return JupyterLab on the research notebooks as a service; its token stays on."""
    command = [sys.executable, "-m", "jupyterlab", "--ip", host, "--port", str(port), "--port-retries", "0"]
    command += ["--notebook-dir", str(ROOT / "research"), "--no-browser"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return Service("JupyterLab", command, host, port, "--port", "", {"PLOTLY_RENDERER": "plotly_mimetype+notebook"})


def worker_service(settings: Settings) -> Service:
    """Return the worker as a service: it does jobs, and whoever kills it finds it back."""
    command = [sys.executable, "-m", "quantlib.cli", "worker"]
    about = f"does what is queued and scheduled; its log is {settings.home / 'logs' / 'jobs.log'}"
    return Service("Worker", command, environment={"PYTHONUNBUFFERED": "1"}, about=about, restart=True)


def check_ports(services: Sequence[Service]) -> None:
    """Refuse to start when a port is taken.

    Raises
    ------
    ConfigError
        Names the port, the service that wants it and the way out.
    """
    taken: dict[tuple[str, int], str] = {}
    for service in (one for one in services if one.port):
        if other := taken.get((service.host, service.port)):
            raise ConfigError(
                f"The {other} and the {service.name} both want port {service.port}. Give one another port with "
                f"{service.setting}."
            )
        taken[service.host, service.port] = service.name
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((service.host, service.port))
            except OSError as error:
                way = (
                    f"{service.setting} {service.port + 1}"
                    if service.setting.startswith("--")
                    else f"{service.setting}={service.port + 1}"
                )
                raise ConfigError(
                    f"Port {service.port} on {service.host}, wanted by the {service.name}, cannot be used "
                    f"({error.strerror or error}). Stop what uses it, or choose another with {way}."
                ) from None


def serve(services: Sequence[Service], on_ready: Callable[[Service], None], *, logs: Path | None = None) -> int:
    """Run services until Ctrl-C or until one dies for good, then stop them all; return an exit code.

    Parameters
    ----------
    on_ready
        Called once for each service when it accepts connections; at once for one that listens nowhere.
    logs
        Folder for what the services print, one file each, begun anew; without it they print here.

    Raises
    ------
    ConfigError
        A port is taken, or a service does not start or stops by itself.
    """
    check_ports(services)
    running: dict[int, subprocess.Popen[bytes]] = {}
    where = "see above" if logs is None else f"see {logs}"
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        for n, service in enumerate(services):
            if service.port:
                running[n] = _start(service, logs)
        for n, service in enumerate(services):
            if service.port:
                _wait_until_up(service, running[n], where)
            else:  # nobody waits for it, so it does not slow the others down
                running[n] = _start(service, logs)
            on_ready(service)
        while True:
            time.sleep(0.5)
            for n, service in enumerate(services):
                if (code := running[n].poll()) is None:
                    continue
                if not service.restart:
                    raise ConfigError(f"The {service.name} stopped by itself with exit code {code}; {where}.")
                time.sleep(RESTART_SECONDS)
                running[n] = _start(service, logs, again=True)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(list(running.values()))
        signal.signal(signal.SIGTERM, previous)


def _start(service: Service, logs: Path | None, *, again: bool = False) -> subprocess.Popen[bytes]:
    # Each in a process group of its own: Ctrl-C reaches this process alone, which then stops the groups.
    environment = {**os.environ, **service.environment}
    with _output(service, logs, again=again) as output:
        return subprocess.Popen(  # noqa: S603 - our own commands
            service.command, env=environment, cwd=ROOT, start_new_session=True, stdout=output, stderr=output
        )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _output(service: Service, logs: Path | None, *, again: bool) -> Iterator[IO[bytes] | None]:
    if logs is None:
        yield None
        return
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{service.name.lower().replace(' ', '-')}.log").open("ab" if again else "wb") as file:
        yield file


def _wait_until_up(service: Service, process: subprocess.Popen[bytes], where: str) -> None:
    end = time.monotonic() + START_SECONDS
    host = urlsplit(service.url).hostname or service.host
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ConfigError(f"The {service.name} did not start (exit code {process.returncode}); {where}.")
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex((host, service.port)) == 0:
                return
        time.sleep(0.2)
    raise ConfigError(f"The {service.name} did not answer on {service.url} within {START_SECONDS} seconds.")


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(timeout=max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
