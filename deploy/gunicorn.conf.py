"""Gunicorn, in the container and in ./run demo. Every number can be set from the environment."""

import gc
import os
from typing import Any

bind = os.environ.get("BIND") or f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
# Requests mostly wait, for PostgreSQL or (Prefer: wait) for KRA: threads wait cheaply.
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))

# A request may wait 30 s for KRA's signature. Longer than that, for it and for the way out.
timeout = 60
graceful_timeout = 40
# Longer than the proxy keeps its idle connections, so that it never writes to a closed one.
keepalive = 75

# Whoever leaks gives it back; the spread keeps the workers from leaving together.
max_requests = int(os.environ.get("WEB_MAX_REQUESTS", "20000"))
max_requests_jitter = max_requests // 10

# The heartbeat file on a slow disk would look like a hung worker.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True
# The proxy writes the access log; ACCESS_LOG=- has one written here too.
accesslog = os.environ.get("ACCESS_LOG") or None
errorlog = "-"


def post_worker_init(worker: Any) -> None:
    """What was loaded stays for ever: the garbage collector need not walk it at every request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
