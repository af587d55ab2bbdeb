# The hub with its embedded database. Settings live in /app/config, data in /app/var.
FROM python:3.12.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY hub hub
COPY plugins plugins
RUN pip install --no-deps --no-build-isolation . && rm -rf /build/*

# A new named volume takes over owner and rights of these folders.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin hub \
    && install -d -o hub -g hub -m 0750 /app /app/config /app/var
WORKDIR /app
USER hub
VOLUME ["/app/config", "/app/var"]
EXPOSE 8080

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]

# The first start writes starter settings, as `make run` does.
CMD ["sh", "-c", "[ -f config/hub.toml ] || hub init || exit; exec hub serve --host 0.0.0.0 --port 8080"]
