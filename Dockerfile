# The application, and (target "simulator") KRA's stand-in for trying things out.

FROM python:3.12-slim-trixie AS wheels
WORKDIR /build
COPY requirements.txt requirements-simulator.txt requirements-telemetry.txt ./
# Every download is compared with its pinned hash; the next stages install these files only.
RUN pip wheel --no-cache-dir --require-hashes --wheel-dir /wheels/app --requirement requirements.txt \
 && pip wheel --no-cache-dir --require-hashes --wheel-dir /wheels/simulator --requirement requirements-simulator.txt
# --build-arg TELEMETRY=true: what SENTRY_DSN and OTEL_EXPORTER_OTLP_ENDPOINT need (docs/metrics.md).
ARG TELEMETRY=false
RUN if [ "$TELEMETRY" = true ]; then \
        pip wheel --no-cache-dir --require-hashes --wheel-dir /wheels/app \
            --requirement requirements.txt --requirement requirements-telemetry.txt; \
    fi

FROM python:3.12-slim-trixie AS app
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=etims_integration.settings \
    STATIC_MANIFEST=true
# pg_dump for backups; it reads servers up to its own version, 17.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-client \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 etims \
 && useradd --system --uid 10001 --gid etims --home-dir /app --no-create-home --shell /usr/sbin/nologin etims \
 && install --directory --owner=etims --group=etims /var/lib/etims \
 && install --directory --owner=etims --group=etims --mode=0700 /var/lib/etims/backups
RUN --mount=type=bind,from=wheels,source=/wheels/app,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps --compile /wheels/*.whl
WORKDIR /app
COPY . .
# The settings refuse to load without these; nothing of them stays in the image.
RUN DATABASE_URL=postgres://build@localhost/build REDIS_URL=redis://localhost/0 \
    SECRET_KEY=build ENCRYPTION_KEYS=build \
    python manage.py collectstatic --noinput --verbosity=0 \
 && python -m compileall -q /app
USER etims
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=40s --retries=3 \
    CMD ["python", "deploy/healthcheck.py"]
ENTRYPOINT ["deploy/entrypoint.sh"]
CMD ["web"]

FROM app AS simulator
USER root
RUN --mount=type=bind,from=wheels,source=/wheels/simulator,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps --compile /wheels/*.whl
USER etims
EXPOSE 9800
HEALTHCHECK --interval=15s --timeout=10s --start-period=20s --retries=3 \
    CMD ["python", "deploy/healthcheck.py", "9800", "/"]
CMD ["simulator"]

# Last, so that a plain "docker build ." makes the application.
FROM app
