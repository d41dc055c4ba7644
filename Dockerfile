# One image for the app, the worker, MLflow and Jupyter: docker-compose.yml picks the command.
# Build stage: the same steps as `make setup`, less the development tools.
FROM python:3.12.12-slim-bookworm AS build
ARG UV_VERSION=0.13.8
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1
RUN python -m venv --without-pip /opt/venv \
    && python -m pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
WORKDIR /workbench
COPY pyproject.toml requirements.txt README.md LICENSE ./
# The lock as a constraint: its versions, but only what the package itself asks for. Reused until either file changes.
RUN uv pip install --python /opt/venv/bin/python --constraint requirements.txt --requirement pyproject.toml
COPY quantlib quantlib
RUN uv pip install --python /opt/venv/bin/python --no-deps --editable .

FROM python:3.12.12-slim-bookworm
# The id of the person whose research/ folder Jupyter writes to.
ARG UID=1000
RUN groupadd --gid "${UID}" workbench \
    && useradd --uid "${UID}" --gid "${UID}" --create-home --shell /bin/bash workbench
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GIT_PYTHON_REFRESH=quiet \
    NUMBA_CACHE_DIR=/workbench/data/local/numba
WORKDIR /workbench
COPY --from=build /opt/venv /opt/venv
COPY . .
# The only folder that is written to; a new named volume takes its owner over.
RUN install --directory --owner=workbench --group=workbench --mode=700 data/local
USER workbench
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
# All interfaces of the container; docker-compose.yml publishes it on the host's loopback only.
CMD ["workbench", "app", "--host", "0.0.0.0", "--port", "8501"]
