# One image for every process of leadbus: `docker run IMAGE gateway`, `... consumer analysis`, `... api`.
# It holds no secrets and no tenants: both are mounted or named by LEADBUS_* variables where it runs.

FROM python:3.11-slim AS build
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
# The dependencies are a layer of their own: a change of our code does not load them again.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --extra server --no-install-project
COPY schemas schemas
COPY rules rules
COPY connectors connectors
COPY gateway gateway
COPY consumers consumers
COPY ops ops
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --extra server --no-editable

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/leadbus --shell /usr/sbin/nologin leadbus \
    && install -d -o leadbus -g leadbus /var/lib/leadbus /var/lib/leadbus/objects
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/leadbus
USER 10001
ENTRYPOINT ["leadbus"]
CMD ["--help"]
