"""What happened: one log line per call, counts, and the last calls for the page."""

import logging
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import Any

from simulator import clock

log = logging.getLogger("simulator")


@dataclass(slots=True)
class Entry:
    """One call. It has no place for a cmcKey."""

    method: str
    endpoint: str
    transport: str
    pin: str = ""
    branch: str = ""
    number: str = ""
    outcome: str = ""
    fault: str = ""
    text: str = ""
    at: str = ""
    ms: float = 0.0


class Journal:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.last: deque[Entry] = deque(maxlen=50)

    def write(self, entry: Entry, started: float) -> None:
        entry.at = clock.stamp()
        entry.ms = (time.perf_counter() - started) * 1000
        outcome = f"{entry.outcome}+{entry.fault}" if entry.fault else entry.outcome
        self.counts[entry.endpoint][outcome] += 1
        self.last.appendleft(entry)
        log.info(
            "%s %s %s pin=%s branch=%s number=%s outcome=%s ms=%.1f %s",
            entry.method,
            entry.endpoint,
            entry.transport,
            entry.pin or "-",
            entry.branch or "-",
            entry.number or "-",
            outcome,
            entry.ms,
            printable(entry.text, 200),
        )

    def stats(self) -> dict[str, Any]:
        endpoints = {name: dict(found) for name, found in sorted(self.counts.items())}
        total = sum(sum(found.values()) for found in self.counts.values())
        return {"calls": total, "endpoints": endpoints}


def printable(value: Any, limit: int = 60) -> str:
    """A value from outside, fit for one log line."""
    if value is None:
        return ""
    text = str(value)[:limit]
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "?" for letter in text)
