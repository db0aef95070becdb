"""Gunicorn, in the container and in ./run demo. Every number can be set from the environment."""

import gc
import importlib
import os
import sys
import tempfile
from typing import Any

bind = os.environ.get("BIND") or f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "etims_integration.web_worker.FairWorker"
# Requests mostly wait, for PostgreSQL or (Prefer: wait) for KRA: threads wait cheaply.
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))

# A request may wait 30 s for KRA's signature. Longer than that, for it and for the way out.
timeout = 60
graceful_timeout = 40
# Longer than load balancers keep idle connections, so that they never write to a closed one.
keepalive = 75

# Whoever leaks gives it back; the spread keeps the workers from leaving together.
max_requests = int(os.environ.get("WEB_MAX_REQUESTS", "20000"))
max_requests_jitter = max_requests // 10

# The heartbeat file on a slow disk would look like a hung worker.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True
# The proxy writes the access log; ACCESS_LOG=- has one written here too.
accesslog = os.environ.get("ACCESS_LOG") or None
# Without the query: somebody may have put a token there.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s" %(s)s %(b)s %(M)s ms'
errorlog = "-"


def post_worker_init(worker: Any) -> None:
    """What was loaded stays for ever: the garbage collector need not walk it at every request."""
    # Or the first request would wait for all views, the first receipt for its printer's library.
    importlib.import_module("etims_integration.urls")
    importlib.import_module("sales.receipts.driver").warm()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def on_starting(server: Any) -> None:
    """What the workers count together for /metrics (docs/metrics.md) is kept in a folder. One that
    the operator named is emptied; without one, a new one is made, and removed at the end.
    """
    name = "PROMETHEUS_MULTIPROC_DIR"
    if "GUNICORN_PID" in os.environ:
        return  # An upgrade in place: the old workers still count.
    if os.environ.get(name):
        _dead().empty(os.environ[name])
    else:
        os.environ[name] = server.etims_metrics = tempfile.mkdtemp(prefix="etims-metrics-")


def child_exit(server: Any, worker: Any) -> None:
    try:
        _dead().bury(worker.pid, os.environ["PROMETHEUS_MULTIPROC_DIR"])
    except (OSError, RuntimeError) as error:
        # Counts are lost; the master goes on.
        server.log.warning("metrics of worker %s: %s", worker.pid, error)


def on_exit(server: Any) -> None:
    folder = getattr(server, "etims_metrics", "")
    if folder:
        _dead().remove(folder)


def _dead() -> Any:
    """Imported when the folder is set, because prometheus-client looks at it when it is loaded."""
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module("monitoring.metrics.dead")
    finally:
        sys.path.pop(0)
