"""Serving: everything starts, says where it is, and stops together."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from quantlib.errors import ConfigError
from quantlib.settings import Settings
from quantlib.workflows import serve as serving
from quantlib.workflows.serve import (
    Service,
    app_service,
    check_ports,
    mlflow_service,
    notebook_service,
    serve,
    worker_service,
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def web(port: int) -> Service:
    """Return a real small web server as a service."""
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    return Service("web", command, "127.0.0.1", port, "WEB_PORT")


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_every_service_and_ends_well(number: signal.Signals, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import signal, sys
        from quantlib.workflows.serve import Service, serve
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal; a parent may have it ignored
        services = [
            Service("web", [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
                    "127.0.0.1", port, "WEB_PORT", "/page")
            for port in {ports}
        ]
        sys.exit(serve(services, lambda service: print("ready", service.url, flush=True)))
        """)
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said += [line.split()[1]] if line.startswith("ready") else []
        if len(said) == len(ports):
            break
    assert said == [f"http://127.0.0.1:{port}/page" for port in ports]
    assert all(map(listening, ports))
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait(timeout=30) == 0
    process.stdout.close()
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert len(gone) >= 2
    assert not alive
    assert not any(map(listening, ports))


def test_a_service_that_dies_takes_the_others_down_and_is_named() -> None:
    port = free_port()
    short = Service(
        "short", [sys.executable, "-c", SHORT_LIVED, str(other := free_port())], "127.0.0.1", other, "SHORT_PORT"
    )
    started = time.monotonic()
    with pytest.raises(ConfigError, match="The short stopped by itself with exit code 3"):
        serve([web(port), short], lambda _: None)
    assert time.monotonic() - started < 30
    assert not listening(port)


SHORT_LIVED = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    time.sleep(2)
sys.exit(3)
"""


def test_a_service_that_never_starts_is_named() -> None:
    port = free_port()
    broken = Service("broken", [sys.executable, "-c", "raise SystemExit(4)"], "127.0.0.1", port, "PORT")
    with pytest.raises(ConfigError, match=r"The broken did not start \(exit code 4\)"):
        serve([broken], lambda _: None)


def test_what_services_print_goes_to_their_log_where_one_is_wanted(tmp_path: Path) -> None:
    loud = Service(
        "Loud one", [sys.executable, "-c", "raise SystemExit('cannot go on')"], "127.0.0.1", free_port(), "PORT"
    )
    with pytest.raises(ConfigError, match=str(tmp_path / "logs")):
        serve([loud], lambda _: None, logs=tmp_path / "logs")
    assert (tmp_path / "logs" / "loud-one.log").read_text().strip() == "cannot go on"


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Port {port} on 127.0.0.1.*WORKBENCH_APP_PORT={port + 1}"):
            check_ports([app_service(Settings(_env_file=None), port=port)])


def test_one_port_for_two_services_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, app_port=8123, mlflow_port=8123, _env_file=None)
    with pytest.raises(ConfigError, match="The MLflow UI and the app both want port 8123"):
        check_ports([mlflow_service(settings), app_service(settings)])


def test_every_service_listens_on_loopback_unless_told_otherwise(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, _env_file=None)
    for service in (app_service(settings), mlflow_service(settings), notebook_service()):
        assert service.host == "127.0.0.1"
        assert "127.0.0.1" in service.command
        assert service.url.startswith("http://127.0.0.1:")
    assert "/#/experiments" in mlflow_service(settings).url
    assert mlflow_service(settings).environment["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_tracking_server_is_not_served_again(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, mlflow_tracking_uri="http://127.0.0.1:9", _env_file=None)
    with pytest.raises(ConfigError, match=r"is a server already: open http://127\.0\.0\.1:9"):
        mlflow_service(settings)


def test_the_worker_needs_no_port_and_says_where_its_log_is(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, _env_file=None)
    worker = worker_service(settings)
    check_ports([app_service(settings, port=free_port()), worker, worker])
    assert worker.command[-2:] == ["quantlib.cli", "worker"]
    assert str(tmp_path / "logs" / "jobs.log") in worker.url


COUNTING = """
import pathlib, sys, time
with pathlib.Path(sys.argv[1]).open("a") as file:
    file.write("started ")
print("said", flush=True)
time.sleep(float(sys.argv[2]))
"""


def test_a_service_that_may_restart_does_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "RESTART_SECONDS", 0.1)
    port, starts = free_port(), tmp_path / "starts"
    command = [sys.executable, "-c", COUNTING, str(starts), "0"]
    mortal = Service("Mortal", command, about="dies and comes back", restart=True)
    said: list[str] = []

    def ready(service: Service) -> None:
        said.append(service.url)
        if len(said) == 2:
            signal.setitimer(signal.ITIMER_REAL, 4)

    def enough(*_: object) -> None:
        assert listening(port)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, enough)
    try:
        assert serve([mortal, web(port)], ready, logs=tmp_path / "logs") == 0
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert said == ["dies and comes back", f"http://127.0.0.1:{port}"]
    assert starts.read_text().count("started") >= 2
    assert (tmp_path / "logs" / "mortal.log").read_text().count("said") >= 2, (
        "a restart keeps the log of the one before"
    )
    assert not listening(port)
