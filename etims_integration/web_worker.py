"""Gunicorn's worker of threads, except that it leaves a new connection to a less busy neighbour.

The kernel wakes every worker for a connection, and nearly always the same one is there first. Tills
and proxies keep their connections: of eight, seven would stay with one process, on one core.
"""

import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

WAIT_PER_CONNECTION_S = 0.0001
LONGEST_WAIT_S = 0.002


class FairWorker(ThreadWorker):  # type: ignore[misc]
    def accept(self, listener: Any) -> None:
        """Whoever has fewer connections waits shorter; who comes late finds nothing to accept."""
        time.sleep(min(self.nr_conns * WAIT_PER_CONNECTION_S, LONGEST_WAIT_S))
        super().accept(listener)
