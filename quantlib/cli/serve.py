"""Commands that serve until Ctrl-C: the app, the MLflow UI, the notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quantlib.cli.research import run_and_print
from quantlib.cli.terminal import Host, Port, console, watched

if TYPE_CHECKING:
    from quantlib.workflows.serve import Service


def run_all() -> None:
    """Run the pipeline, then serve the app and the MLflow UI and do jobs until Ctrl-C."""
    from quantlib.settings import get_settings
    from quantlib.workflows import serve

    settings = get_settings()
    services = [serve.app_service(settings)]
    with console.status("Looking whether the ports are free"):
        if not settings.tracking_uri.startswith("http"):
            services.insert(0, serve.mlflow_service(settings))
        serve.check_ports(services)
    warm_up_kernels()
    run_and_print(None)
    _serve([*services, serve.worker_service(settings)], logs=settings.home / "logs")


def warm_up_kernels() -> None:
    """Compile what this version has not compiled here yet, with its progress; say nothing where all of it is there."""
    from quantlib.backtest.warmup import warm_up, warm_up_steps

    steps = warm_up_steps()
    with watched("Looking what has to be compiled") as tell:
        tell(0, len(steps), f"Compiling, once: {steps[0]}")
        for done, (name, seconds) in enumerate(warm_up(), start=1):
            if seconds:
                console.print(f"Compiled once for all runs: {name}, {seconds:.0f} s.")
            tell(done, len(steps), f"Compiling, once: {steps[min(done, len(steps) - 1)]}")


def serve_app(host: Host = "127.0.0.1", port: Port = None) -> None:
    """Serve the Streamlit app alone."""
    from quantlib.settings import get_settings
    from quantlib.workflows import serve

    _serve([serve.app_service(get_settings(), host, port)])


def serve_mlflow(host: Host = "127.0.0.1", port: Port = None) -> None:
    """Serve the MLflow UI on the recorded runs."""
    from quantlib.settings import get_settings
    from quantlib.workflows import serve

    _serve([serve.mlflow_service(get_settings(), host, port)])


def notebook(host: Host = "127.0.0.1", port: Port = None) -> None:
    """Serve JupyterLab on the research notebooks."""
    from quantlib.workflows import serve

    _serve([serve.notebook_service(host, port or 8888)])


def _serve(services: list[Service], *, logs: Path | None = None) -> None:
    from quantlib.workflows import serve

    def ready(service: Service) -> None:
        console.print(f"[bold]{service.name}[/bold]: {service.url}", soft_wrap=True)
        if service is services[-1]:
            console.print("Ctrl-C stops everything.")

    raise typer.Exit(serve.serve(services, ready, logs=logs))
